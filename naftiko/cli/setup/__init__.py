"""What `mcp-config` and `export` share: MCP clients, their entries and files, skill folders."""

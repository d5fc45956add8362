"""The MCP clients that can be set up: where each keeps its servers, and how it writes them.

What is known of them is data, in clients.json, with the day it was checked and a source for each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from naftiko.errors import StartError

STDIO, HTTP = "stdio", "http"
CLIENT_NAMES = (
    "claude-desktop",
    "claude-code",
    "cursor",
    "vscode",
    "kiro",
    "amazon-q",
    "windsurf",
    "json",
)
"""The names in clients.json, which `--help` need not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client.

    `key` is the member of its file that holds servers by name; `types` what it writes as `type`
    for a transport, if anything; `variable` how a value is left to the environment:
    "${env:NAME}". `files` are its files, by scope and operating system.
    """

    name: str
    title: str
    key: str
    url: str
    types: Mapping[str, str]
    transports: tuple[str, ...]
    variable: str
    files: Mapping[str, Mapping[str, str]]
    afterwards: str
    source: str

    @property
    def asks(self) -> bool:
        """Tell whether it asks for values itself, and keeps them: VS Code's `inputs`."""
        return self.variable.startswith("${input:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The machine that a client runs on."""

    platform: str = sys.platform
    home: Path = field(default_factory=Path.home)
    folder: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def find_client(name: str) -> Client:
    """Return a client by one of CLIENT_NAMES."""
    return _clients()[name]


def config_file(client: Client, scope: str, here: Surroundings) -> Path:
    """Return the file in which a client keeps its servers.

    claude-code, "project" -> <folder>/.mcp.json

    Raises: StartError where it has none.
    """
    if not client.files:
        raise StartError(
            "`json` is no client, so it has no file of its own",
            hint=f"name one with --path, or a client: {', '.join(CLIENT_NAMES[:-1])}",
        )
    places = client.files.get(scope)
    if places is None:
        known = " and ".join(client.files)
        raise StartError(
            f"{client.title} keeps no servers for a {scope}, only for a {known}",
            hint=f"leave out --scope, or write `--scope {known}`",
        )
    values = {
        "home": str(here.home),
        "folder": str(here.folder),
        "config": here.environment.get("XDG_CONFIG_HOME") or str(here.home / ".config"),
        "appdata": here.environment.get("APPDATA") or str(here.home / "AppData" / "Roaming"),
    }
    for name, template in places.items():
        if name.isupper() and here.environment.get(name):
            return Path(template.format(**values, **{name: here.environment[name]}))
    platform = here.platform if here.platform in ("darwin", "win32") else "linux"
    return Path((places.get(platform) or places["any"]).format(**values))


@cache
def _clients() -> dict[str, Client]:
    text = Path(__file__).with_name("clients.json").read_text(encoding="utf-8")
    return {
        name: Client(name=name, **{**entry, "transports": tuple(entry["transports"])})
        for name, entry in json.loads(text)["clients"].items()
    }

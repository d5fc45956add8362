"""A capability with a great many tools, as a back office has them."""

from __future__ import annotations

VERBS = (
    "list",
    "get",
    "create",
    "update",
    "delete",
    "archive",
    "export",
    "approve",
    "assign",
    "copy",
)
THINGS = (
    *("invoice", "customer", "contract", "parcel", "warehouse", "supplier", "refund", "voucher"),
    *("employee", "vacation", "payslip", "training", "meeting", "project", "milestone", "ticket"),
    *("server", "certificate", "backup", "alarm", "dashboard", "deployment", "secret", "firewall"),
    *("article", "price", "discount", "campaign", "newsletter", "survey"),
)


def many_tools(search: str = "true") -> str:
    """Return a capability of 300 tools without an API; `search` is the value of `toolSearch`."""
    tools = [
        f"        - name: {verb}-{thing}\n"
        f"          description: Does what it takes to {verb} one {thing} of the company, and "
        "writes it down for the audit.\n"
        "          inputParameters:\n"
        f"            - {{name: {thing}Id, type: string, description: Number of the {thing}}}\n"
        "            - {name: note, type: string, required: false, "
        "description: What colleagues should know}\n"
        "          outputParameters:\n"
        f'            - {{name: done, type: string, value: "{verb} {thing} {{{{{thing}Id}}}}"}}\n'
        for thing in THINGS
        for verb in VERBS
    ]
    return (
        'naftiko: "1.0.0-alpha3"\ncapability:\n  exposes:\n    - type: mcp\n'
        "      namespace: office\n"
        "      port: 9090\n      description: The back office of a company.\n"
        f"      toolSearch: {search}\n      tools:\n{''.join(tools)}"
    )

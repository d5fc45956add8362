"""Capability files whose REST adapters discover routes, for an API that lists `{items: [...]}`."""

from __future__ import annotations

from pathlib import Path

FILE = """\
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "{base}"
      resources:
        - {{name: items, path: /items, operations: [{{name: list-items, method: GET}}]}}
        - name: echo
          path: /echo
          operations: [{{name: send, method: POST, body: "{{{{all}}}}"}}]
  exposes:
    - type: rest
      namespace: found
      port: 8100
{resources}
      discover:
        - name: things
          call: api.list-items
          items: $.items
          key: "{{{{item.id}}}}"
          refresh: 1s
          operation:
            name: "{{{{item.id}}}}"
{operation}
{more}
"""
SENDS = """\
call: api.send
with: {all: "{{arguments}}"}
"""
OWN = """\
resources:
  - path: "/own/{id}"
    name: own
    operations: [{name: get-own, method: GET, outputParameters: [{type: string, value: own}]}]
"""


def a_file(
    folder: Path,
    base: str,
    operation: str,
    *,
    resources: str = "",
    discover: str = "",
    exposes: str = "",
) -> Path:
    """Write a file: the operation of `things`, further entries of `discover`, further adapters."""
    path = folder / "found.yaml"
    text = FILE.format(
        base=base,
        resources=_indented(resources, 6),
        operation=_indented(operation, 12),
        more=_indented(discover, 8) + "\n" + _indented(exposes, 4),
    )
    path.write_text(text, encoding="utf-8")
    return path


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line for line in text.splitlines())

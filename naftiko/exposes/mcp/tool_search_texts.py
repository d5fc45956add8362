"""What `search-tools` and `call-tool` say of themselves, and how an answer reads."""

from __future__ import annotations

from naftiko.plan.finding import first_sentence
from naftiko.plan.tool_names import CALL_TOOL, SEARCH_TOOLS
from naftiko.values import JsonObject, JsonValue

MAX_SHOWN = 12
"""Parameters of a tool in the text of an answer; the rest is counted, and stands in the data."""
MAX_VALUE = 80
"""Characters of a name, or of one of the values that a parameter may have."""

SEARCH_OUTPUT: JsonObject = {
    "type": "object",
    "properties": {
        "tools": {
            "type": "array",
            "description": "The best first; empty where no tool answers the query",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "title": {"type": "string"},
                    "description": {"type": "string"},
                    "inputSchema": {"type": "object", "description": "JSON Schema of arguments"},
                    "outputSchema": {"type": "object"},
                    "annotations": {
                        "type": "object",
                        "description": "Hints, as tools/list has them",
                    },
                    "execution": {"type": "object"},
                    "score": {"type": "number", "minimum": 0, "maximum": 1},
                    "confidence": {"type": "string", "enum": ["low", "medium", "high"]},
                    "reasons": {"type": "array", "items": {"type": "string"}},
                },
                "required": [
                    "name",
                    "description",
                    "inputSchema",
                    "annotations",
                    "score",
                    "confidence",
                    "reasons",
                ],
            },
        },
        "total": {"type": "integer", "minimum": 0, "description": "Tools that answer the query"},
        "index_digest": {
            "type": "string",
            "description": "Another one where the tools have changed",
        },
    },
    "required": ["tools", "total", "index_digest"],
}


def search_description(*, count: int, discovers: bool, about: str, calls: bool) -> str:
    """Return what `search-tools` is for.

    The number is of the file's own tools: those that are discovered come and go, and a description
    that changed with them would make clients read the list anew each time.
    """
    plural = "" if count == 1 else "s"
    there = f"{count:,} tool{plural}"
    if discovers:
        there = f"{there}, and others that come and go" if count else "the tools of this server"
    lines = [f"Finds tools of this server by what you want to do: it has {there}."]
    if discovers and not count:
        lines = ["Finds tools of this server by what you want to do; they come and go."]
    if about.strip():
        lines.append(f"What they are about: {about.strip()}")
    lines.append(
        "Describe the task in a few words (`restart a failed job`), not a name. "
        "The answer holds the best tools with their input schemas."
    )
    if calls:
        lines.append(
            f"They are not in the list of tools: run one with `{CALL_TOOL}`, giving its name and "
            "arguments by its inputSchema. Search before you say that something cannot be done."
        )
    else:
        lines.append("Then call the tool by its name.")
    return "\n".join(lines)


def call_description() -> str:
    """Return what `call-tool` is for."""
    return (
        f"Runs a tool that `{SEARCH_TOOLS}` found, by its name, with arguments by its inputSchema. "
        "What comes back is that tool's own answer. Look at the tool's annotations in what "
        f"`{SEARCH_TOOLS}` gave: some only read, others change or delete things."
    )


def found_text(found: JsonObject, total: int, *, calls: bool) -> str:
    """Return an answer in short: names, first sentences, parameters."""
    tools = found["tools"]
    assert isinstance(tools, list)
    if not tools:
        return f"none of {total:,} tools answers this; try other words for the task"
    how = f"run one with {CALL_TOOL}" if calls else "call one by its name"
    lines = [f"{len(tools)} of {total:,} tools, the best first; {how}:"]
    for tool in tools:
        assert isinstance(tool, dict)
        lines += _tool_lines(tool)
    return "\n".join(lines)


def _tool_lines(tool: JsonObject) -> list[str]:
    said = first_sentence(str(tool["description"]))
    lines = [f"- {tool['name']} ({_effect(tool['annotations'])}): {said}"]
    schema = tool["inputSchema"]
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not isinstance(schema, dict):
        return lines
    required = schema.get("required")
    needed = (
        {name for name in required if isinstance(name, str)}
        if isinstance(required, list)
        else set()
    )
    names = sorted(properties, key=lambda name: name not in needed)
    lines += [
        f"    {_parameter(name, properties[name], is_required=name in needed)}"
        for name in names[:MAX_SHOWN]
    ]
    if len(names) > MAX_SHOWN:
        lines.append(f"    and {len(names) - MAX_SHOWN} more, all optional or in the schema")
    return lines


def _parameter(name: str, schema: JsonValue, *, is_required: bool) -> str:
    """Return "jobName: string, required - which job", one line whatever the schema holds."""
    member = schema if isinstance(schema, dict) else {}
    kind = member.get("type")
    words = [" or ".join(map(str, kind)) if isinstance(kind, list) else str(kind or "any")]
    choices = member.get("enum")
    if isinstance(choices, list) and len(choices) <= 8:
        words.append("one of " + " ".join(_in_line(choice) for choice in choices))
    if is_required:
        words.append("required")
    text = member.get("description")
    said = f" - {first_sentence(text, 100)}" if isinstance(text, str) and text else ""
    return f"{_in_line(name)}: {', '.join(words)}{said}"


def _in_line(value: JsonValue) -> str:
    """Return a name or a value as part of a line: schemas may be of strangers."""
    text = " ".join(str(value).split())
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _effect(annotations: JsonValue) -> str:
    """Return what a tool's hints say, in a word: "reads", "changes", "may destroy"."""
    hints = annotations if isinstance(annotations, dict) else {}
    if hints.get("readOnlyHint"):
        return "reads"
    return "changes" if hints.get("destructiveHint") is False else "may destroy"

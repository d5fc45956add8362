"""Document -> what its JSON Schema finds in it, each finding at the node that it is about.

All of them are warnings: a file that can be served in spite of them is served.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING

from naftiko.document.nodes import Document, Mapping, Node, Scalar, Sequence
from naftiko.errors import Problem, Problems
from naftiko.validate.schema_wording import Finding, Schemas, wire_text
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from jsonschema_rs import Validator

    from naftiko.source import Location

MAX_FINDINGS = 500
MAX_DEPTH = 200
"""The validator refuses to go deeper than 255; the reader does not either, by far."""

_QUOTED = re.compile(r"`([^`]*)`")
_NAME = re.compile(r"[\w.-]+")


def schema_findings(document: Document) -> list[Problem]:
    """Check a document against the schema of its generation; nothing in it makes this raise.

    Codes: unknown-field, other-generation-field, wrong-type, missing-field, invalid-value.
    """
    root = document.root
    schemas, validator = _compiled(
        "ikanos" if "ikanos" in root and "naftiko" not in root else "naftiko"
    )
    errors = islice(validator.iter_errors(_checkable(root)), MAX_FINDINGS)
    found = chain.from_iterable(Finding(schemas, root, error).problems() for error in errors)
    problems = Problems()
    problems.extend(islice(found, MAX_FINDINGS))
    return list(problems)


def unsaid(findings: Iterable[Problem], problems: Iterable[Problem]) -> list[Problem]:
    """Return the findings that no problem at the same place says about the same name already.

    The builder's "has no `namespace`" makes the schema's "lacks `namespace`" an echo.
    """
    said: dict[Location, set[str]] = {}
    for problem in problems:
        quoted = " ".join(_QUOTED.findall(f"{problem.message} {problem.hint}"))
        names = _NAME.findall(quoted)
        # `resilience.retry` is about `retry`, as the schema calls it.
        names += [name.rpartition(".")[2] for name in names]
        said.setdefault(problem.location, set()).update(names)
    return [
        finding
        for finding in findings
        if not said.get(finding.location, set()).intersection(_QUOTED.findall(finding.message))
    ]


@lru_cache(maxsize=2)
def _compiled(generation: str) -> tuple[Schemas, Validator]:
    """Compile the schema, once for each generation and only when it is needed."""
    import json

    from jsonschema_rs import Draft202012Validator, RegexOptions

    from naftiko.resources import read_schema

    whole: JsonObject = json.loads(read_schema())
    own = {name: of_generation(value, generation) for name, value in whole.items()}
    validator = Draft202012Validator(own, pattern_options=RegexOptions())
    return Schemas(generation=generation, own=own, whole=whole), validator


def of_generation(schema: JsonValue, generation: str) -> JsonValue:
    """Leave out the members that only the other generation has, and demands for them."""
    if isinstance(schema, list):
        return [of_generation(item, generation) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: of_generation(value, generation) for name, value in schema.items()}
    members, branches = out.get("properties"), out.get("anyOf")
    if isinstance(members, dict):
        foreign = {name for name, value in members.items() if _is_foreign(value, generation)}
        out["properties"] = {name: members[name] for name in members if name not in foreign}
        if isinstance(branches, list):
            out["anyOf"] = [item for item in branches if not _demands(item, foreign)]
    return out


def _is_foreign(member: JsonValue, generation: str) -> bool:
    found = member.get("x-generation") if isinstance(member, dict) else None
    return found in ("naftiko", "ikanos") and found != generation


def _demands(schema: JsonValue, names: set[str]) -> bool:
    required = schema.get("required") if isinstance(schema, dict) else None
    return isinstance(required, list) and any(name in names for name in required)


def _checkable(node: Node, depth: int = 0) -> JsonValue:
    """Return the JSON value of a node, without what the validator cannot take."""
    match node:
        case Mapping():
            entries = node.entries if depth < MAX_DEPTH else ()
            return {wire_text(key.text): _checkable(item, depth + 1) for key, item in entries}
        case Sequence():
            items = node.items if depth < MAX_DEPTH else ()
            return [_checkable(item, depth + 1) for item in items]
        case Scalar(value=str() as text):
            return wire_text(text)
        case Scalar(value=float() as number):
            # Infinity and NaN are no JSON numbers; any other number has the type to be checked.
            return number if abs(number) < float("inf") else 0.0
        case Scalar():
            return node.value

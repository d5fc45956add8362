"""Identity policies -> allowed, denied, or not to be known. Spec: section 7, the local evaluator.

Used where the simulator of IAM may not be asked. What a condition, a policy variable or
an unknown resource leaves open is never counted as allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import orjson

MAX_POLICY = 131_072
"""AWS has no longer policy; what is longer is not read."""


class Decision(Enum):
    """What policies say of an action."""

    ALLOWED = "allowed"
    DENIED = "denied"
    IMPLICITLY_DENIED = "implicitly denied"
    UNKNOWN = "unknown"

    @property
    def is_denial(self) -> bool:
        """Whether it is certain that AWS refuses."""
        return self in {Decision.DENIED, Decision.IMPLICITLY_DENIED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement of a policy; of each pair of tuples one is given. `condition` {}: none."""

    allows: bool
    actions: tuple[str, ...] | None = None
    not_actions: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    not_resources: tuple[str, ...] | None = None
    condition: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All identity policies of a principal.

    `boundary` None: there is none. `is_complete` False: some could not be read, or there may be a
    boundary that could not.
    """

    statements: tuple[Statement, ...] = ()
    boundary: tuple[Statement, ...] | None = None
    is_complete: bool = True
    is_boundary_known: bool = True


def parse_policy(document: object) -> tuple[Statement, ...] | None:
    """Return the statements of a policy document, given as text (URL-encoded or not) or as JSON.

    None if it is not a policy that can be understood in full.
    """
    parsed = _decode(document) if isinstance(document, str) else document
    if not isinstance(parsed, Mapping):
        return None
    rows = parsed.get("Statement")
    statements = [_statement(row) for row in (rows if isinstance(rows, list) else [rows])]
    found = tuple(statement for statement in statements if statement is not None)
    return found if len(found) == len(statements) else None


def decide(policies: Policies, action: str, resource: str, context: Mapping[str, str]) -> Decision:
    """Return what the policies say of an action on a resource.

    `resource` is an ARN; `*` in it stands for what is not known. `context` holds the condition keys
    that are known, names in lower case: {"aws:requestedregion": "eu-west-1"}.
    """
    own = _decide(policies.statements, action, resource, context)
    if not policies.is_complete and own is not Decision.DENIED:
        own = Decision.UNKNOWN
    if own.is_denial:
        return own
    if not policies.is_boundary_known:
        return Decision.UNKNOWN
    if policies.boundary is None:
        return own
    limit = _decide(policies.boundary, action, resource, context)
    if limit.is_denial:
        return limit
    return own if limit is Decision.ALLOWED else Decision.UNKNOWN


def _decide(
    statements: Iterable[Statement], action: str, resource: str, context: Mapping[str, str]
) -> Decision:
    allows: bool | None = False
    denies: bool | None = False
    for statement in statements:
        applies = _applies(statement, action, resource, context)
        if statement.allows:
            allows = _either(allows, applies)
        else:
            denies = _either(denies, applies)
    if denies:
        return Decision.DENIED
    if allows is False:
        return Decision.IMPLICITLY_DENIED
    return Decision.ALLOWED if allows and denies is False else Decision.UNKNOWN


def _either(one: bool | None, other: bool | None) -> bool | None:
    """Return `or` where None is not known."""
    if one or other:
        return True
    return None if one is None or other is None else False


def _both(*parts: bool | None) -> bool | None:
    """Return `and` where None is not known."""
    if any(part is False for part in parts):
        return False
    return None if any(part is None for part in parts) else True


def _not(part: bool | None) -> bool | None:
    return None if part is None else not part


def _applies(
    statement: Statement, action: str, resource: str, context: Mapping[str, str]
) -> bool | None:
    if statement.actions is not None:
        action_fits = _any_action(statement.actions, action)
    else:
        action_fits = not _any_action(statement.not_actions or (), action)
    if not action_fits:
        return False
    if statement.resources is not None:
        resource_fits = _any_resource(statement.resources, resource)
    else:
        resource_fits = _not(_any_resource(statement.not_resources or (), resource))
    return _both(resource_fits, _condition(statement.condition, context))


def _any_action(patterns: Sequence[str], action: str) -> bool:
    lowered = action.lower()
    return any(_glob(pattern.lower()).fullmatch(lowered) for pattern in patterns)


def _any_resource(patterns: Sequence[str], resource: str) -> bool | None:
    found: bool | None = False
    for pattern in patterns:
        found = _either(found, _covers(pattern, resource))
    return found


_POLICY_VARIABLE = re.compile(r"\$\{[^}]*\}")


def _covers(pattern: str, resource: str) -> bool | None:
    """Tell whether a pattern fits whatever the `*` of a resource may stand for."""
    has_variable = bool(_POLICY_VARIABLE.search(pattern))
    if not has_variable and _glob(pattern, one="[^*]").fullmatch(resource):
        return True
    if not has_variable and "*" not in resource:
        return False
    return None if overlap(_POLICY_VARIABLE.sub("*", pattern), resource) else False


@lru_cache(maxsize=4_096)
def _glob(pattern: str, one: str = ".") -> re.Pattern[str]:
    collapsed = re.sub(r"\*+", "*", pattern)
    parts = {"*": ".*", "?": one}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in collapsed), re.DOTALL)


def overlap(left: str, right: str) -> bool:
    """Tell whether a text exists that both globs fit. `?` counts in `left` only.

    "db:*" and "*:prod" do: "db:prod".
    """
    row = [all(char == "*" for char in right[:length]) for length in range(len(right) + 1)]
    for one in left:
        above, row = row, [row[0] and one == "*"]
        for index, other in enumerate(right):
            if "*" in (one, other):
                row.append(above[index + 1] or row[index])
            else:
                row.append(above[index] and one in ("?", other))
    return row[-1]


_TESTS = {
    "stringequals": (False, False),
    "stringlike": (True, False),
    "stringnotequals": (False, True),
    "stringnotlike": (True, True),
    "arnequals": (True, False),
    "arnlike": (True, False),
    "arnnotequals": (True, True),
    "arnnotlike": (True, True),
}
"""Operator -> (whether the value is a glob, whether it is negated)."""


def _condition(condition: Mapping[str, Any], context: Mapping[str, str]) -> bool | None:
    results: list[bool | None] = []
    for operator, tests in condition.items():
        name = operator.lower().removesuffix("ifexists")
        for key, wanted in tests.items() if isinstance(tests, Mapping) else [("", None)]:
            value = context.get(str(key).lower())
            if name not in _TESTS or value is None:
                results.append(None)
                continue
            is_glob, is_negated = _TESTS[name]
            results.append(_matches(value, wanted, is_glob=is_glob, is_negated=is_negated))
    return _both(*results)


def _matches(value: str, wanted: object, *, is_glob: bool, is_negated: bool) -> bool | None:
    texts = wanted if isinstance(wanted, list) else [wanted]
    if not all(isinstance(text, str) and not _POLICY_VARIABLE.search(text) for text in texts):
        return None
    found = any(_glob(text).fullmatch(value) if is_glob else text == value for text in texts)
    return found != is_negated


def _decode(text: str) -> object:
    if len(text) > MAX_POLICY:
        return None
    shown = text if text.lstrip().startswith("{") else unquote(text)
    try:
        return orjson.loads(shown)
    except orjson.JSONDecodeError:
        return None


def _statement(row: object) -> Statement | None:
    if not isinstance(row, Mapping) or row.get("Effect") not in {"Allow", "Deny"}:
        return None
    condition = row.get("Condition", {})
    actions, not_actions = _list(row, "Action"), _list(row, "NotAction")
    resources, not_resources = _list(row, "Resource"), _list(row, "NotResource")
    is_single = (actions is None) != (not_actions is None) and (resources is None) != (
        not_resources is None
    )
    if not is_single or not isinstance(condition, Mapping):
        return None
    return Statement(
        allows=row["Effect"] == "Allow",
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        condition=condition,
    )


def _list(row: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = row.get(name)
    items = value if isinstance(value, list) else [value]
    texts = tuple(item for item in items if isinstance(item, str))
    return texts if texts and len(texts) == len(items) else None

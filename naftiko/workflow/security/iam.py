"""(service, operation, members) -> the IAM actions that it needs, and what they can do.

Spec: section 7, "IAM actions of an operation". The data lies in the catalog's `iam/` folder:
`definition.json` (AWS's actions) and `overrides.json` (what botocore's names do not tell).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from naftiko.awsapi import catalog
from naftiko.errors import StartError, did_you_mean
from naftiko.resources import data_folder
from naftiko.workflow.security.iam_services import Services

if TYPE_CHECKING:
    from botocore.model import OperationModel

LEVELS = ("List", "Read", "Tagging", "Write", "Permissions management")
"""Access levels of IAM, from the one that can do least."""

ROLE_PASSING = "iam:PassRole"

_LETTERS = {
    "L": "List",
    "R": "Read",
    "T": "Tagging",
    "W": "Write",
    "P": "Permissions management",
}
_TAG_MEMBER = re.compile(r"(?i)[a-z]*tag(s|ging|list|set|specifications?)")
_ROLE_MEMBER = re.compile(r"(?i).*role.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What an operation needs and can do.

    `required` are IAM actions ("rds:CreateDBSnapshot"), sorted; `advisory` those that AWS may ask
    for as well. `irreversible` is a destroying call with no final snapshot or recovery window;
    `ends` one that starts something which ends by itself and leaves nothing behind.
    """

    required: tuple[str, ...] = ()
    advisory: tuple[str, ...] = ()
    level: str = "Read"
    secret_read: bool = False
    data_read: bool = False
    runs_code: bool = False
    destroys: bool = False
    irreversible: bool = False
    destroys_primary_data: bool = False
    denied: bool = False
    ends: bool = False

    @property
    def passes_role(self) -> bool:
        """Whether it hands a role to a service."""
        return ROLE_PASSING in self.required

    @property
    def is_read_only(self) -> bool:
        """Whether it changes nothing."""
        return self.level in {"List", "Read"}


@dataclass(frozen=True, kw_only=True, eq=False)
class IamData:
    """AWS's actions and the engine's corrections to them."""

    services: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Any]
    digest: str
    _prefixes: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def load(cls, *folders: Path) -> IamData:
        """Read the data of the first folder that has a `definition.json`, and all overrides.

        Without folders: the catalog that comes with the engine. Rows of later folders win.

        Raises: StartError where there is none.
        """
        if not folders:
            shipped = data_folder("capabilities")
            folders = (shipped / "workflow-catalog" / "iam",) if shipped else ()
        definition = next(
            (file for folder in folders if (file := folder / "definition.json").is_file()), None
        )
        if definition is None:
            raise StartError("the catalog has no `iam/definition.json`")
        texts = [definition.read_bytes()]
        rules: dict[str, Any] = {}
        for folder in folders:
            if (file := folder / "overrides.json").is_file():
                texts.append(file.read_bytes())
                rules = _merged(rules, orjson.loads(texts[-1]))
        sums = b"".join(hashlib.sha256(text).digest() for text in texts)
        return cls(
            services=Services(texts[0]),
            rules=rules,
            digest=f"sha256:{hashlib.sha256(sums).hexdigest()}",
        )

    def actions_of(
        self, service: str, operation: str, members: Iterable[str] | Mapping[str, object] = ()
    ) -> Actions | None:
        """Return what an operation with these input members set needs; None if nobody knows.

        `members` are the names, or the plan's trees by name: roles inside of them count too.
        "rds", "CreateDBSnapshot", {"Tags"} -> rds:AddTagsToResource, rds:CreateDBSnapshot
        """
        own = self._own_actions(service, operation, set(members))
        if own is None:
            return None
        actions, is_asked = own
        key = f"{service}:{operation}"
        names = set(members)
        level = highest(self._level(action, names) for action in actions)
        required = set(actions if is_asked else ())
        listed = {name for action in actions for name in self._row(action)[2]}
        if is_asked:
            required |= self._added(key, actions, level, members, listed)
        marks = {*actions, key}
        destroys = level not in {"List", "Read", "Tagging"} and self._destroys(operation, marks)
        return Actions(
            required=tuple(sorted(required)),
            advisory=tuple(sorted(listed - required)),
            level=level,
            secret_read=not marks.isdisjoint(self._set("sensitive", "secret")),
            data_read=not marks.isdisjoint(self._set("sensitive", "data")),
            runs_code=not marks.isdisjoint(self._set("runs_code")),
            destroys=destroys,
            irreversible=destroys and not (names & set(self._table("recovery", key))),
            destroys_primary_data=destroys
            and not marks.isdisjoint(self._set("destroy_primary_data")),
            denied=not marks.isdisjoint(self._set("denied")),
            ends=not marks.isdisjoint(self._set("ends")),
        )

    def hint(self, service: str, operation: str) -> str:
        """Say the way out where `actions_of` knows nothing."""
        prefix = self.prefix_of(service)
        way = f"add a row `{service}:{operation}` to `operations` in the catalog's iam/overrides"
        if prefix is None:
            return f"IAM has no service prefix for `{service}`; {way}.json"
        near = did_you_mean(operation, self.services[prefix]["actions"])
        return "; ".join(filter(None, (near, f"{way}.json")))

    def prefix_of(self, service: str) -> str | None:
        """Return IAM's prefix of a botocore service: "stepfunctions" -> "states"."""
        if service not in self._prefixes:
            metadata = catalog.service_model(service).metadata
            names = (
                self.rules["service_prefix"].get(service),
                metadata.get("signingName"),
                metadata.get("endpointPrefix"),
                service,
            )
            found = next((name for name in names if name and name in self.services), None)
            self._prefixes[service] = found
        return self._prefixes[service]

    def knows(self, action: str) -> bool:
        """Tell whether IAM has an action of exactly that name."""
        prefix, _, name = action.partition(":")
        return name in self.services.get(prefix, {"actions": ()})["actions"]

    def level_of(self, action: str) -> str:
        """Return the access level of an action; Write where it is not known."""
        return self._row(action)[0]

    def _level(self, action: str, members: set[str]) -> str:
        """Return the level of an action as it is called: without a policy a queue is a queue."""
        lowered = self.rules.get("levels", {}).get(action)
        if lowered and not members & set(lowered[1:]):
            return str(lowered[0])
        return self.level_of(action)

    def resources_of(self, action: str) -> Mapping[str, str]:
        """Return the ARN formats of the resource types that an action can be limited to."""
        formats = self.services.get(action.partition(":")[0], {}).get("resources", {})
        return {name: formats[name] for name in self._row(action)[1] if name in formats}

    def members_of(self, action: str) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """Return which input members fill the variables of an action's ARN formats, by type."""
        found: Mapping[str, Mapping[str, tuple[str, ...]]] = self._table(
            "resource_members", action.partition(":")[0]
        )
        return found

    def _own_actions(
        self, service: str, operation: str, members: set[str]
    ) -> tuple[tuple[str, ...], bool] | None:
        """Return the actions, and whether the caller's policies are asked for them."""
        key = f"{service}:{operation}"
        for member, actions in self._table("member_replaces", key).items():
            if member in members:
                return tuple(actions), True
        if key in self.rules["operations"]:
            return tuple(self.rules["operations"][key]), True
        model = catalog.service_model(service)
        if operation not in model.operation_names:
            return None
        operation_model = model.operation_model(operation)
        if service in self.rules["http_method_services"]:
            return (f"apigateway:{operation_model.http['method']}",), True
        named = self._named_action(service, operation)
        if named is None:
            return None
        is_free = key in self.rules["permissionless"] or _is_unsigned(operation_model)
        return (named,), not is_free

    def _named_action(self, service: str, operation: str) -> str | None:
        """Return the action called like the operation. IAM does not tell capitals apart."""
        prefix = self.prefix_of(service)
        if prefix is None:
            return None
        actions = self.services[prefix]["actions"]
        if operation in actions:
            return f"{prefix}:{operation}"
        lowered = operation.lower()
        same = next((name for name in sorted(actions) if name.lower() == lowered), None)
        return f"{prefix}:{same}" if same else None

    def _added(
        self,
        key: str,
        actions: tuple[str, ...],
        level: str,
        members: Iterable[str] | Mapping[str, object],
        listed: set[str],
    ) -> set[str]:
        """Return the actions that members ask for on top: roles, tags, and rows of their own."""
        names = set(members)
        found = {
            action
            for member, more in self._table("member_actions", key).items()
            if member in names
            for action in more
        }
        if level in {"List", "Read"}:
            return found
        if self._passes_role(key, members, listed):
            found.add(ROLE_PASSING)
        if level != "Tagging" and any(_TAG_MEMBER.fullmatch(name) for name in names):
            found |= {name for name in listed if self.level_of(name) == "Tagging"}
            tagging = self.rules["tag_actions"].get(actions[0].partition(":")[0])
            found |= {tagging} if tagging else set()
        return found

    def _passes_role(
        self, key: str, members: Iterable[str] | Mapping[str, object], listed: set[str]
    ) -> bool:
        if key in self.rules["pass_role_never"]:
            return False
        is_listed = ROLE_PASSING in listed
        return any(
            self._role_member.fullmatch(name) or (is_listed and _ROLE_MEMBER.fullmatch(name))
            for name in _names(members)
        )

    @cached_property
    def _role_member(self) -> re.Pattern[str]:
        return re.compile(self.rules["pass_role_member"])

    def _destroys(self, operation: str, marks: set[str]) -> bool:
        if not marks.isdisjoint(self._set("destroy")):
            return True
        verbs = self.rules["destroy_verbs"]
        return any(fnmatchcase(operation, verb if "*" in verb else f"{verb}*") for verb in verbs)

    def _row(self, action: str) -> tuple[str, list[str], list[str]]:
        """Return level, resource types and dependent actions of an action."""
        prefix, _, name = action.partition(":")
        row = self.services.get(prefix, {}).get("actions", {}).get(name, "W")
        if isinstance(row, str):
            row = [row]
        types = row[1] if len(row) > 1 else []
        return _LETTERS[row[0]], types, row[2] if len(row) > 2 else []

    def _set(self, *path: str) -> frozenset[str]:
        if path not in self._sets:
            table: Any = self.rules
            for name in path:
                table = table.get(name, {})
            self._sets[path] = frozenset(table)
        return self._sets[path]

    @cached_property
    def _sets(self) -> dict[tuple[str, ...], frozenset[str]]:
        return {}

    def _table(self, name: str, key: str) -> Mapping[str, Any]:
        found: Any = self.rules.get(name, {}).get(key, {})
        return found if isinstance(found, Mapping) else dict.fromkeys(found, ())


def highest(levels: Iterable[str]) -> str:
    """Return the access level that can do most; List of none."""
    return max(levels, key=LEVELS.index, default=LEVELS[0])


def _is_unsigned(model: OperationModel) -> bool:
    """Tell whether a call carries no signature: no policy of the caller is asked then."""
    return model.auth_type == "none" or "smithy.api#noAuth" in (model.auth or ())


def _names(members: object) -> Iterator[str]:
    """Yield the names of members, and those inside of the trees given for them."""
    if not isinstance(members, Mapping):
        yield from members if isinstance(members, Iterable) else ()
        return
    for name, tree in members.items():
        yield name
        yield from _inner_names(tree)


def _inner_names(tree: object) -> Iterator[str]:
    if not isinstance(tree, Mapping):
        return
    for name, inner in tree.get("obj", {}).items():
        yield name
        yield from _inner_names(inner)
    for inner in tree.get("list", ()):
        yield from _inner_names(inner)
    if isinstance(tree.get("lit"), dict | list):
        yield from _literal_names(tree["lit"])


def _literal_names(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _literal_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _literal_names(inner)


def _merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return two tables of rules as one; lists are joined, a row of `more` wins."""
    out = dict(base)
    for name, value in more.items():
        old = out.get(name)
        if name in _ROWS and isinstance(old, Mapping):
            out[name] = {**old, **value}
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            out[name] = _merged(old, value)
        elif isinstance(old, list):
            out[name] = sorted({*old, *value})
        else:
            out[name] = value
    return out


_ROWS = frozenset({"levels", "operations", "service_prefix", "recovery", "tag_actions"})

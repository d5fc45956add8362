"""Loose names -> input members, and values against their shapes. Spec: section 3, rule 2."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from naftiko.awsapi.catalog import service_model
from naftiko.document.nodes import Scalar
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.operations import MAX_SHOWN, nearest_names
from naftiko.workflow.resolution.words import folded, snake, words_of

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMember:
    """An input member. `how`: `exact`, `name` (snake case), `case`, `alias`, `tokens`."""

    name: str
    shape: Shape
    how: str = "exact"

    @property
    def is_list(self) -> bool:
        """Whether it takes a list: a single value becomes a list of one (`as_list`)."""
        return bool(self.shape.type_name == "list")


def find_member(
    data: ResolutionData, service: str, operation: str, name: Scalar, problems: Problems
) -> FoundMember | None:
    """Return the member that a loose name means; None, with a WF303, where that is not clear.

    ("rds", "CreateDBSnapshot", "instance_id") -> FoundMember(name="DBInstanceIdentifier")
    """
    hits = match_member(data, service, operation, name.text)
    if len(hits) == 1:
        return hits[0]
    if hits:
        shown = ", ".join(f"`{hit.name}`" for hit in hits[:MAX_SHOWN])
        message = f"`{name.text}` can mean {len(hits)} members of `{operation}`: {shown}"
        problems.error("WF303", message, name.location, "write one of them")
        return None
    known = sorted(_members(service, operation))
    message = f"`{operation}` takes no member `{name.text}`"
    problems.error("WF303", message, name.location, _candidates(name.text, known))
    return None


def find_exact_member(
    service: str, operation: str, name: Scalar, problems: Problems
) -> FoundMember | None:
    """Return the member of exactly that name, as `input` gives it; None, with a WF303."""
    members = _members(service, operation)
    shape = members.get(name.text)
    if shape is not None:
        return FoundMember(name=name.text, shape=shape)
    message = f"`{operation}` takes no member `{name.text}`"
    problems.error("WF303", message, name.location, _candidates(name.text, sorted(members)))
    return None


def match_member(
    data: ResolutionData, service: str, operation: str, name: str
) -> tuple[FoundMember, ...]:
    """Return the members that a loose name can mean. Reports nothing."""
    members = _members(service, operation)
    if name in members:
        return (FoundMember(name=name, shape=members[name]),)
    snakes, cases, tokens = _index(service, operation, data.service(service).noise)
    row = data.service(service).aliases(operation).get(name.replace("-", "_").lower())
    alias = (row.target,) if row is not None and row.target in members else ()
    for how, hits in (
        ("name", snakes.get(name.replace("-", "_"), ())),
        ("case", cases.get(_case(name), ())),
        ("alias", alias),
        *(("tokens", index.get(_key(name, noise), ())) for noise, index in tokens),
    ):
        if hits:
            return tuple(FoundMember(name=hit, shape=members[hit], how=how) for hit in hits)
    return ()


def parameter_name(data: ResolutionData, service: str, operation: str, member: str) -> str:
    """Return what a parameter for a member is called: "DBInstanceIdentifier" -> instance_id.

    The operation's own alias row, the shortest one, else the member's words without noise.
    """
    rows = data.service(service)
    own = rows.params.get(operation, {})
    aliases = sorted((len(name), name) for name, row in own.items() if row.target == member)
    if aliases:
        return aliases[0][1]
    words = ["id" if word == "identifier" else word for word in words_of(member)]
    kept = [word for word in words if word not in rows.noise]
    enough = kept and kept not in (["id"], ["name"], ["arn"])
    return "_".join(kept if enough else words)


def required_members(service: str, operation: str) -> tuple[str, ...]:
    """Return the members that a call must give, sorted; not those that fill themselves (tokens)."""
    shape = _operation(service, operation).input_shape
    if shape is None:
        return ()
    tokens = {name for name, member in shape.members.items() if is_token(member)}
    return tuple(sorted(set(shape.required_members) - tokens))


def check_required(
    data: ResolutionData,
    service: str,
    operation: str,
    given: Collection[str],
    location: Location,
    problems: Problems,
) -> bool:
    """Report a WF305 for every required member that is not given; tell whether none is missing."""
    missing = [name for name in required_members(service, operation) if name not in given]
    for name in missing:
        alias = parameter_name(data, service, operation, name)
        problems.error(
            "WF305", f"`{operation}` needs `{name}`", location, f"give it: `{alias}: ...`"
        )
    return not missing


def is_token(shape: Shape) -> bool:
    """Tell whether a member makes repeating harmless, and is filled where it is not given."""
    return bool(shape.metadata.get("idempotencyToken"))


def _candidates(name: str, known: list[str]) -> str:
    if not known:
        return "it takes none at all"
    if len(known) <= MAX_SHOWN:
        return did_you_mean(name, known)
    shown = ", ".join(f"`{near}`" for near in nearest_names(name, known))
    return f"the nearest: {shown}" if shown else ""


def _operation(service: str, operation: str) -> OperationModel:
    return service_model(service).operation_model(operation)


def _members(service: str, operation: str) -> dict[str, Shape]:
    shape = _operation(service, operation).input_shape
    return dict(shape.members) if shape is not None else {}


def _case(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def _key(name: str, noise: frozenset[str]) -> tuple[str, ...]:
    return folded(words_of(name), noise)


_Names = dict[str, tuple[str, ...]]
_Tokens = tuple[tuple[frozenset[str], dict[tuple[str, ...], tuple[str, ...]]], ...]


@lru_cache(maxsize=1024)
def _index(service: str, operation: str, noise: frozenset[str]) -> tuple[_Names, _Names, _Tokens]:
    snakes: _Names = {}
    cases: _Names = {}
    whole: dict[tuple[str, ...], tuple[str, ...]] = {}
    bare: dict[tuple[str, ...], tuple[str, ...]] = {}
    for name in sorted(_members(service, operation)):
        _add(snakes, snake(name), name)
        _add(cases, _case(name), name)
        _add(whole, _key(name, frozenset()), name)
        if _key(name, noise):
            _add(bare, _key(name, noise), name)
    return snakes, cases, ((frozenset(), whole), (noise, bare))


def _add(index: dict[K, tuple[str, ...]], key: K, name: str) -> None:
    index[key] = (*index.get(key, ()), name)

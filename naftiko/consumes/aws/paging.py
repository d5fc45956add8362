"""Following pages: botocore's paginators, and one derived for `List*` operations without."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

    from naftiko.values import JsonObject, JsonValue

_FIRST_NAME = re.compile(r"[^A-Za-z0-9_]")

DEFAULT_LIMIT = 1000
"""Items that are gathered when the file sets no limit."""
MAX_PAGES = 1000

Get = Callable[["JsonObject"], "JsonValue"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pager:
    """How one operation pages.

    `tokens` pairs an input parameter with the path of its next value. `lists` are the paths of
    what is gathered; the first one counts. `size` is the parameter for the size of a page, and
    `largest` what it may be. `cursors` are the members of a page that lead to the next.
    """

    tokens: tuple[tuple[str, Get], ...]
    cursors: frozenset[str]
    lists: tuple[tuple[str, ...], ...]
    more: Get | None
    size: str | None
    largest: int | None
    limit: int
    limited: bool

    def paged_by_caller(self, arguments: Mapping[str, JsonValue]) -> bool:
        """Tell whether the caller pages: gave a token or the size of a page."""
        return any(name in arguments for name, _ in self.tokens) or (
            self.size is not None and self.size in arguments
        )

    def first(self, arguments: JsonObject) -> JsonObject:
        """Return the arguments of the first page: smaller where the file wants fewer items."""
        return self._sized(arguments, self.limit) if self.limited else arguments

    def following(self, arguments: JsonObject, page: JsonObject, missing: int) -> JsonObject | None:
        """Return the arguments of the page after this one, None after the last."""
        if self.more is not None and not self.more(page):
            return None
        given = {name: token for name, get in self.tokens if (token := get(page))}
        if not given:
            return None
        bare = {name: value for name, value in arguments.items() if name not in self._token_names}
        return self._sized({**bare, **given}, missing)

    def count(self, page: JsonObject) -> int:
        """Return how many items a page holds."""
        items = _dig(page, self.lists[0])
        return len(items) if isinstance(items, list | dict) else 0

    def merge(self, gathered: JsonObject | None, page: JsonObject) -> JsonObject:
        """Return the pages so far as one: lists joined, numbers added, all else as it was last."""
        if gathered is None:
            return page
        merged = {**gathered, **page}
        for name in self.cursors - page.keys():
            merged.pop(name, None)
        for path in self.lists:
            _put(merged, path, _joined(_dig(gathered, path), _dig(page, path)))
        return merged

    @property
    def _token_names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.tokens)

    def _sized(self, arguments: JsonObject, wanted: int) -> JsonObject:
        if self.size is None:
            return arguments
        size = min(wanted, self.largest) if self.largest else wanted
        return {**arguments, self.size: max(1, size)}


def pager_of(
    model: OperationModel, paginators: Mapping[str, Mapping[str, object]], limit: int | None
) -> Pager | None:
    """Return how an operation pages, None if it does not."""
    rule = paginators.get(model.name) or _derived(model)
    if rule is None:
        return None
    inputs, outputs = _texts(rule["input_token"]), _texts(rule["output_token"])
    keys = _texts(rule.get("result_key"))
    paths = tuple(tuple(key.split(".")) for key in keys if key.replace(".", "").isidentifier())
    if not paths or model.input_shape is None:
        return None
    size = rule.get("limit_key")
    size_name = size if isinstance(size, str) else None
    more = rule.get("more_results")
    return Pager(
        tokens=tuple((name, _getter(path)) for name, path in zip(inputs, outputs, strict=False)),
        cursors=_cursors(outputs, paths),
        lists=paths,
        more=_getter(more) if isinstance(more, str) else None,
        size=size_name,
        largest=_largest(model.input_shape, size_name),
        limit=limit or DEFAULT_LIMIT,
        limited=limit is not None,
    )


def _derived(model: OperationModel) -> Mapping[str, object] | None:
    """Return a rule for a `List*` that has tokens and one list, but no paginator in botocore."""
    into, out = model.input_shape, model.output_shape
    if not model.name.startswith("List") or into is None or out is None:
        return None
    token = next((n for n in ("nextToken", "NextToken") if n in into.members), None)
    lists = [name for name, member in out.members.items() if member.type_name == "list"]
    if token is None or token not in out.members or len(lists) != 1:
        return None
    size = next((n for n in ("maxResults", "MaxResults") if n in into.members), None)
    rule: dict[str, object] = {"input_token": token, "output_token": token, "result_key": lists[0]}
    return rule | ({"limit_key": size} if size else {})


def _largest(shape: Shape, size: str | None) -> int | None:
    member = shape.members.get(size) if size else None
    highest = member.metadata.get("max") if member is not None else None
    return int(highest) if highest else None


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, list) else []


def _cursors(outputs: list[str], lists: tuple[tuple[str, ...], ...]) -> frozenset[str]:
    """["NextMarker || Contents[-1].Key"] -> {"NextMarker"}: Contents is what is listed."""
    names = {
        _FIRST_NAME.split(part.strip(), maxsplit=1)[0] for o in outputs for part in o.split("||")
    }
    return frozenset(names) - {path[0] for path in lists}


def _getter(expression: str) -> Get:
    if expression.isidentifier():
        return lambda page: page.get(expression)
    # Few need more than a name: "NextMarker || Contents[-1].Key".
    import jmespath  # type: ignore[import-untyped]  # it has no stubs

    search = jmespath.compile(expression).search
    return lambda page: cast("JsonValue", search(page))


def _dig(value: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _put(target: JsonObject, path: tuple[str, ...], value: JsonValue) -> None:
    if value is None:
        return
    for name in path[:-1]:
        inner = target.get(name)
        target[name] = inner = dict(inner) if isinstance(inner, dict) else {}
        target = inner
    target[path[-1]] = value


def _joined(one: JsonValue, two: JsonValue) -> JsonValue:
    if isinstance(one, list) and isinstance(two, list):
        one.extend(two)
        return one
    if isinstance(one, dict) and isinstance(two, dict):
        return {**one, **two}
    numbers = isinstance(one, int | float) and isinstance(two, int | float)
    if numbers and not isinstance(one, bool):
        return cast("float", one) + cast("float", two)
    return one if two is None else two

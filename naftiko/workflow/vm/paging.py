"""Following the pages of an answer, up to a cap. Spec: sections 1 (paginate), 13."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.vm.data import Path, WrongData
from naftiko.workflow.vm.failures import StepFailure
from naftiko.workflow.vm.program import Pages

MAX_PAGES = 1_000
"""More requests are not made, however few items a page has."""


async def collect(
    pages: Pages,
    members: JsonObject,
    page: Callable[[JsonObject], Awaitable[JsonObject]],
    cap: int,
) -> tuple[JsonObject, bool]:
    """Return the first page with the items of all, and whether items were left out.

    `page` gets the members that differ from page to page. The tokens are data: they go into the
    members that the plan names, and nowhere else.

    Raises: StepFailure, and what `page` raises.
    """
    more: JsonObject = {}
    if pages.size is not None and pages.page_size is not None and pages.size not in members:
        more[pages.size] = pages.page_size
    joined: list[list[JsonValue]] = [[] for _ in pages.result]
    first: JsonObject | None = None
    try:
        for _ in range(MAX_PAGES):
            answer = await page(more)
            first = answer if first is None else first
            for items, where in zip(joined, pages.result, strict=True):
                items.extend(_items(where, answer))
            tokens = _tokens(pages, answer)
            is_full = bool(joined) and len(joined[0]) >= cap
            if not tokens or is_full:
                is_cut = bool(joined) and (len(joined[0]) > cap or bool(tokens))
                return _whole(pages, first, joined, cap), is_cut
            if all(more.get(name) == token for name, token in tokens.items()):
                raise StepFailure("AwsError", "the service gave the same page again")
            more = {**more, **tokens}
    except WrongData as wrong:
        raise StepFailure("TypeMismatch", str(wrong)) from None
    raise StepFailure("FanOutExceeded", f"the answer has more than {MAX_PAGES} pages")


def _items(where: Path, answer: JsonObject) -> list[JsonValue]:
    found = where.get(answer)
    if found is None:
        return []
    if not isinstance(found, list):
        raise WrongData(f"`{where.text}` is not a list")
    return found


def _tokens(pages: Pages, answer: JsonObject) -> JsonObject:
    """Return the members that ask for the next page; none if there is none."""
    if pages.more is not None and pages.more.get(answer) is not True:
        return {}
    found: JsonObject = {}
    for member, alternatives in zip(pages.input, pages.output, strict=True):
        values = (alternative.get(answer) for alternative in alternatives)
        token = next((value for value in values if value not in (None, "", {})), None)
        if token is not None:
            found[member] = token
    return found


def _whole(pages: Pages, first: JsonObject, joined: list[list[JsonValue]], cap: int) -> JsonObject:
    whole = first
    for index, (items, where) in enumerate(zip(joined, pages.result, strict=True)):
        whole = _with(whole, where.parts, items[:cap] if index == 0 else items)
    return whole


def _with(value: JsonObject, parts: tuple[str | int, ...], items: list[JsonValue]) -> JsonObject:
    """Return the object with another list at the path; nothing else is changed."""
    name = str(parts[0])
    if len(parts) == 1:
        return {**value, name: items}
    inner = value.get(name)
    return {**value, name: _with(inner if isinstance(inner, dict) else {}, parts[1:], items)}

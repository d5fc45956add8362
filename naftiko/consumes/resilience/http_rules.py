"""The rules of HTTP for a private cache (RFC 9111), by hishel's state machine.

hishel takes the age of an answer from `Date` alone. So answers are kept with the `Date` that their
`Age` implies (RFC 9111, 4.2.3), and `Expires` moves with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from hishel import (
    AnyState,
    CacheMiss,
    CacheOptions,
    Entry,
    FromCache,
    Headers,
    IdleClient,
    InvalidateEntries,
    NeedRevalidation,
    NeedToBeUpdated,
    Request,
    Response,
    StoreAndUse,
)
from hishel._core._spec import get_age, get_freshness_lifetime

from naftiko.consumes.resilience.store import header_texts

if TYPE_CHECKING:
    from naftiko.consumes.resilience.layer import Sent
    from naftiko.plan.ports import Result

PRIVATE = CacheOptions(shared=False, supported_methods=["GET", "HEAD"], allow_stale=False)
STALE = CacheOptions(shared=False, supported_methods=["GET", "HEAD"], allow_stale=True)
_KEPT = frozenset({200, 203, 204, 300})
_VALIDATORS = ("If-None-Match", "If-Modified-Since")
_CONDITIONS = frozenset(
    {"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What HTTP says of a kept answer: fresh, or how stale and whether it may be used so.

    `conditional` is the request that asks whether it still holds.
    """

    fresh: bool
    stale_s: float = 0.0
    usable: bool = False
    conditional: Sent | None = None
    state: NeedRevalidation | None = None


def has_conditions(request: Sent) -> bool:
    """Tell whether the author makes the request conditional, so that the answer is theirs."""
    return any(name.lower() in _CONDITIONS for name, _ in request.headers)


def judge(request: Sent, entry: Entry) -> Judged | None:
    """Judge a kept answer for a request; None where it cannot serve it at all."""
    asked = _request(request)
    state = IdleClient(options=PRIVATE).next(asked, [entry])
    if isinstance(state, FromCache):
        return Judged(fresh=True)
    if not isinstance(state, NeedRevalidation):
        return None
    usable = isinstance(IdleClient(options=STALE).next(asked, [entry]), FromCache)
    lifetime = get_freshness_lifetime(entry.response, False) or 0
    validators = tuple(
        (name, text) for name in _VALIDATORS if (text := state.request.headers.get(name))
    )
    conditional = replace(request, headers=(*request.headers, *validators)) if validators else None
    stale_s = max(0.0, get_age(entry.response) - lifetime)
    return Judged(fresh=False, stale_s=stale_s, usable=usable, conditional=conditional, state=state)


def entry_of(request: Sent, result: Result, *, wall: float, ttl_s: float | None) -> Entry | None:
    """Return the entry to keep for an answer, None where it must not be kept or would be no use."""
    if result.status not in _KEPT:
        return None
    headers = _dated(header_texts(result.received or {}), wall)
    if ttl_s is not None and "cache-control" not in headers and "expires" not in headers:
        headers["cache-control"] = f"max-age={int(ttl_s)}"
    asked = _request(request)
    state = _settled(
        CacheMiss(options=PRIVATE, request=asked).next(
            Response(result.status, Headers({**headers}))
        )
    )
    if not isinstance(state, StoreAndUse):
        return None
    kept = state.response
    validated = "etag" in kept.headers or "last-modified" in kept.headers
    if not validated and not (get_freshness_lifetime(kept, False) or 0) > 0:
        return None
    return Entry(id=uuid4(), request=asked, response=kept)


def renewed(judged: Judged, result: Result, *, wall: float) -> Entry | None:
    """Return the entry as a 304 renews it, None where the 304 speaks of another one."""
    if judged.state is None:
        return None
    headers = _dated(header_texts(result.received or {}), wall)
    state = _settled(judged.state.next(Response(304, Headers({**headers}))))
    return state.updating_entries[-1] if isinstance(state, NeedToBeUpdated) else None


def _settled(state: AnyState) -> AnyState:
    """Pass over what is to be dropped: an entry is replaced under its key anyway."""
    while isinstance(state, InvalidateEntries):
        state = state.next()
    return state


def _request(request: Sent) -> Request:
    headers: dict[str, list[str]] = {}
    for name, text in request.headers:
        headers.setdefault(name.lower(), []).append(text)
    return Request(request.method, request.url, Headers({**headers}))


def _dated(headers: dict[str, str], wall: float) -> dict[str, str]:
    """Return the headers with a `Date` that says how old the answer is."""
    sent = _unix(headers.get("date"))
    apparent_s = max(0.0, wall - sent) if sent is not None else 0.0
    age = headers.get("age", "").strip()
    told_s = float(age[:9]) if age.isascii() and age.isdecimal() else 0.0
    date = wall - max(apparent_s, told_s)
    expires = _unix(headers.get("expires"))
    if expires is not None:
        shift = date - (sent if sent is not None else wall)
        headers["expires"] = formatdate(expires + shift, usegmt=True)
    headers["date"] = formatdate(date, usegmt=True)
    headers.pop("age", None)
    return headers


def _unix(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None

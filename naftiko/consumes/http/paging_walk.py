"""The way from page to page: the next request, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import orjson

from naftiko.consumes.http.origins import same_origin_url
from naftiko.consumes.http.paging_link import next_link, with_query
from naftiko.consumes.http.paging_rules import replaced
from naftiko.errors import ConsumedError, ShapingError
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.consumes.http.paging_rules import Paging, Place
    from naftiko.consumes.http.request import HttpRequest
    from naftiko.plan.ports import Result

_ENDS = (None, MISSING, "", False)


class Walk:
    """One way through the pages of one call. `request` gets the page with `number`, from 1.

    `is_unsure` says that the first page does not hold what tells whether there are more.
    """

    def __init__(self, paging: Paging, address: str, request: HttpRequest) -> None:
        """Start before the first page."""
        self._paging = paging
        self._address = address
        self._first = self._sized(request)
        self.number = 1
        self.by_url = False
        self.is_unsure = False
        self._count = 0
        self._last: Sequence[JsonValue] = ()
        self._seen: set[str] = set()
        self.request = self._first
        if paging.start is not None and paging.parameter:
            self.request = self._with(self._first, paging.parameter, paging.start)

    def go_on(self, document: JsonValue, items: Sequence[JsonValue], result: Result) -> bool:
        """Take in a page and prepare the request of the next; return whether there is one.

        Raises: ConsumedError for pages that go round in circles or lead elsewhere; ShapingError
            where the next token is none.
        """
        self._count += len(items)
        match self._paging.type_:
            case "page" | "offset":
                more = self._by_number(document, items)
            case "cursor":
                more = self._by_cursor(document)
            case _:
                more = self._by_url(next_link(result.received or {}))
        if more:
            self.number += 1
        return more

    def _by_number(self, document: JsonValue, items: Sequence[JsonValue]) -> bool:
        paging = self._paging
        if not items:
            return False
        # An API that does not know the parameter gives its first page for ever.
        if self.number > 1 and items == self._last:
            raise self._loop(f"is the one before it again: is `{paging.parameter}` what it takes?")
        self._last = items
        if not self._says_more(document):
            return False
        if paging.has_more is None and self._total(document) is None:
            size = paging.size
            if size is not None and len(items) < size[1]:
                return False
        start = paging.start if isinstance(paging.start, int) else 0
        value = start + (self.number if paging.type_ == "page" else self._count)
        self.request = self._with(self._first, paging.parameter, value)
        return True

    def _by_cursor(self, document: JsonValue) -> bool:
        paging = self._paging
        if not self._says_more(document):
            return False
        if paging.next_url is not None:
            target = paging.next_url.path.find(document)
            if target not in _ENDS and not isinstance(target, str):
                raise self._no_token(paging.next_url)
            return self._by_url(target if isinstance(target, str) else None)
        token = paging.next_.path.find(document) if paging.next_ is not None else None
        if token in _ENDS:
            return False
        if isinstance(token, bool) or not isinstance(token, str | int | float):
            raise self._no_token(paging.next_)
        self._note(str(token))
        self.request = self._with(self._first, paging.parameter, token)
        return True

    def _by_url(self, target: str | None) -> bool:
        if not target:
            return False
        url = same_origin_url(self.request.url, target)
        if url is None:
            raise ConsumedError(
                code="foreign-page",
                message=f"the next page of `{self._address}` is on another origin, which is not "
                "followed: credentials would go there",
                details={"operation": self._address},
            )
        self._note(url)
        self.by_url = True
        self.request = replace(self._first, url=url)
        return True

    def _says_more(self, document: JsonValue) -> bool:
        place = self._paging.has_more
        if place is not None:
            found = place.path.find(document)
            if found is MISSING and self.number == 1:
                self.is_unsure = True
            return found not in _ENDS and not _says_false(found)
        total = self._total(document)
        return total is None or self._count < total

    def _total(self, document: JsonValue) -> float | None:
        return total_of(self._paging, document)

    def _note(self, token: str) -> None:
        if token in self._seen:
            raise self._loop("leads back to a page that was there already")
        self._seen.add(token)

    def _no_token(self, place: Place | None) -> ShapingError:
        where = "" if place is None else f" at `{place.path.text}`"
        return ShapingError(
            message=f"page {self.number} of `{self._address}` holds no token or URL{where}, but "
            "something else",
            hint="check `paginate`",
        )

    def _loop(self, reason: str) -> ConsumedError:
        return ConsumedError(
            code="pagination-loop",
            message=f"page {self.number} of `{self._address}` {reason}",
            hint="check `paginate`",
            details={"operation": self._address},
        )

    def _sized(self, request: HttpRequest) -> HttpRequest:
        size = self._paging.size
        return request if size is None else self._with(request, *size)

    def _with(self, request: HttpRequest, name: str, value: str | float) -> HttpRequest:
        match self._paging.in_:
            case "query":
                return replace(request, url=with_query(request.url, name, _text(value)))
            case "header":
                lowered = name.lower()
                kept = tuple(item for item in request.headers if item[0].lower() != lowered)
                return replace(request, headers=(*kept, (name, _header_text(value, self._address))))
            case _:
                headers = request.headers
                if not any(item[0].lower() == "content-type" for item in headers):
                    headers = (*headers, ("Content-Type", "application/json"))
                return replace(request, headers=headers, body=self._with_body(request, name, value))

    def _with_body(self, request: HttpRequest, name: str, value: str | float) -> bytes:
        """Set a member of a JSON body (`variables.after` of an inner one), or a form's field."""
        media_type = next((t for n, t in request.headers if n.lower() == "content-type"), "")
        body = request.body or b""
        if "x-www-form-urlencoded" in media_type:
            pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
            kept = [pair for pair in pairs if pair[0] != name]
            return urlencode([*kept, (name, _text(value))]).encode("ascii")
        try:
            document: JsonValue = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise ConsumedError(
                code="invalid-request",
                message=f"the body of `{self._address}` is no JSON object, so that "
                f"`{name}` cannot be set in it",
            )
        return orjson.dumps(replaced(document, tuple(name.split(".")), value))


def total_of(paging: Paging, document: JsonValue) -> float | None:
    """Return how many items there are in all, None where the page does not say."""
    total = paging.total.find(document) if paging.total is not None else None
    if isinstance(total, str) and total.strip().isascii() and total.strip().isdecimal():
        return float(total)  # XML and CSV hold nothing but text
    if isinstance(total, bool) or not isinstance(total, int | float):
        return None
    return total


def _says_false(found: JsonValue | Missing) -> bool:
    """XML holds nothing but text."""
    return isinstance(found, str) and found.strip().lower() == "false"


def _text(value: str | float) -> str:
    """Return every digit of a number, for tokens are numbers at times: 1e6 -> "1000000"."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value % 1 == 0 else repr(value)


def _header_text(value: str | float, address: str) -> str:
    text = _text(value)
    if not text.isascii() or not text.isprintable():
        raise ConsumedError(
            code="bad-response",
            message=f"the token of the next page of `{address}` cannot be sent in a header",
        )
    return text

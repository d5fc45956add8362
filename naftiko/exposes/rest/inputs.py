"""A request -> the checked inputs of an operation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from naftiko.errors import FieldError, InputError, did_you_mean
from naftiko.exposes.problem import RawHeaders, RequestError
from naftiko.exposes.rest.router import decode
from naftiko.plan.inputs import Input, InputTable
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

MAX_QUERY_FIELDS = 1000
MAX_FIELD_ERRORS = 50

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Query = dict[str, list[str]]


class InputReader:
    """Reads the inputs of one operation under one path; made at load.

    `path_names` are the variables of the path, in order. `foreign_query` are query parameters that
    belong to someone else (the API key of the server).
    """

    def __init__(
        self,
        table: InputTable,
        *,
        method: str,
        path_names: Sequence[str],
        foreign_query: Iterable[str] = (),
    ) -> None:
        """Sort the inputs by the places they are read from."""
        self._table = table
        self._foreign_query = frozenset(foreign_query)
        self._path = tuple(
            item if item and "path" in item.sources else None for item in map(table.get, path_names)
        )
        self._query = _from(table, "query")
        self._body = _from(table, "body")
        self._whole_body = next(iter(_from(table, "whole-body").values()), None)
        self._picked = tuple(_from(table, "body-path").values())
        self._headers = _from_headers(table)
        self._cookies = tuple(_from(table, "cookie").values())
        wants_body = bool(self._body or self._whole_body or self._picked)
        self.reads_body = _reads_body(method, wanted=wants_body)
        found_in_path = {item.name for item in self._path if item}
        self._places = {
            item.name: _first_place(item, in_path=item.name in found_in_path)
            for item in table.inputs
        }

    def read(
        self,
        path_values: Sequence[str],
        query_string: bytes,
        headers: Mapping[bytes, bytes],
        pairs: RawHeaders,
        body: JsonValue | Missing,
    ) -> JsonObject:
        """Read and check all inputs; whatever is wrong with them is said at once.

        `path_values` are raw. An input that is given in two places is an error, for it would be
        open which of them is meant; only headers and cookies are asked last, and silently.

        Raises: InputError, RequestError[invalid-encoding].
        """
        values: JsonObject = {}
        places = self._places
        errors: list[FieldError] = []
        for item, raw in zip(self._path, path_values, strict=True):
            text = decode(raw)
            if item is not None:
                values[item.name] = self._table.read_text(item, (text,))
        if body is not MISSING:
            places = self._read_body(body, values, places, errors)
        if query_string:
            places = self._read_query(parse_query(query_string), values, places, errors)
        if self._headers:
            places = self._read_headers(headers, pairs, values, places)
        if self._cookies and b"cookie" in headers:
            places = self._read_cookies(headers[b"cookie"], values, places)
        return self._check(values, places, errors)

    def placed(self, fields: Sequence[FieldError]) -> tuple[FieldError, ...]:
        """Say where a caller finds the inputs that a consumed operation refused."""
        return tuple(
            replace(found, in_=self._places.get(found.name, found.in_))
            if found.in_ == "argument"
            else found
            for found in fields
        )

    def _read_body(
        self,
        body: JsonValue,
        values: JsonObject,
        places: dict[str, str],
        errors: list[FieldError],
    ) -> dict[str, str]:
        whole = self._whole_body
        if whole is not None and not _has_field(body, whole) and _can_be(whole, body):
            values[whole.name] = body
            return _note(places, places, whole.name, "body")
        if self._picked:
            self._pick(body, values)
            if not isinstance(body, dict):
                return places
        if not isinstance(body, dict):
            errors.append(not_an_object(body))
            return places
        found = places
        for name, value in body.items():
            item = self._body.get(name)
            if item is None:
                if not self._picked:  # a body that paths lead into has members of its own
                    self._take_unlisted(name, value, "body", values, errors)
            elif name in values:
                errors.append(_given_twice(name, places[name], "body"))
            elif value is not None or not item.types or "null" in item.types:
                values[name] = value
                found = _note(found, places, name, "body")
        return found

    def _pick(self, body: JsonValue, values: JsonObject) -> None:
        """Read the inputs that a path leads to; null is as good as absent."""
        for item in self._picked:
            found = MISSING if item.path is None else item.path.find(body)
            if found is not MISSING and found is not None:
                values[item.name] = found

    def _read_query(
        self,
        query: Query,
        values: JsonObject,
        places: dict[str, str],
        errors: list[FieldError],
    ) -> dict[str, str]:
        found = places
        for name, texts in query.items():
            item = self._query.get(name)
            if item is None:
                if name not in self._foreign_query:
                    value: JsonValue = texts[0] if len(texts) == 1 else list(texts)
                    self._take_unlisted(name, value, "query", values, errors)
            elif name in values:
                errors.append(_given_twice(name, found[name], "query"))
            elif len(texts) > 1 and not takes_a_list(item):
                message = f"`{name}` takes one value, found {len(texts)}"
                errors.append(FieldError(name=name, message=message, in_="query"))
            else:
                values[name] = self._table.read_text(item, texts)
                found = _note(found, places, name, "query")
        return found

    def _take_unlisted(
        self,
        name: str,
        value: JsonValue,
        place: str,
        values: JsonObject,
        errors: list[FieldError],
    ) -> None:
        """Pass on a name that is not read from here, or refuse it."""
        if len(errors) >= MAX_FIELD_ERRORS:
            return  # each further one would cost a search for the nearest name
        if name in self._table.constants:
            return
        item = self._table.get(name)
        if item is None and not self._table.closed:
            if name in values:
                errors.append(_given_twice(name, "body", place))
            values[name] = value
        elif item is not None:
            errors.append(_misplaced(name, self._places[name], place))
        else:
            known = self._query if place == "query" else self._body
            errors.append(_unknown(name, place, known))

    def _read_headers(
        self,
        headers: Mapping[bytes, bytes],
        pairs: RawHeaders,
        values: JsonObject,
        places: dict[str, str],
    ) -> dict[str, str]:
        found = places
        for key, item in self._headers:
            if key in headers and item.name not in values:
                texts = [value.decode("latin-1") for name, value in pairs if name == key]
                joined = ", ".join(texts)
                given = joined.split(", ") if takes_a_list(item) else (joined,)
                values[item.name] = self._table.read_text(item, given)
                found = _note(found, places, item.name, "header")
        return found

    def _read_cookies(
        self, header: bytes, values: JsonObject, places: dict[str, str]
    ) -> dict[str, str]:
        found = places
        cookies = _parse_cookies(header)
        for item in self._cookies:
            if item.name in cookies and item.name not in values:
                values[item.name] = self._table.read_text(item, (cookies[item.name],))
                found = _note(found, places, item.name, "cookie")
        return found

    def _check(
        self, values: JsonObject, places: Mapping[str, str], errors: list[FieldError]
    ) -> JsonObject:
        try:
            checked = self._table.check(values, places)
        except InputError as error:
            said = {found.name for found in errors}
            errors += [found for found in error.fields if found.name not in said]
        else:
            if not errors:
                return checked
        raise InputError(fields=tuple(errors[:MAX_FIELD_ERRORS]))


def parse_query(query: bytes) -> Query:
    """Parse a query string once, strictly: b"a=1&b=x%20y&a=2" -> {"a": ["1", "2"], "b": ["x y"]}.

    Raises: RequestError[invalid-encoding], InputError for too many fields.
    """
    fields = query.split(b"&")
    if len(fields) > MAX_QUERY_FIELDS:
        message = f"the query has more than {MAX_QUERY_FIELDS} fields"
        raise RequestError(code="bad-request", message=message)
    out: Query = {}
    for field in fields:
        if field:
            name, _, value = field.partition(b"=")
            out.setdefault(_form_decode(name), []).append(_form_decode(value))
    return out


def _form_decode(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        if _BAD_ESCAPE.search(raw):
            message = "the query holds a `%` that is not followed by two hexadecimal digits"
            raise RequestError(code="invalid-encoding", message=message, hint="write it as `%25`")
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        message = "the percent-encoded bytes of the query are not UTF-8"
        raise RequestError(code="invalid-encoding", message=message) from None


def _parse_cookies(header: bytes) -> dict[str, str]:
    """Parse a Cookie header (RFC 6265, section 4.2.1); the first of a name counts."""
    cookies: dict[str, str] = {}
    for pair in header.decode("latin-1").split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            cookies.setdefault(name, value.strip('"'))
    return cookies


def _from(table: InputTable, place: str) -> dict[str, Input]:
    return {item.name: item for item in table.inputs if place in item.sources}


def _from_headers(table: InputTable) -> tuple[tuple[bytes, Input], ...]:
    return tuple(
        (name.lower().encode("utf-8"), item) for name, item in _from(table, "header").items()
    )


def _reads_body(method: str, *, wanted: bool) -> bool:
    """Tell whether a body is looked at: never for GET, for DELETE only where an input wants it."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return False
    return wanted or method != "DELETE"


def _first_place(item: Input, *, in_path: bool) -> str:
    """Return where an input is meant to stand, for errors about one that is not there."""
    if in_path:
        return "path"
    places = [place for place in item.sources if place != "path"]
    first = places[0] if places else "argument"
    return "body" if first in ("whole-body", "body-path") else first


def _has_field(body: JsonValue, item: Input) -> bool:
    return isinstance(body, dict) and "body" in item.sources and item.name in body


def _can_be(item: Input, body: JsonValue) -> bool:
    """Tell whether a body may be meant as this input: an object is no text without its name."""
    return not (isinstance(body, dict) and "body" in item.sources and is_scalar(item))


def is_scalar(item: Input) -> bool:
    """Tell whether an input is neither an object nor a list."""
    return bool(item.types) and item.types.isdisjoint({"object", "array"})


def takes_a_list(item: Input) -> bool:
    """Tell whether a name may be repeated for it."""
    return "array" in item.types


def _note(found: dict[str, str], initial: dict[str, str], name: str, place: str) -> dict[str, str]:
    """Note where a value was found, in a copy of the table that all requests share."""
    if found.get(name) == place:
        return found
    if found is initial:
        found = dict(initial)
    found[name] = place
    return found


def _given_twice(name: str, first: str, second: str) -> FieldError:
    message = f"`{name}` is given in the {first} and in the {second}"
    return FieldError(name=name, message=message, in_=second, hint="give it once")


def _misplaced(name: str, expected: str, found: str) -> FieldError:
    message = f"`{name}` is read from the {expected}, not from the {found}"
    return FieldError(name=name, message=message, in_=found, hint=f"move it to the {expected}")


def _unknown(name: str, place: str, known: Iterable[str]) -> FieldError:
    shown = name if len(name) <= 80 else name[:80] + "..."
    hint = did_you_mean(name[:80], known)
    return FieldError(name=shown, message=f"`{shown}` is not known here", in_=place, hint=hint)


def not_an_object(body: JsonValue) -> FieldError:
    """Return the error for a body that holds no inputs."""
    found = {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    shown = found.get(type(body), "a number")
    return FieldError(name="", message=f"the body must be an object, found {shown}", in_="body")

"""`baseUri` -> the origin that calls go to, and the path before each operation's path.

Whoever calls must not be able to send the call, and the credentials with it, to another host:
a placeholder in the host takes one plain label, and only where a fixed domain follows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from naftiko.consumes.http.encoding import bad_value
from naftiko.consumes.http.paths import (
    Known,
    PathTemplate,
    Piece,
    Scope,
    Slot,
    SlotCompiler,
    compile_pieces,
    show_piece,
    split_placeholders,
)
from naftiko.document.nodes import Scalar
from naftiko.errors import ConsumedError, Problems
from naftiko.source import Location
from naftiko.values import MISSING

_URI = re.compile(
    r"(?P<scheme>[^:/?#]*)://(?P<host>[^/?#\\]*)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL
)
_AUTHORITY = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?)(?::(?P<port>\d{1,5}))?"
)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_MARK = re.compile("\ue000(\\d+)\ue001")
_FIXED_DOMAIN = re.compile(r"[A-Za-z0-9-]*(\.[A-Za-z0-9-]+){2,}\.?|[A-Za-z0-9-]*\.localhost")

Fallback = Callable[[str], "str | None"]
"""Finds a host's variable that no bind and no argument gives: "region" -> "us-east-1"."""


@dataclass(frozen=True, slots=True)
class HostSlot:
    """A placeholder in the host. `open_` tells whether a caller's argument may fill it."""

    slot: Slot
    fallback: str | None
    open_: bool

    def render(self, scope: Scope) -> str:
        """Return one host label (or a port).

        Raises: InputError for anything that is more than a label; ConsumedError if nothing
            gives a value.
        """
        value = self.slot.template.render(scope) if self.open_ else MISSING
        if value is MISSING or value is None:
            if self.fallback is None:
                raise unresolved(self.slot.name)
            return self.fallback
        text = value if isinstance(value, str) else str(value)
        if _LABEL.fullmatch(text) is None:
            message = "stands in the host name, so it must be letters, digits and dashes"
            raise bad_value(self.slot.name, "path", message)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUri:
    """A compiled `baseUri`. `text` is for people; `origin` holds a string where it is constant."""

    text: str
    origin: tuple[str | HostSlot, ...]
    path_pieces: tuple[Piece, ...]
    location: Location

    @property
    def constant_origin(self) -> str | None:
        """Return "https://api.example.com" if no placeholder is left in it."""
        first = self.origin[0]
        return first if len(self.origin) == 1 and isinstance(first, str) else None

    @property
    def slots(self) -> Iterator[Slot]:
        """Yield the placeholders a caller may fill, in order."""
        for piece in self.origin:
            if isinstance(piece, HostSlot) and piece.open_:
                yield piece.slot
        for part in self.path_pieces:
            if isinstance(part, Slot):
                yield part

    @property
    def unfilled(self) -> str | None:
        """Return the name of a placeholder that nothing can fill, None if there is none."""
        for piece in self.origin:
            if isinstance(piece, HostSlot) and piece.fallback is None and not piece.open_:
                return piece.slot.name
        return None

    def host(self, fill: Callable[[HostSlot], str]) -> str:
        """Return the host with every placeholder replaced: "states.us-east-1.amazonaws.com"."""
        text = "".join(piece if isinstance(piece, str) else fill(piece) for piece in self.origin)
        return text.partition("://")[2]

    def render_origin(self, scope: Scope) -> str:
        """Return the origin.

        Raises: InputError, ConsumedError.
        """
        return "".join(
            piece if isinstance(piece, str) else piece.render(scope) for piece in self.origin
        )

    def path(self, pieces: tuple[Piece, ...]) -> PathTemplate:
        """Return the path of an operation with this URI's path before it."""
        lead = [] if pieces and _starts_with_slash(pieces[0]) else ["/"]
        return compile_pieces([*self.path_pieces, *lead, *pieces])


def unresolved(name: str) -> ConsumedError:
    """Return the error of a call whose host lacks a value."""
    return ConsumedError(
        code="unresolved-base-uri",
        message=f"`{name}` in `baseUri` has no value",
        hint=f"bind `{name}` under `binds`, or set it in the environment",
    )


def compile_base_uri(
    text: Scalar,
    compile_slot: SlotCompiler,
    fallback: Fallback,
    problems: Problems,
    declared: Callable[[str], bool] = lambda _name: False,
) -> BaseUri | None:
    """Compile a `baseUri`: "https://states.{region}.amazonaws.com/v1".

    Placeholders known at load are put in first, so that a bind may give the whole URI.
    None after a problem was reported.

    Raises: ExpressionError.
    """
    pieces = split_placeholders(text, compile_slot)
    shown = "".join(map(show_piece, pieces)).strip()
    slots = [piece for piece in pieces if isinstance(piece, Slot)]
    match = _URI.fullmatch(_flat(pieces).strip())
    fault = "it has no scheme" if match is None else _fault(match)
    if match is None and pieces and isinstance(pieces[0], Slot):
        # A declared variable without a value here is reported as such, and may have one elsewhere.
        report = problems.info if declared(pieces[0].name) else problems.warn
        report(
            "unresolved-base-uri",
            f"`{pieces[0].name}`, which `baseUri` starts with, has no value",
            text.location,
            f"bind `{pieces[0].name}` under `binds`, and give it a value",
        )
        return None
    if match is None or fault:
        hint = "it looks like `https://api.example.com/v1`, without credentials or a query"
        problems.error(
            "invalid-base-uri",
            f"`baseUri` `{shown}` cannot be called: {fault}",
            text.location,
            hint,
        )
        return None
    path = match.group("path")
    if path.endswith("/"):
        hint = "leave it out; paths of resources start with one"
        problems.warn("trailing-slash", f"`baseUri` `{shown}` ends in a slash", text.location, hint)
    origin = _unflat(f"{match.group('scheme').lower()}://{match.group('host')}", slots)
    return BaseUri(
        text=shown.rstrip("/"),
        origin=tuple(_origin(origin, fallback)),
        path_pieces=tuple(_unflat(path.rstrip("/"), slots)),
        location=text.location,
    )


def _flat(pieces: list[Piece]) -> str:
    """Join the pieces, with a numbered mark for each slot."""
    out: list[str] = []
    number = 0
    for piece in pieces:
        if isinstance(piece, Slot):
            out.append(f"\ue000{number}\ue001")
            number += 1
        else:
            out.append(piece.value if isinstance(piece, Known) else piece)
    return "".join(out)


def _unflat(text: str, slots: list[Slot]) -> list[str | Slot]:
    out: list[str | Slot] = []
    position = 0
    for match in _MARK.finditer(text):
        out.append(text[position : match.start()])
        out.append(slots[int(match.group(1))])
        position = match.end()
    out.append(text[position:])
    return [piece for piece in out if piece != ""]


def _fault(match: re.Match[str]) -> str:
    """Say what is wrong with a URI, "" if nothing. Its values may be secret: they are not shown."""
    if match.group("scheme").lower() not in ("http", "https"):
        return "its scheme must be http or https"
    if match.group("rest"):
        return "it has a query or a fragment"
    host = match.group("host")
    if "@" in host:
        return "it holds credentials, which belong under `authentication`"
    authority = _AUTHORITY.fullmatch(_MARK.sub("1", host))
    if authority is None:
        return "its host is no host name or address"
    port = authority.group("port")
    return "its port is over 65535" if port and int(port) > 65535 else ""


def _origin(pieces: list[str | Slot], fallback: Fallback) -> Iterator[str | HostSlot]:
    for index, piece in enumerate(pieces):
        if isinstance(piece, str):
            yield piece
            continue
        open_ = _is_bounded(pieces[:index], pieces[index + 1 :])
        yield HostSlot(piece, fallback(piece.name), open_)


def _is_bounded(before: list[str | Slot], after: list[str | Slot]) -> bool:
    """Tell whether a caller may fill this place: a fixed domain follows, or it is no host part."""
    if any(isinstance(piece, str) and _in_port(piece) for piece in before):
        return False
    last = after[-1] if after else ""
    return isinstance(last, str) and _FIXED_DOMAIN.fullmatch(last.partition(":")[0]) is not None


def _in_port(text: str) -> bool:
    return ":" in text.partition("://")[2]


def _starts_with_slash(piece: Piece) -> bool:
    return isinstance(piece, str) and piece.startswith("/")

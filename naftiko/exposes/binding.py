"""Listeners -> listening sockets, all of them or none."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from naftiko.errors import StartError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

BACKLOG = 2048
PORT_HINT = "choose another with `--port NAMESPACE=PORT`; 0 takes any free one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One adapter that wants a port.

    `name` is its namespace; `address` a host name or an IP address; `port` 0 takes any free one.
    `app_factory` makes the ASGI app: before the port answers, or, where `lazy`, in a thread when
    the first request comes. `kind` is the adapter's type, for messages. `on_stop` is called when
    the server begins to stop, so that streams without an end can be closed. `allowed_origins` are
    the pages that may call it beside those the host allows; "*" stands for all. One that
    `stops_last` answers until the requests to all others have ended.
    """

    name: str
    address: str
    port: int
    app_factory: Callable[[], ASGIApp]
    authenticated: bool
    kind: str = "rest"
    lazy: bool = False
    on_stop: Callable[[], None] | None = None
    allowed_origins: tuple[str, ...] = ()
    stops_last: bool = False

    def __str__(self) -> str:
        """Return how messages name it: "rest `orders-api`"."""
        return f"{self.kind} `{self.name}`"


class Standing(NamedTuple):
    """How a listener fares: its real port, and whether it takes requests."""

    port: int
    started: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """A listener and its sockets. All of them have the same port."""

    listener: Listener
    sockets: tuple[socket.socket, ...]

    @property
    def address(self) -> tuple[str, int]:
        """The host as it was asked for, and the real port."""
        return self.listener.address, self.sockets[0].getsockname()[1]

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return all(_is_loopback_ip(item.getsockname()[0]) for item in self.sockets)

    def close(self) -> None:
        """Give the port back."""
        for item in self.sockets:
            item.close()


def bind_all(listeners: Sequence[Listener], *, insecure: bool = False) -> tuple[Bound, ...]:
    """Bind and listen on every port; if any fails, none stays bound.

    A host name is bound on every address it resolves to, so `localhost` means both 127.0.0.1 and
    ::1 where the machine has IPv6, and no one else can listen on the other. `::` takes IPv4 too.

    Raises: StartError that names everything that is in the way at once.
    """
    failures: list[str] = []
    hints: dict[str, None] = {}
    bound: list[Bound] = []
    with ExitStack() as undo:
        for listener in listeners:
            try:
                entry = _bind(listener, bound, insecure=insecure)
            except StartError as error:
                failures.append(error.message)
                hints.setdefault(error.hint)
            else:
                bound.append(entry)
                undo.callback(entry.close)
        if failures:
            raise StartError("; ".join(failures), hint="; ".join(filter(None, hints)))
        undo.pop_all()
    return tuple(bound)


def _bind(listener: Listener, others: Sequence[Bound], *, insecure: bool) -> Bound:
    addresses = _resolve(listener)
    if not (insecure or listener.authenticated or all(map(_is_loopback_ip, addresses))):
        message = f"{listener} would listen on {listener.address} without authentication"
        hint = "add `authentication` to it, listen on 127.0.0.1, or pass `--insecure`"
        raise StartError(message, hint=hint)
    sockets: list[socket.socket] = []
    with ExitStack() as undo:
        port = listener.port
        for address in addresses:
            try:
                item = _listen(address, port)
            except OSError as error:
                if sockets and error.errno in _NO_SUCH_FAMILY:
                    continue  # a machine without IPv6
                raise _refused(listener, port, error, others) from error
            sockets.append(item)
            undo.callback(item.close)
            port = item.getsockname()[1]
        undo.pop_all()
    return Bound(listener, tuple(sockets))


_NO_SUCH_FAMILY = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def _resolve(listener: Listener) -> tuple[str, ...]:
    """Return the IP addresses of a listener, IPv4 first."""
    host = listener.address.strip().removeprefix("[").removesuffix("]")
    if host.lower() == "localhost":
        return "127.0.0.1", "::1"  # whatever the hosts file says; RFC 6761, section 6.3
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        message = f"the address `{listener.address}` of {listener} does not resolve"
        hint = "write an IP address or a name that this machine knows"
        raise StartError(message, hint=hint) from error
    found.sort(key=lambda entry: entry[0] == socket.AF_INET6)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _listen(address: str, port: int) -> socket.socket:
    """Return a listening socket. Listening at once is what shows that a port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Named, because asyncio turns off Nagle's delay (40 ms an answer) only where it reads "TCP".
    item = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":
            item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            item.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
        item.bind((address, port))
        item.listen(BACKLOG)
        item.setblocking(False)
    except BaseException:
        item.close()
        raise
    return item


def _refused(listener: Listener, port: int, error: OSError, others: Sequence[Bound]) -> StartError:
    """Word why a port cannot be had."""
    if error.errno == errno.EADDRINUSE:
        rival = next((other for other in others if other.address[1] == port), None)
        taken_by = f"taken by {rival.listener}" if rival else "in use by another process"
        return StartError(f"port {port} of {listener} is {taken_by}", hint=PORT_HINT)
    if error.errno == errno.EACCES:
        return StartError(f"port {port} of {listener} needs more privileges", hint=PORT_HINT)
    if error.errno in _NO_SUCH_FAMILY:
        return StartError(
            f"the address `{listener.address}` of {listener} is none of this machine",
            hint="listen on 127.0.0.1, or on 0.0.0.0 for every interface",
        )
    return StartError(f"port {port} of {listener} cannot be bound: {error.strerror}")


def _is_loopback_ip(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback

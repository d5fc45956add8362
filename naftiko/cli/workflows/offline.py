"""Keeps what runs for a stranger's tests on this machine: no connection but to the embedded AWS.

The embedded AWS delivers: to the subscribers of a topic, to the targets of a rule, to streams'
endpoints. A test could so have a reviewer's machine send requests to whatever it reaches.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from functools import cache

_HERE = frozenset({"127.0.0.1", "::1", "localhost"})

_ports: list[int] = []
"""The port that may be connected to, of each who is inside; empty: everything may be."""


@contextlib.contextmanager
def only_to(port: int) -> Iterator[None]:
    """Refuse each connection of this process but those to a port of the loopback address."""
    _watch()
    _ports.append(port)
    try:
        yield
    finally:
        _ports.remove(port)


@cache
def _watch() -> None:
    """Look at every connection from now on: such a hook cannot be taken back, so it is put once."""
    sys.addaudithook(_hook)


def _hook(event: str, given: tuple[object, ...]) -> None:
    if not _ports or event not in _LOOKED_AT or _LOOKED_AT[event](given):
        return
    message = "tests of workflows reach the embedded AWS alone"
    raise ConnectionRefusedError(message)


def _is_ours(given: tuple[object, ...]) -> bool:
    """Tell whether (socket, address) is a connection to the embedded AWS."""
    address = given[1]
    if getattr(given[0], "family", None) not in {socket.AF_INET, socket.AF_INET6}:
        return False
    return isinstance(address, tuple) and address[0] in _HERE and address[1] in _ports


def _is_here(given: tuple[object, ...]) -> bool:
    """Tell whether a name is this machine's: to ask for another one tells it to somebody."""
    return given[0] in _HERE


_LOOKED_AT: dict[str, Callable[[tuple[object, ...]], bool]] = {
    "socket.connect": _is_ours,
    "socket.sendto": _is_ours,
    "socket.sendmsg": _is_ours,
    "socket.getaddrinfo": _is_here,
    "socket.gethostbyname": _is_here,
}

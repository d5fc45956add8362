"""A consumed API that answers with whatever bytes a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer that ends its connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    if not any(line.lower().startswith("content-type") for line in headers):
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextlib.contextmanager
def answering(answers: Mapping[str, bytes]) -> Iterator[int]:
    """Answer by path ("/deep"), one connection after another; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                path = _path(connection)
                if path == "/stop":
                    return
                connection.sendall(answers[path])

    thread = threading.Thread(target=serve, name="hostile")
    thread.start()
    port: int = listener.getsockname()[1]
    try:
        yield port
    finally:
        with socket.create_connection(("127.0.0.1", port)) as last:
            last.sendall(b"GET /stop HTTP/1.1\r\n\r\n")
        thread.join(20)
        listener.close()


def _path(connection: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(65536)
        if not chunk:
            return "/stop" if not head else "/"
        head += chunk
    return head.split(b" ")[1].decode("ascii")

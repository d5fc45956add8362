"""The sandbox's HTTP server: werkzeug's threaded one, in a thread of its own.

Step Functions requests go to our extension without Flask; everything else goes to moto's own
application, which is loaded when the first such request comes.
"""

from __future__ import annotations

import contextlib
import http
import io
import logging
import select
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.request import Request
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from naftiko.sandbox import functions, identity
from naftiko.sandbox.extension import Accounts, Response
from naftiko.sandbox.tasks import caller_probe

StartResponse = Callable[..., Any]

TARGET_PREFIX = "AWSStepFunctions."
DYNAMODB_PREFIX = "DynamoDB_"
BACKLOG = 1024
ANSWER_S = 1.0
"""How long the answers under way have when the sandbox stops."""

_OWN_HEADERS = frozenset({"content-length", "connection", "transfer-encoding", "date", "server"})

_log = logging.getLogger(__name__)


class ServerRequest(Request):  # type: ignore[misc] # moto is untyped
    """A request that came over HTTP, not from moto's patched botocore."""

    from_wsgi_server = True


class Application:
    """The WSGI application: Step Functions from `accounts`, the rest from moto."""

    def __init__(self, accounts: Accounts) -> None:
        """Answer from these accounts."""
        self._accounts = accounts
        self._moto: Any = None
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith(TARGET_PREFIX):
            return self._step_functions(environ, start_response)
        application = self._moto_application()
        if environ.get("PATH_INFO", "").startswith(functions.PATH):
            self._prepare_functions(environ["PATH_INFO"])
        if identity.MARK in environ.get("HTTP_AUTHORIZATION", ""):
            identity.apply()
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith(DYNAMODB_PREFIX):
            # moto looks at a condition, then writes: of two conditional writes both could win.
            with self._writing:
                return list(application(environ, start_response))
        answer: Iterable[bytes] = application(environ, start_response)
        return answer

    def _prepare_functions(self, path: str) -> None:
        """Do what only those who use functions should wait for."""
        if path.endswith(functions.INVOCATIONS):
            functions.apply()
        with self._lock:
            load, self._accounts.load_functions = self._accounts.load_functions, None
            if load is not None:
                load()

    def _step_functions(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        token = caller_probe.set(lambda: is_open(environ.get("werkzeug.socket")))
        try:
            status, headers, body = Response(self._accounts)._dispatch(ServerRequest(environ))
        finally:
            caller_probe.reset(token)
        named = [(str(name), str(value)) for name, value in headers.items() if name != "status"]
        start_response(f"{status} {http.HTTPStatus(status).phrase}", named)
        return [body.encode() if isinstance(body, str) else body]

    def _moto_application(self) -> Any:
        with self._lock:
            if self._moto is None:
                from moto.moto_server.werkzeug_app import (
                    DomainDispatcherApplication,
                    create_backend_app,
                )

                functions.without_docker()
                self._moto = DomainDispatcherApplication(create_backend_app)
            return self._moto


class Handler(WSGIRequestHandler):
    """Keeps connections open between requests, unlike werkzeug's own, and is quiet."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self.make_environ()
        # Read whole, so that the next request on the connection starts where it should.
        if not environ.get("wsgi.input_terminated"):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(length))
        status, headers, body = _call(self.server.app, environ)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason or None)
        for name, value in headers:
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if environ["REQUEST_METHOD"] != "HEAD":
            self.wfile.write(body)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Leave the access log to those who debug."""
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s", message % args if args else message)


class Server(ThreadedWSGIServer):
    """Accepts connections, and can let go of all of them."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: Application) -> None:
        """Listen; port 0 takes a free one.

        Raises: OSError.
        """
        self._open: set[socket.socket] = set()
        self._open_changed = threading.Condition()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # werkzeug would end the process if the port is taken.
        with socket.create_server((host, port), family=family, backlog=BACKLOG) as listener:
            super().__init__(host, port, app, handler=Handler, fd=listener.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in its own thread."""
        with self._open_changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        with self._open_changed:
            self._open.discard(request)
            self._open_changed.notify_all()

    def disconnect_all(self, wait_s: float) -> None:
        """Let the answers under way go out, hang up, and wait for the threads that serve."""
        self._hang_up(socket.SHUT_RD, min(wait_s, ANSWER_S))
        self._hang_up(socket.SHUT_RDWR, wait_s)

    def _hang_up(self, how: int, wait_s: float) -> None:
        with self._open_changed:
            for connection in list(self._open):
                with contextlib.suppress(OSError):
                    connection.shutdown(how)
            self._open_changed.wait_for(lambda: not self._open, wait_s)


def _call(app: Any, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        answer[:] = [status, headers]

    try:
        chunks = app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
    except Exception:  # noqa: BLE001 - a request that breaks moto must not end the connection
        _log.exception("the sandbox failed to answer %s", environ.get("PATH_INFO"))
        return "500 Internal Server Error", [("Content-Type", "text/plain")], b"see the log\n"
    status, headers = answer
    return status, headers, body


def is_open(connection: Any) -> bool:
    """Say whether the other end of a connection is still there."""
    if not isinstance(connection, socket.socket):
        return True
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return not readable or connection.recv(1, socket.MSG_PEEK) != b""
    except (OSError, ValueError):
        return False

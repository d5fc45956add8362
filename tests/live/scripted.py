"""An API on a loopback port that answers from a script, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedApi:
    """`answers` by "GET /users/7": a JSON value, or {status, json, text, type}, or a list of these.

    Of a list each request takes the next; the last one stays. Others get 404.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: Mapping[str, Any] = {}
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self._lock = threading.Lock()

    def play(self, answers: Mapping[str, Any]) -> None:
        self.answers = {key: _queue(value) for key, value in answers.items()}
        self.requests.clear()
        self.bodies.clear()

    def answer(self, request: str, body: Any) -> Mapping[str, Any]:
        with self._lock:
            self.requests.append(request)
            self.bodies.append(body)
            found = self.answers.get(request)
            if found is None:
                return {"status": 404, "json": {"error": "not found"}}
            answer = found.pop(0) if len(found) > 1 else found[0]
        is_script = isinstance(answer, dict) and answer.keys() <= {"status", "json", "text", "type"}
        return answer if is_script and answer else {"json": answer}


def _queue(value: Any) -> list[Any]:
    if isinstance(value, dict) and value.keys() == {"sequence"}:
        return list(value["sequence"])
    return [value]


class _Handler(BaseHTTPRequestHandler):
    api: ScriptedApi
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        answer = self.api.answer(f"{self.command} {self.path}", json.loads(raw) if raw else None)
        if "text" in answer:
            body, kind = answer["text"].encode(), answer.get("type", "text/plain")
        elif "json" in answer:
            body, kind = json.dumps(answer["json"]).encode(), "application/json"
        else:
            body, kind = b"", "application/json"
        self.send_response(answer.get("status", 200))
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815  # the base class looks these up

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as in the base class
        """Keep quiet."""


@contextlib.contextmanager
def scripted_api(kind: type[ScriptedApi] = ScriptedApi) -> Iterator[ScriptedApi]:
    """Serve until the block ends."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.api = kind(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="scripted")
    thread.start()
    try:
        yield handler.api
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

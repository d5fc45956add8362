"""The example of the outputs guide."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from naftiko.engine import LoadOptions, check_capability
from tests.case_files import ROOT
from tests.live.serving import Served, serving

EXAMPLE = ROOT / "docs/examples/outputs.yaml"
USERS = [{"name": "Ann", "age": 41}, {"name": "Bob", "age": 17}, {"name": "eve", "age": 30}]


class _Users(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({"items": USERS})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer({"id": "7", "name": body["name"]} if body["name"] != "x" else {"id": "none"})

    def _answer(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # likewise
        """Keep quiet."""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Users) as users:
        thread = threading.Thread(target=users.serve_forever, name="users")
        thread.start()
        environment = {"USERS_URL": f"http://127.0.0.1:{users.server_port}"}
        try:
            with serving(EXAMPLE, environment=environment) as running:
                yield running
        finally:
            users.shutdown()
            thread.join(20)


def test_the_example_has_no_findings() -> None:
    options = LoadOptions(environment={"USERS_URL": "http://127.0.0.1:9"})
    assert [item.message for item in check_capability(EXAMPLE, options).problems] == []


def test_a_list_is_shaped(served: Served) -> None:
    answer = served.request("api", "GET", "/users")

    assert answer.status == 200
    assert answer.body == {"source": "crm", "count": 3, "adults": ["Ann"], "oldest": 41}


def test_a_status_and_a_header_are_set(served: Served) -> None:
    answer = served.request("api", "POST", "/users", {"name": "Zoë"})

    assert (answer.status, answer.headers["location"]) == (201, "/users/7")
    assert answer.body == {"id": 7, "name": "Zoë"}


def test_what_cannot_be_coerced_fails(served: Served) -> None:
    answer = served.request("api", "POST", "/users", {"name": "x"})

    assert (answer.status, answer.body["code"]) == (502, "wrong-output-type")
    assert '"none" at `$.id`' in answer.body["detail"]


def test_a_mock_answers_with_its_values(served: Served) -> None:
    assert served.request("api", "GET", "/ping").body == {"answer": "pong 1", "n": 1}
    assert served.request("api", "GET", "/ping?n=5").body == {"answer": "pong 5", "n": 5}

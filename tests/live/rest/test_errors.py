"""Every error has one shape, keeps secrets, and says nothing of the engine's insides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from naftiko.errors import (
    ConsumedError,
    DeadlineError,
    FieldError,
    InputError,
    RunError,
    ShapingError,
)
from naftiko.exposes.rest.adapter import RestOptions, rest_app
from naftiko.plan.capability import ServerAuth
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.source import Location
from tests.live.rest.servers import Client, Reply, client_of
from tests.unit.exposes.rest.plans import INFO, adapter, operation, route, text

CANARY = "canary-5ecret/+"
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "requestId"}
JSON = {"Content-Type": "application/json"}

RAISED: dict[str, RunError | Exception] = {
    "input": InputError(
        fields=(FieldError(name="name", message=f"`name` must not be {CANARY}", in_="body"),)
    ),
    "denied": ConsumedError(
        code="access-denied",
        message=f"the API refused {CANARY}",
        status=403,
        hint=f"not {CANARY}",
        details={"awsCode": "AccessDeniedException", "requestId": "aws-1", "note": [CANARY]},
    ),
    "throttled": ConsumedError(
        code="throttled", message="slow down", status=429, retryable=True, retry_after_s=1.2
    ),
    "unreachable": ConsumedError(message="could not connect", location=Location("demo.yaml", 4, 2)),
    "shaping": ShapingError(),
    "deadline": DeadlineError(),
    "odd-status": RunError(code="odd", message="odd", status=200),
    "bug": ValueError(f"{CANARY} in a traceback"),
}


def raising(error: Exception) -> Callable[[Run], object]:
    async def work(_run: Run) -> Result:
        raise error

    return work


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    masker = Masker()
    masker.add(CANARY)
    routes = [
        route(f"/raise/{name}", GET=operation(name, work=raising(error)))  # type: ignore[arg-type]
        for name, error in RAISED.items()
    ]
    things = route("/things/{id}", POST=operation("things", text("id", "path"), text("n", "body")))
    auth = ServerAuth(type_="bearer", fields={"token": CANARY})
    options = RestOptions(max_body_bytes=100, body_deadline_s=0.2)
    plan = adapter(things, *routes, auth=auth)
    app = rest_app(plan, info=INFO, masker=masker, options=options)
    with client_of(app, masker=masker) as made:
        yield made


Send = Callable[[Client, dict[str, str]], Reply]
REQUESTS: dict[str, tuple[int, str, Send]] = {
    "unauthorized": (401, "unauthorized", lambda c, _: c.get("/")),
    "foreign host": (
        421,
        "host-not-allowed",
        lambda c, h: c.send("GET", "/", headers={**h, "Host": "evil.example"}),
    ),
    "foreign page": (
        403,
        "origin-not-allowed",
        lambda c, h: c.send("GET", "/", headers={**h, "Origin": "http://evil.example"}),
    ),
    "too many headers": (
        431,
        "headers-too-large",
        lambda c, h: c.send("GET", "/", headers={**h, **{f"x-{n}": "1" for n in range(98)}}),
    ),
    "unknown route": (404, "not-found", lambda c, h: c.send("GET", f"/{CANARY}", headers=h)),
    "wrong method": (405, "method-not-allowed", lambda c, h: c.send("PUT", "/things/1", headers=h)),
    "long path": (414, "path-too-long", lambda c, h: c.send("GET", "/" + "x" * 9000, headers=h)),
    "bad path": (400, "invalid-encoding", lambda c, h: c.send("POST", "/things/%zz", headers=h)),
    "bad query": (400, "invalid-encoding", lambda c, h: c.send("POST", "/things/1?a=%", headers=h)),
    "bad json": (
        400,
        "invalid-json",
        lambda c, h: c.send("POST", "/things/1", b"{", {**h, **JSON}),
    ),
    "wrong media type": (
        415,
        "unsupported-media-type",
        lambda c, h: c.send("POST", "/things/1", b"{}", h),
    ),
    "large body": (
        413,
        "body-too-large",
        lambda c, h: c.send("POST", "/things/1", b'"' + b"x" * 200 + b'"', {**h, **JSON}),
    ),
    "late body": (
        408,
        "request-timeout",
        lambda c, h: c.raw(
            b"POST /things/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            b"Content-Type: application/json\r\nAuthorization: %s\r\n\r\n{"
            % h["Authorization"].encode()
        ),
    ),
    "unknown field": (
        400,
        "invalid-input",
        lambda c, h: c.send("POST", "/things/1", b'{"m": "%s"}' % CANARY.encode(), {**h, **JSON}),
    ),
    "secret in a field name": (
        400,
        "invalid-input",
        lambda c, h: c.send("POST", "/things/1", b'{"%s": 1}' % CANARY.encode(), {**h, **JSON}),
    ),
    "input": (400, "invalid-input", lambda c, h: c.send("GET", "/raise/input", headers=h)),
    "denied": (403, "access-denied", lambda c, h: c.send("GET", "/raise/denied", headers=h)),
    "throttled": (429, "throttled", lambda c, h: c.send("GET", "/raise/throttled", headers=h)),
    "unreachable": (
        502,
        "upstream-error",
        lambda c, h: c.send("GET", "/raise/unreachable", headers=h),
    ),
    "shaping": (502, "output-error", lambda c, h: c.send("GET", "/raise/shaping", headers=h)),
    "deadline": (504, "timeout", lambda c, h: c.send("GET", "/raise/deadline", headers=h)),
    "odd status": (500, "odd", lambda c, h: c.send("GET", "/raise/odd-status", headers=h)),
    "bug": (500, "internal-error", lambda c, h: c.send("GET", "/raise/bug", headers=h)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_one_shape_for_every_error(client: Client, name: str) -> None:
    status, code, send = REQUESTS[name]
    reply = send(client, {"Authorization": f"Bearer {CANARY}"})
    document = reply.json
    assert (reply.status, document["status"], document["code"]) == (status, status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert document.keys() >= MEMBERS
    assert document["type"] == f"urn:naftiko:problem:{code}"
    assert document["requestId"] == reply.headers["x-request-id"]
    assert document["instance"].startswith("/")
    assert document["detail"] == document["detail"].strip()
    assert not document["detail"].endswith(".")
    for field in document.get("errors", []):
        assert field.keys() - {"hint"} == {"name", "in", "message"}
    sent = reply.body.decode() + str(reply.headers)
    for written in (CANARY, "canary-5ecret%2F%2B", "Traceback", "naftiko/"):
        assert written not in sent


def test_details_go_along(client: Client) -> None:
    reply = client.get("/raise/denied", Authorization=f"Bearer {CANARY}")
    assert reply.json["awsCode"] == "AccessDeniedException"
    assert reply.json["upstreamRequestId"] == "aws-1"
    assert reply.json["note"] == ["***"]
    assert reply.json["requestId"] != "aws-1"


def test_a_throttled_caller_hears_when_to_come_back(client: Client) -> None:
    reply = client.get("/raise/throttled", Authorization=f"Bearer {CANARY}")
    assert reply.headers["retry-after"] == "2"
    assert reply.json["retryable"] is True


def test_a_bug_leaves_its_traceback_in_the_log_only(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="naftiko"):
        reply = client.get("/raise/bug", Authorization=f"Bearer {CANARY}")
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "Traceback" in logged
    assert "ValueError: *** in a traceback" in logged
    assert reply.json["requestId"] in logged
    assert reply.json["requestId"] in reply.json["hint"]
    assert CANARY not in logged


def test_upstream_failures_are_logged_in_a_line_with_their_place(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="naftiko"):
        reply = client.get("/raise/unreachable", Authorization=f"Bearer {CANARY}")
        client.get("/raise/denied", Authorization=f"Bearer {CANARY}")
    assert [record.getMessage() for record in caplog.records] == [
        f"GET /raise/unreachable: could not connect (demo.yaml:4:2) [{reply.json['requestId']}]"
    ]

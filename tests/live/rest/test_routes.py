"""Routes over real HTTP: paths, methods, inputs, answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from naftiko.errors import FieldError, InputError
from naftiko.exposes.rest.adapter import RestOptions, rest_app
from naftiko.plan.capability import ServerAuth
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.rest.servers import Client, client_of
from tests.unit.exposes.rest.plans import (
    INFO,
    StubPlan,
    adapter,
    operation,
    route,
    text,
    typed,
)

MAP_RUN = "arn:aws:states:us-east-1:123456789012:mapRun:m/l:uuid"
BODY = ("body", "query", "header")
QUERY = ("query", "header")


async def passed_through(_run: Run) -> Result:
    return Result(raw=b"\x00\x01", media_type="application/x-bytes", status=202)


async def failed(_run: Run) -> Result:
    headers = (("Naftiko-Execution-Status", "FAILED"),)
    return Result(value={"status": "FAILED"}, failed=True, headers=headers)


async def nothing(_run: Run) -> Result:
    return Result()


PLAN = adapter(
    route(
        "/v1/things",
        GET=operation("list", typed("limit", "integer", *QUERY), typed("tag", "array", *QUERY)),
        POST=operation(
            "create", text("name", *BODY, required=True, maxLength=80), text("kind", *BODY)
        ),
    ),
    route("/v1/executions/{{arn}}/describe", GET=operation("describe", text("arn", "path"))),
    route("/v1/executions/{arn}", DELETE=operation("delete", text("arn", "path"))),
    route("/v1/bytes", GET=operation("bytes", work=passed_through)),
    route("/v1/failed", POST=operation("failed", work=failed)),
    route("/v1/nothing", POST=operation("nothing", work=nothing)),
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with client_of(rest_app(PLAN, info=INFO, masker=Masker())) as made:
        yield made


@pytest.mark.parametrize(
    "written",
    [MAP_RUN, quote(MAP_RUN, safe=""), quote(MAP_RUN, safe="/"), quote(MAP_RUN, safe=":")],
)
def test_an_arn_may_be_written_in_every_way(client: Client, written: str) -> None:
    assert client.get(f"/v1/executions/{written}/describe").json == {"arn": MAP_RUN}
    reply = client.send("DELETE", f"/v1/executions/{written}")
    assert (reply.status, reply.json) == (200, {"arn": MAP_RUN})


def test_values_are_decoded_once(client: Client) -> None:
    assert client.get("/v1/executions/a%2525%2Fb+c/describe").json == {"arn": "a%25/b+c"}


def test_a_path_that_cannot_be_decoded_is_400(client: Client) -> None:
    for written in ("%zz", "%ff", "a%"):
        reply = client.get(f"/v1/executions/{written}/describe")
        assert (reply.status, reply.json["code"]) == (400, "invalid-encoding")


def test_get_reads_the_query_and_ignores_a_body(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    reply = client.send("GET", "/v1/things?limit=2&tag=a&tag=b", b"not json", headers)
    assert reply.json == {"limit": 2, "tag": ["a", "b"]}


def test_post_reads_the_body(client: Client) -> None:
    reply = client.post("/v1/things", {"name": "n"})
    assert reply.json == {"name": "n"}
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "server" not in reply.headers


def test_every_bad_field_is_named_at_once(client: Client) -> None:
    reply = client.post("/v1/things?limit=1", {"nam": "x", "kind": 5})
    assert reply.status == 400
    assert {(found["name"], found["in"]) for found in reply.json["errors"]} == {
        ("nam", "body"),
        ("limit", "query"),
        ("kind", "body"),
        ("name", "body"),
    }


def test_a_missing_body_names_what_it_lacks(client: Client) -> None:
    reply = client.send("POST", "/v1/things")
    assert reply.status == 400
    assert reply.json["errors"] == [{"name": "name", "in": "body", "message": "`name` is required"}]


def test_a_name_of_300_characters_is_refused(client: Client) -> None:
    reply = client.post("/v1/things", {"name": "x" * 300})
    assert reply.status == 400
    assert reply.json["detail"] == "`name` must have at most 80 characters, found 300"


def test_an_unknown_path_is_404_with_the_nearest_route(client: Client) -> None:
    reply = client.get("/v1/thing")
    assert (reply.status, reply.json["code"]) == (404, "not-found")
    assert reply.json["hint"] == "did you mean `/v1/things`?"
    assert client.get("/v1/things/").json["hint"] == "`/v1/things` has no slash at the end"
    reply = client.get("/v1/executions/x/describe/")
    assert reply.json["hint"] == "`/v1/executions/{arn}/describe` has no slash at the end"
    assert client.get("/" + "x" * 8000).status == 404


def test_a_path_that_is_too_long_is_414(client: Client) -> None:
    assert client.get("/" + "x" * 8192).status == 414


def test_a_wrong_method_is_405_with_the_right_ones(client: Client) -> None:
    reply = client.send("PATCH", "/v1/things")
    assert (reply.status, reply.json["code"]) == (405, "method-not-allowed")
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert client.send("TRACE", "/v1/things").status == 405
    assert client.send("HEAD", "/v1/failed").status == 405


def test_head_is_get_without_the_body(client: Client) -> None:
    got, head = (client.send(method, "/v1/things?limit=12") for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))
    missing = client.send("HEAD", "/v1/no")
    assert (missing.status, missing.body) == (404, b"")
    assert int(missing.headers["content-length"]) > 0


def test_options_says_what_is_allowed(client: Client) -> None:
    reply = client.send("OPTIONS", "/v1/executions/x")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["allow"] == "DELETE, OPTIONS"
    assert client.send("OPTIONS", "/v1/no").status == 404


def test_an_input_that_the_consumed_operation_refuses_has_its_place() -> None:
    async def refusing(_run: Run) -> Result:
        own = FieldError(name="name", message="`name` is odd")
        theirs = FieldError(name="Other.Field", message="`Other.Field` is odd")
        raise InputError(fields=(own, theirs))

    plan = adapter(route("/x", POST=operation("x", text("name", *BODY), work=refusing)))
    with client_of(rest_app(plan, info=INFO, masker=Masker())) as client:
        reply = client.post("/x", {"name": "n"})
    assert [(found["name"], found["in"]) for found in reply.json["errors"]] == [
        ("name", "body"),
        ("Other.Field", "argument"),
    ]


def test_bytes_pass_through(client: Client) -> None:
    reply = client.get("/v1/bytes")
    assert (reply.status, reply.body) == (202, b"\x00\x01")
    assert reply.headers["content-type"] == "application/x-bytes"


def test_work_that_failed_keeps_status_and_body(client: Client) -> None:
    reply = client.post("/v1/failed", {})
    assert (reply.status, reply.json) == (200, {"status": "FAILED"})
    assert reply.headers["naftiko-execution-status"] == "FAILED"


def test_nothing_is_204(client: Client) -> None:
    reply = client.send("POST", "/v1/nothing")
    assert (reply.status, reply.body) == (204, b"")


def test_a_request_id_is_kept_or_made(client: Client) -> None:
    assert client.get("/v1/things", **{"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert len(client.get("/v1/things").headers["x-request-id"]) == 16
    reply = client.get("/v1/no", **{"X-Request-Id": "abc-2"})
    assert reply.json["requestId"] == reply.headers["x-request-id"] == "abc-2"


def test_the_index_lists_the_routes(client: Client) -> None:
    index = client.get("/").json
    assert index["name"] == "Demo"
    assert index["openapi"] == "/openapi.json"
    assert {"method": "GET", "path": "/v1/bytes"}.items() <= index["routes"][4].items()


def test_openapi_is_built_once_and_has_an_etag(client: Client) -> None:
    first, second = client.get("/openapi.json"), client.get("/openapi.json")
    assert first.json["openapi"] == "3.1.0"
    etag = first.headers["etag"]
    assert second.headers["etag"] == etag
    for given in (etag, f'"other", W/{etag}', "*"):
        reply = client.get("/openapi.json", **{"If-None-Match": given})
        assert (reply.status, reply.body) == (304, b"")
    assert client.get("/openapi.json", **{"If-None-Match": '"other"'}).status == 200
    assert client.send("POST", "/openapi.json").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.send("OPTIONS", "/openapi.json").status == 204


def test_a_route_may_claim_the_pages_paths() -> None:
    plan = adapter(
        route("/", GET=operation("own-index")), route("/openapi.json", GET=operation("own-openapi"))
    )
    with client_of(rest_app(plan, info=INFO, masker=Masker())) as client:
        assert client.get("/").json == {}
        assert client.get("/openapi.json").json == {}


def test_callers_are_asked_for_their_credentials() -> None:
    auth = ServerAuth(type_="bearer", fields={"token": "canary-token"})
    plan = adapter(route("/v1/x", GET=operation("x")), auth=auth)
    with client_of(rest_app(plan, info=INFO, masker=Masker())) as client:
        for target in ("/v1/x", "/", "/openapi.json", "/nowhere"):
            reply = client.get(target)
            assert (reply.status, reply.json["code"]) == (401, "unauthorized")
            assert reply.headers["www-authenticate"] == 'Bearer realm="demo-api"'
            assert "canary" not in reply.body.decode()
        assert client.get("/v1/x", Authorization="Bearer canary-token").status == 200


def test_an_api_key_in_the_query_is_no_input() -> None:
    fields = {"key": "api_key", "value": "k", "placement": "query"}
    auth = ServerAuth(type_="apikey", fields=fields)
    plan = adapter(route("/v1/x", GET=operation("x")), auth=auth)
    with client_of(rest_app(plan, info=INFO, masker=Masker())) as client:
        assert client.get("/v1/x?api_key=k").json == {}
        assert client.get("/v1/x?api_key=k&other=1").status == 400
        assert client.get("/v1/x").status == 401


def test_a_run_ends_when_its_caller_goes_away() -> None:
    import asyncio

    entered, cancelled = threading.Event(), threading.Event()

    async def slow(_run: Run) -> Result:
        entered.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Result()

    plan = adapter(
        route("/v1/slow", GET=operation("get-slow", work=slow), POST=operation("slow", work=slow))
    )
    app = rest_app(plan, info=INFO, masker=Masker())
    requests = (
        b"GET /v1/slow HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}",
    )
    with client_of(app) as client:
        for request in requests:
            entered.clear()
            cancelled.clear()
            with client.connect() as connection:
                connection.sendall(request)
                assert entered.wait(10)
            assert cancelled.wait(10)


def test_a_run_may_have_a_deadline() -> None:
    made = operation("x")
    options = RestOptions(request_deadline_s=5)
    app = rest_app(adapter(route("/x", GET=made)), info=INFO, masker=Masker(), options=options)
    before = time.monotonic()
    with client_of(app) as client:
        client.get("/x", **{"X-Request-Id": "abc"})
    assert isinstance(made.plan, StubPlan)
    run = made.plan.runs[0]
    assert run.request_id == "abc"
    assert run.deadline is not None
    assert before + 5 <= run.deadline <= time.monotonic() + 5

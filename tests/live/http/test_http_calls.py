"""Calls of an HTTP API over real connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest

from naftiko.errors import ConsumedError, DeadlineError, InputError, RunError
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.values import MISSING, JsonValue
from tests.case_files import SHARED
from tests.live.http.upstream import Upstream, closed_port, decoded, raw_peer
from tests.unit.consumes.http.apis import Api, api, compile_api


def call(
    compiled: Api,
    arguments: Mapping[str, JsonValue] | None = None,
    *,
    name: str = "op",
    run: Run | None = None,
) -> Result:
    async def once() -> Result:
        try:
            return await compiled.operation(name).call(arguments or {}, run or Run(inputs={}))
        finally:
            await compiled.adapter.close()

    return asyncio.run(once())


def failure(compiled: Api, arguments: Mapping[str, JsonValue] | None = None) -> RunError:
    with pytest.raises(RunError) as caught:
        call(compiled, arguments)
    return caught.value


def test_a_get(upstream: Upstream) -> None:
    compiled = api(
        "method: GET, inputParameters: [{name: tag, in: query}, {name: X-A, in: header}, "
        "{name: c, in: cookie}]",
        base=f"{upstream.url}/v1",
        path="/things/{id}",
        extra="authentication: {type: bearer, token: '{{T}}'}",
        binds="T",
        environment={"T": "tok-1"},
    )
    result = call(compiled, {"id": "a/b ü", "tag": ["x", "y z"], "X-A": "v", "c": "k"})
    assert (result.status, result.failed) == (200, False)
    assert upstream.last["path"] == "/v1/things/a%2Fb%20%C3%BC"
    assert upstream.last["query"] == "tag=x&tag=y%20z"
    headers = upstream.last["headers"]
    assert headers["authorization"] == "Bearer tok-1"
    assert (headers["x-a"], headers["cookie"]) == ("v", "c=k")
    assert headers["user-agent"].startswith("naftiko/")
    assert result.value == decoded((result.raw or b"").decode())


def test_a_post(upstream: Upstream) -> None:
    compiled = api("method: POST, body: {type: json, data: {n: '{{n}}'}}", base=upstream.url)
    result = call(compiled, {"n": 3})
    assert upstream.last["headers"]["content-type"] == "application/json"
    assert upstream.last["body"] == '{"n":3}'
    assert isinstance(result.value, dict)


def test_a_post_without_body_says_so(upstream: Upstream) -> None:
    call(api("method: POST", base=upstream.url))
    assert upstream.last["headers"]["content-length"] == "0"
    assert "content-type" not in upstream.last["headers"]


def test_a_text_document_as_the_tutorial_writes_it(upstream: Upstream) -> None:
    compiled = compile_api(
        f"""
consumes:
  - namespace: registry
    type: http
    baseUri: "{upstream.url}"
    resources:
      - name: voyages
        path: "/voyages"
        operations:
          - name: create-voyage
            method: POST
            body: |
              {{
                "shipImo": "{{{{shipImo}}}}",
                "departureDate": "{{{{departureDate}}}}",
                "crewIds": {{{{crewIds}}}},
                "cargoIds": {{{{cargoIds}}}}
              }}
"""
    )
    call(compiled, {"shipImo": 'IMO "1"', "crewIds": ["C1", "C2"]}, name="create-voyage")
    assert decoded(upstream.last["body"]) == {"shipImo": 'IMO "1"', "crewIds": ["C1", "C2"]}


def test_an_error_status_is_a_failed_result(upstream: Upstream) -> None:
    for status in (400, 404, 429, 503):
        result = call(api("method: GET", base=upstream.url, path=f"/status/{status}"))
        assert (result.status, result.failed) == (status, True)
        assert result.value["seen"] == "GET"
        assert result.headers == (("retry-after", "7"),)


def test_no_content(upstream: Upstream) -> None:
    result = call(api("method: DELETE", base=upstream.url, path="/status/204"))
    assert (result.status, result.failed, result.value, result.raw) == (204, False, MISSING, b"")


@pytest.mark.parametrize(
    ("media_type", "sent", "value"),
    [
        ("application/json", '{"a": 1.0}', {"a": 1.0}),
        ("application/problem+json; charset=utf-8", "[]", []),
        ("", '{"a": null}', {"a": None}),
        ("application/json", "\ufefftrue", True),
        ("application/json", "{not json", MISSING),
        ("application/json", "[" * 5000 + "]" * 5000, MISSING),
        ("application/json", "", MISSING),
        ("text/plain", '{"a": 1}', MISSING),
        ("application/json; charset=zlib", "1", 1),
        ("application/json; charset=nonsense", "1", 1),
    ],
)
def test_what_is_read(upstream: Upstream, media_type: str, sent: str, value: JsonValue) -> None:
    compiled = api(
        "method: POST, inputParameters: [{name: X-Answer-Type, in: header}], "
        "body: {type: text, data: '{{text}}'}",
        base=upstream.url,
        path="/typed",
    )
    result = call(compiled, {"text": sent, "X-Answer-Type": media_type})
    assert result.value == value
    assert result.raw == sent.encode()
    assert result.status == 200
    if media_type:
        assert result.media_type == media_type


def test_json_in_another_charset(upstream: Upstream) -> None:
    compiled = api(
        "method: POST, inputParameters: [{name: X-Charset, in: header, value: latin-1}, "
        "{name: X-Answer-Type, in: header, value: application/json; charset=ISO-8859-1}], "
        "body: {type: text, data: '\"ä\"'}",
        base=upstream.url,
        path="/typed",
    )
    result = call(compiled)
    assert (result.value, result.raw) == ("ä", b'"\xe4"')


def test_a_format_that_is_not_converted_passes_through(upstream: Upstream) -> None:
    compiled = api("method: GET, outputRawFormat: xml", base=upstream.url)
    result = call(compiled)
    assert result.value is MISSING
    assert result.raw is not None
    assert result.raw.startswith(b"{")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_origin_is_followed(upstream: Upstream, code: int) -> None:
    compiled = api(
        "method: GET, inputParameters: [{name: to, in: query}]",
        base=upstream.url,
        path=f"/redirect/{code}",
        extra="authentication: {type: bearer, token: tok-1}",
    )
    result = call(compiled, {"to": "/there?x=1"})
    assert (result.status, upstream.last["path"]) == (200, "/there")
    assert upstream.last["headers"]["authorization"] == "Bearer tok-1"


def test_a_redirect_to_another_origin_passes_through(upstream: Upstream) -> None:
    with raw_peer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as other:
        for target in (
            f"http://127.0.0.1:{other.port}/x",
            f"http://localhost:{upstream.port}/x",
            f"http://u@127.0.0.1:{upstream.port}/x",
            f"//127.0.0.1:{other.port}/x",
            "http://[::1/x",
        ):
            compiled = api(
                "method: GET, inputParameters: [{name: to, in: query}]",
                base=upstream.url,
                path="/redirect/302",
                extra="authentication: {type: bearer, token: tok-1}",
            )
            result = call(compiled, {"to": target})
            assert (result.status, result.failed) == (302, False)
            assert result.headers[0][0] == "location"
        assert other.connections == 0


def test_a_post_is_not_redirected(upstream: Upstream) -> None:
    compiled = api(
        "method: POST, inputParameters: [{name: to, in: query}]",
        base=upstream.url,
        path="/redirect/307",
    )
    assert call(compiled, {"to": "/there", "a": 1}).status == 307
    assert len(upstream.requests) == 1


def test_redirects_end(upstream: Upstream) -> None:
    assert call(api("method: GET", base=upstream.url, path="/loop")).status == 302
    assert len(upstream.requests) == 6


def test_nothing_listens() -> None:
    with closed_port() as port:
        error = failure(api("method: GET", base=f"http://127.0.0.1:{port}"))
    assert isinstance(error, ConsumedError)
    assert (error.code, error.status, error.retryable) == ("unreachable", 502, True)
    assert f"127.0.0.1:{port}" in error.message


def test_a_slow_answer(upstream: Upstream) -> None:
    error = failure(api("method: GET, timeout: 200ms", base=upstream.url, path="/stuck"))
    assert isinstance(error, DeadlineError)
    assert (error.code, error.status) == ("timeout", 504)
    assert "`ns.op` did not answer within 0.2 s" in error.message


@pytest.mark.parametrize(("method", "retryable"), [("GET", True), ("PUT", True), ("POST", False)])
def test_only_what_may_be_done_twice_is_worth_a_retry(
    upstream: Upstream, method: str, retryable: bool
) -> None:
    error = failure(api(f"method: {method}, timeout: 200ms", base=upstream.url, path="/stuck"))
    assert error.retryable is retryable
    assert ("look before you call again" in error.hint) is not retryable


def test_the_deadline_of_a_run_shortens_the_timeout(upstream: Upstream) -> None:
    compiled = api("method: GET", base=upstream.url, path="/stuck")
    with pytest.raises(DeadlineError):
        call(compiled, run=Run(inputs={}, deadline=time.monotonic() + 0.2))
    sent = len(upstream.requests)
    with pytest.raises(DeadlineError) as caught:
        call(compiled, run=Run(inputs={}, deadline=time.monotonic()))
    assert "no time was left" in caught.value.message
    assert len(upstream.requests) == sent


def test_an_answer_that_is_too_large(upstream: Upstream) -> None:
    error = failure(api("method: GET", base=upstream.url, path="/big"))
    assert (error.code, error.status) == ("response-too-large", 502)


def test_an_answer_that_breaks_off() -> None:
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
    with raw_peer(broken) as peer:
        error = failure(api("method: GET", base=f"http://127.0.0.1:{peer.port}"))
    assert (error.code, error.status) == ("connection-broken", 502)


def test_a_read_is_tried_again_where_no_answer_came() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
    with raw_peer(b"", whole) as peer:
        assert call(api("method: GET", base=f"http://127.0.0.1:{peer.port}")).value == {}
        assert peer.connections == 2


def test_a_write_is_not() -> None:
    with raw_peer(b"", b"") as peer:
        error = failure(api("method: POST", base=f"http://127.0.0.1:{peer.port}"), {"a": 1})
        assert peer.connections == 1
    assert error.code == "connection-broken"


def test_what_is_no_http() -> None:
    with raw_peer(b"SSH-2.0-OpenSSH\r\n") as peer:
        error = failure(api("method: GET", base=f"http://127.0.0.1:{peer.port}"))
    assert (error.code, error.status) == ("bad-response", 502)


def test_errors_hold_no_secret() -> None:
    with closed_port() as port:
        compiled = api(
            "method: GET",
            base=f"http://127.0.0.1:{port}",
            path="/{{T}}",
            extra="authentication: {type: apikey, key: k, value: '{{T}}', placement: query}",
            binds="T",
            environment={"T": "canary-t"},
        )
        error = failure(compiled)
    assert "canary" not in f"{error} {error.hint} {error.details} {error.__cause__}"


def test_bad_arguments_send_nothing(upstream: Upstream) -> None:
    error = failure(api("method: GET", base=upstream.url, path="/{id}"), {"id": ".."})
    assert isinstance(error, InputError)
    assert upstream.requests == []


def test_connections_are_reused_and_may_be_reopened(upstream: Upstream) -> None:
    compiled = api("method: GET", base=upstream.url)

    async def several() -> list[int]:
        operation = compiled.operation()
        run = Run(inputs={})
        results = await asyncio.gather(*(operation.call({}, run) for _ in range(20)))
        await compiled.adapter.close()
        results.append(await operation.call({}, run))
        await compiled.adapter.close()
        await compiled.adapter.close()
        return [result.status for result in results]

    assert asyncio.run(several()) == [200] * 21


def test_the_tutorial_file_as_it_stands(upstream: Upstream) -> None:
    tutorial = SHARED / "corpus/naftiko+framework/src/main/resources/tutorial"
    file = tutorial / "shared/step7-registry-consumes.yml"
    if not file.exists():
        pytest.skip("the public documents are not here")
    text = file.read_text(encoding="utf-8").replace("https://mocks.naftiko.net", upstream.url)
    binds = "binds: [{namespace: e, keys: {REGISTRY_TOKEN: A, REGISTRY_VERSION: B}}]\n"
    compiled = compile_api(text + binds, {"A": "tok-1", "B": "1.0"})
    call(compiled, {"imo_number": "IMO-1"}, name="get-ship")
    assert upstream.last["path"].endswith("/1.0.0-alpha2/ships/IMO-1")
    assert upstream.last["headers"]["registry-version"] == "1.0"
    call(compiled, {"crewIds": ["a"], "shipImo": "x"}, name="create-voyage")
    assert decoded(upstream.last["body"]) == {"crewIds": ["a"], "shipImo": "x"}

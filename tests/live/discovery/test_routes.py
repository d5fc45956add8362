"""Routes that are discovered, over real HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.applications import Starlette
from starlette.routing import Mount

import naftiko
from naftiko.exposes.rest import rest_app
from tests.live.cli.config_clients import Naftiko, in_process
from tests.live.discovery.reports import EXAMPLE, answers, listing
from tests.live.discovery.route_files import OWN, SENDS, a_file
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import Answer, Served, serving
from tests.live.waiting import until

BY_NAME = 'path: "/things/{{name}}"\n' + SENDS


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


def things(api: ScriptedApi, *ids: Any, **more: Any) -> None:
    """Have the API list things of these identifiers, or whole things."""
    found = [item if isinstance(item, dict) else {"id": item} for item in ids]
    api.play({"GET /items": {"items": found}, "POST /echo": {"sent": True}, **more})


def paths(served: Served, namespace: str = "found") -> list[str]:
    """Return what `/openapi.json` describes, once it is found valid."""
    document = served.request(namespace, "GET", "/openapi.json").body
    OpenAPIV31SpecValidator(document).validate()
    return list(document["paths"])


def problems(served: Served, name: str = "things") -> tuple[str, ...]:
    (adapter,) = served.capability.plan.adapters
    found = adapter.discovered
    assert found is not None
    return found.problems(name)


def sent(api: ScriptedApi) -> Any:
    """Return the body that the API was sent last."""
    return [body for request, body in zip(api.requests, api.bodies, strict=True) if body][-1]


# ---------------------------------------------------------------------------- the example


@pytest.fixture
def reports(api: ScriptedApi) -> Iterator[Served]:
    api.play(answers())
    with serving(EXAMPLE, environment={"REPORTS_URL": api.url}) as running:
        yield running


def test_every_item_is_a_route_beside_the_files_own(reports: Served, api: ScriptedApi) -> None:
    run = reports.request("reports-api", "POST", "/reports/7/runs", {"month": 4})
    assert (run.status, run.body) == (201, {"rows": 3})
    assert sent(api) == {"month": 4}
    other = reports.request("reports-api", "POST", "/reports/costs%20by%20team/runs", {})
    assert other.body == {"rows": 0}
    listed = reports.request("reports-api", "GET", "/reports").body["reports"]
    assert [(item["name"], item["method"], item["path"]) for item in listed] == [
        ("run_7", "POST", "/reports/7/runs"),
        ("run_costs_by_team", "POST", "/reports/costs%20by%20team/runs"),
    ]


def test_two_adapters_over_one_entry_list_and_enrich_once(
    reports: Served, api: ScriptedApi
) -> None:
    until(lambda: reports.request("reports-api", "GET", "/reports").body["reports"] or None)
    assert api.requests.count("GET /reports") == 1
    assert api.requests.count("GET /reports/7") == 1
    assert len(reports.capability.plan.discoveries) == 1


def test_openapi_has_the_schemas_of_each_item(reports: Served) -> None:
    assert paths(reports, "reports-api") == [
        "/reports",
        "/reports/7/runs",
        "/reports/costs%20by%20team/runs",
    ]
    document = reports.request("reports-api", "GET", "/openapi.json").body
    operation = document["paths"]["/reports/7/runs"]["post"]
    assert operation["operationId"] == "run_7"
    assert operation["summary"] == "Sales"
    assert operation["tags"] == ["report-routes"]
    body = operation["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {"month": {"type": "integer", "minimum": 1, "maximum": 12}},
        "required": ["month"],
        "additionalProperties": False,
    }
    answer = operation["responses"]["201"]["content"]["application/json"]["schema"]
    assert answer == {"type": "object", "properties": {"rows": {"type": "integer"}}}
    index = reports.request("reports-api", "GET", "/").body["routes"]
    assert [route["path"] for route in index] == paths(reports, "reports-api")


def test_a_body_that_breaks_the_schema_is_refused_in_every_field(reports: Served) -> None:
    bad = reports.request("reports-api", "POST", "/reports/7/runs", {"month": 13, "yaer": 1})
    assert (bad.status, bad.body["code"]) == (400, "invalid-input")
    assert {(item["name"], item["in"]) for item in bad.body["errors"]} == {
        ("month", "body"),
        ("yaer", "body"),
    }
    empty = reports.request("reports-api", "POST", "/reports/7/runs")
    assert [(item["name"], item["in"]) for item in empty.body["errors"]] == [("month", "body")]
    listed = reports.request("reports-api", "POST", "/reports/7/runs", [1])
    assert "the body must be an object, found a list" in [
        item["message"] for item in listed.body["errors"]
    ]
    query = reports.request("reports-api", "POST", "/reports/7/runs?month=4", {"month": 4})
    assert [(item["name"], item["in"]) for item in query.body["errors"]] == [("month", "query")]


def test_reading_only_leaves_out_routes_that_write(api: ScriptedApi) -> None:
    api.play(answers())
    environment = {"REPORTS_URL": api.url}
    with serving(EXAMPLE, environment=environment, read_only=True) as served:
        assert paths(served, "reports-api") == ["/reports"]
        assert served.request("reports-api", "POST", "/reports/7/runs", {}).status == 404
    assert "GET /reports" not in api.requests


def test_reading_only_keeps_routes_that_read(api: ScriptedApi, tmp_path: Path) -> None:
    things(api, "a")
    operation = 'method: GET\npath: "/things/{{name}}"\ncall: api.list-items\n'
    more = """\
- name: writing
  from: things
  operation: {name: w, path: "/writing/{{name}}", call: api.send, with: {all: "{{item.id}}"}}
"""
    file = a_file(tmp_path, api.url, operation, discover=more)
    with serving(file, read_only=True) as served:
        assert paths(served) == ["/things/a"]
        assert served.request("found", "GET", "/things/a").status == 200
        assert served.request("found", "POST", "/writing/a").status == 404


def test_inspect_and_call_and_explain(
    api: ScriptedApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api.play(answers(*listing({"id": "7", "title": "Sales"})["reports"]))
    monkeypatch.setenv("REPORTS_URL", api.url)
    naftiko_: Naftiko = in_process(capsys)
    shown = naftiko_("inspect", str(EXAMPLE), "--discover")
    assert "POST /reports/7/runs" in shown.out
    machine = json.loads(naftiko_("inspect", str(EXAMPLE), "--discover", "--format", "json").out)
    (entry,) = machine["exposes"][1]["discovers"][0]["entries"]
    assert (entry["method"], entry["path"]) == ("POST", "/reports/7/runs")
    called = naftiko_("call", str(EXAMPLE), "reports-api.run_7", "-p", "month=4")
    assert json.loads(called.out) == {"rows": 3}
    explained = naftiko_("explain", str(EXAMPLE), "reports-api.report-routes")
    assert "run_{{report.id}}, POST /reports/{{report.id}}/runs" in explained.out


# ------------------------------------------------------------------------ while it serves


def test_routes_appear_and_vanish_while_it_serves(api: ScriptedApi, tmp_path: Path) -> None:
    things(api, "a")
    with serving(a_file(tmp_path, api.url, "method: GET\n" + BY_NAME, resources=OWN)) as served:

        def get(path: str, **headers: str) -> Answer:
            return served.request("found", "GET", path, **headers)

        before = get("/openapi.json").headers["etag"]
        assert get("/openapi.json", if_none_match=before).status == 304
        assert get("/things/a").body == {"sent": True}
        assert served.request("found", "HEAD", "/things/a").status == 200
        missing = get("/things/b")
        assert (missing.status, missing.body["hint"]) == (404, "did you mean `/things/a`?")

        things(api, "b")
        until(lambda: True if get("/things/b").status == 200 else None)
        gone = get("/things/a")
        assert (gone.status, gone.body["hint"]) == (404, "did you mean `/things/b`?")
        assert get("/own/1").body == {"value": "own"}
        assert paths(served) == ["/own/{id}", "/things/b"]
        assert [route["path"] for route in get("/").body["routes"]] == paths(served)
        after = get("/openapi.json", if_none_match=before)
        assert (after.status, after.headers["etag"] != before) == (200, True)
        assert get("/things/b/").body["hint"] == "`/things/b` has no slash at the end"

        things(api, "b", **{"GET /items": {"status": 500, "json": {}}})
        (finder,) = served.capability.plan.discoveries
        until(lambda: True if finder.status()["state"] == "failing" else None)
        assert get("/things/b").status == 200


def test_methods_of_all_routes_on_a_path_are_told_together(
    api: ScriptedApi, tmp_path: Path
) -> None:
    things(api, "a")
    operation = 'method: DELETE\npath: "/own/{{name}}"\n' + SENDS
    with serving(a_file(tmp_path, api.url, operation, resources=OWN)) as served:
        assert served.request("found", "GET", "/own/a").body == {"value": "own"}
        assert served.request("found", "DELETE", "/own/a").status == 200
        for method, status in (("PATCH", 405), ("OPTIONS", 204)):
            answer = served.request("found", method, "/own/a")
            assert (answer.status, answer.headers["allow"]) == (
                status,
                "DELETE, GET, HEAD, OPTIONS",
            )
        assert served.request("found", "DELETE", "/own/b").headers["allow"] == "GET, HEAD, OPTIONS"


# ----------------------------------------------------------------------------- hostile names

HOSTILE = {
    "a/b": "a%2Fb",
    "{x}": "%7Bx%7D",
    "{{item.id}}": "%7B%7Bitem.id%7D%7D",
    "q?x=1": "q%3Fx%3D1",
    "f#g": "f%23g",
    "%2e%2e": "%252e%252e",
    "../../up": "..%2F..%2Fup",
    "line\r\nset-cookie: x": "line%0D%0Aset-cookie:%20x",
    "nul\x00": "nul%00",
    "\u202eevil": "%E2%80%AEevil",
    "openapi.json": "openapi.json",
    "arn:aws:states:eu-1:1:x": "arn:aws:states:eu-1:1:x",
    "a;b": "a%3Bb",
    "\\": "%5C",
}


def test_what_an_item_is_called_makes_neither_segments_nor_variables(
    api: ScriptedApi, tmp_path: Path
) -> None:
    named = [{"id": name, "part": name} for name in (*HOSTILE, " ", "..", ".")]
    things(api, *named, {"id": "empty", "part": ""})
    operation = 'path: "/things/{{item.part}}/runs"\ncall: api.send\nwith: {all: "{{item.id}}"}\n'
    with serving(a_file(tmp_path, api.url, operation)) as served:
        expected = [f"/things/{text}/runs" for text in (*HOSTILE.values(), "%20")]
        assert paths(served) == expected
        for name, text in HOSTILE.items():
            answer = served.request("found", "POST", f"/things/{text}/runs", {})
            assert answer.status == 200, answer
            assert sent(api) == name
        document = served.request("found", "GET", "/openapi.json").body
        operations = [item["post"] for item in document["paths"].values()]
        assert not any("parameters" in item for item in operations)
        for path in ("/things/a/b/runs", "/things/x/runs", "/things/%7by%7d/runs"):
            assert served.request("found", "POST", path, {}).status == 404
        # What a client may write otherwise is the same path.
        for path in ("/things/%7bx%7d/runs", "/things/a%2fb/runs", "/things/a;b/runs"):
            assert served.request("found", "POST", path, {}).status == 200
        assert [text.partition(": its path ")[2] for text in problems(served)] == [
            "has the segment `..`, which leads elsewhere",
            "has the segment `.`, which leads elsewhere",
            "has an empty segment, for a value in it is empty",
        ]


def test_no_item_hides_the_pages_of_the_adapter(api: ScriptedApi, tmp_path: Path) -> None:
    things(api, "openapi.json", "fine")
    operation = 'path: "{{item.id}}"\n' + SENDS
    with serving(a_file(tmp_path, api.url, operation)) as served:
        assert paths(served) == ["/fine"]
        (problem,) = problems(served)
        assert "`/openapi.json` is a page of the adapter itself" in problem


def test_a_hostile_schema_leaves_openapi_valid(api: ScriptedApi, tmp_path: Path) -> None:
    schema = {
        "$id": "https://example.com/thing",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "node": {"$ref": "#/$defs/a~1b"},
            "self": {"$ref": "#"},
            "$ref": {"type": "string"},
        },
        "$defs": {"a/b": {"type": "object", "properties": {"next": {"$ref": "#/$defs/a~1b"}}}},
    }
    remote = {"type": "object", "properties": {"x": {"$ref": "https://example.com/other"}}}
    things(
        api,
        {"id": "a", "schema": schema},
        {"id": "remote", "schema": remote},
        {"id": "none", "schema": "no schema"},
        {"id": "wrong", "schema": {"type": "objcet"}},
    )
    with serving(a_file(tmp_path, api.url, BY_NAME + 'inputSchema: "{{item.schema}}"\n')) as served:
        assert paths(served) == ["/things/a"]
        assert len(problems(served)) == 3
        assert served.request("found", "POST", "/things/a", {"$ref": "x"}).status == 200
        bad = served.request("found", "POST", "/things/a", {"node": {"next": {"next": 1}}})
        assert (bad.status, bad.body["errors"][0]["name"]) == (400, "node.next.next")


# -------------------------------------------------------------------------------- clashes


def test_the_files_own_route_wins_and_then_the_first_that_is_found(
    api: ScriptedApi, tmp_path: Path
) -> None:
    things(api, {"id": "1", "slug": "same"}, {"id": "2", "slug": "same"}, {"id": "3", "slug": "c"})
    operation = 'method: GET\npath: "/things/{{item.slug}}/{a}"\ncall: api.send\n'
    operation += 'with: {all: "{{item.id}}"}\n'
    more = """\
- name: covered
  from: things
  operation: {name: "own_{{item.id}}", method: GET, path: "/own/{{item.id}}", call: api.list-items}
- name: again
  from: things
  operation: {name: "x", method: GET, path: "/things/{{item.slug}}/{b}", call: api.list-items}
"""
    with serving(a_file(tmp_path, api.url, operation, resources=OWN, discover=more)) as served:
        assert paths(served) == ["/own/{id}", "/things/same/{a}", "/things/c/{a}"]
        assert served.request("found", "GET", "/own/1").body == {"value": "own"}
        served.request("found", "GET", "/things/same/x")
        assert sent(api) == "1"
        assert problems(served) == ("2 is not served: GET /things/same/{a} is the route of 1",)
        assert problems(served, "covered") == tuple(
            f"{key} is not served: `GET /own/{{id}}` of the file answers GET /own/{key}"
            for key in "123"
        )
        assert len(problems(served, "again")) == 3


# --------------------------------------------------------------------------------- inputs


def test_variables_of_the_path_are_inputs_and_no_arguments(
    api: ScriptedApi, tmp_path: Path
) -> None:
    things(api, "a")
    operation = """\
method: PUT
path: "/things/{{name}}/runs/{run}"
inputSchema: {type: object, properties: {n: {type: integer}}, additionalProperties: false}
call: api.send
with: {all: {run: "{{run}}", thing: "{{item.id}}", given: "{{arguments}}"}}
"""
    with serving(a_file(tmp_path, api.url, operation)) as served:
        assert served.request("found", "PUT", "/things/a/runs/r%2F1", {"n": 1}).status == 200
        assert sent(api) == {"run": "r/1", "thing": "a", "given": {"n": 1}}
        assert paths(served) == ["/things/a/runs/{run}"]
        document = served.request("found", "GET", "/openapi.json").body
        described = document["paths"]["/things/a/runs/{run}"]["put"]
        assert [(item["name"], item["in"]) for item in described["parameters"]] == [("run", "path")]
        body = described["requestBody"]
        assert body["required"] is False
        assert list(body["content"]["application/json"]["schema"]["properties"]) == ["n"]
        twice = served.request("found", "PUT", "/things/a/runs/1", {"run": "2", "n": "x"})
        assert {(item["name"], item["in"]) for item in twice.body["errors"]} == {
            ("run", "body"),
            ("n", "body"),
        }


def test_a_query_is_read_by_the_types_of_the_schema(api: ScriptedApi, tmp_path: Path) -> None:
    things(api, "a")
    operation = """\
method: GET
path: "/things/{{name}}/{page}"
inputSchema:
  type: object
  properties: {page: {type: integer}, deep: {type: boolean}, tags: {type: array}}
  required: [deep]
call: api.send
with: {all: "{{arguments}}"}
"""
    with serving(a_file(tmp_path, api.url, operation)) as served:
        path = "/things/a/2?deep=true&tags=x&tags=y&other=1"
        assert served.request("found", "GET", path).status == 200
        assert sent(api) == {"page": 2, "deep": True, "tags": ["x", "y"], "other": "1"}
        bad = served.request("found", "GET", "/things/a/two?deep=1&deep=0")
        assert {(item["name"], item["in"]) for item in bad.body["errors"]} == {
            ("page", "path"),
            ("deep", "query"),
        }
        paths(served)


def test_without_a_schema_inputs_are_those_of_any_route(api: ScriptedApi, tmp_path: Path) -> None:
    things(api, "a")
    operation = """\
path: "/things/{{name}}/{run}"
inputParameters:
  - {name: n, type: integer, in: query}
  - {name: note, type: string, in: header}
call: api.send
with: {all: {run: "{{run}}", n: "{{n}}", note: "{{note}}", thing: "{{item.id}}"}}
"""
    with serving(a_file(tmp_path, api.url, operation)) as served:
        answer = served.request("found", "POST", "/things/a/r?n=3", note="hello")
        assert answer.status == 200, answer
        assert sent(api) == {"run": "r", "n": 3, "note": "hello", "thing": "a"}
        bad = served.request("found", "POST", "/things/a/r?n=x")
        assert [(item["name"], item["in"]) for item in bad.body["errors"]] == [("n", "query")]
        paths(served)


# -------------------------------------------------------------------------------- answers


def test_a_failure_by_is_error_is_a_problem_unless_response_has_a_status(
    api: ScriptedApi, tmp_path: Path
) -> None:
    things(
        api,
        {"id": "plain"},
        **{"POST /echo": {"sequence": [{"ok": False, "why": "full"}] * 2 + [{"ok": True}] * 2}},
    )
    operation = BY_NAME + 'isError: "{{ not result.ok }}"\n'
    more = """\
- name: mapped
  from: things
  operation:
    name: mapped
    path: /mapped
    call: api.send
    with: {all: "{{item.id}}"}
    response: {status: "{{ 201 if result.ok else 409 }}"}
    isError: "{{ not result.ok }}"
"""
    with serving(a_file(tmp_path, api.url, operation, discover=more)) as served:
        failed = served.request("found", "POST", "/things/plain", {})
        assert (failed.status, failed.body["code"]) == (502, "call-failed")
        assert failed.body["result"] == {"ok": False, "why": "full"}
        mapped = served.request("found", "POST", "/mapped", {})
        assert (mapped.status, mapped.body) == (409, {"ok": False, "why": "full"})
        good = served.request("found", "POST", "/things/plain", {})
        assert (good.status, good.body) == (200, {"ok": True})
        assert served.request("found", "POST", "/mapped", {}).status == 201
        document = served.request("found", "GET", "/openapi.json").body
        assert "2XX" in document["paths"]["/mapped"]["post"]["responses"]


# ---------------------------------------------------------------------- mounting, metering


def test_a_mounted_app_looks_for_itself_and_can_go(api: ScriptedApi, tmp_path: Path) -> None:
    things(api, "a")
    capability = naftiko.load(a_file(tmp_path, api.url, BY_NAME))
    found = capability.plan.adapters[0].discovered
    assert found is not None

    async def story() -> None:
        app = Starlette(routes=[Mount("/x", app=capability.rest_app())])
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            first = await client.get("/x/openapi.json")
            assert first.status_code == 200
            await capability.discovered()
            answer = await client.post("/x/things/a", json={})
            assert (answer.status_code, answer.json()) == (200, {"sent": True})
            index = (await client.get("/x/")).json()["routes"]
            assert [route["path"] for route in index] == ["/x/things/a"]
        await capability.close()

    asyncio.run(story())
    gc.collect()
    assert found._listeners == []


def test_an_adapter_that_discovers_nothing_has_no_part_in_it(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(
        'naftiko: "1.0.0-alpha3"\ncapability:\n  exposes:\n'
        "    - type: rest\n      namespace: plain\n      port: 8100\n"
        + "".join(f"      {line}\n" for line in OWN.splitlines()),
        encoding="utf-8",
    )
    plan = naftiko.load(path).plan
    (adapter,) = plan.adapters
    app: Any = rest_app(adapter, info=plan.info, masker=plan.masker)
    assert app._found is None


def test_requests_to_discovered_routes_are_counted(api: ScriptedApi, tmp_path: Path) -> None:
    things(api, "a")
    control = "- type: control\n  port: 8101\n"
    with serving(a_file(tmp_path, api.url, BY_NAME, exposes=control)) as served:
        served.request("found", "POST", "/things/a", {})
        served.request("found", "POST", "/things/zzz", {})
        (name,) = [name for name in served.urls if name != "found"]
        text = served.request(name, "GET", "/metrics").body.decode()
        assert '"/things/a POST"' in text
        assert "/things/zzz" not in text

"""Answers in every format, from a real upstream, through the routes of the guide's example."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import Response
from starlette.routing import Route

from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import ConsumedError
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.values import MISSING
from tests.case_files import ROOT
from tests.live.http.upstream import Upstream, running_upstream
from tests.live.serving import Served, serving
from tests.unit.consumes.http.apis import api

EXAMPLE = ROOT / "docs/examples/formats.yaml"

XML = (
    '<fleet><ship imo="9321483"><name>Emma</name></ship>'
    '<ship imo="9778791"><name>Ane</name></ship></fleet>'
)
HTML = (
    "<table><tr><th>x<tr><td>1</table>"
    "<table class='ships'><thead><tr><th>IMO<th>Name</thead>"
    "<tr><td>9321483<td>Emma <b>M</b></table>"
)
MARKDOWN = "---\nid: 1\n---\n# About\nold\n# Notice to all\nMind the *fog*.\n"


def avro() -> bytes:
    schema = json.loads((ROOT / "docs/examples/formats/ship.avsc").read_text(encoding="utf-8"))
    ship = {"imo": "9321483", "length_m": 397.7, "built": datetime.date(2006, 5, 18), "flag": None}
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), ship)
    return stream.getvalue()


ANSWERS = {
    "xml": (XML.encode(), "application/xml"),
    "csv": ("imo;name\n1;Zoë\n".replace(";", ",").encode("latin-1"), "text/csv; charset=latin1"),
    "yaml": (b"fleet: [{imo: 9321483, afloat: true}]\n", "application/yaml"),
    "html": (HTML.encode(), "text/html"),
    "markdown": (MARKDOWN.encode(), "text/markdown"),
    "avro": (avro(), "avro/binary"),
    "protobuf": (b"\x0a\x0d\x0a\x079321483\x10\x05\x18\x01", "application/protobuf"),
    "text": ("grüß dich".encode(), "text/plain; charset=utf-8"),
    "binary": (b"\x89PNG\x00\xff", "application/x-unknown"),
    "large": (b"\x00" * 5000, "image/gif"),
    "csv-large": (b"id,text\n" + b"1,abcdefghij\n" * 40_000, "text/csv"),
    "broken": (b"<fleet>", "application/xml"),
    "cut": (b'{"a":', "application/json"),
    "untyped": (b"\x00\x01", ""),
    "empty": (b"", "application/xml"),
}


class Registry(Upstream):
    """Answers with what stands above; `?status=` with another status."""

    def app(self) -> Starlette:
        echo = super().app().routes
        return Starlette(routes=[Route("/answers/{name}", self._answer, methods=["GET"]), *echo])

    async def _answer(self, request: Request) -> Response:
        body, media_type = ANSWERS[request.path_params["name"]]
        status = int(request.query_params.get("status", "200"))
        if status == 500:
            return Response(b'{"error": "in JSON"}', status, media_type="application/json")
        response = Response(body, status)
        if media_type:
            response.headers["content-type"] = media_type
        return response


@pytest.fixture(scope="module")
def registry() -> Iterator[Upstream]:
    with running_upstream(Registry()) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def served(registry: Upstream) -> Iterator[Served]:
    with serving(EXAMPLE, environment={"REGISTRY_URL": registry.url}) as running:
        yield running


def test_the_example_has_no_problems() -> None:
    environment = {"REGISTRY_URL": "http://127.0.0.1:1"}
    checked = check_capability(EXAMPLE, LoadOptions(environment=environment))
    assert (checked.problems, checked.missing) == ((), ())
    assert checked.plan is not None
    assert not checked.plan.disabled


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/xml", [{"imo": "9321483", "name": "Emma"}, {"imo": "9778791", "name": "Ane"}]),
        ("/csv", [{"imo": "1", "name": "Zoë"}]),
        ("/yaml", {"imo": 9321483, "afloat": True}),
        ("/html", [{"IMO": "9321483", "Name": "Emma M"}]),
        ("/markdown", "Mind the fog."),
        (
            "/avro",
            {"imo": "9321483", "length_m": 397.7, "built": "2006-05-18", "flag": None},
        ),
        ("/protobuf", [{"imo": "9321483", "tonnage": 5, "status": "AT_SEA"}]),
        ("/text", "grüß dich"),
    ],
)
def test_a_format(served: Served, path: str, value: object) -> None:
    answer = served.request("ships", "GET", path)
    assert (answer.status, answer.body) == (200, value)


STEPS = """
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - namespace: registry
      type: http
      baseUri: "{url}"
      resources:
        - name: a
          path: /answers
          operations:
            - {{name: xml, method: GET, path: /answers/xml, outputRawFormat: xml}}
            - {{name: csv, method: GET, path: /answers/csv, outputRawFormat: csv}}
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      resources:
        - path: /both
          operations:
            - method: GET
              name: both
              steps:
                - {{name: fleet, type: call, call: registry.xml}}
                - {{name: rows, type: call, call: registry.csv}}
              mappings:
                - {{targetName: first, value: "$.fleet.ship[0].name"}}
                - {{targetName: second, value: "$.rows[0].name"}}
        - path: /fleet
          operations:
            - method: GET
              name: fleet
              steps: [{{name: fleet, type: call, call: registry.xml}}]
              outputParameters: [{{type: object, mapping: $}}]
"""


def test_steps_read_what_is_no_json(registry: Upstream, tmp_path: Path) -> None:
    file = tmp_path / "steps.yaml"
    file.write_text(STEPS.format(url=registry.url), encoding="utf-8")
    with serving(file) as served:
        answer = served.request("rest", "GET", "/both")
        whole = served.request("rest", "GET", "/fleet")
    assert (answer.status, answer.body) == (200, {"first": "Emma", "second": "Zoë"})
    assert whole.body["ship"][0]["name"] == "Emma"  # JSON, as for an operation without steps


def test_without_a_mapping_the_bytes_pass_through(served: Served) -> None:
    answer = served.request("ships", "GET", "/xml-as-it-is")
    assert (answer.status, answer.body) == (200, XML.encode())
    assert answer.headers["content-type"] == "application/xml"


def test_a_photo(served: Served) -> None:
    answer = served.request("ships", "GET", "/photo")
    assert (answer.status, answer.body) == (200, b"\x89PNG\x00\xff")
    assert answer.headers["content-type"] == "image/png"


def call(registry: Upstream, operation: str, path: str, run: Run | None = None) -> Result:
    compiled = api(f"method: GET, {operation}", base=registry.url, path=f"/answers/{path}")
    assert compiled.codes == []

    async def once() -> Result:
        try:
            result = await compiled.operation().call({}, run or Run(inputs={}))
            await result.decoded()
            return result
        finally:
            await compiled.adapter.close()

    return asyncio.run(once())


def failure(registry: Upstream, operation: str, path: str, **run: Any) -> ConsumedError:
    with pytest.raises(ConsumedError) as caught:
        call(registry, operation, path, Run(inputs={}, **run))
    return caught.value


def test_a_large_answer_is_read_aside(registry: Upstream) -> None:
    result = call(registry, "outputRawFormat: csv", "csv-large")
    assert isinstance(result.value, list)
    assert len(result.value) == 40_000


def test_an_answer_of_another_format(registry: Upstream) -> None:
    error = failure(registry, "outputRawFormat: xml", "broken")
    assert (error.code, error.status) == ("unreadable-answer", 502)
    assert "`ns.op`" in error.message
    failure(registry, "outputRawFormat: XML", "empty")


def test_json_that_is_none(registry: Upstream) -> None:
    error = failure(registry, "outputRawFormat: json", "cut")
    assert (error.code, error.status) == ("unreadable-answer", 502)
    assert "`ns.op`" in error.message
    failed = call(registry, "outputRawFormat: json", "cut?status=404")
    assert (failed.failed, failed.value, failed.raw) == (True, MISSING, b'{"a":')
    another = call(registry, "outputRawFormat: json", "text")
    assert (another.value, another.decode) == (MISSING, None)


def test_failures_in_another_format(registry: Upstream) -> None:
    result = call(registry, "outputRawFormat: xml", "xml?status=500")
    assert (result.failed, result.value) == (True, {"error": "in JSON"})
    result = call(registry, "outputRawFormat: xml", "broken?status=404")
    assert (result.failed, result.value, result.raw) == (True, MISSING, b"<fleet>")
    result = call(registry, "outputRawFormat: xml", "xml?status=404")
    assert isinstance(result.value, dict)


def test_nothing_is_no_error(registry: Upstream) -> None:
    for status in (204, 404):
        result = call(registry, "outputRawFormat: xml", f"empty?status={status}")
        assert (result.value, result.raw) == (MISSING, b"")


def test_the_media_type_of_bytes(registry: Upstream) -> None:
    declared = "outputRawFormat: binary, outputMediaType: image/webp"
    assert call(registry, declared, "large").media_type == "image/webp"
    assert call(registry, declared, "text?status=404").media_type.startswith("text/plain")
    assert call(registry, "outputRawFormat: binary", "large").media_type == "image/gif"
    assert call(registry, "outputRawFormat: Binary", "untyped").media_type == (
        "application/octet-stream"
    )


def test_the_limit_of_bytes(registry: Upstream) -> None:
    error = failure(registry, "outputRawFormat: binary, maxBinarySize: 4999", "large")
    assert error.message == "Upstream response exceeded maxBinarySize (limit=4999 bytes)"
    assert call(registry, "outputRawFormat: binary, maxBinarySize: 5000", "large").raw is not None
    error = failure(registry, "outputRawFormat: binary", "large", max_binary_bytes=10)
    assert error.message.endswith("(limit=10 bytes)")
    limited = Run(inputs={}, max_binary_bytes=10)
    operation = "outputRawFormat: binary, maxBinarySize: 1MiB"
    assert len(call(registry, operation, "large", limited).raw or b"") == 5000


def test_raw_bytes_have_no_value(registry: Upstream) -> None:
    result = call(registry, "outputRawFormat: raw", "yaml")
    assert (result.value, result.raw, result.decode) == (MISSING, ANSWERS["yaml"][0], None)

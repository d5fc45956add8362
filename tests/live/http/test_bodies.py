"""Request bodies of every type, as a real upstream gets them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_multipart import FormParser

from naftiko.errors import ConsumedError, InputError
from naftiko.plan.clients import LeftOut
from naftiko.plan.run import Run
from naftiko.values import JsonValue
from tests.case_files import ROOT
from tests.live.http.upstream import Upstream
from tests.live.serving import serving
from tests.unit.consumes.http.apis import Api, api

EXAMPLE = ROOT / "docs/examples/formats.yaml"
HOSTILE = "{{7*7}} {% if 1 %}x{% endif %} <x>&ent;</x> \"q' \\u0022 \r\n--b\r\n %00 ä"
"""A value that would be something else in every format, if it were not escaped."""


def send(compiled: Api, upstream: Upstream, arguments: Mapping[str, JsonValue]) -> dict[str, Any]:
    async def once() -> None:
        try:
            await compiled.operation().call(arguments, Run(inputs={}))
        finally:
            await compiled.adapter.close()

    asyncio.run(once())
    return upstream.last


def parts(seen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a form as another library reads them."""
    boundary = seen["headers"]["content-type"].partition("boundary=")[2]
    found: list[dict[str, Any]] = []

    def on_field(item: Any) -> None:
        found.append({"name": item.field_name.decode(), "value": item.value})

    def on_file(item: Any) -> None:
        item.file_object.seek(0)
        content = item.file_object.read()
        name, filename = item.field_name.decode(), item.file_name.decode()
        found.append({"name": name, "filename": filename, "value": content})
        item.close()

    parser = FormParser("multipart/form-data", on_field, on_file, boundary=boundary)
    parser.write(seen["bytes"])
    parser.finalize()
    parser.close()
    return found


BODIES = {
    "json": '{type: json, data: {v: "{{v}}"}}',
    "json as text": '\'{"v": "{{v}}"}\'',
    "text": '{type: text, data: "<{{v}}>"}',
    "xml": '{type: xml, data: "<r a=\\"{{v}}\\">{{v}}</r>"}',
    "sparql": "{type: sparql, data: 'SELECT ?s WHERE { ?s ?p \"{{v}}\" }'}",
    "form": '{type: formUrlEncoded, data: {v: "{{v}}"}}',
    "form as text": '{type: formUrlEncoded, data: "v={{v}}&w=1"}',
    "multipart": '{type: multipartForm, data: [{name: v, value: "{{v}}"}]}',
    "raw": '{type: raw, data: "{{v}}"}',
}


def arrived(kind: str, seen: Mapping[str, Any]) -> str:
    """Return the value as whoever gets the body reads it."""
    body = seen["bytes"].decode()
    match kind.split()[0]:
        case "json":
            return str(json.loads(body)["v"])
        case "text":
            return str(body[1:-1])
        case "xml":
            root = ElementTree.fromstring(body)  # noqa: S314  # our own body
            assert root.get("a") == (root.text or "")
            return root.text or ""
        case "sparql":
            literal = re.fullmatch(r'SELECT \?s WHERE \{ \?s \?p "((?:[^"\\\n\r]|\\.)*)" \}', body)
            assert literal is not None, body
            return re.sub(r"\\(.)", _unescaped, literal[1])
        case "form":
            return parse_qs(body, keep_blank_values=True, strict_parsing=True)["v"][0]
        case "multipart":
            (part,) = parts(seen)
            return str((part["value"] or b"").decode())
        case _:
            return str(body)


def _unescaped(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}.get(match[1], match[1])


@pytest.mark.parametrize("kind", BODIES)
def test_a_value_is_never_run(kind: str, upstream: Upstream) -> None:
    compiled = api(f"method: POST, body: {BODIES[kind]}", base=upstream.url)
    assert compiled.codes == []
    assert arrived(kind, send(compiled, upstream, {"v": HOSTILE})) == HOSTILE


@pytest.mark.parametrize("kind", BODIES)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(value=st.text(max_size=30))
def test_any_text_arrives_or_is_refused(kind: str, upstream: Upstream, value: str) -> None:
    compiled = api(f"method: POST, body: {BODIES[kind]}", base=upstream.url)
    try:
        seen = send(compiled, upstream, {"v": value})
    except InputError:
        assert any(
            ord(char) < 32 or char in "\ufffe\uffff" or "\ud800" <= char < "\ue000"
            for char in value
        )
        return
    assert arrived(kind, seen) == value


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(value=st.text(min_size=1, max_size=30))
def test_path_segments_come_back(upstream: Upstream, value: str) -> None:
    compiled = api("method: GET", base=upstream.url, path="/v1/{id}/end")
    try:
        seen = send(compiled, upstream, {"id": value})
    except InputError:
        assert value in (".", "..") or any("\ud800" <= char < "\ue000" for char in value)
        return
    first, middle, last = seen["path"].removeprefix("/").split("/")
    assert (first, unquote(middle, errors="strict"), last) == ("v1", value, "end")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ("{type: text, data: x}", "text/plain; charset=utf-8"),
        ("{type: xml, data: <x/>}", "application/xml"),
        ("{type: sparql, data: ASK}", "application/sparql-query"),
        ("{type: form, data: {a: b}}", "application/x-www-form-urlencoded"),
        ("{type: raw, data: x}", "application/octet-stream"),
        ("{type: raw, data: x, contentType: image/png}", "image/png"),
        ("{type: xml, data: <x/>, contentType: application/soap+xml}", "application/soap+xml"),
        ("{type: json, data: {a: 1}, contentType: application/ld+json}", "application/ld+json"),
    ],
)
def test_media_types(body: str, media_type: str, upstream: Upstream) -> None:
    seen = send(api(f"method: POST, body: {body}", base=upstream.url), upstream, {})
    assert seen["headers"]["content-type"] == media_type


def test_a_multipart_form(upstream: Upstream) -> None:
    compiled = api(
        "method: POST, inputParameters: [{name: extra, in: body}, "
        "{name: Content-Type, in: header, value: multipart/form-data}], "
        "body: {type: multipartForm, data: ["
        "{name: one, value: '{{one}}'}, {name: tags, value: '{{tags}}'}, "
        "{name: none, value: '{{none}}'},"
        "{name: meta, value: {a: '{{one}}'}}, {name: doc, value: '{{one}}', filename: '{{name}}'},"
        "{name: pic, value: '{{pic}}', encoding: base64, filename: p.png, contentType: image/webp},"
        "{name: license, file: ./LICENSE}]}",
        base=upstream.url,
    )
    assert compiled.codes == []
    arguments: dict[str, JsonValue] = {
        "one": 1,
        "tags": ["a", "b"],
        "name": 'x"\r\ny.txt',
        "pic": base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
        "extra": "e",
    }
    seen = send(compiled, upstream, arguments)
    assert seen["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    assert parts(seen) == [
        {"name": "one", "value": b"1"},
        {"name": "tags", "value": b"a"},
        {"name": "tags", "value": b"b"},
        {"name": "meta", "value": b'{"a":1}'},
        {"name": "doc", "filename": "x%22%0D%0Ay.txt", "value": b"1"},
        {"name": "pic", "filename": "p.png", "value": b"\xff\xfe\xfd"},
        {"name": "license", "filename": "LICENSE", "value": (ROOT / "LICENSE").read_bytes()},
        {"name": "extra", "value": b"e"},
    ]
    for media_type in (b"image/webp", b"text/plain", b"application/json", b"octet-stream"):
        assert media_type in seen["bytes"]
    again = send(compiled, upstream, arguments)
    assert again["headers"]["content-type"] != seen["headers"]["content-type"]


def test_a_multipart_form_of_the_arguments(upstream: Upstream) -> None:
    seen = send(
        api("method: POST, body: {type: multipart}", base=upstream.url), upstream, {"a": "x"}
    )
    assert parts(seen) == [{"name": "a", "value": b"x"}]
    compiled = api(
        "method: POST, body: {type: multipart, data: {a: '{{a}}', b: 2}}", base=upstream.url
    )
    assert parts(send(compiled, upstream, {"a": "x"})) == [
        {"name": "a", "value": b"x"},
        {"name": "b", "value": b"2"},
    ]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("{type: raw, data: '{{v}}', encoding: base64}", {"v": "no base64!"}),
        ("{type: raw, data: '{{v}}', encoding: base64}", {"v": 5}),
        (
            "{type: multipartForm, data: [{name: a, value: '{{v}}', contentType: '{{t}}'}]}",
            {"v": "x", "t": "a\r\nb: c"},
        ),
        ("{type: sparql, data: 'ASK { ?s ?p {{v}} }'}", {"v": "1 } ; DROP ALL"}),
        ("{type: xml, data: '<a>{{v}}</a>'}", {"v": "\x00"}),
    ],
)
def test_arguments_that_fit_no_body(
    operation: str, arguments: dict[str, JsonValue], upstream: Upstream
) -> None:
    compiled = api(f"method: POST, body: {operation}", base=upstream.url)
    with pytest.raises(InputError):
        send(compiled, upstream, arguments)
    assert upstream.requests == []


def test_bytes(upstream: Upstream) -> None:
    compiled = api(
        "method: POST, body: {type: raw, data: '{{v}}', encoding: base64}", base=upstream.url
    )
    assert send(compiled, upstream, {"v": "AP/+"})["bytes"] == b"\x00\xff\xfe"
    compiled = api(
        "method: POST, body: {type: raw, data: AP/+, encoding: base64}", base=upstream.url
    )
    assert send(compiled, upstream, {})["bytes"] == b"\x00\xff\xfe"
    compiled = api("method: POST, body: {type: raw, file: LICENSE}", base=upstream.url)
    assert send(compiled, upstream, {})["bytes"] == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize(
    ("query", "value", "sent"),
    [
        ("ASK { ?s ?p '{{v}}' }", "it's", "ASK { ?s ?p 'it\\'s' }"),
        ('ASK { ?s ?p """a "{{v}}" """ }', '"""', 'ASK { ?s ?p """a "\\"\\"\\"" """ }'),
        ("ASK { <urn:x:{{v}}> ?p ?o }", "a> b", "ASK { <urn:x:a%3E%20b> ?p ?o }"),
        ("ASK { ?s ?p ?o FILTER(?o < {{v}}) }", 1.5, "ASK { ?s ?p ?o FILTER(?o < 1.5) }"),
        ("ASK { ?s ?p {{v}} }", "ex:ship-1", "ASK { ?s ?p ex:ship-1 }"),
        ("# {{v}}\nASK {}", "a\nDROP ALL", "# a DROP ALL\nASK {}"),
        ("ASK { ?s ?p \"<\", '{{v}}' }", "'>", "ASK { ?s ?p \"<\", '\\'>' }"),
        ('ASK { ?s ?p "\\"", {{v}} }', 1, 'ASK { ?s ?p "\\"", 1 }'),
        ("ASK { ?s ?p '', {{v}} }", 1, "ASK { ?s ?p '', 1 }"),
    ],
)
def test_where_a_value_stands_in_a_query(
    query: str, value: JsonValue, sent: str, upstream: Upstream
) -> None:
    compiled = api(
        f"method: POST, body: {{type: sparql, data: {json.dumps(query)}}}", base=upstream.url
    )
    assert compiled.codes == []
    assert send(compiled, upstream, {"v": value})["body"] == sent


def test_every_level_and_place_of_parameters(upstream: Upstream) -> None:
    compiled = api(
        "method: POST, path: '/v/{id}/{fixed}', inputParameters: ["
        "{name: id, in: path}, {name: q, in: query}, {name: X-O, in: header, value: 'o-{{id}}'}, "
        "{name: level, in: query, value: operation}, {name: field, in: body}, "
        "{name: made, in: body, value: '{{id}}-{{PLANT}}'}]",
        base=upstream.url,
        path="/unused",
        resource="inputParameters: [{name: fixed, in: path, value: f x}, {name: level, in: query, "
        "value: resource}, {name: X-R, in: header}, {name: c, in: cookie, value: 'c-{{id}}'}, "
        "{name: r, in: body}]",
        extra="inputParameters: [{name: PLANT, in: environment}, {name: X-C, in: header, "
        "value: '{{PLANT}}'}, {name: level, in: query, value: api}, {name: top, in: query}, "
        "{name: session, in: cookie}]",
        environment={"PLANT": "north"},
    )
    assert compiled.codes == []
    seen = send(
        compiled,
        upstream,
        {"id": "7/8", "q": [1, 2], "X-R": "r", "session": "s", "field": {"a": 1}, "r": 2}
        | {"PLANT": "forged", "level": "forged", "rest": True, "top": "t&u"},
    )
    headers = seen["headers"]
    assert seen["path"] == "/v/7%2F8/f%20x"
    assert sorted(seen["query"].split("&")) == ["level=operation", "q=1", "q=2", "top=t%26u"]
    assert (headers["x-o"], headers["x-r"], headers["x-c"]) == ("o-7/8", "r", "north")
    assert sorted(headers["cookie"].split("; ")) == ["c=c-7/8", "session=s"]
    assert json.loads(seen["body"]) == {
        "field": {"a": 1},
        "made": "7/8-north",
        "r": 2,
        "rest": True,
    }


def test_the_bodies_of_the_example(upstream: Upstream) -> None:
    inputs = {"imo": "9321483", "name": 'Emma "M" <&>', "limit": 3, "photo": "AP/+"}
    takes = {
        "query": ("imo", "name", "limit"),
        "files": ("imo", "name", "photo"),
        "photo": ("photo",),
    }
    with serving(EXAMPLE, environment={"REGISTRY_URL": upstream.url}) as served:

        def sent(path: str) -> dict[str, Any]:
            names = takes.get(path.removeprefix("/send-"), ("imo", "name"))
            answer = served.request("ships", "POST", path, {name: inputs[name] for name in names})
            assert answer.status == 200, answer.body
            return upstream.last

        root = ElementTree.fromstring(sent("/send-xml")["body"])  # noqa: S314  # our own body
        assert (root.get("imo"), root.findtext("name")) == ("9321483", inputs["name"])
        assert parse_qs(sent("/send-form")["body"]) == {
            "imo": ["9321483"],
            "name": [inputs["name"]],
        }
        assert sent("/send-query")["body"] == (
            'SELECT ?ship WHERE { ?ship :name "Emma \\"M\\" <&>" ; '
            ":imo <urn:imo:9321483> } LIMIT 3\n"
        )
        found = {part["name"]: part["value"] for part in parts(sent("/send-files"))}
        assert found["certificate"].startswith(b"IMO 9321483")
        assert (found["photo"], json.loads(found["details"])) == (
            b"\x00\xff\xfe",
            {"name": inputs["name"]},
        )
        seen = sent("/send-photo")
        assert (seen["bytes"], seen["headers"]["content-type"]) == (b"\x00\xff\xfe", "image/png")


def test_a_file_that_is_not_there(upstream: Upstream) -> None:
    compiled = api("method: POST, body: {type: raw, file: ./LICENCE}", base=upstream.url)
    with pytest.raises(LeftOut) as caught:
        compiled.operation()
    assert (caught.value.problem.code, caught.value.problem.hint) == (
        "file-not-found",
        "did you mean `LICENSE`?",
    )


def test_a_refused_body_sends_nothing(upstream: Upstream) -> None:
    compiled = api("method: POST, body: {type: sparkle, data: x}", base=upstream.url)
    with pytest.raises(ConsumedError, match="no type of a body"):
        send(compiled, upstream, {})
    assert upstream.requests == []

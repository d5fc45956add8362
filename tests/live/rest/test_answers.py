"""Answers in bytes, pages of other origins, and where inputs are read from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn  # noqa: F401  # the upstream needs it anyway
from starlette.requests import Request  # noqa: TC002
from starlette.responses import Response

from tests.live.http.upstream import Upstream
from tests.live.serving import Served, serving

EXAMPLE = Path("docs/examples/pictures.yaml")
APP = "https://app.example.com"


class Pictures(Upstream):
    """Answers with as many bytes as the path names."""

    async def _echo(self, request: Request) -> Response:
        await self._note(request)
        name = request.path_params["path"].rpartition("/")[2]
        if not name.isdigit():
            return Response(b"\x89PNG", 404, media_type="text/plain")
        response = Response(b"\x89" * int(name))
        if "untyped" not in request.headers.get("x-case", ""):
            response.headers["content-type"] = "image/gif"
        return response


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    import tests.live.http.upstream as upstreams

    former = upstreams.Upstream
    upstreams.Upstream = Pictures  # type: ignore[misc]
    try:
        with upstreams.running_upstream() as upstream:
            environment = {"PICTURES_URL": upstream.url}
            with serving(EXAMPLE, environment=environment) as found:
                yield found
    finally:
        upstreams.Upstream = former  # type: ignore[misc]


def get(served: Served, path: str, method: str = "GET", **headers: str) -> Any:
    parts = urlsplit(next(iter(served.urls.values())))
    connection = HTTPConnection("127.0.0.1", parts.port or 0, timeout=20)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=sent)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "status", "media_type"),
    [
        ("/pictures/10", 200, "image/png"),  # declared in `responses`
        ("/plain/10", 203, "image/png"),  # declared in `responseBinary`
        ("/typed/10", 200, "image/webp"),  # `outputMediaType` of the operation goes first
        ("/untyped/10", 200, "image/gif"),  # the API's own
        ("/typed/1500", 200, "image/webp"),  # the operation's limit goes before the adapter's
        ("/pictures/none", 404, "text/plain; charset=utf-8"),
    ],
)
def test_media_type_and_status(served: Served, path: str, status: int, media_type: str) -> None:
    found, headers, body = get(served, path)
    assert (found, headers["content-type"]) == (status, media_type)
    assert body.startswith(b"\x89")


@pytest.mark.parametrize("path", ["/pictures/1500", "/plain/1500", "/typed/3000"])
def test_the_largest_answer(served: Served, path: str) -> None:
    status, _, body = get(served, path)
    assert status == 500
    assert "maxBinarySize" in json.loads(body)["detail"]


def test_openapi_documents_the_bytes(served: Served) -> None:
    paths = json.loads(get(served, "/openapi.json")[2])["paths"]
    assert "image/png" in paths["/pictures/{id}"]["get"]["responses"]["200"]["content"]
    answers = paths["/plain/{id}"]["get"]["responses"]
    assert answers["203"]["description"] == "The picture"
    assert "200" not in answers


def test_pages_of_the_named_origin(served: Served) -> None:
    status, headers, _ = get(served, "/pictures/1", Origin=APP)
    assert (status, headers["access-control-allow-origin"]) == (200, APP)
    status, headers, _ = get(
        served,
        "/pictures/1",
        "OPTIONS",
        Origin=APP,
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="x-a",
    )
    assert (status, headers["access-control-allow-origin"]) == (200, APP)
    assert headers["access-control-max-age"] == "300"
    assert get(served, "/pictures/1", Origin="https://evil.example")[0] == 403


ECHO = """
naftiko: "1.0.0-alpha3"
capability:
  exposes:
    - type: rest
      namespace: echo
      port: 8080
      resources:
        - path: /{a}
          name: echo
          operations:
            - method: POST
              name: one
              inputParameters:
                - { name: a, in: path, type: string, description: a }
                - { name: c, in: cookie, type: integer, description: c }
                - { name: k, in: query, type: string, value: fixed, description: k }
                - { name: b, in: body, type: object, description: b }
              outputParameters:
                - { name: a, type: string, value: "{{a}}" }
                - { name: c, type: number, value: "{{c}}" }
                - { name: k, type: string, value: "{{k}}" }
                - { name: b, type: string, value: "{{b.x}}" }
"""


def test_places_of_inputs(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(ECHO, encoding="utf-8")
    with serving(file) as found:
        answer = found.request("echo", "POST", "/a%2Fb%20c", {"x": "whole"}, cookie="c=5; d=6")
        assert (answer.status, answer.body) == (
            200,
            {"a": "a/b c", "c": 5, "k": "fixed", "b": "whole"},
        )
        answer = found.request("echo", "POST", "/x", {"b": {"x": "field"}}, cookie="c=z")
        assert (answer.status, answer.body["errors"][0]["in"]) == (400, "cookie")
        answer = found.request("echo", "OPTIONS", "/x")
        assert (answer.status, answer.headers["allow"]) == (204, "OPTIONS, POST")
        assert found.request("echo", "GET", "/x").status == 405

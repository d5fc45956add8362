"""Pages of an API that never end take a bounded amount of memory."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from naftiko.consumes.http.paging import MAX_HELD_BYTES
from tests.live.peers import running_app
from tests.live.serving import serving

CAPABILITY = """
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "URL"
      resources:
        - name: p
          path: /p
          operations:
            - name: list
              method: GET
              paginate: {type: cursor, items: $.items, next: $.next, parameter: cursor}
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      resources: [{path: /p, operations: [{name: list, method: GET, call: api.list}]}]
"""
TEXT = "a" * 8_000_000


def test_pages_that_never_end(tmp_path: Path) -> None:
    numbers = count(1)

    async def page(_request: Request) -> Response:
        return JSONResponse({"items": [TEXT], "next": f"t{next(numbers)}"})

    file = tmp_path / "c.yaml"
    with running_app(Starlette(routes=[Route("/p", page)])) as port:
        file.write_text(CAPABILITY.replace("URL", f"http://127.0.0.1:{port}"))
        with serving(file) as served:
            answer = served.request("rest", "GET", "/p")

    assert answer.status == 200
    assert answer.headers["x-truncated"] == "true"
    assert len(answer.body["items"]) == MAX_HELD_BYTES // len(TEXT) + 1
    assert answer.body["next"] == f"t{next(numbers) - 1}"  # from here a caller can go on

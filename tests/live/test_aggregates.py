"""Functions of aggregates behind routes and tools, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from naftiko.plan.capability import RestAdapterPlan
from tests.case_files import ROOT
from tests.live.serving import Served, serving
from tests.live.shop import call_tool, list_tools, running_shop

EXAMPLE = ROOT / "docs/examples/aggregates.yaml"


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with running_shop() as url:
        yield url


@pytest.fixture(scope="module")
def served(shop: str) -> Iterator[Served]:
    with serving(EXAMPLE, environment={"SHOP_API_URL": shop}) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/orders?state=open", 200, ["o-1", "o-3", "o-4"]),
        ("GET", "/orders?state=open&limit=1", 200, ["o-1"]),
        ("GET", "/open-orders?limit=2", 200, ["o-1", "o-3"]),
        ("GET", "/orders/o-2", 200, {"id": "o-2", "state": "sent"}),
        ("GET", "/orders/o-9", 404, {"message": "no order o-9"}),
        ("DELETE", "/orders/o-1", 200, {"state": "cancelled"}),
        ("DELETE", "/orders/o-2", 200, {"state": "sent"}),
    ],
)
def test_routes_run_the_function_they_refer_to(
    served: Served, method: str, path: str, status: int, body: object
) -> None:
    """A mapped answer is 200 whatever the API said (behaviour reference, section 5.6)."""
    answer = served.request("shop-rest", method, path)

    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(
    ("name", "arguments", "failed", "value"),
    [
        ("find-orders", {"state": "open"}, False, ["o-1", "o-3", "o-4"]),
        ("get-order", {"id": "o-2"}, False, {"id": "o-2", "state": "sent"}),
        ("get-order", {"id": "o-9"}, True, {"message": "no order o-9"}),
        ("cancel-order", {"id": "o-2"}, True, {"state": "sent"}),
        ("orders-to-send", {"count": 2}, False, ["o-1", "o-3"]),
        ("orders-to-send", {}, False, ["o-1", "o-3", "o-4"]),
    ],
)
def test_tools_run_the_function_they_refer_to(
    served: Served, name: str, arguments: dict[str, object], failed: bool, value: object
) -> None:
    was_failed, text = call_tool(served, "shop-tools", name, arguments)

    assert (was_failed, json.loads(text)) == (failed, value)


def test_inputs_of_the_function_are_enforced_for_both(served: Served) -> None:
    route = served.request("shop-rest", "GET", "/orders?state=lost&limit=1000")
    failed, text = call_tool(served, "shop-tools", "find-orders", {"state": "lost", "limit": 1000})

    assert route.status == 400
    assert {item["name"] for item in route.body["errors"]} == {"state", "limit"}
    assert failed
    assert "must be one of" in text


def test_what_with_passes_is_held_against_the_function_too(served: Served) -> None:
    failed, text = call_tool(served, "shop-tools", "orders-to-send", {"count": 1000})

    assert failed
    assert "must be at most 100" in text


def test_tools_inherit_description_inputs_and_hints(served: Served) -> None:
    tools = list_tools(served, "shop-tools")

    found = tools["find-orders"]
    assert found["description"] == "The orders in a state, the newest first."
    assert found["inputSchema"]["required"] == ["state"]
    assert found["inputSchema"]["properties"]["limit"] == {
        "type": "integer",
        "maximum": 100,
        "description": "At most so many.",
        "default": 10,
    }
    assert {
        name: {key: value for key, value in tool["annotations"].items() if key.endswith("Hint")}
        for name, tool in tools.items()
    } == {
        "find-orders": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
        "get-order": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
        "cancel-order": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True},
        "orders-to-send": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
    }
    assert set(tools["orders-to-send"]["inputSchema"]["properties"]) == {"count"}


TWO_AGGREGATES = """
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "{url}"
      resources: [{{name: e, path: "/echo/{{who}}", operations: [{{name: get, method: GET}}]}}]
  aggregates:
    - namespace: one
      functions: [{{name: f, description: f, inputParameters: [{{name: x, type: string}}],
                    call: api.get, with: {{who: one.x}}}}]
    - namespace: two
      functions: [{{name: f, description: f, inputParameters: [{{name: x, type: string}}],
                    call: api.get, with: {{who: "two-{{{{two.x}}}}"}}}}]
  exposes:
    - type: rest
      namespace: r
      port: 8080
      resources:
        - {{path: "/one/{{x}}", operations: [{{method: GET, ref: one.f}}]}}
        - {{path: "/two/{{x}}", operations: [{{method: GET, ref: two.f}}]}}
"""


def test_runs_at_once_keep_their_own_namespace(shop: str, tmp_path: Path) -> None:
    """The reference engine keeps the current namespace in one field (section 5.6)."""
    file = tmp_path / "two.yaml"
    file.write_text(TWO_AGGREGATES.format(url=shop))

    with serving(file) as running, ThreadPoolExecutor(8) as pool:
        wanted = [(f"/{kind}/{n}", n) for n in range(60) for kind in ("one", "two")]
        answers = list(pool.map(lambda item: running.request("r", "GET", item[0]), wanted))

    for (path, n), answer in zip(wanted, answers, strict=True):
        expected = f"/echo/{n}" if path.startswith("/one") else f"/echo/two-{n}"
        assert answer.body["path"] == expected


PLACES = """
ikanos: "1.0.0-beta5"
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "{url}"
      resources:
        e:
          path: "/echo/{{who}}"
          operations:
            send: {{method: POST}}
  aggregates:
    - namespace: people
      flows:
        greet:
          description: Greet somebody.
          inputParameters:
            who: {{type: string, description: Who.}}
            times: {{type: integer, description: How often., required: false, default: 1}}
          call: api.send
          with: {{times: people.times}}
        fixed:
          description: Nothing is called.
          inputParameters: {{name: {{type: string, description: Name.}}}}
          outputParameters: {{greeting: {{type: string, value: "hello {{{{people.name}}}}"}}}}
        again:
          description: A function of a function.
          inputParameters: {{name: {{type: string, description: Name.}}}}
          ref: people.fixed
  exposes:
    - type: rest
      namespace: r
      port: 8080
      resources:
        greet:
          path: "/greet/{{who}}"
          operations: {{greet: {{method: POST, ref: people.greet}}}}
        fixed:
          path: "/fixed"
          operations: {{fixed: {{method: GET, ref: people.fixed}}}}
        bob:
          path: "/bob"
          operations: {{bob: {{method: GET, ref: people.again, with: {{name: Bob}}}}}}
"""


@pytest.fixture(scope="module")
def people(shop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    file = tmp_path_factory.mktemp("people") / "people.yaml"
    file.write_text(PLACES.format(url=shop))
    with serving(file) as running:
        yield running


def test_a_route_inherits_inputs_path_first_then_body(people: Served) -> None:
    answer = people.request("r", "POST", "/greet/ann", {"times": 3})

    assert answer.body == {"path": "/echo/ann", "query": {}, "body": {"times": 3}}
    assert people.request("r", "POST", "/greet/ann", {}).body["body"] == {"times": 1}


def test_functions_may_answer_without_a_call_and_refer_to_others(people: Served) -> None:
    assert people.request("r", "GET", "/fixed?name=Ann").body == {"greeting": "hello Ann"}
    assert people.request("r", "GET", "/bob").body == {"greeting": "hello Bob"}


def test_explain_and_inspect_show_what_the_function_calls(served: Served) -> None:
    adapter = served.capability.plan.adapters[0]
    assert isinstance(adapter, RestAdapterPlan)
    (operation,) = (
        item.operation
        for route in adapter.routes
        for item in route.operations
        if route.path == "/open-orders"
    )

    assert list(operation.plan.calls) == ["shop-api.search"]
    lines = [line.strip() for line in operation.plan.explain()]
    assert lines[:3] == ["ref shop.find-orders", "state = open", "under their own names: limit"]
    assert "call shop-api.search" in lines


PHOTOS = """
ikanos: "1.0.0-beta5"
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: "{url}"
      resources:
        photo:
          path: "/photos/{{id}}"
          operations: {{get: {{method: GET, outputRawFormat: binary}}}}
  aggregates:
    - namespace: photos
      flows:
        get-photo:
          description: A photo.
          outputMediaType: image/jpeg
          inputParameters: {{id: {{type: string, description: Number.}}}}
          call: api.get
  exposes:
    - type: rest
      namespace: r
      port: 8080
      resources:
        photo: {{path: "/photo/{{id}}", operations: {{get: {{ref: photos.get-photo}}}}}}
"""


def test_a_flow_names_the_media_type_of_its_bytes_but_not_of_errors(
    shop: str, tmp_path: Path
) -> None:
    """Row 45 of the behaviour reference, section 15."""
    file = tmp_path / "photos.yaml"
    file.write_text(PHOTOS.format(url=shop))

    with serving(file) as running:
        photo = running.request("r", "GET", "/photo/1")
        lost = running.request("r", "GET", "/photo/lost")

    assert (photo.status, photo.body) == (200, b"\xff\xd8jpeg")
    assert photo.headers["content-type"] == "image/jpeg"
    assert (lost.status, lost.body) == (404, {"message": "lost"})

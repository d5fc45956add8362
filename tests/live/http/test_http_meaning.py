"""What exposed operations mean where public documents leave it open: small ones, run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.http.upstream import Upstream, decoded, running_upstream
from tests.live.serving import Served, serving

DOCUMENT = """
naftiko: "1.0.0-alpha3"
binds: [{namespace: env, keys: {API_VERSION: API_VERSION}}]
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: UPSTREAM
      resources:
        - name: zones
          path: /zones/{zoneId}/{kind}
          operations:
            - name: zone
              inputParameters:
                - {name: filter.status, in: query}
                - {name: "filter[kind]", in: query}
        - name: things
          path: /things
          operations:
            - {name: add, method: POST, inputParameters: [{name: body, in: body, type: object}]}
            - {name: put, method: PUT}
  exposes:
    - type: rest
      namespace: r
      port: 8080
      resources:
        - path: /zones/{zone-id}/{unknown}
          operations:
            - name: zone
              call: api.zone
              with:
                kind: "{{kind}}"
                filter.status: rest.filter.status
                filter[kind]: rest.filter[kind]
        - path: /declared/{zoneId}
          operations:
            - name: declared
              call: api.zone
              inputParameters:
                - {name: session, in: cookie, type: string, description: d}
                - {name: region, in: environment, type: string, description: d}
              with: {kind: r.session, filter.status: r.status}
        - path: /things
          operations:
            - {method: POST, name: add, call: api.add, with: {body: rest.body}}
            - method: PUT
              name: put
              call: api.put
              inputParameters:
                - {name: version, in: query, type: integer, description: d, value: "3"}
                - {name: api, in: query, type: string, description: d, value: "v{{API_VERSION}}"}
                - {name: text, in: body, type: string, description: d, value: "{{as it stands}}"}
                - {name: who, in: body, type: string, description: d, value: $.user.name}
                - {name: first, in: body, type: integer, description: d, value: "$.list[0]"}
"""


@pytest.fixture(scope="module")
def served(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("meaning") / "capability.yaml"
    path.write_text(DOCUMENT.replace("UPSTREAM", upstream.url), encoding="utf-8")
    with serving(path, environment={"API_VERSION": "7", "region": "north"}) as running:
        yield running


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


def problems(served: Served, code: str) -> list[str]:
    return [item.message for item in served.capability.problems if item.code == code]


def test_a_path_variable_fills_the_parameter_of_another_spelling(
    served: Served, upstream: Upstream
) -> None:
    answer = served.request("r", "GET", "/zones/a%2Fb/x?kind=land")
    assert answer.status == 200, answer.body
    assert upstream.last["path"] == "/zones/a%2Fb/land"
    assert problems(served, "bound-by-spelling") == [
        "`{zone-id}` in the path of `zone` fills `zoneId` of `api.zone`, as nothing else does"
    ]
    assert not problems(served, "unused-path-variable")


def test_names_with_dots_and_brackets_are_passed_on(served: Served, upstream: Upstream) -> None:
    answer = served.request("r", "GET", "/zones/a/x?kind=l&filter.status=on&filter%5Bkind%5D=k")
    assert answer.status == 200, answer.body
    assert upstream.last["query"] == "filter.status=on&filter%5Bkind%5D=k"


def test_what_with_passes_on_or_the_call_requires_may_be_given(
    served: Served, upstream: Upstream
) -> None:
    answer = served.request("r", "GET", "/declared/z?status=on", Cookie="session=s")
    assert answer.status == 200, answer.body
    assert (upstream.last["path"], upstream.last["query"]) == ("/zones/z/s", "filter.status=on")
    assert problems(served, "undeclared-input") == [
        "`declared` does not declare the input `status`, which `with` passes on; callers may give "
        "it all the same"
    ]


def test_an_input_that_fills_what_the_call_requires_is_asked_for_by_its_name(
    served: Served,
) -> None:
    answer = served.request("r", "GET", "/declared/z")
    assert (answer.status, answer.body["detail"]) == (400, "`session` is required")


@pytest.mark.parametrize("body", [{"a": 1, "b": [2]}, {"body": {"a": 1, "b": [2]}}])
def test_rest_body_is_the_body_or_its_member_of_that_name(
    served: Served, upstream: Upstream, body: dict[str, Any]
) -> None:
    answer = served.request("r", "POST", "/things", body)
    assert answer.status == 200, answer.body
    assert decoded(upstream.last["body"]) == {"a": 1, "b": [2]}


def test_values_given_in_the_file_win_and_paths_lead_into_the_body(
    served: Served, upstream: Upstream
) -> None:
    body = {"user": {"name": "Ann"}, "list": [5, 6], "text": "mine", "more": True}
    answer = served.request("r", "PUT", "/things?version=9", body)
    assert answer.status == 200, answer.body
    assert decoded(upstream.last["body"]) == {
        "version": 3,
        "api": "v7",
        "text": "{{as it stands}}",
        "who": "Ann",
        "first": 5,
    }


def test_what_a_path_finds_is_checked(served: Served) -> None:
    answer = served.request("r", "PUT", "/things", {"list": ["five"]})
    assert answer.status == 400
    assert answer.body["errors"] == [
        {"name": "first", "in": "body", "message": '`first` must be integer, found "five"'}
    ]
    assert served.request("r", "PUT", "/things", [1]).status == 200


def test_openapi_describes_what_callers_give(served: Served) -> None:
    paths = served.request("r", "GET", "/openapi.json").body["paths"]
    assert "parameters" not in paths["/things"]["put"]
    assert paths["/things"]["put"]["requestBody"]["content"]["application/json"]["schema"] == {}
    assert paths["/things"]["post"]["requestBody"]["content"]["application/json"]["schema"] == {
        "type": "object"
    }

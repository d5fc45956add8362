"""Paths: which route a raw path leads to, and what its variables hold."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.exposes.problem import RequestError
from naftiko.exposes.rest.router import Router, decode, plain_path, variables

ROUTES = [
    "/",
    "/v1/state-machines",
    "/v1/state-machines/{arn}/describe",
    "/v1/executions/{arn}",
    "/v1/executions/{arn}/describe",
    "/v1/executions/latest/describe",
    "/v1/executions/{arn}/events/{id}",
    "/v1/files/{path}",
    "/v1/files/index/{name}.json",
    "/v1/{kind}/{id}/tags/{{key}}",
    "/reports/{year}-{month}",
]
MAP_RUN = "arn:aws:states:us-east-1:123456789012:mapRun:m/l:uuid"


@pytest.fixture(scope="module")
def router() -> Router[str]:
    made: Router[str] = Router()
    for path in ROUTES:
        made.add(path, path)
    return made


@pytest.mark.parametrize(
    ("raw", "route", "values"),
    [
        ("/", "/", []),
        ("/v1/state-machines", "/v1/state-machines", []),
        ("/v1/state%2Dmachines", "/v1/state-machines", []),
        ("/v1/executions/a%2Fb/describe", "/v1/executions/{arn}/describe", ["a/b"]),
        ("/v1/executions/latest/describe", "/v1/executions/latest/describe", []),
        ("/v1/executions/older/describe", "/v1/executions/{arn}/describe", ["older"]),
        (f"/v1/executions/{MAP_RUN}/describe", "/v1/executions/{arn}/describe", [MAP_RUN]),
        (
            f"/v1/executions/{quote(MAP_RUN, safe='')}/describe",
            "/v1/executions/{arn}/describe",
            [MAP_RUN],
        ),
        (
            f"/v1/executions/{quote(MAP_RUN, safe='/')}/describe",
            "/v1/executions/{arn}/describe",
            [MAP_RUN],
        ),
        (f"/v1/executions/{MAP_RUN}", "/v1/executions/{arn}", [MAP_RUN]),
        (f"/v1/executions/{MAP_RUN}/events/7", "/v1/executions/{arn}/events/{id}", [MAP_RUN, "7"]),
        ("/v1/executions/arn:a/describe", "/v1/executions/{arn}/describe", ["arn:a"]),
        ("/v1/files/a/b/c.txt", "/v1/files/{path}", ["a/b/c.txt"]),
        ("/v1/files/a", "/v1/files/{path}", ["a"]),
        ("/v1/files/index/main.json", "/v1/files/index/{name}.json", ["main"]),
        ("/v1/files/index/main.txt", "/v1/files/{path}", ["index/main.txt"]),
        ("/v1/things/7/tags/a%20b", "/v1/{kind}/{id}/tags/{{key}}", ["things", "7", "a b"]),
        ("/v1/executions/7/tags/x", "/v1/{kind}/{id}/tags/{{key}}", ["executions", "7", "x"]),
        ("/reports/2026-08", "/reports/{year}-{month}", ["2026", "08"]),
        ("/v1/executions/%C3%A4", "/v1/executions/{arn}", ["ä"]),
        ("/v1/executions/%2525", "/v1/executions/{arn}", ["%25"]),
    ],
)
def test_finds_the_route_and_its_values(
    router: Router[str], raw: str, route: str, values: list[str]
) -> None:
    found = router.match(raw)
    assert found is not None
    assert found[0] == route
    assert [decode(value) for value in found[1]] == values


@pytest.mark.parametrize(
    "raw",
    [
        "/v1",
        "/v1/state-machines/",
        "/V1/state-machines",
        "/v1//describe",
        "/v1/executions/",
        "/v1/executions//describe",
        "/v1/executions/a/b/describe",
        "/v1/executions/xarn:a/b/describe",
        "/v1/executions/a%2Fdescribe/x",
        "/v1/executions/arn:" + "/x" * 40 + "/describe",
        "/reports/-08",
        "//v1/state-machines",
    ],
)
def test_knows_no_other_paths(router: Router[str], raw: str) -> None:
    assert router.match(raw) is None


@pytest.mark.parametrize("raw", ["%", "%2", "a%zz", "%C3%28", "%ff", "%ED%A0%80"])
def test_what_cannot_be_decoded_is_refused(raw: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode(raw)
    assert caught.value.code == "invalid-encoding"
    assert caught.value.status == 400


def test_a_path_of_the_same_shape_is_the_same_route() -> None:
    router: Router[str] = Router()
    assert router.add("/a/{x}", "first") == "first"
    assert router.add("/a/{y}", "second") == "first"
    assert router.add("/a", "first") == "first"
    assert router.add("/a", "second") == "first"


def test_both_brace_forms_are_variables() -> None:
    assert variables("/a/{x}/{{ y }}/z") == ("x", "y")
    assert plain_path("/a/{x}/{{ y }}/z") == "/a/{x}/{y}/z"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_value_survives_encoding(value: str) -> None:
    router: Router[str] = Router()
    router.add("/x/{value}/y", "it")
    found = router.match(f"/x/{quote(value, safe='')}/y")
    assert found is not None
    assert decode(found[1][0]) == value


@given(st.text(st.sampled_from("/arn:%3A2Fx{}.-"), max_size=200))
def test_any_path_is_a_route_or_none(raw: str) -> None:
    router: Router[str] = Router()
    for path in ROUTES:
        router.add(path, path)
    found = router.match("/" + raw)
    assert found is None or len(found[1]) == len(variables(found[0]))

"""Paths of discovered routes: what is a variable, what is a value, and who answers."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.errors import RunError
from naftiko.exposes.rest.router import Router, variables
from naftiko.expressions.template import compile_template
from naftiko.plan.discovery.routes import OwnRoutes, path_variables, render_path, route_inputs
from naftiko.plan.inputs import Input
from naftiko.source import Location


def at(_offset: int, _length: int = 0) -> Location:
    return Location(path="x.yaml", line=1, column=1)


def rendered(path: str, value: str) -> str:
    return render_path(compile_template(path, at), {"item": value})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/{{name}}/{run}", ("run",)),
        ("/a/{{ item.id | lower }}/{x}-{y}", ("x", "y")),
        ("/a/{% if item.b %}b{% endif %}/{x}", ("x",)),
        ("/a/{{{name}}}", ()),
        ("/a", ()),
    ],
)
def test_single_braces_are_variables(path: str, found: tuple[str, ...]) -> None:
    assert path_variables(path) == found


@pytest.mark.parametrize(
    "path", ["/a/{x{{name}}}", "/a/{", "/a}/b", "/a/{}", "/{a/b}", "/a?x={{name}}", "/a#b"]
)
def test_what_no_path_can_have_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"brace|holds"):
        path_variables(path)


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("/a/{{item}}", "b c", "/a/b%20c"),
        ("a/{{item}}/", "b", "/a/b/"),
        ("/ü b/{{item}}", "x", "/%C3%BC%20b/x"),
        ("/a%20b/{{item}}", "%20", "/a%20b/%2520"),
        ("/a/v{{item}}", "", "/a/v"),
        ("/a/{% if item %}{{item}}{% endif %}/{x}", "{y}", "/a/%7By%7D/{x}"),
    ],
)
def test_values_are_percent_encoded(path: str, value: str, found: str) -> None:
    assert rendered(path, value) == found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/a/{{item}}", ""),
        ("/a/{{item}}/b", ""),
        ("/a/{{item}}/b", ".."),
        ("/a/.{{item}}", "."),
        ("/a/{{item}}", "x" * 2_048),
        ("/a/{{item}}", "\ud800"),
    ],
)
def test_what_leads_elsewhere_is_left_out(path: str, value: str) -> None:
    with pytest.raises(RunError, match="its path has") as caught:
        rendered(path, value)
    assert caught.value.code == "invalid-path"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_value_is_one_segment_that_is_found_again(value: str) -> None:
    if value in (".", ".."):
        return
    path = rendered("/a/{{item}}/{run}", value)
    assert path.count("/") == 3
    assert variables(path) == ("run",)
    router: Router[str] = Router()
    router.add("/a/other/x", "other")
    router.add(path, "found", encoded=True)
    assert router.match(f"/a/{quote(value, safe='')}/r%2F1") == ("found", ["r%2F1"])
    assert OwnRoutes([("GET", "/a/{x}/{y}")]).objection("GET", path, {}, "key") is not None
    assert OwnRoutes([("GET", "/a/{x}")]).objection("GET", path, {}, "key") is None


@pytest.mark.parametrize(
    ("own", "path", "is_free"),
    [
        ("/a/{x}", "/a/7", False),
        ("/a/{x}", "/a/7/8", True),
        ("/a/{x}", "/a/7%2F8", False),
        ("/a/b c", "/a/b%20c", False),
        ("/a/7", "/a/{x}", True),
        ("/a/{x}.json", "/a/7.json", False),
        ("/a/{x}.json", "/a/{x}", True),
        ("/a/{y}", "/a/{x}", False),
        ("/{path}", "/a/b/c", False),
        ("/{path}/b", "/a/b", False),
        ("/a/{x}", "/", False),
        ("/a/{x}", "/openapi.json", False),
    ],
)
def test_the_files_routes_go_before(own: str, path: str, is_free: bool) -> None:
    routes = OwnRoutes([("GET", own)])
    assert (routes.objection("GET", path, {}, "key") is None) is is_free


def test_of_two_the_first_stays() -> None:
    claimed: dict[tuple[str, str], str] = {}
    routes = OwnRoutes([])
    assert routes.objection("GET", "/a/{x}", claimed, "one") is None
    assert routes.objection("POST", "/a/{x}", claimed, "two") is None
    assert routes.objection("GET", "/a/{y}", claimed, "two") == "GET /a/{y} is the route of one"
    assert routes.objection("GET", "/a/%7B%7D", claimed, "three") is None


def test_what_the_schema_says_of_a_variable_holds() -> None:
    variable = Input(name="n", schema={"type": "string", "minLength": 1}, sources=("path",))
    other = Input(name="run", schema={"type": "string", "minLength": 1}, sources=("path",))
    schema = {"properties": {"n": {"type": "integer"}, "x": True, "y": {}}, "required": ["y"]}
    table = route_inputs(schema, "GET", [variable, other])
    assert [(item.name, item.sources, item.required) for item in table.inputs] == [
        ("n", ("path",), True),
        ("run", ("path",), True),
        ("y", ("query",), True),
    ]
    assert table.schema["required"] == ["y", "n", "run"]
    assert table.schema["properties"]["n"] == {"type": "integer"}
    assert schema["required"] == ["y"]

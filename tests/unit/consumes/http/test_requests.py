"""Arguments -> requests, from requests.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from naftiko.errors import InputError, RunError
from tests.unit.consumes.http.apis import api

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("requests.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_request(case: dict[str, Any]) -> None:
    compiled = api(**case["api"])
    plan = compiled.http().request
    arguments = case.get("arguments", {})
    if "error" in case:
        with pytest.raises(RunError) as caught:
            plan.render(arguments)
        check_error(caught.value, case["error"])
    else:
        request = plan.render(arguments)
        expected = case["request"]
        body = expected.get("body")
        assert request.url == expected["url"]
        assert dict(request.headers) == expected.get("headers", {})
        assert len(request.headers) == len(expected.get("headers", {}))
        assert request.body == (None if body is None else body.encode())
    assert sorted(compiled.codes) == sorted(case.get("problems", []))


def check_error(error: RunError, expected: dict[str, Any]) -> None:
    assert error.code == expected["code"]
    assert expected["contains"] in error.message
    if "fields" in expected:
        assert isinstance(error, InputError)
        assert [item.name for item in error.fields] == expected["fields"]
    shown = f"{error.message} {error.hint} {getattr(error, 'fields', '')}"
    assert "mine" not in shown
    assert "canary" not in shown

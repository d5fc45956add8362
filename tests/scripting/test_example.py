"""The example of the guide, and what scripts do to the operation that runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.engine import LoadOptions, check_capability
from tests.case_files import ROOT
from tests.live.serving import Served, serving

EXAMPLE = ROOT / "docs/examples/scripts.yaml"
BASKET = {
    "lines": [
        {"sku": "a", "quantity": 3, "price": 0.335},
        {"sku": "b", "quantity": 1, "price": 20},
    ],
    "discount": 0.1,
}
BROKEN = """
naftiko: "1.0.0-alpha3"
capability:
  exposes:
    - type: rest
      namespace: api
      port: 8080
      resources:
        - path: /boom
          operations:
            - name: boom
              method: GET
              steps: [{name: boom, type: script, language: javascript, source: "null.x"}]
              mappings: [{targetName: a, value: $.boom}]
        - path: /null
          operations:
            - name: "null"
              method: GET
              steps: [{name: none, type: script, language: javascript, source: "result = null"}]
              mappings: [{targetName: a, value: $.none}]
"""


@pytest.fixture(scope="module")
def quotes() -> Iterator[Served]:
    with serving(EXAMPLE) as served:
        yield served


def test_the_example_has_no_findings() -> None:
    checked = check_capability(EXAMPLE, LoadOptions(environment={}))

    assert [item.message for item in checked.problems] == []


def test_the_example_prices_a_basket(quotes: Served) -> None:
    answer = quotes.request("quotes", "POST", "/quotes", BASKET)

    assert answer.status == 201
    assert answer.headers["x-lines"] == "2"
    assert answer.body == {
        "lines": [
            {"sku": "a", "amount": 1.01, "currency": "EUR"},
            {"sku": "b", "amount": 20, "currency": "EUR"},
        ],
        "net": 21.01,
        "total": 18.91,
    }


def test_inputs_are_checked_before_a_script_runs(quotes: Served) -> None:
    answer = quotes.request("quotes", "POST", "/quotes", {"lines": [{"quantity": 0}]})

    assert answer.status == 400
    assert answer.body["errors"][0]["name"] == "lines[0].quantity"


def test_a_script_that_fails_fails_its_request(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN)
    with serving(path) as served:
        answer = served.request("api", "GET", "/boom")
        assert (answer.status, answer.body["code"]) == (500, "script-failed")
        assert "Cannot read properties of null" in answer.body["detail"]
        assert served.request("api", "GET", "/null").body == {"a": None}


@pytest.mark.parametrize("switch", ["NAFTIKO_SCRIPTING", "IKANOS_SCRIPTING"])
def test_scripts_can_be_switched_off(switch: str) -> None:
    environment = {switch: "false"}

    checked = check_capability(EXAMPLE, LoadOptions(environment=environment))
    assert [item.code for item in checked.problems] == ["scripts-disabled"]

    with serving(EXAMPLE, environment=environment) as served:
        answer = served.request("quotes", "POST", "/quotes", BASKET)
    assert (answer.status, answer.body["code"]) == (500, "script-disabled")
    assert switch in answer.body["detail"]

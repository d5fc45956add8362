"""A loaded capability in a Python program: names, functions, mounting, the sync facade."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import naftiko
from naftiko.capability import Capability
from tests.case_files import ROOT

MOCK = ROOT / "capabilities/examples/mock.yaml"
PRICING = ROOT / "docs/examples/pricing.yaml"


def quote(sku: str, count: int = 1) -> dict[str, Any]:
    """Price of some units of an article."""
    return {"sku": sku, "total": 9.5 * count}


async def quote_later(sku: str) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"sku": sku, "total": 1}


def pricing(function: Any = quote) -> Capability:
    return naftiko.load(PRICING, functions={"pricing.quote": function})


def test_a_function_is_an_operation_with_inputs_from_its_signature() -> None:
    capability = pricing()
    operation = capability.find_exposed("get-quote")
    assert operation is not None
    schema = operation.inputs.schema
    assert schema["required"] == ["sku"]
    assert schema["properties"]["count"]["type"] == "integer"  # type: ignore[index,call-overload]  # JSON

    answer = asyncio.run(capability.call("get-quote", {"sku": "A", "count": 3}))

    assert answer == {"article": "A", "price": 28.5}


def test_a_coroutine_function_runs_on_the_loop() -> None:
    assert asyncio.run(pricing(quote_later).call("pricing.quote", {"sku": "A"}))["total"] == 1


def test_wrong_arguments_are_refused_before_the_call() -> None:
    with pytest.raises(naftiko.InputError) as caught:
        asyncio.run(pricing().call("get-quote", {"sku": "A", "count": "three"}))
    assert caught.value.fields[0].name == "count"


def test_an_exception_of_a_function_does_not_show_its_text() -> None:
    def broken(sku: str) -> None:
        raise ValueError(f"password of {sku}")

    with pytest.raises(naftiko.ConsumedError) as caught:
        asyncio.run(pricing(broken).call("get-quote", {"sku": "A"}))

    assert "password" not in str(caught.value)
    assert "ValueError" in str(caught.value)


def test_what_a_function_gives_must_be_json() -> None:
    def dated(sku: str) -> dict[str, object]:
        return {"sku": sku, "total": date(2026, 11, 20)}

    def odd(sku: str) -> object:
        return {"sku": {sku}}

    assert asyncio.run(pricing(dated).call("get-quote", {"sku": "A"}))["price"] == "2026-11-20"
    with pytest.raises(naftiko.ConsumedError, match="no JSON"):
        asyncio.run(pricing(odd).call("get-quote", {"sku": "A"}))


@pytest.mark.parametrize("name", ["quote", ".quote", "pricing.", "a.b.c"])
def test_functions_need_a_full_name(name: str) -> None:
    with pytest.raises(naftiko.StartError):
        naftiko.load(PRICING, functions={name: quote})


def test_a_function_cannot_take_the_place_of_a_consumed_api(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "naftiko: 1.0.0-alpha3\ncapability:\n  consumes:\n"
        "  - {type: http, namespace: pricing, baseUri: 'http://127.0.0.1:1', resources: []}\n"
        "  exposes: [{type: mcp, namespace: t, port: 1, tools: []}]\n"
    )
    with pytest.raises(naftiko.StartError):
        naftiko.load(file, functions={"pricing.quote": quote})


def test_an_unknown_operation_names_the_nearest() -> None:
    with pytest.raises(naftiko.StartError) as caught:
        asyncio.run(pricing().call("pricing-api.get-quot"))
    assert "get-quote" in caught.value.hint


def test_sync_calls_run_without_a_loop() -> None:
    with naftiko.load(MOCK) as capability:
        assert capability.call_sync("greet", {"name": "ann"})["greeting"] == "hello ann"
        assert capability.call_sync("greetings-rest.greet", {"name": "bo"})["language"] == "en"


def test_adapters_are_found_by_namespace() -> None:
    capability = naftiko.load(MOCK)

    assert capability.rest_app() is not None
    assert capability.rest_app("greetings-rest") is not None
    with pytest.raises(naftiko.StartError) as caught:
        capability.rest_app("greetings-rst")
    assert "greetings-rest" in caught.value.hint


def test_a_broken_file_raises_every_problem(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "naftiko: 1.0.0-alpha3\ncapability:\n  exposes:\n"
        "  - {type: rest, namespace: a, port: x, resources: []}\n"
        "  - {type: rest, namespace: a, port: 2, resources: []}\n"
    )
    with pytest.raises(naftiko.SpecError) as caught:
        naftiko.load(file)
    assert {item.code for item in caught.value.problems} >= {"invalid-port", "duplicate-namespace"}


def test_strict_refuses_warnings(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(MOCK.read_text().replace("tags:", "tagz:"))

    assert naftiko.load(file).problems
    with pytest.raises(naftiko.SpecError):
        naftiko.load(file, strict=True)


def test_variables_without_value_are_reported_together() -> None:
    case = ROOT / "tests/cases/validate/missing-variable/used.yaml"
    with pytest.raises(naftiko.StartError) as caught:
        naftiko.load(case, environment={})
    assert "CRM_TOKEN" in caught.value.message
    assert "CRM_URL" in caught.value.message
    assert "UNUSED" not in caught.value.message

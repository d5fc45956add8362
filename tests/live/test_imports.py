"""Capabilities made of shared files: each section imported, served and called over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import Severity
from tests.case_files import ROOT
from tests.live.serving import Served, serving
from tests.live.shop import running_shop

EXAMPLES = ROOT / "docs/examples/imports"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running_shop() as url:
        path = EXAMPLES / "capability.yaml"
        with serving(path, environment={"SHOP_API_URL": url}) as running:
            yield running


@pytest.mark.parametrize(
    ("namespace", "method", "path", "body", "expected"),
    [
        ("orders-rest", "GET", "/orders/o-1", None, {"id": "o-1", "state": "open"}),
        ("orders-rest", "DELETE", "/orders/o-1", None, {"state": "cancelled"}),
        ("orders-rest", "GET", "/stock/tea", None, {"item": "tea", "method": "GET", "body": None}),
        (
            "admin",
            "PUT",
            "/stock/tea",
            {"amount": 5},
            {"item": "tea", "method": "PUT", "body": {"amount": 5}},
        ),
    ],
)
def test_what_is_imported_is_served(
    served: Served, namespace: str, method: str, path: str, body: object, expected: object
) -> None:
    answer = served.request(namespace, method, path, body)

    assert (answer.status, answer.body) == (200, expected)


def test_an_operation_that_is_not_imported_is_not_there(served: Served) -> None:
    client = served.capability.plan.clients["stock-api"]

    assert list(client.operation_names()) == ["read-stock"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_of_the_example_validates(path: Path) -> None:
    checked = check_capability(
        path, LoadOptions(environment={"SHOP_API_URL": "http://127.0.0.1:1"})
    )

    assert [item for item in checked.problems if item.severity is not Severity.INFO] == []
    assert not checked.missing

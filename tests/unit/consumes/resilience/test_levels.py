"""What holds for an operation, from the blocks of all three levels."""

from __future__ import annotations

import subprocess
import sys

import pytest

from naftiko.consumes.resilience.operation import GuardedOperation, ResilientOperation
from naftiko.plan.ports import ClientOperation
from tests.unit.consumes.http.apis import Api, compile_api

DOCUMENT = """
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: http://127.0.0.1:9
      resilience: {{{entry}}}
      resources:
        - name: r
          path: /r
          resilience: {{{resource}}}
          operations:
            - {{name: a, method: GET, resilience: {{{operation}}}}}
            - {{name: b, method: GET}}
"""


def compiled(entry: str = "", resource: str = "", operation: str = "") -> Api:
    text = DOCUMENT.format(entry=entry, resource=resource, operation=operation)
    return compile_api(text)


def lines(operation: ClientOperation) -> str:
    return "\n".join(operation.explain())


def test_an_inner_level_replaces_a_member() -> None:
    api = compiled(
        "retry: {attempts: 5, backoff: {initial: 1s}}, timeout: 1s, deadline: 9s",
        "timeout: 2s",
        "retry: {attempts: 2}",
    )
    inner, outer = lines(api.operation("a")), lines(api.operation("b"))
    assert "retry: 2 tries, 0.1 s" in inner
    assert "retry: 5 tries, 1 s" in outer
    assert "timeout: 2 s" in inner
    assert "timeout: 2 s" in outer
    assert "deadline: 9 s" in inner


def test_false_takes_a_member_away() -> None:
    api = compiled("retry: {}, deadline: 9s", operation="retry: false, deadline: false")
    assert "retry" not in lines(api.operation("a"))
    assert "deadline" not in lines(api.operation("a"))
    assert "retry: 3 tries" in lines(api.operation("b"))


def chain_of(operation: ClientOperation) -> object:
    if isinstance(operation, GuardedOperation):
        operation = operation.inner
    assert isinstance(operation, ResilientOperation)
    (layer,) = [
        cell.cell_contents
        for cell in operation.chain.__closure__ or ()
        if hasattr(cell.cell_contents, "settings")
    ]
    return layer


@pytest.mark.parametrize(
    ("entry", "operation", "shared"),
    [
        ("rateLimit: {requests: 1}", "", True),
        ("rateLimit: {requests: 1}", "rateLimit: {requests: 1}", False),
        ("rateLimit: {requests: 1}", "timeout: 1s", True),
    ],
)
def test_a_layer_is_shared_below_the_level_where_it_stands(
    entry: str, operation: str, shared: bool
) -> None:
    api = compiled(entry, operation=operation)
    same = chain_of(api.operation("a")) is chain_of(api.operation("b"))
    assert same is shared


def test_nothing_is_added_where_nothing_is_asked_for() -> None:
    api = compile_api(
        "capability: {consumes: [{namespace: api, type: http, baseUri: 'http://a', resources: "
        "[{name: r, path: /r, operations: [{name: op, method: GET}]}]}]}"
    )
    assert api.http("op").timeout_s == 30


def test_libraries_are_imported_when_a_file_uses_them() -> None:
    program = (
        "import sys; from tests.unit.consumes.resilience.test_levels import compiled\n"
        "compiled('retry: {}, circuitBreaker: {}, bulkhead: {maxConcurrent: 1}, "
        "rateLimit: {requests: 1}').operation('a')\n"
        "print(sorted({'hishel', 'tenacity', 'cachetools', 'sqlite3'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.stdout.strip() == "[]", ran.stderr

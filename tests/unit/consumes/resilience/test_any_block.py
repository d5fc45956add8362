"""Whatever stands in the blocks gives problems or an operation, never a traceback."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from naftiko.consumes.http.paging_rules import MEMBERS as PAGING
from naftiko.consumes.resilience.reading import MEMBERS
from naftiko.expressions import ExpressionError
from tests.unit.consumes.http.apis import compile_api

INNER = (
    *("attempts", "backoff", "statuses", "methods", "on", "maxRetryAfter", "requests", "per"),
    *("burst", "wait", "failures", "reset", "maxConcurrent", "maxQueued", "ttl", "http", "value"),
    *("maxBytes", "ignoreHeaders", "call", "with", "status", "parameter", "initial", "max"),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["1s", "10MiB", "GET", "error", "cursor", "query", "$.a", "$.a[*]", "api.op", ""]
    ),
    st.text(max_size=5),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(MEMBERS), VALUES),
    st.one_of(VALUES, st.dictionaries(st.sampled_from(PAGING), VALUES)),
)
def test_any_block(resilience: object, paginate: object) -> None:
    operation = {
        "name": "op",
        "method": "GET",
        "resilience": resilience,
        "paginate": paginate,
    }
    resources = [{"name": "r", "path": "/r", "operations": [operation]}]
    entry = {"namespace": "api", "type": "http", "baseUri": "http://a", "resources": resources}
    api = compile_api(json.dumps({"capability": {"consumes": [entry]}}))
    try:
        assert api.operation().explain()
    except ExpressionError:
        return

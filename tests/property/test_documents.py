"""Whatever a document along the schema says, every stage answers with problems or a plan."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from naftiko.capability import operations_of
from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import RunError
from naftiko.plan.capability import CapabilityPlan, OperationPlan, RestAdapterPlan
from naftiko.plan.run import Run, Suspended
from naftiko.values import JsonValue
from tests.case_files import ROOT
from tests.property.schema_values import documents, served_documents

SCHEMA = json.loads((ROOT / "schemas/capability.schema.json").read_text("utf-8"))
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


# Shrinking a document takes minutes, and the problem's place says enough.
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=SLOW,
)
@given(document=st.one_of(documents(SCHEMA), served_documents(SCHEMA), served_documents(SCHEMA)))
def test_no_document_along_the_schema_gives_a_traceback(
    document: JsonValue, tmp_path: Path
) -> None:
    path = tmp_path / "capability.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")

    checked = check_capability(
        path, LoadOptions(environment={"X_KEY": "x-key-1"}, workspace=tmp_path)
    )

    for problem in checked.problems:
        assert problem.code
        assert problem.message
        assert problem.location.line
    if checked.plan is not None:
        asyncio.run(_exercise(checked.plan))


async def _exercise(plan: CapabilityPlan) -> None:
    """Explain and run every operation with inputs that fit; only known errors may come out."""
    for operation in _operations(plan):
        assert all(isinstance(line, str) for line in operation.plan.explain())
        try:
            inputs = operation.inputs.check({})
            # A document may well say `wait: 1m`: the run's own deadline is what ends that.
            async with asyncio.timeout(20):
                await operation.plan.run(Run(inputs=inputs, deadline=time.monotonic() + 2))
        except (RunError, Suspended):
            continue
    for client in plan.clients.values():
        await client.close()


def _operations(plan: CapabilityPlan) -> Iterator[OperationPlan]:
    for adapter in plan.adapters:
        if isinstance(adapter, RestAdapterPlan) or hasattr(adapter, "tools"):
            yield from operations_of(adapter)


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

"""Whatever a `discover` entry and its items say, looking gives tools or problems."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from naftiko.capability import Capability
from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import RunError
from naftiko.plan.capability import McpAdapterPlan, RestAdapterPlan
from naftiko.plan.run import Run, Suspended
from naftiko.values import JsonValue
from tests.property.schema_values import discovering_documents
from tests.property.test_documents import SCHEMA, SLOW

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=SLOW,
)
@given(document=discovering_documents(SCHEMA))
def test_looking_gives_tools_or_problems(
    document: JsonValue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    path = tmp_path / "capability.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    checked = check_capability(
        path, LoadOptions(environment={"X_KEY": "x-key-1"}, workspace=tmp_path)
    )
    if checked.plan is None:
        return
    asyncio.run(_look(Capability(checked)))
    assert "Traceback" not in caplog.text


async def _look(capability: Capability) -> None:
    async with asyncio.timeout(60):
        with contextlib.suppress(RunError):
            await capability.discover()
    names: list[str] = []
    for adapter in capability.plan.adapters:
        assert isinstance(adapter, McpAdapterPlan | RestAdapterPlan)
        for item in adapter.discovered.operations if adapter.discovered is not None else ():
            names.append(f"{adapter.namespace}.{item.operation.name}")
            assert re.fullmatch("[A-Za-z0-9_-]{1,64}", item.operation.name)
            with contextlib.suppress(RunError, Suspended):
                async with asyncio.timeout(20):
                    inputs = item.operation.inputs.check({})
                    await item.operation.plan.run(Run(inputs=inputs))
    assert len(set(names)) == len(names)
    await capability.close()

"""What is read of a workflow as it lies in the catalog: its source, its plan, its graph."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from naftiko.consumes.workflows.describing import plan_of
from naftiko.plan.ports import Result
from naftiko.workflow.catalog import CatalogError
from naftiko.workflow.graph import mermaid, svg
from naftiko.workflow.plan.integrity import load_plan
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.walk import mapping
from naftiko.workflow.runtime.policy import Refused
from naftiko.workflow.view import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from naftiko.consumes.workflows.operations import Desk
    from naftiko.plan.run import Run
    from naftiko.values import JsonObject
    from naftiko.workflow.catalog import Entry
    from naftiko.workflow.runtime.plans import Plans

YAML, JSON = "application/yaml", "application/json"
GRAPHS = {"mermaid": "text/vnd.mermaid", "svg": "image/svg+xml"}
"""What a graph may be had as, and its media type."""


async def get_source(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Read a source. Hidden characters are shown, so that a reader sees what the compiler does."""
    is_raw = given.get("view") == "raw" and desk.view_of(given) == "raw"
    data = await _read(desk, given, _source)
    if not is_raw:
        data = visible(data.decode("utf-8", "backslashreplace")).encode()
    return Result(raw=data, media_type=YAML)


async def get_plan(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Read a plan: the bytes that were signed, or nobody could check them."""
    return Result(raw=await _read(desk, given, _plan), media_type=JSON)


async def get_graph(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Draw a plan."""
    form = str(given.get("format", "mermaid"))

    def drawn(plans: Plans, entry: Entry) -> bytes:
        plan = plan_of(plans, entry)
        if plan is None:
            raise CatalogError(f"`{entry.ref}` has not been compiled")
        text = svg(plan) if form == "svg" else mermaid(plan)
        return visible(text).encode("utf-8", "replace")

    return Result(raw=await _read(desk, given, drawn), media_type=GRAPHS[form])


async def _read(desk: Desk, given: JsonObject, read: Callable[[Plans, Entry], bytes]) -> bytes:
    """Read something of the workflow that is asked for, in a thread: there are files to wait for.

    Raises: Refused.
    """
    plans = desk.service.plans
    await plans.looked()

    def work() -> bytes:
        try:
            return read(plans, plans.find(str(given["workflow_name"])))
        except CatalogError as error:
            raise Refused("UnknownWorkflow", error.message) from None

    return await asyncio.to_thread(work)


def _source(plans: Plans, entry: Entry) -> bytes:
    """Return a source, if it is that of the plan: who reads another one would judge another.

    Beside a plan that is none it may be read, for nothing runs.
    """
    data = entry.read_source()
    try:
        plan = plan_of(plans, entry)
    except Refused:
        return data
    if plan is not None and mapping(plan["source"])["sha256"] != sha256(data).hexdigest():
        raise Refused(
            "IntegrityError",
            f"the source of `{entry.ref}` is not the one that its plan was made of",
            hint="compile it again under another version",
        )
    return data


def _plan(plans: Plans, entry: Entry) -> bytes:
    """Return a plan's bytes; what is no plan is refused, and what has become another one since."""
    data = entry.read_plan()
    plan = plan_of(plans, entry)
    try:
        is_same = load_plan(data) == plan
    except IntegrityError as error:
        raise Refused("IntegrityError", str(error)) from None
    if not is_same:
        raise Refused("IntegrityError", f"the plan of `{entry.ref}` changed while it was read")
    return data

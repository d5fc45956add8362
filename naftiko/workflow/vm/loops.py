"""FOR_EACH: the body once for each element, some at a time, results in the order of the list.

Spec: section 6.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.vm.calls import Tally, Where
from naftiko.workflow.vm.confirm import confirm_loop
from naftiko.workflow.vm.data import WrongData, size_of
from naftiko.workflow.vm.failures import Halt, StepFailure
from naftiko.workflow.vm.operations import elements
from naftiko.workflow.vm.program import LoopNode, Node
from naftiko.workflow.vm.records import Done
from naftiko.workflow.vm.run import Run


class RunBody(Protocol):
    """Runs one operation of a body: the machine's own function for every operation."""

    async def __call__(self, run: Run, node: Node, where: Where, /) -> Done:
        """Run it."""
        ...


@dataclass(slots=True, kw_only=True)
class _Loop:
    """A loop under way."""

    run: Run
    node: LoopNode
    where: Where
    run_op: RunBody
    items: list[JsonValue]
    results: list[JsonObject | None]
    failed: dict[int, JsonObject] = field(default_factory=dict)
    halt: Halt | None = None

    @property
    def is_over(self) -> bool:
        """Whether no further item may begin."""
        return self.halt is not None or (bool(self.failed) and self.node.on_item_error == "fail")


async def for_each(
    run: Run, node: LoopNode, where: Where, tally: Tally, run_op: RunBody
) -> JsonObject:
    """Run the loop.

    Raises: StepFailure, Halt.
    """
    items = elements(node.over, where)
    if len(items) > node.max_items:
        message = f"the list has {len(items)} elements, more than the {node.max_items} allowed"
        raise StepFailure("FanOutExceeded", message)
    covered = await confirm_loop(run, node, where, items)
    results: list[JsonObject | None] = [None] * len(items)
    loop = _Loop(run=run, node=node, where=where, run_op=run_op, items=items, results=results)
    await _run_items(loop, node.max_concurrency if covered else 1)
    if loop.halt is not None:
        raise loop.halt
    if run.clock.monotonic() >= where.deadline.at and None in results:
        raise where.deadline.expired()
    if loop.failed and node.on_item_error == "fail":
        index, error = min(loop.failed.items())
        raise _item_failure(index, error)
    return _outputs(run, loop)


async def _run_items(loop: _Loop, concurrency: int) -> None:
    indexes = iter(range(len(loop.items)))
    if concurrency == 1:
        await _work(loop, indexes)
        return
    workers = [
        asyncio.ensure_future(_work(loop, indexes))
        for _ in range(min(concurrency, len(loop.items)))
    ]
    if not workers:
        return
    try:
        await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        # Only what ends the run on this machine leaves a worker as an exception: a lost lease.
        for worker in workers:
            worker.cancel()
        ended = await asyncio.gather(*workers, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome


async def _work(loop: _Loop, indexes: Iterator[int]) -> None:
    for index in indexes:
        if loop.is_over or loop.run.clock.monotonic() >= loop.where.deadline.at:
            return
        try:
            loop.results[index] = await _item(loop, index)
        except Halt as halt:
            loop.halt = loop.halt or halt
            return


async def _item(loop: _Loop, index: int) -> JsonObject:
    frame = loop.where.frame.for_item(loop.items[index], index)
    outputs: JsonObject = {}
    result: JsonObject = {"index": index, "status": "succeeded", "outputs": outputs}
    for node in loop.node.body:
        if loop.halt is not None:
            raise loop.halt
        step_id = node.common.step_id
        where = Where(
            frame=frame,
            key=f"{loop.where.key}[{index}].{step_id}",
            step_id=step_id,
            deadline=loop.where.deadline,
        )
        done = await loop.run_op(loop.run, node, where)
        declared: JsonObject = {
            name: value for name, value in done.outputs.items() if is_shown(name)
        }
        if declared and node.common.op != "CONDITION":
            outputs[step_id] = declared
        if done.status == "failed" and node.common.on_error == "fail":
            result["status"] = "failed"
            loop.failed[index] = done.error or {}
            break
    return result


def is_shown(name: str) -> bool:
    """Return whether an output was declared; the others are only there for expressions."""
    return not name.startswith("output.")


def _item_failure(index: int, error: JsonObject) -> StepFailure:
    data = error.get("data")
    return StepFailure(
        str(error.get("type", "AwsError")),
        f"item {index} failed: {error.get('message', '')}",
        aws_code=str(error.get("aws_code", "")),
        data=data if isinstance(data, dict) else None,
    )


def _outputs(run: Run, loop: _Loop) -> JsonObject:
    results: list[JsonValue] = [*loop.results]
    failed = len(loop.failed)
    outputs: JsonObject = {
        "count": len(results),
        "succeeded": len(results) - failed,
        "failed": failed,
        "results": results,
    }
    try:
        size = size_of(outputs, run.env.limits.execution_output_bytes)
    except WrongData as wrong:
        raise StepFailure("TypeMismatch", str(wrong)) from None
    if size > run.env.limits.execution_output_bytes:
        raise StepFailure("TypeMismatch", "the results of the loop are too large")
    return outputs

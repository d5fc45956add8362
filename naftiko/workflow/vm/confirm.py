"""Step by step: stops before what changes something, until exactly that is confirmed.

A token is an HMAC over the execution, the operation, the list of items and the rendered input:
it confirms these and nothing else. Spec: section 6.8.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.vm.calls import Where, region_of, render
from naftiko.workflow.vm.failures import Halt, StepFailure
from naftiko.workflow.vm.program import CallNode, LoopNode
from naftiko.workflow.vm.records import History

if TYPE_CHECKING:
    from naftiko.workflow.vm.environment import Environment
    from naftiko.workflow.vm.run import Run

MASK = "***"


def digest(value: JsonValue) -> str:
    """Return the sha256 of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def token_of(env: Environment, execution_id: str, record: JsonObject) -> str:
    """Return the token that confirms what a `confirm` record asks for."""
    said = [execution_id, record["k"], record["items_digest"], record["input_digest"]]
    text = json.dumps(said, separators=(",", ":")).encode()
    return hmac.new(env.confirm_key, text, hashlib.sha256).hexdigest()


def fits_token(env: Environment, execution_id: str, record: JsonObject, token: str) -> bool:
    """Return whether a token confirms it."""
    return hmac.compare_digest(token_of(env, execution_id, record).encode(), token.encode())


def next_of(env: Environment, execution_id: str, record: JsonObject) -> JsonObject:
    """Return the `next` of section 8."""
    expires = record["expires"]
    assert isinstance(expires, int | float)
    return {
        "step_id": record["step_id"],
        "rendered": record["rendered"],
        "confirm_token": token_of(env, execution_id, record),
        "expires_at": datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z"),
    }


def is_expired(history: History, now: float) -> bool:
    """Return whether a confirmation was awaited too long."""
    pending = history.awaiting
    if pending is None:
        return False
    expires = pending["expires"]
    assert isinstance(expires, int | float)
    return now > expires


async def confirmed_members(
    run: Run, node: CallNode, where: Where, members: JsonObject
) -> JsonObject:
    """Return the members to send, once they are confirmed.

    Raises: Halt[awaiting].
    """
    if run.mode != "step_by_step" or where.deadline.kind == "rollback":
        return members
    region = region_of(node.call, where)
    input_digest = _input_digest(members, region)
    if _is_covered(run, where.key, input_digest):
        return members
    record = run.history.confirmed.get(where.key)
    if record is None:
        rendered = _shown(node, members, region)
        await _ask(run, where, rendered, digest(None), input_digest, {"members": members})
        record = run.history.confirmed[where.key]
    kept = record["members"]
    assert isinstance(kept, dict)
    return kept


async def confirm_loop(run: Run, node: LoopNode, where: Where, items: list[JsonValue]) -> bool:
    """Have a loop that changes something confirmed, as a whole.

    Returns whether every call of its body was covered by that: a call whose input depends on
    what the body itself reads is asked for on its own, when it is known.

    Raises: Halt[awaiting], StepFailure.
    """
    if run.mode != "step_by_step" or not node.mutating or where.deadline.kind == "rollback":
        return True
    record = run.history.confirmed.get(where.key)
    if record is None:
        shown: list[JsonValue] = []
        covers: JsonObject = {}
        for index, item in enumerate(items):
            shown.append(_render_item(node, where, item, index, covers))
        if not items:
            return True
        calls = sum(isinstance(inner, CallNode) and inner.call.mutating for inner in node.body)
        rendered: JsonObject = {"op": "FOR_EACH", "count": len(items), "items": shown}
        body: JsonObject = {"covers": covers, "all": len(covers) == calls * len(items)}
        await _ask(run, where, rendered, digest(items), digest(covers), body)
        record = run.history.confirmed[where.key]
    return record["all"] is True


def _render_item(
    node: LoopNode, where: Where, item: JsonValue, index: int, covers: JsonObject
) -> JsonValue:
    frame = where.frame.for_item(item, index)
    inside = {inner.common.step_id for inner in node.body}
    calls: list[JsonValue] = []
    for inner in node.body:
        if not isinstance(inner, CallNode) or not inner.call.mutating:
            continue
        step_id = inner.common.step_id
        key = f"{where.key}[{index}].{step_id}"
        if any(read in inside for read in inner.call.reads.steps):
            calls.append({"step_id": step_id, "operation": inner.call.operation, "input": None})
            continue
        at = Where(frame=frame, key=key, step_id=step_id, deadline=where.deadline)
        try:
            members, region = render(inner.call, at), region_of(inner.call, at)
        except StepFailure:
            continue
        covers[key] = _input_digest(members, region)
        calls.append({"step_id": step_id, **_shown(inner, members, region)})
    return {"index": index, "calls": calls}


def _shown(node: CallNode, members: JsonObject, region: str | None) -> JsonObject:
    masked = node.call.masked
    given: JsonObject = {name: MASK if name in masked else value for name, value in members.items()}
    shown: JsonObject = {
        "op": node.common.op,
        "service": node.call.service,
        "operation": node.call.operation,
        "input": given,
    }
    return shown if region is None else {**shown, "region": region}


def _input_digest(members: JsonObject, region: str | None) -> str:
    """Return what a token confirms: the members, and where they are sent if not to the own one."""
    return digest(members if region is None else {"region": region, "members": members})


def _is_covered(run: Run, key: str, input_digest: str) -> bool:
    loop = run.history.confirmed.get(key.split("[", 1)[0])
    covers = loop.get("covers") if loop is not None else None
    return isinstance(covers, dict) and covers.get(key) == input_digest


async def _ask(
    run: Run,
    where: Where,
    rendered: JsonObject,
    items_digest: str,
    input_digest: str,
    body: JsonObject,
) -> None:
    """Return once the caller has confirmed this very input.

    Raises: Halt[awaiting].
    """
    history, key = run.history, where.key
    record = history.confirms.get(key)
    if record is None:
        now = run.clock.now().timestamp()
        asked: JsonObject = {
            "step_id": where.step_id,
            "rendered": rendered,
            "items_digest": items_digest,
            "input_digest": input_digest,
            "expires": round(now + run.env.limits.confirmation_s, 3),
            **body,
        }
        record = history.confirms[key] = await run.recorder.write("confirm", key, asked)
    token, run.confirm_token = run.confirm_token, None
    execution_id = run.facts.execution_id
    if token is None or not fits_token(run.env, execution_id, record, token):
        raise Halt("awaiting", record)
    await run.recorder.write("confirmed", key)
    history.confirmed[key] = record

"""One AWS call: its input, its attempts, its pages, and what is kept of the answer.

Spec: sections 2 (null), 6.2 (selection), 6.3 (retry, ambiguity), 6.4 (timeouts), 6.6 (breaker).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.values import TypeMismatch
from naftiko.workflow.ports import AwsFailure, AwsRequest, is_region
from naftiko.workflow.vm import paging
from naftiko.workflow.vm.data import WrongData, fits, misfit, prune, select_members, size_of
from naftiko.workflow.vm.failures import StepFailure
from naftiko.workflow.vm.program import Call, Tree
from naftiko.workflow.vm.retry import class_of, code_of, delay_s, is_retried
from naftiko.workflow.vm.run import Deadline, Run
from naftiko.workflow.vm.scope import Frame


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a step's requests have cost."""

    attempts: int = 0
    ids: list[str] = field(default_factory=list)

    def note(self, request_id: str | None) -> None:
        """Keep AWS's request id."""
        if request_id:
            self.ids.append(request_id[:128])


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """For which operation something is done: its frame, its key, its step id, its deadline."""

    frame: Frame
    key: str
    step_id: str
    deadline: Deadline
    attempt_cap_s: float = math.inf


def evaluate(tree: Tree, where: Where) -> JsonValue:
    """Evaluate a tree.

    Raises: StepFailure[TypeMismatch].
    """
    try:
        return tree.evaluate(where.frame.values(where.step_id))
    except TypeMismatch as mismatch:
        raise StepFailure("TypeMismatch", str(mismatch)) from None


def render(call: Call, where: Where) -> JsonObject:
    """Return the members that the call sends.

    Raises: StepFailure[InputMissing, TypeMismatch].
    """
    values = where.frame.values(where.step_id)
    members: JsonObject = {}
    for item in call.inputs:
        try:
            value = item.tree.evaluate(values)
        except TypeMismatch as mismatch:
            raise StepFailure("TypeMismatch", str(mismatch)) from None
        if isinstance(value, dict | list):
            value = prune(value)
        if value is None:
            if item.required:
                raise StepFailure("InputMissing", f"the required member `{item.member}` is null")
            continue
        if not fits(value, item.type_):
            raise StepFailure(
                "TypeMismatch", f"the member {misfit(item.member, value, item.type_)}"
            )
        members[item.member] = value
    rule = call.idempotency
    if rule.kind == "token" and rule.member not in members:
        members[rule.member] = where.frame.uuid(where.step_id)
    return members


def note_secrets(run: Run, call: Call, members: JsonObject) -> None:
    """Note the sensitive members that are about to be sent: AWS may repeat them in an error."""
    for name in call.masked:
        run.secrets.add(members.get(name))


def region_of(call: Call, where: Where) -> str | None:
    """Return where the call goes; None is the caller's own region."""
    if call.region is None:
        return None
    value = evaluate(call.region, where)
    if value is not None and not isinstance(value, str):
        raise StepFailure("TypeMismatch", "the region is no text")
    if value is not None and not is_region(value):
        raise StepFailure("TypeMismatch", "the region is not the name of one")
    return value


async def read(run: Run, call: Call, where: Where, tally: Tally) -> JsonObject:
    """Make a call that changes nothing, with all its pages.

    Raises: StepFailure, Halt.
    """
    members, region = render(call, where), region_of(call, where)
    note_secrets(run, call, members)

    async def page(more: JsonObject) -> JsonObject:
        return await _read_page(run, call, {**members, **more}, region, where, tally)

    if call.pages is None:
        return await page({})
    cap = min(call.pages.max_items, run.env.limits.page_items)
    answer, is_cut = await paging.collect(call.pages, members, page, cap)
    if is_cut:
        run.warn(where.step_id, f"there are more than {cap} items, the rest was not read")
    return answer


async def _read_page(
    run: Run, call: Call, members: JsonObject, region: str | None, where: Where, tally: Tally
) -> JsonObject:
    attempt = 0
    while True:
        attempt += 1
        tally.attempts += 1
        try:
            breaker = run.breaker(call, region)
            request = request_of(run, call, members, region, where, attempt)
            answer = await run.send(request, breaker)
        except AwsFailure as failure:
            tally.note(failure.request_id)
            class_ = class_of(failure)
            retried = is_retried(call.retry, class_, failure.code)
            if attempt >= call.retry.max_attempts or not retried:
                raise failed(call, failure) from None
            await run.sleep(delay_s(call.retry, attempt, run.env.chance), where.deadline)
            continue
        tally.note(answer.request_id)
        return answer.output


def request_of(
    run: Run, call: Call, members: JsonObject, region: str | None, where: Where, attempt: int
) -> AwsRequest:
    """Return what is sent at an attempt."""
    left = where.deadline.at - run.clock.monotonic()
    # So that an attempt that hangs leaves time for those that may follow it.
    share = max(1, call.retry.max_attempts - attempt + 1)
    return AwsRequest(
        service=call.service,
        operation=call.operation,
        members=members,
        step_id=where.step_id,
        region=region,
        timeout_s=max(0.001, min(left / share, where.attempt_cap_s)),
        mutating=call.mutating,
    )


def selected(run: Run, call: Call, answer: JsonObject) -> JsonObject:
    """Return the selected outputs of an answer.

    Raises: StepFailure[TypeMismatch].
    """
    outputs: JsonObject = {}
    try:
        for item in call.selected:
            value = item.path.get(answer)
            if not fits(value, item.type_):
                raise WrongData(misfit(item.path.text, value, item.type_))
            if item.fields is not None:
                value = select_members(value, item.fields, item.path.text)
            outputs[item.name] = value
        size = size_of(outputs, run.env.limits.step_output_bytes)
    except WrongData as wrong:
        raise StepFailure("TypeMismatch", str(wrong)) from None
    run.keep(size)
    return outputs


async def send_once(
    run: Run, call: Call, members: JsonObject, region: str | None, where: Where, tally: Tally
) -> JsonObject:
    """Make one attempt of a call that changes nothing, be it only because of `DryRun`.

    Raises: AwsFailure.
    """
    tally.attempts += 1
    breaker = run.breaker(call, region)
    request = request_of(run, call, members, region, where, tally.attempts)
    answer = await run.send(request, breaker)
    tally.note(answer.request_id)
    return answer.output


def failed(call: Call, failure: AwsFailure) -> StepFailure:
    """Return the failure of a step whose call failed; what AWS said stays data."""
    if failure.kind == "circuit":
        return StepFailure(
            "CircuitOpen", f"`{call.service}` failed too often lately and is not called now"
        )
    data: JsonObject = {"message": failure.message}
    if failure.request_id:
        data["request_id"] = failure.request_id
    what = {
        "fault": "was refused by AWS",
        "timeout": "was not answered in time",
        "connection": "could not be sent, or its answer not be read",
        "not_sent": "was not sent",
    }[failure.kind]
    return StepFailure(
        "AwsError", f"`{call.operation}` {what}", aws_code=code_of(failure), data=data
    )

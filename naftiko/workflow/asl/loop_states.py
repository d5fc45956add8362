"""FOR_EACH -> a Map whose items run the body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias, cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.jsonata import Compiler, Names
from naftiko.workflow.asl.literals import NotMappable, literal, text_literal, wrapped
from naftiko.workflow.asl.machine import Machine, choosing, passing, targets
from naftiko.workflow.asl.names import output_key
from naftiko.workflow.asl.states import IS_LATE, Scope, States, objects, variable
from naftiko.workflow.own_fields import ERROR_CODE, OWN

Chain: TypeAlias = Callable[[Sequence[JsonObject], str, Scope], str]
"""Adds the states of operations in order; gives the name of the first."""


def for_each(states: States, chain: Chain, op: JsonObject, next_: str, scope: Scope) -> str:
    """Add the states of a FOR_EACH, whose items run the body; return the name of the first."""
    step_id = str(op["step_id"])
    if step_id in states.codes:
        raise NotMappable("the error code of a loop")
    names = states.names(step_id, scope)
    items = f"list_{step_id}"
    state: JsonObject = {
        "Type": "Map",
        "Items": wrapped(f"${items}"),
        "ItemSelector": {
            "item": wrapped("$states.context.Map.Item.Value"),
            "index": wrapped("$states.context.Map.Item.Index"),
        },
        "MaxConcurrency": op["max_concurrency"],
        "ItemProcessor": _item_processor(states, chain, op, scope),
        "Assign": {variable(step_id): _counted("$states.result")},
        "Output": {},
        "Catch": [_catch_item(states, op, next_, scope)],
        "Next": next_,
    }
    if op["on_item_error"] == "continue" and not scope.broken:
        # Items that came too late have been lost one by one.
        late = (wrapped(IS_LATE), states.late(op, scope))
        state["Next"] = states.add(scope, op, f"{step_id}.ended", choosing([late], next_))
    states.add(scope, op, step_id, state)
    too_many = states.failing(op, "too_many", "FanOutExceeded", next_, scope)
    rule = (wrapped(f"$count(${items}) > {op['max_items']}"), too_many)
    count = states.add(scope, op, f"{step_id}.count", choosing([rule], step_id))
    return states.add(
        scope, op, f"{step_id}.over", passing({items: _list_of(op["over"], names)}, count)
    )


def _item_processor(states: States, chain: Chain, op: JsonObject, scope: Scope) -> JsonObject:
    step_id = str(op["step_id"])
    machine = Machine(scope.machine.problems, states.place(op))
    last, lost = f"{step_id}.item_done", f"{step_id}.item_failed"
    inner = replace(
        scope,
        machine=machine,
        fail=lambda _: lost,
        failure=f"failure_{step_id}",
        in_item=True,
        broken=False,
    )
    body = objects(op["body"])
    first = chain(body, last, inner)
    assign: JsonObject = {
        "item": wrapped("$states.input.item"),
        "index": wrapped("$states.input.index"),
        inner.failure: {},
        **states.initial(body),
    }
    machine.add(f"{step_id}.item", passing(assign, first), states.place(op))
    ended = f'{{"index": $index, "status": "succeeded", "outputs": {_item_outputs(states, body)}}}'
    machine.add(last, {"Type": "Pass", "Output": wrapped(ended), "End": True}, states.place(op))
    if any(lost in _targets(state) for state in machine.states.values()):
        machine.add(lost, _lost_item(states, op, inner), states.place(op))
    return {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": f"{step_id}.item",
        "States": machine.states,
    }


def _lost_item(states: States, op: JsonObject, scope: Scope) -> JsonObject:
    failure = f"${scope.failure}"
    if op["on_item_error"] == "continue":
        outputs = _item_outputs(states, objects(op["body"]))
        lost = f'{{"index": $index, "status": "failed", "outputs": {outputs}}}'
        return {"Type": "Pass", "Output": wrapped(lost), "End": True}
    return {
        "Type": "Fail",
        "Error": wrapped(f"{failure}.type"),
        "Cause": wrapped(f'{failure}.step_id & " " & {failure}.aws_code'),
    }


def _catch_item(states: States, op: JsonObject, next_: str, scope: Scope) -> JsonObject:
    target, assign = states.on_failure(op, next_, scope)
    if target != next_:
        assign[scope.failure] = wrapped(
            '($words := $split($states.errorOutput.Cause, " "); $code := $words[1]; '
            '$merge([{"type": $states.errorOutput.Error, '
            f'"step_id": {literal(str(op["step_id"]))}}}, '
            '$exists($code) and $code != "" ? {"aws_code": $code} : {}]))'
        )
        assign["late"] = wrapped(IS_LATE)
    return {"ErrorEquals": ["States.ALL"], "Assign": assign, "Output": {}, "Next": target}


def _list_of(tree: JsonValue, names: Names) -> str:
    code = Compiler(names).code(tree)
    return wrapped(f'($list := {code.text}; $type($list) = "array" ? $list : [])')


def _counted(result: str) -> str:
    good = f'$count([$filter({result}, function($r) {{ $r.status = "succeeded" }})])'
    return wrapped(
        f'{{"status": "succeeded", "count": $count({result}), "succeeded": {good}, '
        f'"failed": $count({result}) - {good}, "results": [{result}]}}'
    )


def _item_outputs(states: States, body: Sequence[JsonObject]) -> str:
    """Return what an item of a loop gives: the declared outputs of each step that has any."""
    parts = []
    for step in body:
        if step["op"] == "CONDITION":
            continue
        step_id = str(step["step_id"])
        pair = f"{{{text_literal(step_id)}: $given}}"
        held = _given(states, step_id)
        parts.append(f"($given := {held}; $exists($given) ? {pair} : {{}})")
    return f"$merge([{', '.join(parts)}])"


def _given(states: States, step_id: str) -> str:
    """Return the declared outputs that a step has given, nothing where it has given none."""
    held = f"${variable(step_id)}"
    tests = ['$k != "status"']
    if step_id in states.codes:
        tests.append(f"$k != {text_literal(ERROR_CODE)}")
    hiding = [name for name in OWN if (step_id, name) in states.hidden]
    tests += [f"$k != {text_literal(output_key(name))}" for name in hiding]
    tests.append('$substring($k, 0, 7) != "output."')
    others = f"$sift({held}, function($v, $k) {{ {' and '.join(tests)} }})"
    if not hiding:
        return others
    named = ""
    for name in hiding:
        value = f"$lookup({held}, {text_literal(output_key(name))})"
        named += f", $exists({value}) ? {{{text_literal(name)}: {value}}} : {{}}"
    return f"($all := $merge([{others}{named}]); $count($keys($all)) > 0 ? $all)"


def _targets(state: JsonValue) -> list[str]:
    return targets(cast("JsonObject", state))

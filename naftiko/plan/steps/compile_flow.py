"""Compiles the steps that hold steps: `if`, `switch`, `parallel`, loops, `try`."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.document.nodes import Node, Scalar, Sequence
from naftiko.errors import did_you_mean
from naftiko.expressions.text import type_name, value_text
from naftiko.model.build_steps import build_branches, build_cases, build_steps
from naftiko.model.fields import Fields
from naftiko.plan.clients import leave_out
from naftiko.plan.steps.building import Kind, Place, StepCompiler, With, every_step
from naftiko.plan.steps.execution import Action, OnError, StepNode
from naftiko.plan.steps.flow import Case, IfAction, ParallelAction, SwitchAction
from naftiko.plan.steps.loops import ForEachAction
from naftiko.plan.steps.outcome import TryAction
from naftiko.plan.steps.repeat import Pace, RepeatAction
from naftiko.plan.steps.scope import Visible
from naftiko.plan.values import ConstantValue

MAX_ITEMS, MOST_ITEMS = 1_000, 10_000
MAX_ITERATIONS, MOST_ITERATIONS = 100, 10_000
MOST_AT_ONCE = 64
"""Bounds of loops: what holds where a file gives none, and the highest that it may give."""
MAX_INTERVAL_S, MOST_BACKOFF = 60.0, 10.0


def _branch(at: Place, name: str, compiler: StepCompiler) -> tuple[StepNode, ...]:
    return compiler.branch(build_steps(at.step.fields, name), at.visible)


def _needed(nodes: tuple[StepNode, ...], at: Place, member: str) -> tuple[StepNode, ...]:
    if not nodes:
        raise leave_out("missing-member", f"{at.shown} needs `{member}`", at.step.location)
    return nodes


def compile_if(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile both branches; a name may stand in each of them."""
    condition = compiler.values.condition(compiler.scalar(at, "condition"), at.visible)
    before = Visible(dict(at.visible.names))
    then = _needed(_branch(at, "then", compiler), at, "then")
    otherwise = compiler.branch(build_steps(at.step.fields, "else"), before)
    at.visible.names |= before.names
    return IfAction(condition=condition, then=then, otherwise=otherwise), ()


def compile_switch(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile all cases; a name may stand in each of them."""
    value = compiler.node(at, "value")
    compiled = compiler.values.value(value, at.visible, path=True)
    before = dict(at.visible.names)
    cases: list[Case] = []
    for fields, steps in build_cases(at.step):
        inner = Visible(dict(before))
        when = _when(fields, at)
        nodes = compiler.branch(steps, inner)
        cases.append(Case(when=when, steps=nodes, shown=_shown(fields.node_of("when"))))
        at.visible.names |= inner.names
    if not cases:
        raise leave_out("missing-member", f"{at.shown} needs `cases`", at.step.location)
    inner = Visible(dict(before))
    default = compiler.branch(build_steps(at.step.fields, "default"), inner)
    at.visible.names |= inner.names
    action = SwitchAction(value=compiled, shown=_shown(value), cases=tuple(cases), default=default)
    return action, ()


def _when(case: Fields, at: Place) -> frozenset[str | None]:
    node = case.node_of("when")
    items = tuple(node) if isinstance(node, Sequence) else (node,)
    found: set[str | None] = set()
    for item in items:
        if not isinstance(item, Scalar):
            raise leave_out(
                "invalid-member",
                f"a case of {at.shown} needs `when`: one value or a list of values",
                (node or case).location,
            )
        found.add(None if item.value is None else value_text(item.value))
    return frozenset(found)


def compile_parallel(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile branches, each of which sees its own steps only."""
    branches: list[tuple[str, tuple[StepNode, ...]]] = []
    for key, steps in build_branches(at.step):
        inner = at.visible.branch(certain=True)
        branches.append((key.text, compiler.compile(steps, inner)))
    if not branches:
        raise leave_out("missing-member", f"{at.shown} needs `branches`", at.step.location)
    tolerant = at.on_error is OnError.CONTINUE
    return ParallelAction(branches=tuple(branches), tolerant=tolerant), ()


def compile_for_each(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a loop over a list, whose steps are seen inside it only."""
    items = compiler.node(at, "in")
    compiled = compiler.values.value(items, at.visible, path=True)
    if isinstance(compiled, ConstantValue) and not isinstance(compiled.value, list):
        raise leave_out(
            "invalid-member",
            f"`in` of {at.shown} is to be a list, found {type_name(compiled.value)}",
            items.location,
            "write a list, a path such as `$.orders.items`, or one template",
        )
    item, index = at.step.fields.text("as") or "item", at.step.fields.text("index")
    for variable in (item, index):
        _check_variable(variable, at)
    inner = at.visible.branch(*filter(None, (item, index)))
    steps = compiler.compile(build_steps(at.step.fields), inner)
    collect = at.step.fields.node_of("collect")
    action = ForEachAction(
        items=compiled,
        shown=_shown(items),
        item=item,
        index=index,
        parallel=compiler.count(at, "parallel", 1, MOST_AT_ONCE),
        max_items=compiler.count(at, "maxItems", MAX_ITEMS, MOST_ITEMS),
        steps=_needed(steps, at, "steps") if collect is None else steps,
        collect=None if collect is None else compiler.values.value(collect, inner),
        tolerant=at.on_error is OnError.CONTINUE,
    )
    return action, ()


def compile_repeat(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile `while` and `until`; the condition sees the steps of the loop."""
    until = at.step.type_ == "until"
    listed = build_steps(at.step.fields)
    # A round may read what the round before it left.
    earlier = [step.name for step in listed if step.name and step.name not in at.visible.names]
    inner = at.visible.branch(*earlier, certain=until)
    steps = compiler.compile(listed, inner)
    at.visible.names |= {name: place for name, place in inner.names.items() if place is not None}
    condition = compiler.values.condition(compiler.scalar(at, "condition"), inner)
    action = RepeatAction(
        condition=condition,
        until=until,
        steps=_needed(steps, at, "steps"),
        max_iterations=compiler.count(at, "maxIterations", MAX_ITERATIONS, MOST_ITERATIONS),
        pace=_pace(at, compiler),
        timeout_s=compiler.duration_s(at, "timeout"),
        task_timeout_s=compiler.duration_s(at, "taskTimeout"),
        quiet=_is_quiet(at),
    )
    return action, ()


def _pace(at: Place, compiler: StepCompiler) -> Pace:
    interval_s = compiler.duration_s(at, "interval") or 0.0
    backoff = compiler.number(at, "backoff", 1.0, 1.0, MOST_BACKOFF)
    most_s = compiler.duration_s(at, "maxInterval")
    jitter = _jitter(at, compiler)
    if not interval_s:
        _warn_unused_pace(at, compiler)
    if most_s is None:
        most_s = max(interval_s, MAX_INTERVAL_S) if backoff > 1 else interval_s
    if most_s < interval_s:
        raise leave_out(
            "invalid-bound",
            f"`maxInterval` of {at.shown} is {most_s:g} s, shorter than its `interval` of "
            f"{interval_s:g} s",
            at.step.location,
            "give the first wait as `interval` and the longest as `maxInterval`",
        )
    return Pace(interval_s=interval_s, backoff=backoff, most_s=most_s, jitter=jitter)


def _jitter(at: Place, compiler: StepCompiler) -> float:
    node = at.step.fields.node_of("jitter")
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return 1.0 if node.value else 0.0
    return compiler.number(at, "jitter", 0.0, 0.0, 1.0)


def _warn_unused_pace(at: Place, compiler: StepCompiler) -> None:
    for name in ("backoff", "maxInterval", "jitter"):
        node = at.step.fields.node_of(name)
        if node is not None and at.step.fields.node_of("interval") is None:
            compiler.problems.warn(
                "unused-member",
                f"`{name}` of {at.shown} has no effect without `interval`",
                node.location,
                "add `interval: 1s`",
            )


def _is_quiet(at: Place) -> bool:
    scalar = at.step.fields.scalar("onTimeout")
    if scalar is None or scalar.text == "fail":
        return False
    if scalar.text == "continue":
        return True
    raise leave_out(
        "invalid-member",
        f"`onTimeout` of {at.shown} is `fail` or `continue`, found `{scalar.text}`",
        scalar.location,
        did_you_mean(scalar.text, ("fail", "continue")),
    )


def compile_try(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile the steps, those that run where they fail, and those that run in both cases."""
    fields = at.step.fields
    variable = fields.text("as") or "error"
    _check_variable(variable, at)
    before = dict(at.visible.names)
    steps = _needed(_branch(at, "steps", compiler), at, "steps")
    has_catch = fields.node_of("catch") is not None
    inner = Visible({**before, variable: None})
    catch = compiler.branch(build_steps(fields, "catch"), inner)
    at.visible.names |= {name: place for name, place in inner.names.items() if place is not None}
    on_cancel = _on_cancel(at, compiler)
    finally_ = _branch(at, "finally", compiler)
    if not has_catch and not finally_ and not on_cancel:
        raise leave_out(
            "missing-member", f"{at.shown} needs `catch`, `finally` or `onCancel`", at.step.location
        )
    action = TryAction(
        steps=steps,
        catch=catch if has_catch else None,
        variable=variable,
        finally_=finally_,
        on_cancel=on_cancel,
        aftermath=compiler.aftermath,
    )
    return action, ()


def _on_cancel(at: Place, compiler: StepCompiler) -> tuple[StepNode, ...]:
    """Compile what runs when nobody waits any more, so that no later step sees its outputs."""
    listed = build_steps(at.step.fields, "onCancel")
    asking = next((step for step in every_step(listed) if step.type_ == "ask"), None)
    if asking is not None:
        raise leave_out(
            "cannot-ask",
            f"an `ask` step in `onCancel` of {at.shown} has nobody to ask: its caller has gone",
            asking.location,
            "ask before, in `steps`",
        )
    return compiler.branch(listed, Visible(dict(at.visible.names)))


def _check_variable(name: str, at: Place) -> None:
    place = at.visible.names.get(name)
    if place is not None:
        raise leave_out(
            "duplicate-step",
            f"{at.shown} calls a variable `{name}`, as a step is called",
            at.step.location,
            f"the step stands at {place}; rename one",
        )


def _shown(node: Node | None) -> str:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence) and all(isinstance(item, Scalar) for item in node):
        return ", ".join(item.text for item in node if isinstance(item, Scalar))
    return "a value in the file"


KINDS: Mapping[str, Kind] = {
    "if": compile_if,
    "switch": compile_switch,
    "parallel": compile_parallel,
    "forEach": compile_for_each,
    "while": compile_repeat,
    "until": compile_repeat,
    "try": compile_try,
}

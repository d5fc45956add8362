"""Operations of a plan -> states.

Each operation becomes states named after its step: the one that acts has the step's id, those
around it have a suffix (`create_snapshot`, `create_snapshot.enter`). They are made from the last
to the first, so that every state knows the name of the one that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from naftiko.values import JsonObject
from naftiko.workflow.asl.call_states import aws_call
from naftiko.workflow.asl.jsonata import Compiler, expression
from naftiko.workflow.asl.literals import NotMappable, wrapped
from naftiko.workflow.asl.loop_states import for_each
from naftiko.workflow.asl.machine import choosing, passing
from naftiko.workflow.asl.paging import outcome
from naftiko.workflow.asl.poll_states import poll
from naftiko.workflow.asl.states import (
    IS_LATE,
    SKIPPED,
    SUCCEEDED,
    Scope,
    States,
    expression_true,
    seconds_of,
    time_left,
    variable,
)

_TAKES_TIME = frozenset({"AWS_CALL", "POLL", "FOR_EACH", "WAIT"})


class Steps(States):
    """Makes states of operations."""

    def chain(self, operations: Sequence[JsonObject], end: str, scope: Scope) -> str:
        """Add the states of operations in order; return the name of the first."""
        following = end
        for op in reversed(operations):
            following = self._operation(op, following, scope)
        return following

    def _operation(self, op: JsonObject, next_: str, scope: Scope) -> str:
        step_id = str(op["step_id"])
        makers: dict[str, Callable[[JsonObject, str, Scope], str]] = {
            "AWS_CALL": partial(aws_call, self),
            "POLL": partial(poll, self),
            "FOR_EACH": partial(for_each, self, self.chain),
            "FILTER": self._filter,
            "WAIT": self._wait,
            "ASSERT": self._assert,
            "SET": self._set,
            "CONDITION": self._condition,
        }
        try:
            entry = makers[str(op["op"])](op, next_, scope)
            if str(op["op"]) in _TAKES_TIME and not scope.broken:
                late = self.late(op, scope)
                entry = self.add(
                    scope, op, f"{step_id}.time", choosing([(wrapped(IS_LATE), late)], entry)
                )
            return self._guarded(op, entry, next_, scope)
        except NotMappable as error:
            scope.machine.problems.error(
                "WF801",
                f"`{step_id}` cannot run as a state machine: Step Functions has no way to do "
                f"{error}",
                self.place(op),
                "run the workflow in the engine",
            )
            return self.add(scope, op, step_id, passing({}, next_))

    def _guarded(self, op: JsonObject, entry: str, next_: str, scope: Scope) -> str:
        step_id = str(op["step_id"])
        reasons = [f"$not($is_{op['guard']})"] if op["guard"] else []
        reasons.extend(
            f'${variable(name)}.status in ["skipped", "failed"]'
            for name in sorted(self.reads_skippable(op))
        )
        undone = op.get("undoes")
        if undone:
            reasons.append(f'${variable(str(undone))}.status != "succeeded"')
        if not reasons:
            return entry
        skipped: JsonObject = {variable(step_id): {**SKIPPED}}
        if op["op"] == "CONDITION":
            skipped = {f"is_{op['dest']}": False}
        skip = self.add(scope, op, f"{step_id}.skip", passing(skipped, next_))
        condition = wrapped(" or ".join(reasons))
        return self.add(scope, op, f"{step_id}.enter", choosing([(condition, skip)], entry))

    # --- operations

    def _filter(self, op: JsonObject, next_: str, scope: Scope) -> str:
        step_id = str(op["step_id"])
        names = self.names(step_id, scope)
        compiler = Compiler(names)
        listed = compiler.code(op["from"]).text
        where = compiler.condition(op["where"])
        kept = (
            f'($list := {listed}; $kept := $type($list) = "array" ? '
            f"[$filter($list, function($item) {{ {where} }})] : []; "
            '{"status": "succeeded", "items": $kept, "count": $count($kept)})'
        )
        check = f"{step_id}.count"
        self.add(scope, op, step_id, passing({variable(step_id): wrapped(kept)}, check))
        too_many = self.failing(op, "too_many", "FanOutExceeded", next_, scope)
        rule = (wrapped(f"${variable(step_id)}.count > {op['max_items']}"), too_many)
        self.add(scope, op, check, choosing([rule], next_))
        return step_id

    def _wait(self, op: JsonObject, next_: str, scope: Scope) -> str:
        step_id = str(op["step_id"])
        if seconds_of(op, "seconds") >= seconds_of(op, "timeout"):
            late = self.failing(op, "late", "StepTimeout", next_, scope)
            wait: JsonObject = {"Type": "Wait", "Seconds": op["timeout"], "Next": late}
            return self.add(scope, op, step_id, wait)
        state: JsonObject = {
            "Type": "Wait",
            "Seconds": time_left(seconds_of(op, "seconds"), least=0),
            "Next": f"{step_id}.waited",
        }
        done = self.add(
            scope, op, f"{step_id}.done", passing({variable(step_id): {**SUCCEEDED}}, next_)
        )
        rules = [] if scope.broken else [(wrapped(IS_LATE), self.late(op, scope))]
        rules = rules or [("{% false %}", done)]
        self.add(scope, op, f"{step_id}.waited", choosing(rules, done))
        return self.add(scope, op, step_id, state)

    def _assert(self, op: JsonObject, next_: str, scope: Scope) -> str:
        step_id = str(op["step_id"])
        names = self.names(step_id, scope)
        message = expression(op["message"], names)
        done = self.add(
            scope, op, f"{step_id}.done", passing({variable(step_id): {**SUCCEEDED}}, next_)
        )
        failing = self.failing(op, "failed", "AssertionFailed", next_, scope, message)
        return self.add(
            scope, op, step_id, choosing([(expression_true(op["that"], names), done)], failing)
        )

    def _set(self, op: JsonObject, next_: str, scope: Scope) -> str:
        step_id = str(op["step_id"])
        compiler = Compiler(self.names(step_id, scope))
        values = cast("JsonObject", op["values"])
        pairs = [(name, compiler.code(tree).text) for name, tree in values.items()]
        return self.add(scope, op, step_id, passing({variable(step_id): outcome(pairs)}, next_))

    def _condition(self, op: JsonObject, next_: str, scope: Scope) -> str:
        step_id = str(op["step_id"])
        value = expression_true(op["expr"], self.names(str(op["dest"]), scope))
        return self.add(scope, op, step_id, passing({f"is_{op['dest']}": value}, next_))

"""What test cases name and a plan does not have: in a run it would never be seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from naftiko.document.scalars import shorten
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.plan import walk
from naftiko.workflow.testing.cases import Case, Expected, Stub
from naftiko.workflow.testing.given import check_output


def check_cases(cases: Sequence[Case], plan: JsonObject, problems: Problems) -> None:
    """Report operations, parameters, outputs, steps and handlers that the plan does not have."""
    checks = _Checks(plan, problems)
    for case in cases:
        checks.check(case)


class _Checks:
    def __init__(self, plan: JsonObject, problems: Problems) -> None:
        self._problems = problems
        self._operations = list(
            dict.fromkeys(
                (str(call["service"]), str(call["operation"]))
                for operation in walk.all_operations(plan)
                for _, call in walk.calls(operation)
            )
        )
        top = walk.objects(plan["execution_plan"])
        self._steps = [str(op["step_id"]) for op in top]
        self._inner = [str(op["step_id"]) for op in walk.operations(top)]
        self._parameters = [str(one["name"]) for one in walk.objects(plan["parameters"])]
        self._handlers = [str(one["handler"]) for one in walk.objects(plan["rollback"])]
        self._outputs = list(walk.mapping(plan["outputs"]))

    def check(self, case: Case) -> None:
        for stub in case.stubs:
            self._check_stub(stub)
        expect = case.expect
        is_refused = any(wanted.value == "InvalidParameters" for _, wanted in expect.error)
        for name, place in () if is_refused else case.parameter_places:
            self._known("parameter", name, place, self._parameters)
        for step_id, _, wanted in expect.steps:
            self._known("step", step_id, wanted.location, self._steps)
        for name, wanted in expect.rollback:
            self._known("rollback handler", name, wanted.location, self._handlers)
        for name, wanted in expect.outputs:
            self._known("output", name, wanted.location, self._outputs)
        for name in case.confirm or ():
            if case.confirm_location is not None:
                self._known("step", name, case.confirm_location, self._inner)
        self._check_operations(expect)

    def _check_stub(self, stub: Stub) -> None:
        name = f"{stub.service}:{stub.operation}" if stub.service else stub.operation
        self._check_operation(name, stub.location)
        for service, operation in operations_named(name, self._operations):
            for reply in stub.replies:
                check_output(reply, service, operation, self._problems)

    def _check_operations(self, expect: Expected) -> None:
        for name, place in expect.not_called:
            self._check_operation(name, place)
        if expect.calls is not None and isinstance(expect.calls.value, list):
            for called in expect.calls.value:
                self._check_operation(str(called), expect.calls.location)

    def _check_operation(self, name: str, place: Location) -> None:
        if not operations_named(name, self._operations):
            self._unknown("operation", name, place, [one for _, one in self._operations])

    def _known(self, what: str, name: str, place: Location, known: Sequence[str]) -> None:
        if name not in known:
            self._unknown(what, name, place, known)

    def _unknown(self, what: str, name: str, place: Location, known: Sequence[str]) -> None:
        message = f"the workflow has no {what} `{shorten(name)}`"
        self._problems.error("WF204", message, place, did_you_mean(name, known))


def operations_named(name: str, operations: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the (service, operation) that a name means: "CreateQueue" or "sqs:CreateQueue"."""
    service, _, operation = name.rpartition(":")
    return [one for one in operations if one[1] == operation and service in {"", one[0]}]

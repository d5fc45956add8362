"""JSONata in the interpreter: expressions parsed once, variables handed over as values.

moto writes every variable into the expression's text and parses the whole anew each time; strings
in it are not escaped. Applied by `naftiko.sandbox.patches`.
"""

from __future__ import annotations

import copy
import functools
import importlib
import importlib.util
import json
import threading
from collections.abc import Mapping
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringJSONata,
    StringVariableSample,
)
from moto.stepfunctions.parser.asl.component.intrinsic.jsonata import (
    get_intrinsic_functions_declarations,
)
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.jsonata.jsonata import extract_jsonata_variable_references


def apply() -> None:
    """Change moto's classes."""
    StringJSONata._eval_body = _evaluate
    StringVariableSample._eval_body = _evaluate
    VariableStore.get_assigned_variables = _assigned


def _evaluate(self: Any, env: Any) -> None:
    try:
        env.stack.append(evaluate(self.expression, _bindings(env)))
    except _QueryError as error:
        failure = _failure(env, self.expression, str(error))
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=failure.event_details,
        )
        raise FailureEventException(failure) from error


class _QueryError(Exception):
    """An expression gave nothing, or failed."""


def evaluate(expression: str, bindings: Mapping[str, Any]) -> Any:
    """Return the value of an expression.

    Raises: _QueryError.
    """
    parsed, lock = _parsed(expression)
    frame = parsed.create_frame()
    for name, value in bindings.items():
        frame.bind(name, _null() if value is None else value)
    try:
        with lock:
            # $now() and $millis() ask the thread's latest expression for the time, which is the one
            # parsed last, at that moment.
            type(parsed).CURRENT.jsonata = parsed
            found = parsed.evaluate(None, frame)
    except Exception as error:
        raise _QueryError(f"The JSONata expression '{expression}' failed: {error}") from error
    if "value" not in found:
        raise _QueryError(f"The JSONata expression '{expression}' returned nothing (undefined).")
    try:
        return json.loads(json.dumps(found["value"], allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _QueryError(
            f"The JSONata expression '{expression}' returned an unsupported result type."
        ) from error


@functools.lru_cache(maxsize=2048)
def _parsed(expression: str) -> tuple[Any, threading.Lock]:
    if importlib.util.find_spec("jsonata") is None:
        raise RuntimeError("JSONata in the sandbox needs the package jsonata-python")
    references = extract_jsonata_variable_references(expression)
    functions = get_intrinsic_functions_declarations(variable_references=references)
    # The object tells nothing (no member) from null.
    text = f'({functions}{{"value": ({expression})}})'
    try:
        return importlib.import_module("jsonata.jsonata").Jsonata(text), threading.Lock()
    except Exception as error:
        raise _QueryError(f"The JSONata expression '{expression}' is invalid: {error}") from error


def _null() -> Any:
    return importlib.import_module("jsonata.utils").Utils.NULL_VALUE


def _bindings(env: Any) -> dict[str, Any]:
    store = env.variable_store
    states = {name: value for name, value in env.states._states_data.items() if value is not None}
    return {**store._outer_scope, **store._inner_scope, "states": copy.copy(states)}


def _assigned(self: Any) -> dict[str, str]:
    # moto does not escape strings.
    return {
        name: json.dumps(self.get(name), separators=(",", ":"), ensure_ascii=False)
        for name in sorted(self._declaration_tracing)
    }


def _failure(env: Any, expression: str, cause: str) -> FailureEvent:
    error_name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    return FailureEvent(
        env=env,
        error_name=error_name,
        event_type=HistoryEventType.EvaluationFailed,
        event_details={
            "evaluationFailedEventDetails": {"cause": cause, "error": error_name.error_name}
        },
    )

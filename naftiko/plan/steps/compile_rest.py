"""Compiles `set`, `fail`, `ask`, `progress`, `log` and `wait` steps."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Node, Scalar
from naftiko.errors import did_you_mean
from naftiko.expressions.template import Template
from naftiko.model.fields import Fields
from naftiko.plan.clients import leave_out
from naftiko.plan.inputs import compile_validator
from naftiko.plan.steps.building import Kind, Place, StepCompiler, With
from naftiko.plan.steps.caller import (
    AskAction,
    LogAction,
    ProgressAction,
    Request,
    WaitAction,
)
from naftiko.plan.steps.execution import Action
from naftiko.plan.steps.outcome import FailAction, SetAction
from naftiko.plan.values import ConstantValue, ObjectValue, ValueTemplate
from naftiko.values import JsonObject

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
QUESTIONS = ("form", "url", "sampling", "roots")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "form": ("message",),
    "url": ("message", "url"),
    "sampling": ("messages",),
    "roots": (),
}
_SCHEMA = "requestedSchema"


def compile_set(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a value."""
    node = compiler.node(at, "value")
    value = compiler.values.value(node, at.visible)
    return SetAction(value=value, shown=node.text if isinstance(node, Scalar) else "a value"), ()


def compile_fail(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile an error of the file's own."""
    status = at.step.fields.node_of("status")
    value = status.value if isinstance(status, Scalar) else None
    if status is not None and not (isinstance(value, int) and 400 <= value <= 599):
        raise leave_out(
            "invalid-status",
            f"`status` of {at.shown} is to be one of an error, from 400 to 599",
            status.location,
        )
    code = at.step.fields.text("code") or "failed"
    message = _text(at, "message", compiler) or _constant(f"the step `{at.label}` failed")
    status_number = value if isinstance(value, int) else 500
    return FailAction(code=code, message=message, status=status_number), ()


def _text(at: Place, name: str, compiler: StepCompiler) -> Template | None:
    scalar = at.step.fields.scalar(name)
    if scalar is None:
        return None
    template = compiler.templates.scalar(scalar)
    compiler.values.note_references(template.references, at.visible)
    return template


def _constant(text: str) -> Template:
    return Template(text, (text,), ())


def compile_ask(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile questions: `message` and `schema`, or `requests` by key."""
    requests = at.step.fields.mapping("requests")
    if requests is None:
        compiler.scalar(at, "message")
        request = _request(at.label, at.step.fields, at, compiler, single=True)
        return AskAction(requests=(request,), single=True), ()
    found: list[Request] = []
    for key, node in requests.entries:
        if not isinstance(node, MappingNode):
            raise leave_out(
                "invalid-member", f"a request of {at.shown} is to be an object", key.location
            )
        found.append(_request(key.text, Fields(node), at, compiler, single=False))
    if not found:
        raise leave_out("missing-member", f"{at.shown} asks nothing", requests.location)
    return AskAction(requests=tuple(found), single=False), ()


def _request(
    key: str, fields: Fields, at: Place, compiler: StepCompiler, *, single: bool
) -> Request:
    kind = fields.text("kind") or "form"
    if kind not in QUESTIONS:
        place = fields.scalar("kind") or at.step
        hint = did_you_mean(kind, QUESTIONS)
        raise leave_out(
            "unknown-question", f"`{kind}` is no kind of question", place.location, hint
        )
    if single and kind == "sampling":
        raise leave_out(
            "missing-member", f"{at.shown} asks a model without `messages`", fields.node.location,
            "put it under `requests`, with its `messages`",
        )  # fmt: skip
    for name in _NEEDED[kind]:
        if fields.node_of(name) is None:
            raise leave_out(
                "missing-member",
                f"the {kind} `{key}` of {at.shown} needs `{name}`",
                fields.node.location,
            )
    members: list[tuple[str, ValueTemplate]] = []
    for name in ("message", "url") if single else tuple(fields.node):
        node = fields.node.get(name)
        if node is not None and name not in ("kind", "optional", "schema", _SCHEMA):
            members.append((name, compiler.values.value(node, at.visible)))
    if kind == "form":
        members.append((_SCHEMA, ConstantValue(_schema(fields, at))))
    return Request(
        key=key,
        kind=kind,
        params=ObjectValue(tuple(members)),
        optional=fields.boolean("optional") is True,
    )


def _schema(fields: Fields, at: Place) -> JsonObject:
    node: Node | None = fields.node_of("schema", _SCHEMA)
    if node is None:
        return {"type": "object", "properties": {}}
    found = node.plain()
    reason = "it is no object"
    if isinstance(found, dict):
        try:
            compile_validator(found)
            return found
        except ValueError as error:
            reason = str(error).partition("\n")[0][:200]
    raise leave_out(
        "invalid-schema", f"the `schema` of {at.shown} is no JSON Schema: {reason}", node.location
    )


def compile_progress(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a report of progress."""
    total = at.step.fields.node_of("total")
    action = ProgressAction(
        progress=compiler.values.value(compiler.node(at, "progress"), at.visible),
        total=None if total is None else compiler.values.value(total, at.visible),
        message=_text(at, "message", compiler) or _constant(""),
    )
    return action, ()


def compile_log(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a log message."""
    level = at.step.fields.scalar("level")
    name = level.text if level is not None else "info"
    if level is not None and name not in LEVELS:
        raise leave_out(
            "unknown-level", f"`{name}` is no log level", level.location, did_you_mean(name, LEVELS)
        )
    data = at.step.fields.node_of("data", "message")
    if data is None:
        raise leave_out("missing-member", f"{at.shown} needs `data`", at.step.location)
    logger = at.step.fields.text("logger") or compiler.operation.name
    value = compiler.values.value(data, at.visible)
    return LogAction(level=name, logger=logger, data=value), ()


def compile_wait(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile a pause."""
    compiler.node(at, "duration")
    return WaitAction(seconds=compiler.duration_s(at, "duration") or 0.0), ()


KINDS: Mapping[str, Kind] = {
    "set": compile_set,
    "fail": compile_fail,
    "ask": compile_ask,
    "progress": compile_progress,
    "log": compile_log,
    "wait": compile_wait,
}

"""Compiles `schema` steps."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.document.nodes import Scalar
from naftiko.errors import did_you_mean
from naftiko.plan.clients import leave_out
from naftiko.plan.steps.building import Kind, Place, StepCompiler, With
from naftiko.plan.steps.execution import Action
from naftiko.plan.values import ValueTemplate

FORMATS = (
    "JSONSchemaDraft4", "OpenApi3", "draft-04", "draft-06", "draft-07", "2019-09", "2020-12",
)  # fmt: skip
"""What a file may say; what a registry says may be spelt in other ways."""


def compile_schema(at: Place, compiler: StepCompiler) -> tuple[Action, With]:
    """Compile where a schema comes from, its format, and the name of its root."""
    # Only files with such a step pay for it.
    from naftiko.plan.steps.schema import SchemaAction

    node = compiler.node(at, "value")
    # Inside an object a text such as `$` is a pattern rather than a path.
    value = compiler.values.value(node, at.visible, path=isinstance(node, Scalar))
    shown = node.text if isinstance(node, Scalar) else "in the file"
    _check_format(at)
    format_, root = _optional(at, "format", compiler), _optional(at, "root", compiler)
    return SchemaAction(value=value, format_=format_, root=root, shown=shown), ()


def _check_format(at: Place) -> None:
    """Refuse a format that no document is in, where the file says it."""
    from naftiko.plan.found_schema.dialects import is_format

    scalar = at.step.fields.scalar("format")
    if scalar is None or "{{" in scalar.text or "{%" in scalar.text or is_format(scalar.text):
        return
    raise leave_out(
        "unknown-schema-format",
        f"`{scalar.text}` is no format of schemas",
        scalar.location,
        did_you_mean(scalar.text, FORMATS),
    )


def _optional(at: Place, name: str, compiler: StepCompiler) -> ValueTemplate | None:
    if at.step.fields.node_of(name) is None:
        return None
    return compiler.values.value(compiler.scalar(at, name), at.visible)


KINDS: Mapping[str, Kind] = {"schema": compile_schema}

"""What is wrong with a declared input by itself: its pattern, its default."""

from __future__ import annotations

from naftiko.errors import Problems
from naftiko.model.parameters import InputParameter
from naftiko.plan.clients import leave_out
from naftiko.plan.infer import declared_default, declared_schema, is_regular_expression
from naftiko.plan.inputs import compile_validator, field_errors


def check_declared(item: InputParameter, problems: Problems) -> None:
    """Warn of a default that every call without the input would fail by.

    Raises: LeftOut for a pattern that cannot be tried: whatever it was to keep out would come in.
    """
    pattern = dict(item.schema).get("pattern")
    if pattern is not None and not is_regular_expression(pattern):
        raise leave_out(
            "invalid-pattern",
            f"the `pattern` of `{item.name}` is no regular expression",
            item.location,
            "JSON Schema has those of ECMAScript, as in `^[a-z]+$`",
        )
    default = declared_default(item)
    if default is None:
        return
    try:
        validator = compile_validator({"properties": {item.name: declared_schema(item, {})}})
    except ValueError:  # the table of all inputs says what is wrong with the schema
        return
    faults = field_errors(validator, {item.name: default})
    if faults:
        problems.warn(
            "invalid-default",
            f"the `default` of `{item.name}` does not fit: {faults[0].message}",
            item.location,
            "correct it; as it stands, calls that leave the input out are refused",
        )

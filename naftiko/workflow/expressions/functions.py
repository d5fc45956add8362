"""The functions of workflow expressions: what each takes and gives. Spec: section 2."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """`args` holds, for each argument, the kinds that it may have.

    `gives` is the kind of the result; "element" is that of the list's elements.
    """

    args: tuple[tuple[str, ...], ...]
    gives: str
    example: str


TEXT = ("string",)
NUMBERS = ("integer", "number")
SCALARS = ("string", "integer", "number", "boolean", "timestamp", "duration")
LIST = ("list",)

FUNCTIONS = {
    "timestamp": Function(args=(), gives="string", example="timestamp()"),
    "now": Function(args=(), gives="timestamp", example="now()"),
    "uuid": Function(args=(), gives="string", example="uuid()"),
    "execution_id": Function(args=(), gives="string", example="execution_id()"),
    "region": Function(args=(), gives="string", example="region()"),
    "account_id": Function(args=(), gives="string", example="account_id()"),
    "partition": Function(args=(), gives="string", example="partition()"),
    "lower": Function(args=(TEXT,), gives="string", example="lower(params.name)"),
    "upper": Function(args=(TEXT,), gives="string", example="upper(params.name)"),
    "trim": Function(args=(TEXT,), gives="string", example="trim(params.name)"),
    "string": Function(args=(SCALARS,), gives="string", example="string(params.count)"),
    "int": Function(args=(("string", *NUMBERS),), gives="integer", example="int(params.count)"),
    "number": Function(
        args=(("string", *NUMBERS),), gives="number", example="number(item.BudgetLimit.Amount)"
    ),
    "length": Function(
        args=(("string", "list", "map"),), gives="integer", example="length(params.names)"
    ),
    "first": Function(args=(LIST,), gives="element", example="first(params.names)"),
    "last": Function(args=(LIST,), gives="element", example="last(params.names)"),
    "join": Function(args=(LIST, TEXT), gives="string", example="join(params.names, ', ')"),
    "concat": Function(args=(LIST, LIST), gives="list", example="concat(params.names, ['one'])"),
    "pluck": Function(args=(LIST, TEXT), gives="list", example="pluck(steps.id.items, 'Name')"),
    "days": Function(args=(NUMBERS,), gives="duration", example="days(7)"),
    "hours": Function(args=(NUMBERS,), gives="duration", example="hours(12)"),
    "minutes": Function(args=(NUMBERS,), gives="duration", example="minutes(30)"),
    "age": Function(args=(("timestamp",),), gives="duration", example="age(item.CreateTime)"),
    "date": Function(args=(("timestamp",),), gives="string", example="date(now())"),
    "month_start": Function(
        args=(("timestamp",),), gives="timestamp", example="month_start(now())"
    ),
}

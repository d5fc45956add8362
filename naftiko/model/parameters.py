"""Parameters and outputs of operations. Spec: `inputParameters`, `outputParameters`."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Node, Scalar
from naftiko.source import Location
from naftiko.values import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class InputParameter:
    """A declared input of an exposed or consumed operation.

    `in_` is where it is read from or sent to ("path", "query", "header", "cookie", "body",
    "environment"), None where the file does not say. `required` is None where it does not say.
    `schema` holds the JSON Schema keywords given beside `type` (`enum`, `minimum`, `pattern`...).
    """

    name: str
    location: Location
    in_: str | None = None
    type_: str | None = None
    description: str = ""
    required: bool | None = None
    value: Node | None = None
    default: JsonValue = None
    has_default: bool = False
    schema: tuple[tuple[str, JsonValue], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputParameter:
    """A shape of an output: mapped, or given as `value`. Nested by `properties`, `items`.

    `mapping` and `value` stay scalars, so that errors in them point to their characters. `coerce`
    turns what is found into the declared type; what it holds does alike unless it says otherwise.
    """

    location: Location
    name: str | None = None
    type_: str | None = None
    mapping: Scalar | None = None
    value: Node | None = None
    description: str = ""
    max_length: int | None = None
    coerce: bool | None = None
    properties: tuple[tuple[str, OutputParameter], ...] = ()
    items: OutputParameter | None = None
    values: OutputParameter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithEntry:
    """One entry of `with`: what is passed under `name`, any JSON value with templates."""

    name: str
    value: Node
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A `call` and its `with`. `target` is `namespace.operation` as written."""

    target: Scalar
    with_: tuple[WithEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What a tool does to its surroundings; None where the file does not say. Spec: `hints`."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None

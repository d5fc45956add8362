"""outputParameters -> Shaper: a consumed answer turned into what the file declares.

Behaviour reference, section 5.2: the first entry with a non-null result is the whole answer; if all
are null the upstream's body passes through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from naftiko.errors import ShapingError
from naftiko.expressions.jsonpath import Path, compile_path
from naftiko.model.parameters import OutputParameter
from naftiko.plan.coercion import COERCE, Coerce, as_declared, shown
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonSchema, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.document.nodes import Node
    from naftiko.expressions.template import Scope

ValueCompiler = Callable[["Node"], ValueTemplate]


@dataclass(frozen=True, slots=True)
class GivenShape:
    """`value`: given in the file, with templates over the inputs."""

    template: ValueTemplate
    type_: str | None = None

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue:
        """Return the value in its declared type; null where it leads nowhere."""
        value = self.template.render(scope)
        return None if value is MISSING else as_declared(value, self.type_)

    def explain(self) -> str:
        """Return it in a few words."""
        return "value given in the file"


@dataclass(frozen=True, slots=True)
class MappedShape:
    """`mapping`: whatever the path finds; text cut to `max_length`."""

    path: Path
    max_length: int | None = None

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue:
        """Return what the path finds, null for nothing."""
        value = self.path.find(root)
        if value is MISSING:
            return None
        if self.max_length is not None and isinstance(value, str):
            return value[: self.max_length]
        return value

    def explain(self) -> str:
        """Return the path."""
        return self.path.text


@dataclass(frozen=True, slots=True)
class CoercedShape:
    """`coerce: true`: what is found, in the declared type. `place` names it in errors."""

    path: Path
    type_: str
    coerce: Coerce
    place: str
    max_length: int | None = None

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue:
        """Return what the path finds in the declared type, null for nothing.

        Raises: ShapingError where it has no form of that type.
        """
        value = self.path.find(root)
        if value is MISSING or value is None:
            return None
        try:
            value = self.coerce(value)
        except ValueError:
            raise ShapingError(
                code="wrong-output-type",
                message=f"the answer has {shown(value)} at `{self.path.text}`, where "
                f"{self.place} must be of type {self.type_}",
            ) from None
        if self.max_length is not None and isinstance(value, str):
            return value[: self.max_length]
        return value

    def explain(self) -> str:
        """Return the path and the type."""
        return f"{self.path.text} as {self.type_}"


@dataclass(frozen=True, slots=True)
class NullShape:
    """A declared place that nothing fills: an explicit null."""

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue:
        """Return null."""
        return None

    def explain(self) -> str:
        """Return `null`."""
        return "null"


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """`properties`: every one is there, null where its mapping finds nothing."""

    members: tuple[tuple[str, Shape], ...]

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue:
        """Return the object."""
        return {name: member.shape(root, scope) for name, member in self.members}

    def explain(self) -> str:
        """Return `{name: path, ...}`."""
        return "{" + ", ".join(f"{name}: {item.explain()}" for name, item in self.members) + "}"


@dataclass(frozen=True, slots=True)
class ValuesShape:
    """`values`: each member of the object found, shaped alike."""

    path: Path
    member: Shape
    place: str = ""

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue:
        """Return the object, null if the path finds none.

        Raises: ShapingError where it has a `place`, as of `coerce`, and the path finds no object.
        """
        found = self.path.find(root)
        if not isinstance(found, dict):
            _refuse_other(found, self.path, self.place, "object")
            return None
        return {name: self.member.shape(value, scope) for name, value in found.items()}

    def explain(self) -> str:
        """Return the path and the shape of a member."""
        return f"{self.path.text} -> each member: {self.member.explain()}"


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """`items`: each element of the array found, shaped alike; elements as they are without it."""

    path: Path
    item: Shape | None
    place: str = ""

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue:
        """Return the list, null if the path finds none.

        Raises: ShapingError where it has a `place`, as of `coerce`, and the path finds no list.
        """
        found = self.path.find(root)
        if not isinstance(found, list):
            _refuse_other(found, self.path, self.place, "array")
            return None
        item = self.item
        return found if item is None else [item.shape(element, scope) for element in found]

    def explain(self) -> str:
        """Return the path and the shape of an element."""
        inner = f" -> each: {self.item.explain()}" if self.item else ""
        return f"{self.path.text}{inner}"


Shape: TypeAlias = (
    GivenShape | MappedShape | CoercedShape | NullShape | ObjectShape | ValuesShape | ArrayShape
)


@dataclass(frozen=True, slots=True)
class Shaper:
    """The compiled `outputParameters` of an operation. No shapes, or the whole root: identity."""

    shapes: tuple[Shape, ...] = ()
    identity: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Notice when nothing is to be done."""
        first = self.shapes[0] if self.shapes else None
        whole = isinstance(first, MappedShape) and first.path.is_root and first.max_length is None
        object.__setattr__(self, "identity", first is None or whole)

    def shape(self, root: JsonValue, scope: Scope) -> JsonValue | Missing:
        """Return the first result that is not null; MISSING if all are."""
        for shape in self.shapes:
            value = shape.shape(root, scope)
            if value is not None:
                return value
        return MISSING

    def output_schema(self, upstream: JsonSchema | None) -> JsonSchema | None:
        """Return the JSON Schema of the output, as far as it is certain.

        Mapped values keep whatever type the API sends, so only names are promised for them.
        """
        if self.identity:
            return upstream
        first, *rest = self.shapes
        return _certain_schema(first) if isinstance(first, ObjectShape) and not rest else None

    def explain(self) -> Sequence[str]:
        """Return a line for each shape."""
        if self.identity:
            return ["the whole answer"]
        return [shape.explain() for shape in self.shapes]


def compile_shaper(outputs: Sequence[OutputParameter], compile_value: ValueCompiler) -> Shaper:
    """Compile `outputParameters` in `call` mode.

    Raises: ExpressionError for a path or template that does not parse.
    """
    return Shaper(tuple(_entry(output, _Setting(compile_value)) for output in outputs))


@dataclass(frozen=True, slots=True)
class _Setting:
    """How values are compiled, whether types are enforced, and the place for errors."""

    compile_value: ValueCompiler
    coerce: bool = False
    place: str = ""

    def within(self, output: OutputParameter, part: str) -> _Setting:
        coerce = self.coerce if output.coerce is None else output.coerce
        return replace(self, coerce=coerce, place=f"{self.place}{part}")

    @property
    def named(self) -> str:
        """Name the place: "`items[].price`", "the output"."""
        return f"`{self.place.removeprefix('.')}`" if self.place else "the output"

    @property
    def checked(self) -> str:
        """Name the place if its type is to be enforced."""
        return self.named if self.coerce else ""


def _entry(output: OutputParameter, above: _Setting) -> Shape:
    setting = above.within(output, "")
    if output.value is not None:
        return GivenShape(setting.compile_value(output.value), output.type_)
    if output.values is not None and output.mapping is not None:
        member = _property(output.values, setting, ".*")
        return ValuesShape(_path(output), member, setting.checked)
    if output.properties:
        return _object(output, setting)
    if output.mapping is None:
        return NullShape()
    if output.type_ == "array":
        return ArrayShape(_path(output), _item(output.items, setting), setting.checked)
    return _mapped(output, setting)


def _mapped(output: OutputParameter, setting: _Setting) -> MappedShape | CoercedShape:
    path = _path(output)
    type_ = output.type_ or ""
    if setting.coerce and type_ in COERCE:
        return CoercedShape(path, type_, COERCE[type_], setting.named, output.max_length)
    return MappedShape(path, output.max_length)


def _object(output: OutputParameter, setting: _Setting) -> ObjectShape:
    return ObjectShape(
        tuple((name, _property(item, setting, f".{name}")) for name, item in output.properties)
    )


def _property(output: OutputParameter, above: _Setting, part: str) -> Shape:
    """A property with a mapping is the raw value found; its own properties and items are unused."""
    setting = above.within(output, part)
    if output.value is not None:
        return GivenShape(setting.compile_value(output.value), output.type_)
    if output.mapping is not None:
        return _mapped(output, setting)
    return _object(output, setting) if output.properties else NullShape()


def _item(output: OutputParameter | None, above: _Setting) -> Shape | None:
    if output is None:
        return None
    setting = above.within(output, "[]")
    if output.properties:
        return ObjectShape(
            tuple(
                (name, _item_property(item, setting, f".{name}"))
                for name, item in output.properties
            )
        )
    return _mapped(output, setting) if output.mapping is not None else None


def _item_property(output: OutputParameter, above: _Setting, part: str) -> Shape:
    """Inside an element only one level is mapped: deeper objects without a mapping are null."""
    setting = above.within(output, part)
    if output.value is not None:
        return GivenShape(setting.compile_value(output.value), output.type_)
    return _mapped(output, setting) if output.mapping else NullShape()


def _path(output: OutputParameter) -> Path:
    assert output.mapping is not None
    return compile_path(output.mapping.text, output.mapping.at)


def _refuse_other(found: JsonValue | Missing, path: Path, place: str, type_: str) -> None:
    if place and found is not MISSING and found is not None:
        raise ShapingError(
            code="wrong-output-type",
            message=f"the answer has {shown(found)} at `{path.text}`, where {place} must be of "
            f"type {type_}",
        )


def _certain_schema(shape: Shape) -> JsonSchema | None:
    """Enforced types are promised, beside the null of what is not there."""
    if isinstance(shape, CoercedShape):
        return {"type": [shape.type_, "null"]}
    if not isinstance(shape, ObjectShape):
        return None
    properties: JsonObject = {}
    for name, member in shape.members:
        inner = _certain_schema(member)
        properties[name] = dict(inner) if inner else {}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }

"""The inputs of an operation: what may be given, read from text, and checked all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from naftiko.errors import FieldError, InputError, did_you_mean
from naftiko.values import JsonObject, JsonSchema, JsonValue

if TYPE_CHECKING:
    import jsonschema_rs

    from naftiko.expressions.jsonpath import Path

MAX_FIELD_ERRORS = 50
"""More than these are not listed in one answer."""
MAX_SHOWN = 80
"""Characters of a caller's value that an error repeats."""
MAX_BACKTRACKS = 100_000
"""A pattern of the file's that needs more steps on a caller's text does not match it."""
MAX_LISTED_VALUES = 5_000
"""The faults of a larger input are not listed one by one: the validator takes 10 us for each."""
MAX_LOOK_AROUND_TEXT = 10_000
"""Characters of a text that a pattern with look-around or back references is tried on. Its time
grows with the square of them; all other patterns run in linear time."""

_WRITTEN_AS_TEXT = frozenset({"string", "number", "integer", "boolean"})
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_BOOLEANS: dict[str, bool] = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Input:
    """One input. `sources` are the places a REST request is searched, in order.

    A place is "path", "query", "body", "header", "cookie", "whole-body", or "body-path": what
    `path` finds in the body.
    """

    name: str
    schema: JsonSchema
    required: bool = False
    description: str = ""
    sources: tuple[str, ...] = ()
    default: JsonValue = None
    has_default: bool = False
    path: Path | None = None

    @property
    def types(self) -> frozenset[str]:
        """Return the JSON types the schema names; empty if it names none."""
        declared = self.schema.get("type")
        if isinstance(declared, str):
            return frozenset((declared,))
        if isinstance(declared, list):
            return frozenset(item for item in declared if isinstance(item, str))
        return frozenset()


@dataclass(frozen=True, kw_only=True)
class InputTable:
    """All inputs of one operation.

    `closed` refuses names that are not listed; it is false where arguments pass through by name.
    `verbatim` is a JSON Schema the file gives itself, published and enforced as it stands.
    `constants` are values that the file fixes: they are not published, and win over a caller's.
    """

    inputs: tuple[Input, ...] = ()
    closed: bool = True
    verbatim: JsonSchema | None = None
    constants: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)
    _by_name: dict[str, Input] = field(init=False, repr=False, compare=False, default_factory=dict)
    _readers: dict[str, Callable[[str], JsonValue]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index the inputs and choose how each is read from text."""
        for item in self.inputs:
            self._by_name[item.name] = item
            self._readers[item.name] = _reader(item.types)

    def __iter__(self) -> Iterable[Input]:
        """Yield the inputs."""
        return iter(self.inputs)

    def get(self, name: str) -> Input | None:
        """Return the input of that name, or None."""
        return self._by_name.get(name)

    @cached_property
    def schema(self) -> JsonSchema:
        """The JSON Schema of the inputs as one object, to publish."""
        if self.verbatim is not None:
            return self.verbatim
        properties: JsonObject = {item.name: _published(item) for item in self.inputs}
        schema: JsonObject = {"type": "object", "properties": properties}
        required: list[JsonValue] = [item.name for item in self.inputs if item.required]
        if required:
            schema["required"] = required
        if self.closed:
            schema["additionalProperties"] = False
        return schema

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return compile_validator(self.schema)

    def prepare(self) -> None:
        """Build the validator now, so that no request pays for it."""
        self._validator  # noqa: B018  (the access builds it)
        self._compares_items  # noqa: B018  (so is this)

    @cached_property
    def _compares_items(self) -> bool:
        from naftiko.plan.schema_bounds import compares_items

        return compares_items(self.schema)

    def read_text(self, item: Input, texts: Sequence[str]) -> JsonValue:
        """Read the text of a query, path or header by the input's type.

        ["5"] -> 5 where the type is integer; ["a", "b"] -> ["a", "b"] where it is array.
        A text that does not fit comes back unchanged, so that `check` names it. One text stays one
        where the input takes both texts and lists.
        """
        if "array" in item.types and (len(texts) > 1 or "string" not in item.types):
            return _read_array(item, texts)
        return self._readers[item.name](texts[0])

    def check(
        self,
        values: JsonObject,
        places: Mapping[str, str] | None = None,
        *,
        reads_texts: bool = False,
    ) -> JsonObject:
        """Return the values with defaults filled in, or say everything that is wrong with them.

        `places` tells where each value was found, for the error ("query", "body"). `reads_texts`
        takes the JSON text of an object or list for it, where no text will do: language models
        write arguments like that.

        Raises: InputError.
        """
        for item in self.inputs:
            if item.has_default and item.name not in values:
                values[item.name] = item.default
        for name in self.constants:
            values.pop(name, None)
        if not self._fits(values):
            read = self._read_texts(values) if reads_texts else values
            if read is values or not self._fits(read):
                raise InputError(fields=tuple(self._field_errors(values, places or {})))
            values = read
        values.update(self.constants)
        return values

    def _fits(self, values: JsonObject) -> bool:
        """Tell whether values are valid.

        Raises: InputError where it would take too long to find out.
        """
        if self._compares_items:
            from naftiko.plan.schema_bounds import compare_for_ever

            if compare_for_ever(values):
                message = "there are too many long integers next to each other to compare them"
                raise InputError(fields=(FieldError(name="", message=message, in_="argument"),))
        return self._validator.is_valid(values)

    def _read_texts(self, values: JsonObject) -> JsonObject:
        """Return the values with JSON texts read; the same object where there are none."""
        found: JsonObject = {}
        for item in self.inputs:
            text = values.get(item.name)
            if isinstance(text, str) and item.types and not item.types & _WRITTEN_AS_TEXT:
                value = _read_json(text)
                if isinstance(value, dict | list):
                    found[item.name] = value
        return {**values, **found} if found else values

    def _field_errors(self, values: JsonObject, places: Mapping[str, str]) -> list[FieldError]:
        def place_of(name: str) -> str:
            item = self._by_name.get(name)
            default = item.sources[0] if item and item.sources else "argument"
            return places.get(name, default)

        known = tuple(self._by_name)
        try:
            return field_errors(self._validator, values, place_of, known=known, schema=self.schema)
        except ValueError:  # the validator's own limit, which it has for reports alone
            return [_field((), "nests too deep to tell what is wrong with it", place_of)]


def compile_validator(schema: JsonSchema) -> jsonschema_rs.Draft202012Validator:
    """Compile a JSON Schema (2020-12) without ever fetching a remote `$ref`.

    Raises: ValueError for a schema that is not valid, or that refers to another document.
    """
    import jsonschema_rs

    from naftiko.plan.schema_bounds import with_bounded_patterns

    return jsonschema_rs.Draft202012Validator(
        with_bounded_patterns(schema, MAX_LOOK_AROUND_TEXT),
        validate_formats=False,
        offline=True,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=MAX_BACKTRACKS),
    )


def field_errors(
    validator: jsonschema_rs.Draft202012Validator,
    values: JsonObject,
    place_of: Callable[[str], str] = lambda _name: "argument",
    known: Sequence[str] = (),
    schema: JsonSchema | None = None,
) -> list[FieldError]:
    """Return every way in which the values break the schema, in words for the caller.

    An input of more than 5,000 values is named, but what is wrong inside of it is not listed.
    `schema` is the validator's, to tell which of several large inputs is at fault.
    """
    large = [name for name, value in values.items() if _is_large(value)]
    if large or len(values) > MAX_LISTED_VALUES:
        return _field_errors_of_large(validator, values, place_of, known, schema or {}, large)
    found: list[FieldError] = []
    for error in validator.iter_errors(values):
        found.extend(_word(error, place_of, known))
        if len(found) >= MAX_FIELD_ERRORS:
            break
    return found[:MAX_FIELD_ERRORS]


def _field_errors_of_large(
    validator: jsonschema_rs.Draft202012Validator,
    values: JsonObject,
    place_of: Callable[[str], str],
    known: Sequence[str],
    schema: JsonSchema,
    large: Sequence[str],
) -> list[FieldError]:
    """Return the faults of the small inputs, and the names of the large ones that do not fit."""
    properties = schema.get("properties")
    declared = properties if isinstance(properties, dict) else {}
    found: list[FieldError] = []
    if schema.get("additionalProperties") is False:
        unknown = islice((name for name in values if name not in declared), MAX_FIELD_ERRORS)
        found += [_unknown_name((name,), place_of, known) for name in unknown]
    small = {
        name: value for name, value in values.items() if name in declared and name not in large
    }
    if len(small) <= MAX_LISTED_VALUES:
        listed = field_errors(validator, small, place_of, known)
        found += [error for error in listed if error.name not in large]
    for name in large:
        if name in declared and not _fits(schema, declared[name], values[name]):
            found.append(_field((name,), _TOO_LARGE_TO_LIST, place_of))
    whole = _field((), _TOO_LARGE_TO_LIST, place_of)
    return found[:MAX_FIELD_ERRORS] or [whole]


_TOO_LARGE_TO_LIST = (
    f"does not fit its schema (with more than {MAX_LISTED_VALUES} values, faults are not listed)"
)


def _fits(schema: JsonSchema, declared: JsonValue, value: JsonValue) -> bool:
    """Tell whether one input fits; compiled here because it happens to hostile requests only."""
    part: JsonObject = {"properties": {"value": declared}}
    if "$defs" in schema:
        part["$defs"] = schema["$defs"]
    try:
        return compile_validator(part).is_valid({"value": value})
    except ValueError:  # it refers to another part of the schema
        return True


def _is_large(value: JsonValue) -> bool:
    """Tell whether a value holds more than 5,000 values, without counting further."""
    if not isinstance(value, (dict, list)):
        return False
    left = MAX_LISTED_VALUES
    pending: list[JsonValue] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, (dict, list)):
            left -= len(item)
            if left < 0:
                return True
            pending += item.values() if isinstance(item, dict) else item
    return False


def _word(
    error: jsonschema_rs.ValidationError, place_of: Callable[[str], str], known: Sequence[str]
) -> list[FieldError]:
    path = list(error.instance_path)
    kind = error.kind.name
    detail = error.kind.as_dict()
    if kind in ("additionalProperties", "unevaluatedProperties"):
        unexpected = [str(name) for name in detail["unexpected"][:MAX_FIELD_ERRORS]]
        hints = known if not path else ()
        return [_unknown_name((*path, name), place_of, hints) for name in unexpected]
    if kind == "required":
        return [_field((*path, str(detail["property"])), "is required", place_of)]
    return [_field(path, _sentence(kind, detail, error), place_of, _hint(kind, detail, error))]


def _unknown_name(
    path: Sequence[str | int], place_of: Callable[[str], str], known: Sequence[str]
) -> FieldError:
    return _field(path, "is not known here", place_of, did_you_mean(str(path[-1]), known))


def _sentence(
    kind: str, detail: Mapping[str, JsonValue], error: jsonschema_rs.ValidationError
) -> str:
    shown = _show(error.instance)
    limit = detail.get("limit")
    match kind:
        case "type":
            types = detail.get("types")
            wanted = " or ".join(map(str, types)) if isinstance(types, list) else str(types)
            return f"must be {wanted}, found {shown}"
        case "enum":
            options = detail.get("options")
            listed = ", ".join(map(_show, options)) if isinstance(options, list) else ""
            return f"must be one of {listed}; found {shown}"
        case "maxLength":
            return f"must have at most {limit} characters, found {len(str(error.instance))}"
        case "minLength":
            return f"must have at least {limit} characters, found {len(str(error.instance))}"
        case "maximum":
            return f"must be at most {limit}, found {shown}"
        case "minimum":
            return f"must be at least {limit}, found {shown}"
        case "maxItems" | "minItems":
            word = "at most" if kind == "maxItems" else "at least"
            count = len(error.instance) if isinstance(error.instance, list) else 0
            return f"must have {word} {limit} items, found {count}"
        case "pattern":
            return f"must match the pattern {detail.get('pattern')}, found {shown}"
        case _:
            return error.message[:300]


def _hint(kind: str, detail: Mapping[str, JsonValue], error: jsonschema_rs.ValidationError) -> str:
    options = detail.get("options")
    if kind == "enum" and isinstance(options, list) and isinstance(error.instance, str):
        hint = did_you_mean(error.instance, [item for item in options if isinstance(item, str)])
        return hint if hint.startswith("did") else ""
    return ""


def _field(
    path: Sequence[str | int], message: str, place_of: Callable[[str], str], hint: str = ""
) -> FieldError:
    if not path:
        return FieldError(name="", message=f"the input {message}", in_="body", hint=hint)
    name = str(path[0]) + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:]
    )
    text = f"`{name}` {message}"
    return FieldError(name=name, message=text, in_=place_of(str(path[0])), hint=hint)


def _show(value: object) -> str:
    if isinstance(value, str):
        cut = value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "..."
        return f'"{cut}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return str(value)[:MAX_SHOWN]


def _published(item: Input) -> JsonValue:
    schema = dict(item.schema)
    if item.description and "description" not in schema:
        schema["description"] = item.description
    if item.has_default and "default" not in schema:
        schema["default"] = item.default
    return schema


def _reader(types: frozenset[str]) -> Callable[[str], JsonValue]:
    """Choose how text becomes a value. Text that fits no other type stays text."""
    if not types or types == {"string"}:
        return str
    if "integer" in types and "string" not in types:
        return _read_integer
    if "number" in types and "string" not in types:
        return _read_number
    if "boolean" in types and "string" not in types:
        return _read_boolean
    if "object" in types and "string" not in types:
        return _read_json
    return str


def _read_integer(text: str) -> JsonValue:
    return int(text) if _INTEGER.fullmatch(text) else text


def _read_number(text: str) -> JsonValue:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _read_boolean(text: str) -> JsonValue:
    return _BOOLEANS.get(text.lower(), text)


def _read_json(text: str) -> JsonValue:
    import orjson

    from naftiko.expressions.text import exact_json

    try:
        value: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return exact_json(text, value)


def _read_array(item: Input, texts: Sequence[str]) -> JsonValue:
    if len(texts) == 1 and texts[0].startswith("["):
        return _read_json(texts[0])
    items = item.schema.get("items")
    declared = items.get("type") if isinstance(items, Mapping) else None
    read = _reader(frozenset((declared,)) if isinstance(declared, str) else frozenset())
    return [read(text) for text in texts]

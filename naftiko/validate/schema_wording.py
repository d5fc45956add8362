"""An error of the JSON Schema validator -> Problems, in words for the author of the file.

The schema is written so that a mistake fails one keyword: entries are told apart by `type` with
`if` and `then`, and every object is closed where its members are listed. `anyOf` stands only
where one of several members has to be there. So there is nothing to guess here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problem, Severity, did_you_mean, nearest
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

MAX_SHOWN = 60
MAX_LISTED = 12
MAX_COMPARED = 100
"""Longer names are no slips of the pen, and comparing them takes time."""

SAID_BY_BUILDER = ("allOf/", "properties/naftiko/enum", "properties/ikanos/enum")
"""What the model's builder checks at the root too, and words better."""

_OTHER = {"naftiko": "ikanos", "ikanos": "naftiko"}
TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
BOUND_WORDS = {
    "minimum": "{} or more",
    "maximum": "{} or less",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """The schema as a generation has it (`own`), and with the other one's members (`whole`)."""

    generation: str
    own: JsonObject
    whole: JsonObject


@dataclass(frozen=True, slots=True)
class Finding:
    """One error of the validator, with what it takes to word it."""

    schemas: Schemas
    root: Mapping
    error: ValidationError

    def problems(self) -> Iterator[Problem]:
        """Yield a problem; one for each unknown field; none for what is said elsewhere."""
        keyword_path = "/".join(str(step) for step in self.error.schema_path)
        if keyword_path.startswith(SAID_BY_BUILDER):
            return
        yield from _WORDINGS.get(self.keyword, Finding._anything_else)(self)

    @property
    def keyword(self) -> str:
        """The keyword of the schema that failed."""
        return self.error.kind.name

    @property
    def schema(self) -> JsonObject:
        """The object of the schema that holds the keyword."""
        return _steps(self.schemas.own, self.error.schema_path[:-1])[-1]

    @property
    def title(self) -> str:
        """What the schema calls the thing: "MCP tool"."""
        for schema in reversed(_steps(self.schemas.own, self.error.schema_path[:-1])):
            found = _target(self.schemas.own, schema).get("title")
            if isinstance(found, str):
                return found
        return "value"

    @property
    def members(self) -> JsonObject:
        """The members that the thing may have, by name."""
        found = _target(self.schemas.own, self.schema).get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def expected(self) -> str:
        """What the value has to be, where the schema says it in words."""
        found = self.schema.get("x-expected")
        return found if isinstance(found, str) else ""

    @property
    def node(self) -> Node:
        """The value that the error is about."""
        return _node_at(self.root, self.error.instance_path)

    @property
    def place(self) -> Location:
        """Where to point: at a value, or at the key of what is empty or spans lines."""
        node, path = self.node, self.error.instance_path
        if isinstance(node, Scalar) and node.value is not None:
            return node.location
        parent = _node_at(self.root, path[:-1])
        key = parent.key(str(path[-1])) if path and isinstance(parent, Mapping) else None
        return key.location if key else node.location

    @property
    def subject(self) -> str:
        """What to call the value: "`port`", "an entry of `tools`"."""
        path = self.error.instance_path
        names = [step for step in path if isinstance(step, str)]
        if not names:
            return "the file"
        return _shown(names[-1]) if path[-1] == names[-1] else f"an entry of {_shown(names[-1])}"

    def _unknown_fields(self) -> Iterator[Problem]:
        for name, key in self._unknown():
            here = self._name_here(name)
            if here:
                generation = self.schemas.generation
                yield _warning(
                    "other-generation-field",
                    f"{_shown(name)} is the {_OTHER[generation]} name of a field of this "
                    f"{self.title}; it is read all the same",
                    key.location,
                    f"in {generation} documents it is called `{here}`",
                )
                continue
            yield _warning(
                "unknown-field",
                f"{_shown(name)} is not a field of this {self.title}",
                key.location,
                self._hint_for(name),
            )

    def _hint_for(self, name: str) -> str:
        """Return the way out for an unknown field: where it belongs, or the nearest."""
        near = nearest(name, self._suggested()) if _is_short(name) else None
        owner = None if near else self._owner_of(name)
        if owner:
            return f"entries of `{owner}` have such a field"
        return did_you_mean(name, self._suggested()) if _is_short(name) else ""

    def _owner_of(self, name: str) -> str:
        """Return the member whose entries have such a field: `operations` for `method`, or ""."""
        for owner, member in self.members.items():
            items = member.get("items") if isinstance(member, dict) else None
            entry = _target(self.schemas.own, items) if isinstance(items, dict) else {}
            fields = entry.get("properties")
            if isinstance(fields, dict) and name in fields:
                return owner
        return ""

    def _unknown(self) -> Iterator[tuple[str, Scalar]]:
        """Yield the unexpected fields as the file writes them: the validator has `wire_text`."""
        unexpected = set(self.error.kind.value)
        for key, _ in self.node.entries if isinstance(self.node, Mapping) else ():
            if wire_text(key.text) in unexpected:
                yield key.text, key

    def _name_here(self, name: str) -> str:
        """Return what a field of the other generation is called in this one, or ""."""
        path = self.error.schema_path[:-1]
        schema = _target(self.schemas.whole, _steps(self.schemas.whole, path)[-1])
        members = schema.get("properties")
        member = members.get(name) if isinstance(members, dict) else None
        here = member.get("x-counterpart") if isinstance(member, dict) else None
        return here if isinstance(here, str) else ""

    def _suggested(self) -> list[str]:
        """Return the members worth suggesting: not what is kept for old documents only."""
        return [
            name
            for name, member in self.members.items()
            if not (isinstance(member, dict) and member.get("deprecated"))
        ]

    def _missing_field(self) -> Iterator[Problem]:
        return self._missing([self.error.kind.value])

    def _missing_one_of(self) -> Iterator[Problem]:
        branches = self.schema.get("anyOf")
        listed = branches if _is_list(branches) else []
        required = [item.get("required") for item in listed if isinstance(item, dict)]
        return self._missing([name for names in required if _is_list(names) for name in names])

    def _missing(self, wanted: list[JsonValue]) -> Iterator[Problem]:
        names = [str(name) for name in wanted]
        meant = [written for written in self._written() if self._means(written, names)]
        if meant and self.schema.get("additionalProperties") is not False:
            # What is told apart by `type` is closed only once its type is known.
            yield from self._misspelt(meant, names)
        if meant:
            return
        listed = " or ".join(f"`{name}`" for name in names)
        yield _warning("missing-field", f"this {self.title} lacks {listed}", self.place)

    def _misspelt(self, meant: list[str], names: list[str]) -> Iterator[Problem]:
        for key, _ in self.node.entries if isinstance(self.node, Mapping) else ():
            if key.text in meant:
                message = f"{_shown(key.text)} is not a field of this {self.title}"
                hint = did_you_mean(key.text, names)
                yield _warning("unknown-field", message, key.location, hint)

    def _written(self) -> list[str]:
        """Return the fields there are that nothing knows, one of which may be a misspelling."""
        names = list(self.node) if isinstance(self.node, Mapping) else []
        return [name for name in names if name not in self.members and _is_short(name)]

    def _means(self, written: str, names: list[str]) -> bool:
        """Tell whether an unknown field is one of these, so that its own problem says it."""
        return self._name_here(written) in names or nearest(written, self._suggested()) in names

    def _wrong_type(self) -> Iterator[Problem]:
        types = self.schema.get("type")
        names = [str(name) for name in types] if _is_list(types) else [str(types)]
        expected = " or ".join(TYPE_WORDS.get(name, name) for name in names)
        yield _warning(
            "wrong-type",
            f"{self.subject} must be {expected}, found {_found(self.node)}",
            self.place,
            _type_hint(names, self.node),
        )

    def _none_of(self) -> Iterator[Problem]:
        options = self.schema.get("enum")
        allowed = [str(option) for option in options] if _is_list(options) else []
        listed = ", ".join(f"`{option}`" for option in allowed[:MAX_LISTED])
        node = self.node
        if not isinstance(node, Scalar) or node.value is None:
            message = f"{self.subject} must be one of {listed}, found {_found(node)}"
            yield _warning("wrong-type", message, self.place)
            return
        near = nearest(node.text, allowed) if _is_short(node.text) else None
        yield _warning(
            "invalid-value",
            f"{self.subject} is {_shown(node.text)}, expected one of {listed}",
            self.place,
            f"did you mean `{near}`?" if near else "",
        )

    def _no_match(self) -> Iterator[Problem]:
        expected = self.expected or f"text that matches `{self.schema.get('pattern')}`"
        text = _text_of(self.node)
        yield self._invalid(f"is {_shown(text) if text else 'empty'}, expected {expected}")

    def _out_of_bounds(self) -> Iterator[Problem]:
        text = _text_of(self.node)
        bound = BOUND_WORDS[self.keyword].format(self.error.kind.value)
        if self.keyword in ("minLength", "maxLength"):
            yield self._invalid(f"has {len(text)} characters, expected {bound}")
        else:
            yield self._invalid(f"is {_shown(text)}, expected {self.expected or bound}")

    def _invalid_name(self) -> Iterator[Problem]:
        nested: ValidationError = self.error.kind.value
        expected = Finding(self.schemas, self.root, nested).expected or "another name"
        for key, _ in self.node.entries if isinstance(self.node, Mapping) else ():
            if wire_text(key.text) == nested.instance:
                message = f"{_shown(key.text)} in {self.subject} is no valid name"
                yield _warning("invalid-value", f"{message}, expected {expected}", key.location)

    def _anything_else(self) -> Iterator[Problem]:
        yield self._invalid(f"does not fit what the schema says of this {self.title}")

    def _invalid(self, what: str) -> Problem:
        return _warning("invalid-value", f"{self.subject} {what}", self.place)


_WORDINGS: dict[str, Callable[[Finding], Iterator[Problem]]] = {
    "additionalProperties": Finding._unknown_fields,
    "required": Finding._missing_field,
    "anyOf": Finding._missing_one_of,
    "type": Finding._wrong_type,
    "enum": Finding._none_of,
    "pattern": Finding._no_match,
    "propertyNames": Finding._invalid_name,
    **dict.fromkeys(BOUND_WORDS, Finding._out_of_bounds),
}


def wire_text(text: str) -> str:
    """Return text that UTF-8 can hold: a lone surrogate becomes `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _warning(code: str, message: str, location: Location, hint: str = "") -> Problem:
    return Problem(
        code=code, message=message, location=location, hint=hint, severity=Severity.WARNING
    )


def _is_list(value: JsonValue) -> TypeGuard[list[JsonValue]]:
    return isinstance(value, list)


def _is_short(name: str) -> bool:
    return len(name) <= MAX_COMPARED


def _steps(schema: JsonObject, path: list[str | int]) -> list[JsonObject]:
    """Return the objects of a schema that a path leads through, the schema itself first."""
    objects = [schema]
    value: JsonValue = schema
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        if isinstance(value, dict):
            objects.append(value)
    return objects


def _target(root: JsonObject, schema: JsonObject) -> JsonObject:
    """Return what a `$ref` such as `#/$defs/McpTool` refers to, else the schema itself."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    return _steps(root, [*reference.removeprefix("#/").split("/")])[-1]


def _node_at(node: Node, path: list[str | int]) -> Node:
    """Return the node that a path leads to, or the last one on the way that is there."""
    for step in path:
        inner: Node | None = None
        if isinstance(node, Mapping):
            name = str(step)
            inner = node.get(name) or next(
                (item for key, item in node.entries if wire_text(key.text) == name), None
            )
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node):
            inner = node.items[step]
        if inner is None:
            return node
        node = inner
    return node


def _shown(text: str) -> str:
    """Return the author's text in backticks, on one line and not too long."""
    line = " ".join(text.split())
    return f"`{line[:MAX_SHOWN]}...`" if len(line) > MAX_SHOWN else f"`{line}`"


def _text_of(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _found(node: Node) -> str:
    """Return the kind of a node, never its content: it may be a secret in the wrong place."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool()):
            return "true or false"
        case Scalar(value=int() | float()):
            return "a number"
        case Scalar():
            return "text"


def _type_hint(names: list[str], node: Node) -> str:
    """Return the way out of the usual slips with types."""
    numeric = "integer" in names or "number" in names
    match node:
        case Scalar(value=None):
            return "give it a value or leave it out"
        case Scalar(value=bool() | int() | float()) if "string" in names and not numeric:
            return "put it in quotes"
        case Scalar(value=str()) if "boolean" in names:
            is_one = node.text in ("true", "false")
            return "write it without quotes" if is_one else "write `true` or `false`"
        case Scalar(value=str(), quoted=True) if numeric:
            return "write it without quotes"
        case Mapping() if names == ["array"]:
            return "start each entry with `- `"
        case _:
            return ""

"""Metadata, parameters, rollback and search texts of a workflow source -> AST. Spec: section 1."""

from __future__ import annotations

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.document.scalars import shorten
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.workflow.ast import Embedding, Handler, Metadata, Parameter
from naftiko.workflow.source import schema as rules
from naftiko.workflow.source.schema import MAX_TEXT, Section, TextRule, kind_of
from naftiko.workflow.source.schema_steps import MAX_STEPS, read_command
from naftiko.workflow.source.values import Limits, check_default, check_options

TIERS = ("community", "verified", "enterprise")
PARAMETER_TYPES = ("string", "integer", "number", "boolean", "array", "object")
ITEM_TYPES = ("string", "integer", "number", "boolean", "object")
COMPLEXITIES = ("beginner", "intermediate", "advanced")
RISK_LEVELS = ("low", "medium", "high")

METADATA_FIELDS = (
    "tier",
    "author",
    "license",
    "risk_score",
    "max_duration",
    "max_steps",
    "cache",
)
PARAMETER_FIELDS = (
    "name",
    "type",
    "items",
    "description",
    "pattern",
    "min",
    "max",
    "enum",
    "required",
    "default",
    "sensitive",
)
HANDLER_FIELDS = ("on_failure", "steps", "context", "input")
EMBEDDING_FIELDS = ("primary_text", "use_cases", "services", "complexity", "risk_level")

MAX_PARAMETERS = 50
MAX_HANDLERS = 50
MAX_OPTIONS = 200
MAX_PATTERN = 200

_PATTERN = TextRule(longest=MAX_PATTERN)
_NOTE = TextRule(longest=500)


def read_metadata(node: Mapping, problems: Problems) -> Metadata:
    """Return `metadata`."""
    section = Section(node, "`metadata`", problems)
    section.refuse_unknown(METADATA_FIELDS)
    return Metadata(
        tier=section.choice("tier", TIERS, "community"),
        author=section.words("author"),
        license=section.words("license"),
        risk_score=section.number("risk_score", 0, 10),
        max_duration=section.duration("max_duration", 300),
        max_steps=section.integer("max_steps", 50, 1, MAX_STEPS),
        cache=section.boolean("cache"),
        places=node,
    )


def read_embedding(node: Mapping, problems: Problems) -> Embedding:
    """Return `embedding_metadata`."""
    section = Section(node, "`embedding_metadata`", problems)
    section.refuse_unknown(EMBEDDING_FIELDS)
    services = section.texts("services", rules.SERVICE, most=50)
    return Embedding(
        primary_text=section.words("primary_text", rules.FREE),
        use_cases=section.texts("use_cases", rules.FREE, most=10) or (),
        services=tuple(item.text for item in services or ()),
        complexity=section.choice("complexity", COMPLEXITIES, None),
        risk_level=section.choice("risk_level", RISK_LEVELS, None),
    )


# Parameters


def read_parameters(root: Section) -> tuple[Parameter, ...]:
    """Return `parameters`."""
    node = root.sequence("parameters")
    if node is None:
        return ()
    root.at_most("parameters", node, MAX_PARAMETERS)
    names: dict[str, Location] = {}
    found = []
    for item in node:
        parameter = _parameter(item, root.problems)
        if parameter is None:
            continue
        first = names.setdefault(parameter.name, parameter.location)
        if first is not parameter.location:
            message = f"two parameters are called `{parameter.name}`"
            hint = f"the first one stands in line {first.line}"
            root.problems.error("WF205", message, parameter.location, hint)
        found.append(parameter)
    return tuple(found)


def _parameter(node: Node, problems: Problems) -> Parameter | None:
    if not isinstance(node, Mapping):
        message = f"a parameter is {kind_of(node)} where a mapping is expected"
        problems.error("WF203", message, node.location, "give it a `name` and a `type`")
        return None
    section = Section(node, "a parameter", problems)
    name = section.text("name", rules.IDENTIFIER, required=True)
    if name is not None:
        section.what = f"the parameter `{name.text}`"
    section.refuse_unknown(PARAMETER_FIELDS)
    type_ = section.choice("type", PARAMETER_TYPES, None)
    if "type" not in node:
        section.missing("type", "one of " + ", ".join(f"`{option}`" for option in PARAMETER_TYPES))
    limits = _limits(section, type_)
    has_default = check_default(section, limits)
    required = section.boolean("required")
    if required and has_default:
        place = node.get("required")
        message = f"{section.what} is `required` and has a default, which makes it optional"
        at = place.location if place is not None else node.location
        problems.warn("WF206", message, at, "remove one of them")
    if name is None or type_ is None:
        return None
    default = node.get("default")
    return Parameter(
        name=name.text,
        type_=type_,
        location=name.location,
        required=required and not has_default,
        has_default=has_default,
        default=default.plain() if default is not None else None,
        description=section.words("description", _NOTE),
        pattern=limits.pattern,
        min=limits.low,
        max=limits.high,
        enum=limits.options,
        items=limits.items,
        sensitive=section.boolean("sensitive"),
    )


def _limits(section: Section, type_: str | None) -> Limits:
    low, high = _bound(section, "min", type_), _bound(section, "max", type_)
    if low is not None and high is not None and low > high:
        place = section.node.get("min")
        assert place is not None
        section.out_of_range(f"`min` is {low}, which is more than `max`, {high}", place.location)
        low = high = None
    limits = Limits(
        type_=type_,
        pattern=section.text("pattern", _PATTERN),
        low=low,
        high=high,
        items=section.choice("items", ITEM_TYPES, None),
    )
    _refuse_for_type(section, "pattern", type_, ("string",))
    _refuse_for_type(section, "items", type_, ("array",))
    return check_options(section, limits, MAX_OPTIONS)


def _bound(section: Section, name: str, type_: str | None) -> int | float | None:
    _refuse_for_type(section, name, type_, ("integer", "number", "string", "array"))
    node = section.node.get(name)
    if node is None:
        return None
    value = node.value if isinstance(node, Scalar) else None
    whole = type_ in {"integer", "string", "array"}
    if type(value) is not int and (whole or type(value) is not float):
        section.wrong_type(name, node, "a whole number" if whole else "a number")
        return None
    assert isinstance(value, int | float)
    most = {"string": MAX_TEXT, "array": 1_000}.get(type_ or "")
    if most is not None and not 0 <= value <= most:
        message = f"`{name}` is {value}, and a length of 0 to {most:,} is allowed"
        section.out_of_range(message, node.location)
        return None
    return value


def _refuse_for_type(
    section: Section, name: str, type_: str | None, types: tuple[str, ...]
) -> None:
    key = section.node.key(name)
    if key is None or type_ is None or type_ in types:
        return
    listed = ", ".join(f"`{option}`" for option in types)
    message = f"`{name}` says nothing about a parameter of type `{type_}`"
    section.out_of_range(message, key.location, f"it is for {listed}")


# Rollback


def read_rollback(root: Section) -> tuple[Handler, ...]:
    """Return `rollback`."""
    node = root.sequence("rollback")
    if node is None:
        return ()
    root.at_most("rollback", node, MAX_HANDLERS)
    found = [_handler(item, root.problems) for item in node]
    return tuple(handler for handler in found if handler is not None)


def _handler(node: Node, problems: Problems) -> Handler | None:
    if not isinstance(node, Mapping):
        message = f"an item of `rollback` is {kind_of(node)} where a mapping is expected"
        hint = f"write {{on_failure: {shorten(node.text)}}}" if isinstance(node, Scalar) else ""
        problems.error("WF203", message, node.location, hint)
        return None
    section = Section(node, "an item of `rollback`", problems)
    section.refuse_unknown(HANDLER_FIELDS)
    name = section.text("on_failure", rules.HANDLER, required=True)
    steps = section.texts("steps", rules.IDENTIFIER, most=MAX_STEPS)
    inline = "context" in node or "input" in node
    command = read_command(section) if inline else None
    if name is None:
        return None
    return Handler(on_failure=name, location=name.location, steps=steps, command=command)

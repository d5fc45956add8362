"""Nodes of a data file -> ServiceData; every row is checked against botocore.

Codes: `resolution-data`. A row that names an unknown operation, member or path keeps the file from
being used: a wrong row would make wrong plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from naftiko.awsapi.catalog import is_service, service_model
from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.values import JsonValue
from naftiko.workflow.resolution.paths import find_shape
from naftiko.workflow.resolution.recipes import Recipe, RecipeParameter
from naftiko.workflow.resolution.rows import ANY, Given, Never, Observer, Row, ServiceData, Undo
from naftiko.workflow.resolution.words import phrase_of

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

CODE = "resolution-data"
SECTIONS = ("noise", "actions", "params", "intents", "observe", "undo", "recipes", "defaults")
OBSERVE = frozenset(["operation", "input", "variables", "created", "until", "fail_when", "single"])
UNDO = frozenset(["operation", "input", "only_if", "requires", "single", "fresh", "when"])
RECIPE_PARAMETER = frozenset(
    {"name", "type", "items", "default", "scope", "constant", "description", "created"}
)
SCALARS = frozenset(
    [
        "string",
        "character",
        "integer",
        "long",
        "float",
        "double",
        "boolean",
        "timestamp",
        "bigdecimal",
        "biginteger",
    ]
)

T = TypeVar("T")


def read_service(service: str, root: Mapping, problems: Problems) -> ServiceData:
    """Return the rows of a service; what is wrong goes to `problems`. The digest stays empty."""
    if not is_service(service):
        problems.error(CODE, f"botocore has no service `{service}`", root.location)
        return ServiceData(service=service, digest="")
    return _Reader(service, problems).read(root)


class _Reader:
    def __init__(self, service: str, problems: Problems) -> None:
        self._service = service
        self._problems = problems
        self._model: ServiceModel = service_model(service)
        self._names = frozenset(self._model.operation_names)

    def read(self, root: Mapping) -> ServiceData:
        for name in root:
            if name not in SECTIONS:
                self._error(f"`{name}` is no section", root.key(name), did_you_mean(name, SECTIONS))
        recipes = dict(self._rows(root, "recipes", self._recipe))
        actions = dict(self._rows(root, "actions", self._action))
        known = {*recipes, *actions}
        intents = dict(self._rows(root, "intents", self._intent(known)))
        return ServiceData(
            service=self._service,
            digest="",
            noise=self._noise(root.get("noise")),
            actions=actions,
            recipes=recipes,
            intents={phrase_of(name): row for name, row in intents.items()},
            params=dict(self._rows(root, "params", self._params)),
            observe=dict(self._rows(root, "observe", self._observer)),
            undo=dict(self._rows(root, "undo", self._undo)),
            defaults=dict(self._rows(root, "defaults", self._defaults)),
        )

    # Rows

    def _rows(
        self, root: Mapping, section: str, read: Callable[[Scalar, Node], T | None]
    ) -> Iterator[tuple[str, T]]:
        node = root.get(section)
        if node is None:
            return
        if not isinstance(node, Mapping):
            self._error(f"`{section}` is no mapping", node)
            return
        for key, value in node.entries:
            row = read(key, value)
            if row is not None:
                yield (_normal(key.text) if section in {"actions", "recipes"} else key.text), row

    def _noise(self, node: Node | None) -> frozenset[str]:
        if node is None:
            return frozenset()
        if not isinstance(node, Sequence) or not all(isinstance(item, Scalar) for item in node):
            self._error("`noise` is no list of words", node)
            return frozenset()
        return frozenset(str(item.plain()) for item in node)

    def _action(self, key: Scalar, value: Node) -> Row | None:
        from naftiko.workflow.resolution.operations import find_exact

        operation = self._operation(value)
        if operation is None:
            return None
        if find_exact(self._service, key.text) is not None:
            self._error(f"`{key.text}` is an operation's own name: it needs no alias", key)
        return Row(name=key.text, target=operation.name, location=key.location)

    def _intent(self, known: set[str]) -> Callable[[Scalar, Node], Row | None]:
        seen: dict[tuple[str, ...], str] = {}

        def read(key: Scalar, value: Node) -> Row | None:
            phrase = phrase_of(key.text)
            if phrase in seen:
                self._error(f"`{key.text}` is the same phrase as `{seen[phrase]}`", key)
            seen[phrase] = key.text
            target = self._text(value)
            if target is None or (target not in known and self._operation(value) is None):
                return None
            return Row(name=key.text, target=target, location=key.location)

        return read

    def _params(self, key: Scalar, value: Node) -> dict[str, Row] | None:
        """Read {alias: Member} of an operation, or of any (`*`)."""
        if not isinstance(value, Mapping):
            self._error(f"`{key.text}` holds no mapping of aliases", key)
            return None
        operation = self._operation(key) if key.text != ANY else None
        found = {}
        for alias, target in value.entries:
            text = self._text(target)
            if text is None:
                continue
            if operation is not None:
                self._member(operation, text, target)
            elif key.text == ANY and not _is_member(self._model, text):
                self._error(f"no operation has a member `{text}`", target)
            found[_normal(alias.text)] = Row(name=alias.text, target=text, location=alias.location)
        return found

    def _defaults(self, key: Scalar, value: Node) -> dict[str, Row] | None:
        """Read {Operation: {Member: template}}."""
        operation = self._operation(key)
        if operation is None or not isinstance(value, Mapping):
            self._error(f"`{key.text}` is no operation with a mapping of members", key)
            return None
        found = {}
        for member, template in value.entries:
            self._member(operation, member.text, member)
            text = self._text(template)
            if text is not None:
                found[member.text] = Row(name=member.text, target=text, location=member.location)
        return found

    def _observer(self, key: Scalar, value: Node) -> Observer | None:
        call = self._call(key, value, OBSERVE)
        if call is None:
            return None
        node, operation, given = call
        variables = {
            name: self._path(operation, path) for name, path in _entries(node, "variables")
        }
        created = node.get("created")
        return Observer(
            service=self._service,
            operation=operation.name,
            input=given,
            variables={name: path for name, path in variables.items() if path is not None},
            created=self._path(operation, created) if created is not None else None,
            until=self._optional(node, "until"),
            fail_when=self._optional(node, "fail_when"),
            single=self._singles(key, node, given),
        )

    def _singles(self, key: Scalar, node: Mapping, given: dict[str, Given]) -> tuple[str, ...]:
        """Return the lists that must have one element: those named, and those handed on."""
        source = self._operation(key)
        members = source.input_shape.members if source and source.input_shape else {}
        handed = [
            item.path
            for item in given.values()
            if item.kind == "input" and not item.as_list and members[item.path].type_name == "list"
        ]
        return tuple(dict.fromkeys((*self._members_of(source, node, "single"), *handed)))

    def _members_of(
        self, operation: OperationModel | None, node: Mapping, name: str
    ) -> tuple[str, ...]:
        child = node.get(name)
        if not isinstance(child, Sequence) or operation is None:
            return ()
        names = [(str(item.plain()), item) for item in child]
        return tuple(
            text for text, item in names if self._member(operation, text, item) is not None
        )

    def _undo(self, key: Scalar, value: Node) -> Undo | Never | None:
        if isinstance(value, Mapping) and "never" in value:
            self._operation(key)
            return Never(reason=self._optional(value, "never") or "")
        call = self._call(key, value, UNDO)
        source = self._operation(key)
        if call is None or source is None:
            return None
        node, operation, given = call
        for member in operation.input_shape.required_members if operation.input_shape else ():
            if member not in given:
                self._error(f"`{operation.name}` requires `{member}`, which is not given", key)
        only_if, requires = dict(_entries(node, "only_if")), dict(_entries(node, "requires"))
        for name, literal in (*only_if.items(), *requires.items()):
            self._member(source, name, literal)
        when = node.get("when")
        return Undo(
            service=self._service,
            operation=operation.name,
            input=given,
            only_if={name: literal.plain() for name, literal in only_if.items()},
            requires={name: literal.plain() for name, literal in requires.items()},
            single=self._members_of(source, node, "single"),
            fresh=self._members_of(source, node, "fresh"),
            when=self._when(source, when) if when is not None else None,
        )

    def _when(self, source: OperationModel, node: Node) -> tuple[str, JsonValue] | None:
        path = node.get("path") if isinstance(node, Mapping) else None
        equals = node.get("equals") if isinstance(node, Mapping) else None
        if path is None or equals is None:
            self._error("`when` needs `path` and `equals`", node)
            return None
        text = self._path(source, path)
        return (text, equals.plain()) if text is not None else None

    def _call(
        self, key: Scalar, value: Node, known: frozenset[str]
    ) -> tuple[Mapping, OperationModel, dict[str, Given]] | None:
        source = self._operation(key)
        if source is None:
            return None
        if not isinstance(value, Mapping):
            self._error(f"`{key.text}` holds no mapping", key)
            return None
        for name in value:
            if name not in known:
                self._error(f"`{name}` is no field here", value.key(name))
        target = value.get("operation")
        operation = self._operation(target) if target is not None else None
        if operation is None:
            self._error(f"`{key.text}` names no operation", key)
            return None
        given = {}
        for member, node in _entries(value, "input"):
            found = self._given(source, operation, member, node)
            if found is not None:
                given[member] = found
        return value, operation, given

    def _given(
        self, source: OperationModel, operation: OperationModel, member: str, node: Node
    ) -> Given | None:
        shape = self._member(operation, member, node)
        if shape is None:
            return None
        as_list = shape.type_name == "list"
        value = node.plain()
        if not isinstance(value, str) or value.startswith("'"):
            literal = value.strip("'") if isinstance(value, str) else value
            return Given(
                kind="literal", value=literal, as_list=as_list and isinstance(node, Scalar)
            )
        optional = value.endswith("?")
        kind, _, path = value.removesuffix("?").partition(".")
        origin = source.input_shape if kind == "input" else source.output_shape
        found = find_shape(origin, path) if kind in {"input", "output"} else None
        if found is None or (kind == "input" and "." in path):
            self._error(f"`{value}` is nothing of `{source.name}`", node)
            return None
        as_list = as_list and found.type_name != "list"
        wanted = shape.member if as_list else shape
        if wanted.type_name != found.type_name:
            message = f"`{value}` is a {found.type_name}, `{member}` a {wanted.type_name}"
            self._error(message, node)
        required = operation.input_shape.required_members if operation.input_shape else []
        if optional and (kind != "input" or member in required):
            self._error(f"`{value}` cannot be optional", node)
        return Given(kind=kind, path=path, as_list=as_list, optional=optional)

    def _recipe(self, key: Scalar, value: Node) -> Recipe | None:
        body = value.get("steps") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(body, Sequence) or not len(body):
            self._error(f"the recipe `{key.text}` has no steps", key)
            return None
        for name in value:
            if name not in {"description", "parameters", "steps"}:
                self._error(f"`{name}` is no field of a recipe", value.key(name))
        parameters = value.get("parameters")
        items = parameters.items if isinstance(parameters, Sequence) else ()
        found = [self._recipe_parameter(item) for item in items]
        recipe = Recipe(
            service=self._service,
            name=key.text,
            description=self._optional(value, "description") or "",
            parameters=tuple(item for item in found if item is not None),
            body=body,
            location=key.location,
        )
        if recipe.is_destructive and not recipe.scope:
            message = f"the recipe `{key.text}` destroys, but declares no parameter as `scope`"
            self._error(message, key)
        return recipe

    def _recipe_parameter(self, node: Node) -> RecipeParameter | None:
        fields = RECIPE_PARAMETER
        name = node.get("name") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or name is None or not fields.issuperset(node):
            self._error("a recipe parameter has a `name` and a `type`", node)
            return None
        created = {}
        for operation, path in _entries(node, "created"):
            model = self._operation(Scalar(operation, operation, path.location))
            if model is not None:
                text = self._path(model, path)
                if text is not None:
                    created[operation] = text
        default = node.get("default")
        return RecipeParameter(
            name=str(name.plain()),
            type_=self._optional(node, "type") or "string",
            location=node.location,
            items=self._optional(node, "items"),
            has_default=default is not None,
            default=default.plain() if default is not None else None,
            scope=_is_true(node.get("scope")),
            constant=_is_true(node.get("constant")),
            description=self._optional(node, "description") or "",
            created=created,
        )

    # What botocore knows

    def _operation(self, node: Node) -> OperationModel | None:
        name = self._text(node)
        if name is None:
            return None
        if name not in self._names:
            message = f"`{self._service}` has no operation `{name}`"
            self._error(message, node, did_you_mean(name, sorted(self._names)))
            return None
        return self._model.operation_model(name)

    def _member(self, operation: OperationModel, name: str, node: Node) -> Shape | None:
        members = operation.input_shape.members if operation.input_shape else {}
        found: Shape | None = members.get(name)
        if found is None:
            message = f"`{operation.name}` takes no member `{name}`"
            self._error(message, node, did_you_mean(name, sorted(members)))
        return found

    def _path(self, operation: OperationModel, node: Node) -> str | None:
        text = self._text(node)
        if text is None:
            return None
        found = find_shape(operation.output_shape, text)
        if found is None or found.type_name not in SCALARS:
            self._error(f"`{text}` leads to no single value of `{operation.name}`", node)
            return None
        return text

    # Nodes

    def _text(self, node: Node) -> str | None:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            return node.value
        self._error("a text is expected here", node)
        return None

    def _optional(self, node: Mapping, name: str) -> str | None:
        child = node.get(name)
        return self._text(child) if child is not None else None

    def _error(self, message: str, node: Node | None, hint: str = "") -> None:
        place = node.location if node is not None else Location(self._service)
        self._problems.error(CODE, message, place, hint)


def _is_true(node: Node | None) -> bool:
    return node is not None and node.plain() is True


def _entries(node: Mapping, name: str) -> list[tuple[str, Node]]:
    child = node.get(name)
    if not isinstance(child, Mapping):
        return []
    return [(key.text, value) for key, value in child.entries]


def _normal(alias: str) -> str:
    return alias.lower().replace("-", "_").replace(" ", "_")


def _is_member(model: ServiceModel, name: str) -> bool:
    return name in _all_members(model.service_name)


@lru_cache(maxsize=64)
def _all_members(service: str) -> frozenset[str]:
    """Return the names of all input members of a service."""
    model = service_model(service)
    shapes = (model.operation_model(name).input_shape for name in model.operation_names)
    return frozenset(name for shape in shapes if shape is not None for name in shape.members)

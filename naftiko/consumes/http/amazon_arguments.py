"""Arguments of an HTTP entry's operation -> parameters of the AWS operation it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from naftiko.consumes.aws.operation import AwsOperation
from naftiko.consumes.http.amazon_queue import QUEUE_URL, QueueUrl, queue_url
from naftiko.consumes.http.binder import Binder, FromArgument, ValueSource
from naftiko.consumes.http.encoding import bad_value
from naftiko.consumes.http.json_text import json_text_nodes
from naftiko.consumes.http.parameters import constants_of, place_parameters
from naftiko.consumes.http.source import OperationSource
from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Node, Scalar
from naftiko.errors import did_you_mean
from naftiko.model.parameters import InputParameter
from naftiko.plan.ports import ClientContext, Effect, Parameter
from naftiko.plan.values import ConstantValue, ObjectValue, TextValue, ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

QUERY_PROTOCOL_MEMBERS = frozenset({"Action", "Version"})
"""What the query protocol has in its body; the service model supplies both."""
SUPPLIED = frozenset(
    {"action", "version", "authorization", "content-type", "host"}
    | {f"x-amz-{name}" for name in ("target", "date", "security-token", "content-sha256")}
    | {f"x-amz-{name}" for name in ("algorithm", "credential", "signature", "signedheaders")}
)
"""What files declare, pass on or ask callers for, and the service's model or signature supplies."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
_LIST_MEMBER = re.compile(r"(?P<name>[A-Za-z0-9_-]+)(?:\.member)?\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class ListOf:
    """The members of a list that the query protocol numbers: `AttributeName.1`."""

    members: tuple[ValueSource, ...]

    def get(self, scope: Mapping[str, JsonValue]) -> JsonValue | Missing:
        """Return those that are given; MISSING if none is."""
        given = [item.get(scope) for item in self.members]
        return [value for value in given if value is not MISSING] or MISSING


MemberSource = ValueSource | ListOf | QueueUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonArguments:
    """How arguments become parameters.

    `template` is the body, None where the file declares none. `sources` are single parameters.
    `passed` are parameters that callers give under the API's own name. `whole` names an argument
    that holds all of them. `filled_by` maps a parameter to the argument that fills it. `no_blanks`
    are optional parameters that are never "": tools that declare a page token as required are
    given "" for the first page.
    """

    parameters: tuple[Parameter, ...]
    template: ValueTemplate | None = field(repr=False)
    sources: tuple[tuple[str, MemberSource], ...] = field(repr=False)
    passed: frozenset[str]
    whole: str | None
    filled_by: Mapping[str, str]
    constants: Mapping[str, JsonValue] = field(repr=False)
    no_blanks: frozenset[str] = frozenset()

    def render(self, arguments: Mapping[str, JsonValue]) -> JsonObject:
        """Return the parameters of one call; what is absent is left out.

        Raises: InputError if the argument that should hold them all is no object.
        """
        given: JsonObject = {}
        if self.whole is not None:
            given |= self._object(self.whole, arguments.get(self.whole))
        given |= {name: value for name, value in arguments.items() if name in self.passed}
        scope = {**arguments, **self.constants} if self.constants else arguments
        if self.template is not None:
            body = self.template.render(scope)
            given |= self._object("body", None if body is MISSING else body)
        for name, source in self.sources:
            value = source.get(scope)
            if value is not MISSING:
                given[name] = value
        for name in self.no_blanks:
            if given.get(name) == "":
                del given[name]
        return given

    def _object(self, name: str, value: JsonValue) -> JsonObject:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise bad_value(name, "body", "must be an object that holds the parameters")
        return value

    def explain(self) -> Iterator[str]:
        """Yield which arguments fill parameters of another name."""
        for member, name in self.filled_by.items():
            if member != name:
                yield f"  {member} = argument {name}"
        if self.whole is not None:
            yield f"  every parameter may stand in the argument {self.whole}"


def compile_arguments(
    source: OperationSource,
    declared: tuple[InputParameter, ...],
    inner: AwsOperation,
    context: ClientContext,
) -> AmazonArguments:
    """Compile the body and the parameters of an operation over the API's parameters.

    Raises: ExpressionError.
    """
    constants = constants_of(declared, context)
    binder = Binder(context=context, constants=constants)
    return _Compiler(source, declared, inner, binder).compile()


class _Compiler:
    """Compiles the arguments of one operation."""

    def __init__(
        self,
        source: OperationSource,
        declared: tuple[InputParameter, ...],
        inner: AwsOperation,
        binder: Binder,
    ) -> None:
        self._source = source
        self._declared = declared
        self._effect = inner.effect
        self._queue = queue_url(source, inner)
        self._known = {
            item.name: item
            for item in inner.parameters
            if self._queue is None or item.name != QUEUE_URL
        }
        self._spellings = {_squeezed(name): name for name in self._known}
        self._binder = binder
        self._found: dict[str, Parameter] = {}
        self._filled_by: dict[str, str] = {}

    def compile(self) -> AmazonArguments:
        whole = self._whole()
        template = self._body()
        sources = tuple(self._sources(whole))
        extra = () if whole else tuple(self._extra(template, dict(sources)))
        for item in extra:
            self._found.setdefault(item.name, item)
        if whole is not None:
            self._found.setdefault(whole.name, whole)
        if self._queue is not None:
            self._found |= {item.name: item for item in self._queue.parameters()}
            sources = (*sources, (QUEUE_URL, self._queue))
        return AmazonArguments(
            parameters=tuple(self._found.values()),
            template=template,
            sources=sources,
            passed=frozenset(self._known) if whole else frozenset(item.name for item in extra),
            whole=whole.name if whole else None,
            filled_by=self._filled_by,
            constants=self._binder.constants,
            no_blanks=frozenset(
                name for name, item in self._known.items() if _is_never_blank(item)
            ),
        )

    def _whole(self) -> Parameter | None:
        """Return the argument that holds all parameters: `{name: body, in: body}`."""
        if self._source.operation.body is not None:
            return None
        in_body = [item for item in self._declared if item.in_ == "body" and item.value is None]
        if len(in_body) != 1 or in_body[0].name.lower() != "body" or "body" in self._known:
            return None
        properties: JsonObject = {name: dict(item.schema) for name, item in self._known.items()}
        required: list[JsonValue] = [item.name for item in self._known.values() if item.required]
        schema: JsonObject = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if in_body[0].description:
            schema["description"] = in_body[0].description
        return Parameter(name=in_body[0].name, schema=schema, required=bool(required), in_="body")

    def _body(self) -> ValueTemplate | None:
        body = self._source.operation.body
        data = body.data if body else None
        if isinstance(data, Scalar) and isinstance(data.value, str):
            data = json_text_nodes(data) or data
        if data is None:
            return None
        if isinstance(data, MappingNode):
            data = self._over_members(data)
        template = self._binder.value(data)
        if isinstance(template, ObjectValue):
            for member, value in template.members:
                self._note(member, value)
        else:
            self._note("", template)
        return template

    def _over_members(self, data: MappingNode) -> MappingNode:
        """Return the body with the API's spelling of each member, without what the API lacks."""
        entries: list[tuple[Scalar, Node]] = []
        for key, value in data.entries:
            member = self._member(key.text)
            if member is not None:
                entries.append((Scalar(member, member, key.location), value))
            elif key.text not in QUERY_PROTOCOL_MEMBERS:
                self._report_unknown(key)
        return MappingNode(tuple(entries), data.location)

    def _note(self, member: str, value: ValueTemplate) -> None:
        """Note which argument fills a member: its schema is the member's, if it is the whole."""
        if isinstance(value, ConstantValue):
            return
        names = [
            name
            for name in self._binder.arguments_of(value.references)
            if name not in self._binder.constants
        ]
        known = self._known.get(member)
        is_whole = isinstance(value, TextValue) and value.template.is_whole and len(names) == 1
        if known is not None and is_whole:
            self._fill(known, names[0])
            return
        for name in names:
            self._found.setdefault(name, Parameter(name=name, schema={}))

    def _fill(self, known: Parameter, name: str, *, may_be_in_body: bool = False) -> None:
        self._filled_by[known.name] = name
        required = known.required and not may_be_in_body
        self._found[name] = Parameter(name=name, schema=known.schema, required=required)

    def _sources(self, whole: Parameter | None) -> Iterator[tuple[str, MemberSource]]:
        """Yield the members that declared parameters fill, by a fixed value or another spelling."""
        placed = place_parameters(
            (item for item in self._declared if item.in_ in ("path", "query", "body")),
            self._binder,
        )
        lists: dict[str, list[ValueSource]] = {}
        for item in placed:
            member = self._member(item.name)
            numbered = self._numbered(item.name) if member is None else None
            if numbered is not None and numbered not in self._filled_by:
                lists.setdefault(numbered, []).append(item.source)
                self._fill_one_of(self._known[numbered], item.name)
            if member is None or member in self._filled_by:
                continue
            if not isinstance(item.source, FromArgument):
                yield member, item.source
            elif whole is None or item.in_ != "body":
                yield member, item.source
                self._fill(self._known[member], item.name, may_be_in_body=whole is not None)
        for member, members in lists.items():
            yield member, ListOf(tuple(members))

    def _numbered(self, name: str) -> str | None:
        """Return the list that a numbered name is a member of: "AttributeName.1"."""
        match = _LIST_MEMBER.fullmatch(name)
        found = match and (self._member(match["name"]) or self._member(match["name"] + "s"))
        return found if found and self._known[found].schema.get("type") == "array" else None

    def _fill_one_of(self, known: Parameter, name: str) -> None:
        items = known.schema.get("items")
        schema = items if isinstance(items, dict) else {}
        self._found[name] = Parameter(name=name, schema=schema)

    def _extra(
        self, template: ValueTemplate | None, sources: Mapping[str, MemberSource]
    ) -> Iterator[Parameter]:
        """Yield the parameters callers give by the API's name, beside what the file maps.

        Without a body all of them. With one, the file has chosen what may be changed; reading takes
        the others too (pages, filters), and what the API requires is never kept from it.
        """
        mapped = set(sources) | _members(template)
        for name, item in self._known.items():
            allowed = template is None or self._effect is Effect.READ or item.required
            if name not in mapped and allowed:
                yield item

    def _member(self, name: str) -> str | None:
        """Return the API's parameter of that name in any spelling: "queue_name" -> "QueueName"."""
        return name if name in self._known else self._spellings.get(_squeezed(name))

    def _report_unknown(self, key: Scalar) -> None:
        self._binder.context.problems.warn(
            "unknown-parameter",
            f"`{key.text}` is no parameter of the AWS operation behind `{self._source.address}`, "
            "so it is not sent",
            key.location,
            did_you_mean(key.text, self._known),
        )


def _is_never_blank(item: Parameter) -> bool:
    least = item.schema.get("minLength", 0)
    is_text = item.schema.get("type") == "string" and not item.schema.get("enum")
    return not item.required and not (is_text and not least)


def _members(template: ValueTemplate | None) -> set[str]:
    if isinstance(template, ObjectValue):
        return {name for name, _ in template.members}
    if isinstance(template, ConstantValue) and isinstance(template.value, dict):
        return set(template.value)
    return set()


def _squeezed(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.lower())

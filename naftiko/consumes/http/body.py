"""`body` and parameters `in: body` -> the bytes of a request.

A body of JSON is built as a value and written once, so that types are kept, absent members drop
out, and no argument can break out of its quotes (behaviour reference 15: 14, 17, 18).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import orjson

from naftiko.consumes.http.binder import Binder
from naftiko.consumes.http.encoding import (
    form_bytes,
    json_bytes,
    json_string_text,
    percent_encode,
    utf8,
    xml_text,
)
from naftiko.consumes.http.json_text import json_text_nodes
from naftiko.consumes.http.multipart import (
    MULTIPART,
    MultipartBody,
    body_file,
    compile_multipart,
)
from naftiko.consumes.http.parameters import BODY_METHODS, Placed
from naftiko.consumes.http.paths import Scope
from naftiko.consumes.http.raw_body import RawBody
from naftiko.consumes.http.sparql import SPARQL, SparqlBody, compile_sparql
from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Node, Scalar
from naftiko.errors import InputError, did_you_mean
from naftiko.model.consumes import Body
from naftiko.plan.values import ConstantValue, ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.expressions.template import Template

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain; charset=utf-8"
XML = "application/xml"

OCTETS = "application/octet-stream"

_KINDS = {
    **{name: name for name in ("json", "text", "xml", "sparql", "raw")},
    **dict.fromkeys(("form", "formurlencoded", "form-urlencoded", "urlencoded"), "form"),
    **dict.fromkeys(("multipartform", "multipart", "multipart-form", "form-data"), "multipart"),
    "binary": "raw",
}
BODY_TYPES = ("json", "text", "xml", "sparql", "formUrlEncoded", "multipartForm", "raw")

Rest: TypeAlias = Mapping[str, JsonValue]
"""The arguments that nothing else of the operation uses."""


@dataclass(frozen=True, slots=True)
class NoBody:
    """Nothing is sent."""

    media_type: str = ""
    takes_rest: bool = False

    def render(self, scope: Scope, rest: Rest) -> bytes | None:
        """Return no bytes."""
        return None

    def explain(self) -> str:
        """Return "none"."""
        return "none"


@dataclass(frozen=True, slots=True)
class FixedBody:
    """The same bytes for every call."""

    content: bytes = field(repr=False)
    media_type: str
    takes_rest: bool = False

    def render(self, scope: Scope, rest: Rest) -> bytes | None:
        """Return the bytes."""
        return self.content

    def explain(self) -> str:
        """Return the size; the text may hold a bound secret."""
        return f"{len(self.content)} fixed bytes of {self.media_type}"


@dataclass(frozen=True, slots=True)
class ValueBody:
    """A JSON value with placeholders, and `fields` set in it from parameters."""

    template: ValueTemplate = field(repr=False)
    fields: tuple[Placed, ...]
    write: Callable[[JsonValue], bytes]
    media_type: str
    shape: str
    takes_rest: bool = False

    def render(self, scope: Scope, rest: Rest) -> bytes | None:
        """Return the text of the value, None if it is one placeholder that is absent."""
        value = self.value(scope, rest)
        return None if value is MISSING else self.write(value)

    def value(self, scope: Scope, rest: Rest) -> JsonValue | Missing:
        """Return the value itself; MISSING as `render` says."""
        value = self.template.render(scope)
        if self.fields and isinstance(value, dict):
            value = {**value, **_fields(self.fields, scope)}
        return value

    def explain(self) -> str:
        """Return the media type and the members."""
        return f"{self.media_type} {self.shape}"


@dataclass(frozen=True, slots=True)
class ArgumentsBody:
    """Parameters `in: body` and every argument that is not used elsewhere.

    `whole` names the parameter that is the body itself, as OpenAPI imports write it.
    `always` sends `{}` where there is nothing to send.
    """

    fields: tuple[Placed, ...]
    whole: str | None
    always: bool
    write: Callable[[JsonValue], bytes]
    media_type: str
    takes_rest: bool = True

    def render(self, scope: Scope, rest: Rest) -> bytes | None:
        """Return the text, None if there is nothing to send."""
        value = self.value(scope, rest)
        return None if value is MISSING else self.write(value)

    def value(self, scope: Scope, rest: Rest) -> JsonValue | Missing:
        """Return the value itself; MISSING if there is nothing to send."""
        if self.whole is not None and scope.get(self.whole) is not None:
            return scope[self.whole]
        value = {**(rest if self.takes_rest else {}), **_fields(self.fields, scope)}
        return value if value or self.always else MISSING

    def explain(self) -> str:
        """Return the media type and the members."""
        names = [item.name for item in self.fields] + (["every other argument"] * self.takes_rest)
        inner = f"the argument `{self.whole}`, else " if self.whole else ""
        return f"{self.media_type} {inner}{{{', '.join(names)}}}"


@dataclass(frozen=True, slots=True)
class TextBody:
    """A text with placeholders whose values are escaped. `checked` text must come out as JSON."""

    template: Template
    escape: Callable[[str], str] | None
    media_type: str
    checked: bool = False
    takes_rest: bool = False

    def render(self, scope: Scope, rest: Rest) -> bytes | None:
        """Return the text.

        Raises: InputError if the arguments turn the text into something that is no JSON.
        """
        content = utf8("body", self.template.render_text(scope, escape=self.escape))
        if self.checked:
            try:
                orjson.loads(content)
            except orjson.JSONDecodeError:
                raise InputError(
                    message="with these arguments the body of the call is no JSON",
                    hint="a placeholder outside of quotes takes a number, true, false or null",
                ) from None
        return content

    def explain(self) -> str:
        """Return the media type."""
        return f"{self.media_type} from a text with placeholders"


BodyPlan: TypeAlias = (
    NoBody | FixedBody | ValueBody | ArgumentsBody | TextBody | RawBody | MultipartBody | SparqlBody
)


def content_type_of(body: BodyPlan, content: bytes) -> str:
    """Return the media type that goes out with a rendered body."""
    return body.content_type(content) if isinstance(body, MultipartBody) else body.media_type


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A body that this engine does not send; `about_type` where its type is unknown."""

    reason: str
    hint: str = ""
    about_type: bool = False


def compile_body(
    body: Body | None,
    *,
    method: str,
    fields: tuple[Placed, ...],
    content_type: str,
    binder: Binder,
) -> BodyPlan | Unsupported:
    """Compile what is sent. `content_type` is the one the file fixes in a header, "" if none.

    Raises: ExpressionError.
    """
    if body is None:
        if method not in BODY_METHODS and not fields:
            return NoBody()
        return _from_arguments(fields, content_type, always=False, rest=method in BODY_METHODS)
    kind = _KINDS.get(body.type_.lower(), "")
    if body.content_type is not None and not content_type:
        content_type = body.content_type.text.strip()
    match kind:
        case "multipart":
            media_type = _base(content_type) if content_type.startswith("multipart/") else MULTIPART
            parts = compile_multipart(body.data, fields, media_type, binder)
            return parts or Unsupported("the `data` of a multipart form is a list of named parts")
        case "raw":
            return _raw(body, content_type or OCTETS, binder)
        case "json" | "form" if body.data is None:
            media_type = content_type or (JSON if kind == "json" else FORM)
            return _from_arguments(fields, media_type, always=kind == "json", rest=True)
        case "json" if body.data is not None:
            return _json(body.data, fields, content_type, binder)
        case "form" if body.data is not None:
            return _form(body.data, fields, content_type or FORM, binder)
        case "":
            hint = did_you_mean(body.type_, BODY_TYPES)
            return Unsupported(f"`{body.type_}` is no type of a body", hint, about_type=True)
        case _:
            return _textual(body, kind, content_type, binder)


def _textual(body: Body, kind: str, content_type: str, binder: Binder) -> BodyPlan | Unsupported:
    if not isinstance(body.data, Scalar):
        return Unsupported(f"a body of type `{body.type_}` needs a text as `data`")
    if kind == "sparql":
        return _sparql(body.data, content_type or SPARQL, binder)
    return _text(body.data, content_type or (XML if kind == "xml" else TEXT), binder, kind)


def _raw(body: Body, media_type: str, binder: Binder) -> BodyPlan | Unsupported:
    if body.file is not None:
        return FixedBody(body_file(body.file, binder).read_bytes(), media_type)
    if body.data is None:
        return Unsupported("a body of type `raw` needs `data` or `file`")
    encoding = body.encoding.text.lower() if body.encoding else ""
    if encoding not in ("", "base64"):
        return Unsupported(f"`encoding: {encoding}` is not known", "write `encoding: base64`")
    raw = RawBody(binder.value(body.data), encoding == "base64", media_type)
    if not isinstance(raw.value, ConstantValue):
        return raw
    try:
        content = raw.render({}, {})
    except InputError as error:
        return Unsupported(error.message)
    return NoBody() if content is None else FixedBody(content, media_type)


def _sparql(query: Scalar, media_type: str, binder: Binder) -> BodyPlan | Unsupported:
    if "{%" in query.text:
        reason = "a query with `{% %}` cannot be kept safe from the values in it"
        return Unsupported(reason, "use placeholders only")
    body = compile_sparql(query, media_type, binder)
    if all(isinstance(piece, str) or piece.template.is_constant for piece in body.pieces):
        return FixedBody(body.render({}, {}) or b"", media_type)
    return body


def _from_arguments(
    fields: tuple[Placed, ...], content_type: str, *, always: bool, rest: bool
) -> BodyPlan:
    media_type = content_type or JSON
    whole = _whole(fields)
    return ArgumentsBody(
        fields=() if whole else fields,
        whole=whole,
        always=always,
        write=form_bytes if _base(media_type) == FORM else json_bytes,
        media_type=media_type,
        takes_rest=rest,
    )


def _whole(fields: tuple[Placed, ...]) -> str | None:
    """A single parameter `body`, `in: body`, is the body itself: OpenAPI imports write it so."""
    if len(fields) != 1 or not fields[0].is_argument:
        return None
    only = fields[0].declared
    structured = (only.type_ or "object").lower() in ("object", "array", "any")
    return only.name if only.name.lower() == "body" and structured else None


def _json(data: Node, fields: tuple[Placed, ...], content_type: str, binder: Binder) -> BodyPlan:
    if isinstance(data, Scalar) and isinstance(data.value, str):
        return _json_text(data, fields, content_type, binder)
    return _value(data, fields, content_type or JSON, json_bytes, binder)


def _json_text(
    text: Scalar, fields: tuple[Placed, ...], content_type: str, binder: Binder
) -> BodyPlan:
    """A body given as a string. It is JSON unless a header says otherwise."""
    base = _base(content_type)
    if base and not base.endswith("json"):
        return _text(text, content_type, binder)
    nodes = json_text_nodes(text)
    if nodes is not None:
        return _value(nodes, fields, content_type or JSON, json_bytes, binder)
    if text.text.lstrip()[:1] in ("{", "["):
        template = binder.text(text)
        return TextBody(template, json_string_text, content_type or JSON, checked=True)
    return _value(text, fields, content_type or JSON, json_bytes, binder)


def _form(
    data: Node, fields: tuple[Placed, ...], content_type: str, binder: Binder
) -> BodyPlan | Unsupported:
    if isinstance(data, Scalar):
        return _text(data, content_type, binder)
    if not isinstance(data, MappingNode):
        return Unsupported("the `data` of a form is a mapping or a text")
    return _value(data, fields, content_type, form_bytes, binder)


def _text(text: Scalar, content_type: str, binder: Binder, kind: str = "") -> BodyPlan:
    base = _base(content_type)
    escape: Callable[[str], str] | None = None
    if base == FORM:
        escape = _form_text
    elif kind == "xml" or base.endswith(("xml", "html")):
        escape = xml_text
    template = binder.text(text)
    if template.is_constant:
        return FixedBody(template.render_text({}, escape=escape).encode(), content_type)
    return TextBody(template, escape, content_type)


def _value(
    node: Node,
    fields: tuple[Placed, ...],
    media_type: str,
    write: Callable[[JsonValue], bytes],
    binder: Binder,
) -> BodyPlan:
    template = binder.value(node)
    # A parameter that the template refers to has its place there already.
    used = set(binder.arguments_of(template.references))
    free = tuple(item for item in fields if item.name not in used)
    if isinstance(template, ConstantValue) and not free:
        return FixedBody(write(template.value), media_type)
    return ValueBody(template, free, write, media_type, _shape(node))


def _shape(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "{" + ", ".join(node) + "}"
    return "a text" if isinstance(node, Scalar) else "[...]"


def _fields(fields: tuple[Placed, ...], scope: Scope) -> JsonObject:
    values = ((item.name, item.source.get(scope)) for item in fields)
    return {name: value for name, value in values if value is not MISSING}


def _form_text(text: str) -> str:
    return percent_encode(text, "body", "body")


def _base(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()

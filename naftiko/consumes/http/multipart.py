"""Parts of a form -> `multipart/form-data`. RFC 7578."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.consumes.http.binder import Binder
from naftiko.consumes.http.encoding import base64_bytes, header_text, json_bytes, plain_text, utf8
from naftiko.consumes.http.parameters import Placed
from naftiko.consumes.http.paths import Scope
from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Node, Scalar, Sequence
from naftiko.plan.clients import leave_out
from naftiko.plan.named_files import find_named_file
from naftiko.plan.values import ConstantValue, ValueTemplate
from naftiko.values import MISSING, JsonValue

if TYPE_CHECKING:
    from urllib3.fields import RequestField

    from naftiko.expressions.template import Template

MULTIPART = "multipart/form-data"
MAX_FILE_BYTES = 32 * 1024 * 1024

_PART_MEMBERS = frozenset({"name", "value", "filename", "contentType", "file", "encoding"})
_OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: `content` of a file, or a `value`, which base64 may stand for."""

    name: str
    value: ValueTemplate = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    filename: Template | None = None
    default_filename: str = ""
    content_type: Template | None = None
    is_base64: bool = False


@dataclass(frozen=True, slots=True)
class MultipartBody:
    """Parts, then parameters `in: body` and, where no part is declared, every other argument."""

    parts: tuple[Part, ...]
    fields: tuple[Placed, ...]
    media_type: str
    takes_rest: bool = False

    def render(self, scope: Scope, rest: Mapping[str, JsonValue]) -> bytes | None:
        """Return the parts with a boundary that nobody could foresee; None where there is none.

        Raises: InputError for what no part can hold.
        """
        from urllib3.filepost import encode_multipart_formdata

        fields = [one for part in self.parts for one in _fields_of(part, scope)]
        if self.takes_rest:
            fields += [one for name, value in rest.items() for one in _plain(name, value)]
        for item in self.fields:
            value = item.source.get(scope)
            fields += [] if value is MISSING else _plain(item.name, value)
        return encode_multipart_formdata(fields)[0] if fields else None

    def content_type(self, content: bytes) -> str:
        """Return the media type of a rendered body, with its boundary."""
        boundary = content[2 : content.index(b"\r\n")].decode("ascii")
        return f"{self.media_type}; boundary={boundary}"

    def explain(self) -> str:
        """Return the media type and the names of the parts."""
        names = [part.name for part in self.parts] + [item.name for item in self.fields]
        names += ["every other argument"] * self.takes_rest
        return f"{self.media_type} {{{', '.join(names)}}}"


def compile_multipart(
    data: Node | None, fields: tuple[Placed, ...], media_type: str, binder: Binder
) -> MultipartBody | None:
    """Compile the parts: a list of `{name, value | file, ...}`, or a map by name.

    None where `data` is neither. Without `data`, the arguments are the parts.

    Raises: ExpressionError; LeftOut for a file that is not there.
    """
    if data is None:
        return MultipartBody((), fields, media_type, takes_rest=True)
    named = _named(data)
    if named is None:
        return None
    parts = tuple(_part(name, node, binder) for name, node in named)
    used = {
        name
        for part in parts
        for template in (part.value, part.filename, part.content_type)
        if template is not None
        for name in binder.arguments_of(template.references)
    }
    free = tuple(item for item in fields if item.name not in used)
    return MultipartBody(parts, free, media_type)


def _named(data: Node) -> list[tuple[str, Node]] | None:
    if isinstance(data, MappingNode):
        return [(key.text, value) for key, value in data.entries]
    if not isinstance(data, Sequence):
        return None
    named: list[tuple[str, Node]] = []
    for item in data:
        name = item.get("name") if isinstance(item, MappingNode) else None
        if not isinstance(name, Scalar):
            return None
        named.append((name.text, item))
    return named


def _part(name: str, node: Node, binder: Binder) -> Part:
    if not isinstance(node, MappingNode) or not set(node) <= _PART_MEMBERS:
        return Part(name=name, value=binder.value(node))
    texts = {key: value for key in node if isinstance(value := node.get(key), Scalar)}
    file, value = texts.get("file"), node.get("value")
    path = None if file is None else body_file(file, binder)
    encoding, filename, type_ = (texts.get(key) for key in ("encoding", "filename", "contentType"))
    return Part(
        name=name,
        value=ConstantValue(None) if value is None else binder.value(value),
        content=None if path is None else path.read_bytes(),
        filename=None if filename is None else binder.text(filename),
        default_filename="" if path is None else path.name,
        content_type=None if type_ is None else binder.text(type_),
        is_base64=encoding is not None and encoding.text.lower() == "base64",
    )


def body_file(file: Scalar, binder: Binder) -> Path:
    """Return the file that a body sends: the document names it, beside it or under the root.

    Raises: ExpressionError; LeftOut where it is not there, and where a caller would choose it.
    """
    from naftiko.plan.content_files import refuse_private

    template = binder.value(file)
    if not isinstance(template, ConstantValue):
        raise leave_out(
            "file-from-caller",
            f"`file: {file.text}` would let callers choose the file that is sent",
            file.location,
            "name the file, or send what callers give as `value` with `encoding: base64`",
        )
    name = plain_text(template.value)
    path = find_named_file(name, file.location, binder.context.workspace_root)
    refuse_private(file, path)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise leave_out("too-large", f"the file `{name}` has more than 32 MiB", file.location)
    return path


def _fields_of(part: Part, scope: Scope) -> Iterator[RequestField]:
    filename = part.default_filename
    if part.filename is not None:
        filename = part.filename.render_text(scope)
    media_type = "" if part.content_type is None else part.content_type.render_text(scope)
    media_type = header_text("contentType", media_type)
    if part.content is not None:
        yield _field(part.name, part.content, filename, media_type)
        return
    value = part.value.render(scope)
    for item in value if isinstance(value, list) and not part.is_base64 else (value,):
        if item is MISSING or item is None:
            continue
        if part.is_base64:
            yield _field(part.name, base64_bytes(part.name, item), filename, media_type)
        else:
            yield from _plain(part.name, item, filename, media_type)


def _plain(
    name: str, value: JsonValue, filename: str = "", media_type: str = ""
) -> Iterator[RequestField]:
    """A list repeats the name, null gives nothing, an object is JSON."""
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, dict | list):
            yield _field(name, json_bytes(item), filename, media_type or "application/json")
        elif item is not None:
            yield _field(name, utf8(name, plain_text(item)), filename, media_type)


def _field(name: str, content: bytes, filename: str, media_type: str) -> RequestField:
    from urllib3.fields import RequestField

    utf8(name, name + filename)
    if filename and not media_type:
        media_type = mimetypes.guess_type(filename)[0] or _OCTETS
    made = RequestField(name, content, filename=filename or None)
    made.make_multipart(content_type=media_type or None)
    return made

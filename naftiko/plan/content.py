"""MCP content blocks: given in the file, filled from inputs, step outputs and the result.

`content: [{type: text, text: "{{result.name}}"}, {type: image, file: ./logo.png}]` becomes blocks
in wire form: `{"type": "image", "data": "<base64>", "mimeType": "image/png"}`.
Spec (own): `ContentBlock`. MCP 2025-11-25, server/tools, Tool Result.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.document.nodes import Sequence as SequenceNode
from naftiko.errors import ShapingError, did_you_mean
from naftiko.expressions.jsonpath import Path, compile_path
from naftiko.expressions.text import json_text, value_text
from naftiko.plan.clients import leave_out
from naftiko.plan.content_files import Files, media_type_of
from naftiko.plan.run import DEFAULT_MAX_BYTES
from naftiko.plan.values import ConstantValue, ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.expressions.template import Scope, Template

KINDS = ("text", "image", "audio", "resource", "resourceLink")
_MEMBERS = {
    "text": ("text", "from", "file"),
    "image": ("data", "from", "file"),
    "audio": ("data", "from", "file"),
    "resource": ("resource",),
    "resourceLink": ("uri",),
}
_FALSE = (False, None, MISSING, "", 0, "false")
_LINK_MEMBERS = ("uri", "name", "title", "description", "mimeType", "size")
_TEXT_TYPES = ("application/json", "application/yaml", "application/xml", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class Given:
    """What a member holds: a template, a path into everything there is, or a file's content."""

    template: ValueTemplate | None = None
    path: Path | None = None

    def value(self, scope: Scope) -> JsonValue | Missing:
        """Return the value."""
        if self.path is not None:
            return self.path.find(dict(scope))
        return self.template.render(scope) if self.template is not None else MISSING

    def text(self, scope: Scope) -> str:
        """Return it as text; objects and lists as JSON."""
        value = self.value(scope)
        return json_text(value) if isinstance(value, dict | list) else value_text(value)

    def data(self, scope: Scope) -> str:
        """Return it as Base64 text.

        Raises: ShapingError where it is none.
        """
        text = self.text(scope)
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            message = "the data of a content block is not Base64 text"
            raise ShapingError(message=message) from None
        return text


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Text."""

    text: Given

    def render(self, scope: Scope) -> JsonObject:
        """Return the block."""
        return {"type": "text", "text": self.text.text(scope)}


@dataclass(frozen=True, slots=True)
class MediaBlock:
    """An image or a sound."""

    kind: str
    data: Given
    media_type: Given

    def render(self, scope: Scope) -> JsonObject:
        """Return the block."""
        data, media_type = self.data.data(scope), self.media_type.text(scope)
        return {"type": self.kind, "data": data, "mimeType": media_type}


@dataclass(frozen=True, slots=True)
class ResourceBlock:
    """A resource, its content included."""

    uri: Given
    media_type: Given | None
    content: Given
    is_text: bool

    def render(self, scope: Scope) -> JsonObject:
        """Return the block."""
        resource: JsonObject = {"uri": self.uri.text(scope)}
        if self.media_type is not None:
            resource["mimeType"] = self.media_type.text(scope)
        if self.is_text:
            resource["text"] = self.content.text(scope)
        else:
            resource["blob"] = self.content.data(scope)
        return {"type": "resource", "resource": resource}


@dataclass(frozen=True, slots=True)
class LinkBlock:
    """A link to a resource that the client may read."""

    members: tuple[tuple[str, Given], ...]

    def render(self, scope: Scope) -> JsonObject:
        """Return the block."""
        block: JsonObject = {"type": "resource_link"}
        for name, given in self.members:
            value = given.value(scope)
            if name == "size" and isinstance(value, int):
                block[name] = value
            elif not isinstance(value, Missing) and value is not None:
                block[name] = given.text(scope)
        return block


Block = TextBlock | MediaBlock | ResourceBlock | LinkBlock


@dataclass(frozen=True, slots=True)
class ContentBlock:
    """A block with the members that every kind has. `role` is that of a prompt's message."""

    block: Block
    annotations: JsonObject | None = None
    meta: JsonObject | None = None
    when: Given | None = None
    role: str = "user"

    def render(self, scope: Scope) -> JsonObject | None:
        """Return the block in wire form, None where its `when` is false.

        Raises: ShapingError.
        """
        if self.when is not None and self.when.value(scope) in _FALSE:
            return None
        block = self.block.render(scope)
        if self.annotations is not None:
            block["annotations"] = self.annotations
        if self.meta is not None:
            block["_meta"] = self.meta
        return block


@dataclass(frozen=True, slots=True)
class Content:
    """The blocks of one answer."""

    blocks: tuple[ContentBlock, ...]

    def render(self, scope: Scope) -> list[JsonValue]:
        """Return the blocks in wire form.

        Raises: ShapingError.
        """
        rendered = (block.render(scope) for block in self.blocks)
        return [block for block in rendered if block is not None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ContentCompiler:
    """Compiles content blocks. `text` compiles the text of a scalar, `value` any node."""

    value: Callable[[Node], ValueTemplate]
    files: Files
    text: Callable[[Scalar], Template] | None = None
    max_bytes: int = DEFAULT_MAX_BYTES

    def compile(self, node: Node) -> Content:
        """Compile one block or a list of them; a plain text is a block of its own.

        Raises: LeftOut, ExpressionError.
        """
        items: Sequence[Node] = node.items if isinstance(node, SequenceNode) else (node,)
        return Content(tuple(self.block(item) for item in items))

    def block(self, node: Node, role: str = "user") -> ContentBlock:
        """Compile one block.

        Raises: LeftOut, ExpressionError.
        """
        if isinstance(node, Scalar):
            return ContentBlock(TextBlock(self._given(node)), role=role)
        if not isinstance(node, Mapping):
            raise leave_out("bad-content", "a content block is a text or an object", node.location)
        annotations = node.get("annotations")
        when = node.get("when")
        plain = annotations.plain() if annotations is not None else None
        meta_node = node.get("_meta")
        meta = meta_node.plain() if meta_node is not None else None
        own_role = node.get("role")
        return ContentBlock(
            self._kind(node),
            annotations=plain if isinstance(plain, dict) else None,
            meta=meta if isinstance(meta, dict) else None,
            when=self._given(when) if when is not None else None,
            role=own_role.text if isinstance(own_role, Scalar) else role,
        )

    def _kind(self, node: Mapping) -> Block:
        named = node.get("type")
        kind = named.text if isinstance(named, Scalar) else _kind_of(node)
        kind = "resourceLink" if kind == "resource_link" else kind
        if kind not in KINDS:
            raise leave_out(
                "bad-content",
                f"there is no content of type `{kind}`" if kind else "this content has no `type`",
                (named or node).location,
                did_you_mean(kind, KINDS),
            )
        if not any(member in node for member in _MEMBERS[kind]):
            wanted = ", ".join(f"`{member}`" for member in _MEMBERS[kind])
            raise leave_out(
                "bad-content", f"this content of type `{kind}` needs one of {wanted}", node.location
            )
        if kind == "text":
            return TextBlock(self._member(node, "text", text=True)[0])
        if kind == "resource":
            return self._resource(node)
        if kind == "resourceLink":
            return self._link(node)
        data, found = self._member(node, "data", text=False)
        if not found and "mimeType" not in node:
            raise leave_out(
                "bad-content", f"this content of type `{kind}` needs a `mimeType`", node.location
            )
        return MediaBlock(kind, data, self._media_type(node, found))

    def _link(self, node: Mapping) -> LinkBlock:
        members = [
            (name, self._given(member))
            for name in _LINK_MEMBERS
            if (member := node.get(name)) is not None
        ]
        if "name" not in node:
            uri = node.get("uri")
            assert uri is not None
            members.append(("name", self._given(uri)))
        return LinkBlock(tuple(members))

    def _resource(self, node: Mapping) -> ResourceBlock:
        inner = node.get("resource")
        uri = inner.get("uri") if isinstance(inner, Mapping) else None
        if not isinstance(inner, Mapping) or uri is None:
            raise leave_out(
                "bad-content", "`resource` of this content needs a `uri`", node.location
            )
        is_text = "text" in inner or ("blob" not in inner and self._is_text_file(inner))
        content, found = self._member(inner, "text" if is_text else "blob", text=is_text)
        media_type = self._media_type(inner, found) if found or "mimeType" in inner else None
        return ResourceBlock(self._given(uri), media_type, content, is_text)

    def _is_text_file(self, node: Mapping) -> bool:
        named = node.get("mimeType") or node.get("file")
        if not isinstance(named, Scalar):
            return True
        media_type = named.text if "mimeType" in node else media_type_of(named.text)
        return is_text_type(media_type)

    def _member(self, node: Mapping, name: str, *, text: bool) -> tuple[Given, str]:
        """Return what a block holds, and the media type where a file tells it."""
        own, path, file = node.get(name), node.get("from"), node.get("file")
        if own is not None:
            return self._given(own), ""
        if isinstance(path, Scalar):
            return Given(path=compile_path(path.text, path.at)), ""
        if not isinstance(file, Scalar):
            raise leave_out("bad-content", f"`{name}` is missing", node.location)
        found, content = self.files.read(file, self.max_bytes)
        if text:
            shown = content.decode("utf-8", "replace")
        else:
            shown = base64.b64encode(content).decode("ascii")
        return Given(ConstantValue(shown)), media_type_of(found.name)

    def _media_type(self, node: Mapping, default: str) -> Given:
        given = node.get("mimeType")
        return self._given(given) if given is not None else Given(ConstantValue(default))

    def _given(self, node: Node) -> Given:
        if self.text is not None and isinstance(node, Scalar) and isinstance(node.value, str):
            from naftiko.plan.values import TextValue

            return Given(TextValue(self.text(node)))
        return Given(self.value(node))


def is_text_type(media_type: str) -> bool:
    """Tell whether a media type is that of a text."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare.startswith("text/") or bare in _TEXT_TYPES or bare.endswith(("+json", "+xml"))


def _kind_of(node: Mapping) -> str:
    """Guess the type of a block that names none by what only it has."""
    if "text" in node:
        return "text"
    return "resource" if "resource" in node else ""

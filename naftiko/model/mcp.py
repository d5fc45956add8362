"""What an MCP adapter offers beside tools. Spec: `McpResource`, `McpPrompt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.source import Location

if TYPE_CHECKING:
    from naftiko.model.exposes import ExposedOperation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Completion:
    """What may be typed for the argument `name`: a list of values, or a call that finds them."""

    name: str
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ResourceList:
    """What a template of URIs leads to, one resource for each item that `operation` lists.

    `variables` fill the URI; `next_` finds in an answer what asks for the page after it.
    """

    operation: ExposedOperation
    location: Location
    as_: str = "item"
    items: Scalar | None = None
    next_: Scalar | None = None
    filter_: Scalar | None = None
    variables: tuple[tuple[Scalar, Scalar], ...] = ()
    name: Scalar | None = None
    label: Scalar | None = None
    description: Scalar | None = None
    mime_type: Scalar | None = None
    max_items: Scalar | None = None
    refresh: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class McpResource:
    """Something to read: files (`file`), a value in the file itself, or what an operation gives.

    `operation` carries name, description, `call`, `steps`, `content` and the like. `refresh` and
    `watch` say how often it is looked at for those who subscribed.
    """

    operation: ExposedOperation
    uri: Scalar | None
    location: Location
    mime_type: Scalar | None = None
    binary: bool = False
    file: Scalar | None = None
    text: Node | None = None
    blob: Scalar | None = None
    annotations: Mapping | None = None
    size: int | None = None
    refresh: Scalar | None = None
    watch: bool = False
    completions: tuple[Completion, ...] = ()
    list_: ResourceList | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class McpPromptArgument:
    """A value that fills a prompt. It is required unless the file says otherwise."""

    name: str
    location: Location
    label: str = ""
    description: str = ""
    required: bool = True
    enum: tuple[str, ...] = ()
    completion: Completion | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class McpPrompt:
    """Messages for people to start from.

    `template` lists them, `file` holds the text of one, or the operation's answer makes them.
    """

    operation: ExposedOperation
    location: Location
    arguments: tuple[McpPromptArgument, ...] = ()
    template: Node | None = None
    file: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class McpOptions:
    """How an MCP adapter serves its lists and streams; None where the file does not say."""

    max_binary_size: Scalar | None = None
    page_size: Scalar | None = None
    ttl_ms: Scalar | None = None
    cache_scope: Scalar | None = None
    resumable: Node | None = None
    tasks: Mapping | None = None
    tool_search: Node | None = None

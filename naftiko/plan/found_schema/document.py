"""A document with schemas in it: where its references lead, and which schema is its root."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urldefrag, urljoin

from naftiko.errors import ShapingError, did_you_mean
from naftiko.plan.found_schema.dialects import Dialect
from naftiko.plan.found_schema.faults import shown, too_large, unreadable
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

_TABLES: Final = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "dependencies", "definitions", "$defs",
     "schemas"}
)  # fmt: skip
_DATA: Final = frozenset({"const", "default", "enum", "example", "examples"})
_MAX_STEPS: Final = 1_000
_MAX_IDS: Final = 5_000
_MAX_URI: Final = 2_000
_AWS_ROOT: Final = "AWSEvent"
_COMPONENTS: Final = "#/components/schemas/"


class Document:
    """Knows the place of every `$id` and anchor. References lead nowhere else."""

    def __init__(self, content: JsonObject, dialect: Dialect) -> None:
        """Walk through all of the document once."""
        self._content = content
        self._id = dialect.id_
        self._bases: dict[int, str] = {}
        self._resources: dict[str, JsonObject] = {}
        self._anchors: dict[tuple[str, str], JsonObject] = {}
        self._dynamic: dict[str, int] = {}
        self._ids = 0
        self._index()

    def _index(self) -> None:
        self._resources[""] = self._content
        pending: list[tuple[JsonValue, str, bool]] = [(self._content, "", False)]
        while pending:
            node, base, is_table = pending.pop()
            if isinstance(node, list):
                pending += [(item, base, False) for item in node]
            if not isinstance(node, dict):
                continue
            if not is_table:
                base = self._note(node, base)
            self._bases[id(node)] = base
            for name, value in node.items():
                if is_table or name not in _DATA:
                    pending.append((value, base, not is_table and name in _TABLES))

    def _note(self, node: JsonObject, base: str) -> str:
        identifier = node.get(self._id)
        if isinstance(identifier, str):
            self._count_id()
            joined, anchor = urldefrag(_joined(base, identifier))
            if anchor and joined == base:
                self._anchors.setdefault((base, unquote(anchor)), node)
            else:
                base = joined
                self._resources.setdefault(base, node)
        for keyword in ("$anchor", "$dynamicAnchor"):
            name = node.get(keyword)
            if isinstance(name, str):
                self._anchors.setdefault((base, name), node)
                if keyword == "$dynamicAnchor":
                    self._dynamic[name] = self._dynamic.get(name, 0) + 1
        return base

    def _count_id(self) -> None:
        self._ids += 1
        if self._ids > _MAX_IDS:
            message = f"more than {_MAX_IDS:,} of its parts have names of their own"
            raise too_large(message)

    def is_ambiguous(self, keyword: str, reference: str) -> bool:
        """Tell whether where a reference leads depends on where a check came from."""
        if keyword == "$ref":
            return False
        if keyword == "$recursiveRef":
            return len(self._resources) > 2
        return self._dynamic.get(reference.rpartition("#")[2], 0) > 1

    def target(self, reference: str, node: JsonObject) -> JsonValue:
        """Return what the reference of a schema leads to.

        "#/definitions/Order", "#order", "order.json#/definitions/Line" where an `$id` says so.

        Raises: ShapingError[unreadable-schema].
        """
        base = self._bases.get(id(node), "")
        if reference.startswith("#"):
            place, fragment = base, reference[1:]
        else:
            place, fragment = urldefrag(_joined(base, reference))
        resource = self._resources.get(place)
        if resource is None:
            message = f"it refers to another document, `{shown(reference)}`, and none is fetched"
            raise unreadable(message)
        name = unquote(fragment)
        if not name:
            return resource
        if name.startswith("/"):
            # Some generators give every schema an `id` and mean the document by `#` all the same.
            found = _pointed(resource, name)
            found = _pointed(self._content, name) if found is MISSING else found
            if found is MISSING:
                raise _nowhere(reference)
            return found
        anchored = self._anchors.get((place, name))
        if anchored is None:
            raise _nowhere(reference)
        return anchored


def _joined(base: str, reference: str) -> str:
    if len(reference) + len(base) > _MAX_URI:
        message = f"`{shown(reference)}` is too long"
        raise too_large(message)
    try:
        # "" keeps what no URL parser is to touch: `#/definitions/a b`
        return urljoin(base, reference) if base else reference
    except ValueError:
        message = f"`{shown(reference)}` is no reference"
        raise unreadable(message) from None


def _pointed(resource: JsonValue, pointer: str) -> JsonValue | Missing:
    """Follow a JSON pointer (RFC 6901); MISSING where it leads nowhere."""
    steps = pointer[1:].split("/", _MAX_STEPS)
    if len(steps) > _MAX_STEPS:
        message = "a reference has too many steps"
        raise too_large(message)
    found = resource
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and name.isascii() and len(name) < 7:
            if int(name) >= len(found):
                return MISSING
            found = found[int(name)]
        else:
            return MISSING
    return found


def _nowhere(reference: str) -> ShapingError:
    return unreadable(f"`{shown(reference)}` leads nowhere in it")


def root_of(content: JsonObject, dialect: Dialect, root: str) -> JsonValue:
    """Return the schema that is meant: the one called `root`, else the document's own.

    An OpenAPI document has schemas by name. Without `root` it is the only one that no other refers
    to, else `AWSEvent`, else the first.

    Raises: ShapingError[unreadable-schema].
    """
    openapi = dialect.name.startswith("OpenAPI")
    if not root and not openapi:
        return content
    schemas = _schemas(content) if openapi else _definitions(content)
    if root:
        if root not in schemas:
            hint = did_you_mean(root, [shown(name) for name in schemas][:50])
            error = unreadable(f"there is no schema `{shown(root)}` in it")
            error.hint = hint
            raise error
        return schemas[root]
    if not schemas:
        message = "there are no schemas under `components` of the OpenAPI document"
        raise unreadable(message)
    referred = {name for owner, schema in schemas.items() for name in _referred(owner, schema)}
    free = [name for name in schemas if name not in referred]
    chosen = (
        free[0] if len(free) == 1 else _AWS_ROOT if _AWS_ROOT in schemas else next(iter(schemas))
    )
    return schemas[chosen]


def _schemas(content: JsonObject) -> JsonObject:
    components = content.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    return schemas if isinstance(schemas, dict) else {}


def _definitions(content: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for keyword in ("$defs", "definitions"):
        definitions = content.get(keyword)
        found |= definitions if isinstance(definitions, dict) else {}
    return found


def _referred(owner: str, schema: JsonValue) -> Iterator[str]:
    """Yield the names of the other schemas that a schema refers to."""
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference.startswith(_COMPONENTS):
                step = unquote(reference[len(_COMPONENTS) :]).partition("/")[0]
                name = step.replace("~1", "/").replace("~0", "~")
                if name != owner:
                    yield name
            pending += node.values()

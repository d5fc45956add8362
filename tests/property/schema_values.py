"""Documents drawn along a JSON Schema: every member it names turns up, filled with likely texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from naftiko.values import JsonValue

NAMES = ("a", "b", "get-a", "api", "tools", "rest", "X_KEY")
TEXTS = (
    *NAMES,
    *("{{a}}", "x {{X_KEY}} {{api.b}}", "{{ a + 1 }}", "{% if a %}b{% endif %}", "{{", "{{#a}}"),
    *("$", "$.a[*].b", "$.a[?(@.b > 1)]", "$..x", "$.get-a.id", "$[", "api.get-a", "tools.a"),
    *("", "GET", "POST", "10s", "5MiB", "json", "xml", "/a/{b}", "text/plain", "true", "1", "é\n"),
)
URLS = ("http://127.0.0.1:9", "http://127.0.0.1:9/v1/{{a}}", "http://{{X_KEY}}/")
"""Nothing listens on port 9, and nothing else may be called."""
LIKELY: dict[str, tuple[str, ...]] = {
    "OperationAddress": ("api.get-a", "api.get-a", "api.b", "api.b", "nothing.there"),
    "Duration": ("10ms", "1s"),
    "FileUri": ("file:///./a.yaml", "file:///./files", "file:///../up"),
    "ImportEntry": ("a.yaml",),
}
MAX_DEPTH = 14
ITEM = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(TEXTS)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)
ITEMS = st.lists(
    st.one_of(ITEM, st.fixed_dictionaries({"a": ITEM}), st.fixed_dictionaries({"a": st.text()})),
    max_size=6,
)


class Drawer:
    """Draws values along one schema; `$ref`, `if`/`then`/`else`, `allOf`, `anyOf` are followed."""

    def __init__(self, schema: Mapping[str, Any], draw: st.DrawFn) -> None:
        self._definitions: Mapping[str, Any] = schema["$defs"]
        self._schema = schema
        self._draw = draw
        self._left = 250

    def document(self) -> JsonValue:
        """Return a whole document: a capability that consumes, exposes and has aggregates."""
        out = self._value(self._schema, 0, "")
        assert isinstance(out, dict)
        out["capability"] = self._value(self._definitions["Capability"], 1, "")
        return out

    def served(self) -> JsonValue:
        """Return a capability whose frame is sound, so that what is drawn in it gets to run."""
        operations = [self._part("ConsumedHttpOperation", name=name) for name in ("get-a", "b")]
        http = {
            "namespace": "api",
            "type": "http",
            "baseUri": URLS[0],
            "resources": [{"name": "things", "path": "/a/{{a}}", "operations": operations}],
        }
        function = self._part("AggregateFunction", name="get-a")
        routes = [
            {"path": f"/{number}/{{a}}", "operations": [self._part("ExposedOperation", name="x")]}
            for number in range(3)
        ]
        tools = [self._part("McpTool", name=f"tool-{number}") for number in range(4)]
        return {
            "naftiko": "1.0.0-alpha3",
            "binds": [{"namespace": "env", "keys": {"X_KEY": "X_KEY"}}],
            "capability": {
                "consumes": [http],
                "aggregates": [{"namespace": "agg", "label": "A", "functions": [function]}],
                "exposes": [
                    {"type": "rest", "namespace": "rest", "port": 8080, "resources": routes},
                    {
                        "type": "mcp",
                        "namespace": "tools",
                        "port": 9090,
                        "tools": tools,
                        "resources": [self._part("McpResource", name="r", uri="a://{b}")],
                        "prompts": [self._part("McpPrompt", name="p")],
                    },
                ],
            },
        }

    def discovering(self) -> JsonValue:
        """Return a capability whose adapters discover; the items stand in it."""
        found = self._discovery("McpDiscovery", "tool", "McpDiscoveredTool", "found")
        again = self._discovery("McpDiscovery", "tool", "McpDiscoveredTool", "again")
        route = self._discovery("RestDiscovery", "operation", "DiscoveredRoute", "routes")
        operations: list[JsonValue] = [
            {"name": "get-a", "method": "GET"},
            {"name": "b", "method": "POST", "body": "{{b}}"},
        ]
        http: dict[str, JsonValue] = {
            "namespace": "api",
            "type": "http",
            "baseUri": URLS[0],
            "resources": [{"name": "things", "path": "/a", "operations": operations}],
        }
        function: dict[str, JsonValue] = {"name": "get-a", "description": "A", "call": "api.get-a"}
        mcp: dict[str, JsonValue] = {"type": "mcp", "namespace": "mcp", "port": 9090, "tools": []}
        rest: dict[str, JsonValue] = {"type": "rest", "namespace": "web", "port": 8080}
        return {
            "naftiko": "1.0.0-alpha3",
            "binds": [{"namespace": "env", "keys": {"X_KEY": "X_KEY"}}],
            "capability": {
                "consumes": [http],
                "aggregates": [{"namespace": "agg", "label": "A", "functions": [function]}],
                "exposes": [
                    mcp | {"discover": [found, again | {"from": "found"}]},
                    rest | {"resources": [], "discover": [route]},
                ],
            },
        }

    def _discovery(self, whole: str, member: str, entry: str, name: str) -> dict[str, JsonValue]:
        out = self._few(self._part(whole))
        made = self._few(self._part(entry))
        if "steps" not in made and "ref" not in made:
            made["call"] = "api.get-a"
        out[member] = {"path": "/found/{{name}}", **made, "name": "{{item.a}}"}
        if member == "tool":
            out[member].pop("path")  # type: ignore[union-attr]  # an object
        sound: dict[str, JsonValue] = {
            "name": name,
            "as": "item",
            "key": "{{item.a}}",
            "items": "$.found",
            "steps": [{"name": "found", "type": "set", "value": self._draw(ITEMS)}],
        }
        for broken in ("call", "from", "with"):
            out.pop(broken, None)
        return out | sound

    def _few(self, members: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return few of the members, so that most of what is drawn can be compiled."""
        kept = self._draw(st.sets(st.sampled_from(sorted(members)), max_size=3))
        return {name: value for name, value in members.items() if name in kept}

    def _part(self, definition: str, **members: JsonValue) -> dict[str, JsonValue]:
        self._left = 80
        out = self._value({"$ref": f"#/$defs/{definition}"}, 2, "")
        # One way of running, so that most of what is drawn is compiled.
        ways = [way for way in ("call", "steps", "ref") if isinstance(out, dict) and way in out]
        for way in ways[1:]:
            del out[way]  # type: ignore[union-attr]  # an object, or there were no ways
        if not ways and definition != "ConsumedHttpOperation" and self._draw(st.booleans()):
            members["call"] = "api.b"
        return {**(out if isinstance(out, dict) else {}), **members}

    def _value(self, schema: Any, depth: int, name: str) -> JsonValue:
        self._left -= 1
        flat, title = self._flatten(schema, depth)
        if "const" in flat:
            return flat["const"]  # type: ignore[no-any-return]  # JSON in, JSON out
        if flat.get("enum"):
            return self._draw(st.sampled_from(flat["enum"]))  # type: ignore[no-any-return]  # likewise
        kinds = flat.get("type", ["object", "string"])
        kind = self._draw(st.sampled_from(kinds if isinstance(kinds, list) else [kinds]))
        if depth > MAX_DEPTH or self._left < 0:
            return "a" if kind in ("string", "object") else None
        match kind:
            case "object":
                return self._object(flat, depth)
            case "array":
                count = self._draw(st.integers(0 if depth > 3 else 1, 2))
                return [self._value(flat.get("items", {}), depth + 1, name) for _ in range(count)]
            case "integer" | "number":
                return self._draw(st.sampled_from([0, 1, 2, 5, 200, 404, 9]))
            case "boolean":
                return self._draw(st.booleans())
            case "null":
                return None
        return self._text(title, name)

    def _text(self, title: str, name: str) -> str:
        if name in ("baseUri", "endpointUrl", "tokenEndpoint", "authorizationServerUri"):
            return self._draw(st.sampled_from(URLS))
        if name == "ref":
            return "agg.get-a"
        if name == "call":
            title = "OperationAddress"
        return self._draw(st.sampled_from(LIKELY.get(title, TEXTS)))

    def _object(self, flat: Mapping[str, Any], depth: int) -> dict[str, JsonValue]:
        properties: Mapping[str, Any] = flat.get("properties", {})
        out: dict[str, JsonValue] = {}
        for name, member in properties.items():
            often = name in flat.get("required", ()) or depth < 2
            if often or self._draw(st.integers(0, 3)) == 0:
                out[name] = self._value(member, depth + 1, name)
        more = flat.get("additionalProperties") or next(
            iter(flat.get("patternProperties", {}).values()), None
        )
        if isinstance(more, dict) and not (properties and out):
            for name in self._draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)):
                out[name] = self._value(more, depth + 1, name)
        return out

    def _flatten(self, schema: Any, depth: int) -> tuple[dict[str, Any], str]:
        """Return one schema without references and choices, and the name of its definition."""
        if not isinstance(schema, dict):
            return {}, ""
        title = ""
        merged: dict[str, Any] = {"properties": {}, "required": []}
        for part, name in self._parts(schema, 0):
            title = name or title
            merged["properties"] |= part.get("properties", {})
            merged["required"] = [*merged["required"], *part.get("required", ())]
            merged |= {k: v for k, v in part.items() if k not in ("properties", "required")}
        return merged, title

    def _parts(self, schema: Mapping[str, Any], depth: int) -> list[tuple[Mapping[str, Any], str]]:
        found: list[tuple[Mapping[str, Any], str]] = []
        if depth > 12:
            return found
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            inner = self._definitions.get(name, {})
            found += [(part, own or name) for part, own in self._parts(inner, depth + 1)]
        found.append((schema, ""))
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                found += self._parts(self._draw(st.sampled_from(schema[key])), depth + 1)
        conditions = [entry for entry in schema.get("allOf", ()) if "if" in entry]
        for entry in schema.get("allOf", ()):
            if "if" not in entry:
                found += self._parts(entry, depth + 1)
        if conditions:
            found += self._branch(self._draw(st.sampled_from(conditions)), taken=True, depth=depth)
        if "if" in schema:
            taken = self._draw(st.integers(0, 4)) == 0
            found += self._branch(schema, taken=taken, depth=depth)
        return found

    def _branch(
        self, schema: Mapping[str, Any], *, taken: bool, depth: int
    ) -> list[tuple[Mapping[str, Any], str]]:
        branch = schema.get("then" if taken else "else")
        found = self._parts(branch, depth + 1) if isinstance(branch, dict) else []
        # The condition comes last, so that its constants hold.
        return [*found, *self._parts(schema["if"], depth + 1)] if taken else found


@st.composite
def documents(draw: st.DrawFn, schema: Mapping[str, Any]) -> JsonValue:
    """Documents along the schema of capability files."""
    return Drawer(schema, draw).document()


@st.composite
def served_documents(draw: st.DrawFn, schema: Mapping[str, Any]) -> JsonValue:
    """Capabilities whose operations, steps and resources are drawn along the schema."""
    return Drawer(schema, draw).served()


@st.composite
def discovering_documents(draw: st.DrawFn, schema: Mapping[str, Any]) -> JsonValue:
    """Capabilities whose `discover` entries are drawn along the schema."""
    return Drawer(schema, draw).discovering()

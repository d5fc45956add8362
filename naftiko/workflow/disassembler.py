"""A plan as text: every operation with the place of the source that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan import walk

_RANK = {"||": 1, "&&": 2, "!": 3, "+": 5, "-": 5}
_COMPARISON, _ATOM = 4, 6
_MAX_SOURCE = 80
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", "'": "\\'"}


def render_tree(tree: JsonValue) -> str:
    """Return a tree as its author might have written it.

    {"op": "==", "a": {"ref": ["item", "Status"], ...}, "b": {"lit": "available", ...}} ->
    "item.Status == 'available'". A joined text: "'${params.id}-${timestamp()}'".
    """
    return _render(tree)[0]


def _render(tree: JsonValue) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    node = walk.mapping(tree)
    if "ref" in node:
        return _reference(node), _ATOM
    if "op" in node:
        return _operator(node)
    if "cat" in node:
        return _joined(node["cat"]), _ATOM
    if "fn" in node:
        arguments = ", ".join(render_tree(one) for one in _listed(node["args"]))
        return f"{node['fn']}({arguments})", _ATOM
    if "list" in node:
        return f"[{', '.join(render_tree(one) for one in _listed(node['list']))}]", _ATOM
    if "obj" in node:
        members = walk.mapping(node["obj"])
        inner = ", ".join(f"{name}: {render_tree(one)}" for name, one in _sorted(members))
        return "{" + inner + "}", _ATOM
    return _literal(node.get("lit"), node.get("t")), _ATOM


def _operator(node: JsonObject) -> tuple[str, int]:
    operator = str(node["op"])
    rank = _RANK.get(operator, _COMPARISON)
    if operator == "!":
        return f"!{_bound(node['a'], _ATOM)}", rank
    # a comparison takes no second one beside it, the others group to the left
    left = rank + 1 if rank == _COMPARISON else rank
    return f"{_bound(node['a'], left)} {operator} {_bound(node['b'], rank + 1)}", rank


def _bound(tree: JsonValue, least: int) -> str:
    text, rank = _render(tree)
    return text if rank >= least else f"({text})"


def _reference(node: JsonObject) -> str:
    path = _listed(node["ref"])
    text = "" if path[0] == "vars" else str(path[0])
    for part in path[1:]:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{printable(str(part))}" if text else printable(str(part))
    if "default" in node:
        text += f":-{_literal(node['default'], None)}"
    return text


def _joined(parts: JsonValue) -> str:
    out = ""
    for part in _listed(parts):
        node = walk.mapping(part)
        if "lit" in node and isinstance(node["lit"], str):
            out += quoted(node["lit"])[1:-1].replace("${", "$${")
        else:
            out += "${" + render_tree(part) + "}"
    return f"'{out}'"


def _literal(value: JsonValue, kind: JsonValue) -> str:
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"{value}s" if kind == "duration" else f"{value}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(one, None) for one in value)}]"
    return "{" + ", ".join(f"{name}: {_literal(one, None)}" for name, one in _sorted(value)) + "}"


def quoted(text: str) -> str:
    """Return a text in single quotes, on one line, nothing invisible in it."""
    return (
        "'"
        + "".join(_ESCAPES.get(char, char) if char in _ESCAPES else _safe(char) for char in text)
        + "'"
    )


def printable(text: str) -> str:
    """Return a text on one line in which control, bidi and zero-width characters show."""
    return "".join(_safe(char) for char in text)


def _safe(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _sorted(value: JsonValue) -> list[tuple[str, JsonValue]]:
    """Return members as the canonical form orders them."""
    return sorted(walk.mapping(value).items())


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def disassemble(plan: JsonObject, source_text: str | None = None) -> str:
    """Return the listing of a plan, with the lines of its source where they are at hand."""
    listing = _Listing(plan, source_text)
    return "\n".join(listing.lines()) + "\n"


class _Listing:
    def __init__(self, plan: JsonObject, source_text: str | None) -> None:
        self._plan = plan
        self._own = f"{plan['name']}@{plan['version']}"
        self._source = source_text.splitlines() if source_text is not None else []
        self._number = 0

    def lines(self) -> Iterator[str]:
        plan = self._plan
        yield from self._head()
        yield from _section(
            "parameters", [_parameter(one) for one in walk.objects(plan["parameters"])]
        )
        nested = [
            f"{one['name']}@{one['version']}  {one['checksum']}"
            for one in walk.objects(plan["nested"])
        ]
        yield from _section("nested", nested)
        yield ""
        yield "steps"
        yield from self._operations(walk.objects(plan["execution_plan"]), "  ")
        for handler in walk.objects(plan["rollback"]):
            steps = ", ".join(walk.texts(handler["steps"]))
            yield ""
            yield f"rollback {printable(str(handler['handler']))}: when {steps or 'nothing'} fails"
            yield from self._operations(walk.objects(handler["ops"]), "  ")
        outputs = walk.mapping(plan["outputs"])
        yield from _section(
            "outputs", [f"{name} = {render_tree(one)}" for name, one in _sorted(outputs)]
        )

    def _head(self) -> Iterator[str]:
        plan, metadata = self._plan, walk.mapping(self._plan["metadata"])
        source = walk.mapping(plan["source"])
        yield f"{self._own}: {plan['type']}, {metadata['tier']}, risk {metadata['risk_score']}"
        yield f"  {printable(str(plan['description']))}"
        yield f"  {plan['checksum'] or 'no checksum'}"
        signatures = walk.objects(plan["signatures"])
        for one in signatures:
            yield f"  signed by {one['key_id']} as {one['role']} for {one['tier']}"
        if not signatures:
            yield "  not signed"
        yield (
            f"  compiler {source['compiler']}, botocore {source['botocore']}, at most "
            f"{metadata['max_duration']} s{', read-only' if metadata['read_only'] else ''}"
        )
        yield from _section("permissions", walk.texts(metadata["required_permissions"]))
        yield from _section("advisory permissions", walk.texts(metadata["advisory_permissions"]))
        yield from _section("risk", [_risk(one) for one in walk.objects(metadata["risk"])])

    def _operations(self, operations: Sequence[JsonObject], indent: str) -> Iterator[str]:
        for operation in operations:
            place, line = _listed(operation["at"])
            what = f"{operation['step_id']}: {headline(operation)}"
            yield f"{indent}{self._number:>3}  {what}  ; {place}:{line}"
            self._number += 1
            inner = f"{indent}     "
            written = self._line(place, line)
            if written:
                yield f"{inner}| {written}"
            for text in _details(operation):
                yield f"{inner}{text}"
            yield from self._operations(walk.objects(operation.get("body")), inner)

    def _line(self, place: JsonValue, line: JsonValue) -> str:
        if place != self._own or not isinstance(line, int) or line > len(self._source):
            return ""
        text = printable(self._source[line - 1].strip())
        return text if len(text) <= _MAX_SOURCE else text[: _MAX_SOURCE - 1] + "…"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        for line in lines:
            yield f"  {line}"


def _parameter(one: JsonObject) -> str:
    limits = [
        f"{name} {printable(_literal(one[name], None))}"
        for name in ("default", "pattern", "min", "max", "enum", "items")
        if name in one
    ]
    words = ["required" if one["required"] else "optional", *limits]
    if one.get("sensitive"):
        words.append("sensitive")
    return f"{one['name']}: {one['type']}, {', '.join(words)}"


def _risk(one: JsonObject) -> str:
    terms = "".join(f" {part[1]:+} {part[0]}" for part in _pairs(one["add"]))
    return f"{one['step_id']}: {one['base']}{terms}"


def _pairs(value: JsonValue) -> list[tuple[str, float]]:
    pairs = []
    for pair in _listed(value):
        reason, points = _listed(pair)
        assert isinstance(points, int | float)  # the whitelist
        pairs.append((str(reason), points))
    return pairs


def headline(operation: JsonObject) -> str:
    """Return what an operation is, in a few words: "AWS_CALL rds CreateDBSnapshot"."""
    kind = str(operation["op"])
    if kind == "AWS_CALL":
        return f"{kind} {operation['service']} {operation['operation']}"
    if kind == "POLL":
        call = walk.mapping(operation["call"])
        return f"{kind} {call['service']} {call['operation']}"
    if kind == "FOR_EACH":
        return (
            f"{kind} of at most {operation['max_items']}, {operation['max_concurrency']} at a time"
        )
    if kind == "WAIT":
        return f"{kind} {operation['seconds']} s"
    if kind == "CONDITION":
        return f"{kind} {operation['dest']}"
    return kind


def _details(operation: JsonObject) -> Iterator[str]:
    if operation["guard"] is not None:
        yield f"only if {operation['guard']}"
    if operation.get("undoes") is not None:
        yield f"undoes {operation['undoes']}"
    yield from _of_kind(operation)
    goes_on = ", goes on after an error" if operation["on_error"] == "continue" else ""
    yield f"timeout {operation['timeout']} s{goes_on}"


def _of_kind(operation: JsonObject) -> Iterator[str]:
    kind = operation["op"]
    if kind == "AWS_CALL":
        yield from _call(operation)
    elif kind == "POLL":
        yield from _call(walk.mapping(operation["call"]))
        for name, path in _sorted(operation["vars"]):
            yield f"{name} := {path}"
        yield f"until {render_tree(operation['until'])}"
        if operation["fail_when"] is not None:
            yield f"fails when {render_tree(operation['fail_when'])}"
        yield f"at most {operation['max_attempts']} times, every {operation['interval']} s"
    elif kind == "SET":
        for name, tree in _sorted(operation["values"]):
            yield f"{name} = {render_tree(tree)}"
    else:
        for name in ("expr", "that", "message", "over", "from", "where"):
            if name in operation:
                yield f"{name} {render_tree(operation[name])}"
        if kind == "FILTER":
            yield f"keeps at most {operation['max_items']}"


def _call(call: JsonObject) -> Iterator[str]:
    schema = walk.mapping(call["input_schema"])
    for member, tree in _sorted(call["input_mapping"]):
        yield f"{member} = {render_tree(tree)}  ({schema.get(member)})"
    for name, path in _sorted(call["select"]):
        fields = walk.texts(walk.mapping(call["fields"]).get(name))
        kept = f" {{{', '.join(fields)}}}" if fields else ""
        yield f"{name} := {path}{kept}"
    if call["region"] is not None:
        yield f"region {render_tree(call['region'])}"
    yield f"{call['access_level']}, needs {', '.join(walk.texts(call['permissions'])) or 'nothing'}"
    if call["mutating"]:
        yield f"idempotency {_idempotency(walk.mapping(call['idempotency']))}"
    retry, paginate = walk.mapping(call["retry"]), walk.mapping(call["paginate"])
    if retry["max_attempts"] != 1:
        yield (
            f"at most {retry['max_attempts']} attempts, {retry['backoff']} from "
            f"{retry['initial_delay']} s to {retry['max_delay']} s"
        )
    if paginate:
        lists = ", ".join(walk.texts(paginate["result"]))
        yield f"pages of {lists}, at most {paginate['max_items']}"


def _idempotency(value: JsonObject) -> str:
    kind = str(value["kind"])
    if kind == "token":
        return f"{kind} {value['member']}"
    if kind == "natural":
        observer = walk.mapping(value["observer"])
        seen = f", seen by {walk.mapping(observer['call'])['operation']}" if observer else ""
        return f"{kind}, {value['exists_error']}{seen}"
    return kind

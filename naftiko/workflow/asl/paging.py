"""The loop over the pages of an operation: its token, its items, its cap. Spec: section 11."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl import calls
from naftiko.workflow.asl.jsonata import Names
from naftiko.workflow.asl.literals import NotMappable, literal, text_literal, wrapped
from naftiko.workflow.asl.names import output_key, sdk_member

if TYPE_CHECKING:
    from botocore.model import Shape


MAX_BYTES = 256 * 1024
"""What a state may give, and a variable hold."""

LEAF_BYTES = 40
"""What a member with its name is taken to need: most are ids, numbers, times and short texts."""

MAX_DEPTH = 3


def size_of(shape: Shape, fields: Sequence[str], depth: int = 0) -> int:
    """Estimate the bytes of an element of a list; `fields`: only these members of it."""
    if shape.type_name == "structure" and depth < MAX_DEPTH:
        chosen = [member for name, member in shape.members.items() if not fields or name in fields]
        return 2 + sum(size_of(member, [], depth + 1) for member in chosen)
    if shape.type_name == "list" and depth < MAX_DEPTH:
        return LEAF_BYTES + size_of(shape.member, [], depth + 1)
    return LEAF_BYTES


_CERTAIN = re.compile(r"\$[a-z][A-Za-z0-9_]*(?: \+ 1)?|-?[0-9]+|true|false|null")


class Pages:
    """The parts of a paging loop that depend on the operation's tokens and results."""

    def __init__(self, *, op: JsonObject, call: calls.Call, names: Names) -> None:
        """Read the plan."""
        self._op = op
        self._call = call
        self._names = names
        self._id = str(op["step_id"])
        self._plan = cast("JsonObject", op["paginate"])

    def fill(self, state: JsonObject) -> None:
        """Put the token into a Task's Arguments, and what it takes from a page into Assign."""
        arguments = state["Arguments"]
        base = _expression_of(arguments)
        pages, page, count = f"pages_{self._id}", f"page_{self._id}", f"items_{self._id}"
        extra = self._page_size()
        state["Arguments"] = wrapped(f"$merge([{extra}, {base}, ${page} = null ? {{}} : ${page}])")
        first = calls.at_path(self._call, self._results[0], "$states.result", self._fields(0))
        state["Assign"] = {
            page: self._token(),
            f"page_before_{self._id}": wrapped(f"${page}"),
            count: wrapped(f"${count} + ($list := {first}; $exists($list) ? $count($list) : 0)"),
            pages: self._joined(pages),
        }

    def check_size(self) -> None:
        """See that neither what is kept of all pages nor a page can exceed a variable's limit.

        Raises: NotMappable.
        """
        cap = int(cast("int", self._plan["max_items"]))
        page = self._plan["page_size"]
        for index, path in self._kept:
            element = calls.element_at(self._call, path)
            kept = cap * size_of(element, self._fields(index))
            whole = int(cast("int", page)) * size_of(element, []) if page is not None else 0
            if max(kept, whole) > MAX_BYTES:
                fits = MAX_BYTES // size_of(element, self._fields(index))
                raise NotMappable(
                    f"pages of `{path}` that can exceed 256 KiB: with a `max_items` of {cap:,}, "
                    f"where about {fits:,} fit,"
                )

    @property
    def _kept(self) -> list[tuple[int, str]]:
        """The lists that somebody selects; the first is counted in any case."""
        selected = set(cast("dict[str, str]", self._op["select"]).values())
        return [(n, path) for n, path in enumerate(self._results) if path in selected]

    @property
    def _results(self) -> list[str]:
        return [str(path) for path in cast("list[JsonValue]", self._plan["result"])]

    def _fields(self, index: int) -> list[str]:
        fields = cast("dict[str, list[str]]", self._op["fields"])
        select = cast("dict[str, str]", self._op["select"])
        return next(
            (
                fields[name]
                for name, p in select.items()
                if p == self._results[index] and name in fields
            ),
            [],
        )

    def _page_size(self) -> str:
        size, given = self._plan["size"], self._plan["page_size"]
        if size is None or given is None:
            return "{}"
        return f"{{{text_literal(sdk_member(str(size)))}: {literal(given)}}}"

    def _token(self) -> str:
        inputs = [str(name) for name in cast("list[JsonValue]", self._plan["input"])]
        outputs = cast("list[list[str]]", self._plan["output"])
        lines, pairs, tests = [], [], []
        for number, (name, paths) in enumerate(zip(inputs, outputs, strict=True)):
            texts = [calls.at_path(self._call, path, "$states.result") for path in paths]
            chosen = " : ".join(f'$exists({t}) and {t} != "" ? {t}' for t in texts)
            lines.append(f"$t{number} := {chosen}; ")
            pairs.append(
                f"$exists($t{number}) ? {{{text_literal(sdk_member(name))}: $t{number}}} : {{}}"
            )
            tests.append(f"$exists($t{number})")
        test = f"({' or '.join(tests)})"
        if self._plan["more"]:
            more = calls.at_path(self._call, str(self._plan["more"]), "$states.result")
            test += f" and {more} = true"
        return wrapped(f"({''.join(lines)}{test} ? $merge([{', '.join(pairs)}]) : null)")

    def _joined(self, pages: str) -> str:
        first: list[str] = []
        pairs = []
        for index, path in self._kept:
            key = text_literal(path)
            text = calls.at_path(self._call, path, "$states.result", self._fields(index))
            items = f"($list := {text}; $exists($list) ? $list : [])"
            pairs.append(f"{key}: $append($lookup(${pages}, {key}), {items})")
        select = cast("dict[str, str]", self._op["select"])
        for name, path in select.items():
            if path not in self._results:
                first.append(
                    f"{text_literal('=' + name)}: "
                    f"{calls.at_path(self._call, path, '$states.result')}"
                )
        return wrapped(f"$merge([{{{', '.join(first)}}}, ${pages}, {{{', '.join(pairs)}}}])")

    def outcome(self) -> JsonValue:
        """Return the step's outcome when the last page is there."""
        cap = self._plan["max_items"]
        select = cast("dict[str, str]", self._op["select"])
        pairs = []
        for name, path in select.items():
            key = path if path in self._results else f"={name}"
            held = f"$lookup($pages_{self._id}, {text_literal(key)})"
            if path == self._results[0]:
                held = f"[$filter({held}, function($e, $i) {{ $i < {cap} }})]"
            pairs.append((name, held))
        return outcome(pairs)


def _expression_of(arguments: JsonValue) -> str:
    if isinstance(arguments, str):
        return arguments.removeprefix("{% ").removesuffix(" %}")
    if isinstance(arguments, dict):
        pairs = (f"{text_literal(k)}: {_expression_of_value(v)}" for k, v in arguments.items())
        return "{" + ", ".join(pairs) + "}"
    return "{}"


def _expression_of_value(value: JsonValue) -> str:
    is_expression = isinstance(value, str) and value.startswith("{% ")
    return _expression_of(value) if is_expression else literal(value)


def outcome(pairs: Sequence[tuple[str, str]], status: str = "succeeded") -> JsonValue:
    """Return a step's variable: its status and its outputs as (name, expression)."""
    shown = [(output_key(name), _or_null(text)) for name, text in pairs]
    if not shown:
        return {"status": status}
    return members_of([("status", literal(status)), *shown])


def _or_null(text: str) -> str:
    """Return an expression that may give nothing as one that gives null then."""
    if _CERTAIN.fullmatch(text):
        return text
    return f"($o := {text}; $exists($o) ? $o : null)"


def members_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Return an object of expressions as the text of a field."""
    return wrapped("{" + ", ".join(f"{text_literal(name)}: {text}" for name, text in pairs) + "}")

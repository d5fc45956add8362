"""YAML's syntax errors in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from naftiko.document.scalars import shorten

_VALUE_START = re.compile(r"(?:^|[:\-]\s|[\[{,])\s*\Z")
_OPENING = re.compile(r"\{\{")
_IN_FLOW = re.compile(r"\{\{[^}]*\}\}[^,\]}]*")
_COMMENT = re.compile(r"\s#.*$")
MAX_LINE = 10_000
MAX_OPENINGS = 20
MAX_BLANKS = 200

_NO_SPACE = re.compile(r"^\s*(?:- +)*(?P<key>[A-Za-z_][\w-]*):(?=[^\s:/])")
_TAB_INDENT = re.compile(r"^ *\t")


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """A parser's complaint: `problem` at `line`, `column` (from 0), found while in `context`.

    `quote` is the last quoted scalar that ran over several lines, as (first line, last line).
    """

    problem: str
    context: str
    line: int
    column: int
    context_line: int
    context_column: int
    quote: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Message and hint, and the place to point at (from 0)."""

    message: str
    hint: str
    line: int
    column: int
    length: int = 0


def explain_syntax(fault: SyntaxFault, lines: Sequence[str]) -> Explanation:
    """Say what is wrong. `lines` is the text, split where YAML splits it."""
    for reason in _REASONS:
        found = reason(fault, lines)
        if found is not None:
            return found
    return Explanation(_own_words(fault), "", fault.line, fault.column)


def unquoted_template(line: str, number: int) -> Explanation | None:
    """Explain the first unquoted `{{x}}` that begins a value in the line."""
    for opening in islice(_OPENING.finditer(line, 0, MAX_LINE), MAX_OPENINGS):
        start = opening.start()
        before = line[:start]
        is_quoted = before.count('"') % 2 or before.count("'") % 2
        if is_quoted or not _VALUE_START.search(before[-MAX_BLANKS:]):
            continue
        in_flow = sum(map(before.count, "{[")) > sum(map(before.count, "}]"))
        rest = _IN_FLOW.match(line, start) if in_flow else None
        value = rest.group() if rest else _COMMENT.sub("", line[start:]).rstrip()
        quoted = "'" + value + "'" if '"' in value else f'"{value}"'
        message = "YAML reads a value that begins with `{{` as a mapping, not as a template"
        return Explanation(message, f"quote it: {shorten(quoted)}", number, start, len(value))
    return None


def missing_space_hint(line: str) -> str:
    """Return the hint for `key:value`, or ""."""
    match = _NO_SPACE.match(line)
    return f"put a space after the colon: `{match['key']}: …`" if match else ""


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number] if 0 <= number < len(lines) else ""


def _character(fault: SyntaxFault, lines: Sequence[str]) -> str:
    return _line(lines, fault.line)[fault.column : fault.column + 1]


def _unquoted_template(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    for number in dict.fromkeys((fault.line, fault.context_line)):
        found = unquoted_template(_line(lines, number), number)
        if found is not None:
            return found
    return None


def _unclosed_quote(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if "quoted scalar" in fault.context and "unexpected" in fault.problem:
        quote = _line(lines, fault.context_line)[fault.context_column : fault.context_column + 1]
        message = f"the quote `{quote}` that opens here is never closed"
        hint = f"close it with `{quote}` at the end of the value"
        return Explanation(message, hint, fault.context_line, fault.context_column, 1)
    return None


def _tab(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    line = _line(lines, fault.line)
    indented = _TAB_INDENT.match(line)
    if not indented and _character(fault, lines) != "\t":
        return None
    column = indented.end() - 1 if indented else fault.column
    message = "a tab stands where YAML takes only spaces"
    return Explanation(message, "indent with spaces", fault.line, column, 1)


def _reserved_start(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    character = _character(fault, lines)
    if "cannot start any token" not in fault.problem or not character:
        return None
    rest = shorten(_line(lines, fault.line)[fault.column :].rstrip(), 30)
    hint = f'quote it: "{rest}"' if '"' not in rest else f"quote it: '{rest}'"
    named = "a backtick" if character == "`" else f"the character `{character}`"
    message = f"a value cannot begin with {named}"
    return Explanation(message, hint, fault.line, fault.column, 1)


def _colon_in_value(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if "mapping values are not allowed" not in fault.problem:
        return None
    line = _line(lines, fault.line)
    start = len(line) - len(line.lstrip(" "))
    before = line[start : fault.column]
    if ": " in before:
        message = "an unquoted value cannot hold a `:` with a blank after it"
        return Explanation(message, "quote the whole value", fault.line, fault.column, 1)
    above = next((n for n in range(fault.line - 1, -1, -1) if _line(lines, n).strip()), None)
    found = _NO_SPACE.match(_line(lines, above)) if above is not None else None
    if above is not None and found is not None:
        return _glued(_line(lines, above), above, found)
    message = f"`{shorten(before)}` cannot be a name here: the value above has not ended"
    hint = "line it up with its neighbours, or quote the value above"
    return Explanation(message, hint, fault.line, start, len(before))


def _glued(line: str, number: int, found: re.Match[str]) -> Explanation:
    text = line[found.start("key") :].rstrip()
    message = f"`{shorten(text)}` is not a `name: value` pair"
    return Explanation(message, missing_space_hint(line), number, found.start("key"), len(text))


def _no_name(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if _character(fault, lines) != ":" or "expected" not in fault.problem:
        return None
    message = "a value has no name before its `:`"
    return Explanation(message, "write `name: value`", fault.line, fault.column, 1)


def _no_value(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if "node content" not in fault.problem:
        return None
    found = _character(fault, lines)
    message = f"a value is expected, not `{found}`" if found else "a value is expected here"
    hint = "quote a text that begins with it" if found in {"}", "]"} else ""
    return Explanation(message, hint, fault.line, fault.column, len(found))


def _directive(fault: SyntaxFault, _lines: Sequence[str]) -> Explanation | None:
    if "incompatible YAML" in fault.problem:
        message = "the `%YAML` line asks for a version that is not known"
        return Explanation(message, "remove the line", fault.line, fault.column)
    if "tag handle" in fault.problem:
        message = "the tag begins with a handle that no `%TAG` line declares"
        return Explanation(message, "remove the tag", fault.line, fault.column)
    return None


def _no_colon(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if "could not find expected ':'" not in fault.problem:
        return None
    number, column = fault.context_line, fault.context_column
    line = _line(lines, number)
    hint = missing_space_hint(line) or "write it as `name: value`, or indent it under its key"
    text = line[column:].rstrip()
    message = f"`{shorten(text)}` is not a `name: value` pair"
    return Explanation(message, hint, number, column, len(text))


def _spilled_quote(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if fault.quote is None or fault.quote[1] != fault.line:
        return None
    first = fault.quote[0] + 1
    message = "text follows the end of a quoted value"
    hint = f"the quote that opens in line {first} runs to here: is one missing at its end?"
    return Explanation(message, hint, fault.line, fault.column)


def _name_expected(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if "alphabetic or numeric character" not in fault.problem:
        return None
    sign = _line(lines, fault.context_line)[fault.context_column : fault.context_column + 1]
    message = f"`{sign}` at the start of a value names an anchor in YAML, and no name follows"
    rest = shorten(_line(lines, fault.context_line)[fault.context_column :].rstrip(), 30)
    hint = f"quote it: '{rest}'"
    return Explanation(message, hint, fault.context_line, fault.context_column, 1)


def _escape(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    if "escape" not in fault.problem and "hex" not in fault.problem:
        return None
    if "Unicode character escape" in fault.problem:
        message = "an escape in double quotes names no Unicode character"
        hint = "write the character itself, or `\\U` and eight hexadecimal digits"
    else:
        message = "a backslash in double quotes begins an escape that YAML does not know"
        hint = "use single quotes, or write the backslash twice"
    column = max(_line(lines, fault.line).rfind("\\", 0, fault.column + 1), 0)
    return Explanation(message, hint, fault.line, column, 2)


def _unclosed_flow(fault: SyntaxFault, _lines: Sequence[str]) -> Explanation | None:
    if "',' or" not in fault.problem:
        return None
    what, sign = ("list", "]") if "']'" in fault.problem else ("mapping", "}")
    opened = "[" if sign == "]" else "{"
    message = f"the {what} that opens with `{opened}` lacks a `,` or its `{sign}`"
    hint = f"it opens in line {fault.context_line + 1}"
    return Explanation(message, hint, fault.line, fault.column)


def _block_end(fault: SyntaxFault, lines: Sequence[str]) -> Explanation | None:
    wanted = ("<block end>", "expected key", "expected '-' indicator", "document start")
    if not any(words in fault.problem for words in wanted):
        return None
    line = _line(lines, fault.line)
    text = line[fault.column :].rstrip()
    if line[: fault.column].strip():
        message = f"`{shorten(text)}` follows a value that has already ended"
        return Explanation(message, "quote the whole value", fault.line, fault.column, len(text))
    message = "the indentation fits nothing that stands above"
    if text.startswith("- "):
        message = "a list item stands where a `name: value` pair is expected"
    hint = f"it should line up with line {fault.context_line + 1}" if fault.context else ""
    return Explanation(message, hint, fault.line, fault.column, len(text))


_REASONS: tuple[Callable[[SyntaxFault, Sequence[str]], Explanation | None], ...] = (
    _tab,
    _unquoted_template,
    _unclosed_quote,
    _reserved_start,
    _colon_in_value,
    _no_colon,
    _spilled_quote,
    _name_expected,
    _escape,
    _directive,
    _unclosed_flow,
    _no_name,
    _no_value,
    _block_end,
)


def _own_words(fault: SyntaxFault) -> str:
    problem = fault.problem or "the text cannot be read"
    while_ = f", {fault.context}" if fault.context else ""
    return f"not valid YAML: {problem}{while_}".replace('"', "`").strip().rstrip(".")

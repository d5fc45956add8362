"""A plan as a drawing: steps in a column, loops around their bodies, rollback in a lane beside.

Plans are linear, so that little layout is needed. The file needs nothing else, holds no script, and
follows the reader's light or dark colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from xml.sax.saxutils import escape

from naftiko.values import JsonObject
from naftiko.workflow.disassembler import headline, printable, render_tree
from naftiko.workflow.plan import walk

_MARGIN, _GAP, _PADDING, _LANE_GAP = 24, 28, 16, 96
_WIDTH, _LINE, _HEAD = 440, 18, 34
_LETTER = 8.2
"""How wide a letter of the text is at most, for cutting lines that would leave their box."""

_SHAPES = """
.change{stroke-width:2}.lane{fill:none;stroke-dasharray:6 4}.guarded{stroke-dasharray:5 3}
text{font:13px ui-monospace,Menlo,Consolas,monospace}.title{font-weight:600}
.flow{fill:none}.fails{fill:none;stroke-dasharray:3 3}
""".replace("\n", "")

_COLOURS = (
    ".back{{fill:{back}}}.box{{fill:{box};stroke:{line}}}.loop{{fill:{loop};stroke:{line}}}"
    ".change{{stroke:{change}}}.lane{{stroke:{undo}}}text{{fill:{soft}}}.title{{fill:{ink}}}"
    ".flow{{stroke:{line}}}.tip{{fill:{line}}}.fails{{stroke:{undo}}}.failtip{{fill:{undo}}}"
    ".undo{{fill:{undo}}}"
)
_LIGHT = {
    "back": "#ffffff",
    "ink": "#1c2430",
    "soft": "#5b6675",
    "line": "#8793a3",
    "box": "#f3f6fa",
    "loop": "#eaf1fb",
    "change": "#b45309",
    "undo": "#b42318",
}
_DARK = {
    "back": "#12161c",
    "ink": "#e7ecf3",
    "soft": "#a3afbf",
    "line": "#6b7888",
    "box": "#1d242e",
    "loop": "#172334",
    "change": "#f0a84b",
    "undo": "#f97066",
}
# Colours are written out: many programs that draw SVG know no variables and would draw black.
_STYLE = (
    _SHAPES
    + _COLOURS.format(**_LIGHT)
    + "@media (prefers-color-scheme:dark){"
    + _COLOURS.format(**_DARK)
    + "}"
)


@dataclass(slots=True, kw_only=True)
class _Box:
    """A drawn operation: where it stands, and what it says."""

    operation: JsonObject
    x: int
    y: int
    width: int
    height: int
    lines: list[str]
    inner: list[_Box] = field(default_factory=list)

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


def svg(plan: JsonObject) -> str:
    """Return the drawing of a plan as an SVG document."""
    drawing = _Drawing()
    name = f"{plan['name']}@{plan['version']}"
    metadata = walk.mapping(plan["metadata"])
    about = (
        f"{metadata['tier']}, risk {metadata['risk_score']}, at most {metadata['max_duration']} s"
    )
    drawing.text(_MARGIN, _MARGIN + 12, name, "title")
    drawing.text(_MARGIN, _MARGIN + 12 + _LINE, about)
    top = _MARGIN + 12 + 2 * _LINE
    steps = _stack(walk.objects(plan["execution_plan"]), _MARGIN, top, _WIDTH)
    drawing.column(steps)
    boxes = {id_: box for box in steps for id_, box in _by_id(box)}
    lane_x, lane_y = _MARGIN + _WIDTH + _LANE_GAP, top
    for number, handler in enumerate(walk.objects(plan["rollback"])):
        lane_y = drawing.lane(handler, boxes, lane_x, lane_y, number)
    has_lanes = lane_y > top
    width = lane_x + _WIDTH + _MARGIN if has_lanes else 2 * _MARGIN + _WIDTH
    height = max(steps[-1].bottom if steps else top, lane_y - _GAP if has_lanes else top) + _MARGIN
    return drawing.document(width, height, f"Plan of {name}")


def _stack(operations: Sequence[JsonObject], x: int, y: int, width: int) -> list[_Box]:
    """Lay operations out under each other."""
    boxes = []
    for operation in operations:
        lines = _lines(operation, width)
        height = _HEAD + len(lines) * _LINE
        body = walk.objects(operation.get("body"))
        inner = _stack(body, x + _PADDING, y + height + 4, width - 2 * _PADDING) if body else []
        if inner:
            height = inner[-1].bottom - y + _PADDING
        box = _Box(
            operation=operation, x=x, y=y, width=width, height=height, lines=lines, inner=inner
        )
        boxes.append(box)
        y = box.bottom + _GAP
    return boxes


def _by_id(box: _Box) -> list[tuple[str, _Box]]:
    return [
        (str(box.operation["step_id"]), box),
        *(pair for inner in box.inner for pair in _by_id(inner)),
    ]


def _lines(operation: JsonObject, width: int) -> list[str]:
    lines = [headline(operation)]
    if operation["guard"] is not None:
        lines.append(f"only if {operation['guard']}")
    if operation.get("undoes") is not None:
        lines.append(f"undoes {operation['undoes']}")
    for name, words in (("expr", ""), ("until", "until "), ("over", "over "), ("where", "where ")):
        if name in operation:
            lines.append(words + render_tree(operation[name]))
    if "that" in operation:
        lines.append(render_tree(operation["that"]))
    return [_cut(line, width) for line in lines]


def _cut(text: str, width: int) -> str:
    text = printable(text)
    most = int((width - 2 * _PADDING) / _LETTER)
    return text if len(text) <= most else text[: most - 1] + "…"


class _Drawing:
    """Collects the elements."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def text(self, x: int, y: int, text: str, class_: str = "") -> None:
        of_class = f' class="{class_}"' if class_ else ""
        self._parts.append(f'<text x="{x}" y="{y}"{of_class}>{escape(text)}</text>')

    def column(self, boxes: Sequence[_Box]) -> None:
        """Draw boxes and the arrows between them."""
        for box in boxes:
            self._box(box)
        for box, following in pairwise(boxes):
            self._path(f"M{box.middle} {box.bottom}V{following.y - 2}", "flow", "tip")

    def _box(self, box: _Box) -> None:
        operation = box.operation
        classes = ["loop" if box.inner else "box"]
        if operation.get("mutating"):
            classes.append("change")
        if operation["guard"] is not None:
            classes.append("guarded")
        place = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"'
        corner = 18 if operation["op"] in {"CONDITION", "ASSERT"} else 6
        self._parts.append(f'<rect class="{" ".join(classes)}" {place} rx="{corner}"/>')
        y = box.y + 22
        self.text(box.x + _PADDING, y, _cut(str(operation["step_id"]), box.width), "title")
        for line in box.lines:
            y += _LINE
            self.text(box.x + _PADDING, y, line)
        self.column(box.inner)

    def lane(self, handler: JsonObject, boxes: dict[str, _Box], x: int, y: int, number: int) -> int:
        """Draw a handler, and lines from what it covers; return where the next one may start."""
        covered = [boxes[step] for step in walk.texts(handler["steps"]) if step in boxes]
        y = max(y, covered[0].y if covered else y)
        inner = _stack(walk.objects(handler["ops"]), x + _PADDING, y + _HEAD, _WIDTH - 2 * _PADDING)
        bottom = (inner[-1].bottom if inner else y + _HEAD) + _PADDING
        place = f'x="{x}" y="{y}" width="{_WIDTH}" height="{bottom - y}"'
        self._parts.append(f'<rect class="lane" {place} rx="10"/>')
        name = _cut(f"rollback: {handler['handler']}", _WIDTH)
        self.text(x + _PADDING, y + 22, name, "title undo")
        self.column(inner)
        bus = _MARGIN + _WIDTH + 24 + 10 * (number % 5)
        for box in covered:
            start, level = box.x + box.width, box.y + min(box.height, _HEAD) // 2 + 4
            self._path(f"M{start} {level}H{bus}V{y + 17}H{x - 2}", "fails", "failtip")
        return bottom + _GAP

    def _path(self, path: str, class_: str, tip: str) -> None:
        self._parts.append(f'<path class="{class_}" marker-end="url(#{tip})" d="{path}"/>')

    def document(self, width: int, height: int, title: str) -> str:
        """Return the whole of it."""
        tips = "".join(
            f'<marker id="{tip}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            f'markerHeight="8" orient="auto"><path class="{tip}" d="M0 0L8 4L0 8z"/></marker>'
            for tip in ("tip", "failtip")
        )
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">'
        )
        return "\n".join(
            (
                head,
                f"<title>{escape(title)}</title>",
                f"<style>{_STYLE}</style>",
                f"<defs>{tips}</defs>",
                f'<rect class="back" width="{width}" height="{height}"/>',
                *self._parts,
                "</svg>\n",
            )
        )

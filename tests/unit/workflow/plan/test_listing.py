"""What people see of a plan: the listing, the chart, the drawing."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.disassembler import disassemble, render_tree
from naftiko.workflow.graph import mermaid, svg
from naftiko.workflow.plan.canonical import canonical, parse_canonical
from tests.unit.workflow.plan.plans import changed, rds, signed, small

GOLDEN = Path(__file__).parent / "golden"
SOURCE = "\n".join(f"    line {number} of the source" for number in range(1, 90))
SVG = "{http://www.w3.org/2000/svg}"


def texts() -> dict[str, str]:
    return {
        "rds.disasm.txt": disassemble(rds()),
        "rds.source.disasm.txt": disassemble(signed(rds()), SOURCE),
        "rds.mmd": mermaid(rds()),
        "rds.svg": svg(rds()),
    }


@pytest.mark.parametrize("name", sorted(texts()))
def test_golden(name: str) -> None:
    found = texts()[name]
    if os.environ.get("NAFTIKO_GOLDEN") == "rewrite":
        (GOLDEN / name).write_text(found, encoding="utf-8")
    assert found == (GOLDEN / name).read_text(encoding="utf-8")


def test_order_of_members_does_not_count() -> None:
    plan = rds()
    turned: JsonObject = dict(reversed(plan.items()))
    again = parse_canonical(canonical(turned))
    assert disassemble(turned) == disassemble(plan) == disassemble(again)


REF: JsonObject = {"ref": ["item", "A", 0, "B"], "t": "integer"}
ONE: JsonObject = {"lit": 1, "t": "integer"}


def two(operator: str, a: JsonValue, b: JsonValue) -> JsonObject:
    return {"op": operator, "a": a, "b": b}


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (REF, "item.A[0].B"),
        ({"ref": ["vars", "status"], "t": "string"}, "status"),
        ({"ref": ["params", "x"], "t": "string", "default": "a'b"}, "params.x:-'a\\'b'"),
        ({"ref": ["params", "x"], "t": "string", "default": None}, "params.x:-null"),
        (two("-", ONE, two("-", ONE, ONE)), "1 - (1 - 1)"),
        (two("-", two("-", ONE, ONE), ONE), "1 - 1 - 1"),
        (two("==", two("==", ONE, ONE), two("<", ONE, ONE)), "(1 == 1) == (1 < 1)"),
        (two("&&", two("||", ONE, ONE), two("&&", ONE, ONE)), "(1 || 1) && (1 && 1)"),
        ({"op": "!", "a": two("==", ONE, ONE)}, "!(1 == 1)"),
        ({"op": "!", "a": two("&&", ONE, ONE)}, "!(1 && 1)"),
        (two("==", {"op": "!", "a": ONE}, ONE), "(!1) == 1"),
        ({"fn": "join", "args": [{"list": [ONE]}, {"lit": ",", "t": "string"}]}, "join([1], ',')"),
        ({"cat": [{"lit": "a${'", "t": "string"}, REF]}, "'a$${\\'${item.A[0].B}'"),
        ({"obj": {"b": ONE, "a": ONE}}, "{a: 1, b: 1}"),
        ({"lit": 60, "t": "duration"}, "60s"),
        ({"lit": [True, None, {"a": 1.5}], "t": "list"}, "[true, null, {a: 1.5}]"),
        ({"lit": "a\n\u202eb\x1b", "t": "string"}, "'a\\n\\u202eb\\u001b'"),
    ],
)
def test_trees(tree: JsonObject, text: str) -> None:
    assert render_tree(tree) == text


def test_nothing_of_a_plan_becomes_markup() -> None:
    bad = '<script>alert(1)</script>"]; click n0 `x` &amp;\u202e'
    plan = changed(rds(), ["rollback", 0, "handler"], bad)
    plan = changed(plan, ["execution_plan", 3, "expr"], {"lit": bad, "t": "string"})
    drawing = svg(plan)
    root = ET.fromstring(drawing)  # noqa: S314 - it was just made here
    assert not list(root.iter(f"{SVG}script"))
    assert "\u202e" not in drawing + mermaid(plan) + disassemble(plan)
    assert "<script" not in mermaid(plan)
    assert '"]; click' not in mermaid(plan)


def boxes(drawing: str) -> list[tuple[int, int, int, int]]:
    root = ET.fromstring(drawing)  # noqa: S314 - it was just made here
    found = []
    for rect in root.iter(f"{SVG}rect"):
        if rect.get("class") != "back":
            x, y, width, height = (
                int(rect.get(name, "0")) for name in ("x", "y", "width", "height")
            )
            found.append((x, y, x + width, y + height))
    return found


@pytest.mark.parametrize("plan", [rds(), small()], ids=["rds", "small"])
def test_drawn_boxes_stand_apart_or_inside_each_other(plan: JsonObject) -> None:
    drawing = svg(plan)
    root = ET.fromstring(drawing)  # noqa: S314 - it was just made here
    width, height = int(root.get("width", "0")), int(root.get("height", "0"))
    found = boxes(drawing)
    for index, one in enumerate(found):
        assert one[0] >= 0
        assert one[2] < width
        assert one[3] < height
        for other in found[index + 1 :]:
            is_apart = (
                one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            )
            is_inside = (
                one[0] < other[0] and one[1] < other[1] and one[2] > other[2] and one[3] > other[3]
            )
            assert is_apart or is_inside


def test_drawing_is_small_and_complete() -> None:
    drawing = svg(rds())
    assert len(drawing) < 20_000
    for name in ("http://", "https://", "url("):
        rest = drawing.replace("http://www.w3.org/2000/svg", "").replace("url(#tip)", "")
        assert name not in rest.replace("url(#failtip)", "")

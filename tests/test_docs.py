"""The YAML in the documentation is what the engine reads."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from naftiko.document.reader import parse_document
from naftiko.validate.schema import schema_findings

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^( *)```ya?ml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
WHOLE = re.compile(r"^(naftiko|ikanos):", re.MULTILINE)
SECTION = re.compile(r"^(binds|consumes|exposes|aggregates):", re.MULTILINE)


def blocks() -> list[tuple[str, str]]:
    """Return ("guides/x.md:12", text) for each capability, or section of one, in the docs."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            block = textwrap.dedent(match[2])
            if WHOLE.search(block) or SECTION.match(_without_comments(block)):
                line = text.count("\n", 0, match.start()) + 2
                found.append((f"{page.relative_to(ROOT)}:{line}", block))
    return found


def _without_comments(block: str) -> str:
    return re.sub(r"^( *#.*)?\n", "", block, flags=re.MULTILINE)


def whole(block: str) -> str:
    """Return a capability around a block that shows one section."""
    if WHOLE.search(block):
        return block
    return 'naftiko: "1.0.0-alpha3"\ncapability:\n' + textwrap.indent(
        block if "consumes:" in block or "exposes:" in block else block + "consumes: []\n", "  "
    )


@pytest.mark.parametrize(("place", "block"), blocks(), ids=lambda value: value.partition("\n")[0])
def test_yaml_in_the_docs_has_no_findings(place: str, block: str) -> None:
    findings = schema_findings(parse_document(whole(block), place))
    assert [f"{item.location}: {item.message}" for item in findings] == []


def test_the_guide_has_examples() -> None:
    assert sum("capability-files.md" in place for place, _ in blocks()) >= 12


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]+)?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as its readers on the web get them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-") for text in headings}


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for target, anchor in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        found = (page.parent / target).resolve() if target else page
        if not found.exists() or (anchor and anchor[1:] not in anchors(found)):
            lost.append(target + anchor)
    assert lost == []


def test_the_readme_leads_to_every_guide() -> None:
    linked = {target for target, _ in LINK.findall((ROOT / "README.md").read_text("utf-8"))}
    guides = {f"docs/guides/{page.name}" for page in (ROOT / "docs/guides").glob("*.md")}
    assert guides <= linked


def test_every_example_is_named_by_a_guide_and_a_test() -> None:
    guides = "".join(page.read_text("utf-8") for page in PAGES)
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for example in sorted((ROOT / "docs/examples").glob("*.yaml")):
        assert f"examples/{example.name}" in guides, example.name
        assert example.name in tests, example.name

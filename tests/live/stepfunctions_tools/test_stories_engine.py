"""State machines are tools by a data file: no Python of the engine knows them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import naftiko
from tests.case_files import ROOT

ENGINE = Path(naftiko.__file__).parent
CAPABILITIES = ROOT / "capabilities"
WORDS = re.compile("state[-_ ]?machine|step[-_ ]?function", re.IGNORECASE)


def modules() -> list[Path]:
    """Return the engine's modules; the sandbox is an AWS and has to know."""
    found = sorted(ENGINE.rglob("*.py"))
    return [path for path in found if "sandbox" not in path.relative_to(ENGINE).parts]


def without_target() -> list[Path]:
    """Return the modules that have nothing to do with Step Functions as a target of workflows."""
    folders = {ENGINE / "workflow", ENGINE / "cli" / "workflows", ENGINE / "consumes" / "workflows"}
    return [path for path in modules() if folders.isdisjoint(path.parents)]


def without_prose(tree: ast.AST) -> Iterator[str]:
    """Yield names and texts of code, but no docstring and nothing that people read."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
                yield text
            case ast.FunctionDef(name=text) | ast.ClassDef(name=text):
                yield text
            case ast.Constant(value=str() as text) if not re.search(r"\s", text):
                yield text


def test_no_module_knows_state_machines() -> None:
    assert len(modules()) > 100
    found = [
        f"{path.relative_to(ENGINE)}: {text}"
        for path in without_target()
        for text in without_prose(ast.parse(path.read_text("utf-8")))
        if WORDS.search(text)
    ]
    assert found == []


def test_no_module_knows_a_capability_that_ships() -> None:
    catalog = CAPABILITIES / "workflow-catalog"
    files = {path.name for path in CAPABILITIES.rglob("*.yaml") if catalog not in path.parents}
    tools = {"stepfunctions-tools", "lambda-tools", "ssm-runbooks", "STATE_MACHINE_PREFIX"}
    assert {f"{name}.yaml" for name in tools if name.islower()} <= files
    found = [
        f"{path.relative_to(ENGINE)}: {word}"
        for path in modules()
        for word in sorted(files | tools)
        if re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", path.read_text("utf-8"))
    ]
    # A docstring explains with it which files have short names.
    assert found == ["resources.py: stepfunctions.yaml"]

"""`docs/differences.md` says what this engine does where the language contradicts itself.

Every row of it names the test that shows it; the rows that a single call shows are here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import Severity
from tests.case_files import ROOT, load_cases
from tests.live.corpus_calls import META, VERSION
from tests.live.http.upstream import Upstream, running_upstream
from tests.live.serving import Answer, serving

_, CASES = load_cases("differences.yaml")
PAGE = ROOT / "docs/differences.md"
ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]*) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/.-]+)(?:::(\w+))?`")
ROWS = range(1, 50)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


def document(case: dict[str, Any], url: str) -> str:
    """Write the capability of a case."""
    if "text" in case:
        return str(case["text"]).replace("URL", url)
    api = {"type": "http", "namespace": "api", "baseUri": url, "resources": case["api"]}
    rest = {"type": "rest", "namespace": "r", "port": 8080, "resources": case["routes"]}
    capability = {"consumes": [api | case.get("consumes", {})], "exposes": [rest]}
    root = {"naftiko": "1.0.0-alpha3", "capability": capability | case.get("capability", {})}
    return yaml.safe_dump(root | case.get("root", {}), sort_keys=False)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['row']} {case.get('name', '')}".strip()
)
def test_the_choice_of_a_row(case: dict[str, Any], upstream: Upstream, tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(document(case, upstream.url), encoding="utf-8")
    environment = case.get("environment", {})
    upstream.requests.clear()

    with serving(file, environment=environment, workspace=tmp_path) as served:
        method, _, path = case["call"].partition(" ")
        headers = case.get("headers", {})
        answer = served.request("r", method, path, case.get("body"), **headers)
    checked = check_capability(file, LoadOptions(environment=environment, workspace=tmp_path))

    check_answer(case, answer)
    if "sent" in case:
        check_sent(case["sent"], upstream.last)
    found = {item.code for item in checked.problems if item.severity is Severity.WARNING}
    assert found == set(case.get("codes", ()))


def check_answer(case: dict[str, Any], answer: Answer) -> None:
    """The status is 200 unless the case says another, or several that will do."""
    status = case.get("status", 200)
    assert answer.status in (status if isinstance(status, list) else [status]), answer.body
    if "answer" in case:
        assert answer.body == case["answer"]
    for name, value in case.get("answer_has", {}).items():
        found = answer.body
        for step in name.split("."):
            found = found[step]
        assert found == value


def check_sent(wanted: dict[str, Any], seen: dict[str, Any]) -> None:
    """Compare the parts that the case names."""
    for name, value in wanted.items():
        if name == "headers":
            assert {key: seen["headers"].get(key) for key in value} == value
        elif name == "json":
            assert json.loads(seen["body"]) == value
        else:
            assert seen[name] == value


PROMPTS = """
naftiko: "1.0.0-alpha3"
capability:
  exposes:
    - type: mcp
      namespace: t
      port: 9090
      tools: []
      prompts:
        - name: greet
          label: Greet
          description: Greets somebody.
          arguments: [{name: who, description: Who.}]
          template: [{role: user, content: "hello {{who}} and {who}"}]
"""


def test_both_placeholders_of_prompts_are_filled_in_one_pass(tmp_path: Path) -> None:
    """Row 28. What an argument says is not expanded once more."""
    file = tmp_path / "prompts.yaml"
    file.write_text(PROMPTS, encoding="utf-8")
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "prompts/get",
        "mcp-name": "greet",
    }
    params = {"name": "greet", "arguments": {"who": "{{who}}"}, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": params}

    with serving(file, workspace=tmp_path) as served:
        answer = served.request("t", "POST", "/mcp", message, **headers)

    (said,) = answer.body["result"]["messages"]
    assert said["content"]["text"] == "hello {{who}} and {{who}}"


def rows() -> dict[int, str]:
    """Return the last column of each row of the page's first table."""
    return {int(number): proof for number, proof in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def test_the_page_has_every_row() -> None:
    assert sorted(rows()) == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_what_proves_it(row: int) -> None:
    proof = rows()[row]
    named = TEST.findall(proof)
    assert named or proof.strip() == "not served", proof
    for path, function in named:
        target = ROOT / path
        assert target.exists(), path
        if function:
            text = target.read_text(encoding="utf-8")
            assert re.search(rf"def {function}\(", text), f"{path} has no {function}"
    if ("tests/test_differences.py", "") in named:
        assert any(case["row"] == row for case in CASES), "no case of that row"

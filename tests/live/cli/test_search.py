"""`naftiko search`: what capabilities offer, or could call, for a task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.many_tools import many_tools
from tests.case_files import ROOT
from tests.live.cli.config_clients import Machine, Naftiko

EXAMPLE = ROOT / "docs/examples/tool-search.yaml"
AWS = """\
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - {type: aws, namespace: bucket-store, service: s3, region: us-east-1}
    - {type: aws, namespace: machines, service: ec2, region: us-east-1}
  exposes:
    - type: mcp
      namespace: tools
      port: 9090
      tools:
        - {name: list-buckets, description: Lists the buckets., call: bucket-store.list-buckets}
      resources:
        - {name: rules, uri: "rules://house", description: The rules of the house, text: Be kind}
        - name: member
          uri: "members://{id}"
          description: Who somebody is
          text: "{{id}}"
      prompts:
        - name: tidy-up
          description: Cleans up what nobody uses
          arguments: [{name: months, description: Unused for so long}]
          template: [{role: user, content: "Tidy up after {{months}} months"}]
"""


@pytest.fixture
def aws(tmp_path: Path) -> Path:
    path = tmp_path / "aws.yaml"
    path.write_text(AWS, "utf-8")
    return path


def _hits(naftiko: Naftiko, *arguments: str | Path) -> list[dict[str, Any]]:
    ran = naftiko("search", *arguments, "--json")
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)["hits"]
    return found


def test_the_shipped_capabilities_without_a_name(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("search", "start execution")
    assert ran.code == 0, ran.err
    assert "start-execution" in ran.out
    assert "as a command: aws stepfunctions start-" in ran.out
    assert "in: stepfunctions" in ran.out


def test_an_operation_of_a_whole_service(naftiko: Naftiko, machine: Machine, aws: Path) -> None:
    (best, *_) = _hits(naftiko, "turn off a virtual machine", aws, "--callable", "--limit", "5")
    assert best["address"].startswith("machines.")
    (best, *_) = _hits(naftiko, "delete a bucket", aws)
    assert (best["kind"], best["address"]) == ("operation", "bucket-store.delete-bucket")
    assert best["effect"] == "destroys"
    assert best["inputs"][0] == {"name": "Bucket", "type": "string", "required": True}
    assert best["call"] == 'call: bucket-store.delete-bucket\nwith: {Bucket: "{{Bucket}}"}'
    assert best["command"] == "aws s3api delete-bucket --bucket BUCKET"
    assert best["confidence"] == "high"
    assert best["reasons"]


@pytest.mark.parametrize(
    ("query", "kind", "address", "place"),
    [
        ("list buckets", "tool", "tools.list-buckets", None),
        ("rules of the house", "resource", "tools.rules", "rules://house"),
        ("what a member is", "resource", "tools.member", "members://{id}"),
        ("tidy up", "prompt", "tools.tidy-up", None),
    ],
)
def test_what_is_exposed(
    naftiko: Naftiko, aws: Path, query: str, kind: str, address: str, place: str | None
) -> None:
    (best, *_) = _hits(naftiko, query, aws, "--exposed")
    assert (best["kind"], best["address"], best.get("place")) == (kind, address, place)
    assert "call" not in best


def test_either_side_alone(naftiko: Naftiko, machine: Machine) -> None:
    exposed = {item["kind"] for item in _hits(naftiko, "cancel an order", EXAMPLE, "--exposed")}
    called = {item["kind"] for item in _hits(naftiko, "cancel an order", EXAMPLE, "--callable")}
    assert (exposed, called) == ({"tool"}, {"operation"})
    ran = naftiko("search", "cancel an order", EXAMPLE, "--callable", "--exposed")
    assert ran.code == 2


def test_read_only_leaves_out_what_changes(naftiko: Naftiko, machine: Machine) -> None:
    found = _hits(naftiko, "orders", EXAMPLE, "--exposed", "--read-only")
    assert {item["effect"] for item in found} == {"reads"}


def test_limit(naftiko: Naftiko, tmp_path: Path) -> None:
    path = tmp_path / "office.yaml"
    path.write_text(many_tools(), "utf-8")
    assert len(_hits(naftiko, "invoice", path, "--limit", "3")) == 3
    ran = naftiko("search", "invoice", path, "--limit", "3")
    assert "more answer it less well; see --limit" in ran.err
    assert ran.out.count("\n\n") == 2


def test_nothing_found_is_no_failure(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("search", "zzqx qqvj", EXAMPLE)
    assert (ran.code, "nothing among 12 operations answers" in ran.out) == (0, True)
    assert _hits(naftiko, "zzqx qqvj", EXAMPLE) == []


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ((), 2, "QUERY"),
        (("",), 2, "must have 1 to 500 characters"),
        (("x" * 501,), 2, "must have 1 to 500 characters"),
        (("x", "--limit", "0"), 2, "is not a number from 1 to 200"),
        (("x", "stepfunction"), 3, "did you mean `stepfunctions`?"),
        (("x", "broken.yaml"), 1, "broken.yaml:3:1: error"),
        (("x", "text.yaml"), 1, "error["),
    ],
)
def test_what_is_wrong_is_said(
    naftiko: Naftiko, machine: Machine, arguments: tuple[str, ...], code: int, text: str
) -> None:
    (machine.folder / "broken.yaml").write_text('naftiko: "1.0.0-alpha3"\ncapability: [\n', "utf-8")
    (machine.folder / "text.yaml").write_text("- just\n- a list\n", "utf-8")
    ran = naftiko("search", *arguments)
    assert (ran.code, text in ran.err) == (code, True), ran.err
    assert "Traceback" not in ran.err


def test_secrets_do_not_show(
    naftiko: Naftiko, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "canary-51b0c3e8")
    path = tmp_path / "shop.yaml"
    text = EXAMPLE.read_text("utf-8")
    text = text.replace("keys:\n", "keys:\n      SHOP_TOKEN: SHOP_TOKEN\n", 1)
    path.write_text(text.replace("Buys articles", "Buys canary-51b0c3e8 articles"), "utf-8")
    ran = naftiko("search", "buy articles", path)
    assert (ran.code, "place-order" in ran.out) == (0, True), ran.err
    assert "canary-51b0c3e8" not in ran.out + ran.err


def test_inspect_says_that_tools_are_searched(naftiko: Naftiko, machine: Machine) -> None:
    assert "6 tools, which agents search" in naftiko("inspect", EXAMPLE).out
    (adapter,) = json.loads(naftiko("inspect", EXAMPLE, "--format", "json").out)["exposes"]
    assert adapter["toolSearch"] == {"list": "none"}


def test_names_and_questions_of_strangers_stay_in_their_lines(
    naftiko: Naftiko, tmp_path: Path
) -> None:
    path = tmp_path / "strange.yaml"
    path.write_text(
        """\
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - type: http
      namespace: shop
      baseUri: "http://127.0.0.1:9"
      resources:
        - name: orders
          path: /orders
          operations:
            - name: delete-all
              method: DELETE
              inputParameters: [{name: "of\\n  why: it is safe", in: query, required: true}]
""",
        "utf-8",
    )
    ran = naftiko("search", "delete", path)
    assert ran.code == 0, ran.err
    assert "(destroys, high)" in ran.out
    assert not any(line.startswith("  why: it is safe") for line in ran.out.splitlines())
    ran = naftiko("search", "\udcff bytes", path, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["query"] == "? bytes"

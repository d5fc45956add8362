"""Variables from the environment and from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.document.reader import parse_document
from naftiko.errors import Problems
from naftiko.model.build import build_binds
from naftiko.resolve.binds import BoundVariables, bind_path, is_public, resolve_binds
from naftiko.resolve.files import UnderRoot


def bound(
    folder: Path, text: str, environment: dict[str, str] | None = None
) -> tuple[BoundVariables, Problems]:
    problems = Problems()
    path = folder / "capability.yaml"
    document = parse_document(text, str(path))
    variables = resolve_binds(
        build_binds(document, problems),
        environment=environment or {},
        files=UnderRoot(folder),
        problems=problems,
    )
    return variables, problems


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///./secrets.yaml", "./secrets.yaml"),
        ("file://./secrets.yaml", "./secrets.yaml"),
        ("file:secrets.yaml", "secrets.yaml"),
        ("secrets.yaml", "secrets.yaml"),
        ("file:///etc/app/secrets.yaml", "/etc/app/secrets.yaml"),
        ("file:///./a%20b.yaml", "./a b.yaml"),
        ("vault://secret/app", None),
    ],
)
def test_file_uris(uri: str, path: str | None) -> None:
    assert bind_path(uri) == path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", "db_pass: hunter22\nport: 5\n"),
        ("s.json", '{"db_pass": "hunter22", "port": 5}'),
        ("s.env", "db_pass=hunter22\nport=5\n"),
    ],
)
def test_values_from_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    variables, problems = bound(
        tmp_path,
        f"binds:\n- namespace: secrets\n  location: file:///./{name}\n"
        "  keys: {DB_PASS: db_pass, PORT: port, GONE: gone}\n",
    )

    assert not len(problems)
    assert variables.value("DB_PASS") == "hunter22"
    assert variables.value("secrets.PORT") == "5"
    assert variables.value("GONE") is None
    assert variables.find("GONE") is not None


def test_qualified_names_keep_sources_apart(tmp_path: Path) -> None:
    variables, _ = bound(
        tmp_path,
        "binds:\n- {namespace: a, keys: {T: ONE}}\n- {namespace: b, keys: {T: TWO}}\n",
        {"ONE": "first", "TWO": "second"},
    )

    assert variables.value("a.T") == "first"
    assert variables.value("b.T") == "second"
    assert variables.value("T") == "second", "the last one wins"


def test_binds_of_the_capability_win_over_the_root(tmp_path: Path) -> None:
    variables, _ = bound(
        tmp_path,
        "binds: [{namespace: a, keys: {T: ONE}}]\n"
        "capability: {binds: [{namespace: b, keys: {T: TWO}}]}\n",
        {"ONE": "first", "TWO": "second"},
    )

    assert variables.value("T") == "second"


def test_keys_may_be_a_list_of_names(tmp_path: Path) -> None:
    variables, _ = bound(tmp_path, "binds: [{namespace: a, keys: [T]}]", {"T": "value"})

    assert variables.value("T") == "value"


def test_a_link_out_of_the_workspace_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("a: secret\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.yaml").symlink_to(outside)

    variables, problems = bound(root, "binds: [{namespace: s, file: link.yaml, keys: {A: a}}]")

    assert variables.value("A") is None
    assert [item.code for item in problems] == ["outside-workspace"]


def test_a_broken_secrets_file_shows_none_of_its_text(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("a: hunter22\na: hunter23\n")

    _, problems = bound(tmp_path, "binds: [{namespace: s, file: s.yaml, keys: {A: a}}]")

    (problem,) = problems
    assert problem.code == "bind-file-unreadable"
    assert "hunter" not in problem.message + problem.hint


def test_region_names_and_switches_are_no_secrets() -> None:
    assert all(map(is_public, ("us-east-1", "us-gov-west-1", "env", "true")))
    assert not any(map(is_public, ("hunter22", "AKIAEXAMPLE", "us-east-1x")))


OPTIONAL = """
binds:
  - namespace: env
    keys:
      WAIT: {from: MAX_WAIT, default: ""}
      ROUNDS: {default: 500}
      MODE: {default: native}
      NOTHING: {default: null}
      NEEDED: {from: OTHER_NAME}
      PREFIX: {from: NAME_PREFIX, secret: false, default: ""}
      TOKEN: TOKEN
"""


def test_optional_variables_have_defaults(tmp_path: Path) -> None:
    variables, problems = bound(tmp_path, OPTIONAL)

    assert not len(problems)
    names = ("WAIT", "env.ROUNDS", "MODE", "NOTHING", "NEEDED", "PREFIX", "TOKEN")
    values = {name: variables.value(name) for name in names}
    assert values == {
        "WAIT": "",
        "env.ROUNDS": "500",
        "MODE": "native",
        "NOTHING": None,
        "NEEDED": None,
        "PREFIX": "",
        "TOKEN": None,
    }
    found = {name: variables.find(name) for name in names}
    optional = [name for name, variable in found.items() if variable and variable.is_optional]
    assert optional == ["WAIT", "env.ROUNDS", "MODE", "NOTHING", "PREFIX"]
    assert variables.secrets() == []


def test_what_the_source_has_counts_more_than_a_default(tmp_path: Path) -> None:
    given = {
        "MAX_WAIT": "90s-or-so",
        "ROUNDS": "",
        "MODE": "native",
        "NOTHING": "something",
        "OTHER_NAME": "other-value",
        "NAME_PREFIX": "orders-",
        "TOKEN": "hunter22",
    }

    variables, _ = bound(tmp_path, OPTIONAL, given)

    assert variables.value("WAIT") == "90s-or-so"
    assert variables.value("ROUNDS") == "500", "an empty variable is none"
    assert variables.value("PREFIX") == "orders-"
    assert variables.value("NEEDED") == "other-value"
    # Neither what the file says itself nor what it calls no secret.
    assert variables.secrets() == ["90s-or-so", "hunter22", "other-value", "something"]

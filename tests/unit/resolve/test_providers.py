"""Sources of variables beside files and the environment, as far as no network is needed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from naftiko.document.reader import parse_document
from naftiko.errors import Problems, Severity
from naftiko.model.build import build_binds
from naftiko.resolve import providers
from naftiko.resolve.binds import BoundVariables, resolve_binds
from naftiko.resolve.files import UnderRoot
from naftiko.resolve.providers import SourceUnavailableError, Surroundings, find_reader
from naftiko.resolve.providers.secretsmanager import members_of
from naftiko.resolve.providers.ssm import parameter_name


def bound(
    folder: Path, text: str, environment: dict[str, str] | None = None
) -> tuple[BoundVariables, Problems]:
    problems = Problems()
    document = parse_document(text, str(folder / "capability.yaml"))
    variables = resolve_binds(
        build_binds(document, problems),  # type: ignore[arg-type]  # no imports in these files
        environment=environment or {},
        files=UnderRoot(folder),
        problems=problems,
    )
    return variables, problems


def mounted(folder: Path) -> Path:
    """Lay out a secret as the kubelet does: files are links through `..data`."""
    data = folder / "..2026_11_20"
    data.mkdir(parents=True)
    (data / "username").write_text("ann\n")
    (data / "password").write_text("canary-pass\r\n")
    (data / "multi").write_text("a\nb\n\n")
    (folder / "..data").symlink_to("..2026_11_20")
    for name in ("username", "password", "multi"):
        (folder / name).symlink_to(f"..data/{name}")
    return folder


def k8s(folder: Path, root: Path | None, keys: str) -> tuple[BoundVariables, Problems]:
    environment = {"NAFTIKO_SECRETS_ROOT": str(root)} if root else {}
    text = f"binds:\n- {{namespace: db, location: 'k8s://{folder}', keys: {keys}}}\n"
    return bound(folder.parent, text, environment)


def test_a_mounted_secret(tmp_path: Path) -> None:
    folder = mounted(tmp_path / "secrets/db")
    variables, problems = k8s(
        folder, tmp_path / "secrets", "{U: username, P: password, M: multi, N: nothing}"
    )
    values = [variables.value(name) for name in "UPMN"]
    assert values == ["ann", "canary-pass", "a\nb\n", None]
    assert list(problems) == []
    missing = variables.find("N")
    assert missing is not None
    assert missing.origin == f"`nothing` in k8s://{folder}"


def test_several_roots(tmp_path: Path) -> None:
    folder = mounted(tmp_path / "second/db")
    roots = os.pathsep.join([str(tmp_path / "first"), str(tmp_path / "second")])
    variables, _ = bound(
        tmp_path,
        f"binds:\n- {{namespace: db, location: 'k8s://{folder}', keys: {{U: username}}}}\n",
        {"NAFTIKO_SECRETS_ROOT": roots},
    )
    assert variables.value("U") == "ann"


@pytest.mark.parametrize("where", ["outside", "root/../outside", "root/link"])
def test_folders_that_are_not_allowed(tmp_path: Path, where: str) -> None:
    (tmp_path / "root").mkdir()
    mounted(tmp_path / "outside")
    (tmp_path / "root/link").symlink_to(tmp_path / "outside")
    variables, problems = k8s(tmp_path / where, tmp_path / "root", "{U: username}")
    assert variables.value("U") is None
    assert [(item.code, item.severity) for item in problems] == [
        ("outside-secrets-root", Severity.ERROR)
    ]


def test_the_defaults_are_narrow(tmp_path: Path) -> None:
    _, problems = k8s(mounted(tmp_path / "db"), None, "{U: username}")
    (problem,) = problems
    assert "/var/run/secrets or /etc/secrets" in problem.message


@pytest.mark.parametrize(
    "key", ["../outside", "..data/username", "link", "/etc/hostname", "..", "."]
)
def test_keys_that_lead_elsewhere(tmp_path: Path, key: str) -> None:
    folder = mounted(tmp_path / "root/db")
    (tmp_path / "root/outside").write_text("canary")
    (folder / "link").symlink_to(tmp_path / "root/outside")
    variables, _ = k8s(folder, tmp_path / "root", f"{{U: '{key}'}}")
    assert variables.value("U") is None


@pytest.mark.parametrize("uri", ["k8s://etc/secrets", "k8s:///etc/%00", "k8s://"])
def test_uris_that_name_no_folder(tmp_path: Path, uri: str) -> None:
    _, problems = bound(
        tmp_path, f"binds:\n- {{namespace: a, location: '{uri}', keys: {{A: a}}}}\n"
    )
    assert [item.code for item in problems] == ["bind-source-unavailable"]


@pytest.mark.parametrize(
    ("uri", "environment", "said"),
    [
        ("vault://kv/app", {}, "VAULT_ADDR is not set"),
        ("vault://kv/app", {"VAULT_ADDR": "http://vault.example"}, "no https URL"),
        ("vault://kv/app", {"VAULT_ADDR": "vault.example"}, "no https URL"),
        ("vault://kv/app", {"VAULT_ADDR": "https://127.0.0.1:1"}, "no VAULT_TOKEN"),
        (
            "vault://kv/app",
            {"VAULT_ADDR": "http://ann:canary@127.0.0.1:1", "VAULT_TOKEN": "canary"},
            "Vault at http://127.0.0.1:1 cannot be asked",
        ),
        ("vault://kv", {"VAULT_ADDR": "https://a"}, "names no secret"),
        ("vault://kv/../sys", {"VAULT_ADDR": "https://a"}, "names no secret"),
        ("ssm:///app", {}, "AWS cannot be reached"),
        ("secretsmanager://a", {}, "AWS cannot be reached"),
        ("secretsmanager://", {}, "names no secret"),
    ],
)
def test_sources_that_cannot_be_read(
    tmp_path: Path, uri: str, environment: dict[str, str], said: str
) -> None:
    text = f"binds:\n- {{namespace: a, location: '{uri}', keys: {{A: a}}}}\n"
    variables, problems = bound(tmp_path, text, environment)
    (problem,) = problems
    assert (problem.code, problem.severity) == ("bind-source-unavailable", Severity.WARNING)
    assert said in problem.message
    assert "canary" not in problem.message
    found = variables.find("A")
    assert found is not None
    assert found.origin == f"`a` in {uri}, which could not be read,"


@pytest.mark.parametrize("uri", ["github-secrets://x", "azure://a/b"])
def test_other_schemes(tmp_path: Path, uri: str) -> None:
    text = f"binds:\n- {{namespace: a, location: '{uri}', keys: {{A: a}}}}\n"
    _, problems = bound(tmp_path, text)
    (problem,) = problems
    assert (problem.code, problem.severity) == ("unsupported-bind", Severity.WARNING)
    assert "k8s, secretsmanager, ssm, vault" in problem.hint


def test_readers_are_found_by_scheme() -> None:
    assert find_reader("VAULT://kv/a") is not None
    assert find_reader("file.yaml") is None
    assert find_reader("file:///a") is None


def test_a_source_is_read_once_for_all_its_binds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheme is registered as any other; its module is this one."""
    monkeypatch.setitem(providers.MODULES, "counted", __name__)
    COUNTED.clear()
    variables, problems = bound(
        tmp_path,
        "binds:\n"
        "- {namespace: a, location: 'counted://x', keys: {A: a, B: b}}\n"
        "- {namespace: c, location: 'counted://x', keys: {C: a, D: d}}\n"
        "- {namespace: e, location: 'counted://y', keys: {}}\n"
        "- {namespace: f, location: 'counted://late', keys: {F: f}}\n"
        "- {namespace: g, location: 'counted://bug', keys: {G: g}}\n",
    )
    assert sorted(COUNTED) == [
        ("counted://bug", ("g",)),
        ("counted://late", ("f",)),
        ("counted://x", ("a", "b", "d")),
    ]
    values = [variables.value(name) for name in "ABCD"]
    assert values == ["value of a", "value of b", "value of a", "value of d"]
    assert [(item.code, item.message.partition(": ")[2]) for item in problems] == [
        ("bind-source-unavailable", "it is late"),
        ("bind-source-unavailable", "reading it failed (ZeroDivisionError)"),
    ]


COUNTED: list[tuple[str, tuple[str, ...]]] = []
LOCK = threading.Lock()


def read(uri: str, keys: tuple[str, ...], _surroundings: Surroundings) -> dict[str, str]:
    with LOCK:
        COUNTED.append((uri, keys))
    if uri.endswith("late"):
        raise SourceUnavailableError("it is late")
    if uri.endswith("bug"):
        raise ZeroDivisionError("canary")
    return {key: f"value of {key}" for key in keys}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": "x", "n": 5, "l": [1], "z": null}', {"a": "x", "n": "5", "l": "[1]"}),
        ("plain", {}),
        ("[1]", {}),
        ("[" * 100_000, {}),
    ],
)
def test_members_of_a_secret(text: str, found: dict[str, str]) -> None:
    assert members_of(text, ["a", "n", "l", "z", "gone"]) == found
    assert members_of(text, ["."]) == {".": text}


@pytest.mark.parametrize(
    ("prefix", "key", "name"),
    [
        ("/app/prod", "db/user", "/app/prod/db/user"),
        ("/app/", "/user", "/app/user"),
        ("", "user", "user"),
        ("/app/user", ".", "/app/user"),
    ],
)
def test_parameter_names(prefix: str, key: str, name: str) -> None:
    assert parameter_name(prefix, key) == name


@pytest.mark.parametrize(
    ("refresh", "code"),
    [
        ("5m", None),
        ("10s", None),
        ("9s", "invalid-refresh"),
        ("31d", "invalid-refresh"),
        ("soon", "invalid-refresh"),
        ("-1", "invalid-refresh"),
    ],
)
def test_refresh_intervals(tmp_path: Path, refresh: str, code: str | None) -> None:
    (tmp_path / "s.env").write_text("A=canary\n")
    text = f"binds:\n- {{namespace: a, file: s.env, refresh: {refresh}, keys: {{A: A}}}}\n"
    variables, problems = bound(tmp_path, text)
    assert [item.code for item in problems] == ([code] if code else [])
    assert len(variables.refreshed) == (0 if code else 1)
    assert variables.value("A") == "canary"


def test_the_environment_is_not_refreshed(tmp_path: Path) -> None:
    text = "binds:\n- {namespace: a, refresh: 5m, keys: {A: A}}\n"
    variables, problems = bound(tmp_path, text, {"A": "b"})
    assert [(item.code, item.severity) for item in problems] == [
        ("refresh-without-effect", Severity.WARNING)
    ]
    assert variables.refreshed == ()


def test_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("a: one\n")
    variables, _ = bound(
        tmp_path, "binds:\n- {namespace: n, file: s.yaml, refresh: 1m, keys: {A: a}}\n"
    )
    (source,) = variables.refreshed
    file.write_text("a: two\n")
    assert source.read() == {"a": "two"}
    file.write_text("a: [\n")
    with pytest.raises(SourceUnavailableError):
        source.read()
    file.unlink()
    with pytest.raises(SourceUnavailableError):
        source.read()
    assert "one" not in repr(variables.find("A"))

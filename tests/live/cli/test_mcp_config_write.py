"""What `naftiko mcp-config --write` does to a client's file, and what it leaves alone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from naftiko.cli.setup.changes import changes
from naftiko.cli.setup.clients import Surroundings, config_file, find_client
from naftiko.cli.setup.config_file import _Current, _replace
from naftiko.cli.setup.entries import _is_passing
from naftiko.cli.setup.variables import looks_secret
from naftiko.errors import StartError
from tests.live.cli.config_clients import MACHINES, SEVERAL, Machine, Naftiko

DESKTOP = "Claude/claude_desktop_config.json"
PLACES = [
    ("claude-desktop", "user", "darwin", f"Library/Application Support/{DESKTOP}"),
    ("claude-desktop", "user", "win32", f"AppData/Roaming/{DESKTOP}"),
    ("claude-desktop", "user", "linux", f".config/{DESKTOP}"),
    ("claude-code", "user", "linux", ".claude.json"),
    ("claude-code", "project", "linux", "p/.mcp.json"),
    ("cursor", "user", "win32", ".cursor/mcp.json"),
    ("cursor", "project", "darwin", "p/.cursor/mcp.json"),
    ("vscode", "user", "darwin", "Library/Application Support/Code/User/mcp.json"),
    ("vscode", "user", "win32", "AppData/Roaming/Code/User/mcp.json"),
    ("vscode", "user", "freebsd", ".config/Code/User/mcp.json"),
    ("vscode", "project", "linux", "p/.vscode/mcp.json"),
    ("kiro", "user", "linux", ".kiro/settings/mcp.json"),
    ("kiro", "project", "linux", "p/.kiro/settings/mcp.json"),
    ("amazon-q", "user", "linux", ".aws/amazonq/mcp.json"),
    ("amazon-q", "project", "linux", "p/.amazonq/mcp.json"),
    ("windsurf", "user", "linux", ".codeium/windsurf/mcp_config.json"),
]  # fmt: skip


@pytest.mark.parametrize(("client", "scope", "platform", "path"), PLACES)
def test_where_each_client_keeps_its_servers(
    client: str, scope: str, platform: str, path: str
) -> None:
    here = Surroundings(platform=platform, home=Path("/h"), folder=Path("/h/p"), environment={})
    assert config_file(find_client(client), scope, here) == Path("/h") / path


def test_variables_move_the_folders_of_clients() -> None:
    moved = {"XDG_CONFIG_HOME": "/c", "APPDATA": "/a", "CLAUDE_CONFIG_DIR": "/d"}
    at = {
        platform: Surroundings(
            platform=platform, home=Path("/h"), folder=Path("/p"), environment=moved
        )
        for platform in ("linux", "win32")
    }
    vscode, claude = find_client("vscode"), find_client("claude-code")
    assert config_file(vscode, "user", at["linux"]) == Path("/c/Code/User/mcp.json")
    assert config_file(vscode, "user", at["win32"]) == Path("/a/Code/User/mcp.json")
    assert config_file(claude, "user", at["linux"]) == Path("/d/.claude.json")


def test_a_scope_that_a_client_has_not() -> None:
    here = Surroundings(platform="linux", home=Path("/h"), folder=Path("/p"), environment={})
    with pytest.raises(StartError, match="keeps no servers for a project"):
        config_file(find_client("windsurf"), "project", here)


def written(naftiko: Naftiko, path: Path, *more: str) -> str:
    """Write the entry of `machines` to a file and return what was said."""
    ran = naftiko("mcp-config", MACHINES, "--path", path, "--write", "--prefix", "ai-", *more)
    assert (ran.code, ran.out) == (0, ""), ran.err
    return ran.err


def test_a_new_file_in_new_folders_is_the_users_own(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", MACHINES, "--client", "kiro", "--write")
    path = machine.home / ".kiro/settings/mcp.json"
    assert ran.code == 0
    assert f"`machines` added: {path}" in ran.err
    assert list(json.loads(path.read_text())["mcpServers"]) == ["machines"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(item.name for item in path.parent.iterdir()) == ["mcp.json"]


def test_a_project_has_a_file_of_its_own(naftiko: Naftiko, machine: Machine) -> None:
    naftiko("mcp-config", MACHINES, "--client", "claude-code", "--write", "--scope", "project")
    assert "machines" in json.loads((machine.folder / ".mcp.json").read_text())["mcpServers"]
    assert not (machine.home / ".claude.json").exists()


def test_everything_else_stays_as_it_is(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.home / "config.json"
    before = (
        '{\n    "z": 1.50,\n    "mcpServers": {\n        "other": {"command": "x", "é": [1, 2]},'
        '\n        "more": {}\n    },\n    "a": {"b": null}\n}'
    )
    path.write_text(before, encoding="utf-8")
    path.chmod(0o640)
    said = written(naftiko, path)
    after = json.loads(path.read_text(encoding="utf-8"))
    assert list(after) == ["z", "mcpServers", "a"]
    assert list(after["mcpServers"]) == ["other", "more", "machines"]
    del after["mcpServers"]["machines"]
    assert after == json.loads(before)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('{\n    "z": 1.5,\n    "mcpServers"')
    assert text.endswith("}")
    assert "é" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    backup = path.with_name("config.json.bak-1")
    assert str(backup) in said
    assert backup.read_text(encoding="utf-8") == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640


def test_line_ends_marks_and_escapes_stay(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.home / "config.json"
    path.write_bytes(b'\xef\xbb\xbf{\r\n\t"name": "caf\\u00e9"\r\n}\r\n')
    written(naftiko, path)
    raw = path.read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf{\r\n\t"name": "caf\\u00e9",\r\n\t"mcpServers": {\r\n\t\t"')
    assert raw.endswith(b"}\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n")


def test_a_second_time_nothing_happens(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.home / "config.json"
    path.write_text("{}")
    written(naftiko, path)
    status, files = path.stat(), sorted(machine.home.iterdir())
    assert f"`machines` is already there: {path}" in written(naftiko, path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert sorted(machine.home.iterdir()) == files


def test_backups_are_never_overwritten(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.home / "config.json"
    for number in (1, 2, 3):
        written(naftiko, path, "--env", f"MACHINE_TAG_KEY=k{number}")
    names = sorted(item.name for item in machine.home.iterdir())
    assert names == ["config.json", "config.json.bak-1", "config.json.bak-2"]
    assert "k1" in path.with_name("config.json.bak-1").read_text()
    assert "k2" in path.with_name("config.json.bak-2").read_text()


def test_an_entry_that_differs_is_replaced_and_said(
    naftiko: Naftiko, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = machine.home / "config.json"
    entry = {
        "command": "old",
        "args": ["run", str(MACHINES), "--stdio", "machines", "--strict"],
        "disabled": True,
        "env": {"API_TOKEN": "canary-old", "MACHINE_PREFIX": "was-", "GONE": "x"},
        "autoApprove": ["greet"],
    }
    path.write_text(json.dumps({"mcpServers": {"machines": entry}}))
    monkeypatch.setenv("MACHINE_PREFIX", "ai-")  # which the masker would hide
    said = written(naftiko, path, "--env", "API_TOKEN=canary-new")
    assert f"`machines` replaced: {path}" in said
    assert 'env.MACHINE_PREFIX: "was-" -> "ai-"' in said
    assert "env.API_TOKEN: *** -> ***" in said
    assert 'env.GONE: removed (it was "x")' in said
    assert 'command: "old" -> ' in said
    assert "canary" not in said
    after = json.loads(path.read_text())["mcpServers"]["machines"]
    assert after["disabled"] is True
    assert after["autoApprove"] == ["greet"]
    assert "GONE" not in after["env"]


@pytest.mark.parametrize(
    "old",
    [
        {"command": "npx", "args": ["-y", "machines"]},
        {"command": "naftiko", "args": ["run", "other.yaml", "--stdio", "machines"]},
        {"url": "https://machines.example/mcp"},
        {"command": "naftiko", "args": {"run": "x"}},
    ],
    ids=["program", "file", "url", "no list"],
)
def test_another_server_of_that_name_passes_on_no_approvals(
    naftiko: Naftiko, machine: Machine, old: dict[str, object]
) -> None:
    path = machine.home / "config.json"
    given = {**old, "autoApprove": ["*"], "disabled": True}
    path.write_text(json.dumps({"mcpServers": {"machines": given}}))
    said = written(naftiko, path)
    after = json.loads(path.read_text())["mcpServers"]["machines"]
    assert "autoApprove" not in after
    assert after["disabled"] is True
    assert "autoApprove: removed" in said


def test_another_host_of_that_name_passes_on_no_approvals(
    naftiko: Naftiko, machine: Machine
) -> None:
    path = machine.home / "config.json"
    for url, stays in (("http://127.0.0.1:9090/old", True), ("http://127.0.0.1:9091/mcp", False)):
        entry = {"type": "http", "url": url, "autoApprove": ["*"]}
        path.write_text(json.dumps({"mcpServers": {"machines": entry}}))
        naftiko("mcp-config", MACHINES, "--path", path, "--write", "--transport", "http")
        after = json.loads(path.read_text())["mcpServers"]["machines"]
        assert after["url"] == "http://127.0.0.1:9090/mcp"
        assert ("autoApprove" in after) is stays


def test_the_inputs_of_vs_code_are_added_once(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.folder / ".vscode/mcp.json"
    path.parent.mkdir()
    path.write_text('{"inputs": [{"id": "other"}], "servers": {}}')
    options = ("--client", "vscode", "--transport", "http", "--write", "--scope", "project")
    for name in ("machines", "again"):
        naftiko("mcp-config", MACHINES, *options, "--name", name)
    naftiko("mcp-config", MACHINES, *options)
    document = json.loads(path.read_text())
    asked = [item["id"] for item in document["inputs"]]
    assert asked == ["other", "naftiko-machines-token", "naftiko-again-token"]
    assert list(document["servers"]) == ["machines", "again"]


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_is_followed_and_stays_one(naftiko: Naftiko, machine: Machine) -> None:
    real = machine.home / "dotfiles" / "real.json"
    real.parent.mkdir()
    real.write_text('{"kept": 1}')
    path = machine.home / "config.json"
    path.symlink_to(real)
    written(naftiko, path)
    assert path.is_symlink()
    assert list(json.loads(real.read_text())) == ["kept", "mcpServers"]
    assert (real.parent / "real.json.bak-1").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "a": 1,\n  "b": oops\n}', "at line 3, column 8"),
        ("[]", "must hold an object, found a list"),
        ('{"mcpServers": []}', "`mcpServers` in {path} must be an object, found a list"),
        ('{"mcpServers": null}', "must be an object, found null"),
        ('{"a": 1, "a": 2}', "`a` stands twice in one object"),
        ('{"a": NaN}', "`NaN` is no number of JSON"),
        ('{"a": 1e999}', "would not survive"),
        ('{"a": {"b": 0.12345678901234567890123}}', "would not survive"),
        ('{"mcpServers": {"x": {"b": 0.12345678901234567890123}}}', "would not survive"),
        ('{"a": "\xff"}', "is not UTF-8"),
        ("[" * 100_000, "without losing some of it"),
    ],
    ids=lambda value: value[:24] if value.isascii() else "latin-1",
)
def test_what_cannot_be_kept_is_refused(
    naftiko: Naftiko, machine: Machine, text: str, said: str
) -> None:
    path = machine.home / "config.json"
    path.write_bytes(text.encode("latin-1"))
    ran = naftiko("mcp-config", MACHINES, "--path", path, "--write")
    assert (ran.code, ran.out) == (3, "")
    assert said.replace("{path}", str(path)) in ran.err
    assert path.read_bytes() == text.encode("latin-1")
    assert [item.name for item in machine.home.iterdir()] == ["config.json"]


@pytest.mark.parametrize("comment", ["// mine", "/* mine */"])
def test_comments_are_not_lost(naftiko: Naftiko, machine: Machine, comment: str) -> None:
    path = machine.home / "config.json"
    text = f'{{\n  "url": "http://x", {comment}\n  "mcpServers": {{}}\n}}\n'
    path.write_text(text)
    ran = naftiko("mcp-config", MACHINES, "--path", path, "--write")
    assert ran.code == 3
    assert "has comments, which would be lost" in ran.err
    assert "machines" in json.loads(ran.out)["mcpServers"]
    assert path.read_text() == text


def test_a_url_is_no_comment(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.home / "config.json"
    path.write_text('{"url": "http://x", oops}')
    ran = naftiko("mcp-config", MACHINES, "--path", path, "--write")
    assert "is not valid JSON" in ran.err


def test_a_folder_is_no_file(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", MACHINES, "--path", machine.home, "--write")
    assert (ran.code, "is not a file" in ran.err) == (3, True)


def test_several_entries_are_written_at_once(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.home / "config.json"
    path.write_text("\n")
    naftiko("mcp-config", SEVERAL, "--all", "--path", path, "--write")
    assert list(json.loads(path.read_text())["mcpServers"]) == ["first", "second"]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *[(name, True) for name in ("API_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "KEY")],
        *[(name, True) for name in ("GITHUB_PAT", "apiKey", "AWS_SESSION_TOKEN", "BASIC_AUTH")],
        *[(name, False) for name in ("AWS_REGION", "OWNER_TAG_KEY", "PATH", "AUTHOR", "KEYBOARD")],
        ("AWS_SIGV4_AUTH", False),
    ],
)
def test_names_that_sound_of_secrets(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


def test_changes_hide_secrets_wherever_they_stand() -> None:
    old = {
        "args": ["run", "--token", "canary", "--api-key=canary", "--port", "1"],
        "headers": {"Authorization": "Bearer canary", "X": "canary"},
        "url": "https://user:canary@h/p?key=canary",
        "env": {"PASSWORD": "canary"},
    }
    new = {"headers": {"Authorization": "Bearer ${env:T}"}, "url": "https://h/p"}
    lines = changes(old, new)
    assert "canary" not in "\n".join(lines)
    assert any('"--port", "1"' in line for line in lines)
    assert 'headers.Authorization: *** -> "Bearer ${env:T}"' in lines
    assert 'url: "https://***@h/p?***" -> "https://h/p"' in lines


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"theirs": 1}')
    read = _Current(path=path, raw=b"{}", text="{}", document={})
    with pytest.raises(StartError, match="changed by another program"):
        _replace(read, b'{"ours": 1}', private=True)
    assert path.read_text() == '{"theirs": 1}'
    assert [item.name for item in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("prefix", "passing"),
    [
        ("/home/a/.cache/uv/archive-v0/8Jx", True),
        ("/home/a/.cache/uv/environments-v2/x-1", True),
        ("/home/a/.local/share/uv/tools/naftiko", False),
        ("/srv/app/.venv", False),
    ],
)
def test_environments_that_do_not_stay(prefix: str, passing: bool) -> None:
    assert _is_passing(Path(prefix)) is passing


def test_a_projects_link_makes_no_file_elsewhere(naftiko: Naftiko, machine: Machine) -> None:
    elsewhere = machine.home / "autostart.json"
    (machine.folder / ".mcp.json").symlink_to(elsewhere)
    ran = naftiko(
        "mcp-config", MACHINES, "--client", "claude-code", "--write", "--scope", "project"
    )
    assert ran.code != 0
    assert "is not there" in ran.err
    assert not elsewhere.exists()

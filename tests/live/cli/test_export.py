"""`naftiko export skill`: the folder, its words, and its script from end to end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.case_files import ROOT
from tests.live.cli.config_clients import MACHINES, STATE_MACHINES, Machine, Naftiko

SKILLS = ROOT / "docs/examples/skills.yaml"
BIN = Path(sys.executable).parent


def front_matter(path: Path) -> dict[str, str]:
    """Return the front matter of a skill."""
    head = path.read_text(encoding="utf-8").split("---\n")[1]
    found: dict[str, str] = yaml.safe_load(head)
    return found


def authored(machine: Machine, text: str | None, **members: str) -> Path:
    """Write a capability with a skill of its author's, and return its file."""
    folder = machine.folder / "caps"
    skill = folder / "skills" / "fleet"
    skill.mkdir(parents=True)
    if text is not None:
        (skill / "SKILL.md").write_text(text, encoding="utf-8")
    (skill / "reference").mkdir()
    (skill / "reference" / "names.md").write_text("Names.\n")
    given = {"name": "fleet", "description": "Run the fleet.", **members}
    lines = "".join(f"          {name}: {json.dumps(text)}\n" for name, text in given.items())
    path = folder / "machines.yaml"
    path.write_text(
        MACHINES.read_text()
        + "    - type: skill\n      namespace: fleet-skills\n      port: 8090\n      skills:\n"
        + f"        - location: file:///./skills/fleet\n{lines}"
    )
    return path


def test_without_a_skill_everything_is_generated(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("export", "skill", MACHINES)
    assert ran.code == 0, ran.err
    folder = machine.folder / "machines"
    assert ran.out.split() == ["machines/SKILL.md", "machines/scripts/configure_mcp.py"]
    assert front_matter(folder / "SKILL.md") == {
        "name": "machines",
        "description": "Runs the machines of a team.",
    }
    text = (folder / "SKILL.md").read_text()
    assert "# Machines\n" in text
    assert "python scripts/configure_mcp.py --prefix VALUE" in text
    assert "short for `--env MACHINE_PREFIX=VALUE`" in text
    assert "| `MACHINE_TAG_KEY` |" in text
    assert "| `API_TOKEN` |  | A secret. |" in text
    assert "| `greet` | reads | Greet a machine \\| by its name. |" in text
    assert "naftiko:" not in text


def test_the_environment_does_not_get_into_a_skill(
    naftiko: Naftiko, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_TOKEN", "MACHINE_PREFIX", "MACHINE_TAG_KEY"):
        monkeypatch.setenv(name, "canary-8d1f")
    assert naftiko("export", "skill", MACHINES).code == 0
    for path in (machine.folder / "machines").rglob("*.*"):
        assert "canary" not in path.read_text()


def test_the_authors_files_are_taken_as_they_are(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("export", "skill", SKILLS, "--output", "order-desk")
    assert ran.code == 0, ran.err
    source = ROOT / "docs/examples/skills/order-desk"
    for name in ("SKILL.md", "reference/states.md"):
        assert (machine.folder / "order-desk" / name).read_bytes() == (source / name).read_bytes()


def test_markers_are_filled_except_in_code(naftiko: Naftiko, machine: Machine) -> None:
    path = authored(
        machine,
        "# Fleet\n\nMine.\n\n<!-- naftiko:configuration -->\n\n"
        "```\n<!-- naftiko:tools -->\n```\n\n<!-- naftiko:toools -->\n",
        license="MIT",
    )
    ran = naftiko("export", "skill", path)
    assert ran.code == 0, ran.err
    assert "nothing is generated for the marker `naftiko:toools`" in ran.err
    text = (machine.folder / "fleet/SKILL.md").read_text()
    assert front_matter(machine.folder / "fleet/SKILL.md") == {
        "name": "fleet",
        "description": "Run the fleet.",
        "license": "MIT",
    }
    assert text.index("Mine.") < text.index("| `MACHINE_PREFIX` |") < text.index("naftiko:tools")
    assert "| `greet` |" not in text
    assert (machine.folder / "fleet/reference/names.md").is_file()


def test_front_matter_is_kept_and_completed(naftiko: Naftiko, machine: Machine) -> None:
    path = authored(machine, "---\n# mine\nlicense: MIT\n---\nText\n")
    assert naftiko("export", "skill", path).code == 0
    text = (machine.folder / "fleet/SKILL.md").read_text()
    assert text == (
        "---\nname: fleet\ndescription: Run the fleet.\n# mine\nlicense: MIT\n---\n\nText\n"
    )


def test_the_authors_script_wins(naftiko: Naftiko, machine: Machine) -> None:
    path = authored(machine, None)
    own = path.parent / "skills/fleet/scripts/configure_mcp.py"
    own.parent.mkdir()
    own.write_text("print('mine')\n")
    assert naftiko("export", "skill", path).code == 0
    assert (machine.folder / "fleet/scripts/configure_mcp.py").read_text() == "print('mine')\n"


@pytest.mark.parametrize(
    ("text", "members", "said"),
    [
        ("---\nname: Fleet\n---\n", {}, "call it `fleet`"),
        ("---\nname: other\n---\n", {}, "calls the skill `other`, the capability calls it `fleet`"),
        ("---\nname: [\n---\n", {}, "front matter of SKILL.md is not YAML"),
        (None, {"description": "x" * 1025}, "has 1025 characters"),
        (None, {"name": "a--b"}, "call it `a-b`"),
    ],
    ids=["case", "other", "yaml", "long", "hyphens"],
)
def test_what_the_specification_does_not_allow(
    naftiko: Naftiko, machine: Machine, text: str | None, members: dict[str, str], said: str
) -> None:
    ran = naftiko("export", "skill", authored(machine, text, **members))
    assert ran.code == 3
    assert said in ran.err
    assert not (machine.folder / "fleet").exists()


def test_a_folder_with_files_is_overwritten_by_force_only(
    naftiko: Naftiko, machine: Machine
) -> None:
    folder = machine.folder / "machines"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    ran = naftiko("export", "skill", MACHINES)
    assert (ran.code, "is not empty" in ran.err) == (3, True)
    assert [item.name for item in folder.iterdir()] == ["mine.txt"]
    assert naftiko("export", "skill", MACHINES, "--force").code == 0
    assert naftiko("export", "skill", MACHINES, "--force").code == 0
    assert (folder / "mine.txt").read_text() == "mine"
    assert sorted(item.name for item in folder.iterdir()) == ["SKILL.md", "mine.txt", "scripts"]


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.parametrize("link", ["machines", "machines/scripts", "machines/SKILL.md"])
def test_no_link_is_followed(naftiko: Naftiko, machine: Machine, link: str) -> None:
    outside = machine.home / "outside"
    outside.mkdir()
    place = machine.folder / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside if "." not in link else outside / "SKILL.md")
    ran = naftiko("export", "skill", MACHINES, "--force")
    assert (ran.code, "links are not followed" in ran.err) == (3, True)
    assert list(outside.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_and_hidden_files_of_the_author_are_left_out(
    naftiko: Naftiko, machine: Machine
) -> None:
    path = authored(machine, None)
    skill = path.parent / "skills/fleet"
    (skill / ".env").write_text("API_TOKEN=canary")
    (skill / "passwords.md").symlink_to("/etc/passwd")
    assert naftiko("export", "skill", path).code == 0
    names = [item.name for item in (machine.folder / "fleet").iterdir()]
    assert sorted(names) == ["SKILL.md", "reference", "scripts"]


def configure(script: Path, machine: Machine, *options: str, path: str) -> tuple[int, str]:
    """Run the script of a skill with the system's Python, as an agent does."""
    done = subprocess.run(
        [sys.executable, "-I", script, *options],
        cwd=machine.folder,
        env={"PATH": path, "HOME": str(machine.home), "USERPROFILE": str(machine.home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_script_sets_up_a_client(naftiko: Naftiko, machine: Machine) -> None:
    naftiko("export", "skill", STATE_MACHINES)
    script = machine.folder / "stepfunctions-tools/scripts/configure_mcp.py"
    assert os.access(script, os.X_OK)
    code, said = configure(script, machine, "--prefix", "ai-workflows-", path=str(BIN))
    assert code == 0, said
    config = machine.folder / ".mcp.json"
    assert str(config) in said
    entry = json.loads(config.read_text())["mcpServers"]["stepfunctions-tools"]
    assert entry["env"] == {"STATE_MACHINE_PREFIX": "ai-workflows-"}
    code, said = configure(script, machine, "--prefix=ai-workflows-", path=str(BIN))
    assert (code, "is already there" in said) == (0, True)
    code, said = configure(script, machine, "--client", "cursor", path=str(BIN))
    assert (code, (machine.home / ".cursor/mcp.json").is_file()) == (0, True), said


def test_the_script_passes_errors_on(naftiko: Naftiko, machine: Machine) -> None:
    naftiko("export", "skill", STATE_MACHINES)
    script = machine.folder / "stepfunctions-tools/scripts/configure_mcp.py"
    code, said = configure(script, machine, "--bogus", path=str(BIN))
    assert (code, "unrecognized arguments: --bogus" in said) == (2, True)
    code, said = configure(script, machine, "--capability", "/none.yaml", path=str(BIN))
    assert (code, "`/none.yaml` does not exist" in said) == (3, True)
    code, said = configure(script, machine, "--capability", path=str(BIN))
    assert (code, "--capability needs" in said) == (2, True)


def test_the_script_finds_the_module_and_else_says_how_to_install(
    naftiko: Naftiko, machine: Machine
) -> None:
    naftiko("export", "skill", STATE_MACHINES)
    script = machine.folder / "stepfunctions-tools/scripts/configure_mcp.py"
    code, said = configure(script, machine, path="/nowhere")
    assert code == 0, said  # by `python -m naftiko`: this Python has the module
    bare = shutil.which("python3", path="/usr/bin")
    if bare is None:
        pytest.skip("there is no other Python on this machine")
    done = subprocess.run(
        [bare, "-I", script],
        env={"PATH": "/nowhere", "HOME": str(machine.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "is not installed" in done.stderr) == (3, True)
    assert "Traceback" not in done.stderr


def test_a_capability_can_go_by_another_name(naftiko: Naftiko, machine: Machine) -> None:
    naftiko("export", "skill", MACHINES, "--capability", "it's\nhere")
    script = (machine.folder / "machines/scripts/configure_mcp.py").read_text()
    compile(script, "configure_mcp.py", "exec")
    assert 'CAPABILITY = "it\'s\\nhere"' in script
    naftiko("export", "skill", "stepfunctions", "--output", "stepfunctions")
    script = (machine.folder / "stepfunctions/scripts/configure_mcp.py").read_text()
    assert "CAPABILITY = 'stepfunctions'" in script


def test_the_skill_that_comes_with_naftiko_is_one(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("export", "skill", STATE_MACHINES)
    assert ran.code == 0, ran.err
    path = machine.folder / "stepfunctions-tools/SKILL.md"
    head, text = front_matter(path), path.read_text()
    assert head["name"] == "stepfunctions-tools"
    assert len(head["compatibility"]) <= 500
    for name in (
        *("STATE_MACHINE_PREFIX", "STATE_MACHINE_LIST", "STATE_MACHINE_TAG_KEY"),
        *("STATE_MACHINE_TAG_VALUE", "STATE_MACHINE_INPUT_SCHEMA_ARN_TAG_KEY", "AWS_PROFILE"),
        *("AWS_REGION", "TOOL_STYLE", "EXECUTION_WAIT", "EXECUTION_PROGRESS", "ON_CANCEL"),
        *("TOOL_QUALIFIER", "EXECUTION_TOOLS"),
    ):
        assert f"| `{name}` |" in text
    for title in ("Set-up", "Configuration", "Workflow types", "What to ask for", "Best practices"):
        assert f"## {title}\n" in text
    assert "naftiko:setup" not in text


def test_a_skill_of_several_has_to_be_named(naftiko: Naftiko, machine: Machine) -> None:
    path = authored(machine, None)
    path.write_text(path.read_text() + "        - {name: second, description: More}\n")
    ran = naftiko("export", "skill", path)
    assert (ran.code, "exposes 2 skills: fleet, second" in ran.err) == (3, True), ran.err
    assert naftiko("export", "skill", path, "--skill", "second").code == 0
    ran = naftiko("export", "skill", path, "--skill", "secnd")
    assert (ran.code, "did you mean `second`?" in ran.err) == (3, True)

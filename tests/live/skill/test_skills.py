"""The skill adapter over real HTTP: the catalogue, files and archives."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from naftiko.capability import load
from naftiko.engine import LoadOptions, check_capability
from naftiko.plan.content_files import list_files
from tests.live.rest.servers import client_of
from tests.live.serving import Served, serving

EXAMPLE = Path("docs/examples/skills.yaml")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(EXAMPLE) as found:
        yield found


def get(served: Served, path: str, method: str = "GET", **headers: str) -> Any:
    parts = urlsplit(served.urls["order-skills"])
    connection = HTTPConnection("127.0.0.1", parts.port or 0, timeout=20)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=sent)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read()
    finally:
        connection.close()


def test_the_catalogue(served: Served) -> None:
    status, headers, body = get(served, "/skills")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {
        "count": 1,
        "skills": [
            {
                "name": "order-desk",
                "description": "Look up orders and explain their state to customers.",
                "license": "Apache-2.0",
                "tools": ["get-order", "states"],
            }
        ],
    }


def test_a_skill(served: Served) -> None:
    assert json.loads(get(served, "/skills/order-desk")[2]) == {
        "name": "order-desk",
        "description": "Look up orders and explain their state to customers.",
        "license": "Apache-2.0",
        "compatibility": "Needs the order-tools server.",
        "argument-hint": "[order number]",
        "allowed-tools": "get-order",
        "user-invocable": True,
        "metadata": {"audience": "support"},
        "tools": [
            {
                "name": "get-order",
                "description": "Return an order",
                "type": "derived",
                "invocationRef": {
                    "targetNamespace": "order-tools",
                    "action": "get-order",
                    "mode": "mcp",
                },
            },
            {
                "name": "states",
                "description": "What the states mean",
                "type": "instruction",
                "instruction": "reference/states.md",
            },
        ],
    }


def test_its_files(served: Served) -> None:
    listing = json.loads(get(served, "/skills/order-desk/contents")[2])
    assert listing["name"] == "order-desk"
    assert [item["path"] for item in listing["files"]] == ["SKILL.md", "reference/states.md"]
    folder = EXAMPLE.parent / "skills/order-desk"
    for item in listing["files"]:
        content = (folder / item["path"]).read_bytes()
        assert (item["size"], item["type"]) == (len(content), "text/markdown")
        status, headers, body = get(served, f"/skills/order-desk/contents/{item['path']}")
        assert (status, body, headers["content-type"]) == (200, content, "text/markdown")
        assert headers["x-content-type-options"] == "nosniff"
        again = get(
            served,
            f"/skills/order-desk/contents/{item['path']}",
            If_None_Match=headers["etag"],
        )
        assert (again[0], again[2]) == (304, b"")


def test_the_archive_is_the_same_every_time(served: Served) -> None:
    status, headers, body = get(served, "/skills/order-desk/download")
    assert (status, headers["content-type"]) == (200, "application/zip")
    assert headers["content-disposition"] == 'attachment; filename="order-desk.zip"'
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        assert file.namelist() == ["SKILL.md", "reference/states.md"]
        assert file.testzip() is None
    assert get(served, "/skills/order-desk/download")[2] == body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/skills/nobody", 404),
        ("/skills/order-desk/contents/absent.md", 404),
        ("/skills/order-desk/contents/reference", 404),
        ("/skills/order-desk/contents/../../../skills.yaml", 400),
        ("/skills/order-desk/contents/%2e%2e/secret", 400),
        ("/skills/order-desk/contents/..%2fsecret", 400),
        ("/skills/order-desk/contents/a%5Cb", 400),
        ("/skills/order-desk/contents/.hidden", 400),
        ("/skills/order-desk/contents/a%00b", 400),
        ("/skills/order-desk/other", 404),
        ("/elsewhere", 404),
    ],
)
def test_what_is_not_there(served: Served, path: str, status: int) -> None:
    found, headers, body = get(served, path)
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    assert json.loads(body)["status"] == status


def test_only_reading(served: Served) -> None:
    status, headers, _ = get(served, "/skills", method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    status, headers, body = get(served, "/skills", method="HEAD")
    assert (status, body) == (200, b"")
    assert get(served, "/skills", method="OPTIONS")[0] == 204


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("a", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)
    file = tmp_path / "c.yaml"
    file.write_text(
        'naftiko: "1.0.0-alpha3"\n'
        "capability:\n  exposes:\n    - type: skill\n      namespace: order-skills\n"
        "      port: 8090\n      skills:\n"
        "        - {name: s, description: s, location: 'file:///./files'}\n"
        "        - {name: bare, description: without files}\n",
        encoding="utf-8",
    )
    with serving(file, workspace=tmp_path) as served:
        files = json.loads(get(served, "/skills/s/contents")[2])["files"]
        assert [item["path"] for item in files] == ["a.txt"]
        assert get(served, "/skills/s/contents/link.txt")[0] == 404
        assert get(served, "/skills/s/contents/up/secret.txt")[0] == 404
        with zipfile.ZipFile(io.BytesIO(get(served, "/skills/s/download")[2])) as archive:
            assert archive.namelist() == ["a.txt"]
        for page in ("contents", "download", "contents/x"):
            assert get(served, f"/skills/bare/{page}")[0] == 404


def test_it_mounts() -> None:
    with load(EXAMPLE) as capability:
        assert callable(capability.skill_app())
        app = Starlette(routes=[Mount("/desk", app=capability.skill_app("order-skills"))])
        with client_of(app) as client:
            assert client.get("/desk/").json["skills"] == "/desk/skills"
            assert client.get("/desk/skills").json["count"] == 1


def test_it_is_checked() -> None:
    assert not check_capability(EXAMPLE, LoadOptions()).problems


def test_names_and_folders_that_are_odd(tmp_path: Path) -> None:
    """A name goes into a header; a folder may be hidden, unlike its files."""
    folder = tmp_path / ".agents"
    folder.mkdir()
    (folder / "guide.md").write_text("guide")
    (folder / ".env").write_text("SECRET=canary")
    (folder / "link.md").symlink_to(folder / ".env")
    file = tmp_path / "c.yaml"
    file.write_text(
        'naftiko: "1.0.0-alpha3"\n'
        "capability:\n"
        "  exposes:\n"
        "    - type: skill\n"
        "      namespace: order-skills\n"
        "      port: 8090\n"
        "      skills:\n"
        '        - {name: "日本\\r\\nx: y", description: d, location: "file:///./.agents"}\n'
    )
    with serving(file, workspace=tmp_path) as served:
        name = "%E6%97%A5%E6%9C%AC%0D%0Ax:%20y"
        status, headers, body = get(served, f"/skills/{name}/download")
        assert status == 200
        assert headers["content-disposition"].endswith(
            "filename*=UTF-8''%E6%97%A5%E6%9C%AC%0D%0Ax%3A%20y.zip"
        )
        assert "x" not in headers
        assert zipfile.ZipFile(io.BytesIO(body)).namelist() == ["guide.md"]
        for hidden in (".env", "link.md", "%2e%65nv"):
            assert get(served, f"/skills/{name}/contents/{hidden}")[0] in (400, 404)


def test_only_so_many_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naftiko.plan.content_files.MAX_SEEN", 3)
    for number in range(5):
        (tmp_path / f"f{number}").write_text("")
    assert len(list_files(tmp_path)) == 3

"""Values from HashiCorp Vault, against a loopback stub that speaks KV v1, KV v2 and AppRole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002  # the server is needed anyway
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from naftiko.engine import LoadOptions, check_capability, load_plan
from naftiko.errors import StartError
from tests.case_files import ROOT
from tests.live.peers import running_app

TOKEN, LEASED = "canary-vault-token", "canary-leased-token"


@dataclass
class Vault:
    """The stub: secrets by mount and path."""

    port: int = 0
    hides_mounts: bool = False
    status: int = 0
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        routes = [
            Route("/v1/auth/approle/login", self.login, methods=["POST"]),
            Route("/v1/sys/internal/ui/mounts/{mount}", self.mount),
            Route("/v1/{mount}/data/{path:path}", self.v2),
            Route("/v1/{mount}/{path:path}", self.v1),
        ]
        await Starlette(routes=routes)(scope, receive, send)

    def refusal(self, request: Request) -> Response | None:
        token = request.headers.get("x-vault-token", "")
        self.seen.append((request.url.path, token, request.headers.get("x-vault-namespace", "")))
        if self.status == 307:
            return RedirectResponse("http://127.0.0.1:1/", 307)
        if self.status:
            return JSONResponse({"errors": ["canary-detail"]}, self.status)
        if token not in (TOKEN, LEASED):
            return JSONResponse({"errors": ["permission denied"]}, 403)
        return None

    async def login(self, request: Request) -> Response:
        sent = await request.json()
        if sent != {"role_id": "role", "secret_id": "canary-secret-id"}:
            return JSONResponse({"errors": ["invalid role or secret ID"]}, 400)
        return JSONResponse({"auth": {"client_token": LEASED, "lease_duration": 60}})

    async def mount(self, request: Request) -> Response:
        if self.hides_mounts:
            return JSONResponse({"errors": ["no"]}, 403)
        version = "2" if request.path_params["mount"] == "kv2" else "1"
        return self.refusal(request) or JSONResponse(
            {"data": {"type": "kv", "options": {"version": version}}}
        )

    async def v2(self, request: Request) -> Response:
        found = self.secrets.get("kv2/" + request.path_params["path"])
        if request.path_params["mount"] != "kv2":
            found = None
        answer = JSONResponse({"data": {"data": found, "metadata": {"version": 3}}})
        return self.refusal(request) or (answer if found else JSONResponse({"errors": []}, 404))

    async def v1(self, request: Request) -> Response:
        found = self.secrets.get("{mount}/{path}".format(**request.path_params))
        answer = JSONResponse({"data": found})
        return self.refusal(request) or (answer if found else JSONResponse({"errors": []}, 404))


@pytest.fixture(scope="module")
def running() -> Iterator[Vault]:
    vault = Vault()
    with running_app(vault) as port:
        vault.port = port
        yield vault


@pytest.fixture
def vault(running: Vault) -> Vault:
    running.hides_mounts, running.status = False, 0
    running.secrets = {
        "kv2/team/app": {"user": "ann", "password": "canary-password", "port": 5432},
        "kv1/team/app": {"user": "bob", "password": "canary-password"},
    }
    running.seen.clear()
    return running


def capability(folder: Path, uri: str, keys: str = "{U: user, P: password}") -> Path:
    file = folder / "c.yaml"
    file.write_text(
        'naftiko: "1.0.0-alpha3"\n'
        f"binds: [{{namespace: v, location: '{uri}', keys: {keys}}}]\n"
        "capability:\n"
        "  exposes:\n"
        "    - type: mcp\n"
        "      namespace: m\n"
        "      transport: stdio\n"
        "      tools:\n"
        "        - name: tell\n"
        "          description: tells\n"
        "          outputParameters:\n"
        "            - {name: u, type: string, value: '{{U}}'}\n"
        "            - {name: p, type: string, value: '{{v.P}}'}\n"
    )
    return file


def values(file: Path, environment: dict[str, str]) -> dict[str, Any]:
    import asyncio

    from naftiko.capability import Capability

    async def story() -> Any:
        options = LoadOptions(environment=environment, workspace=file.parent)
        async with Capability(load_plan(file, options)) as loaded:
            return await loaded.call("m.tell")

    found: dict[str, Any] = asyncio.run(story())
    return found


@pytest.mark.parametrize("hides_mounts", [False, True])
@pytest.mark.parametrize(("mount", "user"), [("kv2", "ann"), ("kv1", "bob")])
def test_both_versions(
    vault: Vault, tmp_path: Path, mount: str, user: str, hides_mounts: bool
) -> None:
    vault.hides_mounts = hides_mounts
    environment = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": TOKEN}
    found = values(capability(tmp_path, f"vault://{mount}/team/app"), environment)
    assert found == {"u": user, "p": "canary-password"}


def test_approle_and_namespace(vault: Vault, tmp_path: Path) -> None:
    environment = {
        "VAULT_ADDR": vault.url + "/",
        "VAULT_ROLE_ID": "role",
        "VAULT_SECRET_ID": "canary-secret-id",
        "VAULT_NAMESPACE": "teams/a",
    }
    file = capability(tmp_path, "vault://kv2/team/app")
    checked = check_capability(
        file, LoadOptions(environment=environment, workspace=tmp_path), reads_stores=True
    )
    assert checked.missing == ()
    assert {token for _, token, _ in vault.seen} == {LEASED}
    assert {namespace for _, _, namespace in vault.seen} == {"teams/a"}
    assert checked.masker(LEASED) == "***"


def test_the_whole_secret_and_values_that_are_no_text(vault: Vault, tmp_path: Path) -> None:
    environment = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": TOKEN}
    file = capability(tmp_path, "vault://kv2/team/app", "{U: port, P: .}")
    assert values(file, environment) == {
        "u": "5432",
        "p": '{"user": "ann", "password": "canary-password", "port": 5432}',
    }


@pytest.mark.parametrize(
    ("status", "uri", "token", "said"),
    [
        (0, "vault://kv2/team/app", "wrong", "refused"),
        (0, "vault://kv2/gone", TOKEN, "has no such secret"),
        (503, "vault://kv2/team/app", TOKEN, "is sealed or down"),
        (500, "vault://kv2/team/app", TOKEN, "answered with InternalServerError"),
        (307, "vault://kv2/team/app", TOKEN, "answered with what is no secret"),
    ],
)
def test_what_keeps_it_from_starting(
    vault: Vault, tmp_path: Path, status: int, uri: str, token: str, said: str
) -> None:
    vault.status = status
    environment = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": token}
    options = LoadOptions(environment=environment, workspace=tmp_path)
    file = capability(tmp_path, uri)
    checked = check_capability(file, options, reads_stores=True)
    (problem,) = [item for item in checked.problems if item.code == "bind-source-unavailable"]
    assert said in problem.message
    assert "canary" not in problem.message + problem.hint
    with pytest.raises(StartError, match="could not be read"):
        load_plan(file, options)


def test_a_wrong_role(vault: Vault, tmp_path: Path) -> None:
    environment = {"VAULT_ADDR": vault.url, "VAULT_ROLE_ID": "canary-role"}
    options = LoadOptions(environment=environment, workspace=tmp_path)
    checked = check_capability(
        capability(tmp_path, "vault://kv2/team/app"), options, reads_stores=True
    )
    (problem,) = [item for item in checked.problems if item.code == "bind-source-unavailable"]
    assert "did not take the request" in problem.message
    assert "canary" not in problem.message


def test_a_key_that_is_not_there(vault: Vault, tmp_path: Path) -> None:
    environment = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": TOKEN}
    file = capability(tmp_path, "vault://kv2/team/app", "{U: user, P: passwrod}")
    with pytest.raises(StartError, match="`passwrod` in vault://kv2/team/app has no value"):
        load_plan(file, LoadOptions(environment=environment, workspace=tmp_path))


STORES = """
naftiko: "1.0.0-alpha3"
binds:
  - { namespace: v, location: "vault://kv2/team/app", keys: { TOKEN: password, SERVER: user } }
  - { namespace: k, location: "k8s://FOLDER", keys: { KEY: key, PEM: pem, HOST: host, ID: id } }
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: https://{{HOST}}.example.com
      authentication: { type: bearer, token: "{{TOKEN}}" }
      tls: { certificate: "{{PEM}}", key: "{{KEY}}" }
      resources: [{ name: a, path: /a, operations: [{ name: get, method: GET }] }]
    - type: aws
      namespace: sfn
      service: stepfunctions
      region: us-east-1
      credentials: { accessKeyId: "{{ID}}", secretAccessKey: "{{KEY}}" }
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      authentication: { type: bearer, token: "{{SERVER}}" }
      resources:
        - { path: /a, operations: [{ name: get, method: GET, call: api.get }] }
        - { path: /b, operations: [{ name: list, method: GET, call: sfn.list-activities }] }
"""


@pytest.mark.parametrize("command", ["validate", "inspect", "explain"])
def test_a_file_that_is_only_checked_asks_no_store(
    vault: Vault, tmp_path: Path, command: str
) -> None:
    """A stranger's file must not make `validate` send anything, nor read mounted secrets."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "key").write_text("canary-mounted")
    file = tmp_path / "c.yaml"
    file.write_text(STORES.replace("FOLDER", str(mounted)))
    done = subprocess.run(
        [sys.executable, "-m", "naftiko", command, str(file)],
        env={
            "PATH": "",
            "PYTHONPATH": str(ROOT),
            "VAULT_ADDR": vault.url,
            "VAULT_TOKEN": TOKEN,
            "NAFTIKO_SECRETS_ROOT": str(mounted),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert vault.seen == []
    if command == "validate":
        assert done.stdout.count("info[bind-not-read]") == 2
        assert "warning" not in done.stdout + done.stderr


def test_a_file_that_runs_asks_its_stores(vault: Vault, tmp_path: Path) -> None:
    environment = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": TOKEN}
    file = capability(tmp_path, "vault://kv2/team/app")
    options = LoadOptions(environment=environment, workspace=tmp_path)

    assert check_capability(file, options).missing == ()
    assert vault.seen == []
    assert load_plan(file, options).plan is not None
    assert vault.seen != []

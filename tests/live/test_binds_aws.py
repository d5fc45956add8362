"""Values from AWS Secrets Manager and Parameter Store, on the sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from naftiko.capability import Capability
from naftiko.engine import Checked, LoadOptions, check_capability, load_plan
from naftiko.sandbox import Sandbox
from tests.live.sandbox.conftest import connect

FILE = """
naftiko: "1.0.0-alpha3"
binds:
  - namespace: db
    location: "secretsmanager://SECRET"
    refresh: 1m
    keys: { USER: user, PASSWORD: password, PORT: port }
  - { namespace: whole, location: "secretsmanager://plain", keys: { PLAIN: . } }
  - namespace: app
    location: "ssm:///app/prod"
    keys: { URL: api/url, KEY: key }
  - { namespace: many, location: "ssm:///many", keys: [MANY] }
capability:
  exposes:
    - type: mcp
      namespace: m
      transport: stdio
      tools:
        - name: tell
          description: tells
          outputParameters:
            - name: all
              type: string
              value: "{{USER}} {{db.PASSWORD}} {{PORT}} {{PLAIN}} {{URL}} {{app.KEY}} {{P11}}"
""".replace("[MANY]", "{" + ", ".join(f"P{n}: p{n}" for n in range(12)) + "}")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        secrets, store = (connect(running.account, name) for name in ("secretsmanager", "ssm"))
        running.arn = secrets.create_secret(  # type: ignore[attr-defined]  # kept for the tests
            Name="prod/db",
            SecretString=json.dumps({"user": "ann", "password": "canary-one", "port": 5432}),
        )["ARN"]
        secrets.create_secret(Name="plain", SecretString="just text")
        parameters = {"/app/prod/api/url": "https://a.example", "/app/prod/key": "canary-key"}
        parameters |= {f"/many/p{number}": f"n{number}" for number in range(12)}
        for name, value in parameters.items():
            store.put_parameter(Name=name, Value=value, Type="SecureString")
        secrets.close()
        store.close()
        yield running


def options(sandbox: Sandbox, folder: Path, **environment: str) -> LoadOptions:
    return LoadOptions(
        environment={**sandbox.environment(), **environment}, workspace=folder, sandbox=True
    )


def write(folder: Path, secret: str) -> Path:
    file = folder / "c.yaml"
    file.write_text(FILE.replace("SECRET", secret, 1))
    return file


@pytest.mark.parametrize("by", ["name", "arn"])
def test_values_of_both_stores(sandbox: Sandbox, tmp_path: Path, by: str) -> None:
    arn: str = sandbox.arn  # type: ignore[attr-defined]  # set by the fixture
    file = write(tmp_path, "prod/db" if by == "name" else arn)
    checked = load_plan(file, options(sandbox, tmp_path))

    async def story() -> Any:
        async with Capability(checked) as loaded:
            return await loaded.call("m.tell")

    assert asyncio.run(story()) == {
        "all": "ann canary-one 5432 just text https://a.example canary-key n11"
    }
    assert checked.masker("canary-one canary-key") == "*** ***"


def test_a_rotated_secret_takes_effect(sandbox: Sandbox, tmp_path: Path) -> None:
    client = connect(sandbox.account, "secretsmanager")
    client.create_secret(Name="rotated", SecretString='{"user": "a", "password": "b", "port": 1}')
    checked = load_plan(write(tmp_path, "rotated"), options(sandbox, tmp_path))

    async def story() -> list[str]:
        async with Capability(checked) as loaded:
            first = await loaded.call("m.tell")
            client.put_secret_value(
                SecretId="rotated", SecretString='{"user": "x", "password": "yyyy", "port": 2}'
            )
            assert await loaded.refresh() == 3
            second = await loaded.call("m.tell")
            return [first["all"][:7], second["all"][:9]]

    assert asyncio.run(story()) == ["a b 1 j", "x yyyy 2 "]
    assert checked.masker("yyyy") == "***"
    client.close()


def unavailable(checked: Checked) -> list[str]:
    return [item.message for item in checked.problems if item.code == "bind-source-unavailable"]


def test_a_secret_that_is_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    checked = check_capability(
        write(tmp_path, "gone"), options(sandbox, tmp_path), reads_stores=True
    )
    assert unavailable(checked) == [
        "the bind `db` cannot read secretsmanager://gone: AWS answered ResourceNotFoundException"
    ]
    assert [item.message.split("`")[1] for item in checked.missing] == [
        "USER",
        "db.PASSWORD",
        "PORT",
    ]


def test_the_sandbox_is_never_left(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without its endpoint nothing is reached, whatever else the environment says."""
    found = options(sandbox, tmp_path, AWS_ENDPOINT_URL="", AWS_ENDPOINT_URL_SSM="http://x.test")
    checked = check_capability(write(tmp_path, "prod/db"), found, reads_stores=True)
    assert len(unavailable(checked)) == 4
    assert all("EndpointConnectionError" in text for text in unavailable(checked))


def test_no_credentials_no_region(tmp_path: Path) -> None:
    environment = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent"}
    environment["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent"
    file = write(tmp_path, "prod/db")
    checked = check_capability(
        file, LoadOptions(environment=environment, workspace=tmp_path), reads_stores=True
    )
    assert all("NoRegionError" in text for text in unavailable(checked))
    environment["AWS_REGION"] = "eu-west-1"
    environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    checked = check_capability(
        file, LoadOptions(environment=environment, workspace=tmp_path), reads_stores=True
    )
    assert len(unavailable(checked)) == 4
    assert all("NoCredentialsError" in text for text in unavailable(checked))

"""250 state machines of one account: names, tags, versions, and the schemas of their input."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache

from naftiko.sandbox import Sandbox
from naftiko.sandbox import aliases as sandbox_aliases
from naftiko.sandbox import machines as sandbox_machines
from naftiko.sandbox.account import ACCOUNT_ID
from tests.live.sandbox.conftest import ROLE
from tests.live.stepfunctions_tools.relay import Json
from tests.live.stepfunctions_tools.stage import PASS

REGION = "eu-west-1"
"""Of its own, so that other tests' machines are not seen."""
COUNT = 250
SCHEMA_TAG = "input-schema"
ODD = (
    "app-a.v1", "app-a-v1", "app-a_v1", "app-a@v1", "a.v1", "app-9lives", "1st", "123", "app-",
    "app", "APP-1", "App-1", "app-" + "x" * 76, "app-" + "x" * 75 + "y", "z" * 80, "z" * 64,
    "z" * 65, "été", "ete", "_t_", "app-été", "日本語", "資料", "app-資料", "---", "...", "-lead",
    "trail-", ".", "_", "get-execution", "get_execution", "app-stop-execution", "state-machines",
    "a(b)+=!",
)  # fmt: skip
SCHEMAS: dict[str, Json] = {
    "shop/order": {
        "Type": "JSONSchemaDraft4",
        "Content": json.dumps(
            {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string"},
                    "amount": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                    "to": {"$ref": "#/definitions/address"},
                },
                "definitions": {
                    "address": {
                        "type": "object",
                        "required": ["city"],
                        "properties": {"city": {"type": "string"}},
                    }
                },
            }
        ),
    },
    "shop/event": {
        "Type": "OpenApi3",
        "Content": json.dumps(
            {
                "openapi": "3.0.0",
                "info": {"version": "1.0.0", "title": "Event"},
                "paths": {},
                "components": {
                    "schemas": {
                        "Event": {
                            "type": "object",
                            "required": ["id", "detail"],
                            "properties": {
                                "id": {"type": "string"},
                                "amount": {
                                    "type": "number",
                                    "minimum": 0,
                                    "exclusiveMinimum": True,
                                    "nullable": True,
                                },
                                "detail": {"$ref": "#/components/schemas/Detail"},
                            },
                        },
                        "Detail": {
                            "type": "object",
                            "required": ["city"],
                            "properties": {"city": {"type": "string"}},
                        },
                    }
                },
            }
        ),
    },
    "shop/broken": {"Type": "JSONSchemaDraft4", "Content": '{"type": "object", '},
    "shop/list": {"Type": "JSONSchemaDraft4", "Content": '{"type": "array"}'},
    "shop/huge": {
        "Type": "JSONSchemaDraft4",
        "Content": json.dumps(
            {
                "type": "object",
                "properties": {
                    f"property-{number}": {"type": "string", "description": "long " * 20}
                    for number in range(10_000)
                },
            }
        ),
    },
}


def arn_of(name: str) -> str:
    """Return the ARN of a machine."""
    return f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{name}"


def schema_arn(path: str) -> str:
    """Return the ARN of a schema: "shop/order"."""
    return f"arn:aws:schemas:{REGION}:{ACCOUNT_ID}:schema/{path}"


SCHEMA_ARNS = {
    "order": schema_arn("shop/order"),
    "event": schema_arn("shop/event"),
    "broken": schema_arn("shop/broken"),
    "list": schema_arn("shop/list"),
    "huge": schema_arn("shop/huge"),
    "gone": schema_arn("shop/gone"),
    "nowhere": "arn:aws:schemas:shop",
}


@dataclass(frozen=True)
class Machine:
    """A machine; with `versions` it has as many, and an alias PROD on the first."""

    name: str
    express: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    versions: int = 0


@cache
def fleet() -> tuple[Machine, ...]:
    """Return all of them."""
    teams: tuple[dict[str, str], ...] = (
        {"team": "blue"},
        {"team": "Blue"},
        {"team": "blue2", "owner": "blue"},
        {},
        {"Team": "blue"},
    )
    named = [
        *(Machine(name, tags=teams[number % 2]) for number, name in enumerate(ODD)),
        *(
            Machine(f"schema-{name}{'-fast' * express}", express, {SCHEMA_TAG: arn, "team": "blue"})
            for name, arn in SCHEMA_ARNS.items()
            for express in (False, True)
        ),
    ]
    rest = COUNT - len(named)
    named += [
        Machine(
            f"app-{number:03}" if number % 3 else f"job.{number:03}",
            express=number % 2 == 0,
            tags=teams[number % 5],
            versions=2 if number < 10 else 0,
        )
        for number in range(rest)
    ]
    return tuple(named)


def launch(sandbox: Sandbox) -> None:
    """Create them in the sandbox itself, which is quicker than through its API."""
    backend = sandbox._accounts.backend(ACCOUNT_ID, REGION)
    for machine in fleet():
        request: Json = {
            "name": machine.name,
            "type": "EXPRESS" if machine.express else "STANDARD",
            "roleArn": ROLE,
            "definition": json.dumps({**PASS, "Comment": f"What {machine.name} does."}),
            "tags": [{"key": key, "value": value} for key, value in machine.tags.items()],
        }
        if machine.versions:
            request |= {"publish": True, "versionDescription": f"first of {machine.name}"}
        made = sandbox_machines.create_unchecked(backend, request)
        if machine.versions:
            first = made["stateMachineVersionArn"]
            route = {"stateMachineVersionArn": first, "weight": 100}
            sandbox_aliases.create(backend, {"name": "PROD", "routingConfiguration": [route]})
            changed = json.dumps({**PASS, "Comment": "Changed."})
            arn = arn_of(machine.name)
            sandbox_machines.update(
                backend, {"stateMachineArn": arn, "definition": changed, "publish": True}
            )


def selected(*, prefix: str = "", listed: str = "", key: str = "", value: str = "") -> set[str]:
    """Return the names of the machines that the settings select, by the words of the reference."""
    entries = {entry.strip() for entry in listed.split(",")} - {""}
    by_name = {
        machine.name
        for machine in fleet()
        if (not prefix and not entries)
        or (prefix and machine.name.startswith(prefix))
        or machine.name in entries
        or arn_of(machine.name) in entries  # which the reference does not know (weakness 8)
    }
    if not key and not value:
        return by_name
    if not key or not value:
        return set()
    return {item.name for item in fleet() if item.name in by_name and item.tags.get(key) == value}

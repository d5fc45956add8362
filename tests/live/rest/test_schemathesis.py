"""What the OpenAPI document says is what the server does, for inputs nobody thought of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from naftiko.exposes.rest.adapter import rest_app
from naftiko.plan.capability import ServerAuth
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.rest.servers import client_of
from tests.unit.exposes.rest.plans import INFO, adapter, operation, route, text, typed

BODY = ("body", "query", "header")
QUERY = ("query", "header")
THING = {"type": "object", "properties": {"arn": {"type": "string"}}, "required": ["arn"]}


async def thing(_run: Run) -> Result:
    return Result(value={"arn": "arn:x"})


ARN = text("arn", "path", required=True, minLength=1, maxLength=256)
PLAN = adapter(
    route(
        "/v1/things",
        GET=operation(
            "list",
            typed("limit", "integer", *QUERY, minimum=1, maximum=100),
            typed("tag", "array", *QUERY, items={"type": "string", "maxLength": 5}, maxItems=4),
            text("status", *QUERY, enum=["RUNNING", "FAILED"]),
            typed("filter", "object", *QUERY),
            typed("deep", "boolean", *QUERY),
            text("x-trace", "header", maxLength=8),
            text("session", "cookie", maxLength=8),
            work=thing,
            output_schema=THING,
        ),
        POST=operation(
            "create",
            text("name", *BODY, required=True, minLength=1, maxLength=80),
            typed("count", "number", *BODY, minimum=0),
            typed("definition", "object", *BODY),
            typed("flags", "array", *BODY, items={"type": "boolean"}),
            work=thing,
            output_schema=THING,
        ),
    ),
    route("/v1/things/{arn}/describe", GET=operation("get", ARN, work=thing, output_schema=THING)),
    route(
        "/v1/things/{arn}",
        DELETE=operation("delete", ARN, work=thing, output_schema=THING),
        PUT=operation("change", ARN, text("description", *BODY), work=thing),
    ),
    route(
        "/v1/whole",
        PUT=operation("whole", typed("items", "array", "body", "whole-body", required=True)),
    ),
    auth=ServerAuth(type_="bearer", fields={"token": "let-me-in"}),
)


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    with client_of(rest_app(PLAN, info=INFO, masker=Masker())) as client:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"http://127.0.0.1:{client.port}/openapi.json",
            "--header=Authorization: Bearer let-me-in",
            "--max-examples=10",
            "--generation-deterministic",
            "--checks=all",
            # Things are made up here: one that was deleted is still there.
            "--exclude-checks=use_after_free,ensure_resource_availability",
            "--no-color",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr

"""Naive: Starlette routes that call boto3 in an executor, as most people would begin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - no server is spared its import
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.serving import serve

client = boto3.client("stepfunctions")


async def list_state_machines(request: Request) -> Response:
    """GET /v1/state-machines."""
    return await respond(client.list_state_machines, dict(request.query_params))


async def start_execution(request: Request) -> Response:
    """POST /v1/executions."""
    arguments = await request.json()
    if not isinstance(arguments, dict):
        return JSONResponse({"error": "the body must be an object"}, status_code=400)
    if not isinstance(arguments.get("input", ""), str):
        arguments["input"] = json.dumps(arguments["input"])
    return await respond(client.start_execution, arguments)


async def respond(call: Callable[..., dict[str, Any]], arguments: dict[str, Any]) -> Response:
    """Call boto3 on a thread; it validates the arguments."""
    loop = asyncio.get_running_loop()
    try:
        value = await loop.run_in_executor(None, lambda: call(**arguments))
    except ParamValidationError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    except ClientError as error:
        return JSONResponse({"error": error.response["Error"]}, status_code=502)
    del value["ResponseMetadata"]
    return Response(json.dumps(value, default=datetime.isoformat), media_type="application/json")


def main() -> None:
    """Serve."""
    routes = [
        Route("/v1/state-machines", list_state_machines),
        Route("/v1/executions", start_execution, methods=["POST"]),
    ]
    serve("baseline", Starlette(routes=routes))

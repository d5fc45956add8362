"""Floor: Starlette routes with everything prepared by hand for exactly these two calls."""

from __future__ import annotations

import jsonschema_rs
import orjson
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 - no server is spared its import
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.baselines.prepared import Prepared, convert_machines, make_client, moment
from benchmarks.serving import serve

client = make_client()
list_machines = Prepared("ListStateMachines", client=client)
start = Prepared("StartExecution", client=client)

START_INPUT = jsonschema_rs.Draft202012Validator(
    {
        "type": "object",
        "properties": {
            "stateMachineArn": {"type": "string", "minLength": 1, "maxLength": 256},
            "name": {"type": "string", "minLength": 1, "maxLength": 80},
            "input": {"type": ["object", "string"]},
            "traceHeader": {"type": "string", "maxLength": 256},
        },
        "required": ["stateMachineArn"],
        "additionalProperties": False,
    }
)


async def list_state_machines(request: Request) -> Response:
    """GET /v1/state-machines."""
    query = request.query_params
    arguments = dict(query) if query else {}
    return _json(convert_machines(await list_machines(arguments), moment))


async def start_execution(request: Request) -> Response:
    """POST /v1/executions."""
    arguments = orjson.loads(await request.body())
    if not START_INPUT.is_valid(arguments):
        return Response(b'{"error":"invalid input"}', 400, media_type="application/json")
    if isinstance(arguments.get("input"), dict):
        arguments["input"] = orjson.dumps(arguments["input"]).decode()
    value = await start(arguments)
    value["startDate"] = moment(value["startDate"])
    return _json(value)


def _json(value: object) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), media_type="application/json")


def main() -> None:
    """Serve."""
    routes = [
        Route("/v1/state-machines", list_state_machines),
        Route("/v1/executions", start_execution, methods=["POST"]),
    ]
    serve("baseline", Starlette(routes=routes))

"""Lambda functions of the sandbox: they exist, and answer without their code being run.

moto runs a function's code in Docker, or not at all; the sandbox has no Docker. A function answers
what was put into moto's queue (POST /moto-api/static/lambda-simple/response), else what its own
environment variables say, else the payload that it was given:

    SANDBOX_ANSWER  the payload to answer with: {"total": 12}
    SANDBOX_ERROR   the error to fail with: OrderError: there is no order 7
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

ANSWER, ERROR = "SANDBOX_ANSWER", "SANDBOX_ERROR"
PATH = "/2015-03-31/functions"
INVOCATIONS = "/invocations"
"""How the paths of invocations end, after /2015-03-31/functions/NAME."""
EXAMPLES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("echo", "Answers what it is given.", {}),
    ("hello-world", "Greets.", {ANSWER: '{"greeting": "Hello from the sandbox"}'}),
    ("always-fails", "Fails, whatever it is given.", {ERROR: "OrderError: there is no order 7"}),
)
"""Name, description and variables."""


def without_docker() -> None:
    """Have moto use the functions that need no Docker; to be called before any is made."""
    from moto.core.config import default_user_config

    default_user_config["lambda"] = {"use_docker": False}


def apply() -> None:
    """Change what moto's functions answer; a second call does nothing new."""
    from moto.awslambda_simple.models import LambdaSimpleBackend

    LambdaSimpleBackend.invoke = _invoke


def load_examples(account_id: str, region: str, role_arn: str) -> None:
    """Create the examples that are not there."""
    from moto.awslambda.utils import get_backend

    backend = get_backend(account_id, region)
    known = {function.function_name for function in backend.list_functions()}
    for name, description, variables in EXAMPLES:
        if name not in known:
            backend.create_function(
                {
                    "FunctionName": name,
                    "Description": description,
                    "Runtime": "python3.13",
                    "Role": role_arn,
                    "Handler": "handler.handle",
                    "Code": {"ZipFile": _archive()},
                    "Environment": {"Variables": dict(variables)},
                    "Tags": {"naftiko:example": "true"},
                }
            )


def _archive() -> str:
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", "def handle(event, context):\n    return event\n")
    return base64.b64encode(archive.getvalue()).decode()


def _invoke(
    self: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, answered: Any
) -> bytes:
    # moto's own answers for functions that do not exist as well, and never with an error.
    function = self.get_function(function_name, qualifier)
    kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if kind != "RequestResponse":
        return b""
    queued = _next(self.lambda_simple_results_queue)
    variables = function.environment_vars or {}
    error = variables.get(ERROR) if queued is None else None
    if queued is not None:
        payload = queued
    elif error is not None:
        answered["x-amz-function-error"] = "Unhandled"
        payload = _failure(error)
    else:
        payload = variables.get(ANSWER) or _text(body) or "null"
    answered["x-amz-executed-version"] = str(function.version)
    answered["x-amz-log-result"] = _log(function.function_name, error)
    return payload.encode()


def _next(queue: list[str]) -> str | None:
    try:
        return str(queue.pop(0))
    except IndexError:
        return None


def _failure(error: str) -> str:
    name, colon, message = error.partition(": ")
    found = {"errorMessage": message, "errorType": name} if colon else {"errorMessage": error}
    return json.dumps({**found, "stackTrace": []})


def _log(name: str, error: str | None) -> str:
    lines = [f"START {name}", *([f"[ERROR] {error}"] if error else []), f"END {name}"]
    return base64.b64encode("\n".join(lines).encode()).decode()


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body or "")

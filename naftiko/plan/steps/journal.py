"""What steps note of their outcome in a run that may be suspended: nothing is done twice."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable

from naftiko.errors import RunError
from naftiko.expressions.text import json_text
from naftiko.plan.ports import Result
from naftiko.plan.steps.execution import Execution
from naftiko.values import MISSING, JsonObject, JsonValue

MAX_JOURNAL_BYTES = 256 * 1024
"""What a caller is given to bring back. It holds the answers of every call before a question."""


async def once(execution: Execution, path: str, work: Callable[[], Awaitable[Result]]) -> Result:
    """Return the outcome that an earlier run noted under the path, else do the work and note it.

    Raises: RunError as the work does, also one that was noted; Suspended.
    """
    if not execution.journaled:
        return await work()
    noted = execution.run.journal.get(path)
    if noted is not None:
        return _replay(noted, path)
    try:
        result = await work()
        value = MISSING if result.failed and result.decode else await result.decoded()
    except RunError as error:
        _note(execution, path, {"error": _error(error)})
        raise
    entry: JsonObject = {"status": result.status, "failed": result.failed}
    if value is not MISSING:
        entry["value"] = value
    elif result.raw is not None:
        entry["raw"] = b64encode(result.raw).decode()
        entry["mediaType"] = result.media_type
    _note(execution, path, entry)
    return result


def _note(execution: Execution, path: str, entry: JsonObject) -> None:
    journal, budget = execution.run.journal, execution.budget
    if not budget.journal_bytes:
        budget.journal_bytes = len(json_text(journal).encode())
    budget.journal_bytes += len(path) + len(json_text(entry).encode())
    if budget.journal_bytes > MAX_JOURNAL_BYTES:
        raise RunError(
            code="journal-too-large",
            message="what the run has done so far takes more than 256 KiB, too much for a caller "
            "to bring back with its answers",
            hint="ask before the calls with large answers, or keep less of them with "
            "`outputParameters`",
        )
    journal[path] = entry


def _error(error: RunError) -> JsonObject:
    return {"code": error.code, "message": error.message, "status": error.status}


def _replay(noted: JsonValue, path: str) -> Result:
    if not isinstance(noted, dict):
        raise _unreadable(path)
    error = noted.get("error")
    if isinstance(error, dict):
        status = error.get("status")
        raise RunError(
            code=str(error.get("code")),
            message=str(error.get("message")),
            status=status if isinstance(status, int) else 500,
        )
    status, raw = noted.get("status"), noted.get("raw")
    result = Result(
        value=noted.get("value", MISSING),
        status=status if isinstance(status, int) else 200,
        failed=noted.get("failed") is True,
    )
    if isinstance(raw, str):
        try:
            result.raw = b64decode(raw, validate=True)
        except Base64Error:
            raise _unreadable(path) from None
        result.media_type = str(noted.get("mediaType"))
    return result


def _unreadable(path: str) -> RunError:
    return RunError(
        code="bad-journal",
        message=f"what the caller brought back about the step `{path}` cannot be read",
        status=400,
    )

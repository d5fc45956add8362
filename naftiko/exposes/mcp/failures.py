"""Failures of prompts and resources, which have no `isError`: they become JSON-RPC errors."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from naftiko.errors import InputError, RunError, ShapingError
from naftiko.exposes.mcp.questions import CannotAskError
from naftiko.exposes.mcp.responses import error_json, error_text
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.ports import Result
from naftiko.plan.run import Run, Suspended
from naftiko.values import JsonObject

Answer = TypeVar("Answer")

logger = logging.getLogger("naftiko.exposes.mcp")


def protocol_error(error: RunError, masker: Masker, more: JsonObject | None = None) -> MCPError:
    """Return a failure as a JSON-RPC error: -32602 for the caller's mistake, else -32603."""
    code = INVALID_PARAMS if isinstance(error, InputError) else INTERNAL_ERROR
    text = masker(error_text(error).removeprefix("error: "))
    data = mask_json({**(more or {}), "error": error_json(error)}, masker)
    return MCPError(code=code, message=text, data=data)


async def guarded(
    what: str, run: Callable[[], Awaitable[Answer]], masker: Masker, more: JsonObject
) -> Answer:
    """Run something, and turn whatever fails into a JSON-RPC error.

    Raises: MCPError; Suspended passes.
    """
    try:
        return await run()
    except (MCPError, Suspended):
        raise
    except CannotAskError as error:
        raise error.to_protocol() from error
    except RunError as error:
        raise protocol_error(error, masker, more) from error
    except RecursionError:
        deep = ShapingError(message=f"the answer of {what} nests too deep to be passed on")
        raise protocol_error(deep, masker, more) from None
    except Exception:  # noqa: BLE001  # a bug of ours: the log has it, the caller only the id
        request_id = Run(inputs={}).request_id
        logger.error(  # not `exception`: the traceback is masked before it is logged
            "request %s: %s failed\n%s", request_id, what, masker(traceback.format_exc())
        )
        message = f"failed inside the server; its log has the details under {request_id}"
        raise MCPError(code=INTERNAL_ERROR, message=message, data=more) from None


def refuse_failed(result: Result, what: str) -> None:
    """Raise where a call came back with a failure.

    Raises: RunError.
    """
    if not result.failed:
        return
    detail = result.value if result.raw is None else result.raw[:500].decode("utf-8", "replace")
    raise RunError(
        code="upstream-error",
        message=f"what {what} calls answered with status {result.status}",
        status=result.status,
        details={"answer": detail} if isinstance(detail, str | dict | list) else {},
    )

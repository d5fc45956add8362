"""tools/call: name and arguments -> the plan runs -> a CallToolResult in wire form."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from naftiko.errors import RunError, ShapingError
from naftiko.exposes.mcp.responses import Wire, answer, error_answer, internal_error
from naftiko.exposes.mcp.tools import ToolTable
from naftiko.plan.masking import Masker
from naftiko.plan.run import Progress, Run
from naftiko.values import JsonValue

logger = logging.getLogger("naftiko.exposes.mcp")


class ToolCaller:
    """Runs tools. One for each adapter, shared by all transports and protocol eras."""

    def __init__(self, tools: ToolTable, masker: Masker) -> None:
        """Keep the tools and what masks their failures."""
        self.tools = tools
        self._masker = masker

    async def call(
        self,
        name: str,
        arguments: Mapping[str, JsonValue] | None,
        progress: Progress | None = None,
    ) -> Wire:
        """Check the arguments, run the plan, and answer; every failure is an `isError` result.

        Cancelling the caller's scope cancels the plan and with it the consumed call.

        Raises: MCPError (-32602) where no tool has that name.
        """
        tool = self.tools.get(name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=self.tools.unknown(name))
        run: Run | None = None
        try:
            inputs = tool.operation.inputs.check(dict(arguments or {}))
            run = Run(inputs=inputs, progress=progress)
            result = await tool.operation.plan.run(run)
            return answer(tool, result, self._masker)
        except RunError as error:
            return error_answer(error, self._masker)
        except RecursionError:  # a consumed API can nest its answer as it likes
            deep = ShapingError(message=f"the answer of `{name}` nests too deep to be passed on")
            return error_answer(deep, self._masker)
        except Exception:  # noqa: BLE001  # a bug of ours: the log has it, the caller only the id
            request_id = run.request_id if run else Run(inputs={}).request_id
            logger.error(  # not `exception`: the traceback is masked before it is logged
                "request %s: tool `%s` failed\n%s",
                request_id,
                name,
                self._masker(traceback.format_exc()),
            )
            return internal_error(request_id)

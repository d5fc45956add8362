"""tools/call: name and arguments -> the plan runs -> a CallToolResult in wire form."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from naftiko.errors import RunError, ShapingError
from naftiko.exposes.mcp.peer import NOBODY, Peer
from naftiko.exposes.mcp.questions import CannotAskError
from naftiko.exposes.mcp.responses import answer, error_answer, internal_error
from naftiko.exposes.mcp.tools import ToolTable
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.content import Content
from naftiko.plan.judged import answer_scope
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.ports import Result
from naftiko.plan.run import Run, Suspended
from naftiko.values import JsonValue

logger = logging.getLogger("naftiko.exposes.mcp")


class ToolCaller:
    """Runs tools. One for each adapter, shared by all transports and protocol eras."""

    def __init__(self, tools: ToolTable, masker: Masker) -> None:
        """Keep the tools and what masks their failures."""
        self.tools = tools
        self._masker = masker

    async def call(
        self, name: str, arguments: Mapping[str, JsonValue] | None, peer: Peer | None = None
    ) -> Wire:
        """Check the arguments, run the plan, and answer; every failure is an `isError` result.

        A run that has to ask a modern caller answers `resultType: input_required`. Cancelling the
        caller's scope cancels the plan and with it the consumed call.

        Raises: MCPError: -32602 where no tool has that name, -32021 where the caller cannot be
            asked what the tool has to ask.
        """
        tool = self.tools.get(name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=self.tools.unknown(name))
        peer = peer or NOBODY
        run: Run | None = None
        try:
            inputs = tool.operation.inputs.check(dict(arguments or {}), reads_texts=True)
            run = peer.run(inputs)
            result = await tool.operation.plan.run(run)
            wire = answer(tool, result, self._masker)
            operation = tool.operation
            if operation.content is not None and (result.judged or not wire["isError"]):
                await result.decoded()
                blocks = rendered(operation.content, run, result)
                wire["content"] = mask_json(blocks, self._masker) if wire["isError"] else blocks
            return wire
        except Suspended as suspended:
            assert run is not None
            return self._ask(suspended, run, peer)
        except RunError as error:
            return self._failed(error, peer)
        except MCPError:
            raise
        except RecursionError:  # a consumed API can nest its answer as it likes
            deep = ShapingError(message=f"the answer of `{name}` nests too deep to be passed on")
            return error_answer(deep, self._masker)
        except Exception:  # noqa: BLE001  # a bug of ours: the log has it, the caller only the id
            return self._bug(name, run)

    def _failed(self, error: RunError, peer: Peer) -> Wire:
        if isinstance(error, CannotAskError) and peer.dialogue is not None:
            raise error.to_protocol() from error  # 2026-07-28 has an error of its own for it
        return error_answer(error, self._masker)

    def _bug(self, name: str, run: Run | None) -> Wire:
        request_id = run.request_id if run else Run(inputs={}).request_id
        logger.error(  # not `exception`: the traceback is masked before it is logged
            "request %s: tool `%s` failed\n%s",
            request_id,
            name,
            self._masker(traceback.format_exc()),
        )
        return internal_error(request_id)

    def _ask(self, suspended: Suspended, run: Run, peer: Peer) -> Wire:
        try:
            return peer.suspended(suspended.questions, run, self._masker)
        except RunError as error:
            return error_answer(error, self._masker)


def rendered(content: Content, run: Run, result: Result) -> list[JsonValue]:
    """Render content over a run that is done.

    Raises: ShapingError.
    """
    return content.render(answer_scope(run, result))

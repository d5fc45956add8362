"""The caller of one request, as a run sees it: told of progress, sent log messages, asked.

Legacy clients are asked over their session while the run waits. Modern ones get an
`InputRequiredResult` and call again with the answers: the run ends (`Suspended`) and starts anew
from its journal, which travels, sealed, in `requestState`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    LOG_LEVEL_META_KEY,
    CreateMessageRequest,
    CreateMessageResult,
    ElicitRequest,
    ElicitResult,
    ListRootsRequest,
    ListRootsResult,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from naftiko.errors import DeadlineError, RunError
from naftiko.exposes.mcp.questions import askable, fits, misfit, request
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.run import Ask, Log, Progress, Question, Run, Suspended
from naftiko.values import JsonObject, JsonValue

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of RFC 5424, from the least."""
DEFAULT_LEVEL = "info"
"""What a legacy client hears that has not said what it wants."""
ASK_TIMEOUT_S = 600.0
"""How long a legacy client may take to answer."""
MAX_STATE_BYTES = 512 * 1024
"""What a journal and the answers so far may take: the client sends them back."""

Context = ServerRequestContext[Any, Any]


@dataclass(slots=True, kw_only=True)
class Peer:
    """How a run reaches its caller; what is None cannot be done."""

    progress: Progress | None = None
    log: Log | None = None
    ask: Ask | None = None
    journal: dict[str, JsonValue] = field(default_factory=dict)
    dialogue: Dialogue | None = None
    in_task: bool = False
    cancel_asked: Callable[[], bool] = lambda: False

    def run(self, inputs: Mapping[str, JsonValue]) -> Run:
        """Return a run for this caller."""
        return Run(
            inputs=inputs,
            progress=self.progress,
            log=self.log,
            ask=self.ask,
            journal=self.journal,
            in_task=self.in_task,
            cancel_asked=self.cancel_asked,
        )

    def suspended(self, questions: Mapping[str, Question], run: Run, masker: Masker) -> Wire:
        """Return what asks a modern caller to come back with answers.

        Raises: RunError where the run has done more than can be sent along.
        """
        assert self.dialogue is not None
        return self.dialogue.input_required(questions, run.journal, masker)


NOBODY = Peer()
"""A caller who wants nothing but the answer."""


@dataclass(slots=True)
class Dialogue:
    """The rounds of one call of a modern client: what it can take, what it has answered."""

    capabilities: object
    answers: dict[str, Any]

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, JsonObject]:
        """Return the answers if all are there.

        An answer counts once: a later question of the same key is a new one.

        Raises: Suspended; CannotAskError.
        """
        declared = self.capabilities if isinstance(self.capabilities, Mapping) else {}
        wanted = askable(questions, declared)
        given: dict[str, JsonObject] = {}
        for key, question in wanted.items():
            answer = self.answers.get(key)
            if fits(question, answer):
                given[key] = cast("JsonObject", answer)
            else:
                self.answers.pop(key, None)
        if len(given) < len(wanted):
            self.answers = {key: answer for key, answer in self.answers.items() if key in given}
            raise Suspended({key: item for key, item in wanted.items() if key not in given})
        for key in given:
            del self.answers[key]
        return given

    def input_required(
        self, questions: Mapping[str, Question], journal: JsonObject, masker: Masker
    ) -> Wire:
        """Return an `InputRequiredResult` whose state is not sealed yet."""
        state = _dump_state(journal, self.answers)
        requests = {key: request(question, masker) for key, question in questions.items()}
        return {"resultType": "input_required", "inputRequests": requests, "requestState": state}


def _dump_state(journal: JsonObject, answers: JsonObject) -> str:
    try:
        state = orjson.dumps({"journal": journal, "answers": answers})
    except TypeError as error:
        raise RunError(
            code="too-much-state", message="what the steps gave so far cannot be written as JSON"
        ) from error
    if len(state) > MAX_STATE_BYTES:
        raise RunError(
            code="too-much-state",
            message=f"the steps before the question gave more than {MAX_STATE_BYTES // 1024} KiB, "
            "which is more than a client may be made to keep",
            hint="ask first, or keep less of what they give with `outputParameters`",
        )
    return state.decode()


def dialogue(
    capabilities: Mapping[str, Any] | None, responses: object, state: str | None
) -> tuple[Dialogue, dict[str, JsonValue]]:
    """Return the dialogue of a round, and the journal of the rounds before.

    `state` was sealed by us: it holds what `_dump_state` wrote.
    """
    answers: dict[str, Any] = {}
    journal: dict[str, JsonValue] = {}
    if state:
        kept = orjson.loads(state)
        answers, journal = kept["answers"], kept["journal"]
    if isinstance(responses, dict):
        answers = {**answers, **responses}
    return Dialogue(capabilities or {}, answers), journal


def modern_peer(
    params: Mapping[str, Any],
    capabilities: Mapping[str, Any] | None,
    *,
    progress: Progress | None,
    log: Log | None,
) -> Peer:
    """Return the caller of a 2026-07-28 request; its `requestState` is unsealed already."""
    state = params.get("requestState")
    talk, journal = dialogue(capabilities, params.get("inputResponses"), state)
    return Peer(progress=progress, log=log, ask=talk.ask, journal=journal, dialogue=talk)


def peer_of(ctx: Context, levels: Mapping[object, str], masker: Masker) -> Peer:
    """Return the caller behind a context of the SDK, of either era."""
    meta = ctx.meta or {}
    progress = ctx.session.report_progress if "progress_token" in meta else None
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        log = _Logger(ctx, masker).log if meta.get(LOG_LEVEL_META_KEY) else None
        return modern_peer(ctx.params or {}, capabilities_of(ctx), progress=progress, log=log)
    level = levels.get(connection_of(ctx), DEFAULT_LEVEL)
    return Peer(
        progress=progress,
        log=_Logger(ctx, masker, level).log,
        ask=LegacyAsk(ctx, masker).ask,
    )


def capabilities_of(ctx: Context) -> dict[str, Any]:
    """Return the client's capabilities as it wrote them."""
    declared = ctx.session.client_capabilities
    return declared.model_dump(by_alias=True, exclude_none=True) if declared else {}


def connection_of(ctx: Context) -> object:
    """Return what stands for one client; it lives as long as the client's session."""
    return ctx.session._connection  # the SDK has no public name for it


class _Logger:
    """Sends log messages on the stream of the request that they belong to."""

    def __init__(self, ctx: Context, masker: Masker, level: str = "") -> None:
        meta = ctx.meta or {}
        wanted = level or meta.get(LOG_LEVEL_META_KEY)
        self._session, self._id = ctx.session, ctx.request_id
        self._from = LEVELS.index(wanted) if wanted in LEVELS else len(LEVELS)
        self._masker = masker

    async def log(self, level: str, data: JsonValue, logger: str) -> None:
        if level not in LEVELS or LEVELS.index(level) < self._from:
            return
        await self._session.send_notification(
            LoggingMessageNotification(
                params=LoggingMessageNotificationParams(
                    level=cast("Any", level),
                    data=mask_json(data, self._masker),
                    logger=logger or None,
                )
            ),
            related_request_id=self._id,
        )


class LegacyAsk:
    """Asks over the session, and waits. `meta` goes along with each request."""

    def __init__(self, ctx: Context, masker: Masker, meta: Mapping[str, Any] | None = None) -> None:
        """Ask on the stream of this request."""
        self._ctx = ctx
        self._masker = masker
        self._meta = meta

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, JsonObject]:
        """Ask all at once.

        Raises: RunError where the client cannot be asked, refuses, or does not answer in time.
        """
        wanted = askable(questions, capabilities_of(self._ctx))
        if not self._ctx.session.can_send_request:
            raise _out_of_reach()
        asking = [asyncio.ensure_future(self.one(*item)) for item in wanted.items()]
        try:
            answers = await asyncio.gather(*asking)
        finally:
            for task in asking:  # one refusal ends the others
                task.cancel()
        return dict(zip(wanted, answers, strict=True))

    async def one(self, key: str, question: Question) -> JsonObject:
        """Ask one question.

        Raises: RunError.
        """
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                answer = await self._send(question)
        except TimeoutError:
            message = f"the caller did not answer `{key}` in time"
            raise DeadlineError(message=message) from None
        except NoBackChannelError as error:
            raise _out_of_reach() from error
        except MCPError as error:
            message = self._masker(f"the caller could not answer `{key}`: {error.error.message}")
            raise RunError(code="not-answered", message=message[:300], status=400) from error
        except ValidationError as error:
            raise misfit(key) from error
        if not fits(question, answer):
            raise misfit(key)
        return answer

    async def _send(self, question: Question) -> JsonObject:
        body = request(question, self._masker)
        if self._meta is not None:
            body["params"]["_meta"] = dict(self._meta)
        metadata = ServerMessageMetadata(related_request_id=self._ctx.request_id)
        send = self._ctx.session.send_request
        if question.kind == "roots":
            roots = ListRootsRequest.model_validate(body, by_name=False)
            got: Any = await send(roots, ListRootsResult, metadata=metadata)
        elif question.kind == "sampling":
            sampling = CreateMessageRequest.model_validate(body, by_name=False)
            got = await send(sampling, CreateMessageResult, metadata=metadata)
        else:
            elicit = ElicitRequest.model_validate(body, by_name=False)
            got = await send(elicit, ElicitResult, metadata=metadata)
        dumped: JsonObject = got.model_dump(by_alias=True, mode="json", exclude_none=True)
        return dumped


def _out_of_reach() -> RunError:
    return RunError(
        code="client-cannot-answer",
        message="the caller cannot be asked over this transport",
        status=400,
    )

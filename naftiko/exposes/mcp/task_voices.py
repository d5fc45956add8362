"""What a run tells and asks while it is a task: progress, log messages, questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from naftiko.exposes.mcp.peer import DEFAULT_LEVEL, LEVELS
from naftiko.exposes.mcp.task import Task
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.run import Question
from naftiko.values import JsonObject, JsonValue

RELATED = "io.modelcontextprotocol/related-task"
"""Names, in `_meta`, the task that a message belongs to (2025-11-25)."""

_TOLD_FROM = LEVELS.index("info")


@dataclass(slots=True, kw_only=True)
class Voice:
    """What a run tells and asks, kept for whoever polls."""

    task: Task
    masker: Masker
    capabilities: Mapping[str, Any]

    async def progress(
        self, progress: float, total: float | None = None, message: str = ""
    ) -> None:
        """Tell who polls how far the run is, in words."""
        self.task.say(self.masker(message))

    async def log(self, level: str, data: JsonValue, logger: str) -> None:
        """Tell who polls, from `info` on."""
        if level in LEVELS and LEVELS.index(level) >= _TOLD_FROM:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            self.task.say(self.masker(text))

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, JsonObject]:
        """Ask who polls, and wait.

        Raises: as Task.ask does.
        """
        return await self.task.ask(questions, self.capabilities)


@dataclass(slots=True, kw_only=True)
class LegacyVoice(Voice):
    """The same, and what a caller of 2025-11-25 hears on its session's own stream."""

    connection: Any
    levels: Mapping[Any, str]
    token: str | int | None

    async def progress(
        self, progress: float, total: float | None = None, message: str = ""
    ) -> None:
        """Tell who polls; and who listens, under the token that the call gave."""
        await Voice.progress(self, progress, total, message)
        if self.token is None:
            return
        shown: Wire = {"progressToken": self.token, "progress": progress, **self._related()}
        if total is not None:
            shown["total"] = total
        if message:
            shown["message"] = message
        await self.connection.notify("notifications/progress", shown)

    async def log(self, level: str, data: JsonValue, logger: str) -> None:
        """Tell who polls; and who listens, from the level on that its session wants."""
        await Voice.log(self, level, data, logger)
        wanted = self.levels.get(self.connection, DEFAULT_LEVEL)
        if level not in LEVELS or LEVELS.index(level) < LEVELS.index(wanted):
            return
        shown: Wire = {"level": level, "data": mask_json(data, self.masker), **self._related()}
        if logger:
            shown["logger"] = logger
        await self.connection.notify("notifications/message", shown)

    def _related(self) -> Wire:
        return {"_meta": {RELATED: {"taskId": self.task.id}}}

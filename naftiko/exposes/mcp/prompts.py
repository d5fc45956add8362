"""Prompts of one adapter: what is listed, and the messages that a prompt becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, Prompt, PromptArgument

from naftiko.errors import did_you_mean
from naftiko.exposes.mcp.failures import guarded, refuse_failed
from naftiko.exposes.mcp.peer import NOBODY, Peer
from naftiko.exposes.mcp.responses import dump
from naftiko.exposes.mcp.tools import MAX_SHOWN
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.capability import McpAdapterPlan, PromptPlan
from naftiko.plan.judged import answer_scope
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run, Suspended
from naftiko.plan.tool_names import MAX_NAME
from naftiko.values import JsonObject, JsonValue, Missing


class PromptTable:
    """The prompts of one adapter, in the file's order."""

    def __init__(self, plan: McpAdapterPlan, masker: Masker) -> None:
        """Publish the prompts of the plan."""
        self._masker = masker
        self.publish(plan.prompts)

    def publish(self, prompts: Iterable[PromptPlan]) -> None:
        """Put these prompts in the place of those there are, at once for every caller.

        Whoever publishes says so to the clients: `Changes.list_changed("prompts")`.
        """
        table = {prompt.name: prompt for prompt in prompts}
        for prompt in table.values():
            prompt.inputs.prepare()
        self._prompts = table
        self.definitions = [self._definition(prompt) for prompt in table.values()]

    def __len__(self) -> int:
        """Count the prompts."""
        return len(self._prompts)

    def find(self, name: str) -> PromptPlan:
        """Return the prompt of that name.

        Raises: MCPError (-32602).
        """
        found = self._prompts.get(name)
        if found is not None:
            return found
        hint = did_you_mean(name[:MAX_NAME], self._prompts)
        message = f"unknown prompt `{name[:MAX_SHOWN]}`" + (f"; {hint}" if hint else "")
        if not self._prompts:
            message += "; there are none here"
        raise MCPError(code=INVALID_PARAMS, message=message)

    async def get(
        self, name: str, arguments: Mapping[str, str] | None, peer: Peer | None = None
    ) -> Wire:
        """Fill a prompt.

        Raises: MCPError: -32602 for an unknown prompt and for arguments that do not fit.
        """
        prompt = self.find(name)
        peer = peer or NOBODY
        run = peer.run({})

        async def fill() -> Wire:
            run.inputs = prompt.inputs.check(cast("JsonObject", dict(arguments or {})))
            messages = await self._messages(prompt, run)
            wire: Wire = {"messages": messages, "resultType": "complete"}
            if prompt.description:
                wire["description"] = self._masker(prompt.description)
            return wire

        what = f"the prompt `{name}`"
        try:
            return await guarded(what, fill, self._masker, {})
        except Suspended as suspended:
            questions = suspended.questions

            async def ask() -> Wire:
                return peer.suspended(questions, run, self._masker)

            return await guarded(what, ask, self._masker, {})

    async def _messages(self, prompt: PromptPlan, run: Run) -> list[JsonValue]:
        result = Result()
        if prompt.operation is not None:
            result = await prompt.operation.plan.run(run)
            refuse_failed(result, f"the prompt `{prompt.name}`")
            if prompt.messages is not None:
                await result.decoded()
        if prompt.messages is None:
            return _made(result)
        scope = answer_scope(run, result)
        found: list[JsonValue] = []
        for block in prompt.messages.blocks:
            content = block.render(scope)
            if content is not None:
                found.append({"role": block.role, "content": content})
        return found

    def _definition(self, prompt: PromptPlan) -> Prompt:
        return Prompt(
            name=prompt.name,
            title=self._masker(prompt.label) or None,
            description=self._masker(prompt.description or prompt.label) or None,
            arguments=[
                PromptArgument(
                    name=argument.name,
                    title=self._masker(argument.label) or None,
                    description=self._masker(argument.description) or None,
                    required=argument.required,
                )
                for argument in prompt.arguments
            ]
            or None,
        )


def _made(result: Result) -> list[JsonValue]:
    """Return messages out of an answer: a list of `{role, content}`, or one text."""
    value: Any = None if isinstance(result.value, Missing) else result.value
    if result.raw is not None:
        value = result.raw.decode("utf-8", "replace")
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]
    if isinstance(value, list) and value and all(map(_is_message, value)):
        return [{"role": item["role"], "content": _content(item["content"])} for item in value]
    text = value if isinstance(value, str) else dump(value)
    return [{"role": "user", "content": {"type": "text", "text": text}}]


def _is_message(item: object) -> bool:
    if not isinstance(item, dict) or item.get("role") not in ("user", "assistant"):
        return False
    content = item.get("content")
    return isinstance(content, str) or (isinstance(content, dict) and "type" in content)


def _content(content: Any) -> JsonValue:
    shown: JsonValue = {"type": "text", "text": content} if isinstance(content, str) else content
    return shown

"""What a run asks of its caller: which questions the caller can take, and whether answers fit.

A question becomes a request of MCP (`elicitation/create`, `sampling/createMessage`, `roots/list`),
sent to a legacy client, or handed to a modern one as `inputRequests`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageResult,
    ListRootsResult,
)
from pydantic import ValidationError

from naftiko.errors import RunError
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.inputs import compile_validator
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.run import Question
from naftiko.plan.schema_bounds import compare_for_ever, compares_items
from naftiko.values import JsonObject

METHODS = {
    "form": "elicitation/create",
    "url": "elicitation/create",
    "sampling": "sampling/createMessage",
    "roots": "roots/list",
}
MAX_TOKENS = 1000
"""Length of a sampled answer where the question does not say."""


class CannotAskError(RunError):
    """The caller cannot be asked what has to be asked; a `try` step may have another way.

    `missing` are the client capabilities that it takes: {"sampling": {}}.
    """

    def __init__(self, missing: JsonObject) -> None:
        """Keep what is missing."""
        modes = {name: isinstance(how, dict) and "url" in how for name, how in missing.items()}
        names = ", ".join(f"`{name}`{' of URLs' if url else ''}" for name, url in modes.items())
        super().__init__(
            code="client-cannot-answer", message=f"this needs a client with {names}", status=400
        )
        self.missing = missing

    def to_protocol(self) -> MCPError:
        """Return it as 2026-07-28 has it."""
        return MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message=self.message,
            data={"requiredCapabilities": self.missing},
        )


def needed(question: Question) -> dict[str, JsonObject]:
    """Return the client capability that a question takes: {"elicitation": {"url": {}}}."""
    if question.kind == "url":
        return {"elicitation": {"url": {}}}
    if question.kind == "form":
        return {"elicitation": {}}
    return {question.kind: {}}


def can_take(question: Question, capabilities: Mapping[str, Any]) -> bool:
    """Tell whether a client with these capabilities can be asked.

    An empty `elicitation` means forms (2025-11-25, client/elicitation).
    """
    if question.kind not in ("form", "url"):
        return capabilities.get(question.kind) is not None
    modes = capabilities.get("elicitation")
    if not isinstance(modes, Mapping):
        return False
    given = {name for name in ("form", "url") if modes.get(name) is not None}
    return question.kind in (given or {"form"})


def askable(
    questions: Mapping[str, Question], capabilities: Mapping[str, Any]
) -> dict[str, Question]:
    """Return the questions that this client can be asked; optional ones are left out.

    Raises: CannotAskError where it cannot be asked one that must be.
    """
    found: dict[str, Question] = {}
    missing: JsonObject = {}
    for key, question in questions.items():
        if can_take(question, capabilities):
            found[key] = question
        elif not question.optional:
            for name, how in needed(question).items():
                before = missing.get(name)
                missing[name] = {**(before if isinstance(before, dict) else {}), **how}
    if missing:
        raise CannotAskError(missing)
    return found


def request(question: Question, masker: Masker) -> Wire:
    """Return the request as MCP writes it: {"method": ..., "params": {...}}."""
    params = mask_json({**question.params}, masker)
    assert isinstance(params, dict)
    if question.kind == "url":
        params["mode"] = "url"
        params.setdefault("elicitationId", uuid.uuid4().hex)
    elif question.kind == "sampling":
        params.setdefault("maxTokens", MAX_TOKENS)
    elif question.kind == "form":
        params.setdefault("requestedSchema", {"type": "object", "properties": {}})
    return {"method": METHODS[question.kind], "params": params}


def fits(question: Question, answer: object) -> bool:
    """Tell whether an answer has the shape its question asks for."""
    if not isinstance(answer, dict):
        return False
    if question.kind in ("form", "url"):
        return _elicited(question, answer)
    model = CreateMessageResult if question.kind == "sampling" else ListRootsResult
    try:
        model.model_validate(answer, by_name=False)
    except ValidationError:
        return False
    return True


def _elicited(question: Question, answer: dict[str, Any]) -> bool:
    if answer.get("action") not in ("accept", "decline", "cancel"):
        return False
    if answer["action"] != "accept" or question.kind == "url":
        return True
    content = answer.get("content")
    if not isinstance(content, dict):
        return False
    schema = question.params.get("requestedSchema")
    if not isinstance(schema, dict):
        return True
    if compares_items(schema) and compare_for_ever(content):
        return False
    try:
        return bool(compile_validator(schema).is_valid(content))
    except ValueError:  # the file's schema is none: nothing can be held against the answer
        return True


def misfit(key: str) -> RunError:
    """Return the failure for an answer that does not fit its question."""
    return RunError(
        code="bad-answer",
        message=f"the answer to `{key}` is not of the form that was asked for",
        status=400,
    )

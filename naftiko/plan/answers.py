"""`responses` and `responseBinary` of a REST operation: what its answers are, in bytes or not.

Behaviour reference, sections 1.3 and 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Scalar
from naftiko.errors import ConsumedError, Problems
from naftiko.model.consumes import ConsumedHttpOperation, ConsumesHttp
from naftiko.model.exposes import ExposedOperation
from naftiko.plan.clients import Clients
from naftiko.plan.ports import Plan, Result
from naftiko.plan.run import Run
from naftiko.values import JsonObject, JsonValue

DEFAULT_MAX_BINARY_BYTES = 10 * 1024 * 1024

_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
    r"(?:\s*;\s*[A-Za-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$&^_.+-]+|\"[^\"\\]*\"))*"
)
_STATUS = re.compile(r"[1-5][0-9X]{2}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeclaredAnswers:
    """What the file says of an operation's answers.

    `documented` is OpenAPI's `responses`. `media_type` goes before what the API says, "" if
    nothing is declared in bytes; `status` takes the place of 200; `limit` says that bytes are
    bounded here, for the consumed operation does not do it.
    """

    documented: Mapping[str, JsonObject]
    media_type: str = ""
    status: int | None = None
    limited: bool = False

    def around(self, plan: Plan) -> Plan:
        """Return the plan, its good answers as declared."""
        if not self.media_type and self.status is None:
            return plan
        return BinaryPlan(
            plan=plan, media_type=self.media_type, status=self.status, limited=self.limited
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BinaryPlan:
    """A plan whose bytes have a declared media type and status."""

    plan: Plan
    media_type: str
    status: int | None
    limited: bool

    @property
    def calls(self) -> Sequence[str]:
        """Return what the plan within calls."""
        return self.plan.calls

    async def run(self, run: Run) -> Result:
        """Run the plan within; failures and answers that were mapped stay as they are.

        Raises: as that plan does; ConsumedError[response-too-large].
        """
        result = await self.plan.run(run)
        if result.failed or result.status >= 400 or result.raw is None:
            return result
        limit = DEFAULT_MAX_BINARY_BYTES if run.max_binary_bytes is None else run.max_binary_bytes
        if self.limited and len(result.raw) > limit:
            raise ConsumedError(
                code="response-too-large",
                message=f"Upstream response exceeded maxBinarySize (limit={limit} bytes)",
                status=500,
            )
        if self.media_type:
            result.media_type = self.media_type
        if self.status is not None and result.status == 200:
            result.status = self.status
        return result

    def explain(self) -> Sequence[str]:
        """Return the lines of the plan within, and what is declared."""
        status = f", status {self.status}" if self.status is not None else ""
        return [*self.plan.explain(), f"answers in bytes: {self.media_type or 'any'}{status}"]


def read_answers(
    operation: ExposedOperation, clients: Clients, problems: Problems
) -> DeclaredAnswers | None:
    """Return what an operation declares of its answers, None where it declares nothing."""
    short, long = operation.response_binary, operation.responses
    if short is not None and long is not None:
        problems.error(
            "conflicting-responses",
            f"`{operation.name}` has both `responses` and `responseBinary`",
            short.location,
            "keep one; `responses` says more",
        )
        return None
    consumed = _consumed(operation, clients)
    if short is not None:
        return _short(short, consumed, problems)
    return None if long is None else _long(long, consumed, problems)


def _short(
    node: MappingNode, consumed: ConsumedHttpOperation | None, problems: Problems
) -> DeclaredAnswers:
    media_type = _media_type(node.get("mediaType"), problems)
    status = node.get("status")
    value = status.value if isinstance(status, Scalar) else None
    number = value if isinstance(value, int) and not isinstance(value, bool) else 200
    if not 200 <= number <= 299:
        assert status is not None
        problems.error(
            "invalid-status",
            f"`status` of `responseBinary` is {number}, and good answers have 200 to 299",
            status.location,
        )
        number = 200
    description = node.get("description")
    text = description.text if isinstance(description, Scalar) else "The bytes."
    content: JsonObject = {media_type or "application/octet-stream": {"schema": {}}}
    return DeclaredAnswers(
        documented={str(number): {"description": text, "content": content}},
        media_type=_effective(media_type, consumed),
        status=None if number == 200 else number,
        limited=_limited(consumed),
    )


def _long(
    node: MappingNode, consumed: ConsumedHttpOperation | None, problems: Problems
) -> DeclaredAnswers:
    documented: dict[str, JsonObject] = {}
    binary = ""
    for key, spec in node.entries:
        if not isinstance(spec, MappingNode) or _STATUS.fullmatch(key.text) is None:
            continue  # the schema's findings say so
        description = spec.get("description")
        entry: JsonObject = {
            "description": description.text if isinstance(description, Scalar) else "An answer."
        }
        content = spec.get("content")
        if isinstance(content, MappingNode):
            described: JsonObject = {}
            for media_type, body in content.entries:
                plain: JsonValue = body.plain() if isinstance(body, MappingNode) else {}
                members = plain if isinstance(plain, dict) else {}
                schema = members.get("schema")
                described[media_type.text] = {"schema": schema if schema is not None else {}}
                is_good = key.text.startswith("2")
                if members.get("binary") is True and is_good and not binary:
                    binary = _media_type(media_type, problems)
            entry["content"] = described
        documented[key.text] = entry
    return DeclaredAnswers(
        documented=documented,
        media_type=_effective(binary, consumed),
        limited=bool(binary) and _limited(consumed),
    )


def _effective(media_type: str, consumed: ConsumedHttpOperation | None) -> str:
    """`outputMediaType` of the consumed operation goes first; a range such as `image/*` is none."""
    if consumed is not None and consumed.output_media_type is not None:
        return ""
    return "" if "*" in media_type else media_type


def _limited(consumed: ConsumedHttpOperation | None) -> bool:
    return consumed is None or consumed.output_raw_format != "binary"


def _media_type(node: object, problems: Problems) -> str:
    if not isinstance(node, Scalar):
        return ""
    text = node.text.strip()
    if _MEDIA_TYPE.fullmatch(text.replace("*", "x")):
        return text
    problems.warn(
        "invalid-media-type",
        f"`{text[:80]}` is no media type, so it is not sent",
        node.location,
        "write it like `image/png`",
    )
    return ""


def _consumed(operation: ExposedOperation, clients: Clients) -> ConsumedHttpOperation | None:
    """Return the consumed operation that is called, where it is one of an HTTP API."""
    if operation.call is None:
        return None
    namespace, _, name = operation.call.target.text.partition(".")
    entry = clients.consumes.get(namespace)
    if not isinstance(entry, ConsumesHttp):
        return None
    for resource in entry.resources:
        for item in resource.operations:
            if item.name == name:
                return item
    return None

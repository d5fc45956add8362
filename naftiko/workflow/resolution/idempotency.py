"""Whether a call may be repeated when nobody knows what became of it. Spec: section 6, rule 3."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.awsapi.catalog import service_model
from naftiko.values import JsonObject
from naftiko.workflow.resolution.members import is_token
from naftiko.workflow.resolution.words import words_of

if TYPE_CHECKING:
    from botocore.model import OperationModel

READ_VERBS = frozenset({"describe", "list", "get", "head", "query", "scan", "lookup", "search"})
READ_LEVELS = frozenset({"List", "Read"})
CREATE_VERBS = frozenset(
    [
        "create",
        "copy",
        "restore",
        "allocate",
        "import",
        "register",
        "publish",
        "put",
        "add",
        "authorize",
        "upload",
    ]
)
MADE_ANEW = frozenset({"get-activity-task", "receive-message"})
_EXISTS = ("alreadyexist", "exists", "duplicate")
_NOT_EXISTS = ("notexist", "doesnotexist", "noexist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """`kind` is read, token (with `member`), natural (with `exists_error`) or none."""

    kind: str
    member: str = ""
    exists_error: str = ""

    def to_json(self) -> JsonObject:
        """Return it as a plan has it; the compiler adds `observer` to a natural one."""
        if self.kind == "token":
            return {"kind": "token", "member": self.member}
        if self.kind == "natural":
            return {"kind": "natural", "exists_error": self.exists_error, "observer": None}
        return {"kind": self.kind}


def idempotency_of(
    service: str, operation: str, given: Collection[str], access_level: str | None = None
) -> Idempotency:
    """Return how a call that gives these members may be repeated.

    `access_level` is that of the IAM data, where it is known; else the verb decides on `read`.
    """
    model = service_model(service).operation_model(operation)
    if is_read(operation, access_level):
        return Idempotency(kind="read")
    members = model.input_shape.members if model.input_shape else {}
    token = sorted(name for name, shape in members.items() if is_token(shape))
    if token:
        return Idempotency(kind="token", member=token[0])
    code = exists_error(model)
    if code and _is_named(model, given):
        return Idempotency(kind="natural", exists_error=code)
    return Idempotency(kind="none")


def is_read(operation: str, access_level: str | None = None) -> bool:
    """Tell whether a call changes nothing."""
    words = words_of(operation)
    if "-".join(words) in MADE_ANEW:
        return False
    if access_level is not None:
        return access_level in READ_LEVELS
    return words[0] in READ_VERBS or words[:2] == ("batch", "get")


def exists_error(model: OperationModel) -> str:
    """Return the code of the one error that says "this exists already", or ""."""
    codes = sorted(
        str(shape.error_code)
        for shape in model.error_shapes
        if any(word in shape.name.lower() for word in _EXISTS)
        and not any(word in shape.name.lower() for word in _NOT_EXISTS)
    )
    return _own(codes, model) if codes else ""


def has_dry_run(service: str, operation: str) -> bool:
    """Tell whether AWS can say what a call would do (`DryRun`)."""
    shape = service_model(service).operation_model(operation).input_shape
    member = shape.members.get("DryRun") if shape is not None else None
    return member is not None and bool(member.type_name == "boolean")


def _own(codes: list[str], model: OperationModel) -> str:
    """Return the error about the thing that is made, where several tell that something exists."""
    words = set(words_of(model.name)[1:])
    mine = [code for code in codes if words & set(words_of(code))]
    if len(codes) == 1:
        return codes[0]
    return mine[0] if len(mine) == 1 else ""


def _is_named(model: OperationModel, given: Collection[str]) -> bool:
    """Tell whether the caller names what is made: a given member ends in Name or Identifier."""
    return words_of(model.name)[0] in CREATE_VERBS and any(
        words_of(name)[-1] in {"name", "identifier", "id", "label", "bucket", "alias"}
        for name in given
    )

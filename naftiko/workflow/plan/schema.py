"""The whitelist of the plan: every member, kind of operation, enumeration and limit.

docs/workflow-plan.md says what each means. What is not listed here is refused, so that the machine
meets nothing it was not made for. The first thing that is wrong is told, with its place.
"""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.values import JsonObject
from naftiko.workflow.plan.checks import (
    MAX_ITEMS,
    MAX_PAGE_ITEMS,
    Check,
    anything,
    boolean,
    either_by,
    list_of,
    map_of,
    number,
    object_of,
    one_of,
    or_null,
    pair_of,
    signature,
    text_of,
    whole,
)
from naftiko.workflow.plan.flow import check_flow
from naftiko.workflow.plan.trees import Wrong, check_tree, is_kind
from naftiko.workflow.types import KINDS

FORMAT = "naftiko.workflow/1"

MAX_OPERATIONS = 500
MAX_PARAMETERS = 50
MAX_CONCURRENCY = 10
MAX_WAIT_S = 3_600
MAX_DELAY_S = 900
MAX_ATTEMPTS = 10
MAX_POLLS = 200
MAX_TIMEOUT_S = 366 * 86_400
"""A year, as long as a Standard state machine may run."""

TIERS = ("community", "verified", "enterprise")
ACCESS_LEVELS = ("List", "Read", "Write", "Tagging", "Permissions management")
ROLES = ("publisher", "auditor")


class PlanError(ValueError):
    """A plan is not as the whitelist has it. The text says where and what."""


def check_plan(plan: JsonObject) -> None:
    """Check the form of a plan, and that all it refers to is there.

    Raises: PlanError: "execution_plan[2].interval: expected a whole number from 1 to 900, ..."
    """
    try:
        _PLAN(plan)
        check_flow(plan)
    except Wrong as error:
        where = error.where
        raise PlanError(f"{where}: {error.reason}" if where else error.reason) from None


_NAME = text_of(64, r"[a-z][a-z0-9_]{0,63}")
_WORKFLOW = text_of(64, r"[a-z][a-z0-9_]{2,63}")
_VERSION = text_of(30, r"(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8}))?")
_STEP = text_of(256, r"[a-z][a-z0-9_]*")
_OUTPUT = text_of(512, r"[A-Za-z][A-Za-z0-9_]*(?:(?:\.[A-Za-z0-9_-]+)|(?:\[\d{1,5}\]))*")
_MEMBER = text_of(128, r"[A-Za-z_][A-Za-z0-9_.-]*")
_PATH = text_of(512, r"[A-Za-z_][A-Za-z0-9_-]*(?:(?:\.[A-Za-z_][A-Za-z0-9_-]*)|(?:\[\d{1,5}\]))*")
_TOKEN_PATH = text_of(
    512, r"[A-Za-z_][A-Za-z0-9_-]*(?:(?:\.[A-Za-z_][A-Za-z0-9_-]*)|(?:\[(?:\d{1,5}|-1)\]))*"
)
"""Where an answer has the token of the next page: S3's is the last key, `Contents[-1].Key`."""

_SHA256 = text_of(71, r"sha256:[0-9a-f]{64}")
_ACTION = text_of(200, r"[a-z0-9-]+:[A-Za-z0-9*]+")
_KIND = one_of(*KINDS)
_CODE = text_of(200, r"[A-Za-z][A-Za-z0-9_.:-]*")
_TIMEOUT = whole(1, MAX_TIMEOUT_S)
KEY_ID = text_of(100, r"[A-Za-z0-9][A-Za-z0-9._@-]*")
"""How a key's id is written."""

_INPUT_KIND = one_of(*KINDS, *(f"{kind}!" for kind in KINDS))

_RETRY = object_of(
    {
        "max_attempts": whole(1, MAX_ATTEMPTS),
        "backoff": one_of("exponential", "linear", "fixed"),
        "initial_delay": whole(0, MAX_DELAY_S),
        "max_delay": whole(0, MAX_DELAY_S),
        "jitter": one_of("full", "none"),
        "retry_on": list_of(_CODE, most=50),
        "ambiguous": boolean,
    }
)

_PAGINATE = object_of(
    {
        "input": list_of(_PATH, least=1, most=10),
        "output": list_of(list_of(_TOKEN_PATH, least=1, most=10), least=1, most=10),
        "result": list_of(_PATH, least=1, most=20),
        "more": or_null(_PATH),
        "size": or_null(_PATH),
        "max_items": whole(1, MAX_PAGE_ITEMS),
        "page_size": or_null(whole(1, MAX_PAGE_ITEMS)),
    }
)


def _call_members(idempotency: Check) -> dict[str, Check]:
    return {
        "service": text_of(64, r"[a-z0-9][a-z0-9-]*"),
        "action": text_of(128, r"[a-z][a-z0-9-]*"),
        "operation": text_of(128, r"[A-Za-z][A-Za-z0-9_]*"),
        "input_mapping": map_of(_MEMBER, check_tree),
        "input_schema": map_of(_MEMBER, _INPUT_KIND),
        "select": map_of(_OUTPUT, _PATH),
        "output_schema": map_of(_PATH, _KIND),
        "fields": map_of(_OUTPUT, list_of(_MEMBER)),
        "access_level": one_of(*ACCESS_LEVELS),
        "permissions": list_of(_ACTION, most=50),
        "mutating": boolean,
        "idempotency": idempotency,
        "retry": _RETRY,
        "paginate": or_null(_PAGINATE),
        "region": or_null(check_tree),
        "sensitive": object_of({"input": list_of(_PATH), "output": list_of(_OUTPUT)}),
        "secret_read": boolean,
        "dry_run": boolean,
    }


_READ = either_by("kind", {"read": object_of({"kind": anything})})
_READING_CALL = object_of(_call_members(_READ))
"""A call that observes: of a POLL, or whether something was created."""

_OBSERVER = object_of(
    {
        "call": _READING_CALL,
        "vars": map_of(_NAME, _PATH),
        "created": or_null(_PATH),
    }
)

_CALL = _call_members(
    either_by(
        "kind",
        {
            "read": object_of({"kind": anything}),
            "none": object_of({"kind": anything}),
            "token": object_of({"kind": anything, "member": _MEMBER}),
            "natural": object_of(
                {"kind": anything, "exists_error": _CODE, "observer": or_null(_OBSERVER)}
            ),
        },
    )
)


_COMMON: dict[str, Check] = {
    "step_id": _STEP,
    "op": anything,  # told apart by it
    "guard": or_null(_STEP),
    "timeout": _TIMEOUT,
    "on_error": one_of("fail", "continue"),
    "next_step": or_null(_STEP),
    "at": pair_of(text_of(200, r"(?:recipe )?[A-Za-z0-9_.@-]+"), whole(1, 1_000_000)),
}

_SIMPLE: dict[str, dict[str, Check]] = {
    "AWS_CALL": _CALL,
    "POLL": {
        "call": _READING_CALL,
        "vars": map_of(_NAME, _PATH),
        "until": check_tree,
        "fail_when": or_null(check_tree),
        "max_attempts": whole(1, MAX_POLLS),
        "interval": whole(1, MAX_DELAY_S),
    },
    "FILTER": {"from": check_tree, "where": check_tree, "max_items": whole(1, MAX_ITEMS)},
    "WAIT": {"seconds": whole(0, MAX_WAIT_S)},
    "ASSERT": {"that": check_tree, "message": check_tree},
    "SET": {"values": map_of(_NAME, check_tree, most=100)},
    "CONDITION": {"dest": _STEP, "expr": check_tree},
}


def _operations(undo: Mapping[str, Check], undo_in_body: Mapping[str, Check]) -> Check:
    """Return the check of operations; those of rollback say what they undo."""
    in_body = {
        kind: object_of({**_COMMON, **members}, undo_in_body) for kind, members in _SIMPLE.items()
    }
    loop: dict[str, Check] = {
        "over": check_tree,
        "max_items": whole(1, MAX_ITEMS),
        "max_concurrency": whole(1, MAX_CONCURRENCY),
        "on_item_error": one_of("fail", "continue"),
        "body": list_of(either_by("op", in_body), least=1, most=MAX_OPERATIONS),
    }
    kinds = {
        kind: object_of({**_COMMON, **undo, **members})
        for kind, members in {**_SIMPLE, "FOR_EACH": loop}.items()
    }
    return list_of(either_by("op", kinds), most=MAX_OPERATIONS)


_UNDOES = {"undoes": or_null(_STEP)}
_HANDLER = object_of(
    {
        "handler": text_of(200, r"[^\x00-\x1f\x7f]+"),
        "steps": list_of(_STEP, most=MAX_OPERATIONS),
        "ops": _operations(_UNDOES, _UNDOES),
    }
)

_PARAMETER_SHAPE = object_of(
    {
        "name": _NAME,
        "type": one_of("string", "integer", "number", "boolean", "array", "object"),
        "required": boolean,
    },
    {
        "default": anything,
        "description": text_of(2_000),
        "pattern": text_of(1_000),
        "min": number(),
        "max": number(),
        "enum": list_of(anything, least=1, most=MAX_ITEMS),
        "items": one_of("string", "integer", "number", "boolean", "object"),
        "sensitive": boolean,
    },
)
_JSON_KINDS = {"array": "list", "object": "map"}


def _parameter(value: object) -> None:
    _PARAMETER_SHAPE(value)
    assert isinstance(value, dict)  # just checked
    kind = _JSON_KINDS.get(str(value["type"]), str(value["type"]))
    default = value.get("default")
    if default is not None and not is_kind(default, kind):
        raise Wrong(f"no {value['type']}").inside("default")


_METADATA = object_of(
    {
        "tier": one_of(*TIERS),
        "author": text_of(200),
        "license": text_of(200),
        "risk_score": number(0, 10),
        "risk": list_of(
            object_of(
                {
                    "step_id": _STEP,
                    "base": number(0, 10),
                    "add": list_of(pair_of(text_of(200), number(-10, 10)), most=50),
                }
            ),
            most=MAX_OPERATIONS * 2,
        ),
        "max_duration": _TIMEOUT,
        "max_steps": whole(1, MAX_OPERATIONS),
        "cache": boolean,
        "read_only": boolean,
        "services": list_of(text_of(64, r"[a-z0-9][a-z0-9-]*"), most=MAX_OPERATIONS),
        "required_permissions": list_of(_ACTION),
        "advisory_permissions": list_of(_ACTION),
        "permission_resources": map_of(_ACTION, anything),
        "embedding": object_of(
            {
                "primary_text": text_of(4_096),
                "use_cases": list_of(text_of(1_000), most=10),
                "services": list_of(text_of(100), most=MAX_OPERATIONS),
                "complexity": one_of("beginner", "intermediate", "advanced"),
                "risk_level": one_of("low", "medium", "high"),
            }
        ),
    }
)

_PLAN = object_of(
    {
        "format": one_of(FORMAT),
        "workflow_id": text_of(120, r"[a-z][a-z0-9_]*"),
        "name": _WORKFLOW,
        "version": _VERSION,
        "description": text_of(500),
        "type": one_of("primitive", "pattern", "application"),
        "checksum": _SHA256,
        "signatures": list_of(
            object_of(
                {
                    "key_id": KEY_ID,
                    "role": one_of(*ROLES),
                    "tier": one_of(*TIERS),
                    "alg": one_of("ed25519"),
                    "sig": signature,
                }
            ),
            most=20,
        ),
        "source": object_of(
            {
                "sha256": text_of(64, r"[0-9a-f]{64}"),
                "compiler": text_of(50),
                "botocore": text_of(50),
                "iam_data": _SHA256,
                "resolution": _SHA256,
            }
        ),
        "metadata": _METADATA,
        "parameters": list_of(_parameter, most=MAX_PARAMETERS),
        "nested": list_of(
            object_of({"name": _WORKFLOW, "version": _VERSION, "checksum": _SHA256}), most=500
        ),
        "execution_plan": _operations({}, {}),
        "rollback": list_of(_HANDLER, most=MAX_OPERATIONS),
        "outputs": map_of(_OUTPUT, check_tree),
    }
)

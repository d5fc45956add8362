"""Plans in few words."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.workflow.ast import Metadata, Parameter, Workflow
from naftiko.workflow.security.analysis import Analysis, analyse
from naftiko.workflow.security.iam import IamData

PATH = "w.yaml"


@lru_cache(maxsize=1)
def iam_data() -> IamData:
    return IamData.load()


def lit(value: object) -> dict[str, Any]:
    kinds = {str: "string", bool: "boolean", int: "integer", list: "list", dict: "map"}
    return {"lit": value, "t": kinds[type(value)]}


def param(name: str, t: str = "string") -> dict[str, Any]:
    return {"ref": ["params", name], "t": t}


def step(step_id: str, output: str, t: str = "string") -> dict[str, Any]:
    return {"ref": ["steps", step_id, output], "t": t}


def item(*path: str, t: str = "string") -> dict[str, Any]:
    return {"ref": ["item", *path], "t": t}


def call(step_id: str, name: str, /, **members: Any) -> dict[str, Any]:
    service, _, operation = name.partition(":")
    actions = iam_data().actions_of(service, operation, members)
    return {
        "step_id": step_id,
        "op": "AWS_CALL",
        "service": service,
        "operation": operation,
        "input_mapping": members,
        "input_schema": dict.fromkeys(members, "string"),
        "select": {},
        "output_schema": {},
        "mutating": bool(actions and not actions.is_read_only),
        "secret_read": bool(actions and actions.secret_read),
        "sensitive": {"input": [], "output": []},
        "region": None,
        "paginate": None,
        "idempotency": {"kind": "none"},
    }


def for_each(step_id: str, over: dict[str, Any], *body: dict[str, Any], cap: int = 50) -> Any:
    return {
        "step_id": step_id,
        "op": "FOR_EACH",
        "over": over,
        "max_items": cap,
        "body": list(body),
    }


def handler(*steps: str, ops: list[dict[str, Any]]) -> dict[str, Any]:
    return {"handler": "undo", "steps": list(steps), "ops": ops}


def workflow(tier: str = "verified", **more: Any) -> Workflow:
    claims: dict[str, Any] = {
        name: more.pop(name) for name in ("risk_score", "max_duration") if name in more
    }
    places = Mapping(
        tuple(
            (scalar(name, 1), scalar(str(name), line))
            for line, name in enumerate(("tier", "risk_score", "max_duration"), 2)
        ),
        Location(PATH, 1, 1),
    )
    return Workflow(
        name="demo",
        version="1.0",
        description="a demo",
        type_="primitive",
        location=Location(PATH, 1, 1),
        sha256="",
        metadata=Metadata(tier=tier, places=places, **claims),
        **more,
    )


def scalar(text: str, line: int) -> Scalar:
    return Scalar(text, text, Location(PATH, line, 5))


def parameter(name: str, type_: str = "string", **more: Any) -> Parameter:
    return Parameter(name=name, type_=type_, location=Location(PATH, 40, 3), **more)


def place(step_id: str, member: str | None) -> Location:
    """Steps stand in line 10, members in line 11: enough to tell the two apart."""
    return Location(PATH, 11 if member else 10, 1)


def analysed(
    ops: list[dict[str, Any]],
    source: Workflow | None = None,
    *,
    rollback: list[dict[str, Any]] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    outputs: dict[str, Any] | None = None,
) -> tuple[list[str], Analysis]:
    problems = Problems()
    found = analyse(
        source or workflow(),
        ops,
        rollback or [],
        parameters=parameters or [],
        outputs=outputs or {},
        data=iam_data(),
        place=place,
        problems=problems,
    )
    shown = [
        f"{problem.location.line} {problem.severity.label} {problem.code} {problem.message}"
        + (f" | {problem.hint}" if problem.hint else "")
        for problem in problems
    ]
    return shown, found


def as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)

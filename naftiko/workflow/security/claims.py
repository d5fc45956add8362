"""Does a plan say of its calls what is true? A signature says who wrote it, not that it is so.

The tier of a plan, its isolation and what is confirmed follow from what it says of each call:
`access_level`, `mutating`, `secret_read`. A key that may only sign community plans could call
DeleteDBInstance a `List`. So these are compared with the engine's own permission data, never with
that of the catalog in which the plan lies.
"""

from __future__ import annotations

import re
from functools import cache

from naftiko.values import JsonObject
from naftiko.workflow.plan import walk
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.resolution.idempotency import is_read
from naftiko.workflow.security.iam import LEVELS, IamData

MAX_KEPT = 1_024
_good: set[str] = set()
"""Checksums of plans that were found to say what is true."""

_READING = re.compile(r"(BatchGet|Describe|Get|Head|List|Lookup|Query|Scan|Search)(?![a-z])")


def check_claims(plan: JsonObject) -> None:
    """Check every call of a plan whose operations are known to exist.

    A call may be taken for more than it is, not for less. Of an operation that the data does not
    know, the name has to say that it reads.

    Raises: IntegrityError.
    """
    for operation in walk.all_operations(plan):
        for _, call in walk.calls(operation):
            reason = _understated(call)
            if reason is not None:
                name = f"{call['service']} {call['operation']}"
                raise IntegrityError(f"the plan says of `{name}` that it {reason}")


def check_claims_once(plan: JsonObject) -> None:
    """Check a verified plan, the same one only once in a process.

    Raises: IntegrityError.
    """
    total = str(plan["checksum"])
    if total in _good:
        return
    check_claims(plan)
    if len(_good) >= MAX_KEPT:
        _good.clear()
    _good.add(total)


@cache
def _data() -> IamData:
    return IamData.load()


def _understated(call: JsonObject) -> str | None:
    service, name, level = str(call["service"]), str(call["operation"]), str(call["access_level"])
    actions = _data().actions_of(service, name, walk.mapping(call["input_mapping"]))
    if actions is None:
        reads = level in {"List", "Read"} or call["mutating"] is False
        if reads and not _READING.match(name):
            return "reads, and nothing is known that tells so"
        return None
    if LEVELS.index(actions.level) > LEVELS.index(level):
        return f"is of the access level {level}, and it is of {actions.level}"
    if call["mutating"] is False and not is_read(name, actions.level):
        return "changes nothing, and it does"
    if actions.secret_read and call["secret_read"] is False:
        return "reads no secret, and it does"
    return None

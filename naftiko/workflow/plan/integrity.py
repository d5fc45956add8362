"""May this plan run? Spec: section 5, "Trust store".

`load_plan` is for bytes from anywhere; `verify` comes before every execution.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from naftiko.values import JsonObject
from naftiko.workflow.plan import walk
from naftiko.workflow.plan.canonical import CanonicalError, checksum, parse_canonical
from naftiko.workflow.plan.refused import IntegrityError, PlanDrift
from naftiko.workflow.plan.schema import FORMAT, PlanError, check_plan
from naftiko.workflow.plan.signing import is_signature_of, signed_text
from naftiko.workflow.plan.trust import TrustStore

__all__ = ["IntegrityError", "PlanDrift", "Verified", "check_tier", "load_plan", "verify"]

READING_LEVELS = frozenset(("List", "Read"))
MAX_DURATION_S = {"community": 300, "verified": 1_800}
MAX_RISK = {"community": 3.0, "verified": 7.0}

MAX_GOOD = 1_000
_AS_IT_IS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_good: set[bytes] = set()
"""Digests of plans whose content was found good. The same content is: checking it takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A plan that may run. `signers` are the ids of the keys that counted; none: unsigned, dev."""

    plan: JsonObject
    checksum: str
    tier: str
    signers: tuple[str, ...] = ()

    @property
    def is_signed(self) -> bool:
        """Tell whether a publisher stands for it."""
        return bool(self.signers)


def load_plan(data: bytes) -> JsonObject:
    """Return the plan that a file holds: its canonical form, with or without the line feed.

    Raises: IntegrityError: size, canonical form, format, whitelist or checksum.
    """
    try:
        plan = parse_canonical(data.removesuffix(b"\n"))
    except CanonicalError as error:
        raise IntegrityError(f"the plan cannot be read: {error}") from None
    _check_content(plan)
    return plan


def verify(
    plan: JsonObject,
    trust: TrustStore,
    *,
    now: datetime,
    dev: bool = False,
    endpoint_is_loopback: bool = False,
) -> Verified:
    """Check a plan right before it runs, all of it once more: memory is not the file.

    Every signature it carries must be a good one of a known key; those of revoked keys and of keys
    outside their time do not count. A publisher must remain, and for enterprise an auditor beside
    that publisher. An unsigned plan runs only with `dev` and an endpoint on this machine.

    Raises: IntegrityError.
    """
    _check_content(plan)
    total, tier = str(plan["checksum"]), str(walk.mapping(plan["metadata"])["tier"])
    if trust.is_revoked(total):
        reason = trust.revoked_checksums[total].reason
        raise IntegrityError("the plan has been revoked" + (f": {reason}" if reason else ""))
    check_tier(plan)
    signatures = walk.objects(plan["signatures"])
    if not signatures:
        _check_unsigned(dev=dev, endpoint_is_loopback=endpoint_is_loopback)
        return Verified(plan=plan, checksum=total, tier=tier)
    counted: dict[str, list[str]] = {"publisher": [], "auditor": []}
    reasons: list[str] = []
    for signature in signatures:
        excuse = _check_signature(signature, total, tier, trust, now)
        if excuse is None:
            counted[str(signature["role"])].append(str(signature["key_id"]))
        else:
            reasons.append(excuse)
    signers = _signers(tier, counted, reasons)
    return Verified(plan=plan, checksum=total, tier=tier, signers=signers)


def _check_content(plan: JsonObject) -> None:
    mark = _mark(plan)
    if mark in _good:
        return
    _check_whole_content(plan)
    if mark is not None:
        if len(_good) >= MAX_GOOD:
            _good.clear()
        _good.add(mark)


def _mark(plan: JsonObject) -> bytes | None:
    """Return a digest of all that a plan says; None of what is no JSON."""
    try:
        return hashlib.sha256(orjson.dumps(plan, option=_AS_IT_IS)).digest()
    except orjson.JSONEncodeError:
        return None


def _check_whole_content(plan: JsonObject) -> None:
    if plan.get("format") != FORMAT:
        raise IntegrityError(f"the format is not `{FORMAT}`")
    try:
        check_plan(plan)
        total = checksum(plan)
    except (PlanError, CanonicalError) as error:
        raise IntegrityError(f"the plan is not well formed: {error}") from None
    if plan["checksum"] != total:
        raise IntegrityError("the checksum is not that of the plan")


def _check_unsigned(*, dev: bool, endpoint_is_loopback: bool) -> None:
    if dev and endpoint_is_loopback:
        return
    wanted = "an `endpoint_url` on this machine" if dev else "`dev: true`"
    raise IntegrityError(
        "the plan is not signed", hint=f"sign it, or try it out with {wanted}, against a sandbox"
    )


def _check_signature(
    signature: JsonObject, total: str, tier: str, trust: TrustStore, now: datetime
) -> str | None:
    """Return why a good signature does not count; None where it does.

    Raises: IntegrityError: it is no good one.
    """
    key_id, role = str(signature["key_id"]), str(signature["role"])
    key = trust.publishers.get(key_id)
    if key is None:
        raise IntegrityError(
            f"the plan is signed by `{key_id}`, which the trust store does not know"
        )
    if signature["tier"] != tier:
        raise IntegrityError(f"the signature of `{key_id}` is not for the tier `{tier}`")
    text = signed_text(total, role, tier)
    if not is_signature_of(key.public_key, str(signature["sig"]), text):
        raise IntegrityError(f"the signature of `{key_id}` is not one of this plan")
    if key_id in trust.revoked_keys:
        return f"the key `{key_id}` has been revoked"
    if not key.is_valid_at(now):
        return f"the key `{key_id}` is not valid at this time"
    if role not in key.roles or tier not in key.tiers:
        return f"the key `{key_id}` may not sign `{tier}` plans as {role}"
    return None


def _signers(tier: str, counted: dict[str, list[str]], reasons: Sequence[str]) -> tuple[str, ...]:
    because = f": {'; '.join(reasons)}" if reasons else ""
    publishers, auditors = counted["publisher"], counted["auditor"]
    if not publishers:
        raise IntegrityError(f"no publisher's signature counts{because}")
    if tier != "enterprise":
        return tuple(publishers)
    if not auditors:
        raise IntegrityError(f"an enterprise plan needs an auditor's signature as well{because}")
    if len({*publishers, *auditors}) < 2:
        raise IntegrityError("publisher and auditor of an enterprise plan are the same key")
    return (*publishers, *(one for one in auditors if one not in publishers))


def check_tier(plan: JsonObject) -> None:
    """Check that a plan stays inside its tier, whatever was signed. Spec: section 7.

    Raises: IntegrityError.
    """
    metadata = walk.mapping(plan["metadata"])
    tier = str(metadata["tier"])
    if tier not in MAX_RISK:
        return
    duration, risk = metadata["max_duration"], metadata["risk_score"]
    assert isinstance(duration, int)  # the whitelist
    assert isinstance(risk, int | float)
    if duration > MAX_DURATION_S[tier]:
        raise IntegrityError(f"a {tier} plan may take {MAX_DURATION_S[tier]} s, not {duration} s")
    if risk > MAX_RISK[tier]:
        raise IntegrityError(f"the risk of a {tier} plan is at most {MAX_RISK[tier]}, not {risk}")
    covered = {step for one in walk.objects(plan["rollback"]) for step in walk.texts(one["steps"])}
    for operation in walk.objects(plan["execution_plan"]):
        is_covered = operation["step_id"] in covered
        for inner in walk.operations([operation]):
            _check_levels(inner, tier, is_covered=is_covered or inner["step_id"] in covered)
    for operation in walk.operations(walk.handler_operations(plan)):
        _check_levels(operation, tier, is_covered=True)


def _check_levels(operation: JsonObject, tier: str, *, is_covered: bool) -> None:
    for _, call in walk.calls(operation):
        level, name = str(call["access_level"]), f"{call['service']} {call['operation']}"
        if tier == "community":
            if level not in READING_LEVELS or call["mutating"] or call["secret_read"]:
                raise IntegrityError(f"a community plan may not call `{name}`")
        elif level == "Permissions management" and not is_covered:
            raise IntegrityError(f"a {tier} plan may call `{name}` only with a rollback for it")

"""Asks AWS, before a plan starts, whether the caller may do all that it needs.

Spec: section 7, "Runtime check": the simulator of IAM where it may be asked, else the caller's own
policies as far as they can be read. What is not certain is never taken for allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsFailure, AwsRequest, CallAws, Clock, Principal
from naftiko.workflow.security.policies import Decision, Policies, decide
from naftiko.workflow.security.policy_reader import AwsIam, read_policies
from naftiko.workflow.security.resources import fill

BATCH = 50
"""How many actions one question to the simulator has."""

CACHE_S = 300
CACHE_SIZE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionResult:
    """What came of the check.

    `status` is allowed, denied, unknown or off. `missing` are the actions that AWS refuses,
    `undecided` those of which nothing is certain. `source` is root, simulator, policies or none.
    `proceeds`: whether the plan may start; `warning` is to be shown if it does all the same.
    """

    status: str
    missing: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    source: str = "none"
    proceeds: bool = True
    warning: str = ""
    lasts: bool = True
    """Whether AWS would say the same again: not where it did not answer."""

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        if self.status == "denied":
            return f"the caller lacks {', '.join(self.missing)}"
        if self.status == "unknown":
            return f"whether the caller has {', '.join(self.undecided)} cannot be told"
        return "the caller has all permissions" if self.status == "allowed" else "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a plan needs: parts of its `metadata`, and the parameters of this run."""

    checksum: str
    required: Sequence[str]
    resources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: JsonObject = field(default_factory=dict)
    read_only: bool = False


@dataclass(slots=True)
class _Verdict:
    missing: set[str] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)
    source: str = "none"
    lasts: bool = True


@dataclass(slots=True, kw_only=True)
class PermissionChecker:
    """Checks permissions, and remembers the answers for 300 s.

    `mode` is enforce, warn or off; `on_indeterminate` fail or proceed (configuration).
    """

    call: CallAws
    clock: Clock
    mode: str = "enforce"
    on_indeterminate: str = "fail"
    _cache: dict[str, tuple[float, _Verdict]] = field(default_factory=dict)

    async def check(self, question: Question, principal: Principal) -> PermissionResult:
        """Tell whether the principal may do what the plan needs. Never raises for AWS's answers."""
        if self.mode == "off":
            return PermissionResult(status="off")
        if not question.required:
            return PermissionResult(status="allowed")
        asked = dict(_asked(question, principal))
        key = _key(question.checksum, principal, asked)
        now = self.clock.monotonic()
        known = self._cache.get(key)
        if known is None or now - known[0] >= CACHE_S:
            known = (now, await _ask(AwsIam(call=self.call), asked, principal))
            self._remember(key, known)
        return self._result(known[1], question)

    async def check_all(
        self, questions: Sequence[Question], principal: Principal
    ) -> list[PermissionResult]:
        """Tell the same of several plans, whose resources and parameters do not count.

        AWS is asked once for all actions of those of which it is not known, fifty at a time.
        """
        if self.mode == "off":
            return [PermissionResult(status="off") for _ in questions]
        now = self.clock.monotonic()
        plain = [replace(one, resources={}, parameters={}) for one in questions]
        keys = [_key(one.checksum, principal, dict(_asked(one, principal))) for one in plain]
        verdicts = {
            key: kept[1]
            for key in keys
            if (kept := self._cache.get(key)) is not None and now - kept[0] < CACHE_S
        }
        rest = [(key, one) for key, one in zip(keys, plain, strict=True) if key not in verdicts]
        union = sorted({action for _, one in rest for action in one.required})
        if union:
            asked: dict[str, tuple[str, ...]] = dict.fromkeys(union, ())
            whole = await _ask(AwsIam(call=self.call), asked, principal)
            for key, one in rest:
                verdicts[key] = _part(whole, one.required)
                self._remember(key, (now, verdicts[key]))
        allowed = _Verdict()
        return [
            self._result(verdicts.get(key, allowed), one)
            for key, one in zip(keys, plain, strict=True)
        ]

    def _remember(self, key: str, known: tuple[float, _Verdict]) -> None:
        self._cache.pop(key, None)
        if not known[1].lasts:
            return
        if len(self._cache) >= CACHE_SIZE:
            self._cache.pop(next(iter(self._cache)))
        self._cache[key] = known

    def _result(self, verdict: _Verdict, question: Question) -> PermissionResult:
        status = "denied" if verdict.missing else "unknown" if verdict.undecided else "allowed"
        result = PermissionResult(
            status=status,
            missing=tuple(sorted(verdict.missing)),
            undecided=tuple(sorted(verdict.undecided)),
            source=verdict.source,
            lasts=verdict.lasts,
        )
        if status == "allowed":
            return result
        is_bearable = status == "unknown" and (
            question.read_only or self.on_indeterminate == "proceed"
        )
        proceeds = self.mode == "warn" or is_bearable
        return replace(result, proceeds=proceeds, warning=result.message if proceeds else "")


async def identify(call: CallAws, region: str) -> Principal:
    """Return as whom AWS is called.

    Raises: AwsFailure.
    """
    answer = await call(
        AwsRequest(service="sts", operation="GetCallerIdentity", members={}, mutating=False)
    )
    arn = str(answer.output.get("Arn", ""))
    return Principal(
        account_id=str(answer.output.get("Account", "")),
        arn=arn,
        region=region,
        partition=arn.split(":")[1] if arn.startswith("arn:") else "aws",
    )


def _asked(question: Question, principal: Principal) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each action with the ARNs it is wanted for; none: anything."""
    for action in sorted(set(question.required)):
        templates = question.resources.get(action, ())
        arns = [arn for text in templates for arn in fill(text, question.parameters, principal)]
        yield action, tuple(sorted(set(arns)))


def _key(checksum: str, principal: Principal, asked: Mapping[str, Sequence[str]]) -> str:
    """The parameters decide about the resources: another resource is another question."""
    text = orjson.dumps([checksum, principal.arn, principal.region, sorted(asked.items())])
    return hashlib.sha256(text).hexdigest()


async def _ask(iam: AwsIam, asked: Mapping[str, tuple[str, ...]], principal: Principal) -> _Verdict:
    if principal.arn.endswith(":root") and ":iam:" in principal.arn:
        return _Verdict(source="root")
    source = await iam.source_arn(principal)
    if source is None:
        return _Verdict(undecided=set(asked))
    context = {"aws:RequestedRegion": principal.region, "aws:PrincipalArn": source}
    try:
        return await _simulate(iam, asked, source, context)
    except AwsFailure:
        policies = await read_policies(iam, source)
    owned = {action: tuple(_own(arn, principal) for arn in arns) for action, arns in asked.items()}
    return _evaluate(policies, owned, context, lasts=iam.was_answered)


def _part(whole: _Verdict, actions: Iterable[str]) -> _Verdict:
    """Return what a verdict says of some of its actions."""
    names = set(actions)
    return replace(whole, missing=whole.missing & names, undecided=whole.undecided & names)


def _own(arn: str, principal: Principal) -> str:
    """Take what lies in any account and region for the caller's, whom policies mostly speak of."""
    parts = arn.split(":", 5)
    if len(parts) == 6:
        parts[3] = principal.region if parts[3] == "*" else parts[3]
        parts[4] = principal.account_id if parts[4] == "*" else parts[4]
    return ":".join(parts)


async def _simulate(
    iam: AwsIam, asked: Mapping[str, tuple[str, ...]], source: str, context: Mapping[str, str]
) -> _Verdict:
    verdict = _Verdict(source="simulator", undecided=set(asked))
    groups: dict[tuple[str, ...], list[str]] = {}
    for action, arns in asked.items():
        known = tuple(arn for arn in arns if "*" not in arn)
        groups.setdefault(known, []).append(action)
    for arns, actions in sorted(groups.items()):
        for batch in _batches(actions):
            members: JsonObject = {
                "PolicySourceArn": source,
                "ActionNames": list(batch),
                "ContextEntries": [
                    {
                        "ContextKeyName": name,
                        "ContextKeyValues": [value],
                        "ContextKeyType": "string",
                    }
                    for name, value in context.items()
                ],
            }
            if arns:
                members["ResourceArns"] = list(arns)
            rows = await iam.pages("SimulatePrincipalPolicy", members, "EvaluationResults")
            _read_results(rows, batch, verdict)
    return verdict


def _batches(actions: Sequence[str]) -> Iterator[Sequence[str]]:
    return (actions[start : start + BATCH] for start in range(0, len(actions), BATCH))


def _read_results(rows: Iterable[JsonValue], batch: Sequence[str], verdict: _Verdict) -> None:
    """An action is allowed if every line about it says so; without a line nothing is certain."""
    names = {action.lower(): action for action in batch}
    decisions: dict[str, list[Decision]] = {}
    for row in rows:
        if not isinstance(row, dict):
            continue
        action = names.get(str(row.get("EvalActionName", "")).lower())
        if action is not None:
            decisions.setdefault(action, []).extend(_decisions(row))
    for action, found in decisions.items():
        if any(decision.is_denial for decision in found):
            verdict.missing.add(action)
        if found and all(decision is not Decision.UNKNOWN for decision in found):
            verdict.undecided.discard(action)
    verdict.undecided -= verdict.missing


def _decisions(row: JsonObject) -> Iterator[Decision]:
    missing = row.get("MissingContextValues")
    yield _decision(row.get("EvalDecision"), missing)
    specific = row.get("ResourceSpecificResults")
    for inner in specific if isinstance(specific, list) else ():
        if isinstance(inner, dict):
            values = inner.get("MissingContextValues") or missing
            yield _decision(inner.get("EvalResourceDecision"), values)


def _decision(text: JsonValue, missing: JsonValue) -> Decision:
    if text == "allowed":
        return Decision.ALLOWED
    if text in {"explicitDeny", "implicitDeny"} and not missing:
        return Decision.DENIED
    return Decision.UNKNOWN


def _evaluate(
    policies: Policies,
    asked: Mapping[str, tuple[str, ...]],
    context: Mapping[str, str],
    *,
    lasts: bool,
) -> _Verdict:
    verdict = _Verdict(source="policies", lasts=lasts)
    lowered = {name.lower(): value for name, value in context.items()}
    for action, arns in asked.items():
        found = [decide(policies, action, arn, lowered) for arn in arns or ("*",)]
        if any(decision.is_denial for decision in found):
            verdict.missing.add(action)
        elif any(decision is Decision.UNKNOWN for decision in found):
            verdict.undecided.add(action)
    return verdict

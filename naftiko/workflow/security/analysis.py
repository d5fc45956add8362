"""Plan operations -> what is wrong with them by their tier, and what they need. Compiler stage 5.

Spec: section 4, WF401-WF432, and section 7. Each finding stands where the source says it: `place`
gives the location of a step, or of one of its members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.ast import Workflow
from naftiko.workflow.ports import is_region
from naftiko.workflow.security.calls import (
    Call,
    Operation,
    Origins,
    Tree,
    calls_of,
    flat,
    identifiers,
    rollback_calls,
    undone_steps,
)
from naftiko.workflow.security.dataflow import check_flow
from naftiko.workflow.security.iam import Actions, IamData
from naftiko.workflow.security.literals import constants, credential_in, is_secret_member
from naftiko.workflow.security.resources import permission_resources
from naftiko.workflow.security.risk import Risk, assess, is_wide
from naftiko.workflow.security.tiers import TIERS, Tier

Place = Callable[[str, "str | None"], Location]
"""(step_id, input member or None) -> where the source says it."""

MAX_ITEMS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the analysis found out: goes into the plan's `metadata`."""

    risk: Risk
    required_permissions: tuple[str, ...]
    advisory_permissions: tuple[str, ...]
    permission_resources: Mapping[str, Sequence[str]]
    services: tuple[str, ...]
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is analysed: parts of a plan, shaped as docs/workflow-plan.md says."""

    workflow: Workflow
    ops: Sequence[Operation]
    rollback: Sequence[Mapping[str, Any]]
    parameters: Sequence[JsonObject]
    outputs: Mapping[str, Tree]
    place: Place
    origins: Origins
    undone: frozenset[str] = field(default=frozenset())

    @property
    def tier(self) -> Tier:
        """The limits it claims to keep to."""
        return TIERS[self.workflow.metadata.tier]

    @property
    def tier_name(self) -> str:
        """The name of its tier."""
        return self.workflow.metadata.tier

    def claim(self, name: str) -> Location:
        """Return where the metadata says something."""
        return self.workflow.metadata.at(name, self.workflow.location)


def analyse(
    workflow: Workflow,
    ops: Sequence[Operation],
    rollback: Sequence[Mapping[str, Any]],
    *,
    parameters: Sequence[JsonObject],
    outputs: Mapping[str, Tree],
    data: IamData,
    place: Place,
    problems: Problems,
) -> Analysis:
    """Check the operations of a plan against its tier; report WF401-WF432."""
    subject = Subject(
        workflow=workflow,
        ops=ops,
        rollback=rollback,
        parameters=parameters,
        outputs=outputs,
        place=place,
        origins=Origins.of(ops),
        undone=undone_steps(rollback, ops),
    )
    calls = [*calls_of(ops, observers=True), *rollback_calls(rollback, observers=True)]
    known: list[tuple[Call, Actions]] = []
    for call in calls:
        actions = data.actions_of(call.service, call.operation, call.members)
        if actions is None:
            _unknown(subject, call, data, problems)
            continue
        known.append((call, actions))
        _check_call(subject, call, actions, problems)
    _check_literals(subject, calls, problems)
    check_flow(ops, outputs, parameters, calls, place, problems)
    _check_regions(subject, calls, problems)
    _check_fan_out(subject, problems)
    risk = assess(ops, rollback, data)
    _check_limits(subject, risk, problems)
    required = {action for _, actions in known for action in actions.required}
    advisory = {action for _, actions in known for action in actions.advisory}
    _check_permissions(workflow, required, advisory, problems)
    return Analysis(
        risk=risk,
        required_permissions=tuple(sorted(required)),
        advisory_permissions=tuple(sorted(advisory - required)),
        permission_resources=permission_resources(calls, data),
        services=tuple(sorted({call.service for call in calls})),
        read_only=all(actions.is_read_only for _, actions in known) and len(known) == len(calls),
    )


def _unknown(subject: Subject, call: Call, data: IamData, problems: Problems) -> None:
    problems.error(
        "WF401",
        f"no IAM action is known for `{call.service}:{call.operation}`",
        subject.place(call.step_id, None),
        data.hint(call.service, call.operation),
    )


def _check_call(subject: Subject, call: Call, actions: Actions, problems: Problems) -> None:
    at = subject.place(call.step_id, None)
    name, tier = f"{call.service}:{call.operation}", subject.tier
    is_guarded = call.step_id in subject.undone or call.is_rollback
    if actions.level not in tier.levels and not (actions.level in tier.guarded and is_guarded):
        _report_level(subject, name, actions, at, problems)
    if actions.secret_read and not tier.reads_secrets:
        problems.error(
            "WF403",
            f"`{name}` reads a secret, which tier `{subject.tier_name}` may not",
            at,
            "tiers `verified` and `enterprise` may",
        )
    if actions.denied and not tier.allows_denied:
        problems.error(
            "WF408",
            f"`{name}` is denied in tier `{subject.tier_name}`: it closes accounts, opens "
            "them to others, or stops what watches over them",
            at,
            "only tier `enterprise` may call it",
        )
    if actions.destroys:
        _check_target(subject, call, name, problems)
    is_rolled_back = is_guarded or call.is_observer
    if tier.wants_rollback and _creates(call, actions) and not is_rolled_back:
        problems.warn(
            "WF420",
            f"nothing takes back what `{name}` creates if a later step fails",
            at,
            f"add a `rollback` item whose `steps` has `{call.step_id}`"
            if call.cap is None
            else "add a `rollback` item that covers the loop and takes back all that it made",
        )


def _report_level(
    subject: Subject, name: str, actions: Actions, at: Location, problems: Problems
) -> None:
    if actions.level in subject.tier.guarded:
        hint = "a `rollback` item that takes it back allows it"
    else:
        allowing = [
            tier for tier, row in TIERS.items() if actions.level in row.levels | row.guarded
        ]
        hint = "allowed in " + ", ".join(f"`{tier}`" for tier in allowing)
    problems.error(
        "WF402",
        f"`{name}` has the access level {actions.level}, which tier `{subject.tier_name}` may not "
        "use",
        at,
        hint,
    )


def _creates(call: Call, actions: Actions) -> bool:
    """Tell whether a call leaves something behind that was not there. A started thing ends."""
    if actions.is_read_only or actions.destroys or actions.ends or actions.level == "Tagging":
        return False
    return call.is_create and not call.operation.startswith("Start")


def _check_target(subject: Subject, call: Call, name: str, problems: Problems) -> None:
    if not call.has_target:
        problems.error(
            "WF406",
            f"`{name}` destroys, and no member says what",
            subject.place(call.step_id, None),
            "name the one thing that is to go",
        )
    elif is_wide(call):
        problems.error(
            "WF406",
            f"`{name}` destroys whatever a wildcard meets",
            subject.place(call.step_id, None),
            "name the one thing that is to go",
        )


def _check_literals(subject: Subject, calls: Iterable[Call], problems: Problems) -> None:
    for call in calls:
        sensitive = set(call.call.get("sensitive", {}).get("input", ()))
        for member, tree in call.members.items():
            at = subject.place(call.step_id, member)
            is_secret = member in sensitive and is_secret_member(member)
            kind = _credential(tree) or ("a secret" if is_secret and _is_constant(tree) else None)
            _report_literal(kind, f"member `{member}`", at, problems)
    for step_id, name, tree in _other_trees(subject):
        at = subject.place(step_id, None) if step_id else subject.workflow.location
        _report_literal(_credential(tree), f"`{name}`", at, problems)
    places = {parameter.name: parameter.location for parameter in subject.workflow.parameters}
    for parameter in subject.parameters:
        name, default = str(parameter["name"]), parameter.get("default")
        kind = _credential({"lit": default})
        if parameter.get("sensitive") and isinstance(default, str) and default:
            kind = kind or "a secret"
        at = places.get(name, subject.workflow.location)
        _report_literal(kind, f"the default of parameter `{name}`", at, problems)


def _report_literal(kind: str | None, where: str, at: Location, problems: Problems) -> None:
    if kind is not None:
        problems.error(
            "WF407",
            f"{where} holds {kind} as a constant",
            at,
            "keep it in Secrets Manager or pass it as a parameter with `sensitive: true`",
        )


def _other_trees(subject: Subject) -> Iterator[tuple[str, str, Tree]]:
    """Yield (step, name, tree) of what is no input member: conditions, values, messages."""
    for op in flat(subject.ops):
        for name in ("expr", "until", "fail_when", "where", "that", "message", "over", "from"):
            if isinstance(op.get(name), Mapping):
                yield str(op["step_id"]), name, op[name]
        for name, tree in op.get("values", {}).items():
            yield str(op["step_id"]), name, tree
    for name, tree in subject.outputs.items():
        yield "", f"outputs.{name}", tree


def _credential(tree: Tree) -> str | None:
    return next((kind for text in constants(tree) if (kind := credential_in(text))), None)


def _is_constant(tree: Tree) -> bool:
    return isinstance(tree.get("lit"), str) and bool(tree["lit"])


def _check_fan_out(subject: Subject, problems: Problems) -> None:
    """Refuse a changing call that takes a whole list from a response, or a loop without a cap."""
    for op in flat(subject.ops):
        if op["op"] == "FOR_EACH" and not 1 <= int(op.get("max_items") or 0) <= MAX_ITEMS:
            problems.error(
                "WF409",
                f"the loop has no cap of 1 to {MAX_ITEMS:,} items",
                subject.place(str(op["step_id"]), None),
                "set `max_items`",
            )
    for call in calls_of(subject.ops):
        if not call.call.get("mutating"):
            continue
        for member, tree in identifiers(call.members):
            if tree.get("t") == "list" and subject.origins.is_unbounded(tree):
                problems.error(
                    "WF409",
                    f"`{call.service}:{call.operation}` takes a whole list of a response in "
                    f"`{member}`, and nothing limits how many",
                    subject.place(call.step_id, member),
                    "go through `filter` or `for_each`, which have `max_items`",
                )


def _check_regions(subject: Subject, calls: Iterable[Call], problems: Problems) -> None:
    """Refuse a region that a response gives (I3), or that is none: it decides who is called."""
    for call in calls:
        tree = call.call.get("region")
        if tree is None:
            continue
        name, at = f"{call.service}:{call.operation}", subject.place(call.step_id, None)
        literal = tree.get("lit")
        if subject.origins.decides(call, tree):
            problems.error(
                "WF304",
                f"the region of `{name}` comes from a response, which cannot say where a call goes",
                at,
                "name the region, or take it from a parameter",
            )
        elif "lit" in tree and not (isinstance(literal, str) and is_region(literal)):
            problems.error(
                "WF304",
                f"the region of `{name}` is `{str(literal)[:60]}`, which is no name of a region",
                at,
                "such as `eu-central-1`",
            )


def _check_limits(subject: Subject, risk: Risk, problems: Problems) -> None:
    metadata, tier = subject.workflow.metadata, subject.tier
    limit = tier.max_duration_s
    if limit is not None and metadata.max_duration > limit:
        problems.error(
            "WF404",
            f"`max_duration` is {metadata.max_duration} s, tier `{subject.tier_name}` has at most "
            f"{limit} s",
            subject.claim("max_duration"),
            f"at most {limit}s, or a higher tier",
        )
    if tier.max_risk is not None and risk.score > tier.max_risk:
        problems.error(
            "WF405",
            f"the risk is {risk.score}, tier `{subject.tier_name}` has at most {tier.max_risk}",
            subject.claim("tier"),
            _worst(risk),
        )
    if metadata.risk_score is not None and risk.score > metadata.risk_score:
        problems.error(
            "WF411",
            f"the risk is {risk.score}, more than the {metadata.risk_score:g} that is claimed",
            subject.claim("risk_score"),
            f"claim {risk.score}; {_worst(risk)}",
        )


def _worst(risk: Risk) -> str:
    """Say which step weighs most, and why."""
    term = risk.terms[0]
    reasons = "".join(f", {reason}" for reason, _ in term.add)
    return f"step `{term.step_id}` weighs most: {term.sum / 100:g}{reasons}"


def _check_permissions(
    workflow: Workflow, required: set[str], advisory: set[str], problems: Problems
) -> None:
    if workflow.permissions is None:
        return
    declared = {scalar.text: scalar for scalar in workflow.permissions}
    at = workflow.permissions_location or workflow.location
    for action in sorted(required - set(declared)):
        problems.warn(
            "WF431",
            f"`permissions` lacks `{action}`, which the steps need",
            at,
            f"add `- {action}`",
        )
    for text in sorted(set(declared) - required - advisory):
        problems.warn(
            "WF432",
            f"`permissions` has `{text}`, which no step needs",
            declared[text].location,
            did_you_mean(text, sorted(required - set(declared))) or "remove it",
        )

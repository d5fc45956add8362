"""The order of steps: each after what it depends on, ties as the source has them (section 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from naftiko.errors import Problems, did_you_mean
from naftiko.workflow import ast


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Steps in the order in which they run, and the ancestors of each."""

    steps: tuple[ast.Step, ...]
    ancestors: Mapping[str, frozenset[str]]


def order(steps: Sequence[ast.Step], problems: Problems) -> Ordered | None:
    """Order steps. None where they depend on each other in a circle (WF501).

    A step that depends on one that does not exist is WF330.
    """
    depends = _depends(steps, problems)
    waiting = list(steps)
    ordered: list[ast.Step] = []
    ancestors: dict[str, frozenset[str]] = {}
    while waiting:
        step = next((one for one in waiting if depends[one.id] <= ancestors.keys()), None)
        if step is None:
            _report_cycle(waiting, depends, problems)
            return None
        waiting.remove(step)
        ordered.append(step)
        direct = depends[step.id]
        ancestors[step.id] = direct.union(*(ancestors[id_] for id_ in direct))
    return Ordered(steps=tuple(ordered), ancestors=ancestors)


def _depends(steps: Sequence[ast.Step], problems: Problems) -> dict[str, frozenset[str]]:
    known = {step.id for step in steps}
    depends: dict[str, frozenset[str]] = {}
    before: str | None = None
    for step in steps:
        if step.depends_on is None:
            depends[step.id] = frozenset((before,) if before is not None else ())
        else:
            names = [scalar.text for scalar in step.depends_on]
            for scalar in step.depends_on:
                if scalar.text not in known:
                    problems.error(
                        "WF330",
                        f"`depends_on` names `{scalar.text}`, which is no step",
                        scalar.location,
                        did_you_mean(scalar.text, known),
                    )
            depends[step.id] = frozenset(name for name in names if name in known)
        before = step.id
    return depends


def _report_cycle(
    waiting: Sequence[ast.Step], depends: Mapping[str, frozenset[str]], problems: Problems
) -> None:
    ids = {step.id for step in waiting}
    step = waiting[0]
    path = [step.id]
    while True:
        following = min(depends[path[-1]] & ids)
        if following in path:
            path = [*path[path.index(following) :], following]
            break
        path.append(following)
    found = next(one for one in waiting if one.id == path[0])
    shown = " -> ".join(f"`{id_}`" for id_ in path)
    problems.error(
        "WF501",
        f"steps depend on each other in a circle: {shown}",
        found.location,
        "take one of these out of `depends_on`",
    )

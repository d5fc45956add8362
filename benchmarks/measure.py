"""Interleaved samples -> rows: the median of each side, the median and spread of their ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

MIN_ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much is measured. `calls` scales the work of a round."""

    rounds: int
    quick: bool

    def calls(self, number: int) -> int:
        """Return how many calls a round makes, given how many it takes to be sure."""
        return max(number // 10, 32) if self.quick else number


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison. `compared` is what `target` bounds: the ratio, or `ours` without a baseline.

    `low` and `high` are the smallest and the largest of the compared figure over the rounds.
    `target` is None where the row only informs.
    """

    work: str
    against: str
    unit: str
    ours: float
    baseline: float | None
    compared: float
    low: float
    high: float
    target: float | None
    rounds: int

    @property
    def verdict(self) -> str:
        """PASS, MISS, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "PASS" if self.compared <= self.target else "MISS"

    def as_json(self) -> dict[str, object]:
        """Return the row with its verdict."""
        return {**asdict(self), "verdict": self.verdict}


def interleave(
    sides: Mapping[str, Callable[[], float]], settings: Settings
) -> dict[str, list[float]]:
    """Measure every side once a round, each round starting with another one."""
    names = list(sides)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for number in range(settings.rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            samples[name].append(sides[name]())
    return samples


def ratio_row(
    work: str,
    against: str,
    unit: str,
    *,
    ours: Sequence[float],
    baseline: Sequence[float],
    target: float | None,
) -> Row:
    """Compare round by round, so that what slows the machine down for a while cancels out."""
    ratios = [mine / other for mine, other in zip(ours, baseline, strict=True)]
    return Row(
        work=work,
        against=against,
        unit=unit,
        ours=median(ours),
        baseline=median(baseline),
        compared=median(ratios),
        low=min(ratios),
        high=max(ratios),
        target=target,
        rounds=len(ratios),
    )


def bound_row(work: str, unit: str, *, ours: Sequence[float], target: float | None) -> Row:
    """Compare with a fixed bound, or only inform where there is none."""
    return Row(
        work=work,
        against="a bound" if target is not None else "",
        unit=unit,
        ours=median(ours),
        baseline=None,
        compared=median(ours),
        low=min(ours),
        high=max(ours),
        target=target,
        rounds=len(ours),
    )

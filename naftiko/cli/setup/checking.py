"""A file -> what it would serve, also on a machine that has none of the values it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.loading import check, refuse
from naftiko.engine import Checked, LoadOptions, is_refused
from naftiko.errors import Problem
from naftiko.plan.capability import CapabilityPlan

if TYPE_CHECKING:
    from naftiko.cli.setup.variables import ReadVariable

STAND_IN = "a-value-that-is-not-set-here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A file that is good. `missing` are the values without which it does not run."""

    checked: Checked
    plan: CapabilityPlan
    missing: tuple[Problem, ...]


def check_anywhere(
    path: Path,
    options: LoadOptions,
    environment: Mapping[str, str],
    variables: Sequence[ReadVariable],
    console: Console,
) -> Served:
    """Check a file; where it is refused for lack of values, with others in their place.

    A server's token, say, is on the machine where the file runs, not where a client is set up.

    Raises: RefusedError, with what was found without those others.
    """
    first = check(path, replace(options, environment=environment), console)
    if not is_refused(first, strict=options.strict, to_run=False):
        assert first.plan is not None
        return Served(checked=first, plan=first.plan, missing=first.missing)
    others = {
        item.name: STAND_IN
        for item in variables
        if not environment.get(item.name) and item.default is None
    }
    second = check(path, replace(options, environment={**environment, **others}), console)
    if second.plan is None or is_refused(second, strict=options.strict, to_run=False):
        refuse(first, strict=options.strict)
    assert second.plan is not None
    return Served(checked=second, plan=second.plan, missing=(*first.errors, *first.missing))

"""What a call needs and the file does not say: who fills a path variable, what else is asked for.

Where only one reading makes sense it is taken, with a problem that names it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from naftiko.errors import Problems
from naftiko.expressions.template import compile_template
from naftiko.plan.call import Argument
from naftiko.plan.infer import Place, Use
from naftiko.plan.inputs import Input
from naftiko.plan.ports import ClientOperation, Parameter
from naftiko.plan.values import TextValue
from naftiko.source import Anchor, Location

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Situation:
    """An exposed operation, what it calls, and what its `with` passes."""

    name: str
    location: Location
    place: Place
    client: ClientOperation
    arguments: Sequence[Argument]
    uses: Sequence[Use]

    @property
    def filled(self) -> frozenset[str]:
        """The parameters that `with` fills."""
        return frozenset(argument.name for argument in self.arguments)


def fill_by_spelling(situation: Situation, problems: Problems) -> list[tuple[Argument, Use]]:
    """Return arguments for path variables that a parameter has in another spelling.

    `/zones/{zoneid}` calls an operation with `zoneId`, and no `with`: `zoneId` is `zoneid`.
    A variable that fills nothing is noted where the called path lacks something.
    """
    known = {parameter.name: parameter for parameter in situation.client.parameters}
    used = {use.root for use in situation.uses}
    found: list[tuple[Argument, Use]] = []
    unused: list[str] = []
    for variable in situation.place.path_names:
        if variable in used or variable in known:
            continue
        parameter = _spelled(variable, situation, known)
        if parameter is None:
            unused.append(variable)
            continue
        problems.warn(
            "bound-by-spelling",
            f"`{{{variable}}}` in the path of `{situation.name}` fills `{parameter.name}` of "
            f"`{situation.client.address}`, as nothing else does",
            situation.location,
            f"say so: `with: {{{parameter.name}: rest.{variable}}}`",
        )
        argument = Argument(
            name=parameter.name, value=_reference(variable, situation), text=f"rest.{variable}"
        )
        found.append((argument, Use(name=variable, parameter=parameter, flat=True)))
    filled = situation.filled | {argument.name for argument, _ in found}
    for variable in unused:
        _note_unused(variable, filled, situation, problems)
    return found


def _spelled(
    variable: str, situation: Situation, known: Mapping[str, Parameter]
) -> Parameter | None:
    taken = situation.filled | set(situation.place.path_names)
    matches = [
        parameter
        for name, parameter in known.items()
        if name not in taken and _squeezed(name) == _squeezed(variable)
    ]
    return matches[0] if len(matches) == 1 else None


def _reference(variable: str, situation: Situation) -> TextValue:
    """A placeholder for the variable; a bound variable of that name has no part in it."""

    def at(_offset: int, _length: int = 0, /) -> Location:
        return situation.location

    anchor: Anchor = at
    return TextValue(compile_template("{{" + variable + "}}", anchor))


def _note_unused(
    variable: str, filled: Collection[str], situation: Situation, problems: Problems
) -> None:
    """A variable may well be there for the looks; `{x-y}` for a called `{x},{y}` is not."""
    known = {*filled, *situation.place.path_names}
    open_ = [
        parameter.name
        for parameter in situation.client.parameters
        if parameter.in_ == "path" and parameter.required and parameter.name not in known
    ]
    if not open_:
        return
    names = ", ".join(f"`{name}`" for name in open_)
    problems.info(
        "unused-path-variable",
        f"`{{{variable}}}` in the path of `{situation.name}` fills no parameter of "
        f"`{situation.client.address}`, so callers give {names} beside it",
        situation.location,
        f"pass it on, as in `with: {{{open_[0]}: rest.{variable}}}`",
    )


def undeclared_inputs(
    situation: Situation,
    inferred: Sequence[Input],
    declared: Collection[str],
    problems: Problems,
) -> list[Input]:
    """Return inputs that the file leaves undeclared among those that it declares.

    They are what `with` passes on by name, and what the consumed operation requires: without them
    no call could ever work as the file says.
    """
    passed = {use.root for use in situation.uses}
    extra = [
        item
        for item in inferred
        if item.name not in declared and (item.required or item.name in passed)
    ]
    for item in extra:
        if item.name in situation.place.path_names:
            continue
        reason = "which `with` passes on" if item.name in passed else "which the call requires"
        problems.warn(
            "undeclared-input",
            f"`{situation.name}` does not declare the input `{item.name}`, {reason}; callers may "
            "give it all the same",
            situation.location,
            f"add `{item.name}` to `inputParameters`",
        )
    return extra


def _squeezed(name: str) -> str:
    """Return a name without its spelling: "zone-id", "zoneId" -> "zoneid"."""
    return _NOT_IN_NAMES.sub("", name.lower())

"""Members of one `discover` entry: texts over its items, and settings.

What an entry's templates see, nobody but the entry gives, so a name that means nothing is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.errors import Problem, Problems, Severity, did_you_mean
from naftiko.expressions.conditions import Condition
from naftiko.expressions.template import Reference, Template
from naftiko.plan.clients import LeftOut
from naftiko.plan.discovery.template import ARGUMENTS
from naftiko.plan.settled import Member, SettledMembers
from naftiko.plan.templates import DISCOVERED, PlanTemplates, unbound
from naftiko.plan.values import ValueTemplate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """Compiles the members of the entry that is called `entry`."""

    entry: str
    templates: PlanTemplates
    problems: Problems

    @property
    def shown(self) -> str:
        """Name the entry in a problem."""
        return f"the `discover` entry `{self.entry}`"

    def means_something(self, name: str) -> bool:
        """Tell whether `{{name.x}}` leads elsewhere: to arguments, binds, what is discovered."""
        templates = self.templates
        if name in (ARGUMENTS, DISCOVERED, "env") or name in templates.variables.namespaces:
            return True
        return templates.input_name(f"{name}.x") is not None or (
            templates.variables.find(name) is not None
        )

    def text(self, scalar: Scalar | None, known: Collection[str]) -> Template | None:
        """Compile a text; `known` are the names that it may read besides bound variables.

        Raises: ExpressionError.
        """
        if scalar is None:
            return None
        template = self.templates.scalar(scalar)
        self._check(template.references, known)
        return template

    def value(self, node: Node | Mapping | None, known: Collection[str]) -> ValueTemplate | None:
        """Compile a JSON value whose strings may hold templates.

        Raises: ExpressionError.
        """
        if node is None:
            return None
        value = self.templates.value(node)
        self._check(value.references, known)
        return value

    def condition(self, scalar: Scalar | None, known: Collection[str]) -> Condition | None:
        """Compile a condition that chooses no items.

        Raises: ExpressionError.
        """
        if scalar is None:
            return None
        condition = self.templates.condition(scalar)
        self._check(condition.references, known)
        return condition

    def choice(self, scalar: Scalar | None, known: Collection[str]) -> Condition | None:
        """Compile what chooses items: `not itm.hidden` would let all of them through.

        Raises: LeftOut for a name that means nothing; ExpressionError.
        """
        if scalar is None:
            return None
        condition = self.templates.condition(scalar)
        unknown = next(self._unknown(condition.references, known), None)
        if unknown is not None:
            raise LeftOut(unknown)
        return condition

    def _check(self, references: Iterable[Reference], known: Collection[str]) -> None:
        """Say which names mean nothing: no caller gives anything here."""
        for problem in self._unknown(references, known):
            self.problems.add(problem)

    def _unknown(
        self, references: Iterable[Reference], known: Collection[str]
    ) -> Iterator[Problem]:
        for name, reference in unbound(references, self.templates):
            root = name.partition(".")[0]
            if root in known or name in known:
                continue
            yield Problem(
                code="unknown-name",
                message=f"`{reference.name}` in the `discover` entry `{self.entry}` is "
                "neither the item nor something that `enrich` gives, so it has no value",
                location=reference.location,
                hint=did_you_mean(root, [*known, DISCOVERED]),
                severity=Severity.WARNING,
            )

    def seconds(
        self, scalar: Scalar | None, member: str, default: float, least: float, most: float
    ) -> float:
        """Return a duration that is settled at load.

        Raises: LeftOut.
        """
        settled = SettledMembers(self.templates)
        return settled.duration_within_s(self._member(scalar, member), default, least, most)

    def count(self, scalar: Scalar | None, member: str, default: int, most: int) -> int:
        """Return a number of items that is settled at load, from 1 on.

        Raises: LeftOut.
        """
        return SettledMembers(self.templates).count(self._member(scalar, member), default, most)

    def _member(self, scalar: Scalar | None, name: str) -> Member:
        is_given = scalar is not None and scalar.text.strip()
        return Member(name=name, of=self.shown, node=scalar if is_given else None)

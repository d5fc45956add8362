"""What the templates and paths of a step may read, known at load; and their values, compiled.

A string that begins with `$.` and the name of a step or input is a path, in `with` too, where the
reference engine takes it for text. Everything else is a template.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, did_you_mean, nearest
from naftiko.expressions.conditions import Condition
from naftiko.expressions.jsonpath import Path, compile_path
from naftiko.expressions.lookup import Getter, Scope
from naftiko.expressions.template import Reference, reference_to
from naftiko.plan.clients import leave_out
from naftiko.plan.infer import Use
from naftiko.plan.ports import Parameter
from naftiko.plan.steps.execution import ERRORS
from naftiko.plan.templates import PlanTemplates, unbound
from naftiko.plan.values import ArrayValue, ObjectValue, TextValue, ValueTemplate
from naftiko.source import Location
from naftiko.values import JsonValue, Missing

_FIRST = re.compile(r"""\$(?:\.([^.\[\]()"'\s]+)|\[\s*(?:'([^']*)'|"([^"]*)")\s*\])""")
_PATH_STARTS = ("$.", "$[")
_FAQ = re.compile(r"\$([A-Za-z][A-Za-z0-9_-]*)(?=[.\[]|\Z)")


@dataclass(slots=True)
class Visible:
    """The names that a step sees: of steps with their places, of loop variables with None.

    `certain` is false where not every run comes by: what is needed there, no caller has to give.
    `inferring` is false where a path to an unknown name asks for no input.
    """

    names: dict[str, Location | None] = field(default_factory=dict)
    certain: bool = True
    inferring: bool = True

    def branch(self, *variables: str, certain: bool = False) -> Visible:
        """Return what nested steps see; `certain` where they run whenever their step does."""
        names = {**self.names, **dict.fromkeys(variables)}
        return Visible(names, certain=certain and self.certain)


@dataclass(slots=True, kw_only=True)
class StepValues:
    """Compiles the values of one operation's steps, and notes the inputs that they read.

    `all_names` are those of every step of the operation; `declared` the declared inputs, None where
    they are inferred.
    """

    operation: str
    templates: PlanTemplates
    problems: Problems
    all_names: Collection[str]
    declared: Collection[str] | None
    uses: list[Use] = field(default_factory=list)

    def value(
        self,
        node: Node,
        visible: Visible,
        *,
        name: str = "",
        parameter: Parameter | None = None,
        path: bool = False,
    ) -> ValueTemplate:
        """Compile a value: a template, a path, or an object or list that holds some.

        `name` is the entry of `with` that it is, `parameter` what it fills. With `path` every text
        that begins with `$` is a path.

        Raises: ExpressionError; LeftOut for a step that has not run by then.
        """
        value = self._compile(node, visible, name, path=path)
        whole = isinstance(value, TextValue) and value.template.is_whole
        needed = isinstance(value, TextValue) and not whole and visible.certain
        for input_name, reference in unbound(value.references, self.templates):
            if reference.name.startswith(_PATH_STARTS):
                continue  # noted where it was compiled
            self._note(
                input_name,
                reference,
                visible,
                parameter if whole else None,
                needed=needed,
                flat=input_name == name,
            )
        return value

    def condition(self, scalar: Scalar, visible: Visible) -> Condition:
        """Compile a condition.

        Raises: ExpressionError; LeftOut.
        """
        found = self.templates.condition(scalar)
        for name, reference in unbound(found.references, self.templates):
            self._note(name, reference, visible, None)
        return found

    def note_references(self, references: Iterable[Reference], visible: Visible) -> None:
        """Note the inputs that a template reads.

        Raises: LeftOut.
        """
        for name, reference in unbound(references, self.templates):
            self._note(name, reference, visible, None, needed=visible.certain)

    def _compile(self, node: Node, visible: Visible, name: str, *, path: bool) -> ValueTemplate:
        match node:
            case Sequence():
                return ArrayValue(
                    tuple(self._compile(item, visible, "", path=path) for item in node)
                )
            case Mapping():
                return ObjectValue(
                    tuple(
                        (key.text, self._compile(value, visible, "", path=path))
                        for key, value in node.entries
                    )
                )
            case Scalar():
                found = self._path_of(node, visible, path=path)
                if found is None:
                    return self.templates.with_value(node, name)
                self._note_root(found, node, visible)
                reference = Reference(found.text, node.location)
                return TextValue(reference_to(reference, _finder(found)))

    def _path_of(self, scalar: Scalar, visible: Visible, *, path: bool) -> Path | None:
        text = scalar.value.strip() if isinstance(scalar.value, str) else ""
        if not text.startswith("$"):
            return None
        faq = _FAQ.match(text)
        if faq is not None and faq.group(1) in self.all_names:
            raise leave_out(
                "bad-path",
                f"`{text}` is no path: `$` stands for all outputs",
                scalar.location,
                f"write `$.{text[1:]}`",
            )
        if not path and self._root(text) not in self._known(visible):
            self._warn_of_near_path(text, scalar, visible)
            return None
        return compile_path(scalar.text, scalar.at)

    def _warn_of_near_path(self, text: str, scalar: Scalar, visible: Visible) -> None:
        """Say that what looks like a path to a step is passed on as the text it is."""
        near = nearest(self._root(text), self._known(visible))
        if near is not None and text.startswith(_PATH_STARTS):
            self.problems.warn(
                "unknown-step",
                f"`{text}` names neither an input nor an earlier step of `{self.operation}`, so it "
                "stays text",
                scalar.location,
                f"did you mean `{near}`?",
            )

    def _known(self, visible: Visible) -> set[str]:
        return {*visible.names, *self.all_names, *(self.declared or ()), ERRORS}

    def _root(self, text: str) -> str:
        match = _FIRST.match(text)
        return next((part for part in match.groups() if part), "") if match else ""

    def _note_root(self, path: Path, scalar: Scalar, visible: Visible) -> None:
        root = self._root(path.text.strip())
        if root:
            self._note(root, Reference(path.text, scalar.location), visible, None, flat=True)

    def _note(
        self,
        name: str,
        reference: Reference,
        visible: Visible,
        parameter: Parameter | None,
        *,
        needed: bool = False,
        flat: bool = False,
    ) -> None:
        """Take a name for an input, unless it is that of a step.

        Raises: LeftOut for a step that has not run by then.
        """
        root = name if flat else name.partition(".")[0]
        qualified = self.templates.input_name(reference.name) is not None
        if not qualified:
            if root in visible.names or name in visible.names or root == ERRORS:
                return
            self._refuse_later(root, reference)
            if self._is_misspelt(root, name, reference, visible):
                return
        self.uses.append(Use(name=name, parameter=parameter, needed=needed, flat=flat))

    def _refuse_later(self, root: str, reference: Reference) -> None:
        if root not in self.all_names or root in (self.declared or ()):
            return
        raise leave_out(
            "later-step",
            f"`{reference.name}` reads the step `{root}`, which has not run by then",
            reference.location,
            "move that step up; what runs inside a loop or branch of `parallel` is seen only there",
        )

    def _is_misspelt(self, root: str, name: str, reference: Reference, visible: Visible) -> bool:
        """Tell whether a name is neither an input nor a step; say so."""
        steps = list(visible.names)
        is_path = reference.name.startswith(_PATH_STARTS)
        if self.declared is None and not (is_path and not visible.inferring):
            near = nearest(root, steps) if name != root and "-" in root else None
            if near is None:
                return False
        elif root in (self.declared or ()) or (name == root and not is_path):
            return False
        self.problems.warn(
            "unknown-step",
            f"`{reference.name}` names neither an input nor an earlier step of `{self.operation}`, "
            "so it has no value",
            reference.location,
            did_you_mean(root, [*steps, *(self.declared or ())]),
        )
        return True


def _finder(path: Path) -> Getter:
    def find(scope: Scope, /) -> JsonValue | Missing:
        # The scope of steps is always a dict.
        return path.find(scope)  # type: ignore[arg-type]

    return find

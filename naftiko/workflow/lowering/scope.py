"""What names in expressions mean inside a frame: `params`, `steps`, `item`, variables of a poll."""

from __future__ import annotations

from dataclasses import replace

from naftiko.awsapi import catalog
from naftiko.errors import Problems, did_you_mean, nearest
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.expressions.nodes import Ref
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering.frame import ASKING, Frame, Lowered
from naftiko.workflow.lowering.parameters import Parameters
from naftiko.workflow.own_fields import ERROR_CODE, OWN, STATUS
from naftiko.workflow.resolution.paths import path_text, path_type
from naftiko.workflow.types import STRING, Type

OUTPUT = "output"
"""`steps.id.output.Path` reaches into the answer of a call."""


class FrameScope:
    """Resolves references for the typer, and selects what they read of an answer."""

    def __init__(self, frame: Frame, parameters: Parameters, problems: Problems) -> None:
        """Look from inside a frame."""
        self._frame = frame
        self._parameters = parameters
        self._problems = problems

    def resolve(self, ref: Ref, at: Location, expected: Type | None) -> Typed | None:
        """Return the tree and type of a reference; None where it has been refused.

        Reports WF320, WF321, WF330, WF345, WF346.
        """
        if ref.root == "params":
            return self._parameter(ref, at, expected)
        if ref.root == "steps":
            return self._step(ref, at)
        if ref.root == "item":
            return self._item(ref, at)
        return self._variable(ref, at)

    def _parameter(self, ref: Ref, at: Location, expected: Type | None) -> Typed | None:
        name = ref.path[0] if ref.path else None
        if not isinstance(name, str):
            self._problems.error("WF310", "`params` must be followed by a name", at)
            return None
        found = self._argument(name, ref, at, expected)
        return None if found is None else self._into(found, ref.path[1:], at)

    def _argument(self, name: str, ref: Ref, at: Location, expected: Type | None) -> Typed | None:
        frame: Frame | None = self._frame
        while frame is not None and frame.arguments is None:
            frame = frame.outer
        if frame is not None and frame.arguments is not None:
            given = frame.arguments.get(name)
            if given is None:
                self._problems.error(
                    "WF320",
                    f"`params.{name}` names no parameter of `{frame.origin}`",
                    at,
                    did_you_mean(name, frame.arguments),
                )
            return given
        default = ref.default
        wanted = expected if len(ref.path) == 1 else None
        return self._parameters.find(
            name,
            at,
            default=default.value if default is not None else None,
            default_type=Type(kind=default.kind) if default is not None else None,
            expected=wanted,
        )

    def _step(self, ref: Ref, at: Location) -> Typed | None:
        id_ = ref.path[0] if ref.path else None
        if not isinstance(id_, str):
            self._problems.error("WF310", "`steps` must be followed by the id of a step", at)
            return None
        found = self._frame.find(id_)
        if found is None and self._frame.has_failed(id_):
            return None
        if found is None and id_ in self._frame.later:
            self._problems.error(
                "WF330",
                f"`{id_}` is read here, but it runs later",
                at,
                f"add `{id_}` to `depends_on`, or put this step after it",
            )
            return None
        if found is None:
            self._problems.error(
                "WF330",
                f"`steps.{id_}` names no step that comes before this one",
                at,
                did_you_mean(id_, self._frame.ids()),
            )
            return None
        step, is_ancestor = found
        if not is_ancestor:
            self._problems.error(
                "WF330",
                f"`{id_}` is read here, but this step does not depend on it",
                at,
                f"add `{id_}` to `depends_on`",
            )
            return None
        return self._output(step, ref, at)

    def _output(self, step: Lowered, ref: Ref, at: Location) -> Typed | None:
        rest = ref.path[1:]
        if not rest:
            self._problems.error(
                "WF321",
                f"`steps.{step.id}` needs the name of an output, `status`, or `output.Path`",
                at,
                self._known_outputs(step),
            )
            return None
        name = rest[0]
        if name in OWN and name not in step.outputs:
            if name == ERROR_CODE and not self._has_error_code(step, at):
                return None
            tree: JsonObject = {"ref": ["steps", step.status_of, name], "t": "string"}
            return self._into(Typed(tree=tree, type=STRING), rest[1:], at)
        # A handler runs only where something that it covers was done: it may well be this step.
        if step.may_be_skipped and ref.default is None and not self._frame.in_rollback:
            self._problems.warn(
                "WF345",
                f"`{step.id}` may be skipped, and then what reads its output is skipped too",
                at,
                f"write `${{steps.{step.id}.…:-default}}` to go on with a default",
            )
        if name == OUTPUT and step.call is not None:
            return self._answer(step, rest[1:], at)
        found = step.outputs.get(str(name))
        if found is None:
            self._problems.error(
                "WF321",
                f"`{step.id}` has no output `{name}`",
                at,
                did_you_mean(str(name), step.outputs) or self._known_outputs(step),
            )
            return None
        return self._into(found, rest[1:], at)

    def _has_error_code(self, step: Lowered, at: Location) -> bool:
        """Tell whether something can run once a step has failed, and the failure be of AWS.

        Reports WF346.
        """
        if step.goes_on and step.may_be_refused:
            return True
        if not step.may_be_refused:
            kinds = {str(operation["op"]) for operation in step.operations} - {"CONDITION"}
            makes_calls = bool(kinds & ASKING)
            message = (
                f"`{step.id}` becomes several operations, and so has no error code of its own"
                if makes_calls
                else f"`{step.id}` calls nothing, and so has no error code"
            )
            hint = (
                "make the call in a `command` step of its own, with `on_error: continue`"
                if makes_calls
                else "read the one of a step that makes a call, with `on_error: continue`"
            )
        else:
            message = f"nothing runs after `{step.id}` has failed, so its error code is always null"
            hint = f"give `{step.id}` `on_error: continue`"
        self._problems.error("WF346", message, at, hint)
        return False

    def _known_outputs(self, step: Lowered) -> str:
        own = OWN if step.goes_on and step.may_be_refused else (STATUS,)
        names = ", ".join(f"`{name}`" for name in dict.fromkeys((*step.outputs, *own)))
        reach = "; `output.Path` reaches into its answer" if step.call is not None else ""
        return f"outputs of `{step.id}`: {names}{reach}"

    def _answer(self, step: Lowered, path: tuple[str | int, ...], at: Location) -> Typed | None:
        assert step.call is not None  # checked by the caller
        return select(step.call, step.call_id, path, at, self._problems)

    def _item(self, ref: Ref, at: Location) -> Typed | None:
        frame: Frame | None = self._frame
        while frame is not None and frame.item is None:
            frame = frame.outer
        if frame is None or frame.item is None:
            self._problems.error(
                "WF320",
                "`item` has a value only in `filter` and `for_each`",
                at,
                "name an element of a list by its number: `steps.<id>.output.<List>[0]`",
            )
            return None
        base = Typed(tree={"ref": ["item"], "t": frame.item.kind}, type=frame.item)
        return self._into(base, ref.path, at)

    def _variable(self, ref: Ref, at: Location) -> Typed | None:
        type_ = self._frame.variables.get(ref.root)
        if type_ is None:
            known = (*self._frame.variables, "params", "steps")
            self._problems.error(
                "WF320",
                f"`{ref.root}` has no meaning here",
                at,
                self._meant(ref.root, known),
            )
            return None
        base = Typed(tree={"ref": ["vars", ref.root], "t": type_.kind}, type=type_)
        return self._into(base, ref.path, at)

    def _meant(self, root: str, known: tuple[str, ...]) -> str:
        if root in self._parameters:
            return f"did you mean `params.{root}`?"
        if root in self._frame.ids():
            return f"did you mean `steps.{root}`?"
        near = nearest(root, known)
        if near is not None:
            return f"did you mean `{near}`?"
        return f"a text is written with quotes: '{root}'; a parameter as `params.{root}`"

    def _into(self, base: Typed, path: tuple[str | int, ...], at: Location) -> Typed | None:
        """Return a member of what a tree gives."""
        type_ = base.type
        for part in path:
            following = _member(type_, part)
            if following is None:
                known = type_.members or {}
                self._problems.error(
                    "WF321",
                    f"`{part}` is no member of what comes before it, a {type_.kind}",
                    at,
                    did_you_mean(str(part), known),
                )
                return None
            sensitive = type_.sensitive or following.sensitive
            type_ = replace(following, sensitive=sensitive)
        if not path:
            return base
        tree = descend(base.tree, path, type_.kind)
        if tree is None:
            self._problems.error(
                "WF321",
                "a part of a computed value cannot be read here",
                at,
                "keep the value in a `set` step, and read that",
            )
            return None
        return Typed(tree=tree, type=type_)


def _member(type_: Type, part: str | int) -> Type | None:
    if isinstance(part, int):
        return type_.element() if type_.kind == "list" else None
    if type_.kind != "map":
        return None
    return type_.member(part)


def descend(tree: JsonObject, path: tuple[str | int, ...], kind: str) -> JsonObject | None:
    """Return the tree of a member of a tree's value; None where it has no such form."""
    ref = tree.get("ref")
    if isinstance(ref, list):
        return {"ref": [*ref, *path], "t": kind}
    inner = tree.get("obj")
    if isinstance(inner, dict) and isinstance(path[0], str):
        found = inner.get(path[0])
        if isinstance(found, dict):
            return found if len(path) == 1 else descend(found, path[1:], kind)
    items = tree.get("list")
    if isinstance(items, list) and isinstance(path[0], int) and 0 <= path[0] < len(items):
        found = items[path[0]]
        if isinstance(found, dict):
            return found if len(path) == 1 else descend(found, path[1:], kind)
    return None


def select(
    call: JsonObject,
    call_id: str,
    path: tuple[str | int, ...],
    at: Location,
    problems: Problems,
    name: str | None = None,
) -> Typed | None:
    """Make a call keep a part of its answer, and return the tree that reads it.

    Without `name` the output is one that nobody is shown: `output.DBInstances[0].Endpoint`.
    Reports WF321.
    """
    model = catalog.service_model(str(call["service"])).operation_model(str(call["operation"]))
    if model.output_shape is None or not path:
        if path:
            message = f"`{call['operation']}` answers with nothing that could be read"
            hint = "read it with an operation that describes or gets it"
        else:
            message = "`output` needs a path"
            hint = "write what is read of the answer: `output.<Member>`"
        problems.error("WF321", message, at, hint)
        return None
    type_ = path_type(model.output_shape, path, at, problems)
    if type_ is None:
        return None
    text = path_text(path)
    key = name or f"{OUTPUT}.{text}"
    selected, schema = call["select"], call["output_schema"]
    sensitive = call["sensitive"]
    assert isinstance(selected, dict)  # made by `lowering.calls`
    assert isinstance(schema, dict)
    assert isinstance(sensitive, dict)
    selected[key] = text
    schema[text] = type_.kind
    hidden = sensitive["output"]
    assert isinstance(hidden, list)
    if type_.sensitive and key not in hidden:
        hidden.append(key)
    return Typed(tree={"ref": ["steps", call_id, key], "t": type_.kind}, type=type_)

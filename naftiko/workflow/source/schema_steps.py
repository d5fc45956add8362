"""Steps of a workflow source -> AST: full steps, and the one-key maps that are short for them.

Spec: section 1, "Step".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.scalars import shorten
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.workflow.ast import (
    Action,
    Assert,
    CallWorkflow,
    Command,
    Filter,
    ForEach,
    Paging,
    Poll,
    Retry,
    SelectedOutput,
    SetValues,
    Step,
    Wait,
)
from naftiko.workflow.source import schema as rules
from naftiko.workflow.source.schema import Section, TextRule, blank, kind_of

STEP_TYPES = ("command", "primitive", "workflow")
OUTPUT_TYPES = ("string", "integer", "number", "boolean", "timestamp", "list", "map")
RETRY_CLASSES = ("throttling", "server_error", "timeout", "connection")
BACKOFFS = ("exponential", "linear", "fixed")
ON_ERROR = ("fail", "continue")

COMMON_FIELDS = (
    "id",
    "type",
    "intent",
    "depends_on",
    "condition",
    "timeout",
    "retry",
    "on_error",
    "outputs",
)
COMMAND_FIELDS = ("context", "input", "paginate")
WORKFLOW_FIELDS = ("workflow", "parameters")
PRIMITIVE_FIELDS: dict[str, tuple[str, ...]] = {
    "poll": ("max_attempts", "interval", "fail_when", "context", "input", "select"),
    "wait": ("duration",),
    "assert": ("message",),
    "filter": ("from", "where", "max_items"),
    "for_each": ("over", "max_items", "max_concurrency", "on_item_error", "do"),
    "set": ("values",),
}
RETRY_FIELDS = (
    "max_attempts",
    "backoff",
    "initial_delay",
    "max_delay",
    "jitter",
    "retry_on",
    "ambiguous",
)
PAGING_FIELDS = ("max_items", "page_size")
OUTPUT_FIELDS = ("path", "type")

MAX_STEPS = 500
MAX_INTENT = 200
MAX_LOOP_ITEMS = 1_000
MAX_PAGE_ITEMS = 10_000
MAX_WAIT_S = 3_600
MAX_DELAY_S = 900
DEFAULT_TIMEOUT_S = 60
MAX_FOR_EACH_S = 86_400

INTENT = TextRule(longest=MAX_INTENT, one_line=True)
_RETRY_ON = TextRule(
    pattern=re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,127}"),
    expected="a class of errors or an AWS error code",
)
_KNOWN_STEP_FIELDS = frozenset(
    (*COMMON_FIELDS, *COMMAND_FIELDS, *WORKFLOW_FIELDS, "action")
) | frozenset(name for fields in PRIMITIVE_FIELDS.values() for name in fields)
_MISPLACED = {
    "command": (
        ("action", "it stands in `context`, beside `service`"),
        ("service", "it stands in `context`"),
        ("region", "it stands in `context`"),
        ("parameters", "members of the call stand in `input`"),
    ),
    "workflow": (("input", "what the workflow is given stands in `parameters`"),),
    "primitive": (
        ("service", "it stands in `context`"),
        ("parameters", "only a step of type `workflow` has them"),
    ),
}


def read_steps(node: Sequence, problems: Problems) -> tuple[Step, ...]:
    """Return the steps of a list; the broken ones too, so that all problems are found at once."""
    return StepReader(problems).steps(node, in_loop=False)


class StepReader:
    """Reads steps; remembers their ids, which are unique in all the lists of a workflow."""

    def __init__(self, problems: Problems) -> None:
        """Start with no step."""
        self.problems = problems
        self.ids: dict[str, Location] = {}
        self._primitives: dict[str, Callable[[Section], Action]] = {
            "poll": self._poll,
            "wait": _wait,
            "assert": _assert,
            "filter": _filter,
            "for_each": self._for_each,
            "set": _set,
        }

    def steps(self, node: Sequence, *, in_loop: bool) -> tuple[Step, ...]:
        """Return the steps of a list."""
        if len(node) > MAX_STEPS:
            message = f"there are {len(node):,} steps, and at most {MAX_STEPS} are allowed"
            self.problems.error("WF204", message, node.location)
        found = [self._step(item, in_loop=in_loop) for item in node]
        steps = tuple(step for step in found if step is not None)
        if len(steps) == len(node):  # else what is missing here was named above
            self._check_dependencies(steps)
        return steps

    def _check_dependencies(self, steps: tuple[Step, ...]) -> None:
        here = [step.id for step in steps]
        for step in steps:
            for name in step.depends_on or ():
                if name.text in here:
                    continue
                hint = did_you_mean(name.text, here)
                if name.text in self.ids:
                    hint = "steps of a loop and those around it do not wait for each other"
                message = (
                    f"`depends_on` names `{shorten(name.text)}`, which is no step of this list"
                )
                self.problems.error("WF204", message, name.location, hint)

    def _step(self, node: Node, *, in_loop: bool) -> Step | None:
        if not isinstance(node, Mapping):
            message = f"a step is {kind_of(node)} where a mapping is expected"
            hint = 'write `- id: "what it does"`, or a mapping with `id` and `type`'
            self.problems.error("WF203", message, node.location, hint)
            return None
        if len(node) == 1 and node.entries[0][0].text not in _KNOWN_STEP_FIELDS:
            return self._shorthand(*node.entries[0])
        section = Section(node, "a step", self.problems)
        id_ = section.text("id", rules.IDENTIFIER, required=True)
        if id_ is not None:
            self._take_id(id_)
            section.what = f"the step `{id_.text}`"
        return self._full(section, id_, in_loop=in_loop)

    def _take_id(self, id_: Scalar) -> None:
        first = self.ids.setdefault(id_.text, id_.location)
        if first is not id_.location:
            message = f"two steps are called `{id_.text}`"
            hint = f"the first one stands in line {first.line}"
            self.problems.error("WF205", message, id_.location, hint)

    # Short steps

    def _shorthand(self, key: Scalar, value: Node) -> Step | None:
        id_ = Section(Mapping((), key.location), "a step", self.problems).as_text(
            "id", key, rules.IDENTIFIER
        )
        if id_ is not None:
            self._take_id(id_)
        section = Section(Mapping(((key, value),), key.location), "a step", self.problems)
        if isinstance(value, Mapping):
            inner = Section(value, f"the step `{shorten(key.text)}`", self.problems)
            hint = "write the step in full, with `id` and `type`, for further fields"
            others = [(name, hint) for name in _KNOWN_STEP_FIELDS.difference(WORKFLOW_FIELDS)]
            inner.refuse_unknown(WORKFLOW_FIELDS, others)
            action: Action = _workflow(inner)
            return Step(id=key.text, action=action, location=key.location)
        intent = section.as_text(key.text, value, INTENT, "say in a few words what the step does")
        if intent is None:
            return None
        return Step(
            id=key.text, action=Command(is_shorthand=True), location=key.location, intent=intent
        )

    # Full steps

    def _full(self, section: Section, id_: Scalar | None, *, in_loop: bool) -> Step:
        kind, action_name = _kind(section)
        action = self._action(section, kind, action_name, in_loop=in_loop)
        given = section.duration("timeout", None)
        return Step(
            id=id_.text if id_ is not None else "",
            action=action,
            location=id_.location if id_ is not None else section.node.location,
            intent=section.text("intent", INTENT),
            depends_on=section.texts("depends_on", rules.IDENTIFIER, most=MAX_STEPS),
            condition=None if _has_own_condition(action) else section.expression("condition"),
            timeout=given if given is not None else _default_timeout(action),
            timeout_given=given is not None,
            retry=_retry(section),
            on_error=section.choice("on_error", ON_ERROR, "fail"),
            outputs=_outputs(section),
        )

    def _action(self, section: Section, kind: str, name: str | None, *, in_loop: bool) -> Action:
        own = {"command": COMMAND_FIELDS, "workflow": WORKFLOW_FIELDS}.get(kind)
        if own is not None:
            section.refuse_unknown((*COMMON_FIELDS, *own), _MISPLACED[kind])
            return _workflow(section) if kind == "workflow" else read_command(section)
        known = _KNOWN_STEP_FIELDS if name is None else (*COMMON_FIELDS, *PRIMITIVE_FIELDS[name])
        section.refuse_unknown({*known, "action"}, _MISPLACED[kind])
        if name is None:
            return Wait(seconds=1)
        if name == "for_each" and in_loop:
            place = section.node.get("action")
            message = "a `for_each` cannot stand in another one"
            hint = "let a `filter` before the loop choose the elements"
            section.out_of_range(message, (place or section.node).location, hint)
        return self._primitives[name](section)

    def _poll(self, section: Section) -> Poll:
        command = None
        if "context" in section.node or "input" in section.node:
            command = _called(section)
        select = section.named("select", rules.IDENTIFIER)
        paths = [(key, section.as_text(f"select.{key.text}", it, rules.PATH)) for key, it in select]
        return Poll(
            condition=section.expression(
                "condition", required=True, hint="say what is waited for: status == 'available'"
            ),
            max_attempts=section.integer("max_attempts", 20, 1, 200),
            interval=section.duration("interval", 30, 1, MAX_DELAY_S),
            timeout=section.duration("timeout", None),
            fail_when=section.expression("fail_when"),
            command=command,
            select=tuple((key, path) for key, path in paths if path is not None),
        )

    def _for_each(self, section: Section) -> ForEach:
        over = section.expression("over", required=True, hint="name the list: ${steps.id.items}")
        do = section.sequence("do", required=True, hint="list the steps for one element")
        if do is not None and not len(do):
            section.out_of_range("`do` has no steps", do.location)
        return ForEach(
            over=over or blank(section.node),
            do=self.steps(do, in_loop=True) if do is not None else (),
            max_items=section.integer("max_items", 50, 1, MAX_LOOP_ITEMS),
            max_concurrency=section.integer("max_concurrency", 1, 1, 10),
            on_item_error=section.choice("on_item_error", ON_ERROR, "fail"),
        )


def _kind(section: Section) -> tuple[str, str | None]:
    """Return the type of a step and, for a primitive, its action; where unsaid, as it looks."""
    looks = "command"
    if "workflow" in section.node:
        looks = "workflow"
    elif "action" in section.node and "context" not in section.node:
        looks = "primitive"
    kind = section.choice("type", STEP_TYPES, looks)
    if kind != "primitive":
        return kind, None
    options = tuple(PRIMITIVE_FIELDS)
    if "action" not in section.node:
        section.missing("action", "one of " + ", ".join(f"`{option}`" for option in options))
        return kind, None
    return kind, section.choice("action", options, None)


def _has_own_condition(action: Action) -> bool:
    return isinstance(action, Poll | Assert)


def _default_timeout(action: Action) -> int:
    """Return the timeout of a step that names none: what it may take by its own numbers."""
    match action:
        case Poll():
            return action.max_attempts * action.interval + DEFAULT_TIMEOUT_S
        case Wait():
            return action.seconds + DEFAULT_TIMEOUT_S
        case ForEach():
            rounds = -(-action.max_items // action.max_concurrency)
            longest = rounds * sum(step.timeout for step in action.do)
            return max(DEFAULT_TIMEOUT_S, min(longest, MAX_FOR_EACH_S))
        case _:
            return DEFAULT_TIMEOUT_S


# Kinds of steps


def read_command(section: Section) -> Command:
    """Return a call of AWS: `context`, `input`, `paginate`, or only an intent to resolve."""
    if "context" in section.node or "input" in section.node:
        return _called(section, _paging(section))
    if "intent" not in section.node:
        hint = "name `service` and `action` there, or give the step an `intent`"
        section.missing("context", hint)
    return Command(is_shorthand=True, paginate=_paging(section))


def _called(section: Section, paginate: Paging | None = None) -> Command:
    input_ = section.named("input")
    node = section.mapping("context", required=True, hint="name `service` and `action` there")
    if node is None:
        return Command(input=input_, paginate=paginate)
    context = Section(node, f"the `context` of {section.what}", section.problems)
    own = {"service", "action", "region"}
    return Command(
        service=context.text("service", rules.SERVICE, required=True),
        action=context.text("action", rules.ACTION, required=True),
        region=context.text("region", rules.LINE),
        loose=tuple(entry for entry in node.entries if entry[0].text not in own),
        input=input_,
        paginate=paginate,
    )


def _paging(section: Section) -> Paging | None:
    node = section.mapping("paginate")
    if node is None:
        return None
    paging = Section(node, "`paginate`", section.problems)
    paging.refuse_unknown(PAGING_FIELDS)
    return Paging(
        max_items=paging.integer("max_items", 1_000, 1, MAX_PAGE_ITEMS),
        page_size=paging.integer("page_size", None, 1, MAX_PAGE_ITEMS),
    )


def _wait(section: Section) -> Wait:
    if "duration" not in section.node:
        section.missing("duration", "say how long: 30s")
    return Wait(seconds=section.duration("duration", 1, 1, MAX_WAIT_S))


def _assert(section: Section) -> Assert:
    condition = section.expression("condition", required=True, hint="say what has to hold")
    message = section.text("message", required=True, hint="say what is wrong if it does not hold")
    return Assert(
        condition=condition or blank(section.node), message=message or blank(section.node)
    )


def _filter(section: Section) -> Filter:
    from_ = section.expression(
        "from", required=True, hint="name the list: ${steps.id.output.Items}"
    )
    where = section.expression(
        "where", required=True, hint="say which elements stay: item.Status == 'available'"
    )
    return Filter(
        from_=from_ or blank(section.node),
        where=where or blank(section.node),
        max_items=section.integer("max_items", 1_000, 1, MAX_LOOP_ITEMS),
    )


def _set(section: Section) -> SetValues:
    values = section.named("values", rules.IDENTIFIER, required=True)
    node = section.node.get("values")
    if isinstance(node, Mapping) and not values:
        section.out_of_range("`values` names nothing", node.location)
    return SetValues(values=values)


def _workflow(section: Section) -> CallWorkflow:
    name = section.text("workflow", rules.WORKFLOW_REF, required=True)
    parameters = section.named("parameters", rules.IDENTIFIER)
    return CallWorkflow(workflow=name or blank(section.node), parameters=parameters)


# What all steps have


def _retry(section: Section) -> Retry:
    node = section.mapping("retry")
    if node is None:
        return Retry()
    retry = Section(node, "`retry`", section.problems)
    retry.refuse_unknown(RETRY_FIELDS)
    retry_on = retry.texts("retry_on", _RETRY_ON, most=50)
    for item in retry_on or ():
        _check_class(retry, item)
    return Retry(
        max_attempts=retry.integer("max_attempts", 1, 1, 10),
        backoff=retry.choice("backoff", BACKOFFS, "exponential"),
        initial_delay=retry.duration("initial_delay", 1, 1, MAX_DELAY_S),
        max_delay=retry.duration("max_delay", 30, 1, MAX_DELAY_S),
        jitter=retry.choice("jitter", ("full", "none"), "full"),
        retry_on=RETRY_CLASSES if retry_on is None else tuple(item.text for item in retry_on),
        ambiguous=retry.boolean("ambiguous"),
    )


def _check_class(retry: Section, item: Scalar) -> None:
    """Refuse what looks like a class of errors and is none: AWS's codes have capitals."""
    if item.text in RETRY_CLASSES or item.text != item.text.lower():
        return
    message = f"`retry_on` names `{shorten(item.text)}`, which is neither a class nor an AWS code"
    retry.out_of_range(message, item.location, did_you_mean(item.text, RETRY_CLASSES))


def _outputs(section: Section) -> tuple[SelectedOutput, ...]:
    found = []
    for key, value in section.named("outputs", rules.IDENTIFIER):
        name = f"outputs.{shorten(key.text)}"
        if not isinstance(value, Mapping):
            section.wrong_type(name, value, "a mapping", _output_hint(value))
            continue
        output = Section(value, f"`{name}`", section.problems)
        output.refuse_unknown(OUTPUT_FIELDS)
        path = output.text("path", rules.PATH, required=True)
        type_ = output.choice("type", OUTPUT_TYPES, None)
        if path is not None:
            found.append(SelectedOutput(name=key, path=path, type_=type_))
    return tuple(found)


def _output_hint(value: Node) -> str:
    return f"write {{path: {shorten(value.text)}}}" if isinstance(value, Scalar) else ""

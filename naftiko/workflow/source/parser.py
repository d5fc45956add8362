"""Source -> AST: the stages parse (WF101-105) and schema (WF201-206, WF212) of the compiler.

Everything that is wrong with a document is reported at once. Spec: sections 1 and 4.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from naftiko.document.nodes import Document, Node, Scalar, Sequence
from naftiko.document.reader import parse_document
from naftiko.document.scalars import shorten
from naftiko.errors import DocumentError, Problem, Problems, did_you_mean
from naftiko.source import Source
from naftiko.workflow.ast import (
    CallWorkflow,
    Embedding,
    ForEach,
    Handler,
    Metadata,
    Step,
    Workflow,
)
from naftiko.workflow.source import schema as rules
from naftiko.workflow.source.schema import Section, TextRule, kind_of
from naftiko.workflow.source.schema_parts import (
    read_embedding,
    read_metadata,
    read_parameters,
    read_rollback,
)
from naftiko.workflow.source.schema_steps import StepReader, read_steps

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_PERMISSIONS = 500
DEFAULT_VERSION = "1.0"
WORKFLOW_TYPES = ("primitive", "pattern", "application")

WORKFLOW_FIELDS = (
    "name",
    "version",
    "description",
    "type",
    "metadata",
    "parameters",
    "permissions",
    "nested_workflows",
    "steps",
    "outputs",
    "rollback",
    "embedding_metadata",
)

MAX_LINE = 10_000
_UNQUOTED = re.compile(r"[\[{,:] ?\$\{")

_DESCRIPTION = TextRule(shortest=10, longest=500, one_line=True)
_CODES = {
    "too-large": "WF101",
    "not-utf-8": "WF101",
    "anchor": "WF103",
    "alias": "WF103",
    "merge-key": "WF103",
    "custom-tag": "WF103",
    "duplicate-key": "WF104",
    "too-deep": "WF105",
}
"""Codes of the reader; its others are WF102."""

_HINTS = {
    "too-large": "split it into workflows that one workflow calls",
    "too-many-values": "split it into workflows that one workflow calls",
    "root-not-a-mapping": "begin with `name: ...`",
    "empty-document": "`naftiko workflow new NAME` writes one to start from",
}


def parse_workflow(data: bytes | str, path: str, problems: Problems) -> Workflow | None:
    """Return the workflow of a source, None where it has errors; `path` is what they call it."""
    document = read_source(data, path, problems)
    return None if document is None else build_workflow(document, source_digest(data), problems)


def source_digest(data: bytes | str) -> str:
    """Return the SHA-256 of a source, in hex."""
    return hashlib.sha256(_bytes(data)).hexdigest()


def read_source(data: bytes | str, path: str, problems: Problems) -> Document | None:
    """Return the document of a source, None where it is none that a workflow may be (stage 1)."""
    try:
        return parse_document(
            _bytes(data), path, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH, strict=True
        )
    except DocumentError as error:
        problems.extend(reported(error.problems, _bytes(data)))
        return None


def build_workflow(document: Document, sha256: str, problems: Problems) -> Workflow | None:
    """Return the workflow that a document describes, None where it has errors (stage 2)."""
    found = Problems()
    workflow = _Reader(document, found).workflow(sha256)
    problems.extend(found)
    return None if found.errors else workflow


def parse_steps(node: Node, problems: Problems) -> tuple[Step, ...]:
    """Return the steps of a list, as those of a recipe; what is wrong is reported."""
    if not isinstance(node, Sequence):
        message = f"the steps are {kind_of(node)} where a list is expected"
        problems.error("WF203", message, node.location)
        return ()
    return read_steps(node, problems)


def _bytes(data: bytes | str) -> bytes:
    # a lone surrogate becomes bytes that are no UTF-8, and so is refused with its place
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data


def reported(problems: Iterable[Problem], data: bytes) -> Iterable[Problem]:
    """Yield what the reader of documents says, under the compiler's codes."""
    for problem in problems:
        hint = _HINTS.get(problem.code, problem.hint)
        if problem.code == "yaml-syntax" and _unquoted_expression(problem, data):
            hint = 'a text with `${...}` needs quotes inside of `{...}` and `[...]`: "${...}"'
        yield replace(problem, code=_CODES.get(problem.code, "WF102"), hint=hint)


def _unquoted_expression(problem: Problem, data: bytes) -> bool:
    line = Source(problem.location.path, data.decode("utf-8", "replace")).line(
        problem.location.line
    )
    return line is not None and _UNQUOTED.search(line[:MAX_LINE]) is not None


class _Reader:
    """Reads one document."""

    def __init__(self, document: Document, problems: Problems) -> None:
        self._document = document
        self._problems = problems
        self._root = Section(document.root, "the workflow", problems)
        self._steps = StepReader(problems)

    def workflow(self, sha256: str) -> Workflow:
        root = self._root
        root.refuse_unknown(WORKFLOW_FIELDS)
        name = root.text("name", rules.NAME, required=True)
        place = name.location if name is not None else root.node.location
        version = self._version()
        description = root.text(
            "description",
            _DESCRIPTION,
            required=True,
            hint="say in 10 to 500 characters what it does, on one line",
        )
        metadata = root.mapping("metadata")
        embedding = root.mapping("embedding_metadata")
        nested = root.texts("nested_workflows", rules.WORKFLOW_REF, most=MAX_PERMISSIONS)
        permissions = root.texts("permissions", rules.PERMISSION, most=MAX_PERMISSIONS)
        permissions_key = root.node.key("permissions")
        steps = self._step_list()
        rollback = read_rollback(root)
        self._check_covered(rollback)
        return Workflow(
            name=name.text if name is not None else "",
            version=version,
            description=description.text.strip() if description is not None else "",
            type_=root.choice("type", WORKFLOW_TYPES, _inferred_type(steps, nested)),
            location=place,
            sha256=sha256,
            version_given="version" in root.node,
            metadata=Metadata() if metadata is None else read_metadata(metadata, self._problems),
            parameters=read_parameters(root),
            parameters_given="parameters" in root.node,
            permissions=permissions,
            permissions_location=permissions_key.location if permissions_key else None,
            steps=steps,
            steps_given="steps" in root.node,
            nested_workflows=nested,
            outputs=self._outputs(),
            rollback=rollback,
            embedding=(
                Embedding() if embedding is None else read_embedding(embedding, self._problems)
            ),
        )

    def _version(self) -> str:
        root = self._root
        if "version" not in root.node:
            key = root.node.key("name")
            place = key.location if key is not None else root.node.location
            message = f"the workflow has no `version`, so it is {DEFAULT_VERSION}"
            hint = f'add `version: "{DEFAULT_VERSION}"`: a published workflow needs one'
            self._problems.warn("WF212", message, place, hint)
            return DEFAULT_VERSION
        node = root.text("version", rules.VERSION)
        return node.text if node is not None else DEFAULT_VERSION

    def _step_list(self) -> tuple[Step, ...]:
        root = self._root
        if "steps" not in root.node:
            if "nested_workflows" not in root.node:
                root.missing("steps", "list what it does, or name `nested_workflows` to run")
            return ()
        node = root.sequence("steps")
        if node is not None and not len(node):
            root.out_of_range("`steps` has no steps", node.location)
        return self._steps.steps(node, in_loop=False) if node is not None else ()

    def _outputs(self) -> tuple[tuple[Scalar, Node], ...] | None:
        entries = self._root.named("outputs", rules.IDENTIFIER)
        return entries if "outputs" in self._root.node else None

    def _check_covered(self, rollback: tuple[Handler, ...]) -> None:
        """Report steps that a handler names and that do not exist."""
        for handler in rollback:
            for name in handler.steps or ():
                if name.text in self._steps.ids or not self._steps.ids:
                    continue
                message = f"`steps` names `{shorten(name.text)}`, which is no step of the workflow"
                hint = did_you_mean(name.text, self._steps.ids)
                self._problems.error("WF204", message, name.location, hint)


def _inferred_type(steps: tuple[Step, ...], nested: object) -> str:
    return "pattern" if nested is not None or _calls_workflow(steps) else "primitive"


def _calls_workflow(steps: tuple[Step, ...]) -> bool:
    return any(
        isinstance(step.action, CallWorkflow)
        or (isinstance(step.action, ForEach) and _calls_workflow(step.action.do))
        for step in steps
    )

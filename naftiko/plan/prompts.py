"""McpPrompt -> PromptPlan: messages with arguments, of a file, or made by an operation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.document.nodes import Sequence as SequenceNode
from naftiko.errors import Problems, ShapingError, did_you_mean
from naftiko.expressions.template import MAX_RENDERED, Template
from naftiko.model.mcp import McpPrompt, McpPromptArgument
from naftiko.model.parameters import InputParameter
from naftiko.plan.called import Setting
from naftiko.plan.capability import OperationPlan, PromptArgumentPlan, PromptPlan
from naftiko.plan.clients import leave_out
from naftiko.plan.completions import CompletionCompiler
from naftiko.plan.content import Content, ContentBlock, ContentCompiler, Given, TextBlock
from naftiko.plan.content_files import Files
from naftiko.plan.given import declares_nothing_to_run
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.templates import input_references
from naftiko.plan.values import TextValue
from naftiko.source import Anchor, Location
from naftiko.values import JsonObject, JsonValue

ROLES = ("user", "assistant")

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{([A-Za-z0-9_*-]+)\}", re.DOTALL)
_IN_FILE = re.compile(r"\{\{\s*([A-Za-z0-9_*-]+)\s*\}\}|\{([A-Za-z0-9_*-]+)\}")


@dataclass(slots=True, kw_only=True)
class PromptCompiler:
    """Compiles the prompts of one adapter."""

    adapter: str
    operations: OperationCompiler
    completions: CompletionCompiler
    files: Files
    problems: Problems
    max_bytes: int

    def compile(self, prompt: McpPrompt) -> PromptPlan | None:
        """Compile one; None where its operation is left out.

        Raises: LeftOut, ExpressionError.
        """
        operation = self._operation(prompt)
        dynamic = not declares_nothing_to_run(prompt.operation)
        if dynamic and operation is None:
            return None
        messages = self._messages(prompt, checked=not dynamic)
        if messages is None and operation is None:
            raise leave_out(
                "nothing-to-say",
                f"the prompt `{prompt.operation.name}` has none of `template`, `location`, "
                "`content`, `call` and `steps`",
                prompt.location,
            )
        names = [argument.name for argument in prompt.arguments]
        completions = [item.completion for item in prompt.arguments if item.completion is not None]
        return PromptPlan(
            name=prompt.operation.name,
            label=prompt.operation.label,
            description=prompt.operation.description,
            location=prompt.location,
            arguments=tuple(
                PromptArgumentPlan(
                    name=item.name,
                    label=item.label,
                    description=item.description,
                    required=item.required,
                )
                for item in prompt.arguments
            ),
            inputs=operation.inputs if operation else _table(prompt.arguments),
            messages=messages,
            operation=operation,
            completions=self.completions.compile(
                prompt.operation.name, completions, names, prompt.location
            ),
        )

    def _operation(self, prompt: McpPrompt) -> OperationPlan | None:
        if declares_nothing_to_run(prompt.operation):
            return None
        inputs = tuple(_parameter(item) for item in prompt.arguments)
        operation = replace(prompt.operation, input_parameters=inputs, content=None)
        return self.operations.compile(operation, Setting(adapter=self.adapter))

    def _messages(self, prompt: McpPrompt, *, checked: bool) -> Content | None:
        names = [argument.name for argument in prompt.arguments]
        if prompt.file is not None:
            _, content = self.files.read(prompt.file, self.max_bytes)
            text = _FileText.of(content.decode("utf-8", "replace"), names)
            return Content((ContentBlock(TextBlock(Given(text))),))  # type: ignore[arg-type]  # it renders as a ValueTemplate does
        compiler = _Messages(
            blocks=ContentCompiler(
                value=self.operations.templates.value,
                files=self.files,
                text=_Braces(self, names, checked=checked).template,
                max_bytes=self.max_bytes,
            )
        )
        if prompt.template is not None:
            return compiler.compile(prompt.template)
        content_node = prompt.operation.content
        return compiler.blocks.compile(content_node) if content_node is not None else None


@dataclass(frozen=True, slots=True)
class _Messages:
    """Reads `template`: a text, or a list of `{role, content}`."""

    blocks: ContentCompiler

    def compile(self, node: Node) -> Content:
        items: Sequence[Node] = node.items if isinstance(node, SequenceNode) else (node,)
        found = [block for item in items for block in self._message(item)]
        if not found:
            raise leave_out("nothing-to-say", "`template` has no messages", node.location)
        return Content(tuple(found))

    def _message(self, node: Node) -> list[ContentBlock]:
        if isinstance(node, Scalar):
            return [self.blocks.block(node)]
        content = node.get("content") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or content is None:
            raise leave_out(
                "bad-content", "a message is an object with `role` and `content`", node.location
            )
        role = node.get("role")
        named = role.text if isinstance(role, Scalar) else "user"
        if named not in ROLES:
            raise leave_out(
                "bad-content",
                f"`{named}` is no role of a message",
                (role or node).location,
                did_you_mean(named, ROLES),
            )
        parts = content.items if isinstance(content, SequenceNode) else (content,)
        return [self.blocks.block(part, named) for part in parts]


@dataclass(frozen=True, slots=True)
class _Braces:
    """Compiles the texts of a prompt, where `{arg}` means `{{arg}}`."""

    prompts: PromptCompiler
    names: Sequence[str]
    checked: bool

    def template(self, scalar: Scalar) -> Template:
        templates = self.prompts.operations.templates
        text = _PLACEHOLDER.sub(self._doubled, scalar.text)
        if text == scalar.text:
            template = templates.scalar(scalar)
        else:
            template = templates.text(text, _at_most(scalar))
        if self.checked:
            for name, reference in input_references(TextValue(template), templates):
                if name.partition(".")[0] not in self.names:
                    self._warn(name, reference.location)
        return template

    def _doubled(self, match: re.Match[str]) -> str:
        return "{{" + match[1] + "}}" if match[1] in self.names else match[0]

    def _warn(self, name: str, location: Location) -> None:
        self.prompts.problems.warn(
            "undeclared-argument",
            f"`{{{{{name}}}}}` is no argument of this prompt, so it stays empty",
            location,
            did_you_mean(name, self.names) or "declare it under `arguments`",
        )


def _at_most(scalar: Scalar) -> Anchor:
    """Positions in a text that grew by a few braces: near enough, and never past its end."""

    def at(offset: int, length: int = 0, /) -> Location:
        return scalar.at(min(offset, max(0, len(scalar.text) - 1)), length)

    return at


@dataclass(frozen=True, slots=True)
class _FileText:
    """The text of a prompt's file. Arguments are filled in, in one pass; all else is text."""

    parts: tuple[tuple[str, str], ...]
    references: tuple[()] = ()

    @classmethod
    def of(cls, text: str, names: Sequence[str]) -> _FileText:
        parts: list[tuple[str, str]] = []
        end = 0
        for match in _IN_FILE.finditer(text):
            name = match[1] or match[2]
            if name in names:
                parts.append((text[end : match.start()], name))
                end = match.end()
        return cls((*parts, (text[end:], "")))

    def render(self, scope: JsonObject) -> JsonValue:
        texts = [(before, str(scope.get(name, "") or "")) for before, name in self.parts]
        if sum(len(before) + len(text) for before, text in texts) > MAX_RENDERED:
            raise ShapingError(message="the prompt grows to more than 32 MiB")
        return "".join(before + text for before, text in texts)


def _parameter(argument: McpPromptArgument) -> InputParameter:
    return InputParameter(
        name=argument.name,
        location=argument.location,
        type_="string",
        description=argument.description,
        required=argument.required,
        schema=(("enum", list(argument.enum)),) if argument.enum else (),
    )


def _table(arguments: Sequence[McpPromptArgument]) -> InputTable:
    inputs: list[Input] = []
    for argument in arguments:
        schema: JsonObject = {"type": "string"}
        if argument.enum:
            schema["enum"] = list(argument.enum)
        inputs.append(
            Input(
                name=argument.name,
                schema=schema,
                required=argument.required,
                description=argument.description,
            )
        )
    return InputTable(inputs=tuple(inputs))

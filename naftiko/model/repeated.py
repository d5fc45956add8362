"""Names that stand twice in a list: in a map the document reader refuses them.

Behaviour reference, section 15, row 40. Two entries that say the same are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from naftiko.document.nodes import Document, Mapping, Node, Sequence
from naftiko.errors import Problems
from naftiko.model.fields import Fields, Named

CODE = "duplicate-name"


def refuse_repeated_names(document: Document, problems: Problems) -> None:
    """Report consumed operations and parameters of which one list has two of a name."""
    root = Fields(document.root)
    inner = root.fields("capability")
    for section in [root] if inner is None else [root, inner]:
        for api in section.named("consumes", key="namespace"):
            _report(
                _operations(api),
                problems,
                f"two operations of `{api.name}` are called `{{}}`, so that calls to it are "
                "ambiguous",
            )
    for parameters in _parameter_lists(document.root):
        _report(parameters, problems, "two parameters are called `{}`")


def _operations(api: Named) -> Iterator[tuple[str, Named]]:
    for resource in api.fields.named("resources"):
        for operation in resource.fields.named("operations"):
            yield operation.name, operation
    for operation in api.fields.named("operations"):
        yield operation.name, operation


def _parameter_lists(node: Node) -> Iterator[list[tuple[str, Named]]]:
    """A header and a query parameter may have one name; two of a place may not."""
    if isinstance(node, Sequence):
        for item in node:
            yield from _parameter_lists(item)
    elif isinstance(node, Mapping):
        if isinstance(node.get("inputParameters"), Sequence):
            entries = Fields(node).named("inputParameters")
            yield [(f"{entry.name} {entry.fields.text('in')}", entry) for entry in entries]
        for _, value in node.entries:
            yield from _parameter_lists(value)


def _report(entries: Iterable[tuple[str, Named]], problems: Problems, message: str) -> None:
    seen: dict[str, Named] = {}
    for key, entry in entries:
        if not entry.name:
            continue
        earlier = seen.setdefault(key, entry)
        if earlier is entry or earlier.fields.node.plain() == entry.fields.node.plain():
            continue
        problems.error(
            CODE,
            message.format(entry.name),
            entry.location,
            f"the other one stands at {earlier.location}; rename one",
        )

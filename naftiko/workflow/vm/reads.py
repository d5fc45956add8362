"""What trees read: which steps must have run for them, and which values are secret.

Both are properties of the plan, found once at load. Spec: sections 6.2 (who is skipped with a
skipped step) and 8 (sensitive values are `***` everywhere).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.own_fields import OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """`needs`: steps whose outputs are read without a default; `steps`: all that are read.

    `own` are (step, name) pairs that are read without a default and may be what a step says of
    itself. `outputs` are (step, output) pairs, `params` parameters; `item` tells whether the
    element of a loop is read.
    """

    needs: tuple[str, ...] = ()
    own: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    params: tuple[str, ...] = ()
    item: bool = False


def refs(tree: JsonValue) -> Iterator[JsonObject]:
    """Yield the `ref` nodes of a tree, in order; nothing inside a literal counts."""
    if isinstance(tree, list):
        for inner in tree:
            yield from refs(inner)
    elif isinstance(tree, dict):
        if "ref" in tree:
            yield tree
        elif "lit" not in tree:
            yield from refs(list(_parts(tree)))


def _parts(tree: JsonObject) -> Iterator[JsonValue]:
    obj = tree.get("obj")
    if isinstance(obj, dict):
        yield from obj.values()
        return
    for name in ("a", "b", "args", "cat", "list"):
        if name in tree:
            yield tree[name]


def reads_of(trees: Iterable[JsonValue]) -> Reads:
    """Return what the trees read."""
    needs: dict[str, None] = {}
    own: dict[tuple[str, str], None] = {}
    steps: dict[str, None] = {}
    outputs: dict[tuple[str, str], None] = {}
    params: dict[str, None] = {}
    item = False
    for tree in trees:
        for ref in refs(tree):
            where = ref["ref"]
            assert isinstance(where, list)
            root, first = where[0], str(where[1]) if len(where) > 1 else ""
            if root == "params":
                params[first] = None
            elif root == "item":
                item = True
            elif root == "steps":
                output = str(where[2]) if len(where) > 2 else ""
                steps[first] = None
                outputs[first, output] = None
                if "default" in ref:
                    continue
                if output in OWN:
                    own[first, output] = None
                else:
                    needs[first] = None
    return Reads(
        needs=tuple(needs),
        own=tuple(own),
        steps=tuple(steps),
        outputs=tuple(outputs),
        params=tuple(params),
        item=item,
    )


class Secrets:
    """Which outputs carry what is secret: followed through SET, FILTER and loops."""

    def __init__(self, params: Collection[str]) -> None:
        """Start with the sensitive parameters."""
        self._params = frozenset(params)
        self._outputs: set[tuple[str, str]] = set()
        self.item = False

    def add(self, step_id: str, output: str) -> None:
        """Note that an output is secret."""
        self._outputs.add((step_id, output))

    def touches(self, reads: Reads) -> bool:
        """Return whether something secret is read."""
        if any(name in self._params for name in reads.params):
            return True
        if self.item and reads.item:
            return True
        return any(pair in self._outputs for pair in reads.outputs)

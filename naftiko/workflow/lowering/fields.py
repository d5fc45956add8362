"""Which members of the elements of a selected list are read: only these are kept of an answer.

A list of 1,000 snapshots with all their members would pass every limit; `item.Status` and
`item.SnapshotCreateTime` of each are a few kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naftiko.values import JsonObject, JsonValue

_Key = tuple[str, str]
"""(step id, output name) of a list."""


def narrow(
    operations: Sequence[JsonObject], others: Sequence[JsonObject], public: set[str]
) -> None:
    """Set `fields` of every selected list whose elements are only read member by member.

    `others` are trees outside of the operations (rollback's operations count as operations);
    `public` are ids of steps whose declared outputs are shown, and so kept whole.
    """
    uses = _Uses()
    for operation in operations:
        uses.of_operation(operation)
    for tree in others:
        uses.of_tree(tree, None)
    for operation in _all(operations):
        call = operation.get("call") if operation.get("op") == "POLL" else operation
        if isinstance(call, dict) and isinstance(call.get("select"), dict):
            _narrow(str(operation["step_id"]), call, uses, public)


def _narrow(step_id: str, call: JsonObject, uses: _Uses, public: set[str]) -> None:
    selected, schema = call["select"], call["output_schema"]
    assert isinstance(selected, dict)  # the caller looked
    assert isinstance(schema, dict)
    fields: JsonObject = {}
    for name, path in selected.items():
        shown = step_id in public and not name.startswith("output.")
        if schema.get(str(path)) != "list" or shown:
            continue
        read = uses.members((step_id, name))
        if read:
            fields[name] = list[JsonValue](sorted(read))
    call["fields"] = fields


def _all(operations: Sequence[JsonObject]) -> Iterator[JsonObject]:
    for operation in operations:
        yield operation
        body = operation.get("body")
        if isinstance(body, list):
            yield from _all([item for item in body if isinstance(item, dict)])


class _Uses:
    """What is read of each list: names of members, or None for a list that is used as a whole."""

    def __init__(self) -> None:
        self._read: dict[_Key, set[str]] = {}
        self._whole: set[_Key] = set()
        self._kept: dict[_Key, _Key] = {}
        """The items of a FILTER -> the list that they are of."""

    def members(self, key: _Key) -> set[str] | None:
        """Return the members that are read; None where all have to be kept."""
        related = [key, *(kept for kept, of in self._kept.items() if self._root(of) == key)]
        if any(one in self._whole for one in related):
            return None
        return set().union(*(self._read.get(one, set()) for one in related))

    def _root(self, key: _Key) -> _Key:
        while key in self._kept:
            key = self._kept[key]
        return key

    def of_operation(self, operation: JsonObject, item: _Key | None = None) -> None:
        """Note what an operation reads; `item` is the list whose element it works on."""
        kind = operation.get("op")
        if kind == "FILTER":
            source = _list_key(operation["from"])
            if source is None:
                self.of_tree(operation["from"], item)
            else:
                self._kept[(str(operation["step_id"]), "items")] = source
            self.of_tree(operation["where"], source)
            return
        if kind == "FOR_EACH":
            source = _list_key(operation["over"])
            if source is None:
                self.of_tree(operation["over"], item)
            body = operation["body"]
            assert isinstance(body, list)  # docs/workflow-plan.md
            for inner in body:
                if isinstance(inner, dict):
                    self.of_operation(inner, source)
            return
        for name, value in operation.items():
            if name not in _NO_TREES:
                self.of_tree(value, item)

    def of_tree(self, tree: JsonValue, item: _Key | None) -> None:
        """Note what a tree reads."""
        if isinstance(tree, list):
            for inner in tree:
                self.of_tree(inner, item)
        if not isinstance(tree, dict):
            return
        ref = tree.get("ref")
        if isinstance(ref, list):
            self._note(ref, item)
            return
        if tree.get("fn") == "length" and isinstance(args := tree.get("args"), list):
            # How many there are says nothing of what is in them.
            self.of_tree([one for one in args if _list_key(one) is None], item)
            return
        if tree.get("fn") == "pluck" and self._plucked(tree):
            return
        for inner in tree.values():
            self.of_tree(inner, item)

    def _plucked(self, tree: JsonObject) -> bool:
        """Note the member that `pluck` takes of a list; False where it is no list of a step."""
        args = tree["args"]
        assert isinstance(args, list)  # the typer made it
        key, name = _list_key(args[0]), args[1]
        if key is None or not isinstance(name, dict):
            return False
        self._read.setdefault(key, set()).add(str(name["lit"]))
        return True

    def _note(self, ref: list[JsonValue], item: _Key | None) -> None:
        if ref[0] == "item" and item is not None:
            if len(ref) > 1 and isinstance(ref[1], str):
                self._read.setdefault(item, set()).add(ref[1])
            else:
                self._whole.add(item)
        if ref[0] == "steps" and len(ref) >= 3:
            key = (str(ref[1]), str(ref[2]))
            self._whole_or_member(key, ref[3:])

    def _whole_or_member(self, key: _Key, rest: list[JsonValue]) -> None:
        if len(rest) >= 2 and isinstance(rest[0], int) and isinstance(rest[1], str):
            self._read.setdefault(key, set()).add(rest[1])
        else:
            self._whole.add(key)


_NO_TREES = {"select", "output_schema", "input_schema", "paginate", "retry", "idempotency", "at"}


def _list_key(tree: JsonValue) -> _Key | None:
    """Return the list that a tree is: {"ref": ["steps", "s", "items"]} -> ("s", "items")."""
    ref = tree.get("ref") if isinstance(tree, dict) else None
    if isinstance(ref, list) and len(ref) == 3 and ref[0] == "steps":
        return (str(ref[1]), str(ref[2]))
    return None

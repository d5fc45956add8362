"""Nodes -> imports: entries of any section that stand in another file. Spec: `import`."""

from __future__ import annotations

from naftiko.document.nodes import Scalar, Sequence
from naftiko.errors import Problems
from naftiko.model.consumes import Import
from naftiko.model.fields import Fields


def is_import(fields: Fields, *, location: bool = True) -> bool:
    """Tell whether an entry of a section is an import rather than the thing itself.

    A bind has a `location` of its own, so that there it tells nothing.
    """
    node = fields.node
    whole_file = location and "location" in node and "namespace" not in node
    return "import" in node or "from" in node or whole_file


def build_import(fields: Fields, problems: Problems) -> Import | None:
    """`{import: ns, location: file}`, `{import: ns, from: file}`, or 0.5's `{import: file}`."""
    import_ = fields.scalar("import")
    path = fields.scalar("location", "from")
    if import_ is not None and path is None and _looks_like_a_file(import_.text):
        return Import(
            import_=None, path=import_, location=fields.location, as_=fields.text("as") or None
        )
    if path is None:
        problems.error(
            "missing-import-location",
            "this import does not say which file it imports from",
            fields.location,
            "add `location: ./shared/my-api.yaml`",
        )
        return None
    return Import(
        import_=import_, path=path, location=fields.location, as_=fields.text("as") or None
    )


def build_whole_files(root: Fields) -> tuple[Import, ...]:
    """Top-level `imports: [path]` takes everything of those files."""
    node = root.node_of("imports")
    if not isinstance(node, Sequence):
        return ()
    return tuple(
        Import(import_=None, path=item, location=item.location, whole_file=True)
        for item in node
        if isinstance(item, Scalar)
    )


def _looks_like_a_file(text: str) -> bool:
    return "/" in text or text.endswith((".yaml", ".yml", ".json"))

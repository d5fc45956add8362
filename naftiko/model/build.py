"""Document -> Capability. camelCase becomes snake_case here and nowhere else."""

from __future__ import annotations

from naftiko.document.nodes import Document, Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, did_you_mean
from naftiko.model.binds import Bind, BindKey
from naftiko.model.build_consumes import build_consumes
from naftiko.model.build_exposes import build_exposes
from naftiko.model.capability import Capability, Info
from naftiko.model.consumes import Consumes, Import
from naftiko.model.fields import Fields, Named
from naftiko.model.unserved import warn_sections

GENERATIONS = ("naftiko", "ikanos")
KNOWN_VERSIONS = {
    "naftiko": ("0.3", "0.4", "0.5", "1.0.0-alpha1", "1.0.0-alpha2", "1.0.0-alpha3"),
    "ikanos": (
        "1.0.0-alpha3",
        "1.0.0-alpha4",
        "1.0.0-beta1",
        "1.0.0-beta2",
        "1.0.0-beta3",
        "1.0.0-beta4",
        "1.0.0-beta5",
    ),
}


def build_capability(document: Document, problems: Problems) -> Capability:
    """Build the model of a file. What cannot be read at all becomes an error in `problems`."""
    root = Fields(document.root)
    generation, version = _version(root, problems)
    inner = root.fields("capability")
    _check_kind(root, inner, problems)
    sections = [root] if inner is None else [root, inner]
    for section in sections:
        warn_sections(section, problems)
    return Capability(
        document=document,
        generation=generation,
        spec_version=version,
        info=_info(root.fields("info")),
        binds=tuple(bind for section in sections for bind in _binds(section, problems)),
        consumes=(
            *(entry for section in sections for entry in build_consumes(section, problems)),
            *_whole_file_imports(root),
        ),
        exposes=tuple(entry for section in sections for entry in build_exposes(section, problems)),
        location=document.root.location,
    )


def build_consumed(document: Document, problems: Problems) -> tuple[Consumes | Import, ...]:
    """Build only what a file consumes, at its root and under `capability`: for imports."""
    root = Fields(document.root)
    inner = root.fields("capability")
    found = build_consumes(root, problems)
    return found if inner is None else (*found, *build_consumes(inner, problems))


def build_binds(document: Document, problems: Problems) -> tuple[Bind, ...]:
    """Build only what a file binds, at its root and under `capability`: for imports."""
    root = Fields(document.root)
    inner = root.fields("capability")
    found = _binds(root, problems)
    return tuple(found if inner is None else [*found, *_binds(inner, problems)])


def _version(root: Fields, problems: Problems) -> tuple[str, str]:
    for generation in GENERATIONS:
        scalar = root.scalar(generation)
        if scalar is None:
            continue
        known = KNOWN_VERSIONS[generation]
        if scalar.text not in known:
            problems.warn(
                "unknown-version",
                f"`{generation}: {scalar.text}` is no version this engine knows",
                scalar.location,
                did_you_mean(scalar.text, known) or f"the newest known one is `{known[-1]}`",
            )
        return generation, scalar.text
    problems.warn(
        "missing-version",
        "the file does not say which version of the language it is written in",
        root.location,
        'start it with `naftiko: "1.0.0-alpha3"`',
    )
    return "naftiko", ""


def _check_kind(root: Fields, inner: Fields | None, problems: Problems) -> None:
    """A file that has none of the sections is something else."""
    if inner is not None or any(name in root.node for name in ("consumes", "exposes")):
        return
    if "capability" in root.node:
        problems.error(
            "wrong-type",
            "`capability` must be a mapping with `consumes` and `exposes`",
            root.location,
        )
        return
    problems.error(
        "not-a-capability",
        "the file has no `capability`, so that there is nothing to serve",
        root.location,
        "add `capability:` with `consumes` and `exposes`",
    )


def _info(fields: Fields | None) -> Info:
    if fields is None:
        return Info()
    return Info(
        label=fields.text("label", "display"),
        description=fields.text("description"),
        version=fields.text("version"),
        tags=fields.texts("tags"),
    )


def _binds(fields: Fields, problems: Problems) -> list[Bind]:
    binds: list[Bind] = []
    for named in fields.named("binds", key="namespace"):
        inner = named.fields
        binds.append(
            Bind(
                namespace=named.name,
                keys=_keys(inner.node_of("keys")),
                location=named.location,
                uri=_uri(named),
                description=inner.text("description"),
            )
        )
        if "keys" not in inner.node and "from" not in inner.node:
            problems.warn(
                "missing-keys",
                f"the bind `{named.name}` names no `keys`, so that it gives no variable",
                named.location,
                "add `keys: {MY_TOKEN: MY_TOKEN}`",
            )
    return binds


def _uri(named: Named) -> Scalar | None:
    """`location` (spec) or `file`; a map with `namespace: env` and no file is the environment."""
    return named.fields.scalar("location", "file")


def _keys(node: Node | None) -> tuple[BindKey, ...]:
    """`{VARIABLE: key in the source}`, or a list of names that are the same on both sides."""
    if isinstance(node, Mapping):
        return tuple(
            BindKey(
                name=key.text,
                source_key=value.text if isinstance(value, Scalar) and value.text else key.text,
                location=key.location,
            )
            for key, value in node.entries
        )
    if isinstance(node, Sequence):
        return tuple(
            BindKey(name=item.text, source_key=item.text, location=item.location)
            for item in node
            if isinstance(item, Scalar)
        )
    return ()


def _whole_file_imports(root: Fields) -> list[Import]:
    """Top-level `imports: [path]` takes every namespace of those files."""
    node = root.node_of("imports")
    if not isinstance(node, Sequence):
        return []
    return [
        Import(import_=None, path=item, location=item.location)
        for item in node
        if isinstance(item, Scalar)
    ]

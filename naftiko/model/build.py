"""Document -> Capability. camelCase becomes snake_case here and nowhere else."""

from __future__ import annotations

from naftiko.document.nodes import Document, Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, did_you_mean
from naftiko.model.aggregates import Aggregate
from naftiko.model.binds import Bind, BindKey
from naftiko.model.build_aggregates import build_aggregates
from naftiko.model.build_consumes import build_consumes
from naftiko.model.build_exposes import build_exposes
from naftiko.model.build_imports import build_import, build_whole_files, is_import
from naftiko.model.capability import Capability, Info, Stakeholder
from naftiko.model.consumes import Consumes, Import
from naftiko.model.exposes import Exposes
from naftiko.model.fields import Fields, Named
from naftiko.model.repeated import refuse_repeated_names

GENERATIONS = ("naftiko", "ikanos")
IMPORTABLE = ("exposes", "aggregates", "consumes", "binds")
"""What a file without `capability` may hold for others to import; the first one it has names it."""
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
    kind = _kind(root, inner, problems)
    refuse_repeated_names(document, problems)
    sections = [root] if inner is None else [root, inner]
    return Capability(
        document=document,
        generation=generation,
        spec_version=version,
        info=_info(root.fields("info")),
        binds=tuple(bind for section in sections for bind in _binds(section, problems)),
        consumes=build_consumed(document, problems),
        exposes=build_exposed(document, problems),
        aggregates=build_aggregated(document, problems),
        whole_files=build_whole_files(root),
        location=document.root.location,
        kind=kind,
    )


def build_consumed(document: Document, problems: Problems) -> tuple[Consumes | Import, ...]:
    """Build only what a file consumes, at its root and under `capability`: for imports."""
    return tuple(
        entry for fields in _sections(document) for entry in build_consumes(fields, problems)
    )


def build_exposed(document: Document, problems: Problems) -> tuple[Exposes | Import, ...]:
    """Build only what a file exposes, at its root and under `capability`: for imports."""
    return tuple(
        entry for fields in _sections(document) for entry in build_exposes(fields, problems)
    )


def build_aggregated(document: Document, problems: Problems) -> tuple[Aggregate | Import, ...]:
    """Build only the aggregates of a file, at its root and under `capability`: for imports."""
    return tuple(
        entry for fields in _sections(document) for entry in build_aggregates(fields, problems)
    )


def build_binds(document: Document, problems: Problems) -> tuple[Bind | Import, ...]:
    """Build only what a file binds, at its root and under `capability`: for imports."""
    return tuple(entry for fields in _sections(document) for entry in _binds(fields, problems))


def has_capability(document: Document) -> bool:
    """Tell whether a file is a capability, rather than one made to be imported."""
    return "capability" in document.root


def _sections(document: Document) -> tuple[Fields, ...]:
    root = Fields(document.root)
    inner = root.fields("capability")
    return (root,) if inner is None else (root, inner)


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


def _kind(root: Fields, inner: Fields | None, problems: Problems) -> str:
    """A file that has none of the sections is something else."""
    if inner is not None:
        return "capability"
    held = [name for name in IMPORTABLE if name in root.node]
    if held:
        serves = "exposes" in held and ("consumes" in held or "aggregates" in held)
        return "capability" if serves else next(name for name in IMPORTABLE if name in held)
    if "capability" in root.node:
        problems.error(
            "wrong-type",
            "`capability` must be a mapping with `consumes` and `exposes`",
            root.location,
        )
        return "capability"
    problems.error(
        "not-a-capability",
        "the file has no `capability`, so that there is nothing to serve",
        root.location,
        "add `capability:` with `consumes` and `exposes`; a file of values that a bind reads is "
        "data, and needs no check"
        if _is_flat(root)
        else "add `capability:` with `consumes` and `exposes`",
    )
    return "capability"


def _is_flat(root: Fields) -> bool:
    """Tell whether a file looks like the values of a bind: names and texts, nothing below."""
    return len(root.node) > 0 and all(isinstance(value, Scalar) for _, value in root.node.entries)


def _info(fields: Fields | None) -> Info:
    if fields is None:
        return Info()
    return Info(
        label=fields.text("label", "display"),
        description=fields.text("description"),
        version=fields.text("version"),
        tags=fields.texts("tags"),
        created=fields.text("created"),
        modified=fields.text("modified"),
        stakeholders=tuple(
            Stakeholder(
                role=item.text("role"), full_name=item.text("fullName"), email=item.text("email")
            )
            for item in fields.items("stakeholders")
        ),
    )


def _binds(fields: Fields, problems: Problems) -> list[Bind | Import]:
    binds: list[Bind | Import] = [*_external_refs(fields)]
    for named in fields.named("binds", key="namespace"):
        inner = named.fields
        if is_import(inner, location=False):
            import_ = build_import(inner, problems)
            binds += [import_] if import_ is not None else []
            continue
        binds.append(
            Bind(
                namespace=named.name,
                keys=_keys(inner.node_of("keys")),
                location=named.location,
                uri=_uri(named),
                description=inner.text("description"),
                refresh=inner.scalar("refresh"),
            )
        )
        if "keys" not in inner.node:
            problems.warn(
                "missing-keys",
                f"the bind `{named.name}` names no `keys`, so that it gives no variable",
                named.location,
                "add `keys: {MY_TOKEN: MY_TOKEN}`",
            )
    return binds


def _external_refs(fields: Fields) -> list[Bind]:
    """0.5's `externalRefs`: a file (`type: environment`), or what the process is started with."""
    return [
        Bind(
            namespace=named.name,
            keys=_keys(named.fields.node_of("keys")),
            location=named.location,
            uri=None if named.fields.text("type") == "variables" else named.fields.scalar("uri"),
            description=named.fields.text("description"),
        )
        for named in fields.named("externalRefs")
    ]


def _uri(named: Named) -> Scalar | None:
    """`location` (spec) or `file`; a map with `namespace: env` and no file is the environment."""
    return named.fields.scalar("location", "file")


def _key(key: Scalar, value: Node) -> BindKey:
    """A default is a text; null says that the variable may well have no value at all."""
    if not isinstance(value, Mapping):
        source_key = value.text if isinstance(value, Scalar) and value.text else key.text
        return BindKey(name=key.text, source_key=source_key, location=key.location)
    fields = Fields(value)
    default = fields.node_of("default")
    text = default.text if isinstance(default, Scalar) and default.value is not None else None
    return BindKey(
        name=key.text,
        source_key=fields.text("from") or key.text,
        location=key.location,
        is_optional=isinstance(default, Scalar),
        default=text,
        is_secret=fields.boolean("secret") is not False,
        description=fields.text("description"),
    )


def _keys(node: Node | None) -> tuple[BindKey, ...]:
    """`{VARIABLE: key in the source}`, or a list of names that are the same on both sides.

    `{VARIABLE: {from: key, default: "", secret: false}}` says more of one.
    """
    if isinstance(node, Mapping):
        return tuple(_key(key, value) for key, value in node.entries)
    if isinstance(node, Sequence):
        return tuple(
            BindKey(name=item.text, source_key=item.text, location=item.location)
            for item in node
            if isinstance(item, Scalar)
        )
    return ()

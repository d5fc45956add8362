"""A capability's file -> the environment variables that its binds read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.errors import Problems, SpecError, StartError

if TYPE_CHECKING:
    from naftiko.model.binds import Bind

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|(^|_)(PWD|PASS|AUTH|DSN|COOKIE|SESSION|KEY|PAT)(_|$)"
    r"|APIKEY|KEY_?ID|AUTHORIZATION|PRIVATE",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"(TAG|PUBLIC|SORT|PARTITION|PRIMARY)_?KEY|SIGV4_AUTH", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVariable:
    """An environment variable that a bind reads. `default` is None where it has none."""

    name: str
    description: str = ""
    default: str | None = None
    is_secret: bool = False


def looks_secret(name: str) -> bool:
    """Tell whether a variable of this name most likely holds a secret.

    "API_TOKEN", "AWS_SECRET_ACCESS_KEY" do; "AWS_REGION", "OWNER_TAG_KEY" do not.
    """
    return _SECRET.search(_PLAIN.sub("", name)) is not None


def variables_of(path: Path, root: Path) -> tuple[ReadVariable, ...]:
    """Return the variables that a file and those it imports read from the environment, in order.

    None of a file that cannot be read: whoever loads it says why.
    """
    return tuple(_read(_binds(path, root)))


def prefix_variable(variables: Iterable[ReadVariable]) -> str:
    """Return the one variable that `--prefix` stands for: its name ends in `_PREFIX`.

    Raises: StartError where there is none, or are several.
    """
    names = [item.name for item in variables if NAME.fullmatch(item.name)]
    found = [name for name in names if name == "PREFIX" or name.endswith("_PREFIX")]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"`{name}`" for name in found)
        raise StartError(
            f"--prefix could mean any of {listed}",
            hint=f"write `--env {found[0]}=VALUE`",
        )
    listed = ", ".join(f"`{name}`" for name in names) or "none"
    raise StartError(
        "--prefix stands for the variable whose name ends in `_PREFIX`, and the capability reads "
        "no such variable",
        hint=f"it reads: {listed}",
    )


def _binds(path: Path, root: Path) -> list[Bind]:
    from naftiko.document.reader import load_document
    from naftiko.model.build import build_capability
    from naftiko.resolve.files import UnderRoot
    from naftiko.resolve.imports import resolve_imports

    problems = Problems()  # shown by whoever checks the file
    try:
        model = build_capability(load_document(path), problems)
    except SpecError:
        return []
    imported = resolve_imports(model, importer=path, files=UnderRoot(root), problems=problems)
    return [*imported.file_binds, *imported.binds]


def _read(binds: Iterable[Bind]) -> Iterable[ReadVariable]:
    found: Mapping[str, ReadVariable] = {
        key.source_key: ReadVariable(
            name=key.source_key,
            description=" ".join(key.description.split()),
            default=key.default,
            is_secret=key.is_secret and looks_secret(key.source_key),
        )
        for bind in binds
        if bind.uri is None
        for key in bind.keys
    }
    return found.values()

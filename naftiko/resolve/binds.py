"""binds -> BoundVariables: every declared variable with its value, or the reason it has none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Scalar
from naftiko.errors import Problems, SpecError, did_you_mean
from naftiko.model.binds import Bind, BindKey
from naftiko.resolve.files import UnderRoot
from naftiko.source import Location

MAX_BIND_FILE_BYTES = 1024 * 1024
PART_OF_FILE_BINDS = "env and file binds are served"

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_PLAIN_VALUES = frozenset({"true", "false", "env", "profile", "off", "on", "default"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One bound variable. `value` is None where its source, which `origin` names, has none."""

    name: str
    namespace: str
    value: str | None
    origin: str
    location: Location


class BoundVariables:
    """The variables of a capability, by `NAME` and by `namespace.NAME`."""

    def __init__(self, variables: Iterable[Variable], environment: Mapping[str, str]) -> None:
        """Index the variables; the last one of a bare name wins."""
        self._by_name: dict[str, Variable] = {}
        self.environment = environment
        for variable in variables:
            self._by_name[variable.name] = variable
            if variable.namespace:
                self._by_name[f"{variable.namespace}.{variable.name}"] = variable

    def find(self, name: str) -> Variable | None:
        """Return the variable of that bare or qualified name, or None if none is declared."""
        return self._by_name.get(name)

    def value(self, name: str) -> str | None:
        """Return a declared variable's value, None if undeclared or without value."""
        variable = self._by_name.get(name)
        return variable.value if variable else None

    def names(self) -> tuple[str, ...]:
        """Return every name that may be used."""
        return tuple(self._by_name)

    def secrets(self) -> list[str]:
        """Return the values to mask. Region names and switches are no secrets: see `is_public`."""
        values = {variable.value for variable in self._by_name.values()}
        return sorted(value for value in values if value and not is_public(value))


def is_public(value: str) -> bool:
    """Tell whether a value is a public word whose masking would only blot out texts.

    "us-east-1" is part of every ARN; "env" and "true" are switches.
    """
    return value.lower() in _PLAIN_VALUES or _REGION.fullmatch(value) is not None


def resolve_binds(
    binds: Iterable[Bind],
    *,
    environment: Mapping[str, str],
    files: UnderRoot,
    problems: Problems,
) -> BoundVariables:
    """Read the values of all variables. Missing ones are no problem until something uses them.

    A file is looked for beside the capability, then in the process's folder, under the workspace
    root only.
    """
    variables: list[Variable] = []
    for bind in binds:
        if bind.uri is None:
            variables += [_from_environment(bind, key, environment) for key in bind.keys]
            continue
        values = _read_file(bind, bind.uri, files, problems)
        variables += [_from_file(bind, key, values, bind.uri.text) for key in bind.keys]
    return BoundVariables(variables, environment)


def _from_environment(bind: Bind, key: BindKey, environment: Mapping[str, str]) -> Variable:
    return Variable(
        name=key.name,
        namespace=bind.namespace,
        value=environment.get(key.source_key) or None,
        origin=f"the environment variable {key.source_key}",
        location=key.location,
    )


def _from_file(bind: Bind, key: BindKey, values: Mapping[str, str], uri: str) -> Variable:
    return Variable(
        name=key.name,
        namespace=bind.namespace,
        value=values.get(key.source_key) or None,
        origin=f"`{key.source_key}` in {uri}",
        location=key.location,
    )


def _read_file(bind: Bind, uri: Scalar, files: UnderRoot, problems: Problems) -> Mapping[str, str]:
    relative = bind_path(uri.text)
    if relative is None:
        scheme = uri.text.partition("://")[0]
        problems.warn(
            "unsupported-bind",
            f"the bind `{bind.namespace}` reads from `{scheme}://`, which is not served",
            uri.location,
            f"{PART_OF_FILE_BINDS}; give its variables in the environment instead",
        )
        return {}
    found = files.find(relative, beside=Path(uri.location.path).parent, also=Path.cwd())
    if found.outside is not None:
        problems.error(
            "outside-workspace",
            f"the bind file `{uri.text}` lies outside the workspace root {files.root}",
            uri.location,
            "move the file under it, or name another root with --workspace",
        )
        return {}
    if found.path is None:
        problems.warn(
            "bind-file-not-found",
            f"the bind file `{uri.text}` does not exist",
            uri.location,
            did_you_mean(Path(relative).name, found.siblings),
        )
        return {}
    return _parse(found.path, uri, problems)


def bind_path(uri: str) -> str | None:
    """Return the path of a file URI, None for another scheme.

    "file:///./secrets.yaml", "file://./secrets.yaml", "secrets.yaml" -> "./secrets.yaml"
    """
    if "://" not in uri:
        return uri.removeprefix("file:")
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return None
    path = unquote(parts.netloc + parts.path if parts.netloc else parts.path)
    return path[1:] if path.startswith(("/./", "/../")) else path


def _parse(path: Path, uri: Scalar, problems: Problems) -> Mapping[str, str]:
    if path.stat().st_size > MAX_BIND_FILE_BYTES:
        problems.error(
            "bind-file-too-large",
            f"the bind file `{uri.text}` is larger than {MAX_BIND_FILE_BYTES} bytes",
            uri.location,
        )
        return {}
    if path.suffix == ".env" or path.name.startswith(".env"):
        return _parse_env_file(path, uri, problems)
    from naftiko.document.reader import load_document

    try:
        root = load_document(path).root
    except SpecError as error:
        # The text of a secrets file must not be shown, so only the place is.
        for problem in error.problems:
            problems.error(
                "bind-file-unreadable",
                f"the bind file `{uri.text}` cannot be read: {problem.code} at line "
                f"{problem.location.line}",
                uri.location,
            )
        return {}
    return _flat(root)


def _parse_env_file(path: Path, uri: Scalar, problems: Problems) -> Mapping[str, str]:
    """Read `KEY=value` lines. `${HOME}` stays text.

    Expanded, it would read the process's environment without a bind that says so.
    """
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path, interpolate=False)
    except UnicodeDecodeError:
        problems.error(
            "bind-file-unreadable",
            f"the bind file `{uri.text}` cannot be read: it is not UTF-8",
            uri.location,
        )
        return {}
    return {key: value for key, value in values.items() if value}


def _flat(root: MappingNode) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, node in root.entries:
        if isinstance(node, Scalar) and node.value is not None:
            values[key.text] = node.text
    return values

"""binds -> BoundVariables: every declared variable with its value, or the reason it has none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Scalar
from naftiko.errors import Problems, SpecError, did_you_mean
from naftiko.expressions.durations import parse_duration_s
from naftiko.model.binds import Bind, BindKey
from naftiko.resolve.files import UnderRoot, bind_path
from naftiko.resolve.providers import SourceUnavailableError, Surroundings
from naftiko.resolve.sources import Sources
from naftiko.source import Location

MAX_BIND_FILE_BYTES = 1024 * 1024
MIN_REFRESH_S = 10.0
MAX_REFRESH_S = 30 * 86_400.0

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_PLAIN_VALUES = frozenset({"true", "false", "env", "profile", "off", "on", "default"})


class Cell:
    """The value of a variable that is refreshed. `version` counts the values it has had.

    `default` is what it may have without its source, which is masked only where `is_secret`.
    """

    __slots__ = ("default", "is_optional", "is_secret", "value", "version")

    def __init__(
        self,
        value: str | None,
        *,
        is_optional: bool = False,
        default: str | None = None,
        is_secret: bool = True,
    ) -> None:
        """Start with what was read at load."""
        self.value = value
        self.version = 0
        self.is_optional = is_optional
        self.default = default
        self.is_secret = is_secret

    def set(self, value: str) -> None:
        """Give it another value."""
        self.value = value
        self.version += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One bound variable. `value` is None where its source, which `origin` names, has none.

    `cell` holds its value from then on, where the bind says `refresh`. `unread` says that its
    store was not asked, so that nobody knows whether it has one. `is_optional` where it may be
    without a value; `is_secret` where the value it has is to be masked, which no default is.
    """

    name: str
    namespace: str
    value: str | None = field(repr=False)
    origin: str
    location: Location
    cell: Cell | None = field(default=None, repr=False)
    unread: bool = False
    is_optional: bool = False
    default: str | None = field(default=None, repr=False)
    is_secret: bool = True

    @property
    def current(self) -> str | None:
        """Its value now."""
        return self.value if self.cell is None else self.cell.value


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshedSource:
    """A source that is read again every `interval_s` seconds, for the cells of its keys.

    `read` may block. Raises: SourceUnavailableError.
    """

    uri: str
    interval_s: float
    read: Callable[[], Mapping[str, str]]
    cells: tuple[tuple[str, Cell], ...]


class BoundVariables:
    """The variables of a capability, by `NAME` and by `namespace.NAME`."""

    def __init__(
        self,
        variables: Iterable[Variable],
        environment: Mapping[str, str],
        refreshed: Iterable[RefreshedSource] = (),
    ) -> None:
        """Index the variables; the last one of a bare name wins."""
        self._by_name: dict[str, Variable] = {}
        self.environment = environment
        self.refreshed = tuple(refreshed)
        self.namespaces: set[str] = set()
        for variable in variables:
            self._by_name[variable.name] = variable
            if variable.namespace:
                self.namespaces.add(variable.namespace)
                self._by_name[f"{variable.namespace}.{variable.name}"] = variable

    def find(self, name: str) -> Variable | None:
        """Return the variable of that bare or qualified name, or None if none is declared."""
        return self._by_name.get(name)

    def value(self, name: str) -> str | None:
        """Return a declared variable's value, None if undeclared or without value."""
        variable = self._by_name.get(name)
        return variable.current if variable else None

    def version(self, name: str) -> int:
        """Return how often a variable was given another value since the load."""
        variable = self._by_name.get(name)
        return variable.cell.version if variable and variable.cell else 0

    def names(self) -> tuple[str, ...]:
        """Return every name that may be used."""
        return tuple(self._by_name)

    def secrets(self) -> list[str]:
        """Return the values to mask. Region names and switches are no secrets: see `is_public`.

        Nor are defaults, which the file tells to everybody who reads it.
        """
        values = {
            variable.current
            for variable in self._by_name.values()
            if variable.is_secret and variable.current != variable.default
        }
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
    surroundings: Surroundings | None = None,
) -> BoundVariables:
    """Read the values of all variables. Missing ones are no problem until something uses them.

    A file is looked for beside the capability, then in the process's folder, under the workspace
    root only. Remote sources are read side by side, each once, within some seconds in all.
    """
    found = tuple(binds)
    surroundings = surroundings or Surroundings(environment=environment)
    sources = Sources(found, surroundings, lambda bind: _file_of(bind, files, problems), problems)
    variables: list[Variable] = []
    refreshed: list[RefreshedSource] = []
    for bind in found:
        interval_s = _interval_s(bind, problems)
        values = sources.values(bind)
        cells: list[tuple[str, Cell]] = []
        for key in bind.keys:
            value = values.get(key.source_key) or key.default
            cell = None if interval_s is None else _cell(key, value)
            cells += [(key.source_key, cell)] if cell else []
            variables.append(
                Variable(
                    name=key.name,
                    namespace=bind.namespace,
                    value=value,
                    origin=sources.origin(bind, key.source_key),
                    location=key.location,
                    cell=cell,
                    unread=sources.is_unread(bind),
                    is_optional=key.is_optional,
                    default=key.default,
                    is_secret=key.is_secret,
                )
            )
        if interval_s is not None and bind.uri is not None and cells:
            again = sources.again(bind, partial(_read_again, bind, files))
            refreshed.append(
                RefreshedSource(
                    uri=bind.uri.text, interval_s=interval_s, read=again, cells=tuple(cells)
                )
            )
    return BoundVariables(variables, environment, refreshed)


def _cell(key: BindKey, value: str | None) -> Cell:
    return Cell(value, is_optional=key.is_optional, default=key.default, is_secret=key.is_secret)


def _interval_s(bind: Bind, problems: Problems) -> float | None:
    """Return how often a bind is read again, None if it is not."""
    scalar = bind.refresh
    if scalar is None:
        return None
    if bind.uri is None:
        problems.warn(
            "refresh-without-effect",
            f"`refresh` of the bind `{bind.namespace}` has no effect: the environment of a process "
            "does not change",
            scalar.location,
            "read the values from a file or a secret store",
        )
        return None
    try:
        seconds = parse_duration_s(scalar.value)
    except ValueError as error:
        problems.error("invalid-refresh", f"`refresh`: {error}", scalar.location)
        return None
    if MIN_REFRESH_S <= seconds <= MAX_REFRESH_S:
        return seconds
    problems.error(
        "invalid-refresh",
        f"`refresh` must be between {MIN_REFRESH_S:g}s and 30 days, found `{scalar.text[:40]}`",
        scalar.location,
        "write `refresh: 5m`",
    )
    return None


def _file_of(bind: Bind, files: UnderRoot, problems: Problems) -> Mapping[str, str]:
    assert bind.uri is not None
    return _read_file(bind.uri, files, problems)


def _read_again(bind: Bind, files: UnderRoot) -> Mapping[str, str]:
    """Read a file once more.

    Raises: SourceUnavailableError.
    """
    found = Problems()
    values = _file_of(bind, files, found)
    for problem in found:
        raise SourceUnavailableError(problem.message, problem.hint)
    return values


def _read_file(uri: Scalar, files: UnderRoot, problems: Problems) -> Mapping[str, str]:
    relative = bind_path(uri.text) or ""
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

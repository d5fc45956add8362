"""Script steps -> Scripts: which file, which language, within which limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from naftiko.document.nodes import Node, Scalar
from naftiko.document.nodes import Sequence as SequenceNode
from naftiko.errors import Problems, did_you_mean
from naftiko.expressions.durations import parse_duration_s
from naftiko.expressions.sizes import parse_size_bytes
from naftiko.extras import require_extra
from naftiko.model.fields import Fields
from naftiko.model.scripting import ScriptSettings
from naftiko.model.steps import Step
from naftiko.plan.clients import leave_out
from naftiko.resolve.files import UnderRoot, bind_path
from naftiko.scripting import (
    Script,
    ScriptFile,
    ScriptLimits,
    ScriptSource,
    ScriptSyntaxError,
    compile_script,
)
from naftiko.source import Location

MAX_SCRIPT_BYTES = 1024 * 1024
MODULES = {"javascript": "py_mini_racer", "python": "pydantic_monty"}
SUFFIXES = {".js": "javascript", ".py": "python", ".groovy": "groovy"}
SWITCHES = ("NAFTIKO_SCRIPTING", "IKANOS_SCRIPTING")

_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptCompiler:
    """Compiles the `script` steps of one capability. Files are read now, never by a request."""

    settings: ScriptSettings
    workspace_root: Path
    environment: Mapping[str, str]
    problems: Problems
    _told: list[str] = field(default_factory=list, init=False)

    def compile(self, step: Step) -> Script:
        """Compile a step's `language`, `location`, `file`, `dependencies` or `source`.

        Its `with` is the caller's affair: what that renders is part of the context of `Script.run`.

        Raises: LeftOut.
        """
        language = self._language(step)
        hint = require_extra("scripts", MODULES[language])
        if hint is not None:
            raise leave_out(
                "missing-extra",
                f"the step `{step.name}` runs {language}, for which a package is missing",
                step.location,
                hint,
            )
        source = ScriptSource(language=language, files=tuple(self._files(step)))
        limits = self._limits()
        try:
            return compile_script(source, limits, name=step.name, disabled=self._disabled(step))
        except ScriptSyntaxError as error:
            problem = error.problem
            raise leave_out(problem.code, problem.message, problem.location, problem.hint) from None

    # The language

    def _language(self, step: Step) -> str:
        scalar = step.fields.scalar("language") or self.settings.default_language
        named = scalar.text.lower() if scalar is not None else _by_suffix(step.fields)
        place = scalar.location if scalar is not None else step.location
        if named in MODULES:
            self._check_allowed(step, named, place)
            return named
        if named == "groovy":
            raise leave_out(
                "unsupported-language",
                f"the step `{step.name}` is written in groovy, which needs a Java machine",
                place,
                "write it in javascript or python",
            )
        if not named:
            raise leave_out(
                "missing-language",
                f"the step `{step.name}` does not say its `language`",
                place,
                "add `language: javascript` or `language: python`",
            )
        raise leave_out(
            "unknown-language",
            f"`{named}` is no language of scripts",
            place,
            did_you_mean(named, MODULES),
        )

    def _check_allowed(self, step: Step, language: str, place: Location) -> None:
        allowed = self.settings.allowed_languages
        if allowed is not None and language not in allowed:
            raise leave_out(
                "language-not-allowed",
                f"the step `{step.name}` is written in {language}, which `allowedLanguages` "
                "does not list",
                place,
                f"add `{language}` to `allowedLanguages`",
            )

    def _disabled(self, step: Step) -> str:
        """Say why scripts do not run; "" where they do. `enabled` wins over the environment."""
        enabled = self.settings.enabled
        if enabled:
            return ""
        switch = next((name for name in SWITCHES if self._is_off(name)), None)
        if enabled is None and switch is None:
            return ""
        reason = "by the file (`enabled: false`)" if enabled is False else f"by {switch}=false"
        if not self._told:
            self._told.append(reason)
            self.problems.warn(
                "scripts-disabled",
                f"scripts are switched off {reason}, so that steps with one fail",
                step.location,
            )
        return f"Script step '{step.name}' cannot run: scripts are switched off {reason}"

    def _is_off(self, name: str) -> bool:
        return self.environment.get(name, "").strip().lower() in ("false", "0", "off", "no")

    # The texts

    def _files(self, step: Step) -> list[ScriptFile]:
        fields = step.fields
        source, file = fields.scalar("source"), fields.scalar("file")
        if (source is None) == (file is None):
            raise leave_out(
                "no-script",
                f"the step `{step.name}` must have either `file` or `source`",
                step.location,
            )
        first = [self._read(step, item) for item in _scalars(fields.node_of("dependencies"))]
        if file is not None:
            return [*first, self._read(step, file)]
        assert source is not None
        return [*first, ScriptFile(name=step.name, text=source.text, place=_Within(source))]

    def _read(self, step: Step, file: Scalar) -> ScriptFile:
        path = self._find(step, file)
        try:
            with path.open("rb") as stream:
                raw = stream.read(MAX_SCRIPT_BYTES + 1)
            text = raw.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
            raise leave_out(
                "script-unreadable",
                f"the script `{file.text}` cannot be read: {reason}",
                file.location,
            ) from None
        if len(raw) > MAX_SCRIPT_BYTES:
            raise leave_out(
                "script-unreadable",
                f"the script `{file.text}` is larger than {MAX_SCRIPT_BYTES} bytes",
                file.location,
            )
        shown = str(path)
        return ScriptFile(
            name=file.text,
            text=text.replace("\r\n", "\n"),
            place=lambda line, column: Location(shown, line, column),
        )

    def _find(self, step: Step, file: Scalar) -> Path:
        segments = PurePosixPath(file.text).parts
        if not segments or not all(_SEGMENT.fullmatch(part) and part != ".." for part in segments):
            raise leave_out(
                "bad-script-path",
                f"`{file.text}` must be a path below `location`, of letters, digits, `.`, `_`, "
                "`-` and `/`",
                file.location,
            )
        location = step.fields.scalar("location") or self.settings.default_location
        folder = bind_path(location.text) if location is not None else "."
        if folder is None:
            assert location is not None
            raise leave_out(
                "bad-script-path",
                f"`{location.text}` is no folder",
                location.location,
                "write `file:///./scripts`",
            )
        files = UnderRoot(self.workspace_root)
        beside = Path(file.location.path).parent
        here = Path.cwd().resolve()
        also = here if here.is_relative_to(self.workspace_root.resolve()) else None
        found = files.find(f"{folder}/{file.text}", beside=beside, also=also)
        if found.path is not None:
            self._check_inside(found.path, folder, beside, file)
            return found.path
        if found.outside is not None:
            raise leave_out(
                "outside-workspace",
                f"the script `{file.text}` lies outside the workspace root {self.workspace_root}",
                file.location,
                "move the file under it, or name another root with --workspace",
            )
        raise leave_out(
            "script-not-found",
            f"the script `{file.text}` does not exist in `{folder}`",
            file.location,
            did_you_mean(segments[-1], found.siblings),
        )

    def _check_inside(self, path: Path, folder: str, beside: Path, file: Scalar) -> None:
        """A link in the folder must not lead out of it."""
        folders = ((base / folder).resolve() for base in (beside, Path.cwd()))
        if not any(path.resolve().is_relative_to(base) for base in folders):
            raise leave_out(
                "outside-workspace",
                f"the script `{file.text}` is a link that leads out of `{folder}`",
                file.location,
            )

    # Limits

    def _limits(self) -> ScriptLimits:
        settings, default = self.settings, ScriptLimits()
        return ScriptLimits(
            timeout_s=_seconds(settings.timeout) or default.timeout_s,
            statements=_positive(settings.statement_limit),
            memory_bytes=_bytes(settings.memory) or default.memory_bytes,
        )


def _by_suffix(fields: Fields) -> str:
    file = fields.scalar("file")
    return SUFFIXES.get(PurePosixPath(file.text).suffix, "") if file is not None else ""


def _scalars(node: Node | None) -> Sequence[Scalar]:
    if isinstance(node, Scalar):
        return (node,) if node.value is not None else ()
    if isinstance(node, SequenceNode):
        return tuple(item for item in node if isinstance(item, Scalar))
    return ()


def _seconds(scalar: Scalar | None) -> float | None:
    """Read a number of milliseconds, as the specification has it, or text with a unit."""
    number = _positive(scalar)
    if number is not None:
        return number / 1000
    return _amount(scalar, parse_duration_s)


def _bytes(scalar: Scalar | None) -> int | None:
    found = _amount(scalar, parse_size_bytes)
    return int(found) if found else None


def _amount(scalar: Scalar | None, parse: Callable[[object], float]) -> float | None:
    if scalar is None:
        return None
    try:
        return parse(scalar.text) or None
    except ValueError as error:
        raise leave_out("bad-script-limit", str(error), scalar.location) from None


def _positive(scalar: Scalar | None) -> int | None:
    value = scalar.value if scalar is not None else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value > 0 else None


class _Within:
    """Turns lines and columns of an inline script into places of the file."""

    def __init__(self, scalar: Scalar) -> None:
        """Find where each line starts."""
        self._scalar = scalar
        self._starts = [0]
        for line in scalar.text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def __call__(self, line: int, column: int) -> Location:
        """Return the place in the capability file."""
        start = self._starts[min(line, len(self._starts) - 1) - 1]
        return self._scalar.at(min(start + column - 1, len(self._scalar.text)), 1)

"""Binds -> the values at their sources: each source is read once, remote ones side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from naftiko.errors import Problems
from naftiko.model.binds import Bind
from naftiko.resolve.files import bind_path
from naftiko.resolve.providers import (
    MODULES,
    TIMEOUT_S,
    Reader,
    SourceUnavailableError,
    Surroundings,
    find_reader,
)

MAX_SOURCES = 50
"""More remote sources than these in one file are not read."""

Values = Mapping[str, str]


@dataclass(slots=True)
class _Remote:
    """One remote source while it is read. What comes late is not looked at."""

    uri: str
    reader: Reader
    keys: list[str]
    values: Values = field(default_factory=dict)
    error: SourceUnavailableError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def start(self, surroundings: Surroundings) -> None:
        """Read on a thread of its own: nothing that a library does may hold up the load."""

        def work() -> None:
            try:
                self.values = self.reader(self.uri, tuple(self.keys), surroundings)
            except SourceUnavailableError as error:
                self.error = error
            except Exception as error:  # noqa: BLE001  # its text and traceback may hold a secret
                self.error = SourceUnavailableError(f"reading it failed ({type(error).__name__})")
            finally:
                self.done.set()

        threading.Thread(target=work, name="naftiko reads secrets", daemon=True).start()

    def wait(self, until: float) -> None:
        """Wait for the answer, up to a reading of the monotonic clock."""
        if not self.done.wait(max(0.0, until - time.monotonic())):
            self.error = SourceUnavailableError(f"it did not answer within {TIMEOUT_S:g} s")
            self.values = {}


class Sources:
    """The sources of a file's binds. `read_file` reads a file, and reports what is wrong."""

    def __init__(
        self,
        binds: Sequence[Bind],
        surroundings: Surroundings,
        read_file: Callable[[Bind], Values],
        problems: Problems,
    ) -> None:
        """Read every source."""
        self._surroundings = surroundings
        self._problems = problems
        self._values: dict[int, Values] = {}
        self._failed: set[str] = set()
        self._unread: set[str] = set()
        remote: dict[str, _Remote] = {}
        for bind in binds:
            if bind.uri is None:
                self._values[id(bind)] = surroundings.environment
            elif _is_file(bind.uri.text):
                self._values[id(bind)] = read_file(bind)
            else:
                self._gather(bind, remote)
        if surroundings.reads_stores:
            self._read(remote)
        else:
            self._leave(remote, binds)
        for bind in binds:
            if bind.uri is not None and bind.uri.text in remote:
                self._values[id(bind)] = self._take(bind, remote[bind.uri.text])

    def values(self, bind: Bind) -> Values:
        """Return what a bind's source holds."""
        return self._values.get(id(bind), {})

    def is_unread(self, bind: Bind) -> bool:
        """Tell whether the bind's source is a store that is only read to run the capability."""
        return bind.uri is not None and bind.uri.text in self._unread

    def origin(self, bind: Bind, key: str) -> str:
        """Return where a value comes from, in words."""
        if bind.uri is None:
            return f"the environment variable {key}"
        text = f"`{key}` in {bind.uri.text}"
        return f"{text}, which could not be read," if bind.uri.text in self._failed else text

    def again(self, bind: Bind, read_file: Callable[[], Values]) -> Callable[[], Values]:
        """Return what reads the bind's source once more; it may block."""
        assert bind.uri is not None
        uri = bind.uri.text
        reader = None if _is_file(uri) else find_reader(uri)
        if reader is None:
            return read_file
        keys = tuple(key.source_key for key in bind.keys)
        surroundings = self._surroundings

        def read() -> Values:
            remote = _Remote(uri, reader, list(keys))
            remote.start(surroundings)
            remote.wait(time.monotonic() + TIMEOUT_S)
            if remote.error is not None:
                raise remote.error
            return remote.values

        return read

    def _gather(self, bind: Bind, remote: dict[str, _Remote]) -> None:
        assert bind.uri is not None
        uri = bind.uri.text
        if uri not in remote:
            reader = find_reader(uri)
            if reader is None:
                self._report_unsupported(bind)
                return
            if len(remote) >= MAX_SOURCES:
                self._report(bind, SourceUnavailableError(f"there are more than {MAX_SOURCES}"))
                return
            remote[uri] = _Remote(uri, reader, [])
        known = remote[uri].keys
        known += [key.source_key for key in bind.keys if key.source_key not in known]

    def _read(self, remote: Mapping[str, _Remote]) -> None:
        wanted = [source for source in remote.values() if source.keys]
        for source in wanted:
            source.start(self._surroundings)
        until = time.monotonic() + TIMEOUT_S
        for source in wanted:
            source.wait(until)

    def _leave(self, remote: Mapping[str, _Remote], binds: Sequence[Bind]) -> None:
        """Say which stores are not read. Nothing of a stranger's file goes anywhere by itself."""
        self._unread.update(remote)
        for bind in binds:
            if self.is_unread(bind):
                assert bind.uri is not None
                self._problems.info(
                    "bind-not-read",
                    f"the bind `{bind.namespace}` reads {bind.uri.text}, which is not asked while "
                    "the file is only checked",
                    bind.uri.location,
                )

    def _take(self, bind: Bind, source: _Remote) -> Values:
        if source.error is not None:
            self._report(bind, source.error)
        return source.values

    def _report(self, bind: Bind, error: SourceUnavailableError) -> None:
        assert bind.uri is not None
        self._failed.add(bind.uri.text)
        report = self._problems.error if error.is_error else self._problems.warn
        message = f"the bind `{bind.namespace}` cannot read {bind.uri.text}: {error.reason}"
        report(error.code, message, bind.uri.location, error.hint)

    def _report_unsupported(self, bind: Bind) -> None:
        assert bind.uri is not None
        scheme = bind.uri.text.partition("://")[0]
        served = ", ".join(("file", *sorted(MODULES)))
        self._problems.warn(
            "unsupported-bind",
            f"the bind `{bind.namespace}` reads from `{scheme}://`, which is not served",
            bind.uri.location,
            f"served: {served}; or give its variables in the environment",
        )


def _is_file(uri: str) -> bool:
    return bind_path(uri) is not None

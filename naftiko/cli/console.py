"""Where the command line's texts go: data to stdout, the rest to stderr, secrets and colour aside.

Texts from files and from consumed APIs pass through `clean`, so that none of them can send control
codes to a terminal.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import logging

Mask = Callable[[str], str]

_COLOURS = {"error": "1;31", "warning": "1;33", "info": "1;34", "bold": "1", "faint": "2"}
_VISIBLE = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\t\n"
}
"""Control codes and the marks that turn the direction of text, one visible character for each."""


def clean(text: str) -> str:
    """Return the text without characters that a terminal would obey."""
    return text.translate(_VISIBLE)


class Console:
    """Two streams and what must not be shown on them.

    Where there is a `journal`, what would be printed to stderr is logged instead: programs read it.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        """Write to the process's streams, unless others are given."""
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._masks: list[Mask] = []
        self.journal: logging.Logger | None = None

    def add_masker(self, mask: Mask) -> None:
        """Pass every further text through `mask`."""
        self._masks.append(mask)

    def safe(self, text: str) -> str:
        """Return the text without secrets and control codes."""
        for mask in self._masks:
            text = mask(text)
        return clean(text)

    def data(self, text: str) -> None:
        """Print to stdout, without secrets."""
        print(self.safe(text), file=self._out)

    def result(self, text: str) -> None:
        """Print an API's answer to stdout: as it is, but to a terminal without control codes."""
        print(clean(text) if self._out.isatty() else text, file=self._out)

    def raw_result(self, data: bytes) -> None:
        """Write an API's answer that is no text to stdout; to a terminal only what it can show."""
        if self._out.isatty():
            print(clean(data.decode("utf-8", "replace")), file=self._out)
            return
        self._out.flush()
        self._out.buffer.write(data)

    def note(self, text: str) -> None:
        """Print to stderr, without secrets."""
        if self.journal is not None:
            self.journal.info(text.strip())
            return
        self.log_line(text)

    def log_line(self, text: str) -> None:
        """Write a line of the log to stderr, without secrets."""
        print(self.safe(text), file=self._err, flush=True)

    def error(self, message: str, hint: str = "") -> None:
        """Print an error and its way out to stderr."""
        if self.journal is not None:
            self.journal.error(message, extra={"hint": hint} if hint else {})
            return
        head = paint("naftiko: error:", "error", on=self.colour(self._err))
        print(f"{head} {self.safe(message)}", file=self._err)
        if hint:
            print(f"  hint: {self.safe(hint)}", file=self._err)
        self._err.flush()

    def show(self, text: str, *, to_stdout: bool) -> None:
        """Print a text that is safe already, with its colours."""
        print(text, file=self._out if to_stdout else self._err, flush=True)

    def coloured(self, *, on_stdout: bool) -> bool:
        """Tell whether a stream takes colours."""
        return self.colour(self._out if on_stdout else self._err)

    def width(self) -> int | None:
        """Return how many columns stdout has; None where it is no terminal, and takes any."""
        return shutil.get_terminal_size().columns if self._out.isatty() else None

    def flush(self) -> None:
        """Write out what is buffered."""
        self._out.flush()

    @staticmethod
    def colour(stream: TextIO) -> bool:
        """Tell whether a stream is a terminal that takes colours. See https://no-color.org."""
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return stream.isatty()


def paint(text: str, style: str, *, on: bool) -> str:
    """Return the text in a style: error, warning, info, bold or faint."""
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if on else text

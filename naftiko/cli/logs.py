"""What the engine logs -> lines on stderr, as text or JSON, without secrets."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime

from naftiko.cli.console import Console

LEVELS = ("debug", "info", "warning", "error")


def set_up_logs(console: Console, *, style: str = "text", level: str = "info") -> None:
    """Send `naftiko`'s records from `level` on to stderr, and other libraries' warnings too.

    In JSON, whatever else would be printed there becomes a record too.
    """
    handler = _ConsoleHandler(console)
    handler.setFormatter(_JsonFormatter() if style == "json" else _TextFormatter())
    logging.getLogger().addHandler(handler)
    logging.getLogger("naftiko").setLevel(level.upper())
    if style == "json":
        console.journal = logging.getLogger("naftiko")


class _ConsoleHandler(logging.Handler):
    """Writes through the console, which masks."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._console.log_line(self.format(record))
        except BrokenPipeError:
            pass  # nobody reads the log
        except Exception:  # noqa: BLE001 - as logging does: a log line never breaks the work
            self.handleError(record)


class _TextFormatter(logging.Formatter):
    """`12:04:31 warning naftiko.server: a text`.

    What follows a line break stands further in: a caller's text must not look like a record.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(level)s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.level = record.levelname.lower()
        return super().format(record).replace("\n", "\n    ")


class _JsonFormatter(logging.Formatter):
    """One JSON object on a line: time, level, logger, message, and what else a record carries."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {
            name: value
            for name, value in vars(record).items()
            if name not in _RECORD_FIELDS and not name.startswith("_")
        }
        if record.exc_info is not None and record.exc_info[1] is not None:
            line["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=False, default=str)


_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "level"}

"""Log lines as text and JSON, masked."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from naftiko.cli.console import Console
from naftiko.cli.logs import set_up_logs


@pytest.fixture
def written() -> Iterator[tuple[Console, io.StringIO]]:
    """A console whose stderr can be read; the loggers are as before afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("naftiko")
    handlers, level = list(root.handlers), ours.level
    err = io.StringIO()
    console = Console(io.StringIO(), err)
    console.add_masker(lambda text: text.replace("canary", "***"))
    yield console, err
    root.handlers[:] = handlers
    ours.setLevel(level)


def test_text(written: tuple[Console, io.StringIO]) -> None:
    console, err = written
    set_up_logs(console)
    logging.getLogger("naftiko.server").info("took %s", "canary")
    assert err.getvalue().endswith(" info naftiko.server: took ***\n")


def test_a_line_break_begins_no_record(written: tuple[Console, io.StringIO]) -> None:
    console, err = written
    set_up_logs(console)
    logging.getLogger("naftiko.rest").warning("bad %s", "x\n12:00:00 error naftiko: forged")
    first, second = err.getvalue().splitlines()
    assert first.endswith("bad x")
    assert second.startswith("    12:00:00")


def test_json_has_extras_and_the_traceback_on_one_line(
    written: tuple[Console, io.StringIO],
) -> None:
    console, err = written
    set_up_logs(console, style="json")
    try:
        raise ValueError("canary")
    except ValueError:
        logging.getLogger("naftiko.server").exception("broke", extra={"status": 500})
    (line,) = err.getvalue().splitlines()
    record = json.loads(line)
    assert (record["level"], record["message"], record["status"]) == ("error", "broke", 500)
    assert record["time"].endswith("Z")
    assert "ValueError: ***" in record["traceback"]
    assert "canary" not in line


def test_less_than_the_level_is_left_out(written: tuple[Console, io.StringIO]) -> None:
    console, err = written
    set_up_logs(console, level="warning")
    logging.getLogger("naftiko").info("nothing")
    logging.getLogger("someone.else").info("nothing")
    logging.getLogger("someone.else").warning("something")
    assert err.getvalue().endswith("warning someone.else: something\n")
    assert err.getvalue().count("\n") == 1

"""Arguments that several commands take, and what they are read into."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_file(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Declare the capability file, or files."""
    parser.add_argument(
        "files" if several else "file",
        nargs="+" if several else None,
        metavar="FILE" if not several else "FILE|NAME",
        help="a capability file, or the name of one in ./capabilities or that comes with naftiko",
    )


def add_loading(parser: argparse.ArgumentParser) -> None:
    """Declare what loading depends on beside the file."""
    group = parser.add_argument_group("loading")
    group.add_argument(
        "--env-file", type=Path, metavar="FILE", help="variables to lay over the environment"
    )
    group.add_argument(
        "--workspace",
        type=folder,
        metavar="DIR",
        help="the folder that files are read from (default: that of the project around the file)",
    )
    group.add_argument("--strict", action="store_true", help="refuse a file with warnings as well")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="show every warning, and notes as well"
    )


def add_read_only(parser: argparse.ArgumentParser) -> None:
    """Declare the switch that leaves out what changes something."""
    parser.add_argument(
        "--read-only",
        action="store_true",
        help="leave out every route and tool that changes something",
    )


def add_sandbox(parser: argparse.ArgumentParser) -> None:
    """Declare the embedded AWS."""
    group = parser.add_argument_group("sandbox")
    group.add_argument(
        "--sandbox",
        action="store_true",
        help="send every AWS call to an AWS on this machine; no account is needed",
    )
    group.add_argument(
        "--examples",
        action="store_true",
        help="load a few example state machines and functions into the sandbox",
    )


def check_sandbox(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse `--examples` without `--sandbox`: an account of the user's gets no examples."""
    if arguments.examples and not arguments.sandbox:
        parser.error("--examples needs --sandbox")


def folder(text: str) -> Path:
    """Read the path of a folder."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"`{text}` is not a folder")
    return path


def port(text: str) -> int:
    """Read a port; 0 stands for any free one."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"`{text}` is not a port from 0 to 65535")
    return int(text)


def named_port(text: str) -> tuple[str, int]:
    """Read `NAMESPACE=PORT`."""
    name, equals, number = text.rpartition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"`{text}` is not NAMESPACE=PORT")
    return name, port(number)


def named_value(text: str) -> tuple[str, str]:
    """Read `key=value`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"`{text}` is not key=value")
    return name, value

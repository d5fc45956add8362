"""`naftiko call FILE OPERATION`: call one operation and print its JSON answer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import replace

from naftiko.capability import Capability, value_of
from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import load_options, maybe_sandbox, open_capability
from naftiko.errors import ExitCode, InputError, RunError, StartError
from naftiko.plan.inputs import InputTable
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.ports import Result
from naftiko.serving import run_async
from naftiko.values import MISSING, JsonObject, JsonValue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_file(parser)
    parser.add_argument(
        "operation",
        metavar="OPERATION",
        help="a tool's or route's name, or `namespace.operation` of what is exposed or consumed",
    )
    parser.add_argument(
        "-p",
        "--parameter",
        dest="parameters",
        type=common.named_value,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument, read by its JSON type; repeat it for each item of a list",
    )
    parser.add_argument(
        "--json",
        dest="object",
        metavar="ARGS",
        help="all arguments as one JSON object, `-` to read it from stdin",
    )
    common.add_loading(parser)
    common.add_sandbox(parser)
    parser.set_defaults(parser=parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Call once. 1 if the call failed, 2 if its arguments are wrong."""
    common.check_sandbox(arguments.parser, arguments)
    given = _read_object(arguments.object, arguments.parser)
    with maybe_sandbox(arguments) as sandbox:
        capability = open_capability(
            arguments.file,
            load_options(arguments, sandbox),
            console,
            verbose=arguments.verbose,
        )
        try:
            result = run_async(_call(capability, arguments, given))
        except RunError as error:
            return _failed(error, arguments.operation, console)
    if result.failed:
        # Careless APIs repeat the credentials they were sent in their errors.
        result = masked(result, capability.plan.masker)
    return _print(result, arguments.operation, console)


def _inputs_of(capability: Capability, operation: str) -> InputTable:
    try:
        return capability.inputs_of(operation)
    except StartError as error:
        looking = " --discover" if capability.discovers else ""
        hint = error.hint or f"`naftiko inspect {capability.plan.path}{looking}` lists them"
        raise StartError(error.message, hint=hint) from error


async def _call(capability: Capability, arguments: argparse.Namespace, given: JsonObject) -> Result:
    operation: str = arguments.operation
    try:
        if capability.discovers and not capability.knows(operation):
            await _discover(capability, operation)
        table = _inputs_of(capability, operation)
        given = given | read_parameters(arguments.parameters, table)
        return await capability.run(operation, given)
    finally:
        await capability.close()


async def _discover(capability: Capability, operation: str) -> None:
    """Look for what is discovered.

    Raises: RunError where a list cannot be had, unless another one has the operation.
    """
    try:
        await capability.discover()
    except RunError:
        if not capability.knows(operation):
            raise


def read_parameters(pairs: Iterable[tuple[str, str]], table: InputTable) -> JsonObject:
    """Return `-p` arguments by the types of the inputs.

    [("maxResults", "5")] -> {"maxResults": 5}; a name that is not known stays text, so that the
    check of the inputs names it.
    """
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    values: JsonObject = {}
    for name, given in texts.items():
        item = table.get(name)
        if item is not None and (len(given) == 1 or "array" in item.types):
            values[name] = table.read_text(item, given)
        else:
            values[name] = given[0] if len(given) == 1 else list[JsonValue](given)
    return values


def _read_object(text: str | None, parser: argparse.ArgumentParser) -> JsonObject:
    if text is None:
        return {}
    try:
        value = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        parser.error(f"argument --json: not valid JSON: {error}")
    if not isinstance(value, dict):
        parser.error('argument --json: must be a JSON object, such as \'{"name": "x"}\'')
    return value


def masked(result: Result, masker: Masker) -> Result:
    """Return a failure with every secret in it masked."""
    value = result.value
    raw = result.raw
    return replace(
        result,
        value=value if value is MISSING else mask_json(value, masker),
        raw=raw
        and masker(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
    )


def _print(result: Result, operation: str, console: Console) -> int:
    value = value_of(result)
    if isinstance(value, bytes):
        console.raw_result(value)
    elif isinstance(value, str) and result.raw is not None:
        console.result(value)
    else:
        try:
            console.result(json.dumps(value, indent=2, ensure_ascii=False))
        except RecursionError:
            console.error(f"the answer of {operation} nests too deep to be shown")
            return ExitCode.PROBLEMS
    if not result.failed:
        return ExitCode.OK
    console.error(f"{operation} answered that it failed (status {result.status})")
    return ExitCode.PROBLEMS


def _failed(error: RunError, operation: str, console: Console) -> int:
    if not isinstance(error, InputError):
        console.error(f"{error.message} [{error.code}]", error.hint)
        return ExitCode.PROBLEMS
    console.error(f"{operation}: {error.message} [{error.code}]", error.hint)
    for item in error.fields:
        console.note(f"  {item.message}{f'; {item.hint}' if item.hint else ''}")
    return ExitCode.USAGE

"""`naftiko mcp-config FILE`: what an MCP client needs to use a capability, printed or written."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli import arguments as common
from naftiko.cli.console import Console, clean
from naftiko.cli.setup.clients import CLIENT_NAMES, HTTP, STDIO

if TYPE_CHECKING:
    from naftiko.cli.setup.clients import Client
    from naftiko.cli.setup.entries import Entry
    from naftiko.cli.setup.variables import ReadVariable
    from naftiko.errors import Problem
    from naftiko.plan.capability import CapabilityPlan, McpAdapterPlan

_ONLY_STDIO = ("env", "prefix", "read_only", "env_file")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_file(parser)
    parser.add_argument(
        "--client", choices=CLIENT_NAMES, default="json", help="who it is for (default: json)"
    )
    _add_entry(parser)
    group = parser.add_argument_group("writing")
    group.add_argument(
        "--write",
        action="store_true",
        help="put it into the client's own file, which keeps everything else that is in it",
    )
    group.add_argument(
        "--scope",
        choices=("user", "project"),
        help="the client's file of this user, or of the current folder (default: user)",
    )
    group.add_argument(
        "--path", type=Path, metavar="FILE", help="another file to write to, instead of these"
    )
    common.add_loading(parser)
    common.add_read_only(parser)
    parser.set_defaults(parser=parser)


def _add_entry(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the entry")
    group.add_argument(
        "--env",
        type=_environment_variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an environment variable that the client starts it with; may be repeated",
    )
    group.add_argument(
        "--prefix",
        metavar="VALUE",
        help="short for --env of the one variable of the capability that ends in _PREFIX",
    )
    group.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="NAMESPACE",
        help="the MCP adapter, where there are several; may be repeated",
    )
    group.add_argument("--all", action="store_true", help="every MCP adapter, an entry each")
    group.add_argument(
        "--name", type=_entry_name, help="what the client calls it (default: the namespace)"
    )
    group.add_argument(
        "--transport",
        choices=(STDIO, HTTP),
        help="whether the client starts it, or calls one that runs (default: stdio; http with "
        "--url)",
    )
    group.add_argument("--url", type=_url, help="where it runs (default: what the file says)")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the configuration to stdout, or write it and say on stderr what was changed."""
    from naftiko.cli.loading import load_options, show_warnings
    from naftiko.cli.setup.checking import check_anywhere
    from naftiko.cli.setup.clients import find_client
    from naftiko.cli.setup.variables import variables_of
    from naftiko.errors import ExitCode
    from naftiko.resolve.files import workspace_root
    from naftiko.resources import find_capability

    client = find_client(arguments.client)
    transport = _transport(arguments, client)
    path = find_capability(arguments.file)
    variables = variables_of(path, arguments.workspace or workspace_root(path))
    env = _env(arguments, variables)
    served = check_anywhere(
        path, load_options(arguments), {**os.environ, **env}, variables, console
    )
    show_warnings(served.checked, console, verbose=arguments.verbose)
    entries = [
        _entry(arguments, client, transport, adapter, path, env)
        for adapter in _chosen(arguments, served.plan)
    ]
    if transport == STDIO:
        _note_variables(variables, env, served.missing, console)
    for entry in entries:
        if entry.needs:
            console.note(f"note: {entry.needs}")
    if arguments.write:
        _write(arguments, client, entries, console)
    else:
        console.result(_document(client, entries))
    return ExitCode.OK


def _transport(arguments: argparse.Namespace, client: Client) -> str:
    """Return how the client reaches it. Options that would have no effect are wrong usage."""
    parser: argparse.ArgumentParser = arguments.parser
    transport: str = arguments.transport or (HTTP if arguments.url else STDIO)
    if arguments.url and transport == STDIO:
        parser.error("--url needs --transport http")
    if transport not in client.transports:
        parser.error(f"{client.title} starts its servers itself: leave out --transport and --url")
    useless = [name for name in _ONLY_STDIO if getattr(arguments, name)]
    if transport == HTTP and useless:
        option = useless[0].replace("_", "-")
        parser.error(f"--{option} is for `naftiko run`, which the client does not start over http")
    if arguments.all and arguments.namespace:
        parser.error("--all and --namespace exclude each other")
    if not arguments.write and (arguments.path or arguments.scope):
        parser.error(f"--{'path' if arguments.path else 'scope'} needs --write")
    if arguments.path and arguments.scope:
        parser.error("--path and --scope exclude each other")
    if arguments.write and not arguments.path and not client.files:
        parser.error("--write needs --client (other than json) or --path")
    return transport


def _env(arguments: argparse.Namespace, variables: Sequence[ReadVariable]) -> dict[str, str]:
    from naftiko.cli.setup.variables import prefix_variable

    env: dict[str, str] = dict(arguments.env)
    if arguments.prefix is None:
        return env
    name = prefix_variable(variables)
    if env.get(name, arguments.prefix) != arguments.prefix:
        arguments.parser.error(f"--prefix and --env {name} give two values")
    return {name: arguments.prefix, **env}


def _chosen(arguments: argparse.Namespace, plan: CapabilityPlan) -> list[McpAdapterPlan]:
    """Return the adapters that entries are made for.

    Raises: StartError where it is not clear which, or there is none.
    """
    from naftiko.errors import StartError, did_you_mean
    from naftiko.plan.capability import McpAdapterPlan

    found = [item for item in plan.adapters if isinstance(item, McpAdapterPlan)]
    known = [item.namespace for item in found]
    if not found:
        raise StartError(
            f"{plan.path} has no MCP adapter, so there is nothing for a client to use",
            hint="add an entry of `type: mcp` to `exposes`",
        )
    for namespace in arguments.namespace:
        if namespace not in known:
            raise StartError(
                f"no MCP adapter has the namespace `{namespace}`",
                hint=did_you_mean(namespace, known),
            )
    if arguments.namespace:
        found = [item for item in found if item.namespace in arguments.namespace]
    elif len(found) > 1 and not arguments.all:
        raise StartError(
            f"{plan.path} has {len(found)} MCP adapters: {', '.join(known)}",
            hint=f"write `--namespace {known[0]}`, or `--all` for an entry each",
        )
    if len(found) > 1 and arguments.name:
        arguments.parser.error("--name is for one entry: name one adapter with --namespace")
    return found


def _entry(
    arguments: argparse.Namespace,
    client: Client,
    transport: str,
    adapter: McpAdapterPlan,
    path: Path,
    env: Mapping[str, str],
) -> Entry:
    from naftiko.cli.setup.entries import (
        ENTRY_NAME,
        http_entry,
        own_launch,
        shipped_name,
        stdio_entry,
    )
    from naftiko.errors import StartError

    # What a stranger's file says becomes a name in another program's file, and an argument.
    if not ENTRY_NAME.fullmatch(adapter.namespace):
        raise StartError(
            f"the namespace `{adapter.namespace[:80]}` cannot stand in a client's file",
            hint="call it by letters, digits, `_` and `-`, at most 64, a letter or digit first",
        )
    name: str = arguments.name or adapter.namespace
    if transport == HTTP:
        return http_entry(client, name, adapter, arguments.url)
    launch = own_launch()
    shipped = shipped_name(path) if launch.names else None
    words = ["run", shipped or str(path.resolve()), "--stdio", adapter.namespace]
    words += [] if shipped else _workspace(arguments.workspace, path)
    if arguments.env_file:
        words += ["--env-file", str(arguments.env_file.resolve())]
    words += ["--read-only"] if arguments.read_only else []
    words += ["--strict"] if arguments.strict else []
    return stdio_entry(client, name, words, env, launch)


def _workspace(given: Path | None, path: Path) -> list[str]:
    """Say which folder may be read, where that depends on the folder a client starts it in."""
    from naftiko.resolve.files import MARKERS, workspace_root

    root = given or workspace_root(path)
    if given is None and any((root / name).exists() for name in MARKERS):
        return []
    return ["--workspace", str(root.resolve())]


def _note_variables(
    variables: Sequence[ReadVariable],
    env: Mapping[str, str],
    missing: Sequence[Problem],
    console: Console,
) -> None:
    """Say what is missing in the entry, or may be: a client has not the variables of this shell."""
    from naftiko.cli.setup.variables import looks_secret
    from naftiko.errors import nearest

    names = [item.name for item in variables]
    for name in env:
        if name not in names and not name.startswith("AWS_"):
            near = nearest(name, names)
            hint = f"; did you mean `{near}`?" if near else ""
            console.note(f"warning: no bind of the capability reads `{name}`{hint}")
    for name, value in env.items():
        if looks_secret(name) and "${" not in value:
            console.note(
                f"warning: `{name}` sounds like a secret, and its value stands in the entry as it "
                "is; a bind can read it from a file or a secret store"
            )
    for problem in missing:
        console.note(f"warning: {problem.message}; it does not start without: see --env")
    only_here = [
        item.name
        for item in variables
        if item.name not in env and os.environ.get(item.name) and not item.is_secret
    ]
    if only_here:
        console.note(
            f"note: set in this shell, which the client does not see: {', '.join(only_here)}; "
            "give with --env what it shall have"
        )


def _document(client: Client, entries: Sequence[Entry]) -> str:
    inputs = [question for entry in entries for question in entry.inputs]
    document: dict[str, object] = {"inputs": inputs} if inputs else {}
    document[client.key] = {entry.name: entry.members for entry in entries}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _write(
    arguments: argparse.Namespace, client: Client, entries: Sequence[Entry], console: Console
) -> None:
    from naftiko.cli.setup.clients import Surroundings, config_file
    from naftiko.cli.setup.config_file import CommentsError, write_entries

    scope = arguments.scope or "user"
    path = arguments.path or config_file(client, scope, Surroundings())
    private = arguments.path is None and scope == "user"
    try:
        written = write_entries(path, client.key, entries, private=private)
    except CommentsError:
        console.result(_document(client, entries))
        raise
    # What an entry says was typed just now, or is masked: the masker would hide it all.
    lines = [f"`{name}` is already there: {written.path}" for name in written.kept]
    lines += [f"`{name}` added: {written.path}" for name in written.added]
    for name, changed in written.changes:
        lines += [f"`{name}` replaced: {written.path}", *(f"  {line}" for line in changed)]
    if written.backup is not None:
        lines.append(f"what it was before: {written.backup}")
    if (written.added or written.changes) and client.afterwards:
        lines.append(f"{client.title}: {client.afterwards}")
    for line in lines:
        console.show(clean(line), to_stdout=False)


def _environment_variable(text: str) -> tuple[str, str]:
    from naftiko.cli.setup.variables import NAME

    name, value = common.named_value(text)
    if not NAME.fullmatch(name) or "\0" in value:
        raise argparse.ArgumentTypeError(f"`{name}` is no name of an environment variable")
    return name, value


def _entry_name(text: str) -> str:
    from naftiko.cli.setup.entries import ENTRY_NAME

    if not ENTRY_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"`{text}` is not made of letters, digits, `.`, `_` and `-`, at most 64 of them"
        )
    return text


def _url(text: str) -> str:
    from naftiko.cli.setup.entries import checked_url

    try:
        return checked_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

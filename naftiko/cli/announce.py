"""What `naftiko run` says once it listens: where, what is left out, and what to try."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.capability import operations_of
from naftiko.cli.addresses import base_url
from naftiko.cli.console import Console
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    ControlAdapterPlan,
    McpAdapterPlan,
    OperationPlan,
    RestAdapterPlan,
    SkillAdapterPlan,
)
from naftiko.sandbox.account import ACCOUNT_ID
from naftiko.serving import control_names
from naftiko.values import JsonObject
from naftiko.version import __version__

if TYPE_CHECKING:
    from naftiko.capability import Capability
    from naftiko.exposes.host import Host
    from naftiko.sandbox import Sandbox

MAX_DISABLED_SHOWN = 3


class Announcement:
    """Prints where each adapter listens when the host has started."""

    def __init__(
        self,
        capabilities: Sequence[Capability],
        console: Console,
        *,
        sandbox: Sandbox | None,
        examples: bool,
    ) -> None:
        """Keep what is served."""
        self._plans = [capability.plan for capability in capabilities]
        self._controls = control_names(capabilities)
        self._console = console
        self._sandbox = sandbox
        self._examples = examples

    def started(self, host: Host) -> None:
        """Print to stderr."""
        urls = {name: base_url(*address) for name, address in host.addresses.items()}
        if self._console.journal is not None:
            self._log(self._console.journal, urls)
            return
        lines = [f"naftiko {__version__}"]
        if self._sandbox is not None:
            lines += ["", f"  {'sandbox':<9}{self._sandbox.account.endpoint_url}  no AWS account"]
        for number, plan in enumerate(self._plans):
            lines += ["", plan.info.label or plan.path, *_served(plan, urls)]
            lines += [*_control(plan, urls.get(self._controls.get(number, ""))), *_disabled(plan)]
        lines += self._things_to_try(urls)
        self._console.note("\n".join([*lines, "", "Ctrl-C stops it"]))

    def _log(self, journal: logging.Logger, urls: dict[str, str]) -> None:
        if self._sandbox is not None:
            extra = {"url": self._sandbox.account.endpoint_url}
            journal.info("the AWS sandbox answers", extra=extra)
        for number, plan in enumerate(self._plans):
            for adapter in plan.adapters:
                name = adapter.namespace
                if isinstance(adapter, ControlAdapterPlan):
                    name = self._controls[number]
                if name not in urls:
                    continue
                extra = {
                    "namespace": name,
                    "type": adapter.kind,
                    "url": urls[name],
                    "version": __version__,
                }
                journal.info("listening", extra=extra)

    def _things_to_try(self, urls: dict[str, str]) -> Iterator[str]:
        if self._sandbox is None:
            return
        trials = _Trials(self._sandbox.account.region, self._examples)
        found = [line for plan in self._plans for line in trials.of(plan, urls)][:3]
        words = ("one thing", "two things", "three things")
        if found:
            yield ""
            yield f"{words[len(found) - 1]} to try:"
        for number, (title, command) in enumerate(found, start=1):
            yield f"  {number}. {title}"
            yield f"     {command}"


def _served(plan: CapabilityPlan, urls: dict[str, str]) -> Iterator[str]:
    for adapter in plan.adapters:
        url = urls.get(adapter.namespace)
        if url is None or isinstance(adapter, ControlAdapterPlan):
            continue
        number = len(operations_of(adapter))
        if isinstance(adapter, McpAdapterPlan):
            counts = [_count(number, "tool")]
            for members, noun in ((adapter.resources, "resource"), (adapter.prompts, "prompt")):
                counts += [_count(len(members), noun)] if members else []
            yield f"  {'mcp':<9}{url}/mcp  {', '.join(counts)}"
        elif isinstance(adapter, SkillAdapterPlan):
            yield f"  {'skill':<9}{url}/skills  {_count(len(adapter.skills), 'skill')}"
        else:
            number += sum(route.forward is not None for route in adapter.routes)
            yield f"  {'rest':<9}{url}  {_count(number, 'operation')}"
            yield f"  {'openapi':<9}{url}/openapi.json"


def _control(plan: CapabilityPlan, url: str | None) -> Iterator[str]:
    for adapter in plan.adapters if url is not None else ():
        if isinstance(adapter, ControlAdapterPlan):
            yield f"  {'control':<9}{url}  {', '.join(adapter.endpoints)}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _disabled(plan: CapabilityPlan) -> Iterator[str]:
    if not plan.disabled:
        return
    yield f"  not served: {len(plan.disabled)}"
    for item in plan.disabled[:MAX_DISABLED_SHOWN]:
        yield f"    {item.adapter}.{item.name}: {item.problem.message}"
    if len(plan.disabled) > MAX_DISABLED_SHOWN:
        yield f"    and {len(plan.disabled) - MAX_DISABLED_SHOWN} more: naftiko inspect {plan.path}"


class _Trials:
    """Commands that work as they are printed, found in a plan.

    What an operation can be given in the sandbox is in trials.json, by the operation's name.
    """

    def __init__(self, region: str, examples: bool) -> None:
        text = Path(__file__).with_name("trials.json").read_text(encoding="utf-8")
        text = text.replace("{region}", region).replace("{account}", ACCOUNT_ID)
        self._arguments: dict[str, JsonObject] = {
            entry["operation"]: entry["arguments"]
            for entry in json.loads(text)
            if examples or not entry["needsExamples"]
        }

    def of(self, plan: CapabilityPlan, urls: dict[str, str]) -> Iterator[tuple[str, str]]:
        """Yield title and command of a read, a write, and an MCP client's settings."""
        served = [adapter for adapter in plan.adapters if adapter.namespace in urls]
        rest = [adapter for adapter in served if isinstance(adapter, RestAdapterPlan)]
        yield from _first(self._read(adapter, urls[adapter.namespace]) for adapter in rest)
        yield from _first(self._write(adapter, urls[adapter.namespace]) for adapter in rest)
        yield from _first(_connect(adapter, urls[adapter.namespace]) for adapter in served)

    def _read(self, adapter: RestAdapterPlan, url: str) -> Iterator[tuple[str, str]]:
        for route in adapter.routes:
            for item in route.operations:
                takes_nothing = not any(each.required for each in item.operation.inputs.inputs)
                if item.method == "GET" and "{" not in route.path and takes_nothing:
                    yield _title(item.operation), f"curl -s {shlex.quote(url + route.path)}"

    def _write(self, adapter: RestAdapterPlan, url: str) -> Iterator[tuple[str, str]]:
        for name, values in self._arguments.items():
            for route in adapter.routes:
                for item in route.operations:
                    if item.method != "POST" or "{" in route.path:
                        continue
                    if _called(item.operation) == name and _takes(item.operation, values):
                        body = shlex.quote(json.dumps(values))
                        yield (
                            _title(item.operation),
                            f"curl -s {shlex.quote(url + route.path)} "
                            f"-H 'content-type: application/json' -d {body}",
                        )


def _first(found: Iterator[Iterator[tuple[str, str]]]) -> Iterator[tuple[str, str]]:
    for each in found:
        for item in each:
            yield item
            return


def _connect(adapter: AdapterPlan, url: str) -> Iterator[tuple[str, str]]:
    if not isinstance(adapter, McpAdapterPlan):
        return
    entry = {"mcpServers": {adapter.namespace: {"type": "http", "url": f"{url}/mcp"}}}
    yield "let an agent use it: add this to your MCP client's settings", json.dumps(entry)


def _title(operation: OperationPlan) -> str:
    text = operation.description.strip().split("\n")[0].rstrip(".") or operation.name
    return text[:1].lower() + text[1:]


def _called(operation: OperationPlan) -> str:
    calls = operation.plan.calls
    return calls[0].rpartition(".")[2] if len(calls) == 1 else ""


def _takes(operation: OperationPlan, values: JsonObject) -> bool:
    inputs = operation.inputs.inputs
    required = {item.name for item in inputs if item.required}
    return required <= values.keys() <= {item.name for item in inputs}

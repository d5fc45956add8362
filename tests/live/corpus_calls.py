"""Calls what a served capability exposes, route by route and tool by tool, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from naftiko.plan.call import CallPlan
from naftiko.plan.capability import McpAdapterPlan, OperationPlan, RestAdapterPlan
from naftiko.plan.inputs import Input
from naftiko.plan.ports import ClientOperation
from tests.live.serving import Answer, Served

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True, kw_only=True)
class Exposed:
    """One route or tool. `method` and `path` are "" for a tool."""

    namespace: str
    operation: OperationPlan
    headers: Mapping[str, str]
    method: str = ""
    path: str = ""

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self.operation.inputs.inputs

    @property
    def client(self) -> ClientOperation | None:
        """What it calls, None for outputs given in the file."""
        plan = self.operation.plan
        return plan.operation if isinstance(plan, CallPlan) else None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}" if self.method else self.operation.name


@dataclass(frozen=True)
class Outcome:
    """What came back: an error's document in `problem`, {} for a success."""

    status: int
    problem: dict[str, Any]

    @property
    def is_success(self) -> bool:
        return not self.problem


def exposed(served: Served) -> Iterator[Exposed]:
    """Yield every route and tool that is served."""
    for adapter in served.capability.plan.adapters:
        fields = adapter.auth.fields if adapter.auth else {}
        headers = {"authorization": f"Bearer {fields['token']}"} if "token" in fields else {}
        if isinstance(adapter, RestAdapterPlan):
            for route in adapter.routes:
                for entry in route.operations:
                    yield Exposed(
                        namespace=adapter.namespace,
                        operation=entry.operation,
                        headers=headers,
                        method=entry.method,
                        path=route.path,
                    )
        elif isinstance(adapter, McpAdapterPlan):
            for tool in adapter.tools:
                yield Exposed(namespace=adapter.namespace, operation=tool, headers=headers)


def call(served: Served, target: Exposed, arguments: Mapping[str, Any]) -> Outcome:
    """Call a route or tool with these arguments, each sent where it is read from."""
    return _route(served, target, arguments) if target.method else _tool(served, target, arguments)


def _route(served: Served, target: Exposed, arguments: Mapping[str, Any]) -> Outcome:
    path = quote(target.path, safe="/{}")
    query: dict[str, Any] = {}
    body: Any = None
    headers = dict(target.headers)
    for item in target.inputs:
        if item.name not in arguments:
            continue
        value = arguments[item.name]
        match item.sources[0]:
            case "path":
                text = ",".join(value) if isinstance(value, list) else str(value)
                path = path.replace("{" + quote(item.name) + "}", quote(text, safe=""))
            case "query":
                query[item.name] = value if isinstance(value, str | list) else json.dumps(value)
            case "header":
                headers[item.name] = str(value)
            case _ if "whole-body" in item.sources:
                body = value
            case _:
                body = {**(body or {}), item.name: value}
    url = f"{path}?{urlencode(query, doseq=True)}" if query else path
    answer = served.request(target.namespace, target.method, url, body, **headers)
    return Outcome(answer.status, _problem(answer))


def _problem(answer: Answer) -> dict[str, Any]:
    if answer.status < 400:
        return {}
    return answer.body if isinstance(answer.body, dict) else {"detail": str(answer.body)}


def _tool(served: Served, target: Exposed, arguments: Mapping[str, Any]) -> Outcome:
    params = {"name": target.operation.name, "arguments": arguments, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        **target.headers,
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": target.operation.name,
    }
    answer = served.request(target.namespace, "POST", "/mcp", message, **headers)
    assert answer.status == 200, answer.body
    result = answer.body["result"]
    if not result.get("isError"):
        return Outcome(200, {})
    found = result.get("structuredContent") or {}
    return Outcome(200, found.get("error") or {"detail": result["content"][0]["text"]})

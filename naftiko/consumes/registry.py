"""Which code serves which `type` of `consumes`, in plain sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from naftiko.errors import NaftikoError
from naftiko.model.consumes import Consumes, ConsumesAws, ConsumesHttp, ConsumesWorkflows
from naftiko.plan.clients import ClientCompiler
from naftiko.plan.ports import ClientAdapter, ClientContext

EntryT = TypeVar("EntryT", ConsumesHttp, ConsumesAws)


def _http(entry: Consumes, context: ClientContext) -> ClientAdapter:
    from naftiko.consumes.http import compile_http

    if not isinstance(entry, ConsumesHttp):
        raise NaftikoError(f"{type(entry).__name__} is no HTTP entry")
    return _follow(compile_http, entry, context)


def _aws(entry: Consumes, context: ClientContext) -> ClientAdapter:
    from naftiko.consumes.aws import compile_aws

    if not isinstance(entry, ConsumesAws):
        raise NaftikoError(f"{type(entry).__name__} is no AWS entry")
    return _follow(compile_aws, entry, context)


def _workflows(entry: Consumes, context: ClientContext) -> ClientAdapter:
    from naftiko.consumes.workflows import compile_workflows

    if not isinstance(entry, ConsumesWorkflows):
        raise NaftikoError(f"{type(entry).__name__} is no entry of workflows")
    return compile_workflows(entry, context)  # what runs cannot follow refreshed variables


def _follow(
    compile_: Callable[[EntryT, ClientContext], ClientAdapter],
    entry: EntryT,
    context: ClientContext,
) -> ClientAdapter:
    """Compile an entry, so that it follows the variables that are refreshed, if there are any."""
    if not context.refreshes:
        return compile_(entry, context)
    from naftiko.consumes.live import LiveAdapter

    return LiveAdapter(lambda context: compile_(entry, context), context)


CLIENT_ADAPTERS: dict[type, ClientCompiler] = {
    ConsumesHttp: _http,
    ConsumesAws: _aws,
    ConsumesWorkflows: _workflows,
}
"""Each compiles an entry into an adapter; its code is imported when a file uses it."""

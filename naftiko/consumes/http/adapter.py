"""ConsumesHttp -> HttpClientAdapter; its operations are compiled when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from naftiko.consumes.http.compiler import compile_operation
from naftiko.consumes.http.source import OperationSource
from naftiko.consumes.http.variables import is_amazon
from naftiko.consumes.transport import Transport
from naftiko.model.consumes import ConsumesHttp
from naftiko.plan.ports import ClientContext, ClientOperation

if TYPE_CHECKING:
    from naftiko.consumes.http.amazon import AmazonApi


class HttpClientAdapter:
    """One `consumes` entry of `type: http`, with one pool of connections."""

    type_ = "http"

    def __init__(self, consumes: ConsumesHttp, context: ClientContext) -> None:
        """Index the operations by name; the first of a name counts."""
        self.namespace = consumes.namespace
        self._consumes = consumes
        self._context = context
        self._transport = Transport(proxy_environment=context.environment)
        self._sources: dict[str, OperationSource] = {}
        for resource in consumes.resources:
            for operation in resource.operations:
                source = OperationSource(consumes=consumes, resource=resource, operation=operation)
                self._sources.setdefault(operation.name, source)
        self._compiled: dict[str, ClientOperation] = {}

    def operation_names(self) -> Sequence[str]:
        """Return the names calls may use, in document order."""
        return tuple(self._sources)

    def operation(self, name: str) -> ClientOperation | None:
        """Return that operation, compiled once; None where there is none.

        One that cannot be called as the file stands says so in a problem, and in every call.

        Raises: ExpressionError for a template that means nothing.
        """
        found = self._compiled.get(name)
        source = self._sources.get(name)
        if found is not None or source is None:
            return found
        compiled = self._compiled[name] = self._compile(source)
        return compiled

    def _compile(self, source: OperationSource) -> ClientOperation:
        amazon = self._amazon
        if amazon is None:
            return compile_operation(source, self._context, self._transport)
        if amazon.switch.value == "off":
            return compile_operation(amazon.unsigned(source), self._context, self._transport)
        return amazon.operation(source)

    @cached_property
    def _amazon(self) -> AmazonApi | None:
        """The AWS service behind the host, if calls to it are made by its model."""
        if not is_amazon(self._consumes.base_uri.text):
            return None
        from naftiko.consumes.http.amazon import find_amazon

        return find_amazon(self._consumes, self._context)

    async def close(self) -> None:
        """Close connections."""
        await self._transport.close()
        amazon = self.__dict__.get("_amazon")
        if amazon is not None:
            await amazon.service.close()


def compile_http(consumes: ConsumesHttp, context: ClientContext) -> HttpClientAdapter:
    """Compile an HTTP API. Its operations are compiled when they are first asked for."""
    return HttpClientAdapter(consumes, context)

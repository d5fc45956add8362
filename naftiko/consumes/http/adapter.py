"""ConsumesHttp -> HttpClientAdapter; its operations are compiled when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from naftiko.consumes.http.compiler import compile_operation
from naftiko.consumes.http.shared import SharedAuthenticators
from naftiko.consumes.http.source import OperationSource
from naftiko.consumes.http.tls import UnusableTls, compile_tls
from naftiko.consumes.http.variables import is_amazon
from naftiko.consumes.transport import Tls, make_transport
from naftiko.model.consumes import ConsumesHttp
from naftiko.plan.ports import ClientContext, ClientOperation, Forwarder
from naftiko.source import Location

if TYPE_CHECKING:
    from naftiko.consumes.http.amazon import AmazonApi
    from naftiko.consumes.http.layered import HttpLayers


class HttpClientAdapter:
    """One `consumes` entry of `type: http`, with one pool of connections."""

    type_ = "http"

    def __init__(self, consumes: ConsumesHttp, context: ClientContext) -> None:
        """Index the operations by name; the first of a name counts."""
        self.namespace = consumes.namespace
        self._consumes = consumes
        self._context = context
        tls = compile_tls(consumes, context)
        self._refused = tls if isinstance(tls, UnusableTls) else None
        own_tls = tls if isinstance(tls, Tls) else None
        self._transport = make_transport(
            context.meter, proxy_environment=context.environment, tls=own_tls
        )
        self._shared = SharedAuthenticators(context, self._transport, own_tls)
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
        compiled = self._compiled[name] = self._in_layers(source, self._compile(source))
        return compiled

    def forwarder(self) -> Forwarder | None:
        """Return what forwards to this API; None for AWS, whose calls are made by its model."""
        from naftiko.consumes.http.forward import HttpForwarder, RefusedForwarder, forward_source
        from naftiko.consumes.http.operation import HttpOperation

        source = forward_source(self._consumes)
        if self._amazon is not None and self._amazon.switch.value != "off":
            return None
        operation = self._compile(source)
        if isinstance(operation, HttpOperation):
            return HttpForwarder(operation, operation.timeout_s)
        return RefusedForwarder(operation)

    def _in_layers(self, source: OperationSource, operation: ClientOperation) -> ClientOperation:
        """Add what `resilience` and `paginate` ask for; without them nothing is added."""
        blocks = (
            self._consumes.resilience,
            source.resource.resilience,
            source.operation.resilience,
        )
        if source.operation.paginate is None and not any(blocks):
            return operation
        return self._layers.around_http(operation, source.operation.paginate, blocks)

    @cached_property
    def _layers(self) -> HttpLayers:
        from naftiko.consumes.http.layered import HttpLayers

        return HttpLayers(self._context)

    def _compile(self, source: OperationSource) -> ClientOperation:
        if self._refused is not None:
            return source.refused("invalid-tls", self._refused.reason, self._refused.hint)
        amazon = self._amazon
        if amazon is None:
            return self._compile_plain(source)
        if amazon.switch.value == "off":
            return self._compile_plain(amazon.unsigned(source))
        if self._consumes.tls is not None:
            return self._refuse_tls(source, self._consumes.tls.location)
        return amazon.operation(source)

    def _refuse_tls(self, source: OperationSource, location: Location) -> ClientOperation:
        """Calls to AWS services go out signed, over connections of their own."""
        reason = "`tls` does not hold for the AWS service behind `baseUri`"
        self._context.problems.error("invalid-tls", reason, location, "remove `tls`")
        return source.refused("invalid-tls", reason)

    def _compile_plain(self, source: OperationSource) -> ClientOperation:
        return compile_operation(source, self._context, self._transport, self._shared)

    @cached_property
    def _amazon(self) -> AmazonApi | None:
        """The AWS service behind the host, if calls to it are made by its model."""
        if not is_amazon(self._consumes.base_uri.text):
            return None
        from naftiko.consumes.http.amazon import find_amazon

        return find_amazon(self._consumes, self._context)

    async def close(self) -> None:
        """Close connections."""
        if "_layers" in self.__dict__:
            await self._layers.close()
        await self._transport.close()
        await self._shared.close()
        amazon = self.__dict__.get("_amazon")
        if amazon is not None:
            await amazon.service.close()


def compile_http(consumes: ConsumesHttp, context: ClientContext) -> HttpClientAdapter:
    """Compile an HTTP API. Its operations are compiled when they are first asked for."""
    return HttpClientAdapter(consumes, context)

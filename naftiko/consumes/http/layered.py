"""`resilience` and `paginate` around an operation of an HTTP API."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from naftiko.consumes.http.body import NoBody
from naftiko.consumes.http.operation import HttpOperation, RefusedOperation
from naftiko.consumes.http.paging import paged
from naftiko.consumes.http.paging_rules import CODE, read_paging
from naftiko.consumes.http.request import HttpRequest
from naftiko.consumes.resilience.compiler import Layers, Levels, chain_of
from naftiko.consumes.resilience.layer import Call, Sent
from naftiko.consumes.resilience.operation import ResilientOperation
from naftiko.plan.ports import ClientOperation

if TYPE_CHECKING:
    from naftiko.consumes.resilience.members import Members
    from naftiko.document.nodes import Node
    from naftiko.plan.ports import Result
    from naftiko.plan.run import Run
    from naftiko.values import JsonValue


class HttpLayers(Layers):
    """The layers of one HTTP API."""

    def around_http(
        self, operation: ClientOperation, paginate: Node | None, levels: Levels
    ) -> ClientOperation:
        """Return an operation of an HTTP API with its pages and layers.

        Raises: ExpressionError.
        """
        if isinstance(operation, RefusedOperation):
            return operation
        if not isinstance(operation, HttpOperation):
            if paginate is not None:
                self.context.problems.warn(
                    "unused-paginate",
                    f"`{operation.address}` is called by its AWS model, so `paginate` is not used",
                    paginate.location,
                    "consume the service with `type: aws` to follow its pages",
                )
            return self.around(operation, levels)
        members = self.members_of(levels)
        timeout_s = self.timeout_of(members)
        if timeout_s is not None:
            operation = replace(operation, timeout_s=timeout_s)
        return self._around_http(operation, paginate, members)

    def _around_http(
        self, operation: HttpOperation, paginate: Node | None, members: Mapping[str, Members]
    ) -> ClientOperation:
        layers = self.layers_of(members)
        chain = chain_of(layers)
        lines = tuple(layer.explain() for layer in layers)
        found: ClientOperation = operation
        prepare = _HttpCalls(operation)
        paging = None
        if paginate is not None:
            paging = read_paging(paginate, self.context.problems)
            if (
                paging is not None
                and paging.in_ == "body"
                and isinstance(operation.request.body, NoBody)
            ):
                self._report_no_body(operation, paginate)
        if paging is not None:

            async def fetch(request: HttpRequest, run: Run) -> Result:
                return await chain(prepare.call_of(request), run)

            found = paged(operation, paging, fetch, lines)
        elif layers:
            found = ResilientOperation(inner=operation, lines=lines, prepare=prepare, chain=chain)
        return self.guarded(found, members)

    def _report_no_body(self, operation: HttpOperation, paginate: Node) -> None:
        self.context.problems.error(
            CODE,
            f"`paginate` goes `in: body`, but `{operation.address}` sends none",
            paginate.location,
            "add a `body`, or page `in: query`",
        )


class _HttpCalls:
    """Arguments, or a rendered request -> the call that the layers see."""

    def __init__(self, operation: HttpOperation) -> None:
        self._operation = operation

    def __call__(self, arguments: Mapping[str, JsonValue]) -> Call:
        return self.call_of(self._operation.request.render(arguments))

    def call_of(self, request: HttpRequest) -> Call:
        """Return the call that sends this request."""
        return Call(
            operation=self._operation.address,
            method=request.method,
            request=Sent(request.method, request.url, request.headers, request.body),
            send=self._send,
        )

    def _send(self, call: Call, run: Run) -> Awaitable[Result]:
        sent = call.request
        assert sent is not None  # every call of this class has one
        request = HttpRequest(sent.method, sent.url, sent.headers, sent.body)
        return self._operation.send(request, run)

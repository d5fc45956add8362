"""What a path of an adapter leads to: operations, and where other methods are passed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.exposes.rest.forward import Forwarding
from naftiko.exposes.rest.inputs import InputReader
from naftiko.exposes.rest.router import Router, plain_path, variables

if TYPE_CHECKING:
    from naftiko.plan.capability import OperationPlan, RestAdapterPlan, ServerAuth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Endpoint:
    """An operation under one method and path."""

    operation: OperationPlan
    reader: InputReader


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Leaf:
    """What a path leads to: an endpoint for each method, and where the other methods go."""

    path: str
    endpoints: dict[str, Endpoint]
    forwards: list[Forwarding]

    @property
    def allow(self) -> bytes:
        """The value of `Allow`: "GET, HEAD, OPTIONS"."""
        forwarded = self.forwards[0].plan.methods if self.forwards else ()
        return ", ".join(sorted({*self.endpoints, *forwarded, "OPTIONS"})).encode("ascii")

    def forwarding(self, method: str) -> Forwarding | None:
        """Return where a method goes that no operation has."""
        if not self.forwards or method not in self.forwards[0].plan.methods:
            return None
        return self.forwards[0]

    def add(self, method: str, endpoint: Endpoint) -> None:
        """Serve a method, and HEAD with GET. Who is here already stays."""
        self.endpoints.setdefault(method, endpoint)
        if method == "GET":
            self.endpoints.setdefault("HEAD", endpoint)


Match = tuple[Leaf, list[str]]


def compile_routes(plan: RestAdapterPlan) -> tuple[Router[Leaf], Sequence[str]]:
    """Return the routes that the file itself holds, and their paths."""
    router: Router[Leaf] = Router()
    paths: list[str] = []
    foreign = foreign_query(plan.auth)
    for route in plan.routes:
        path = plain_path(route.path)
        leaf = router.add(path, Leaf(path=path, endpoints={}, forwards=[]))
        paths.append(path)
        for entry in route.operations:
            reader = InputReader(
                entry.operation.inputs,
                method=entry.method,
                path_names=variables(path),
                foreign_query=foreign,
            )
            endpoint = Endpoint(operation=entry.operation, reader=reader)
            leaf.endpoints.setdefault(entry.method, endpoint)
        if route.forward is not None:
            leaf.forwards.append(Forwarding(plan=route.forward, foreign_query=foreign))
        if "GET" in leaf.endpoints:
            leaf.endpoints.setdefault("HEAD", leaf.endpoints["GET"])
    return router, paths


def foreign_query(auth: ServerAuth | None) -> tuple[str, ...]:
    """Return the query parameter that carries the API key, which no input is."""
    if auth is None or auth.type_ != "apikey" or auth.fields.get("placement") != "query":
        return ()
    return (auth.fields.get("key", ""),)

"""The routes of one adapter that are discovered while it serves, swapped as a whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from naftiko.exposes.rest.arguments import ArgumentsReader
from naftiko.exposes.rest.inputs import InputReader
from naftiko.exposes.rest.pages import PATHS, Page, Pages
from naftiko.exposes.rest.router import Router, variables
from naftiko.exposes.rest.routes import Endpoint, Leaf, Match, foreign_query
from naftiko.plan.capability import RestOperationPlan, RoutePlan

if TYPE_CHECKING:
    from naftiko.model.capability import Info
    from naftiko.plan.capability import OperationPlan, RestAdapterPlan
    from naftiko.plan.discovery.entries import Discovered
    from naftiko.plan.discovery.template import DiscoveredOperation
    from naftiko.plan.masking import Masker

MAX_HINTED = 50
"""Discovered paths that an unknown one is compared with: each takes its time."""


class Publishes(Protocol):
    """An app that serves what there is now."""

    def publish(self) -> None:
        """Serve what is discovered by now."""


class FoundRoutes:
    """The discovered routes as they are at one time, and pages that describe all routes."""

    def __init__(
        self,
        plan: RestAdapterPlan,
        operations: tuple[DiscoveredOperation, ...],
        *,
        info: Info,
        masker: Masker,
        before: FoundRoutes | None,
    ) -> None:
        """Make a table of the operations; those of `before` keep their readers."""
        self._plan = plan
        self._info = info
        self._masker = masker
        self._operations = operations
        self._pages: Pages | None = None
        self._describing = asyncio.Lock()
        self._endpoints: dict[OperationPlan, Endpoint] = {}
        self._router: Router[Leaf] = Router()
        foreign = foreign_query(plan.auth)
        kept = before._endpoints if before is not None else {}
        for item in operations:
            path = item.path or "/"
            endpoint = kept.get(item.operation) or _endpoint(item, path, foreign)
            self._endpoints[item.operation] = endpoint
            leaf = self._router.add(path, Leaf(path=path, endpoints={}, forwards=[]), encoded=True)
            leaf.add(item.method, endpoint)

    async def page(self, path: str, root_path: str) -> Page | None:
        """Return a page that describes all routes there are, None where there is none.

        One of many routes takes long to write, so that a thread does it, once for all who wait.
        """
        if path not in PATHS:
            return None
        written = self._pages.written(path, root_path) if self._pages is not None else None
        if written is not None:
            return written
        async with self._describing:
            return await asyncio.to_thread(self._page, path, root_path)

    def _page(self, path: str, root_path: str) -> Page | None:
        if self._pages is None:
            routes = (*self._plan.routes, *map(_route, self._operations))
            self._pages = Pages(replace(self._plan, routes=routes), self._info, self._masker)
        return self._pages.get(path, root_path)

    @property
    def hints(self) -> list[str]:
        """Paths that an unknown one may have meant."""
        return [item.path or "/" for item in self._operations[:MAX_HINTED]]

    def beside(self, own: Match | None, path: str, method: str) -> Match | None:
        """Return what answers where the file's own routes have not got the method.

        Where nothing has it, both say together which methods there are.
        """
        found = self._router.match(path)
        if found is None:
            return own
        if own is None or method in found[0].endpoints:
            return found
        leaf, values = own
        endpoints = {**found[0].endpoints, **leaf.endpoints}
        return Leaf(path=leaf.path, endpoints=endpoints, forwards=leaf.forwards), values


def follow(discovered: Discovered, app: Publishes) -> None:
    """Have an app serve whatever is discovered, for as long as it lives."""
    discovered.follow(app, lambda alive: alive.publish())
    app.publish()  # what came between building the app and listening


def _endpoint(item: DiscoveredOperation, path: str, foreign: tuple[str, ...]) -> Endpoint:
    inputs = item.operation.inputs
    reader = InputReader if inputs.verbatim is None else ArgumentsReader
    return Endpoint(
        operation=item.operation,
        reader=reader(
            inputs, method=item.method, path_names=variables(path), foreign_query=foreign
        ),
    )


def _route(item: DiscoveredOperation) -> RoutePlan:
    """Return a route as the pages describe it, with those of its `discover` entry."""
    operation = RestOperationPlan(
        method=item.method,
        operation=item.operation,
        by_schema=item.operation.inputs.verbatim is not None,
    )
    return RoutePlan(
        path=item.path or "/",
        name=item.discovery,
        description="",
        operations=(operation,),
        location=item.operation.location,
    )

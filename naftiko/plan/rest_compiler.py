"""ExposesRest -> RestAdapterPlan: routes, each with its operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from naftiko.errors import Problems, Severity, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.model.exposes import ExposedOperation, ExposesRest, RestResource
from naftiko.plan.answers import read_answers
from naftiko.plan.called import Setting
from naftiko.plan.capability import (
    Disabled,
    OperationPlan,
    RestAdapterPlan,
    RestOperationPlan,
    RoutePlan,
)
from naftiko.plan.clients import LeftOut
from naftiko.plan.infer import PATH_VARIABLE, Place
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.settings import AdapterSettings
from naftiko.source import Location

if TYPE_CHECKING:
    from naftiko.plan.discovery.compiler import DiscoveryCompiler
    from naftiko.plan.discovery.entries import Discovered
    from naftiko.plan.forward import ForwardPlan

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


@dataclass(slots=True, kw_only=True)
class RestCompiler:
    """Compiles REST adapters."""

    operations: OperationCompiler
    settings: AdapterSettings
    problems: Problems
    discovery: DiscoveryCompiler | None = None

    def compile(self, exposes: ExposesRest) -> RestAdapterPlan:
        """Compile an adapter."""
        taken: dict[tuple[str, str], Location] = {}
        routes = [self._route(exposes, resource, taken) for resource in exposes.resources]
        return RestAdapterPlan(
            namespace=exposes.namespace,
            address=self.settings.address(exposes.address),
            port=self.settings.port(exposes.port, "rest", exposes.location),
            description=exposes.description,
            auth=self.settings.auth(exposes.authentication),
            routes=tuple(
                _merge_routes(route for route in routes if route.operations or route.forward)
            ),
            location=exposes.location,
            max_binary_bytes=self.settings.size(exposes.max_binary_size, "maxBinarySize"),
            cors=self.settings.cors(exposes.cors),
            discovered=self._discovered(exposes, routes),
        )

    def _discovered(self, exposes: ExposesRest, routes: Sequence[RoutePlan]) -> Discovered | None:
        if self.discovery is None or not exposes.discover:
            return None
        from naftiko.plan.discovery.routes import OwnRoutes

        own = [(entry.method, route.path, entry) for route in routes for entry in route.operations]
        return self.discovery.compile(
            exposes.namespace,
            exposes.discover,
            [entry.operation.name for _, _, entry in own],
            self.operations.compile,
            own=OwnRoutes((method, path) for method, path, _ in own),
        )

    def _route(
        self,
        exposes: ExposesRest,
        resource: RestResource,
        taken: dict[tuple[str, str], Location],
    ) -> RoutePlan:
        path = _normal_path(resource.path.text)
        escaped = quote(path, safe="/{}:@!$&'()*+,;=-._~%")
        if "#" in path or "?" in path:
            self.problems.info(
                "path-needs-escaping",
                f"the path `{path}` holds `#` or `?`, which clients send percent-encoded",
                resource.path.location,
                f"they call `{escaped}`",
            )
        operations: list[RestOperationPlan] = []
        for rest in resource.operations:
            if not self._is_method(rest.method, rest.operation):
                continue
            setting = Setting(
                adapter=exposes.namespace,
                place=Place(method=rest.method, path=path),
                shared=(*exposes.input_parameters, *resource.input_parameters),
            )
            operation = self.operations.compile(rest.operation, setting)
            # Of two operations on one path, one that is left out anyway is in nobody's way.
            if operation is not None and self._is_new_route(rest.method, path, operation, taken):
                operations.append(self._documented(rest.method, rest.operation, operation))
        return RoutePlan(
            path=path,
            name=resource.name,
            description=resource.description,
            operations=tuple(operations),
            location=resource.location,
            forward=self._forward(exposes.namespace, resource, path),
        )

    def _documented(
        self, method: str, operation: ExposedOperation, plan: OperationPlan
    ) -> RestOperationPlan:
        """Add what `responses` or `responseBinary` say of the answers."""
        found = read_answers(operation, self.operations.clients, self.problems)
        if found is None:
            return RestOperationPlan(method=method, operation=plan)
        plan = replace(plan, plan=found.around(plan.plan))
        return RestOperationPlan(method=method, operation=plan, documented=found.documented)

    def _forward(self, adapter: str, resource: RestResource, path: str) -> ForwardPlan | None:
        config = resource.forward
        if config is None:
            return None
        from naftiko.plan.forward import compile_forward

        name = resource.name or "forward"
        try:
            return compile_forward(
                config,
                name=name,
                path=path,
                description=resource.description,
                clients=self.operations.clients,
                problems=self.problems,
                read_only=self.operations.read_only,
            )
        except ExpressionError as error:
            problem = replace(error.problem, severity=Severity.WARNING)
        except LeftOut as left:
            problem = left.problem
        self.problems.add(problem)
        self.operations.disabled.append(Disabled(adapter=adapter, name=name, problem=problem))
        return None

    def _is_method(self, method: str, operation: ExposedOperation) -> bool:
        if method in METHODS:
            return True
        self.problems.warn(
            "unknown-method",
            f"`{method}` is no HTTP method",
            operation.location,
            did_you_mean(method, METHODS),
        )
        return False

    def _is_new_route(
        self,
        method: str,
        path: str,
        operation: OperationPlan,
        taken: dict[tuple[str, str], Location],
    ) -> bool:
        key = (method, PATH_VARIABLE.sub("{}", path))
        earlier = taken.setdefault(key, operation.location)
        if earlier is operation.location:
            return True
        self.problems.error(
            "duplicate-operation",
            f"two operations answer {method} {path}",
            operation.location,
            f"the other one stands at {earlier}; remove one or change its path",
        )
        return False


def _normal_path(path: str) -> str:
    """`{{x}}` in an exposed path is `{x}`; a path starts with a slash."""
    text = PATH_VARIABLE.sub(lambda match: "{" + match.group(1) + "}", path.strip())
    return text if text.startswith("/") else f"/{text}"


def _merge_routes(routes: Iterable[RoutePlan]) -> Iterable[RoutePlan]:
    """Resources of the same path are one route."""
    merged: dict[str, RoutePlan] = {}
    for route in routes:
        earlier = merged.get(route.path)
        merged[route.path] = (
            replace(
                earlier,
                operations=earlier.operations + route.operations,
                forward=earlier.forward or route.forward,
            )
            if earlier
            else route
        )
    return merged.values()

"""ResolvedCapability -> CapabilityPlan: every adapter with its routes and tools.

What could make the engine do something the author did not mean (two operations on one method and
path, one namespace twice, a server secret without value) is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.model.build_exposes import IMPORTED
from naftiko.model.capability import Capability
from naftiko.model.consumes import Authentication
from naftiko.model.exposes import (
    ExposedOperation,
    Exposes,
    ExposesMcp,
    ExposesRest,
    RestResource,
    UnknownExposes,
)
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    McpAdapterPlan,
    OperationPlan,
    RestAdapterPlan,
    RestOperationPlan,
    RoutePlan,
    ServerAuth,
)
from naftiko.plan.infer import PATH_VARIABLE, Place
from naftiko.plan.masking import Masker
from naftiko.plan.operations import OperationCompiler, Setting
from naftiko.plan.templates import PlanTemplates
from naftiko.source import Location

DEFAULT_PORTS = {"rest": 8080, "mcp": 9090}
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
SERVER_AUTH_FIELDS = {
    "bearer": ("token",),
    "apikey": ("key", "value"),
    "basic": ("username", "password"),
}


@dataclass(slots=True, kw_only=True)
class CapabilityCompiler:
    """Compiles the adapters of one capability."""

    capability: Capability
    operations: OperationCompiler
    templates: PlanTemplates
    problems: Problems
    masker: Masker

    def compile(self) -> CapabilityPlan:
        """Compile every adapter. Problems are collected, not raised."""
        adapters: list[AdapterPlan] = []
        seen: dict[str, Location] = {}
        for exposes in self.capability.exposes:
            if not self._is_new_namespace(exposes, seen):
                continue
            match exposes:
                case ExposesRest():
                    adapters.append(self._rest(exposes))
                case ExposesMcp():
                    adapters.append(self._mcp(exposes))
                case UnknownExposes():
                    self._unknown(exposes)
        self._check_ports(adapters)
        return CapabilityPlan(
            path=self.capability.document.path,
            info=self.capability.info,
            adapters=tuple(adapters),
            clients=self.operations.clients.compiled,
            masker=self.masker,
            disabled=tuple(self.operations.disabled),
        )

    def _is_new_namespace(self, exposes: Exposes, seen: dict[str, Location]) -> bool:
        if not exposes.namespace:
            return True
        earlier = seen.setdefault(exposes.namespace, exposes.location)
        if earlier is exposes.location:
            return True
        self.problems.error(
            "duplicate-namespace",
            f"two adapters expose the namespace `{exposes.namespace}`",
            exposes.location,
            f"the other one stands at {earlier}; rename one",
        )
        return False

    def _unknown(self, exposes: UnknownExposes) -> None:
        if exposes.type_ == IMPORTED:
            return
        self.problems.warn(
            "unsupported-adapter",
            f"`exposes` of type `{exposes.type_}` is not served by this version"
            if exposes.type_
            else "this `exposes` entry has no `type`",
            exposes.location,
            did_you_mean(exposes.type_, ("rest", "mcp")),
        )

    def _rest(self, exposes: ExposesRest) -> RestAdapterPlan:
        taken: dict[tuple[str, str], Location] = {}
        routes = [self._route(exposes, resource, taken) for resource in exposes.resources]
        return RestAdapterPlan(
            namespace=exposes.namespace,
            address=self._address(exposes.address),
            port=self._port(exposes.port, "rest", exposes.location),
            description=exposes.description,
            auth=self._auth(exposes.authentication),
            routes=tuple(_merge_routes(route for route in routes if route.operations)),
            location=exposes.location,
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
            if not self._is_new_route(rest.method, path, rest.operation, taken):
                continue
            setting = Setting(
                adapter=exposes.namespace,
                place=Place(method=rest.method, path=path),
                shared=(*exposes.input_parameters, *resource.input_parameters),
            )
            operation = self.operations.compile(rest.operation, setting)
            if operation is not None:
                operations.append(RestOperationPlan(method=rest.method, operation=operation))
        return RoutePlan(
            path=path,
            name=resource.name,
            description=resource.description,
            operations=tuple(operations),
            location=resource.location,
        )

    def _is_new_route(
        self,
        method: str,
        path: str,
        operation: ExposedOperation,
        taken: dict[tuple[str, str], Location],
    ) -> bool:
        if method not in METHODS:
            self.problems.warn(
                "unknown-method",
                f"`{method}` is no HTTP method",
                operation.location,
                did_you_mean(method, METHODS),
            )
            return False
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

    def _mcp(self, exposes: ExposesMcp) -> McpAdapterPlan:
        stdio = exposes.transport == "stdio"
        return McpAdapterPlan(
            namespace=exposes.namespace,
            transport="stdio" if stdio else "http",
            address=self._address(exposes.address),
            port=None if stdio else self._port(exposes.port, "mcp", exposes.location),
            description=exposes.description,
            auth=self._auth(exposes.authentication),
            tools=tuple(self._tools(exposes)),
            location=exposes.location,
        )

    def _tools(self, exposes: ExposesMcp) -> Iterable[OperationPlan]:
        taken: dict[str, Location] = {}
        for tool in exposes.tools:
            if not tool.name:
                self.problems.warn("missing-name", "this tool has no `name`", tool.location)
                continue
            earlier = taken.setdefault(tool.name, tool.location)
            if earlier is not tool.location:
                self.problems.error(
                    "duplicate-operation",
                    f"two tools are called `{tool.name}`",
                    tool.location,
                    f"the other one stands at {earlier}; rename one",
                )
                continue
            plan = self.operations.compile(tool, Setting(exposes.namespace))
            if plan is not None:
                yield plan

    def _check_ports(self, adapters: Sequence[AdapterPlan]) -> None:
        taken: dict[int, AdapterPlan] = {}
        for adapter in adapters:
            if not adapter.port:
                continue
            earlier = taken.setdefault(adapter.port, adapter)
            if earlier is not adapter:
                self.problems.error(
                    "duplicate-port",
                    f"`{earlier.namespace}` and `{adapter.namespace}` both listen on port "
                    f"{adapter.port}",
                    adapter.location,
                    "give one of them another `port`",
                )

    def _port(self, scalar: Scalar | None, kind: str, location: Location) -> int:
        default = DEFAULT_PORTS[kind]
        if scalar is None:
            self.problems.warn(
                "missing-port",
                f"this `{kind}` adapter has no `port`; {default} is used",
                location,
                f"add `port: {default}`",
            )
            return default
        text = self._text(scalar) or ""
        if text.isascii() and text.isdigit() and int(text) <= 65535:
            return int(text)
        self.problems.error(
            "invalid-port",
            f"`port` must be a whole number from 1 to 65535, found `{scalar.text}`",
            scalar.location,
        )
        return 0

    def _address(self, scalar: Scalar | None) -> str | None:
        return (self._text(scalar) or None) if scalar else None

    def _text(self, scalar: Scalar) -> str | None:
        """Return a setting's text with variables filled in, None if one has no value."""
        try:
            value = self.templates.scalar(scalar).render({})
        except ExpressionError as error:
            self.problems.add(error.problem)
            return None
        return str(value) if isinstance(value, str | int) else None

    def _auth(self, authentication: Authentication | None) -> ServerAuth | None:
        """A server that asks for a secret it does not have would let in everybody or nobody."""
        if authentication is None:
            return None
        names = SERVER_AUTH_FIELDS.get(authentication.type_)
        if names is None:
            self.problems.error(
                "unsupported-authentication",
                f"server authentication of type `{authentication.type_}` is not served",
                (authentication.text("type") or authentication).location,
                did_you_mean(authentication.type_, SERVER_AUTH_FIELDS),
            )
            return None
        fields = {name: self._auth_field(authentication, name) for name in names}
        fields["placement"] = authentication.fields.plain().get("placement") or "header"  # type: ignore[union-attr,assignment]  # a mapping's plain value is an object
        return ServerAuth(type_=authentication.type_, fields=fields)

    def _auth_field(self, authentication: Authentication, name: str) -> str:
        scalar = authentication.text(name)
        before = len(self.templates.missing)
        value = self._text(scalar) if scalar is not None else None
        if value and value.strip() and "{{" not in value:
            if name in ("token", "value", "password"):
                self.masker.add(value)
            return value
        missing = self.templates.missing[before:]
        del self.templates.missing[before:]
        detail = f": {missing[0].origin} has no value" if missing else ""
        self.problems.error(
            "unresolved-secret",
            f"the server's `{name}` has no value{detail}",
            scalar.location if scalar is not None else authentication.location,
            "without it every caller, or none, would be let in",
        )
        return ""


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
            replace(earlier, operations=earlier.operations + route.operations) if earlier else route
        )
    return merged.values()

"""Region and parameters -> the URL a call goes to, by the service's endpoint ruleset."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.endpoint_provider import EndpointProvider
    from botocore.model import OperationModel, ServiceModel

_REGION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PORTS = {"http": 80, "https": 443}


class EndpointError(Exception):
    """No endpoint for these settings; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Endpoint:
    """Where a call goes, and what it is signed for. `url` has no slash at its end."""

    url: str
    region: str
    signing_name: str
    fixed: bool

    @property
    def host(self) -> str:
        """The Host header: without the port that the scheme implies."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = parts.port
        return host if port is None or port == _PORTS.get(parts.scheme) else f"{host}:{port}"

    @property
    def path(self) -> str:
        """The path that a prepared JSON call posts to."""
        return urlsplit(self.url).path.rstrip("/") + "/"

    @property
    def origin(self) -> str:
        """Scheme and host: `https://states.us-east-1.amazonaws.com`."""
        return f"{urlsplit(self.url).scheme}://{self.host}"

    def with_host_prefix(self, prefix: str, *, wanted: bool | None = None) -> Endpoint:
        """Return it with a host prefix (`sync-`).

        `wanted` None means: unless the URL is a configured one, which is used as it is. boto3 puts
        the prefix there too, without AWS_DISABLE_HOST_PREFIX_INJECTION.
        """
        if not prefix or not (not self.fixed if wanted is None else wanted):
            return self
        scheme, _, rest = self.url.partition("://")
        return replace(self, url=f"{scheme}://{prefix}{rest}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EndpointResolver:
    """Finds the endpoint of a service's calls; `url` is a configured one, which ends the search."""

    model: ServiceModel
    region: str
    url: str | None = None
    dual_stack: bool = False
    fips: bool = False

    def resolve(self, context: Mapping[str, object] | None = None) -> Endpoint:
        """Return the endpoint; `context` are ruleset parameters that an operation sets.

        Raises: EndpointError.
        """
        if self.url is not None:
            return Endpoint(
                url=self.url.rstrip("/"),
                region=self.region,
                signing_name=self.model.signing_name,
                fixed=True,
            )
        from botocore.exceptions import BotoCoreError

        if _REGION.fullmatch(self.region) is None:
            # It becomes a part of the host's name: `evil.com/#` would be asked instead of AWS.
            raise EndpointError(f"`{self.region[:60]}` is not the name of a region")
        parameters: dict[str, object] = {"Region": self.region}
        parameters |= {"UseDualStack": self.dual_stack, "UseFIPS": self.fips}
        known = _provider(self.model.service_name).ruleset.parameters
        parameters |= context or {}
        given = {name: value for name, value in parameters.items() if name in known}
        try:
            found = _provider(self.model.service_name).resolve_endpoint(**given)
        except BotoCoreError as error:
            raise EndpointError(str(error)) from error
        schemes = found.properties.get("authSchemes") or [{}]
        usable = [scheme for scheme in schemes if scheme.get("name", "sigv4") == "sigv4"]
        if not usable:
            raise EndpointError("this endpoint wants Signature Version 4A, which is not supported")
        return Endpoint(
            url=found.url.rstrip("/"),
            region=usable[0].get("signingRegion", self.region),
            signing_name=usable[0].get("signingName", self.model.signing_name),
            fixed=False,
        )


@dataclass(frozen=True, slots=True)
class EndpointContext:
    """What an operation adds to endpoint resolution: fixed values, and members of its input."""

    static: Mapping[str, object]
    members: Mapping[str, str]

    @classmethod
    def of(cls, model: OperationModel) -> EndpointContext:
        """Read the traits of an operation."""
        static = {item.name: item.value for item in model.static_context_parameters}
        members = {item.name: item.member_name for item in model.context_parameters}
        return cls(static, members)

    def values(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Return the ruleset parameters of one call."""
        given = {
            name: arguments[member] for name, member in self.members.items() if member in arguments
        }
        return {**self.static, **given}


@lru_cache(maxsize=64)
def _provider(service: str) -> EndpointProvider:
    from botocore.endpoint_provider import EndpointProvider

    from naftiko.awsapi.catalog import loader

    rules = loader().load_service_model(service, "endpoint-rule-set-1")
    return EndpointProvider(rules, loader().load_data("partitions"))

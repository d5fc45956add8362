"""`authentication: {type: sigv4, region, service}` -> Signer.

Also spelled `awsSigV4`. Region and service are read from an AWS host where they are left out.
Credentials are `accessKeyId`, `secretAccessKey` and `sessionToken` (or those under `credentials`),
`profile`, or the default chain. A member that is given and has no value refuses every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from naftiko.awsapi.catalog import (
    find_service,
    region_for_host,
    service_for_host,
    service_model,
)
from naftiko.consumes.aws.credentials import CredentialsError, CredentialSource
from naftiko.consumes.aws.settings import AwsEnvironment
from naftiko.consumes.aws.signing import AwsKeys
from naftiko.consumes.http.base_uri import BaseUri, HostSlot
from naftiko.consumes.http.binder import Binder
from naftiko.consumes.http.identity import aws_settings, read_switch
from naftiko.consumes.sigv4 import Signer
from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Scalar
from naftiko.errors import ConsumedError
from naftiko.model.consumes import Authentication
from naftiko.values import MISSING

_ANY_REGION = "us-east-1"
_KEY_MEMBERS = ("accessKeyId", "secretAccessKey", "sessionToken")


def compile_signer(authentication: Authentication, base: BaseUri, binder: Binder) -> Signer | None:
    """Compile the signer of an API; None after a problem, and then no call may be made.

    Raises: ExpressionError.
    """
    host, is_known = _host(base)
    region = region_for_host(host) if is_known else None
    return _Compiler(authentication, binder).compile(service_for_host(host), region)


def at_configured_endpoint(
    base: BaseUri, environment: Mapping[str, str], *, sandbox: bool = False
) -> BaseUri:
    """Return an AWS base URI at AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_<SERVICE>), if that is set.

    The sandbox sets it, so that no call leaves it.
    """
    service = service_for_host(_host(base)[0])
    url = AwsEnvironment(environment, sandbox=sandbox).endpoint_url(service) if service else None
    return replace(base, origin=(url.rstrip("/"),)) if url else base


def _host(base: BaseUri) -> tuple[str, bool]:
    """Return the host, and whether nothing in it is left to the caller."""
    open_: list[str] = []

    def fill(slot: HostSlot) -> str:
        if slot.fallback is None:
            open_.append(slot.slot.name)
        return slot.fallback or _ANY_REGION

    host = base.host(fill)
    return host, not open_


@dataclass(frozen=True, slots=True)
class _Credentials:
    """Looks up credentials, and says what is wrong in our words."""

    source: CredentialSource

    async def find(self) -> AwsKeys:
        try:
            return self.source.current or await self.source.get()
        except CredentialsError as error:
            raise ConsumedError(
                code="aws-credentials",
                message=f"the call cannot be signed: {error.reason}",
                hint=error.hint or "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
            ) from error


class _Compiler:
    """Reads the members of one `authentication`."""

    def __init__(self, authentication: Authentication, binder: Binder) -> None:
        self._authentication = authentication
        self._binder = binder
        self._context = binder.context
        self._has_gaps = False

    def compile(self, host_service: str | None, host_region: str | None) -> Signer | None:
        environment = AwsEnvironment(
            self._context.environment, self._text("profile"), sandbox=self._context.sandbox
        )
        service = self._service(host_service)
        region = self._region() or host_region or environment.region
        if service is None or region is None:
            self._report_missing("region" if service else "service")
            return None
        settings = aws_settings(
            self._context,
            region=region,
            switch=read_switch(self._context).value,
            profile=self._text("profile"),
            keys=self._keys(),
        )
        if self._has_gaps:
            return None
        source = CredentialSource(
            settings,
            environment,
            region=region,
            sts_endpoint_url=None,
            add_secret=self._context.add_secret,
        )
        return Signer(service=service, region=region, find_credentials=_Credentials(source).find)

    def _service(self, host_service: str | None) -> str | None:
        """Return the name that is signed for: "stepfunctions" and "states" are both "states"."""
        named = self._text("service")
        found = find_service(named) if named else host_service
        return str(service_model(found).signing_name) if found else named

    def _region(self) -> str | None:
        """Return the region that is given; one without a value is looked for elsewhere."""
        scalar = self._authentication.text("region")
        return None if scalar is None else self._value(scalar)

    def _keys(self) -> AwsKeys | None:
        access_key, secret_key, token = map(self._text, _KEY_MEMBERS)
        if access_key and secret_key:
            return AwsKeys(access_key, secret_key, token)
        if access_key or secret_key:
            self._report_gap("secretAccessKey" if access_key else "accessKeyId")
        return None

    def _text(self, member: str) -> str | None:
        """Return a member's text, None where it is absent. One without a value is a problem."""
        fields = self._authentication.fields
        node = fields.get(member)
        credentials = fields.get("credentials")
        if node is None and isinstance(credentials, MappingNode):
            node = credentials.get(member)
        if not isinstance(node, Scalar) or node.value is None:
            return None
        value = self._value(node)
        if value is None:
            self._report_gap(member)
        return value

    def _value(self, scalar: Scalar) -> str | None:
        value = self._binder.text(scalar).render(self._binder.constants)
        return None if value is MISSING or value is None or value == "" else str(value)

    def _report_gap(self, member: str) -> None:
        self._has_gaps = True
        self._context.problems.error(
            "missing-credentials",
            f"`{member}` of `authentication` has no value, so no call can be signed",
            self._authentication.location,
            "bind it under `binds`, or leave the member out for the default chain",
        )

    def _report_missing(self, member: str) -> None:
        """Report what the file does not tell; a region may still be set where the server runs."""
        message = (
            f"`authentication` of type `{self._authentication.type_}` has no `{member}`, and "
            "`baseUri` does not tell it, so calls to this API are refused"
        )
        location = self._authentication.location
        if member == "region":
            hint = "set AWS_REGION, or add `region: us-east-1`"
            self._context.problems.warn("missing-field", message, location, hint)
        else:
            hint = "add `service: execute-api`"
            self._context.problems.error("missing-field", message, location, hint)

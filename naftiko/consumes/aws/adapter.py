"""A `consumes` entry of `type: aws` -> AwsClientAdapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from naftiko.awsapi import catalog
from naftiko.consumes.aws.adjustments import read_adjustments, read_timeout_s, rendered
from naftiko.consumes.aws.service import AwsService, unsupported_reason
from naftiko.consumes.aws.settings import AwsSettings
from naftiko.consumes.aws.signing import AwsKeys
from naftiko.document.nodes import Scalar
from naftiko.errors import CompileError, Problem, StartError, did_you_mean

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from naftiko.consumes.aws.operation import AwsOperation
    from naftiko.consumes.resilience.compiler import Layers
    from naftiko.document.nodes import Mapping as MappingNode
    from naftiko.model.consumes import ConsumedAwsOperation, ConsumesAws
    from naftiko.plan.ports import ClientContext, ClientOperation, Outline
    from naftiko.source import Location

CREDENTIAL_FIELDS = ("accessKeyId", "secretAccessKey", "sessionToken")
MAX_RETRIES = 20


class AwsClientAdapter:
    """The operations of one entry; with `operations` only those, else all of the API."""

    type_ = "aws"

    def __init__(
        self,
        namespace: str,
        service: AwsService,
        declared: Mapping[str, ConsumedAwsOperation],
        context: ClientContext,
        entry: ConsumesAws,
    ) -> None:
        """Compile nothing yet."""
        self._resilience = entry.resilience
        self._location = entry.location
        self.namespace = namespace
        self.service = service
        self._declared = declared
        self._context = context
        self._compiled: dict[str, ClientOperation | None] = {}

    def operation_names(self) -> Sequence[str]:
        """Return the names calls may use."""
        return tuple(self._declared) or self.service.operation_names()

    def outlines(self) -> Sequence[Outline]:
        """Return every operation that calls may name, from the service's model."""
        from naftiko.consumes.aws.outlines import outline_of

        found = []
        for name in self.operation_names():
            entry = self._declared.get(name)
            target = entry.operation.text if entry and entry.operation is not None else name
            api_name = catalog.find_operation(self.service.name, target)
            if api_name is not None:
                found.append(outline_of(self.service, api_name, name, entry))
        return found

    def operation(self, name: str) -> ClientOperation | None:
        """Return that operation, compiled once; None where there is none."""
        if self._declared and name not in self._declared:
            return None
        if name not in self._compiled:
            entry = self._declared.get(name)
            found = self._any(name) if entry is None else self._compile(entry)
            if found is None and entry is None:
                return None
            own = entry.resilience if entry is not None else None
            self._compiled[name] = found and self._in_layers(found, own)
        return self._compiled[name]

    def _in_layers(self, operation: AwsOperation, own: MappingNode | None) -> ClientOperation:
        """Add what `resilience` asks for; without it nothing is added."""
        if self._resilience is None and own is None:
            return operation
        return self._layers.around(operation, (self._resilience, own))

    @cached_property
    def _layers(self) -> Layers:
        from naftiko.consumes.resilience.compiler import Layers

        return Layers(self._context)

    def _any(self, name: str) -> AwsOperation | None:
        api_name = catalog.find_operation(self.service.name, name)
        if api_name is None:
            return None
        model = self.service.model.operation_model(api_name)
        return self.service.operation(name) if self._supported(model, self._location) else None

    def _supported(self, model: OperationModel, location: Location) -> bool:
        reason = unsupported_reason(model)
        if reason is not None:
            message = f"`{model.name}` of `{self.service.name}` cannot be called: {reason}"
            self._context.problems.warn("unsupported-operation", message, location)
        return reason is None

    async def close(self) -> None:
        """Close connections."""
        if "_layers" in self.__dict__:
            await self._layers.close()
        await self.service.close()

    def _compile(self, entry: ConsumedAwsOperation) -> AwsOperation | None:
        api_name = self._api_name(entry)
        if api_name is None:
            return None
        model = self.service.model.operation_model(api_name)
        if not self._supported(model, entry.location):
            return None
        adjust = read_adjustments(entry, model, self._context)
        return self.service.compile(api_name, entry.name, adjust)

    def _api_name(self, entry: ConsumedAwsOperation) -> str | None:
        """Return the API's name of an entry; None, with the problem noted, if there is none."""
        text = entry.operation.text if entry.operation is not None else entry.name
        found = catalog.find_operation(self.service.name, text)
        if found is None:
            self._context.problems.error(
                "unknown-operation",
                f"`{text}` is no operation of the AWS service `{self.service.name}`",
                entry.operation.location if entry.operation is not None else entry.location,
                did_you_mean(text, self.service.operation_names()),
            )
        return found

    def check(self) -> None:
        """Note every declared operation that the API does not have, whether called or not."""
        for entry in self._declared.values():
            self._api_name(entry)


def compile_aws(entry: ConsumesAws, context: ClientContext) -> AwsClientAdapter:
    """Compile an entry. Nothing is connected and no credentials are looked up.

    Raises: CompileError[unknown-service], ExpressionError.
    """
    name = catalog.find_service(entry.service.text)
    if name is None:
        problem = Problem(
            code="unknown-service",
            message=f"`{entry.service.text}` is no AWS service",
            location=entry.service.location,
            hint=did_you_mean(entry.service.text, catalog.known_names()),
        )
        raise CompileError([problem])
    settings = read_settings(entry, context)
    service = AwsService(name, settings, context, namespace=entry.namespace)
    _check_surroundings(entry, service, context)
    declared = {operation.name: operation for operation in entry.operations}
    adapter = AwsClientAdapter(entry.namespace, service, declared, context, entry)
    adapter.check()
    return adapter


def read_settings(entry: ConsumesAws, context: ClientContext) -> AwsSettings:
    """Return where and as whom an entry calls AWS; what is wrong with it is noted.

    Raises: ExpressionError.
    """
    return _Reader(entry, context).settings()


class _Reader:
    """Reads the settings of an entry: templates over bound variables, settled now."""

    def __init__(self, entry: ConsumesAws, context: ClientContext) -> None:
        self._entry = entry
        self._context = context

    def settings(self) -> AwsSettings:
        entry = self._entry
        return AwsSettings(
            region=self._text(entry.region),
            profile=self._text(entry.profile),
            endpoint_url=self._url(entry.endpoint_url),
            role_arn=self._text(entry.role_arn),
            keys=self._keys(),
            retries=self._retries(entry.retries),
            timeout_s=read_timeout_s(entry.timeout, self._context),
            host_prefix=self._switch(entry.host_prefix),
        )

    def _switch(self, scalar: Scalar | None) -> bool | None:
        """Read `hostPrefix`; None where it is not given or its variable has no value."""
        text = self._text(scalar)
        if text is None or scalar is None:
            return None
        value = {"true": True, "false": False}.get(text.strip().lower())
        if value is None:
            self._context.problems.error(
                "invalid-host-prefix",
                f"`hostPrefix` must be true or false, found `{scalar.text}`",
                scalar.location,
                "leave it out to add the prefix at AWS's own endpoints only",
            )
        return value

    def _text(self, scalar: Scalar | None) -> str | None:
        """Return the text; None where it is not given or its variable has no value."""
        if scalar is None or scalar.value is None:
            return None
        return rendered(scalar, self._context) or None

    def _url(self, scalar: Scalar | None) -> str | None:
        url = self._text(scalar)
        if url is None or scalar is None:
            return None
        if not url.startswith(("http://", "https://")) or "?" in url or "#" in url:
            self._context.problems.error(
                "invalid-endpoint-url",
                "`endpointUrl` must be a URL such as http://127.0.0.1:4566",
                scalar.location,
            )
            return None
        return url

    def _keys(self) -> AwsKeys | None:
        """Read `credentials`. They fail closed: a part without value must not mean other keys."""
        fields = self._entry.credentials
        if fields is None:
            return None
        problems = self._context.problems
        for name in fields:
            if name not in CREDENTIAL_FIELDS:
                key = fields.key(name)
                problems.warn(
                    "unknown-field",
                    f"`credentials` has no `{name}`",
                    key.location if key is not None else fields.location,
                    did_you_mean(name, CREDENTIAL_FIELDS),
                )
        values: dict[str, str] = {}
        for name in CREDENTIAL_FIELDS:
            node = fields.get(name)
            text = self._text(node) if isinstance(node, Scalar) else None
            if text is not None:
                values[name] = text
                self._context.add_secret(text)
            elif name in fields or name != "sessionToken":
                problems.error(
                    "missing-credentials",
                    f"`credentials.{name}` has no value",
                    node.location if node is not None else fields.location,
                    "bind the variable it names, or leave `credentials` out for the default chain",
                )
                return AwsKeys("", "")
        return AwsKeys(*(values[name] for name in CREDENTIAL_FIELDS if name in values))

    def _retries(self, scalar: Scalar | None) -> int | None:
        if scalar is None:
            return None
        text = rendered(scalar, self._context)
        if text.isdecimal() and len(text) < 4 and int(text) <= MAX_RETRIES:
            return int(text)
        self._context.problems.error(
            "invalid-retries",
            f"`retries` must be a whole number from 0 to {MAX_RETRIES}",
            scalar.location,
        )
        return None


def _check_surroundings(entry: ConsumesAws, service: AwsService, context: ClientContext) -> None:
    """Warn of what will make every call fail here, although the file may be right elsewhere."""
    try:
        exists = service.environment.profile_exists
        names = service.environment.profile_names
    except Exception as error:  # botocore raises several unrelated types for a broken config file
        raise StartError(
            f"the AWS configuration cannot be read: {error}", hint="check ~/.aws/config"
        ) from error
    if not exists and not context.sandbox:
        context.problems.warn(
            "unknown-profile",
            f"the AWS profile `{service.environment.profile}` does not exist here",
            entry.profile.location if entry.profile is not None else entry.location,
            did_you_mean(service.environment.profile, names),
        )
    if service.needs_region:
        context.problems.info(
            "missing-region",
            f"`{entry.namespace}` has no AWS region here, so that its calls would fail",
            entry.region.location if entry.region is not None else entry.location,
            "add `region`, or set AWS_REGION where the server runs",
        )

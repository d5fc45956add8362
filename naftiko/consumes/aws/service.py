"""A service as one entry uses it: settings, credentials, transport; its operations, made lazily."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from naftiko.awsapi import catalog
from naftiko.consumes.aws.credentials import CredentialSource
from naftiko.consumes.aws.endpoints import EndpointResolver
from naftiko.consumes.aws.faults import Called
from naftiko.consumes.aws.operation import AwsOperation
from naftiko.consumes.aws.paging import pager_of
from naftiko.consumes.aws.retries import RetryPolicy
from naftiko.consumes.aws.rules import (
    JsonMembers,
    effect_of,
    json_members,
    outcome_rule,
    repeatable,
    timeout_rule,
)
from naftiko.consumes.aws.schema import SchemaWriter, plain_text
from naftiko.consumes.aws.settings import SANDBOX_REGION, AwsEnvironment, AwsSettings
from naftiko.consumes.aws.signing import Clock
from naftiko.consumes.transport import make_transport
from naftiko.errors import ConsumedError
from naftiko.plan.ports import Effect, Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, ServiceModel

    from naftiko.consumes.aws.paging import Pager
    from naftiko.consumes.aws.wire import Wire
    from naftiko.consumes.aws.wire_botocore import BotocoreClient
    from naftiko.plan.ports import ClientContext
    from naftiko.plan.values import ValueTemplate
    from naftiko.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Adjustments:
    """How a file adjusts an operation. `paginate` False turns pages off.

    `parameters` changes what is said of a parameter: `{"name": {"description": ..., ...}}`. `own`
    are inputs that only `presets` read: the API has none of that name.
    """

    description: str = ""
    presets: tuple[tuple[str, ValueTemplate], ...] = ()
    own: frozenset[str] = frozenset()
    json_parameters: tuple[str, ...] = ()
    parameters: Mapping[str, JsonObject] | None = None
    required: Mapping[str, bool] | None = None
    defaults: Mapping[str, JsonValue] | None = None
    paginate: bool = True
    limit: int | None = None
    timeout_s: float | None = None


class AwsService:
    """One service with where and as whom it is called. `operation` compiles and remembers."""

    def __init__(
        self,
        service: str,
        settings: AwsSettings,
        context: ClientContext,
        *,
        namespace: str | None = None,
    ) -> None:
        """Resolve what needs no network; `service` is botocore's name.

        In the sandbox the file's own endpoint, region and credentials do not count.
        """
        if context.sandbox:
            settings = AwsSettings(retries=settings.retries, timeout_s=settings.timeout_s)
        self.name = service
        self.namespace = namespace or service
        self.settings = settings
        self.environment = AwsEnvironment(
            context.environment, settings.profile, sandbox=context.sandbox
        )
        self.region = settings.region or self.environment.region
        if context.sandbox and self.region is None:
            self.region = SANDBOX_REGION
        attempts = self.environment.attempts if settings.retries is None else settings.retries + 1
        self.retries = RetryPolicy(attempts=attempts)
        self.transport = make_transport(
            context.meter,
            proxy_environment=context.environment,
            ca_bundle=self.environment.text("AWS_CA_BUNDLE", "ca_bundle"),
            decompress=self.model.resolved_protocol == "json",
        )
        self.credentials = CredentialSource(
            settings,
            self.environment,
            region=self.region,
            sts_endpoint_url=self.environment.endpoint_url("sts"),
            add_secret=context.add_secret,
        )
        self._clock = Clock()
        self._operations: dict[str, AwsOperation] = {}

    @property
    def model(self) -> ServiceModel:
        """Botocore's model of the service."""
        return catalog.service_model(self.name)

    @cached_property
    def endpoint_url(self) -> str | None:
        """The endpoint that is configured, by the entry or the environment."""
        return self.settings.endpoint_url or self.environment.endpoint_url(self.name)

    @property
    def host_prefix(self) -> bool | None:
        """Whether the model's host prefixes are added, None where the entry does not say."""
        return self.settings.host_prefix

    @property
    def needs_region(self) -> bool:
        """Whether calls will fail for want of a region. Other protocols have global services."""
        json = self.model.resolved_protocol == "json"
        return json and self.region is None and self.endpoint_url is None

    @cached_property
    def has_tokens(self) -> bool:
        """Whether the API has tokens of its own, so that InvalidToken is not about credentials."""
        return "InvalidToken" in self.model.shape_names

    def endpoints(self) -> EndpointResolver:
        """Return what finds the endpoint of a call.

        Raises: ConsumedError[no-region].
        """
        environment = self.environment
        region = self.region or (SANDBOX_REGION if self.endpoint_url else None)
        if region is None:
            raise ConsumedError(
                code="no-region",
                message=f"{self.namespace}: no AWS region is set",
                hint="set `region` in the entry, or AWS_REGION",
            )
        return EndpointResolver(
            model=self.model,
            region=region,
            url=self.endpoint_url,
            dual_stack=environment.flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
            fips=environment.flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        )

    def operation_names(self) -> tuple[str, ...]:
        """Return the kebab-case names of all operations of the API."""
        return tuple(catalog.operation_names(self.name))

    def operation(self, name: str) -> AwsOperation | None:
        """Return an operation by its API name or kebab-case, None where there is none."""
        api_name = catalog.find_operation(self.name, name)
        if api_name is None:
            return None
        found = self._operations.get(api_name)
        if found is None:
            found = self.compile(api_name, catalog.kebab_case(api_name), Adjustments())
            self._operations[api_name] = found
        return found

    def compile(self, api_name: str, name: str, adjust: Adjustments) -> AwsOperation:
        """Compile an operation under a name, with what the file adjusts."""
        model = self.model.operation_model(api_name)
        members = json_members(self.name, adjust.json_parameters)
        effect = effect_of(self.name, model)
        schema = _adjusted(_input_schema(model, members), adjust)
        waits = timeout_rule(self.name, api_name)
        stated_s = adjust.timeout_s or self.settings.timeout_s
        called = self._called(api_name, name)
        return AwsOperation(
            called=called,
            service=self,
            wire=self._wire(model, called, members),
            description=adjust.description or plain_text(model.documentation),
            visible=_visible(schema, adjust, model),
            input_schema=schema,
            output_schema=_output_schema(model),
            effect=effect,
            repeatable=repeatable(self.name, model),
            token_members=tuple(model.idempotent_members),
            pager=self._pager(model, effect, adjust),
            timeout_s=waits.seconds if stated_s is None else stated_s,
            timeout_member=waits.plus if stated_s is None else None,
            outcome=outcome_rule(self.name, api_name),
            presets=adjust.presets,
            own=adjust.own,
            defaults=adjust.defaults or {},
        )

    def plain_wire(self, api_name: str) -> Wire:
        """Return what sends single calls of an operation: texts that hold JSON stay texts.

        Bodies that are streams come as base64, as all other bytes do.
        """
        model = self.model.operation_model(api_name)
        called = self._called(api_name, api_name)
        return self._wire(model, called, JsonMembers({}), text_bodies=False)

    def _called(self, api_name: str, name: str) -> Called:
        return Called(
            address=f"{self.namespace}.{name}",
            service=self.name,
            operation=api_name,
            action=f"{self.model.signing_name}:{api_name}",
        )

    def _pager(self, model: OperationModel, effect: Effect, adjust: Adjustments) -> Pager | None:
        if not adjust.paginate or effect is not Effect.READ:
            return None
        return pager_of(model, catalog.paginators(self.name), adjust.limit)

    def _wire(
        self,
        model: OperationModel,
        called: Called,
        members: JsonMembers,
        *,
        text_bodies: bool = True,
    ) -> Wire:
        if uses_prepared_path(model):
            from naftiko.consumes.aws.wire_json import JsonWire

            return JsonWire(
                model,
                called=called,
                endpoints=self.endpoints,
                json_members=members,
                clock=self._clock,
                host_prefix=self.host_prefix,
            )
        from naftiko.consumes.aws.wire_botocore import BotocoreWire

        return BotocoreWire(
            model,
            called=called,
            client=self._botocore_client,
            endpoint_url=self.endpoint_url,
            json_members=members,
            text_bodies=text_bodies,
        )

    @cached_property
    def _botocore_client(self) -> BotocoreClient:
        from naftiko.consumes.aws.wire_botocore import BotocoreClient

        return BotocoreClient(self)

    async def close(self) -> None:
        """Close connections."""
        await self.transport.close()


def compile_service(
    service: str,
    settings: AwsSettings,
    context: ClientContext,
    *,
    namespace: str | None = None,
) -> AwsService:
    """Return a service ready to be called; `service` is botocore's name (catalog.find_service)."""
    return AwsService(service, settings, context, namespace=namespace)


def unsupported_reason(model: OperationModel) -> str | None:
    """Return why an operation cannot be called at all, None if it can."""
    if model.has_event_stream_input or model.has_event_stream_output:
        return "it speaks an event stream, which has no single answer"
    return None


def uses_prepared_path(model: OperationModel) -> bool:
    """Tell whether the prepared JSON path serves an operation exactly as botocore would."""
    service = model.service_model
    discovery = model.endpoint_discovery
    return (
        service.resolved_protocol == "json"
        and not model.operation_context_parameters
        and not (discovery is not None and discovery.get("required"))
        and not _has_host_label(model)
    )


def _has_host_label(model: OperationModel) -> bool:
    return "{" in str((model.endpoint or {}).get("hostPrefix", ""))


def _input_schema(model: OperationModel, members: JsonMembers) -> JsonObject:
    bare: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
    shape = model.input_shape
    return bare | (SchemaWriter(json_members=members).write(shape) if shape else {})


def _adjusted(schema: JsonObject, adjust: Adjustments) -> JsonObject:
    """Lay the file's `inputParameters` over the API's schema."""
    properties = schema["properties"]
    required = schema.get("required")
    if not isinstance(properties, dict):
        return schema
    merged: JsonObject = dict(properties)
    for name, changes in (adjust.parameters or {}).items():
        found = merged.get(name)
        if isinstance(found, dict):
            merged[name] = {**found, **changes}
        elif name in adjust.own:
            merged[name] = changes
    names = [str(name) for name in required] if isinstance(required, list) else []
    for name, needed in (adjust.required or {}).items():
        if needed and name not in names and name in merged:
            names.append(name)
    return {**schema, "properties": merged, **({"required": list(names)} if names else {})}


def _visible(
    schema: JsonObject, adjust: Adjustments, model: OperationModel
) -> tuple[Parameter, ...]:
    hidden = {name for name, _ in adjust.presets}
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    properties = schema["properties"]
    items = properties.items() if isinstance(properties, dict) else ()
    given = {*(adjust.defaults or {}), *model.idempotent_members}
    return tuple(
        Parameter(
            name=name,
            schema=described if isinstance(described, dict) else {},
            required=name in needed and name not in given,
        )
        for name, described in items
        if name not in hidden
    )


def _output_schema(model: OperationModel) -> JsonObject | None:
    if model.output_shape is None:
        return {"type": "object"}
    return SchemaWriter(json_members=JsonMembers({}), for_output=True).write(model.output_shape)

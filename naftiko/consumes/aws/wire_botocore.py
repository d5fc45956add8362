"""The path for every other protocol (query, EC2, REST, CBOR): botocore without its HTTP layer.

A botocore client serializes, applies its handlers (S3 addressing, checksums, region rules), signs
and parses; the bytes go through this engine's async transport, so that no thread waits for an
answer. The client's inner methods used here are those that aiobotocore builds on as well; the
tests drive them against a real server for each protocol.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from naftiko.consumes.aws.decoding import plain_json
from naftiko.consumes.aws.encoding import Encoder
from naftiko.consumes.aws.faults import Fault, fault_error, is_throttling, retry_after_s
from naftiko.consumes.aws.wire import SignedRequest
from naftiko.consumes.transport import is_sendable_path
from naftiko.errors import ConsumedError, FieldError, InputError, ShapingError

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from naftiko.consumes.aws.faults import Called
    from naftiko.consumes.aws.rules import JsonMembers
    from naftiko.consumes.aws.settings import AwsEnvironment
    from naftiko.consumes.aws.signing import AwsKeys
    from naftiko.consumes.transport import HttpResponse
    from naftiko.values import JsonObject, JsonValue

NOT_PASSED_ON = frozenset({"content-length", "transfer-encoding", "expect", "host", "connection"})
"""Headers that belong to the connection: the transport sets its own. SigV4 covers none but host."""
TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript")


class BotocoreService(Protocol):
    """What this path needs of a service."""

    @property
    def name(self) -> str:
        """Botocore's name."""
        ...

    @property
    def region(self) -> str | None:
        """The region, if any is set."""
        ...

    @property
    def endpoint_url(self) -> str | None:
        """The configured endpoint, if any."""
        ...

    @property
    def host_prefix(self) -> bool | None:
        """Whether host prefixes are added; None leaves it to whether an endpoint is configured."""
        ...

    @property
    def environment(self) -> AwsEnvironment:
        """The environment."""
        ...


class BotocoreClient:
    """One botocore client, made at the first call and shared by all operations of a service."""

    def __init__(self, service: BotocoreService) -> None:
        """Make nothing yet."""
        self._service = service
        self._lock = threading.Lock()
        self._made: Any = None
        self.keys: AwsKeys | None = None

    @property
    def made(self) -> bool:
        """Whether the client is there."""
        return self._made is not None

    def get(self) -> Any:
        """Return the client; making it takes 100 ms, so the first time is in a thread.

        Raises: ConsumedError[no-region].
        """
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def load_credentials(self) -> Any:
        """Return a credentials object that always holds the keys of the call being signed."""
        from botocore.credentials import Credentials, ReadOnlyCredentials

        holder = self

        class CurrentKeys(Credentials):  # type: ignore[misc]  # botocore is untyped
            def get_frozen_credentials(self) -> ReadOnlyCredentials:
                keys = holder.keys
                return ReadOnlyCredentials(*keys) if keys else ReadOnlyCredentials("", "", None)

        return CurrentKeys("set-for-each-call", "set-for-each-call")

    def _make(self) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, NoRegionError

        from naftiko.consumes.aws.credentials import new_session

        service = self._service
        prefixed = service.host_prefix
        if prefixed is None:
            prefixed = service.endpoint_url is None
        session = new_session(service.environment, None)
        session.register_component("credential_provider", self)
        try:
            return session.create_client(
                service.name,
                region_name=service.region,
                endpoint_url=service.endpoint_url,
                config=Config(inject_host_prefix=prefixed),
            )
        except NoRegionError as error:
            raise ConsumedError(
                code="no-region",
                message=f"{service.name}: no AWS region is set",
                hint="set `region` in the entry, or AWS_REGION",
            ) from error
        except (BotoCoreError, ValueError) as error:
            raise ConsumedError(code="no-endpoint", message=f"{service.name}: {error}") from error


class BotocoreWire:
    """One operation of any service. Botocore signs by the machine's clock."""

    clock = None

    def __init__(
        self,
        model: OperationModel,
        *,
        called: Called,
        client: BotocoreClient,
        endpoint_url: str | None,
        json_members: JsonMembers,
        text_bodies: bool = True,
    ) -> None:
        """Build the closures for the arguments; the client is made by the first call.

        `text_bodies`: a streamed body whose media type is text is given as text.
        """
        self.text_bodies = text_bodies
        self.model = model
        self.called = called
        self.client = client
        self._endpoint_url = endpoint_url
        encoder = Encoder(json_members, wire=False)
        self._encode = encoder.encoder(model.input_shape) if model.input_shape else None
        self.signed = model.resolved_auth_type != "none"

    @property
    def ready(self) -> bool:
        """Whether the client is there."""
        return self.client.made

    def get_ready(self) -> None:
        """Make the client; blocks."""
        self.client.get()

    def prepare(self, arguments: Mapping[str, JsonValue]) -> BotocoreCall:
        """Serialize the arguments through botocore's handlers and endpoint rules.

        Raises: InputError, ConsumedError.
        """
        from botocore.exceptions import BotoCoreError

        errors: list[FieldError] = []
        given: Any = dict(arguments)
        if self._encode is not None:
            given = self._encode(given, "", errors)
        if errors:
            raise InputError(fields=tuple(errors))
        try:
            return BotocoreCall(self, _request_dict(self.client.get(), self.model, given))
        except BotoCoreError as error:
            raise InputError(message=f"{self.called.address}: {error}") from error

    def check(self, arguments: Mapping[str, JsonValue]) -> list[FieldError]:
        """Return what is wrong with JSON texts, base64 and times among the arguments."""
        errors: list[FieldError] = []
        if self._encode is not None:
            self._encode(dict(arguments), "", errors)
        return errors

    def explain(self) -> list[str]:
        """Say what is sent, and where."""
        http = self.model.http
        where = self._endpoint_url or "the endpoint of the region"
        protocol = self.model.service_model.resolved_protocol
        return [
            f"{http.get('method', 'POST')} {http.get('requestUri', '/')} at {where} ({protocol})"
        ]

    @cached_property
    def modeled_throttling(self) -> frozenset[str]:
        """The operation's own error codes for "too fast"."""
        return frozenset(
            error.error_code or error.name
            for error in self.model.error_shapes
            if (error.metadata.get("retryable") or {}).get("throttling")
        )


class BotocoreCall:
    """One call, serialized."""

    def __init__(self, wire: BotocoreWire, request_dict: dict[str, Any]) -> None:
        """Keep botocore's request dictionary, which each attempt is made from."""
        self._wire = wire
        self._dict = request_dict
        self._attempts = 0

    def request(self, keys: AwsKeys | None) -> SignedRequest:
        """Sign for now."""
        client = self._wire.client
        # Nothing runs between this and the signing below: the keys are those of this call.
        client.keys = keys
        self._attempts += 1
        endpoint = client.get()._endpoint
        endpoint._update_retries_context(self._dict["context"], self._attempts)
        prepared = endpoint.create_request(self._dict, self._wire.model)
        if not is_sendable_path(urlsplit(prepared.url).path):
            raise InputError(
                message=f"{self._wire.called.address}: a value has `.` or `..` between slashes, "
                "which no URL can carry",
                fields=(FieldError(name="path", message="must not have `.` or `..` segments"),),
            )
        headers = [
            (name, _text(value))
            for name, value in prepared.headers.items()
            if name.lower() not in NOT_PASSED_ON
        ]
        return SignedRequest(prepared.method, prepared.url, headers, _bytes(prepared.body))

    def result(self, response: HttpResponse) -> JsonObject:
        """Read an answer; S3 may say in a 200 that it failed.

        Raises: ShapingError, ConsumedError.
        """
        parsed, status = self._parse(response)
        if status >= 300:
            raise fault_error(self._fault(parsed, status, response), self._wire.called)
        parsed.pop("ResponseMetadata", None)
        as_text = self._wire.text_bodies
        value = plain_json(
            {name: _read(item, response, as_text=as_text) for name, item in parsed.items()}
        )
        return value if isinstance(value, dict) else {}

    def fault(self, response: HttpResponse) -> Fault:
        """Read a refusal."""
        try:
            parsed, status = self._parse(response)
        except ShapingError:
            parsed, status = {}, response.status
        return self._fault(parsed, status, response)

    def _fault(self, parsed: dict[str, Any], status: int, response: HttpResponse) -> Fault:
        error = parsed.get("Error") or {}
        code = str(error.get("Code") or status)
        return Fault(
            status=status,
            code=code,
            message=str(error.get("Message") or ""),
            request_id=(parsed.get("ResponseMetadata") or {}).get("RequestId") or None,
            throttled=is_throttling(code, status, self._wire.modeled_throttling),
            retry_after_s=retry_after_s(response.headers),
            date=response.headers.get("date"),
            region=response.headers.get("x-amz-bucket-region"),
        )

    def _parse(self, response: HttpResponse) -> tuple[dict[str, Any], int]:
        """Parse as botocore's endpoint does, handlers included. Returns it with the status."""
        from botocore.awsrequest import AWSResponse
        from botocore.endpoint import convert_to_response_dict
        from botocore.exceptions import BotoCoreError
        from botocore.httpchecksum import handle_checksum_body
        from botocore.parsers import ResponseParserError, create_parser

        client, model = self._wire.client.get(), self._wire.model
        context = self._dict["context"]
        headers = dict(response.headers.items())
        answer = AWSResponse(self._dict["url"], response.status, headers, _Raw(response.body))
        name = f"{model.service_model.service_id.hyphenize()}.{model.name}"
        try:
            as_dict = convert_to_response_dict(answer, model)
            handle_checksum_body(answer, as_dict, context, model)
            customized: dict[str, Any] = {}
            client.meta.events.emit(
                f"before-parse.{name}",
                operation_model=model,
                response_dict=as_dict,
                customized_response_dict=customized,
            )
            parser = create_parser(model.service_model.resolved_protocol)
            parsed: dict[str, Any] = parser.parse(as_dict, model.output_shape)
            parsed.update(customized)
            client.meta.events.emit(
                f"after-call.{name}",
                http_response=answer,
                parsed=parsed,
                model=model,
                context=context,
            )
        except (ResponseParserError, BotoCoreError, ValueError, KeyError) as error:
            raise ShapingError(
                message=f"{self._wire.called.address}: the answer cannot be read: {error}"
            ) from error
        except (TypeError, AttributeError, IndexError) as error:
            # Botocore takes a member for what its model says: an object where a text stands.
            raise ShapingError(
                message=f"{self._wire.called.address}: the answer is not of the form of the API's"
            ) from error
        return parsed, int(as_dict["status_code"])


class _Raw(io.BytesIO):
    """The body as botocore reads it from urllib3."""

    def stream(self, amount: int = 65536, **_: object) -> Iterator[bytes]:
        while chunk := self.read(amount):
            yield chunk

    def release_conn(self) -> None:
        """Have no connection to give back."""


def _request_dict(client: Any, model: OperationModel, given: dict[str, Any]) -> dict[str, Any]:
    """Do what botocore's `_make_api_call` does before it sends."""
    from botocore.compress import maybe_compress_request
    from botocore.context import start_as_current_context
    from botocore.httpchecksum import apply_request_checksum, resolve_checksum_context

    context: dict[str, Any] = {
        "client_region": client.meta.region_name,
        "client_config": client.meta.config,
        "has_streaming_input": model.has_streaming_input,
        "auth_type": model.resolved_auth_type,
        "unsigned_payload": model.unsigned_payload,
        "auth_options": model.metadata.get("auth"),
    }
    with start_as_current_context():
        params = client._emit_api_params(api_params=given, operation_model=model, context=context)
        url, headers, properties = client._resolve_endpoint_ruleset(model, params, context)
        if properties:
            context["endpoint_properties"] = properties
        request: dict[str, Any] = client._convert_to_request_dict(
            api_params=params,
            operation_model=model,
            endpoint_url=url,
            context=context,
            headers=headers,
        )
        resolve_checksum_context(request, model, params)
        client.meta.events.emit(
            f"before-call.{model.service_model.service_id.hyphenize()}.{model.name}",
            model=model,
            params=request,
            request_signer=client._request_signer,
            context=context,
        )
        maybe_compress_request(client.meta.config, request, model)
        apply_request_checksum(request)
    return request


def _read(value: object, response: HttpResponse, *, as_text: bool) -> object:
    """Read a streamed body: text where its media type says so and it is UTF-8, else bytes."""
    if not hasattr(value, "read"):
        return value
    data: bytes = value.read()
    if not as_text:
        return data
    media_type = (response.headers.get("content-type") or "").lower()
    if media_type.startswith(TEXT_TYPES) or media_type.partition(";")[0].endswith(
        ("+json", "+xml")
    ):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data
    return data


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    if hasattr(body, "seek"):
        body.seek(0)
    data: bytes = body.read()
    return data

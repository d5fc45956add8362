"""The prepared path for services that speak JSON 1.0 or 1.1 (Step Functions, DynamoDB, SQS, ...).

All that is the same for each call of an operation is made once: headers, the canonical request
around the date, the closures that serialize and parse. What goes over the wire is what boto3
sends; a differential test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import orjson

from naftiko.consumes.aws.decoding import Decoder
from naftiko.consumes.aws.encoding import Encoder
from naftiko.consumes.aws.endpoints import Endpoint, EndpointContext, EndpointError
from naftiko.consumes.aws.faults import Fault, is_throttling, retry_after_s
from naftiko.consumes.aws.signing import AwsKeys, Clock, SignableHead, Signer
from naftiko.consumes.aws.wire import SignedRequest
from naftiko.errors import ConsumedError, FieldError, InputError, ShapingError

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from naftiko.consumes.aws.endpoints import EndpointResolver
    from naftiko.consumes.aws.faults import Called
    from naftiko.consumes.aws.rules import JsonMembers
    from naftiko.consumes.transport import HttpResponse
    from naftiko.values import JsonObject, JsonValue

MAX_ENDPOINTS = 64
"""Endpoints remembered where they depend on the arguments."""


class JsonWire:
    """One operation of a JSON service."""

    ready = True

    def __init__(
        self,
        model: OperationModel,
        *,
        called: Called,
        endpoints: Callable[[], EndpointResolver],
        json_members: JsonMembers,
        clock: Clock,
        host_prefix: bool | None = None,
    ) -> None:
        """Build the closures. `endpoints` is asked by the first call: a region may be missing."""
        self._wants_prefix = host_prefix
        self.clock = clock
        self._model = model
        self._called = called
        self._find_endpoints = endpoints
        self._context = EndpointContext.of(model)
        self._places: dict[str, _Place] = {}
        self._headers = _headers(model)
        encoder = Encoder(json_members, wire=True)
        self._encode = encoder.encoder(model.input_shape) if model.input_shape else None
        shape = model.output_shape
        self._decode = Decoder().decoder(shape) if shape is not None else None
        self.modeled_throttling = frozenset(
            error.error_code or error.name
            for error in model.error_shapes
            if (error.metadata.get("retryable") or {}).get("throttling")
        )
        self.signed = model.resolved_auth_type != "none"
        self._prefix = str((model.endpoint or {}).get("hostPrefix", ""))

    def get_ready(self) -> None:
        """Nothing is slow here."""

    def prepare(self, arguments: Mapping[str, JsonValue]) -> JsonCall:
        """Serialize the arguments.

        Raises: InputError, ConsumedError.
        """
        errors: list[FieldError] = []
        value = arguments if self._encode is None else self._encode(dict(arguments), "", errors)
        if errors:
            raise InputError(fields=tuple(errors))
        try:
            body = orjson.dumps(value)
        except orjson.JSONEncodeError as error:
            raise InputError(message=f"{self._called.address}: {error}") from error
        return JsonCall(self, self._place(arguments), body)

    def decoded(self, response: HttpResponse) -> JsonObject:
        """Read an answer."""
        if self._decode is None or not response.body:
            return {}
        try:
            value = self._decode(orjson.loads(response.body))
        except orjson.JSONDecodeError as error:
            raise ShapingError(
                message=f"{self._called.address}: the answer is no JSON ({error})"
            ) from error
        return value if isinstance(value, dict) else {}

    def check(self, arguments: Mapping[str, JsonValue]) -> list[FieldError]:
        """Return what is wrong with JSON texts, base64 and times among the arguments."""
        errors: list[FieldError] = []
        if self._encode is not None:
            self._encode(dict(arguments), "", errors)
        return errors

    def explain(self) -> list[str]:
        """Say what is sent, and where."""
        try:
            url = self._place({}).url
        except ConsumedError as error:
            url = f"no endpoint ({error.message})"
        return [f"POST {url}", *(f"{name}: {value}" for name, value in self._headers)]

    def _place(self, arguments: Mapping[str, JsonValue]) -> _Place:
        if not self._context.members or self._endpoints.url is not None:
            return self._fixed_place
        context = self._context.values(arguments)
        key = repr(context)
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= MAX_ENDPOINTS:
                self._places.clear()
            place = self._places[key] = self._make_place(context)
        return place

    @cached_property
    def _endpoints(self) -> EndpointResolver:
        return self._find_endpoints()

    @cached_property
    def _fixed_place(self) -> _Place:
        place = self._places[""] = self._make_place(self._context.values({}))
        return place

    def _make_place(self, context: Mapping[str, object]) -> _Place:
        try:
            endpoint = self._endpoints.resolve(context)
        except EndpointError as error:
            if context.keys() & self._context.members.keys():
                # It resolved by a value the caller gave: "EndpointId must be a valid host label".
                raise InputError(message=f"{self._called.address}: {error}") from error
            raise ConsumedError(
                code="no-endpoint",
                message=f"{self._called.address}: {error}",
                hint="check `region`, or set `endpointUrl`",
            ) from error
        placed = endpoint.with_host_prefix(self._prefix, wanted=self._wants_prefix)
        return _Place(placed, self._headers, self.clock)


class _Place:
    """An endpoint with what is signed for it."""

    __slots__ = ("head", "headers", "signer", "url")

    def __init__(self, endpoint: Endpoint, headers: list[tuple[str, str]], clock: Clock) -> None:
        self.url = endpoint.origin + endpoint.path
        self.headers = headers
        self.head = SignableHead(
            method="POST", path=endpoint.path, host=endpoint.host, headers=headers
        )
        self.signer = Signer(endpoint.region, endpoint.signing_name, clock)


class JsonCall:
    """One call, serialized."""

    __slots__ = ("_body", "_place", "_wire")

    def __init__(self, wire: JsonWire, place: _Place, body: bytes) -> None:
        """Keep what each attempt needs."""
        self._wire = wire
        self._place = place
        self._body = body

    def request(self, keys: AwsKeys | None) -> SignedRequest:
        """Sign for now."""
        place = self._place
        headers = place.headers
        if keys is not None:
            headers = headers + place.signer.sign(place.head, self._body, keys)
        return SignedRequest("POST", place.url, headers, self._body)

    def result(self, response: HttpResponse) -> JsonObject:
        """Read an answer."""
        return self._wire.decoded(response)

    def fault(self, response: HttpResponse) -> Fault:
        """Read a refusal: `{"__type": "com.amazonaws.x#ThingNotFound", "message": "..."}`."""
        body = _error_body(response.body)
        headers = response.headers
        code = _error_code(body, headers, response.status)
        message = body.get("message") or body.get("Message") or ""
        return Fault(
            status=response.status,
            code=code,
            message=str(message),
            request_id=headers.get("x-amzn-requestid"),
            throttled=is_throttling(code, response.status, self._wire.modeled_throttling),
            retry_after_s=retry_after_s(headers),
            date=headers.get("date"),
        )


def _headers(model: OperationModel) -> list[tuple[str, str]]:
    metadata = model.metadata
    headers = [
        ("Content-Type", f"application/x-amz-json-{metadata['jsonVersion']}"),
        ("X-Amz-Target", f"{metadata['targetPrefix']}.{model.name}"),
    ]
    if model.service_model.is_query_compatible:
        headers.append(("x-amzn-query-mode", "true"))
    return headers


def _error_body(body: bytes) -> JsonObject:
    try:
        parsed = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        # A proxy or load balancer speaks here: its page is not for the caller.
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _error_code(body: JsonObject, headers: Mapping[str, str], status: int) -> str:
    # Services that spoke the query protocol before keep their old codes in this header.
    code, semicolon, _ = headers.get("x-amzn-query-error", "").partition(";")
    if semicolon and code:
        return code
    text = body.get("__type") or body.get("code") or headers.get("x-amzn-errortype") or str(status)
    return str(text).partition(":")[0].rpartition("#")[2]

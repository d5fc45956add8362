"""The function by which workflows reach AWS: one request, sent once, over the engine's own client.

It repeats nothing and follows no pages, for the machine counts attempts and pages itself. Requests
are members as JSON, so that what a string holds stays a string, JSON or not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from time import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from naftiko.consumes.aws.credentials import CredentialsError
from naftiko.consumes.aws.faults import EXPIRED_CODES, SKEW_CODES, Fault
from naftiko.consumes.aws.service import AwsService, unsupported_reason, uses_prepared_path
from naftiko.consumes.aws.settings import SANDBOX_REGION, AwsEnvironment, AwsSettings
from naftiko.consumes.aws.signing import AwsKeys
from naftiko.consumes.transport import (
    HttpResponse,
    InvalidRequestError,
    ResponseTooLargeError,
    TimedOutError,
    TransportError,
)
from naftiko.errors import ConsumedError, InputError, ShapingError, StartError
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest

if TYPE_CHECKING:
    from botocore.model import Shape

    from naftiko.consumes.aws.wire import PreparedCall, Wire
    from naftiko.plan.ports import ClientContext
    from naftiko.values import JsonObject, JsonValue

REQUEST_ID_HEADERS = ("x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id")
THROTTLED_STATUS = 429
MIN_SKEW_S = 240.0
MAX_WIRES = 4_096
MAX_SERVICES = 2_048
"""Services, each in each of its regions; a region may come from a caller's parameter."""


@dataclass(frozen=True, slots=True)
class _Line:
    """An operation of a service in a region, ready to be called.

    `shape` is that of its answer where botocore reads JSON in texts of it.
    """

    service: AwsService
    wire: Wire
    shape: Shape | None


@dataclass(eq=False, repr=False)
class _Lines:
    """Services and operations, made when they are first called, and kept."""

    settings: AwsSettings
    context: ClientContext
    region: str
    _services: dict[tuple[str, str], AwsService] = field(default_factory=dict)
    _lines: dict[tuple[str, str, str], _Line] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def known(self, service: str, operation: str, region: str) -> _Line | None:
        """Return what has been made already."""
        return self._lines.get((service, operation, region))

    def make(self, service: str, operation: str, region: str) -> _Line:
        """Make it; reading a model may take a tenth of a second.

        Raises: AwsFailure[not_sent].
        """
        with self._lock:
            key = (service, operation, region)
            found = self._lines.get(key)
            if found is None:
                if len(self._lines) >= MAX_WIRES:
                    self._lines.clear()
                made = self._service(service, region)
                found = self._lines[key] = _line(made, operation)
            return found

    def _service(self, name: str, region: str) -> AwsService:
        found = self._services.get((name, region))
        if found is None:
            from naftiko.awsapi.catalog import is_service

            if not is_service(name):
                raise _not_sent("UnknownService", f"botocore has no service `{name}`")
            if len(self._services) >= MAX_SERVICES:
                raise _not_sent("TooManyRegions", "too many services and regions were called")
            context, settings = self.context, self.settings
            if region:
                # In the sandbox only the environment counts, so that the region stands there too.
                environment = {**context.environment, "AWS_REGION": region}
                context = replace(context, environment=environment)
                settings = replace(settings, region=region)
            found = self._services[name, region] = AwsService(name, settings, context)
        return found

    async def close(self) -> None:
        """Close all connections."""
        services, self._services = [*self._services.values()], {}
        self._lines.clear()
        for service in services:
            await service.close()


class AwsCaller:
    """Reaches AWS as an entry says: any operation of any service, in any region.

    It is `naftiko.workflow.runtime.gates.Access`; calling it is `CallAws`.
    """

    def __init__(self, settings: AwsSettings, context: ClientContext) -> None:
        """Compile nothing yet, and look up no credentials."""
        environment = AwsEnvironment(context.environment, settings.profile, sandbox=context.sandbox)
        self._lines = _Lines(
            settings, context, _region_of(settings, environment, sandbox=context.sandbox)
        )
        self._keys: AwsKeys | None = None

    @property
    def call(self) -> AwsCaller:
        """The function, with the server's own credentials."""
        return self

    @property
    def region(self) -> str:
        """The region that calls go to; "" where none is set."""
        return self._lines.region

    @property
    def is_loopback(self) -> bool:
        """Whether every call goes to this machine."""
        context, own = self._lines.context, self._lines.settings.endpoint_url
        if own is not None and not context.sandbox:
            return _is_loopback(own)
        environment = context.environment
        if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
            return context.sandbox and _is_loopback(environment.get("AWS_ENDPOINT_URL", ""))
        urls = [url for name, url in environment.items() if name.startswith("AWS_ENDPOINT_URL")]
        return bool(environment.get("AWS_ENDPOINT_URL")) and all(map(_is_loopback, urls))

    def with_keys(self, credentials: JsonObject) -> AwsCaller:
        """Return the function with other credentials: the `Credentials` of AssumeRole.

        Connections are shared with this one.
        """
        keys = AwsKeys(
            str(credentials["AccessKeyId"]),
            str(credentials["SecretAccessKey"]),
            str(credentials["SessionToken"]) or None,
        )
        self._lines.context.add_secret(keys.secret_key)
        if keys.token:
            self._lines.context.add_secret(keys.token)
        other = AwsCaller.__new__(AwsCaller)
        other._lines, other._keys = self._lines, keys
        return other

    async def close(self) -> None:
        """Close all connections, those of others made with `with_keys` too."""
        await self._lines.close()

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        """Send one request, once.

        What AWS refused because our credentials have ended or our clock is wrong was not done, so
        that it goes out again, once, when that could be mended.

        Raises: AwsFailure.
        """
        line = await self._line(request)
        prepared = await _prepared(line, request)
        keys = await self._keys_for(line)
        response = await self._send(line, prepared, keys, request)
        if response.status >= 300:
            fault = prepared.fault(response)
            if not self._mend(line, fault, keys):
                raise _fault(fault)
            response = await self._send(line, prepared, await self._keys_for(line), request)
            if response.status >= 300:
                raise _fault(prepared.fault(response))
        return _answer(line, prepared, response)

    async def _line(self, request: AwsRequest) -> _Line:
        region = request.region or self.region
        found = self._lines.known(request.service, request.operation, region)
        if found is None:
            found = await asyncio.to_thread(
                self._lines.make, request.service, request.operation, region
            )
        return found

    async def _keys_for(self, line: _Line) -> AwsKeys | None:
        if not line.wire.signed:
            return None
        if self._keys is not None:
            return self._keys
        credentials = line.service.credentials
        try:
            return credentials.current or await credentials.get()
        except CredentialsError as error:
            raise _not_sent("NoCredentials", error.reason) from None

    async def _send(
        self, line: _Line, prepared: PreparedCall, keys: AwsKeys | None, request: AwsRequest
    ) -> HttpResponse:
        try:
            out = prepared.request(keys)
            return await line.service.transport.send(
                out.method, out.url, out.headers, out.body, timeout_s=request.timeout_s
            )
        except InputError as error:
            raise _not_sent("InvalidInput", _worded(error)) from None
        except StartError as error:
            raise _not_sent("InvalidSettings", error.message) from None
        except TransportError as error:
            raise _unanswered(error, request) from None

    def _mend(self, line: _Line, fault: Fault, keys: AwsKeys | None) -> bool:
        """Renew expired credentials or correct the clock; True if that was possible.

        Only where AWS has refused, and so done nothing: a 503 may say anything.
        """
        if fault.status >= 500:
            return False
        if fault.code in EXPIRED_CODES and keys is not None and self._keys is None:
            return line.service.credentials.forget(keys)
        clock = line.wire.clock
        if fault.code in SKEW_CODES and fault.date is not None and clock is not None:
            try:
                offset_s = parsedate_to_datetime(fault.date).timestamp() - time()
            except (TypeError, ValueError):
                return False
            if abs(offset_s) > MIN_SKEW_S:
                clock.offset_s = offset_s
                return True
        return False


def _line(service: AwsService, operation: str) -> _Line:
    if operation not in service.model.operation_names:
        raise _not_sent("UnknownOperation", f"`{service.name}` has no operation `{operation}`")
    model = service.model.operation_model(operation)
    reason = unsupported_reason(model)
    if reason is not None:
        raise _not_sent("UnsupportedOperation", reason)
    shape = None if uses_prepared_path(model) else model.output_shape
    return _Line(service, service.plain_wire(operation), shape)


async def _prepared(line: _Line, request: AwsRequest) -> PreparedCall:
    try:
        if not line.wire.ready:
            await asyncio.to_thread(line.wire.get_ready)
        return line.wire.prepare(request.members)
    except InputError as error:
        raise _not_sent("InvalidInput", _worded(error)) from None
    except ConsumedError as error:
        raise _not_sent(error.code, error.message) from None


def _answer(line: _Line, prepared: PreparedCall, response: HttpResponse) -> AwsAnswer:
    request_id = _request_id(response.headers)
    try:
        output = prepared.result(response)
        if line.shape is not None:
            _write_texts(output, line.shape)
        return AwsAnswer(output=output, request_id=request_id)
    except ConsumedError as error:
        # S3 says in a 200 that it failed: what AWS's own clients take for a server's fault.
        code = str(error.details.get("awsCode") or error.code)
        raise AwsFailure(
            "fault", code=code, status=500, message=error.message, request_id=request_id
        ) from None
    except ShapingError as error:
        raise AwsFailure(
            "connection", code="UnreadableAnswer", message=error.message, request_id=request_id
        ) from None


def _write_texts(value: JsonValue, shape: Shape) -> None:
    """Make texts again of the policies and templates that botocore has read: they are strings."""
    if isinstance(value, dict) and shape.type_name in {"structure", "map"}:
        members = shape.members if shape.type_name == "structure" else None
        for name, item in value.items():
            if not isinstance(item, dict | list):
                continue
            inner = shape.value if members is None else members.get(name)
            if inner is None:
                continue
            if inner.type_name == "string":
                value[name] = orjson.dumps(item).decode()
            else:
                _write_texts(item, inner)
    elif isinstance(value, list) and shape.type_name == "list":
        for item in value:
            _write_texts(item, shape.member)


def _fault(fault: Fault) -> AwsFailure:
    """Return what the machine sees; some services say "too fast" as 400, by codes of their own."""
    return AwsFailure(
        "fault",
        code=fault.code,
        status=THROTTLED_STATUS if fault.throttled else fault.status,
        message=fault.message,
        request_id=fault.request_id,
        retry_after_s=fault.retry_after_s,
    )


def _unanswered(error: TransportError, request: AwsRequest) -> AwsFailure:
    if isinstance(error, InvalidRequestError):
        return _not_sent("InvalidRequest", error.reason)
    if isinstance(error, TimedOutError):
        return AwsFailure("timeout", code="Timeout", message=error.reason, sent=error.sent)
    if isinstance(error, ResponseTooLargeError) and not request.mutating:
        return AwsFailure("fault", code="AnswerTooLarge", message=error.reason)
    return AwsFailure("connection", code="NoAnswer", message=error.reason, sent=error.sent)


def _not_sent(code: str, message: str) -> AwsFailure:
    return AwsFailure("not_sent", code=code, message=message, sent=False)


def _worded(error: InputError) -> str:
    fields = "; ".join(f"{item.name} {item.message}" for item in error.fields)
    return fields or error.message


def _request_id(headers: Mapping[str, str]) -> str | None:
    for name in REQUEST_ID_HEADERS:
        found = headers.get(name)
        if found:
            return found
    return None


def _region_of(settings: AwsSettings, environment: AwsEnvironment, *, sandbox: bool) -> str:
    """Return the region; an endpoint on this machine needs none, as it has but one account."""
    named = None if sandbox else settings.region
    found = named or environment.region
    if found is None and (sandbox or settings.endpoint_url):
        found = SANDBOX_REGION
    return found or ""


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

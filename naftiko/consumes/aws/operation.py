"""One AWS operation as plans call it: arguments checked, pages followed, failures repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from time import time
from typing import TYPE_CHECKING
from uuid import uuid4

from naftiko.consumes.aws.credentials import CredentialsError
from naftiko.consumes.aws.faults import (
    EXPIRED_CODES,
    SKEW_CODES,
    Called,
    Fault,
    credentials_error,
    fault_error,
    transport_error,
)
from naftiko.consumes.aws.paging import MAX_PAGES
from naftiko.consumes.aws.retries import backoff_s, may_repeat
from naftiko.consumes.transport import (
    HttpResponse,
    InvalidRequestError,
    ResponseTooLargeError,
    TransportError,
)
from naftiko.errors import ConsumedError, DeadlineError, InputError, RunError, ShapingError
from naftiko.plan.inputs import Input, InputTable, compile_validator, field_errors
from naftiko.plan.ports import Effect, Parameter, Result
from naftiko.values import Missing

if TYPE_CHECKING:
    import jsonschema_rs

    from naftiko.consumes.aws.paging import Pager
    from naftiko.consumes.aws.service import AwsService
    from naftiko.consumes.aws.signing import AwsKeys
    from naftiko.consumes.aws.wire import PreparedCall, Wire
    from naftiko.consumes.resilience.rate_limit import RateLimit
    from naftiko.plan.run import Run
    from naftiko.plan.values import ValueTemplate
    from naftiko.values import JsonObject, JsonSchema, JsonValue


@dataclass(frozen=True, slots=True)
class _Call:
    """What stays the same for all attempts at one call."""

    prepared: PreparedCall
    timeout_s: float
    run: Run


MIN_SKEW_S = 240.0
"""AWS allows five minutes; a clock within four is not what a signature failed for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AwsOperation:
    """One operation.

    `presets` are parameters the file sets; `visible` those a caller may give; `own` those of them
    that only presets read, and that are not sent.

    `repeatable` is true, false, or the parameter that makes a repetition safe. `outcome` is the
    rule by which a 200 may say that the work failed.
    """

    called: Called
    service: AwsService
    wire: Wire
    description: str
    visible: tuple[Parameter, ...]
    input_schema: JsonSchema
    output_schema: JsonSchema | None
    effect: Effect
    repeatable: bool | str
    token_members: tuple[str, ...]
    pager: Pager | None
    timeout_s: float
    timeout_member: str | None
    outcome: Mapping[str, JsonValue] | None
    presets: tuple[tuple[str, ValueTemplate], ...] = ()
    own: frozenset[str] = frozenset()
    defaults: Mapping[str, JsonValue] = field(default_factory=dict)
    open_arguments: bool = False
    limit: RateLimit | None = None

    @property
    def address(self) -> str:
        """`namespace.operation`."""
        return self.called.address

    @property
    def parameters(self) -> Sequence[Parameter]:
        """What a caller may give: the API's parameters without the preset ones."""
        return self.visible

    def explain(self) -> Sequence[str]:
        """Say what a call sends; no secrets."""
        lines = [f"aws {self.called.service} {self.called.operation} ({self.effect.value})"]
        lines += [f"  {line}" for line in self.wire.explain()]
        lines += [f"  {name} is preset" for name, _ in self.presets]
        if self.pager is not None:
            lines.append(f"  follows pages up to {self.pager.limit} items")
        lines.append(f"  repeated on faults: {self._repeated}")
        plus = f" + {self.timeout_member}" if self.timeout_member else ""
        lines.append(f"  timeout: {self.timeout_s:g} s{plus}")
        if self.limit is not None:
            lines.append(f"  {self.limit.explain()}, for each page and each repetition")
        return lines

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call it, retries and pages included.

        Raises: InputError, ConsumedError, DeadlineError, ShapingError.
        """
        given = self._given(arguments)
        if not self._validator.is_valid(given):
            raise self._refusal(given)
        if self.own:
            given = {name: value for name, value in given.items() if name not in self.own}
        pager = self.pager
        if pager is None or pager.paged_by_caller(given):
            value = await self._invoke(given, run)
        else:
            value = await self._pages(pager, given, run)
        return Result(value=value) if self.outcome is None else self._judged(value)

    def _refusal(self, given: JsonObject) -> InputError:
        """Return an error that names everything that is wrong at once."""
        known = tuple(parameter.name for parameter in self.visible)
        fields = field_errors(self._validator, given, known=known, schema=self.input_schema)
        named = {item.name for item in fields}
        sent = {name: value for name, value in given.items() if name not in self.own}
        fields += [item for item in self.wire.check(sent) if item.name not in named]
        return InputError(message=f"{self.address}: invalid arguments", fields=tuple(fields))

    @property
    def _repeated(self) -> str:
        if self.repeatable is True:
            return "yes"
        unless = f" or `{self.repeatable}` is given" if self.repeatable else ""
        return f"only if AWS says that it was not done{unless}"

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return compile_validator(self.input_schema)

    def _given(self, arguments: Mapping[str, JsonValue]) -> JsonObject:
        """Join defaults, arguments and presets; a null argument is an absent one."""
        given: JsonObject = {name: value for name, value in arguments.items() if value is not None}
        for name, value in self.defaults.items():
            given.setdefault(name, value)
        scope = {**arguments, **given}
        for name, template in self.presets:
            rendered = template.render(scope)
            if not isinstance(rendered, Missing):
                given[name] = rendered
        for name in self.token_members:
            if name not in given:
                given[name] = str(uuid4())
        for item in self._from_text.inputs:
            value = given.get(item.name)
            if isinstance(value, str):
                given[item.name] = self._from_text.read_text(item, (value,))
        return given

    @cached_property
    def _from_text(self) -> InputTable:
        """The parameters that a file may declare as text: "5" is the number that the API wants."""
        wanted = {"integer", "number", "boolean"}
        inputs = (Input(name=item.name, schema=item.schema) for item in self.visible)
        return InputTable(inputs=tuple(item for item in inputs if item.types & wanted))

    def _judged(self, value: JsonObject) -> Result:
        """Tell a failure that came as 200, by the rule."""
        rule = self.outcome or {}
        outcome = value.get(str(rule["member"]))
        failing = rule["failed"]
        failed = outcome is not None and (
            failing is True or (isinstance(failing, list) and outcome in failing)
        )
        headers = ((str(rule["header"]), str(outcome)),) if outcome is not None else ()
        return Result(value=value, failed=failed, headers=headers)

    async def _pages(self, pager: Pager, given: JsonObject, run: Run) -> JsonObject:
        gathered: JsonObject | None = None
        arguments: JsonObject | None = pager.first(given)
        items = 0
        for _ in range(MAX_PAGES):
            if arguments is None:
                break
            page = await self._invoke(arguments, run)
            items += pager.count(page)
            gathered = pager.merge(gathered, page)
            if items >= pager.limit:
                break
            following = pager.following(given, page, pager.limit - items)
            if following is not None and following == arguments:
                raise ShapingError(message=f"{self.address}: AWS gave the same page token twice")
            arguments = following
        return gathered or {}

    async def _invoke(self, given: JsonObject, run: Run) -> JsonObject:
        """Send one request, again if need be, and read its answer."""
        if not self.wire.ready:
            await asyncio.to_thread(self.wire.get_ready)
        try:
            prepared = self.wire.prepare(given)
        except InputError as error:
            if error.fields:
                error.message = f"{self.address}: invalid arguments"
            raise
        call = _Call(prepared, self._timeout(given), run)
        keys = await self._permitted(run)
        answer = await self._attempt(call, keys)
        if isinstance(answer, HttpResponse):
            self.service.retries.succeeded(0)
            return prepared.result(answer)
        repeatable = self.repeatable is True or self.repeatable in given
        return await self._again(call, answer, keys, repeatable=repeatable)

    async def _again(
        self,
        call: _Call,
        failure: Fault | TransportError,
        keys: AwsKeys | None,
        *,
        repeatable: bool,
    ) -> JsonObject:
        """Repeat a failed call while that is safe and within budget; else raise its error."""
        policy = self.service.retries
        attempt, spent, mended = 1, 0, False
        while True:
            if not mended and self._mend(failure, keys):
                mended = True
            else:
                cost = 0
                if attempt < policy.attempts and may_repeat(failure, repeatable=repeatable):
                    cost = policy.spend(failure)
                delay_s = backoff_s(failure, attempt)
                if not cost or not _has_time(call.run, delay_s):
                    raise self._error(failure, call, repeatable=repeatable)
                attempt, spent = attempt + 1, spent + cost
                await asyncio.sleep(delay_s)
            keys = await self._permitted(call.run)
            answer = await self._attempt(call, keys)
            if isinstance(answer, HttpResponse):
                policy.succeeded(spent)
                return call.prepared.result(answer)
            failure = answer

    async def _attempt(
        self, call: _Call, keys: AwsKeys | None
    ) -> HttpResponse | Fault | TransportError:
        """Send once. Returns a failure instead of raising it, as it may be mended."""
        timeout_s = call.timeout_s
        left_s = call.run.remaining_s()
        if left_s is not None:
            if left_s <= 0:
                raise DeadlineError(message=f"{self.address}: no time was left to call")
            timeout_s = min(timeout_s, left_s)
        request = call.prepared.request(keys)
        try:
            response = await self.service.transport.send(
                request.method, request.url, request.headers, request.body, timeout_s=timeout_s
            )
        except TransportError as error:
            return error
        return response if response.status < 300 else call.prepared.fault(response)

    def _mend(self, fault: Fault | TransportError, keys: AwsKeys | None) -> bool:
        """Renew expired credentials or correct the clock; True if that was possible."""
        if isinstance(fault, TransportError):
            return False
        if keys is not None and fault.code in EXPIRED_CODES:
            return self.service.credentials.forget(keys)
        if fault.code in SKEW_CODES and fault.date is not None:
            offset_s, clock = _offset_s(fault.date), self.wire.clock
            if offset_s is not None and clock is not None:
                clock.offset_s = offset_s
                return True
        return False

    async def _permitted(self, run: Run) -> AwsKeys | None:
        """Return the keys for one request, once it may go out: AWS counts each of them."""
        keys = await self._keys()
        if self.limit is not None and await self.limit.permit(self.address, run):
            # They may have ended during the wait.
            keys = await self._keys()
        return keys

    async def _keys(self) -> AwsKeys | None:
        if not self.wire.signed:
            return None
        credentials = self.service.credentials
        keys = credentials.current
        if keys is not None:
            return keys
        try:
            return await credentials.get()
        except CredentialsError as error:
            raise credentials_error(self.called, error.reason, error.hint) from error

    def _timeout(self, given: Mapping[str, JsonValue]) -> float:
        if self.timeout_member is None:
            return self.timeout_s
        more = given.get(self.timeout_member)
        return self.timeout_s + (float(more) if isinstance(more, int | float) else 0.0)

    def _error(self, failure: Fault | TransportError, call: _Call, *, repeatable: bool) -> RunError:
        if isinstance(failure, Fault):
            return fault_error(
                failure,
                self.called,
                service_has_tokens=self.service.has_tokens,
                repeatable=repeatable,
            )
        if isinstance(failure, ResponseTooLargeError):
            return ConsumedError(
                code="answer-too-large",
                message=f"{self.address}: {failure.reason}",
                hint="ask for less: page, filter, or read a range",
            )
        if isinstance(failure, InvalidRequestError):
            return InputError(message=f"{self.address}: {failure.reason}")
        if call.run.remaining_s() == 0:
            return DeadlineError(
                message=f"{self.address}: {failure.address} did not answer in the time that the "
                "request was given",
                retryable=repeatable,
            )
        return transport_error(failure, self.called, call.timeout_s, repeatable=repeatable)


def _has_time(run: Run, delay_s: float) -> bool:
    left_s = run.remaining_s()
    return left_s is None or left_s > delay_s


def _offset_s(date: str) -> float | None:
    """Return how far our clock is behind AWS's, None where it is right or the text is no date."""
    try:
        offset_s = parsedate_to_datetime(date).timestamp() - time()
    except (TypeError, ValueError):
        return None
    return offset_s if abs(offset_s) > MIN_SKEW_S else None

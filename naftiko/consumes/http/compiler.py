"""ConsumedHttpOperation -> HttpOperation: what is known of a call at load, settled at load."""

from __future__ import annotations

import re
from collections.abc import Iterable

from naftiko.consumes.http.answers import compile_answer
from naftiko.consumes.http.authentication import (
    NO_AUTHENTICATION,
    PROVEN,
    SIGNED,
    AuthenticationPlan,
    compile_authentication,
    type_of,
)
from naftiko.consumes.http.authenticator import Authenticator, Signing
from naftiko.consumes.http.base_uri import BaseUri, compile_base_uri
from naftiko.consumes.http.binder import Binder, FromArgument, Given
from naftiko.consumes.http.body import BodyPlan, Unsupported, compile_body
from naftiko.consumes.http.encoding import cookie_text, header_text, percent_encode
from naftiko.consumes.http.multipart import MultipartBody
from naftiko.consumes.http.operation import HttpOperation, RefusedOperation
from naftiko.consumes.http.parameters import (
    Placed,
    arguments_of,
    constants_of,
    place_parameters,
    presets_of,
)
from naftiko.consumes.http.paths import ParsedPath, Slot, parse_path
from naftiko.consumes.http.request import RequestPlan
from naftiko.consumes.http.shared import EXCHANGED, SharedAuthenticators
from naftiko.consumes.http.source import OperationSource, timeout_s
from naftiko.consumes.http.variables import host_variable, is_aws_host
from naftiko.consumes.transport import Transport
from naftiko.errors import InputError
from naftiko.model.parameters import InputParameter
from naftiko.plan.ports import ClientContext, Parameter
from naftiko.values import MISSING, JsonObject

DEFAULT_TIMEOUT_S = 30.0

_METHOD = re.compile(r"[A-Z]{1,20}")


def compile_operation(
    source: OperationSource,
    context: ClientContext,
    transport: Transport,
    shared: SharedAuthenticators | None = None,
) -> HttpOperation | RefusedOperation:
    """Compile an operation. What is wrong goes to the context's problems.

    `shared` holds the tokens and nonces that the operations of an API have in common.

    Raises: ExpressionError.
    """
    parameters = source.parameters(context)
    constants = constants_of(parameters, context)
    shared = SharedAuthenticators(context, transport) if shared is None else shared
    return _Compiler(source, context, transport, parameters, constants, shared).compile()


class _Compiler:
    """Compiles one operation, in the order of its request."""

    def __init__(
        self,
        source: OperationSource,
        context: ClientContext,
        transport: Transport,
        parameters: tuple[InputParameter, ...],
        constants: JsonObject,
        shared: SharedAuthenticators,
    ) -> None:
        self._source = source
        self._operation = source.operation
        self._context = context
        self._transport = transport
        self._parameters = parameters
        self._constants = constants
        self._shared = shared
        self._binder = Binder(context=context, constants=constants)

    def compile(self) -> HttpOperation | RefusedOperation:
        if _METHOD.fullmatch(self._operation.method) is None:
            return self._refuse_method()
        base = self._base_uri()
        if isinstance(base, RefusedOperation):
            self._note_missing_variables()
            return base
        path = self._path()
        placed = place_parameters(self._parameters, self._binder)
        authentication = self._authentication(base)
        if authentication is None:
            return self._source.refused(
                "unusable-authentication", "its `authentication` cannot be used as the file stands"
            )
        body = self._body(placed)
        if isinstance(body, Unsupported):
            return self._refuse_body(body)
        return self._assemble(base, path, placed, authentication, body)

    def _base_uri(self) -> BaseUri | RefusedOperation:
        text = self._source.consumes.base_uri
        problems = self._context.problems
        # Its arguments are told apart from the path's: they are optional where a variable is set.
        binder = Binder(context=self._context, constants=self._constants)
        base = compile_base_uri(
            text, binder.slot, self._host_variable, problems, self._context.declared
        )
        if base is None:
            return self._source.refused("invalid-base-uri", "`baseUri` is no URL to call")
        if is_aws_host(_known_host(base)):
            from naftiko.consumes.http.signing import at_configured_endpoint

            sandbox = self._context.sandbox
            base = at_configured_endpoint(base, self._context.environment, sandbox=sandbox)
            if sandbox and is_aws_host(_known_host(base)):
                return self._refuse_outside(base)
        closed = base.unfilled
        if closed is None:
            return base
        reason = f"`{closed}` in `baseUri` has no value"
        hint = f"bind `{closed}` under `binds`; callers may fill it only before a fixed domain"
        problems.warn(
            "unresolved-base-uri",
            f"{reason}, so calls to this API are refused",
            text.location,
            hint,
        )
        return self._source.refused("unresolved-base-uri", reason, hint)

    def _note_missing_variables(self) -> None:
        """Meet the variables of `authentication` as well: missing ones are reported together."""
        authentication = self._source.consumes.authentication
        if authentication is not None:
            self._context.templates.value(authentication.fields)

    def _host_variable(self, name: str) -> str | None:
        return host_variable(name, self._context)

    def _path(self) -> ParsedPath:
        scalar = self._operation.path or self._source.resource.path
        path = parse_path(scalar, self._binder.slot)
        if path.fragment:
            message = f"`#{path.fragment}` in this path is not part of a request, and is not sent"
            self._context.problems.warn("path-fragment", message, scalar.location)
        return path

    def _authentication(
        self, base: BaseUri
    ) -> tuple[AuthenticationPlan, Authenticator | None] | None:
        declared = self._source.consumes.authentication
        if declared is not None and type_of(declared) in SIGNED:
            from naftiko.consumes.http.signing import compile_signer

            signer = compile_signer(declared, base, self._binder)
            return None if signer is None else (NO_AUTHENTICATION, Signing(signer))
        if declared is not None and type_of(declared) in EXCHANGED:
            authenticator = self._shared.find(declared, self._binder)
            return None if authenticator is None else (PROVEN, authenticator)
        plan = compile_authentication(declared, self._binder)
        return None if plan is None else (plan, None)

    def _body(self, placed: Iterable[Placed]) -> BodyPlan | Unsupported:
        content_type = next(
            (
                item.source.value
                for item in placed
                if _is_content_type(item) and isinstance(item.source, Given)
            ),
            "",
        )
        return compile_body(
            self._operation.body,
            method=self._operation.method,
            fields=tuple(item for item in placed if item.in_ == "body"),
            content_type=content_type if isinstance(content_type, str) else "",
            binder=self._binder,
        )

    def _assemble(
        self,
        base: BaseUri,
        path: ParsedPath,
        placed: tuple[Placed, ...],
        authentication: tuple[AuthenticationPlan, Authenticator | None],
        body: BodyPlan,
    ) -> HttpOperation:
        plan, authenticator = authentication
        taken = {item.name for item in placed}
        # The boundary of its parts stands in the media type, so that no fixed one can be right.
        is_own_type = _is_content_type if isinstance(body, MultipartBody) else _is_open_content_type
        placed = tuple(item for item in placed if not is_own_type(item))
        arguments = self._arguments(base, path, placed)
        template = base.path(path.pieces)
        origin = base.constant_origin
        is_fixed = origin is not None and not any(template.slots)
        fixed_headers, headers = self._headers(placed, plan)
        request = RequestPlan(
            method=self._operation.method,
            text=base.text + path.text,
            base=base,
            path=template,
            fixed_url=f"{origin}{template.render({})}" if is_fixed else None,
            fixed_query=path.query,
            query=tuple(
                (percent_encode(item.name, item.name, "query"), item)
                for item in placed
                if item.in_ == "query"
            ),
            fixed_headers=fixed_headers,
            headers=headers,
            cookies=tuple(item for item in placed if item.in_ == "cookie" and self._fits(item)),
            declares_content_type=any(map(_is_content_type, placed)),
            body=body,
            authentication=plan,
            constants=self._constants,
            defaults=_defaults(placed),
            presets=presets_of(placed, {item.name for item in arguments} | self._needed),
            required=tuple((item.name, item.in_) for item in arguments if item.required),
            # What has a place of its own must not stand in the body as well.
            taken=frozenset(
                taken | {item.name for item in arguments} | self._needed | set(self._constants)
            ),
        )
        return HttpOperation(
            address=self._source.address,
            description=self._operation.description,
            parameters=arguments,
            request=request,
            transport=self._transport,
            timeout_s=timeout_s(self._source, self._context.problems) or DEFAULT_TIMEOUT_S,
            parse_json=self._operation.output_raw_format == "json",
            answer=compile_answer(self._operation, self._source.address, self._context),
            authenticator=authenticator,
        )

    @property
    def _needed(self) -> set[str]:
        return set(self._binder.needed)

    def _arguments(
        self, base: BaseUri, path: ParsedPath, placed: Iterable[Placed]
    ) -> tuple[Parameter, ...]:
        slots = [piece for piece in (*base.path_pieces, *path.pieces) if isinstance(piece, Slot)]
        in_path = self._names(slots)
        open_ = [item for item in base.origin if not isinstance(item, str) and item.open_]
        in_host = self._names(item.slot for item in open_)
        must = self._names(item.slot for item in open_ if item.fallback is None)
        return tuple(
            arguments_of(
                placed,
                path_names=(*in_path, *must),
                needed=(*in_host, *in_path, *self._binder.needed),
            )
        )

    def _names(self, slots: Iterable[Slot]) -> list[str]:
        return [
            name
            for slot in slots
            for name in self._binder.arguments_of(slot.template.references)
            if name not in self._constants
        ]

    def _headers(
        self, placed: Iterable[Placed], authentication: AuthenticationPlan
    ) -> tuple[tuple[tuple[str, str], ...], tuple[Placed, ...]]:
        """Return the headers that are the same for every call, and the others."""
        ours = authentication.header_names()
        fixed: list[tuple[str, str]] = []
        open_: list[Placed] = []
        for item in placed:
            if item.in_ != "header" or item.name.lower() in ours:
                continue
            if not isinstance(item.source, Given):
                open_.append(item)
            elif item.source.value is not None:
                fixed += self._fixed_header(item, item.source)
        return (*fixed, *authentication.fixed_headers), tuple(open_)

    def _fixed_header(self, item: Placed, source: Given) -> list[tuple[str, str]]:
        try:
            return [(item.name, header_text(item.name, source.value))]
        except InputError as error:
            self._context.problems.error("invalid-header", error.message, item.declared.location)
            return []

    def _fits(self, item: Placed) -> bool:
        """Tell whether a cookie can carry its fixed value; arguments are checked in each call."""
        source = item.source
        if not isinstance(source, Given) or source.value is None:
            return True
        try:
            cookie_text(item.name, source.value)
        except InputError as error:
            location, hint = item.declared.location, "percent-encode it"
            self._context.problems.error("invalid-cookie", error.message, location, hint)
            return False
        return True

    def _refuse_outside(self, base: BaseUri) -> RefusedOperation:
        reason = f"the sandbox has nothing in place of `{base.text}`, and calls must not leave it"
        location = self._source.consumes.base_uri.location
        self._context.problems.warn("outside-sandbox", reason, location)
        return self._source.refused("outside-sandbox", reason)

    def _refuse_method(self) -> RefusedOperation:
        reason = f"`{self._operation.method[:40]}` is no HTTP method"
        self._context.problems.error("invalid-method", reason, self._operation.location)
        return self._source.refused("invalid-method", reason)

    def _refuse_body(self, body: Unsupported) -> RefusedOperation:
        declared = self._operation.body
        location = declared.location if declared else self._operation.location
        if declared and declared.type_location and body.about_type:
            location = declared.type_location
        self._context.problems.warn(
            "unsupported-body",
            f"{body.reason}, so calls to `{self._source.address}` are refused",
            location,
            body.hint,
        )
        return self._source.refused("unsupported-body", body.reason, body.hint)


def _known_host(base: BaseUri) -> str:
    """Return the host, with some label where a caller gives one."""
    return base.host(lambda slot: slot.fallback or "x")


def _is_content_type(item: Placed) -> bool:
    return item.in_ == "header" and item.name.lower() == "content-type"


def _is_open_content_type(item: Placed) -> bool:
    """Callers do not choose the media type of a body that this engine writes."""
    return _is_content_type(item) and item.is_argument


def _defaults(placed: Iterable[Placed]) -> JsonObject:
    out: JsonObject = {}
    for item in placed:
        source = item.source
        if isinstance(source, FromArgument) and source.default is not MISSING:
            out[item.name] = source.default
    return out

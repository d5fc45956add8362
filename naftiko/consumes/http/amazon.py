"""An HTTP entry whose host is an AWS service with a JSON protocol -> that service's operations.

Such entries, as public documents write them, name an `X-Amz-Target` without its value or keep an
AWS signature in a variable; no call could ever work literally. The service model supplies target,
content type, parameters and errors, and the calls are signed. What the file adds is kept: the body
template, fixed values, and which operations there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from naftiko.awsapi.catalog import (
    find_operation,
    operation_names,
    region_for_host,
    service_for_host,
    service_for_target,
    service_model,
)
from naftiko.consumes.aws.service import Adjustments, AwsService, compile_service
from naftiko.consumes.http.amazon_arguments import compile_arguments
from naftiko.consumes.http.amazon_operation import AmazonOperation
from naftiko.consumes.http.identity import SWITCH, Switch, aws_settings, read_switch
from naftiko.consumes.http.operation import RefusedOperation
from naftiko.consumes.http.source import OperationSource, timeout_s
from naftiko.consumes.http.variables import host_variable
from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import did_you_mean
from naftiko.model.consumes import Body, ConsumesHttp
from naftiko.model.parameters import InputParameter
from naftiko.plan.ports import ClientContext
from naftiko.source import Location

TARGET = "x-amz-target"
SUPPLIED = frozenset({TARGET, "content-type"})
"""Headers that the service's model knows better than the file."""

_PLACEHOLDER = re.compile(r"\{\{?\s*([^{}]+?)\s*\}?\}")
_HOST = re.compile(r"\s*https?://([^/?#@]*)", re.IGNORECASE)
_ANY_REGION = "us-east-1"
_TARGET_TEXT = re.compile(r"(?:X-Amz-Target=)?([A-Za-z0-9_.-]+)\Z", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class AmazonApi:
    """The service behind an entry. `switch` says how calls are signed."""

    consumes: ConsumesHttp
    context: ClientContext
    service: AwsService
    switch: Switch

    def operation(self, source: OperationSource) -> AmazonOperation | RefusedOperation:
        """Compile an operation.

        Raises: ExpressionError.
        """
        parameters = source.parameters(self.context)
        name = self.find(source, parameters)
        if name is None:
            return self._unknown(source)
        adjust = Adjustments(
            description=source.operation.description,
            timeout_s=timeout_s(source, self.context.problems),
        )
        inner = self.service.compile(name, source.operation.name, adjust)
        return AmazonOperation(
            inner=inner, arguments=compile_arguments(source, parameters, inner, self.context)
        )

    def find(self, source: OperationSource, parameters: tuple[InputParameter, ...]) -> str | None:
        """Return the API's name of an operation: by what names its target, then by its own name."""
        names = {_squeezed(name): name for name in operation_names(self.service.name).values()}
        for clue in (*_clues(source, parameters), source.operation.name):
            target = service_for_target(clue)
            if target is not None and target[0] == self.service.name:
                return target[1]
            # "AmazonStates.CreateStateMachine" has a prefix that no service has.
            name = clue.rpartition(".")[2]
            found = find_operation(self.service.name, name) or names.get(_squeezed(name))
            if found is not None:
                return found
        return None

    def unsigned(self, source: OperationSource) -> OperationSource:
        """Return an operation as it goes out without signature: target and content type supplied.

        For a proxy or an emulator that signs or does not ask.
        """
        name = self.find(source, source.parameters(self.context))
        if name is None:
            return source
        metadata = self.service.model.metadata
        supplied = {
            "X-Amz-Target": f"{metadata['targetPrefix']}.{name}",
            "Content-Type": f"application/x-amz-json-{metadata['jsonVersion']}",
        }
        operation = source.operation
        url = self.service.endpoint_url
        base = source.consumes.base_uri
        root = Scalar("/", "/", operation.location)
        return OperationSource(
            consumes=replace(
                source.consumes,
                authentication=None,
                base_uri=Scalar(url, url, base.location) if url else base,
                input_parameters=_without_supplied(source.consumes.input_parameters),
            ),
            resource=replace(
                source.resource,
                input_parameters=_without_supplied(source.resource.input_parameters),
            ),
            operation=replace(
                operation,
                method="POST",
                path=root,
                input_parameters=(
                    *_without_supplied(operation.input_parameters),
                    *(_fixed_header(*item, operation.location) for item in supplied.items()),
                ),
                body=operation.body or Body(type_="json", data=None, location=operation.location),
            ),
        )

    def _unknown(self, source: OperationSource) -> RefusedOperation:
        name = source.operation.name
        reason = f"the AWS service `{self.service.name}` has no operation like `{name}`"
        hint = did_you_mean(name, operation_names(self.service.name))
        self.context.problems.warn("unknown-operation", reason, source.operation.location, hint)
        return source.refused("unknown-operation", reason, hint)


def find_amazon(consumes: ConsumesHttp, context: ClientContext) -> AmazonApi | None:
    """Return the service behind an entry's host, None where its calls go out as they are written.

    Says once how calls are signed.
    """
    host, region = _host(consumes.base_uri, context)
    service = service_for_host(host) if host else None
    if service is None or service_model(service).resolved_protocol != "json":
        return None
    switch = read_switch(context)
    settings = aws_settings(context, region=region, switch=switch.value)
    api = AmazonApi(
        consumes=consumes,
        context=context,
        service=compile_service(service, settings, context, namespace=consumes.namespace),
        switch=switch,
    )
    _tell(api)
    return api


def _host(base_uri: Scalar, context: ClientContext) -> tuple[str, str | None]:
    """Return the host and the region in it, without compiling templates.

    A region that is not set is no problem here: the default chain has further places for it.
    """
    known = True

    def fill(match: re.Match[str]) -> str:
        nonlocal known
        name = match.group(1)
        value = context.bound(name) or host_variable(name, context)
        known = known and value is not None
        return value or _ANY_REGION

    match = _HOST.match(_PLACEHOLDER.sub(fill, base_uri.text))
    host = match.group(1) if match else ""
    return host, region_for_host(host) if known else None


def _tell(api: AmazonApi) -> None:
    model = api.service.model
    how = {
        "env": "with bound AWS keys or the default credential chain",
        "profile": "with the AWS profile",
        "off": f"without signature, as {SWITCH} is off",
    }[api.switch.value]
    message = (
        f"calls to `{api.consumes.namespace}` go to AWS {model.metadata['serviceId']}, "
        f"{'' if api.switch.value == 'off' else 'signed '}{how}; target and content type come "
        "from the service's model"
    )
    hint = f"{SWITCH} holds neither env, profile nor off, so it is not used"
    api.context.problems.info(
        "aws-signing", message, api.consumes.base_uri.location, hint if api.switch.ignored else ""
    )


def _without_supplied(parameters: tuple[InputParameter, ...]) -> tuple[InputParameter, ...]:
    return tuple(item for item in parameters if item.name.lower() not in SUPPLIED)


def _fixed_header(name: str, value: str, location: Location) -> InputParameter:
    return InputParameter(
        name=name, in_="header", value=Scalar(value, value, location), location=location
    )


def _clues(source: OperationSource, parameters: tuple[InputParameter, ...]) -> list[str]:
    """Return what may name the operation, the plainest first."""
    target = next((item for item in parameters if item.name.lower() == TARGET), None)
    path = (source.operation.path or source.resource.path).text
    texts = [
        _text(target.value) if target else "",
        path.partition("#")[2],
        _action(source),
        target.description if target else "",
    ]
    matches = (_TARGET_TEXT.fullmatch(text.strip()) for text in texts)
    return [match.group(1) for match in matches if match is not None]


def _text(node: object) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _action(source: OperationSource) -> str:
    """Return `Action` of the body, which query-protocol habits put there."""
    body = source.operation.body
    data = body.data if body else None
    return _text(data.get("Action")) if isinstance(data, Mapping) else ""


def _squeezed(name: str) -> str:
    """Return a name without its spelling: "create-state-machine" -> "createstatemachine"."""
    return _NOT_IN_NAMES.sub("", name.lower())

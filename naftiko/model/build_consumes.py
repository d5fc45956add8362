"""Nodes -> what is consumed. Spec: `consumes`."""

from __future__ import annotations

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.errors import Problems
from naftiko.model.build_imports import build_import, is_import
from naftiko.model.build_parameters import build_input_parameters, build_output_parameters
from naftiko.model.consumes import (
    Authentication,
    Body,
    ConsumedAwsOperation,
    ConsumedHttpOperation,
    ConsumedHttpResource,
    Consumes,
    ConsumesAws,
    ConsumesHttp,
    ConsumesWorkflows,
    Import,
    Paginate,
    UnknownConsumes,
)
from naftiko.model.fields import Fields, Named, is_null
from naftiko.model.unserved import warn_consumes


def build_consumes(fields: Fields, problems: Problems) -> tuple[Consumes | Import, ...]:
    """Build the entries of `consumes`, a list (or a map by namespace)."""
    entries: list[Consumes | Import] = []
    for named in fields.named("consumes", key="namespace"):
        entry = _entry(named, problems)
        if entry is not None:
            entries.append(entry)
    return tuple(entries)


def _entry(named: Named, problems: Problems) -> Consumes | Import | None:
    fields = named.fields
    if is_import(fields):
        return build_import(fields, problems)
    if not named.name:
        problems.error(
            "missing-namespace",
            "this `consumes` entry has no `namespace`, so that no call can name it",
            fields.location,
            "add `namespace: my-api`",
        )
        return None
    type_ = fields.text("type") or ("aws" if "service" in fields.node else "http")
    match type_:
        case "http":
            return _http(named, problems)
        case "aws":
            return _aws(named, problems)
        case "workflows":
            return _workflows(named)
        case _:
            place = fields.scalar("type") or fields
            return UnknownConsumes(namespace=named.name, type_=type_, location=place.location)


def _http(named: Named, problems: Problems) -> ConsumesHttp | None:
    fields = named.fields
    base_uri = fields.scalar("baseUri")
    if base_uri is None:
        problems.error(
            "missing-base-uri",
            f"the HTTP API `{named.name}` has no `baseUri`",
            fields.location,
            "add `baseUri: https://api.example.com`",
        )
        return None
    warn_consumes(fields, problems)
    return ConsumesHttp(
        namespace=named.name,
        base_uri=base_uri,
        location=fields.location,
        description=fields.text("description"),
        authentication=build_authentication(fields),
        input_parameters=build_input_parameters(fields) or (),
        resources=tuple(_resource(item, problems) for item in fields.named("resources")),
        timeout=fields.scalar("timeout"),
        resilience=_block(fields, "resilience", problems),
        tls=_block(fields, "tls", problems),
    )


def _block(fields: Fields, name: str, problems: Problems) -> Mapping | None:
    """Return a mapping that protects calls: with anything else in its place they would go bare."""
    node = fields.node_of(name)
    if node is None or isinstance(node, Mapping) or is_null(node):
        return fields.mapping(name)
    found = f"`{node.text}`" if isinstance(node, Scalar) else "a list"
    message = f"`{name}` must be a mapping, found {found}"
    problems.error(f"invalid-{name}", message, node.location, _EXAMPLES[name])
    return None


_EXAMPLES = {
    "resilience": "write `resilience: {timeout: 10s}`",
    "tls": "write `tls: {certificate: ./client.pem, key: ./client.key}`",
}


def _resource(named: Named, problems: Problems) -> ConsumedHttpResource:
    fields = named.fields
    path = fields.scalar("path") or Scalar("", "", fields.location)
    return ConsumedHttpResource(
        name=named.name,
        path=path,
        operations=tuple(
            _http_operation(item, problems) for item in fields.named("operations") if item.name
        ),
        location=named.location,
        description=fields.text("description"),
        input_parameters=build_input_parameters(fields) or (),
        resilience=_block(fields, "resilience", problems),
    )


def _http_operation(named: Named, problems: Problems) -> ConsumedHttpOperation:
    fields = named.fields
    return ConsumedHttpOperation(
        name=named.name,
        method=(fields.text("method") or "GET").upper(),
        location=named.location,
        description=fields.text("description"),
        label=fields.text("label", "display"),
        path=fields.scalar("path"),
        input_parameters=build_input_parameters(fields) or (),
        body=_body(fields.node_of("body")),
        output_raw_format=(fields.text("outputRawFormat") or "json").lower(),
        output_format=fields.scalar("outputRawFormat"),
        output_schema=fields.scalar("outputSchema"),
        output_media_type=fields.scalar("outputMediaType"),
        max_binary_size=fields.scalar("maxBinarySize"),
        output_parameters=build_output_parameters(fields),
        timeout=fields.scalar("timeout"),
        resilience=_block(fields, "resilience", problems),
        paginate=fields.node_of("paginate"),
    )


_BODY_MEMBERS = frozenset({"type", "data", "contentType", "encoding", "file"})


def _body(node: Node | None) -> Body | None:
    """A string is a JSON template as text; a mapping without `type` is the data itself."""
    if node is None or is_null(node):
        return None
    if isinstance(node, Mapping) and "type" in node and set(node) <= _BODY_MEMBERS:
        fields = Fields(node)
        type_ = fields.scalar("type")
        return Body(
            type_=type_.text if type_ else "json",
            data=node.get("data"),
            location=node.location,
            content_type=fields.scalar("contentType"),
            encoding=fields.scalar("encoding"),
            file=fields.scalar("file"),
            type_location=type_.location if type_ else None,
        )
    return Body(type_="json", data=node, location=node.location)


_PLAIN_TYPES = frozenset({"basic", "bearer", "digest", "apikey", "oauth2", "mtls", "sigv4"})


def build_authentication(fields: Fields) -> Authentication | None:
    """Build `authentication`.

    What is no mapping is kept as one without members, so that it is refused and never left out:
    `authentication: bearer` is of type bearer, and has no token. Any other text may be the secret
    itself, which no message must show.
    """
    node = fields.node_of("authentication")
    if node is None or is_null(node):
        return None
    if not isinstance(node, Mapping):
        type_ = node.text if isinstance(node, Scalar) and node.text in _PLAIN_TYPES else ""
        return Authentication(
            type_=type_, fields=Mapping((), node.location), location=node.location
        )
    inner = Fields(node)
    return Authentication(type_=inner.text("type"), fields=inner.node, location=inner.location)


def _aws(named: Named, problems: Problems) -> ConsumesAws | None:
    fields = named.fields
    service = fields.scalar("service")
    if service is None:
        problems.error(
            "missing-service",
            f"the AWS entry `{named.name}` names no `service`",
            fields.location,
            "add `service: stepfunctions` (a botocore service name)",
        )
        return None
    return ConsumesAws(
        namespace=named.name,
        service=service,
        location=fields.location,
        description=fields.text("description"),
        region=fields.scalar("region"),
        profile=fields.scalar("profile"),
        credentials=fields.mapping("credentials"),
        endpoint_url=fields.scalar("endpointUrl"),
        host_prefix=fields.scalar("hostPrefix"),
        role_arn=fields.scalar("roleArn"),
        retries=fields.scalar("retries"),
        timeout=fields.scalar("timeout"),
        operations=tuple(
            _aws_operation(item, problems) for item in fields.named("operations") if item.name
        ),
        resilience=_block(fields, "resilience", problems),
    )


def _workflows(named: Named) -> ConsumesWorkflows:
    fields = named.fields
    service = fields.scalar("type")
    assert service is not None  # that is how it came here
    return ConsumesWorkflows(
        namespace=named.name,
        aws=ConsumesAws(
            namespace=named.name,
            service=service,
            location=fields.location,
            region=fields.scalar("region"),
            profile=fields.scalar("profile"),
            credentials=fields.mapping("credentials"),
            endpoint_url=fields.scalar("endpointUrl"),
            role_arn=fields.scalar("roleArn"),
        ),
        location=fields.location,
        description=fields.text("description"),
        catalog=fields.node_of("catalog"),
        trust_root=fields.scalar("trustRoot"),
        state=fields.mapping("state"),
        policy=fields.mapping("policy"),
        view=fields.scalar("view"),
        allow_raw=fields.scalar("allowRaw"),
        on_cancel=fields.scalar("onCancel"),
        embedder=fields.scalar("embedder"),
    )


def _aws_operation(named: Named, problems: Problems) -> ConsumedAwsOperation:
    fields = named.fields
    parameters = fields.mapping("parameters")
    return ConsumedAwsOperation(
        name=named.name,
        location=named.location,
        operation=fields.scalar("operation"),
        description=fields.text("description"),
        parameters=tuple((key.text, value) for key, value in parameters.entries)
        if parameters
        else (),
        json_parameters=fields.texts("jsonParameters"),
        input_parameters=build_input_parameters(fields) or (),
        paginate=_paginate(fields),
        output_parameters=build_output_parameters(fields),
        timeout=fields.scalar("timeout"),
        resilience=_block(fields, "resilience", problems),
    )


def _paginate(fields: Fields) -> Paginate | None:
    """`paginate: true | false | {limit: 1000}`."""
    node = fields.node_of("paginate")
    if node is None:
        return None
    if isinstance(node, Mapping):
        return Paginate(enabled=True, location=node.location, limit=Fields(node).integer("limit"))
    return Paginate(enabled=fields.boolean("paginate") is not False, location=node.location)

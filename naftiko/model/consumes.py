"""What a capability consumes. Spec: `consumes`; `aws` and `workflows` are this engine's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.model.parameters import InputParameter, OutputParameter
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Authentication:
    """How a call proves who it is, or how a server asks for that.

    `fields` holds every member as written (`token`, `username`, `key`, `value`, `headers`...).
    """

    type_: str
    fields: Mapping
    location: Location

    def text(self, name: str) -> Scalar | None:
        """Return the scalar member of that name, or None."""
        node = self.fields.get(name)
        return node if isinstance(node, Scalar) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Body:
    """A request body: `type_` is json, text, form...; `data` is the template, None if not given.

    `file` is sent in place of `data`; `encoding: base64` says what `data` is written in.
    """

    type_: str
    data: Node | None
    location: Location
    content_type: Scalar | None = None
    encoding: Scalar | None = None
    file: Scalar | None = None
    type_location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsumedHttpOperation:
    """One operation of an HTTP API. `path` given here replaces the resource's path."""

    name: str
    method: str
    location: Location
    description: str = ""
    label: str = ""
    path: Scalar | None = None
    input_parameters: tuple[InputParameter, ...] = ()
    body: Body | None = None
    output_raw_format: str = "json"
    output_format: Scalar | None = None
    output_schema: Scalar | None = None
    output_media_type: Scalar | None = None
    max_binary_size: Scalar | None = None
    output_parameters: tuple[OutputParameter, ...] = ()
    timeout: Scalar | None = None
    resilience: Mapping | None = None
    paginate: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsumedHttpResource:
    """A path and its operations."""

    name: str
    path: Scalar
    operations: tuple[ConsumedHttpOperation, ...]
    location: Location
    description: str = ""
    input_parameters: tuple[InputParameter, ...] = ()
    resilience: Mapping | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsumesHttp:
    """An HTTP API. `timeout` is text such as `10s`, or a number of seconds.

    `resilience` is as written; that of a resource or operation overrides it member by member.
    """

    namespace: str
    base_uri: Scalar
    location: Location
    description: str = ""
    authentication: Authentication | None = None
    input_parameters: tuple[InputParameter, ...] = ()
    resources: tuple[ConsumedHttpResource, ...] = ()
    timeout: Scalar | None = None
    resilience: Mapping | None = None
    tls: Mapping | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Paginate:
    """How pages are followed: up to `limit` items in all, or not at all."""

    enabled: bool
    location: Location
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsumedAwsOperation:
    """A named use of an API operation: renamed, restricted, with parameters preset.

    `operation` is the API's name (`ListStateMachines`) or kebab-case (`list-state-machines`);
    None means that `name` is it. `parameters` sets API parameters, as constants or templates.
    `json_parameters` names the string parameters that hold JSON (`definition`).
    """

    name: str
    location: Location
    operation: Scalar | None = None
    description: str = ""
    parameters: tuple[tuple[str, Node], ...] = ()
    json_parameters: tuple[str, ...] = ()
    input_parameters: tuple[InputParameter, ...] = ()
    paginate: Paginate | None = None
    output_parameters: tuple[OutputParameter, ...] = ()
    timeout: Scalar | None = None
    resilience: Mapping | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsumesAws:
    """An AWS service, by its botocore name (`stepfunctions`).

    Without `operations` every API operation is addressable by its kebab-case name.
    `retries` is the number of attempts after the first.
    """

    namespace: str
    service: Scalar
    location: Location
    description: str = ""
    region: Scalar | None = None
    profile: Scalar | None = None
    credentials: Mapping | None = None
    endpoint_url: Scalar | None = None
    host_prefix: Scalar | None = None
    role_arn: Scalar | None = None
    retries: Scalar | None = None
    timeout: Scalar | None = None
    operations: tuple[ConsumedAwsOperation, ...] = ()
    resilience: Mapping | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsumesWorkflows:
    """A catalog of compiled workflows, and the service that executes them.

    `catalog` is a folder or a list of them. `aws` says where and as whom AWS is reached.
    """

    namespace: str
    aws: ConsumesAws
    location: Location
    description: str = ""
    catalog: Node | None = None
    trust_root: Scalar | None = None
    state: Mapping | None = None
    policy: Mapping | None = None
    view: Scalar | None = None
    allow_raw: Scalar | None = None
    on_cancel: Scalar | None = None
    embedder: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Import:
    """An entry of any section that stands in another file.

    `import_` names the namespace to pick, or one operation of it (`ns.operation`); None is all of
    them. `as_` renames it, `path` is `location` (or `from`). `whole_file` is an entry of the root's
    `imports`, which takes every section of the file.
    """

    import_: Scalar | None
    path: Scalar | None
    location: Location
    as_: str | None = None
    whole_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnknownConsumes:
    """An entry of a type no adapter serves; calls to it are reported, the rest goes on."""

    namespace: str
    type_: str
    location: Location


Consumes: TypeAlias = ConsumesHttp | ConsumesAws | ConsumesWorkflows | UnknownConsumes

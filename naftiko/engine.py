"""Calls the stages in order: the only module that knows them all.

path -> Document -> Capability -> ResolvedCapability -> CapabilityPlan. Servers and the CLI take it
from there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naftiko.errors import Problem, Problems, Severity, SpecError, StartError, ValidationError
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    McpAdapterPlan,
    RestAdapterPlan,
    SkillAdapterPlan,
    discovered_of,
)
from naftiko.plan.masking import Masker
from naftiko.source import Source

if TYPE_CHECKING:
    from naftiko.consumes.python.adapter import Function
    from naftiko.document.nodes import Document
    from naftiko.model.capability import Capability as CapabilityModel
    from naftiko.model.exposes import Exposes
    from naftiko.plan.meter import Meter
    from naftiko.plan.ports import ClientAdapter
    from naftiko.resolve.binds import RefreshedSource
    from naftiko.resolve.providers import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What loading depends on beside the file.

    `environment` is the process environment unless given; `env_file` is laid over it. `workspace`
    is the folder that files may be read from. `strict` turns every warning into a refusal.
    `read_only` leaves out every route and tool that changes something. `functions` are Python
    functions by `namespace.operation`. `sandbox` keeps every AWS call on the embedded AWS.
    """

    environment: Mapping[str, str] | None = None
    env_file: Path | None = None
    workspace: Path | None = None
    strict: bool = False
    read_only: bool = False
    functions: Mapping[str, Function] = field(default_factory=dict)
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What loading a file found. `plan` is None where the file cannot be served.

    `missing` are the bound variables without value that something uses; they keep a capability
    from starting, not from being checked. `sources` are the texts of the files read, by path.
    """

    path: str
    plan: CapabilityPlan | None
    problems: tuple[Problem, ...]
    missing: tuple[Problem, ...]
    sources: Mapping[str, Source]
    masker: Masker
    refreshed: tuple[RefreshedSource, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the file from being served."""
        return tuple(item for item in self.problems if item.severity is Severity.ERROR)


def check_capability(
    path: str | Path,
    options: LoadOptions | None = None,
    masker: Masker | None = None,
    *,
    reads_stores: bool = False,
    every_operation: bool = False,
) -> Checked:
    """Take a file through every stage and return what came of it. Bad input never raises.

    A `masker` that is given learns the file's secrets as they are found. Secret stores are asked
    only with `reads_stores`, which a file needs to run: to check one, nothing is sent anywhere.
    `every_operation` checks consumed operations that nothing calls as well.

    Raises: StartError where the env file cannot be read.
    """
    from naftiko.document.reader import load_document

    options = options or LoadOptions()
    masker = masker or Masker()
    try:
        document = load_document(path)
    except SpecError as error:
        return _refused(str(path), error.problems, masker, _source_of(path))
    return _check_document(
        document,
        Path(path),
        options,
        masker,
        reads_stores=reads_stores,
        every_operation=every_operation,
    )


def _check_document(
    document: Document,
    path: Path,
    options: LoadOptions,
    masker: Masker,
    *,
    reads_stores: bool,
    every_operation: bool,
) -> Checked:
    from naftiko.consumes.registry import CLIENT_ADAPTERS
    from naftiko.model.build import build_capability
    from naftiko.model.scripting import build_script_settings
    from naftiko.plan.aggregates import Functions
    from naftiko.plan.clients import Clients
    from naftiko.plan.compiler import CapabilityCompiler
    from naftiko.plan.operations import OperationCompiler
    from naftiko.plan.ports import ClientContext
    from naftiko.plan.templates import PlanTemplates
    from naftiko.resolve.capability import resolve_capability
    from naftiko.resolve.files import workspace_root
    from naftiko.validate.schema import schema_findings

    problems = Problems()
    model = build_capability(document, problems)
    environment = read_environment(options)
    root = options.workspace or workspace_root(path)
    resolved = resolve_capability(
        model,
        path=path,
        root=root,
        environment=environment,
        problems=problems,
        surroundings=_surroundings(environment, options, masker, reads_stores=reads_stores),
    )
    masker.publish(_public_names(resolved.exposes))
    for secret in resolved.variables.secrets():
        masker.add(secret)
    templates = PlanTemplates(
        variables=resolved.variables,
        namespaces=resolved.input_prefixes,
        problems=problems,
        masker=masker,
    )
    context = ClientContext(
        problems=problems,
        templates=templates,
        environment=environment,
        bound=resolved.variables.value,
        declared=lambda name: resolved.variables.find(name) is not None,
        version_of=resolved.variables.version,
        refreshes=bool(resolved.variables.refreshed),
        forget_secret=masker.forget,
        workspace_root=root,
        add_secret=masker.add,
        sandbox=options.sandbox,
        meter=_meter(resolved.exposes),
    )
    clients = Clients(
        consumes=resolved.consumes,
        types=CLIENT_ADAPTERS,
        context=context,
        problems=problems,
        compiled=_functions(options, resolved.consumes),
    )
    compiler = CapabilityCompiler(
        capability=model,
        exposes=resolved.exposes,
        operations=OperationCompiler(
            clients=clients,
            templates=templates,
            problems=problems,
            read_only=options.read_only,
            functions=Functions(aggregates=resolved.aggregates, problems=problems),
            script_settings=build_script_settings(document),
        ),
        templates=templates,
        problems=problems,
        masker=masker,
    )
    plan = compiler.compile()
    if every_operation:
        clients.check_uncalled()
    unread = {(item.location.path, item.location.line) for item in templates.missing if item.unread}
    problems.ease(LEFT_TO_THE_STORE, unread)
    plan = _made_to_be_imported(plan, model, problems)
    _check_something_is_served(plan, model, problems)
    _add_findings(schema_findings(document), problems)
    return Checked(
        path=document.path,
        plan=plan,
        problems=problems.sorted(),
        missing=tuple(_missing(templates)),
        sources={
            item.path: Source(item.path, item.text)
            for item in (document, *resolved.documents.values())
        },
        masker=masker,
        refreshed=resolved.variables.refreshed,
    )


def _meter(exposes: Iterable[Exposes]) -> Meter | None:
    """Return what counts requests and calls, None where no control adapter would show it."""
    from naftiko.model.control import ExposesControl

    if not any(isinstance(entry, ExposesControl) and entry.measures for entry in exposes):
        return None
    from naftiko.plan.meter import Meter

    return Meter()


def _surroundings(
    environment: Mapping[str, str], options: LoadOptions, masker: Masker, *, reads_stores: bool
) -> Surroundings:
    """Return what sources of bound values are read with; AWS clients are made when one asks."""
    from naftiko.resolve.providers import Surroundings

    def aws_client(service: str, region: str | None) -> Any:
        from naftiko.consumes.aws.secret_stores import secret_store_client

        return secret_store_client(service, region, environment, sandbox=options.sandbox)

    return Surroundings(
        environment=environment,
        aws_client=aws_client,
        add_secret=masker.add,
        reads_stores=reads_stores,
    )


def _public_names(exposes: Iterable[Exposes]) -> Iterator[str]:
    """Yield what the file calls the things that it serves."""
    from naftiko.model.exposes import ExposesMcp, ExposesRest

    for entry in exposes:
        yield entry.namespace
        if isinstance(entry, ExposesMcp):
            yield from (tool.name for tool in entry.tools)
        elif isinstance(entry, ExposesRest):
            for resource in entry.resources:
                yield resource.path.text
                yield from (item.operation.name for item in resource.operations)


def _add_findings(findings: list[Problem], problems: Problems) -> None:
    """Add what the schema finds, but where a stage has said something more precise already."""
    from naftiko.validate.schema import unsaid

    if any(item.code == "not-a-capability" for item in problems.errors):
        return
    problems.extend(unsaid(findings, problems))


def load_plan(path: str | Path, options: LoadOptions | None = None) -> Checked:
    """Take a file through every stage, ready to be served.

    Raises: SpecError where the file has errors (or warnings, when strict); StartError where a bound
    variable that something uses has no value.
    """
    options = options or LoadOptions()
    checked = check_capability(path, options, reads_stores=True)
    refuse_problems(checked, strict=options.strict)
    refuse_missing(checked)
    return checked


def refuse_missing(checked: Checked) -> None:
    """Raise if a bound variable that something uses has no value.

    Raises: StartError, which names all of them.
    """
    if not checked.missing:
        return
    names = "; ".join(f"{item.message} ({item.location})" for item in checked.missing)
    raise StartError(
        f"variables without a value are used: {names}",
        hint="set them in the environment, with --env-file, or in the bound file",
    )


def refuse_problems(checked: Checked, *, strict: bool) -> None:
    """Raise what keeps the file from being served.

    Raises: SpecError.
    """
    if is_refused(checked, strict=strict, to_run=True):
        raise ValidationError(checked.problems)


def is_refused(checked: Checked, *, strict: bool, to_run: bool) -> bool:
    """Tell whether a file has problems that count; to be run, something of it has to be served."""
    limit = Severity.WARNING if strict else Severity.ERROR
    return checked.plan is None or any(
        item.severity <= limit or (to_run and item.code == NOTHING_TO_SERVE)
        for item in checked.problems
    )


def read_environment(options: LoadOptions) -> dict[str, str]:
    """Return the environment with the env file laid over it.

    Raises: StartError where the env file cannot be read.
    """
    environment = dict(os.environ if options.environment is None else options.environment)
    if options.env_file is None:
        return environment
    from dotenv import dotenv_values

    if not options.env_file.is_file():
        raise StartError(f"the env file {options.env_file} does not exist")
    try:
        values = dotenv_values(options.env_file)
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"the env file {options.env_file} cannot be read: {error}") from error
    given = {name: value for name, value in values.items() if value is not None}
    if options.sandbox:
        # Endpoints, profiles and keys in it belong to an account, which the sandbox must not reach.
        given = {name: value for name, value in given.items() if not name.startswith("AWS_")}
    return environment | given


def _functions(options: LoadOptions, consumes: Mapping[str, object]) -> dict[str, ClientAdapter]:
    if not options.functions:
        return {}
    from naftiko.consumes.python import compile_functions

    adapters = compile_functions(options.functions)
    for namespace in adapters:
        if namespace in consumes:
            raise StartError(
                f"functions are registered under `{namespace}`, which the file consumes already",
                hint="register them under another namespace",
            )
    return adapters


NOTHING_TO_SERVE = "nothing-to-serve"
LEFT_TO_THE_IMPORTER = frozenset(
    {"unknown-namespace", "unknown-ref", "nothing-to-call", "unresolved-secret"}
)
"""What a file that is made to be imported may lack: the importing one has it."""
LEFT_TO_THE_STORE = frozenset({"unresolved-base-uri", "invalid-tls", "missing-credentials"})
"""What a variable may lack whose store was not asked: running asks it, and says so then."""


def _made_to_be_imported(
    plan: CapabilityPlan, model: CapabilityModel, problems: Problems
) -> CapabilityPlan:
    """A file of one section, without `capability`, serves what it can by itself; else nothing."""
    if model.kind == "capability":
        return plan
    if problems.ease(LEFT_TO_THE_IMPORTER):
        plan = replace(plan, adapters=(), disabled=())
    if not plan.adapters:
        problems.info(
            "made-to-be-imported",
            f"the file holds `{model.kind}` for others to import, and serves nothing itself",
            model.location,
        )
    return plan


def _check_something_is_served(
    plan: CapabilityPlan, model: CapabilityModel, problems: Problems
) -> None:
    """A file of which nothing can be served loads, to be checked, but does not run."""
    served = any(_operation_count(adapter) for adapter in plan.adapters)
    if served or not plan.disabled or problems.errors:
        return
    problems.warn(
        NOTHING_TO_SERVE,
        f"none of the {len(plan.disabled)} routes and tools can be served",
        model.location,
        "see the warnings for the reason of each",
    )


def _operation_count(adapter: AdapterPlan) -> int:
    if discovered_of(adapter) is not None:
        return 1  # nobody knows how many before it is served
    if isinstance(adapter, RestAdapterPlan):
        forwards = sum(route.forward is not None for route in adapter.routes)
        return forwards + sum(len(route.operations) for route in adapter.routes)
    if isinstance(adapter, McpAdapterPlan):
        return len(adapter.tools) + len(adapter.resources) + len(adapter.prompts)
    return len(adapter.skills) if isinstance(adapter, SkillAdapterPlan) else 0


def _missing(templates: object) -> list[Problem]:
    from naftiko.plan.templates import PlanTemplates

    assert isinstance(templates, PlanTemplates)
    found = Problems()
    for item in templates.missing:
        if item.unread:
            continue
        found.warn(
            "missing-variable",
            f"`{item.name}` is used, but {item.origin} has no value",
            item.location,
            "set it before you run the capability",
        )
    return list(found)


def _refused(
    path: str, problems: tuple[Problem, ...], masker: Masker, sources: Mapping[str, Source]
) -> Checked:
    return Checked(
        path=path, plan=None, problems=problems, missing=(), sources=sources, masker=masker
    )


def _source_of(path: str | Path) -> dict[str, Source]:
    """Return the text of a file that did not load, as far as it can be shown."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(1024 * 1024).decode("utf-8", errors="replace")
    except OSError:
        return {}
    return {str(path): Source(str(path), text)}

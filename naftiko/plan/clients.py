"""The consumed APIs of a capability, compiled when a route or tool first calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from naftiko.document.nodes import Scalar
from naftiko.errors import Problem, Problems, Severity, SpecError, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.model.consumes import Consumes, ConsumesAws, ConsumesHttp, UnknownConsumes
from naftiko.plan.ports import ClientAdapter, ClientContext, ClientOperation
from naftiko.source import Location

ClientCompiler = Callable[[Consumes, ClientContext], ClientAdapter]


class LeftOut(Exception):  # noqa: N818  # it is a decision that unwinds, not a failure
    """An operation is left out, for the reason in `problem`."""

    def __init__(self, problem: Problem) -> None:
        """Keep the reason."""
        super().__init__(problem.message)
        self.problem = problem


def leave_out(code: str, message: str, location: Location, hint: str = "") -> LeftOut:
    """Return the exception that leaves an operation out with a warning."""
    return LeftOut(
        Problem(code=code, message=message, location=location, hint=hint, severity=Severity.WARNING)
    )


@dataclass(slots=True, kw_only=True)
class Clients:
    """Finds consumed operations. `types` maps a model class to what compiles it."""

    consumes: Mapping[str, Consumes]
    types: Mapping[type, ClientCompiler]
    context: ClientContext
    problems: Problems
    compiled: dict[str, ClientAdapter] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)

    def find(self, target: Scalar, caller: str) -> ClientOperation:
        """Return what a `call` names.

        Raises: LeftOut, with the closest candidates.
        """
        namespace, dot, name = target.text.partition(".")
        if not dot:
            raise leave_out(
                "invalid-call",
                f"`call: {target.text}` must be `namespace.operation`",
                target.location,
                did_you_mean(target.text, self._addresses()),
            )
        client = self.client(namespace, target.location)
        if client is None:
            raise leave_out(
                "unknown-namespace",
                f"call names `{target.text}`, but no `consumes` entry has the namespace "
                f"`{namespace}`"
                if namespace not in self.consumes
                else f"`{namespace}` cannot be called, so `{caller}` is left out",
                target.location,
                did_you_mean(namespace, self.consumes)
                if namespace not in self.consumes
                else "see the problem of its `consumes` entry",
            )
        found = client.operation(name)
        if found is None:
            addresses = [f"{namespace}.{known}" for known in client.operation_names()]
            near = did_you_mean(target.text, addresses)
            raise leave_out(
                "unknown-operation",
                f"call names `{target.text}`, which `{namespace}` does not define",
                target.location,
                near,
            )
        return found

    def named(self, name: str) -> list[ClientOperation]:
        """Return every consumed operation of that name."""
        matches = (self._find_quietly(namespace, name) for namespace in self.consumes)
        return [found for found in matches if found is not None]

    def _find_quietly(self, namespace: str, name: str) -> ClientOperation | None:
        client = self.client(namespace, self.consumes[namespace].location)
        return client.operation(name) if client and name in client.operation_names() else None

    def check_uncalled(self) -> None:
        """Compile the declared operations that nothing calls, for the problems in them.

        Their errors count as warnings: they keep nothing from being served.
        """
        before = len(self.problems)
        for namespace, entry in self.consumes.items():
            client = self.client(namespace, entry.location)
            if client is None:
                continue
            for name in _declared(entry):
                self._check(client, name)
        self.problems.ease_after(before)

    def _check(self, client: ClientAdapter, name: str) -> None:
        try:
            client.operation(name)
        except (ExpressionError, LeftOut) as error:
            self.problems.add(replace(error.problem, severity=Severity.WARNING))
        except SpecError as error:
            self.problems.extend(error.problems)

    def client(self, namespace: str, location: Location) -> ClientAdapter | None:
        """Return the adapter of a namespace, compiled when first asked for."""
        if namespace in self.compiled:
            return self.compiled[namespace]
        entry = self.consumes.get(namespace)
        if entry is None or namespace in self._refused:
            return None
        if isinstance(entry, UnknownConsumes):
            self._refused.add(namespace)
            self.problems.warn(
                "unsupported-adapter",
                f"`consumes` of type `{entry.type_}` is not served by this version",
                entry.location,
                did_you_mean(entry.type_, ("http", "aws", "workflows")),
            )
            return None
        return self._compile_client(namespace, entry)

    def _compile_client(self, namespace: str, entry: Consumes) -> ClientAdapter | None:
        try:
            context = replace(self.context, find=self.find)
            client = self.types[type(entry)](replace(entry, namespace=namespace), context)
        except ExpressionError as error:
            self._refused.add(namespace)
            self.problems.add(error.problem)
            return None
        except SpecError as error:
            self._refused.add(namespace)
            self.problems.extend(error.problems)
            return None
        self.compiled[namespace] = client
        return client

    def _addresses(self) -> list[str]:
        return [
            f"{namespace}.{name}"
            for namespace, client in self.compiled.items()
            for name in client.operation_names()
        ]


def _declared(entry: Consumes) -> list[str]:
    """Return the operations that the file names; all others of an AWS service need no check."""
    if isinstance(entry, ConsumesHttp):
        return [item.name for resource in entry.resources for item in resource.operations]
    return [item.name for item in entry.operations] if isinstance(entry, ConsumesAws) else []

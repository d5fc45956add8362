"""Compiles an HTTP API given as YAML, as a loaded capability would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from naftiko.consumes.http import HttpClientAdapter, compile_http
from naftiko.consumes.http.operation import HttpOperation, RefusedOperation
from naftiko.document.reader import parse_document
from naftiko.errors import Problems
from naftiko.model.build import build_binds, build_consumed
from naftiko.model.consumes import ConsumesHttp
from naftiko.plan.masking import Masker
from naftiko.plan.ports import ClientContext, ClientOperation
from naftiko.plan.templates import PlanTemplates
from naftiko.resolve.binds import resolve_binds
from naftiko.resolve.files import UnderRoot


@dataclass(frozen=True, kw_only=True)
class Api:
    """A compiled API, with what was found on the way."""

    adapter: HttpClientAdapter
    problems: Problems
    masker: Masker
    templates: PlanTemplates
    secrets: list[str] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """Return the codes of the problems."""
        return [problem.code for problem in self.problems]

    def operation(self, name: str = "op") -> ClientOperation:
        """Return an operation there is."""
        found = self.adapter.operation(name)
        assert found is not None
        return found

    def http(self, name: str = "op") -> HttpOperation:
        """Return an operation that can be called."""
        found = self.operation(name)
        assert isinstance(found, HttpOperation)
        return found

    def refused(self, name: str = "op") -> RefusedOperation:
        """Return an operation that is refused."""
        found = self.operation(name)
        assert isinstance(found, RefusedOperation)
        return found


def compile_api(
    text: str,
    environment: Mapping[str, str] | None = None,
    *,
    path: str = "api.yaml",
    root: Path | None = None,
) -> Api:
    """Compile the first `consumes` entry of a document."""
    problems = Problems()
    document = parse_document(text, path)
    entries = build_consumed(document, problems)
    entry = next(item for item in entries if isinstance(item, ConsumesHttp))
    environment = environment or {}
    root = root or Path.cwd()
    variables = resolve_binds(
        build_binds(document, problems),
        environment=environment,
        files=UnderRoot(root),
        problems=problems,
    )
    masker = Masker()
    templates = PlanTemplates(
        variables=variables, namespaces=frozenset({"own"}), problems=problems, masker=masker
    )
    secrets: list[str] = []

    def add_secret(value: str) -> None:
        secrets.append(value)
        masker.add(value)

    context = ClientContext(
        problems=problems,
        templates=templates,
        environment=environment,
        bound=variables.value,
        workspace_root=root,
        add_secret=add_secret,
    )
    return Api(
        adapter=compile_http(entry, context),
        problems=problems,
        masker=masker,
        templates=templates,
        secrets=secrets,
    )


def api(
    operation: str,
    *,
    base: str = "https://api.example.com/v1",
    path: str = "/things",
    extra: str = "",
    resource: str = "",
    binds: str = "",
    environment: Mapping[str, str] | None = None,
) -> Api:
    """Compile an API with one operation `op`; the pieces are YAML (flow style is easiest)."""
    keys = "".join(f"      {name}: {name}\n" for name in binds.split())
    text = (
        (f"binds:\n  - namespace: env\n    keys:\n{keys}" if keys else "")
        + f"consumes:\n  - namespace: ns\n    type: http\n    baseUri: {json.dumps(base)}\n"
        + (f"    {extra}\n" if extra else "")
        + f"    resources:\n      - name: r\n        path: {json.dumps(path)}\n"
        + (f"        {resource}\n" if resource else "")
        + f"        operations:\n          - {{name: op, {operation}}}\n"
    )
    return compile_api(text, environment)

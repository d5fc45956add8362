"""Nodes -> aggregates and their functions. Spec: `aggregates`."""

from __future__ import annotations

from naftiko.errors import Problems
from naftiko.model.aggregates import Aggregate, Function, Semantics
from naftiko.model.build_imports import build_import, is_import
from naftiko.model.build_operation import build_operation
from naftiko.model.consumes import Import
from naftiko.model.fields import Fields, Named


def build_aggregates(fields: Fields, problems: Problems) -> tuple[Aggregate | Import, ...]:
    """Build the entries of `aggregates`, a list (or a map by namespace)."""
    found: list[Aggregate | Import] = []
    for named in fields.named("aggregates", key="namespace"):
        if is_import(named.fields):
            import_ = build_import(named.fields, problems)
            found += [import_] if import_ is not None else []
        elif named.name:
            found.append(_aggregate(named, problems))
        else:
            problems.error(
                "missing-namespace",
                "this `aggregates` entry has no `namespace`, so that no `ref` can name it",
                named.location,
                "add `namespace: my-functions`",
            )
    return tuple(found)


def _aggregate(named: Named, problems: Problems) -> Aggregate:
    fields = named.fields
    return Aggregate(
        namespace=named.name,
        functions=tuple(_functions(fields, problems)),
        location=named.location,
        label=fields.text("label", "display"),
        description=fields.text("description"),
        written_as=named.name,
    )


def _functions(fields: Fields, problems: Problems) -> list[Function]:
    """`functions` is naftiko's word, `flows` ikanos's; a file that has both has all of them."""
    found: list[Function] = []
    for named in (*fields.named("functions"), *fields.named("flows")):
        if not named.name:
            problems.warn(
                "missing-name",
                "this function has no `name`, so that no `ref` can name it",
                named.location,
            )
            continue
        found.append(
            Function(
                operation=build_operation(named, named.name),
                semantics=_semantics(named.fields.fields("semantics")),
            )
        )
    return found


def _semantics(fields: Fields | None) -> Semantics:
    if fields is None:
        return Semantics()
    return Semantics(
        safe=fields.boolean("safe"),
        idempotent=fields.boolean("idempotent"),
        cacheable=fields.boolean("cacheable"),
    )

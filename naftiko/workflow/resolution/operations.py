"""(service, action) as people write them -> an operation or a recipe. Spec: section 3, rule 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from naftiko.awsapi.catalog import (
    find_service,
    kebab_case,
    known_names,
    operation_names,
    service_model,
)
from naftiko.document.nodes import Scalar
from naftiko.errors import MAX_COMPARED, Problems, did_you_mean
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.recipes import Recipe
from naftiko.workflow.resolution.words import folded, words_of

if TYPE_CHECKING:
    from botocore.model import OperationModel

MAX_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an action is: an operation, or a recipe.

    `how` says by which rule: `exact`, `name` (snake or kebab case), `alias`, `recipe`, `tokens`,
    and for shorthand `phrase`.
    """

    service: str
    operation: str = ""
    recipe: Recipe | None = None
    how: str = "exact"

    @property
    def model(self) -> OperationModel:
        """Botocore's model of the operation."""
        return service_model(self.service).operation_model(self.operation)

    @property
    def action(self) -> str:
        """The operation in kebab case, as a plan has it."""
        return kebab_case(self.operation)


def find_operation(
    data: ResolutionData, service: Scalar, action: Scalar, problems: Problems
) -> Found | None:
    """Return what an action of a service is; None where that is unknown or not clear.

    ("rds", "describe_instance") -> Found(operation="DescribeDBInstances", how="tokens").
    Reports WF300, WF301, WF302.
    """
    name = resolve_service(service, problems)
    if name is None:
        return None
    hits = match_operation(data, name, action.text)
    if len(hits) == 1:
        return hits[0]
    if hits:
        shown = ", ".join(f"`{kebab_case(hit.operation)}`" for hit in hits[:MAX_SHOWN])
        message = f"`{action.text}` can mean {len(hits)} operations of `{name}`: {shown}"
        problems.error("WF302", message, action.location, "write one of them")
        return None
    known = [*operation_names(name), *sorted(data.service(name).recipes)]
    shown = ", ".join(f"`{near}`" for near in nearest_names(action.text, known))
    message = f"`{name}` has no operation `{action.text}`"
    problems.error("WF301", message, action.location, f"the nearest: {shown}" if shown else "")
    return None


def resolve_service(service: Scalar, problems: Problems) -> str | None:
    """Return botocore's name of a service; None, with a WF300, where there is none."""
    name = find_service(service.text)
    if name is None:
        hint = did_you_mean(service.text, known_names())
        message = f"there is no AWS service `{service.text}`"
        problems.error("WF300", message, service.location, hint)
    return name


def match_operation(data: ResolutionData, service: str, action: str) -> tuple[Found, ...]:
    """Return what an action can mean: one if it is clear, several, or none. Reports nothing."""
    exact = find_exact(service, action)
    if exact is not None:
        how = "exact" if exact == action else "name"
        return (Found(service=service, operation=exact, how=how),)
    rows = data.service(service)
    name = _normal(action)
    alias = rows.actions.get(name)
    if alias is not None:
        return (Found(service=service, operation=alias.target, how="alias"),)
    recipe = rows.recipes.get(name)
    if recipe is not None:
        return (Found(service=service, recipe=recipe, how="recipe"),)
    return tuple(
        Found(service=service, operation=operation, how="tokens")
        for operation in _by_tokens(service, action, rows.noise)
    )


def find_exact(service: str, action: str) -> str | None:
    """Return the operation of that very name, in the API's, snake or kebab case."""
    names = operation_names(service)
    found = names.get(action.replace("_", "-"))
    if found is not None:
        return found
    return action if action in service_model(service).operation_names else None


def nearest_names(name: str, known: list[str], count: int = MAX_SHOWN) -> list[str]:
    """Return the names most like one, the best first; ties in the order of the alphabet."""
    import difflib

    if len(name) > MAX_COMPARED:
        return []
    wanted = "-".join(words_of(name))
    plain = {item.replace("_", "-"): item for item in sorted(known)}
    return [plain[hit] for hit in difflib.get_close_matches(wanted, plain, n=count, cutoff=0.4)]


def _normal(action: str) -> str:
    return action.strip().lower().replace("-", "_").replace(" ", "_")


def _by_tokens(service: str, action: str, noise: frozenset[str]) -> tuple[str, ...]:
    words = words_of(action)
    if len(words) < 2:
        return ()
    verb, rest = words[0], words[1:]
    for dropped in (frozenset[str](), noise):
        wanted = folded(rest, dropped)
        hits = _index(service, dropped).get((verb, wanted), ()) if wanted else ()
        if hits:
            return hits
    return ()


@lru_cache(maxsize=128)
def _index(
    service: str, noise: frozenset[str]
) -> dict[tuple[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the operations by verb and remaining words."""
    found: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    for kebab, operation in sorted(operation_names(service).items()):
        verb, *rest = kebab.split("-")
        key = (verb, folded(rest, noise))
        found[key] = (*found.get(key, ()), operation)
    return found

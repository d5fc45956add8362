"""`naftiko workflow suggest "QUESTION"`: the workflows that answer a question."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode
from naftiko.workflow.plan.walk import mapping
from naftiko.workflow.view import visible

if TYPE_CHECKING:
    from naftiko.consumes.workflows.caller import AwsCaller
    from naftiko.workflow.discovery.suggest import Obstacle, Suggester, Suggestions, Wish
    from naftiko.workflow.runtime.plans import Plans
    from naftiko.workflow.runtime.policy import Policy

_FILTERS: dict[Obstacle, str] = {
    "risk": "are riskier: --risk",
    "tier": "are of tiers that no server runs by default: --include-blocked",
    "permission": "may not be run with these credentials: --include-blocked",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "query", metavar="QUESTION", help="what is to be done: `back up my database`"
    )
    common.add_catalog(parser)
    common.add_trust_root(parser)
    parser.add_argument(
        "--max-results", type=int, default=5, metavar="N", help="how many at most (default: 5)"
    )
    parser.add_argument(
        "--risk",
        type=float,
        default=5.0,
        metavar="RISK",
        help="none of more risk than this, 0 to 10 (default: 5)",
    )
    parser.add_argument(
        "--include-blocked", action="store_true", help="those as well that may not be executed"
    )
    parser.add_argument(
        "--permissions",
        action="store_true",
        help="ask AWS whether the environment's credentials may do what they do",
    )
    parser.add_argument(
        "--dev", action="store_true", help="unsigned workflows as well, as `run --dev` runs them"
    )
    add_embedder(parser)
    common.add_json(parser)


def add_embedder(parser: argparse.ArgumentParser) -> None:
    """Declare what knows the meaning of texts."""
    parser.add_argument(
        "--embedder",
        choices=("auto", "none", "wordllama", "minilm"),
        default="auto",
        help="what knows the meaning of texts (default: wordllama, where it is installed)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print them, the best first; 0 also where there is none."""
    import asyncio

    from naftiko.consumes.workflows.suggesting import shown_suggestions
    from naftiko.workflow.discovery.suggest import MAX_QUERY, MAX_RESULTS, Wish

    query = arguments.query.strip()
    if not 0 < len(query) <= MAX_QUERY:
        arguments.parser.error(f"a question has 1 to {MAX_QUERY} characters")
    if not 1 <= arguments.max_results <= MAX_RESULTS:
        arguments.parser.error(f"--max-results must be 1 to {MAX_RESULTS}")
    if not 0 <= arguments.risk <= 10:
        arguments.parser.error("--risk must be 0 to 10")
    wish = Wish(
        query=query,
        max_results=arguments.max_results,
        risk_threshold=arguments.risk,
        include_blocked=arguments.include_blocked,
    )
    answer = asyncio.run(_suggested(arguments, wish))
    if arguments.json:
        common.print_json(shown_suggestions(answer), console)
        return ExitCode.OK
    for line in _lines(answer, is_asked=arguments.permissions):
        console.data(line)
    for name, told in _FILTERS.items():
        if answer.filtered[name]:
            console.note(f"left out: {answer.filtered[name]} that {told}")
    return ExitCode.OK


async def _suggested(arguments: argparse.Namespace, wish: Wish) -> Suggestions:
    """Search the catalog; AWS is asked only if that is wanted."""
    from naftiko.cli.workflows.aws import open_caller
    from naftiko.plan.masking import Masker

    caller = open_caller(None, Masker()) if arguments.permissions else None
    suggester = _suggester(arguments, caller)
    try:
        return await suggester.suggest(wish)
    finally:
        await suggester.close()
        if caller is not None:
            await caller.close()


def _suggester(arguments: argparse.Namespace, caller: AwsCaller | None) -> Suggester:
    from naftiko.consumes.workflows.building import RealClock
    from naftiko.workflow.discovery.live import LiveIndex
    from naftiko.workflow.discovery.permitted import Permitted
    from naftiko.workflow.discovery.suggest import Suggester
    from naftiko.workflow.runtime.gates import Gates
    from naftiko.workflow.runtime.policy import Policy

    policy, clock = Policy(dev=arguments.dev), RealClock()
    plans = open_plans(arguments, policy)
    permitted = None
    if caller is not None:
        permitted = Permitted(Gates(caller, clock, policy), clock, policy)
    live = LiveIndex(plans, clock, embedder=arguments.embedder)
    return Suggester(plans, live, clock, policy=policy, permitted=permitted)


def open_plans(arguments: argparse.Namespace, policy: Policy) -> Plans:
    """Open the plans of the catalog that is meant.

    Raises: StartError: there is none, or the embedder that is asked for is not installed.
    """
    from naftiko.errors import StartError
    from naftiko.search.embedders import MissingEmbedderError, find_embedder
    from naftiko.workflow.runtime.plans import Plans

    try:
        find_embedder(arguments.embedder)
    except MissingEmbedderError as error:
        raise StartError(str(error)) from None
    return Plans(
        folders=common.catalog_folders(arguments),
        policy=policy,
        root=getattr(arguments, "trust_root", None),
        is_loopback=policy.dev,
    )


def _lines(answer: Suggestions, *, is_asked: bool) -> Iterator[str]:
    if not answer.found:
        yield "no workflow answers that"
        return
    for one in answer.found:
        metadata = mapping(one.plan["metadata"])
        does = "only reads" if metadata["read_only"] else "changes things"
        told = [one.entry.tier, f"risk {metadata['risk_score']}", does]
        told.append(f"confidence {one.hit.confidence}")
        if one.blocked_by is not None:
            told.append(f"blocked by {one.blocked_by}")
        elif is_asked and one.executable == "unknown":
            told.append("AWS does not say whether it is permitted")
        if one.deprecated is not None:
            told.append(f"deprecated: {visible(one.deprecated)}")
        yield f"{one.entry.ref}: {', '.join(told)}"
        yield f"    {one.plan['description']}"
        for reason in one.hit.reasons:
            yield f"    - {reason}"
        if one.missing:
            yield f"    lacks {', '.join(one.missing)}"

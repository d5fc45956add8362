"""`naftiko workflow review SUBMISSION`: a signed statement of a reviewer."""

from __future__ import annotations

import argparse
from pathlib import Path

from naftiko.cli.console import Console
from naftiko.cli.workflows import common, contributing
from naftiko.cli.workflows.key_folder import add_keys, signing_key
from naftiko.errors import ExitCode, StartError
from naftiko.workflow.contribution.reviews import DECISIONS, POINTS
from naftiko.workflow.plan.trust import REVIEWER_ROLES

_DECIDED = ("it may be published", "something has to change first", "it should not be published")
_ANSWERS = {"yes": True, "no": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    contributing.add_submission(parser)
    parser.add_argument("--key", required=True, metavar="KEY", help="your key, which signs it")
    parser.add_argument("--role", required=True, choices=REVIEWER_ROLES, help="as whom")
    decision = parser.add_mutually_exclusive_group(required=True)
    for flag, text in zip(DECISIONS, _DECIDED, strict=True):
        decision.add_argument(
            f"--{flag.replace('_', '-')}",
            dest="decision",
            action="store_const",
            const=flag,
            help=text,
        )
    parser.add_argument("--comment", default="", metavar="TEXT", help="what the author should know")
    parser.add_argument(
        "--checklist",
        default="",
        metavar="POINT=yes,...",
        help=f"what you have looked at and found right: {', '.join(POINTS)}",
    )
    parser.add_argument(
        "--audit", type=Path, metavar="FILE", help="an auditor's report of the full audit"
    )
    parser.add_argument(
        "--penetration-test", type=Path, metavar="FILE", help="an auditor's report of it"
    )
    add_keys(parser)
    contributing.add_common(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check the submission anew, sign the statement and store it."""
    from naftiko.workflow.contribution.desk import Verdict

    key = signing_key(arguments.key, arguments)
    given = {"full_audit": arguments.audit, "penetration_test": arguments.penetration_test}
    verdict = Verdict(
        role=arguments.role,
        decision=arguments.decision,
        checklist=_checklist(arguments.checklist),
        comments=arguments.comment,
        documents={
            name: common.read_file(path) for name, path in given.items() if path is not None
        },
    )
    with contributing.open_desk(arguments) as desk:
        home = contributing.home_of(desk, arguments.submission)
        path = desk.review(home, key, verdict)
    contributing.done(
        {"submission": home.id, "review": str(path), "decision": arguments.decision},
        f"{common.short(path)}: {arguments.decision} by {key.key_id}",
        arguments,
        console,
        next_="commit it, as a change of its own",
    )
    return ExitCode.OK


def _checklist(text: str) -> dict[str, bool]:
    """Return what was answered: "code=yes,tests=no".

    Raises: StartError.
    """
    found: dict[str, bool] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, answer = part.partition("=")
        if name not in POINTS or answer not in _ANSWERS:
            raise StartError(
                f"`{part}` is no point of the checklist",
                hint=f"--checklist {','.join(f'{one}=yes' for one in POINTS)}",
            )
        found[name] = _ANSWERS[answer]
    return found

"""Public capability documents, as they are: every one loads, and says what of it is served.

They lie beside the project; the tests skip where they are absent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.capability import operations_of
from naftiko.document.reader import load_document
from naftiko.engine import Checked, LoadOptions, check_capability
from naftiko.errors import Problems
from naftiko.model.build import build_capability
from naftiko.model.exposes import ExposesMcp, ExposesRest
from tests.case_files import SHARED

CORPUS = SHARED / "corpus"
FILES = sorted(CORPUS.glob("**/*.y*ml"))
ENVIRONMENT = {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}

REFUSED = {
    "secrets.yaml": "not-a-capability",  # the values of a bind: of no known kind
    "exposed-oauth2/capability.yml": "unresolved-secret",  # in a file outside of everything
}
"""Documents that are refused, and the error that says why. None is refused for its style."""

IDLE = (
    "amazon-eventbridge-capability.yaml",  # imports a file that is not there
    "orchestration-workflow.yaml",  # its import consumes nothing
    "aws-step-functions/capabilities/shared/step-functions.yaml",  # nothing to call
    "discover-apis-aws.yml",  # imports a file that is not there
)
"""Documents that load, of which nothing can be served."""

needs_corpus = pytest.mark.skipif(not FILES, reason="the corpus does not lie beside the project")


def refusal(path: Path) -> str | None:
    return next((code for end, code in REFUSED.items() if str(path).endswith(end)), None)


@pytest.fixture(params=FILES, ids=lambda path: str(path.relative_to(CORPUS)))
def checked(request: pytest.FixtureRequest) -> tuple[Path, Checked]:
    return request.param, check_capability(request.param, LoadOptions(environment=ENVIRONMENT))


@needs_corpus
def test_every_document_is_served_or_says_why_not(checked: tuple[Path, Checked]) -> None:
    path, result = checked

    codes = {item.code for item in result.errors}
    expected = refusal(path)
    assert (expected in codes) if expected else not codes, [item.message for item in result.errors]
    idle = any(item.code == "nothing-to-serve" for item in result.problems)
    assert idle == str(path).endswith(IDLE)
    for problem in (*result.problems, *result.missing):
        assert problem.location.line >= 1
        assert problem.message
        assert "Traceback" not in problem.message


@needs_corpus
def test_what_is_exposed_is_served_or_named(checked: tuple[Path, Checked]) -> None:
    """No route or tool is dropped in silence."""
    path, result = checked
    if result.errors:
        return
    assert result.plan is not None
    model = build_capability(load_document(path), Problems())
    declared = sum(
        len(entry.tools)
        if isinstance(entry, ExposesMcp)
        else sum(len(resource.operations) for resource in entry.resources)
        for entry in model.exposes
        if isinstance(entry, ExposesMcp | ExposesRest)
    )

    served = sum(len(operations_of(adapter)) for adapter in result.plan.adapters)

    assert served + len(result.plan.disabled) == declared

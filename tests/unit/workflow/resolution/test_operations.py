from __future__ import annotations

from collections.abc import Callable

import pytest

from naftiko.awsapi.catalog import kebab_case, operation_names
from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.operations import find_operation, match_operation
from naftiko.workflow.resolution.words import words_of
from tests.unit.workflow.resolution.cases import SWEPT, table


@pytest.mark.parametrize(("service", "action", "wanted"), table("operations", "found"))
def test_a_name_is_found(
    data: ResolutionData, scalar: Callable[[str], Scalar], service: str, action: str, wanted: str
) -> None:
    problems = Problems()
    found = find_operation(data, scalar(service), scalar(action), problems)
    assert found is not None
    assert not list(problems)
    recipe = f"recipe {found.recipe.name}" if found.recipe is not None else ""
    assert (recipe or found.operation) == wanted


@pytest.mark.parametrize(("service", "action", "code"), table("operations", "refused"))
def test_a_name_is_refused(
    data: ResolutionData, scalar: Callable[[str], Scalar], service: str, action: str, code: str
) -> None:
    problems = Problems()
    assert find_operation(data, scalar(service), scalar(action), problems) is None
    assert [problem.code for problem in problems] == [code]


def test_the_five_nearest_are_named(data: ResolutionData, scalar: Callable[[str], Scalar]) -> None:
    problems = Problems()
    find_operation(data, scalar("rds"), scalar("creat_snapshot"), problems)
    (problem,) = problems
    assert problem.message == "`rds` has no operation `creat_snapshot`"
    assert problem.hint.count("`") == 10
    assert "`create-db-snapshot`" in problem.hint


def test_candidates_are_named(
    tmp_path_factory: pytest.TempPathFactory, scalar: Callable[[str], Scalar]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    (folder / "s3.yaml").write_text("noise: [bucket, object]\n")
    problems = Problems()
    found = find_operation(ResolutionData.load([folder]), scalar("s3"), scalar("get_acl"), problems)
    assert found is None
    (problem,) = problems
    assert problem.code == "WF302"
    assert "`get-bucket-acl`, `get-object-acl`" in problem.message


@pytest.mark.parametrize("service", SWEPT)
def test_every_name_of_an_operation_means_itself(data: ResolutionData, service: str) -> None:
    for kebab, operation in operation_names(service).items():
        for name in (operation, kebab, kebab.replace("-", "_")):
            (found,) = match_operation(data, service, name)
            assert found.operation == operation


@pytest.mark.parametrize("service", SWEPT)
def test_words_never_lead_to_another_verb(data: ResolutionData, service: str) -> None:
    noise = data.service(service).noise
    verbs = {kebab.partition("-")[0] for kebab in operation_names(service)}
    for kebab in operation_names(service):
        verb, *rest = kebab.split("-")
        loose = [word for word in rest if word not in noise] or rest
        for other in sorted({verb, *verbs} if len(rest) < 3 else {verb}):
            name = "_".join([other, *loose])
            hits = match_operation(data, service, name)
            for hit in hits:
                if hit.how in {"tokens", "name", "exact"}:
                    assert words_of(kebab_case(hit.operation))[0] == other

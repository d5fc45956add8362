"""Findings of the JSON Schema: their codes, words and places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naftiko.document.nodes import Document, Mapping, Node, Scalar, Sequence
from naftiko.document.reader import load_document, parse_document
from naftiko.errors import Problem, Severity
from naftiko.resources import data_folder, read_schema, schema_path
from naftiko.source import Location
from naftiko.validate.schema import schema_findings, unsaid
from naftiko.values import JsonObject, JsonValue

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests/cases/schema").glob("*.yaml"))
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus"
OFFICIAL = ("naftiko+framework", "naftiko+ikanos")
CODES = {
    "unknown-field",
    "other-generation-field",
    "wrong-type",
    "missing-field",
    "invalid-value",
}

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="public documents are not here")
needs_reference = pytest.mark.skipif(
    not (SHARED / "reference/schemas").is_dir(), reason="the published schemas are not here"
)


def corpus_documents() -> list[Path]:
    return [path for path in sorted(CORPUS.rglob("*.y*ml")) if path.stem != "secrets"]


def read_json(text: str) -> JsonObject:
    import json

    value = json.loads(text)
    assert isinstance(value, dict)
    return value


def schema() -> JsonObject:
    return read_json(read_schema())


def written(problems: list[Problem]) -> str:
    lines = []
    for problem in problems:
        place = f"{problem.location.line}:{problem.location.column}"
        lines.append(f"{place} {problem.severity.label}[{problem.code}] {problem.message}")
        lines += [f"  hint: {problem.hint}"] if problem.hint else []
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_findings_are_those_of_the_case(case: Path) -> None:
    found = written(schema_findings(load_document(case)))
    golden = case.with_suffix(".problems.txt")
    if os.environ.get("NAFTIKO_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_case_without_findings_says_so(case: Path) -> None:
    promised = case.read_text(encoding="utf-8").startswith("# No findings")
    assert promised == (not case.with_suffix(".problems.txt").read_text(encoding="utf-8"))


def test_all_findings_are_warnings_with_known_codes() -> None:
    found = [problem for case in CASES for problem in schema_findings(load_document(case))]
    assert {problem.severity for problem in found} == {Severity.WARNING}
    assert {problem.code for problem in found} == CODES


def test_places_are_the_exact_text() -> None:
    text = 'naftiko: "0.5"\ncapability:\n  exposes: [{type: mcp, namespace: a, tols: {}}]\n'
    (problem,) = schema_findings(parse_document(text, "a.yaml"))
    place = problem.location
    assert text.splitlines()[place.line - 1][place.column - 1 : place.end_column - 1] == "tols"


def test_a_secret_is_never_shown() -> None:
    case = ROOT / "tests/cases/schema/secrets-in-the-wrong-place.yaml"
    found = written(schema_findings(load_document(case)))
    assert found
    assert "canary" not in found
    assert "4711081" not in found


def test_many_findings_are_cut_off() -> None:
    fields = "".join(f"field{number}: 1\n" for number in range(5_000))
    assert len(schema_findings(parse_document(f'naftiko: "0.5"\n{fields}', "a.yaml"))) == 500


def test_a_long_name_is_shortened() -> None:
    text = f'naftiko: "0.5"\n{"x" * 1_000}: 1\n'
    (problem,) = schema_findings(parse_document(text, "a.yaml"))
    assert len(problem.message) < 150


# Any document at all -----------------------------------------------------------------------

HERE = Location("any.yaml", 1, 1)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("\ud800")
)
NAMES = st.sampled_from(
    (
        *("naftiko", "ikanos", "info", "capability", "consumes", "exposes", "type", "http", "aws"),
        *("rest", "mcp", "tools", "name", "hints", "call", "items", "properties", "x-a", "\udfff"),
    )
)


def as_node(value: JsonValue) -> Node:
    if isinstance(value, dict):
        entries = [(Scalar(key, key, HERE), as_node(item)) for key, item in value.items()]
        return Mapping(tuple(entries), HERE)
    if isinstance(value, list):
        return Sequence(tuple(as_node(item) for item in value), HERE)
    return Scalar(value, str(value), HERE)


@given(
    st.recursive(
        st.one_of(SCALARS, NAMES),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=6)
        ),
        max_leaves=25,
    )
)
@settings(max_examples=200, deadline=None)
def test_no_document_makes_it_raise(value: JsonValue) -> None:
    root = as_node(value if isinstance(value, dict) else {"capability": value})
    assert isinstance(root, Mapping)
    schema_findings(Document("any.yaml", root, ""))


@pytest.mark.parametrize("kind", ["list", "mapping"])
def test_depth_does_not_make_it_raise(kind: str) -> None:
    value: JsonValue = 1
    for _ in range(250):
        value = [value] if kind == "list" else {"properties": value}
    root = as_node({"naftiko": "0.5", "capability": value, "x-deep": value})
    assert isinstance(root, Mapping)
    schema_findings(Document("any.yaml", root, ""))


def replaced(value: JsonValue, other: JsonValue) -> Iterator[JsonValue]:
    """Yield the value with `other` in place of each of its parts in turn."""
    yield other
    if isinstance(value, dict):
        for key, item in value.items():
            for changed in replaced(item, other):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for changed in replaced(item, other):
                yield [*value[:index], changed, *value[index + 1 :]]


@pytest.mark.parametrize("other", [None, 12, "text", [1], {"field": 1}], ids=str)
def test_a_part_gone_wrong_is_said_once_and_where_it_is(other: JsonValue) -> None:
    case = load_document(ROOT / "tests/cases/schema/seed-spellings.yaml")
    for changed in replaced(case.root.plain(), other):
        if isinstance(changed, dict):
            root = as_node(changed)
            assert isinstance(root, Mapping)
            found = schema_findings(Document("any.yaml", root, ""))
            assert len(found) <= 5, written(found)


# Other problems ----------------------------------------------------------------------------


def problem(message: str, line: int, hint: str = "") -> Problem:
    return Problem(code="c", message=message, hint=hint, location=Location("a.yaml", line, 1))


def test_echoes_of_other_problems_are_left_out() -> None:
    findings = [
        problem("this HTTP adapter lacks `namespace`", 1),
        problem("this HTTP adapter lacks `baseUri`", 1),
        problem("this import lacks `location`", 2),
        problem("`namespace` must be text, found a list", 3),
    ]
    said = [
        problem("this `consumes` entry has no `namespace`", 1),
        problem("this import does not say which file", 2, "add `location: ./api.yaml`"),
    ]
    assert unsaid(findings, said) == [findings[1], findings[3]]


# The schema itself -------------------------------------------------------------------------


def subschemas(schema: JsonValue, path: str = "") -> Iterator[tuple[str, JsonObject]]:
    """Yield a schema and those within it, each with its path."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword in ("$defs", "properties", "patternProperties"):
        inner = schema.get(keyword)
        for name, item in inner.items() if isinstance(inner, dict) else ():
            yield from subschemas(item, f"{path}/{keyword}.{name}")
    for keyword in ("items", "additionalProperties", "propertyNames", "if", "then", "else"):
        yield from subschemas(schema.get(keyword), f"{path}/{keyword}")
    for keyword in ("allOf", "anyOf"):
        listed = schema.get(keyword)
        for index, item in enumerate(listed if isinstance(listed, list) else ()):
            yield from subschemas(item, f"{path}/{keyword}/{index}")


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_definition_and_member_is_described() -> None:
    bare = [
        path
        for path, item in subschemas(schema())
        # What an `if` looks at is described where it is listed.
        if path.rpartition("/")[2].startswith(("properties.", "$defs."))
        and "/if/" not in path
        and not item.get("description")
    ]
    assert bare == []


def test_every_definition_has_a_title() -> None:
    definitions = schema()["$defs"]
    assert isinstance(definitions, dict)
    assert [name for name, item in definitions.items() if not item.get("title")] == []


def test_every_listing_object_is_closed_and_takes_own_members() -> None:
    definitions = schema()["$defs"]
    assert isinstance(definitions, dict)
    for name, item in definitions.items():
        if "additionalProperties" in item and item["additionalProperties"] is False:
            assert item["patternProperties"], name


def test_examples_and_defaults_fit() -> None:
    whole = schema()
    for path, item in subschemas(whole):
        examples = item.get("examples")
        values = [*examples] if isinstance(examples, list) else []
        values += [item["default"]] if "default" in item else []
        own = {key: value for key, value in item.items() if key not in ("examples", "default")}
        check = jsonschema.Draft202012Validator({**own, "$defs": whole["$defs"]})
        assert [value for value in values if not check.is_valid(value)] == [], path


def test_the_schema_stands_in_the_checkout_once() -> None:
    assert schema_path() == ROOT / "schemas/capability.schema.json"
    assert data_folder("capabilities") == ROOT / "capabilities"
    assert data_folder("nothing") is None


RENAMED = {
    "ImportedConsumesHttp": "ImportEntry",
    "AggregateFlow": "AggregateFunction",
    "ConsumedOutputParameter": "OutputParameter",
    "MockOutputParameter": "OutputParameter",
    "MappedOutputParameterBase": "OutputParameter",
    "MappedOutputParameterObject": "OutputParameter",
    "MappedOutputParameterArray": "OutputParameter",
    "OrchestratedOutputParameterBase": "OutputParameter",
    "OrchestratedOutputParameterScalar": "OutputParameter",
    "OrchestratedOutputParameterArray": "OutputParameter",
    "OrchestratedOutputParameterObject": "OutputParameter",
    "MappedOutputParameterString": "OutputParameter",
    "MappedOutputParameterNumber": "OutputParameter",
    "MappedOutputParameterBoolean": "OutputParameter",
    "OperationStepBase": "OperationStepCall",
    "AuthDigest": "AuthBasic",
    "TunnelZiti": "TunnelConfig",
}


@needs_reference
def test_it_has_every_member_that_the_published_schemas_have() -> None:
    definitions = schema()["$defs"]
    assert isinstance(definitions, dict)
    lacking = []
    for path in sorted((SHARED / "reference/schemas").glob("*.json")):
        published = read_json(path.read_text(encoding="utf-8"))["$defs"]
        assert isinstance(published, dict)
        for name, item in published.items():
            own = definitions.get(RENAMED.get(name, name), {})
            members = set(own.get("properties", {}))
            if name.startswith("RequestBody") and not name.endswith("Part"):
                members = {"type", "data"}
            extra = set(item.get("properties", {})) - members
            lacking += [f"{path.stem} {name}.{member}" for member in sorted(extra)]
    assert lacking == []


# Public documents --------------------------------------------------------------------------


@needs_corpus
def test_official_documents_have_no_findings() -> None:
    documents = [
        path
        for path in corpus_documents()
        if path.relative_to(CORPUS).parts[0].split("@")[0] in OFFICIAL
    ]
    assert len(documents) > 20
    found = {
        str(path.relative_to(CORPUS)): written(schema_findings(load_document(path)))
        for path in documents
    }
    assert {path: text for path, text in found.items() if text} == {}


@needs_corpus
@pytest.mark.parametrize("path", corpus_documents(), ids=lambda path: str(path.relative_to(CORPUS)))
def test_public_documents_have_few_findings(path: Path) -> None:
    found = schema_findings(load_document(path))
    assert len(found) <= 16
    assert all(item.location.path == str(path) for item in found)


@pytest.mark.skipif(not (SHARED / "seeds").is_dir(), reason="the seed is not here")
def test_the_seed_has_no_findings() -> None:
    document = load_document(SHARED / "seeds/workflow-orchestration.yaml")
    assert schema_findings(document) == []

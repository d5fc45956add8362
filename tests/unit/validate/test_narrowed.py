"""The part of the schema that a file is checked against finds what all of it finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from jsonschema_rs import Draft202012Validator, RegexOptions

from naftiko.document.reader import load_document
from naftiko.resources import read_schema
from naftiko.validate.schema import checkable, narrowed, of_generation

CASES = Path(__file__).parents[2] / "cases"
SHIPPED = Path(__file__).parents[3] / "capabilities"
FILES = sorted((*CASES.glob("schema/*.yaml"), *SHIPPED.glob("*.yaml")))
WHOLE = orjson.loads(read_schema())


def errors(schema: Any, value: Any) -> list[tuple[Any, ...]]:
    """What a schema finds, as far as findings are made of it."""
    validator = Draft202012Validator(schema, pattern_options=RegexOptions())
    return sorted(
        (error.kind.name, tuple(map(str, error.schema_path)), tuple(map(str, error.instance_path)))
        for error in validator.iter_errors(value)
    )


@pytest.fixture(scope="module", params=["naftiko", "ikanos"])
def generation(request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    return str(request.param)


@pytest.fixture(scope="module")
def complete(generation: str) -> Callable[[Any], list[tuple[Any, ...]]]:
    """What all of the schema finds."""
    own = {name: of_generation(value, generation) for name, value in WHOLE.items()}
    return lambda value: errors(own, value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_it_finds_is_the_same(
    path: Path, generation: str, complete: Callable[[Any], list[tuple[Any, ...]]]
) -> None:
    value, names = checkable(load_document(path).root)
    narrow = narrowed(WHOLE, generation, names)

    assert errors(narrow, value) == complete(value)


def test_what_no_member_leads_to_is_left_out() -> None:
    narrow = narrowed(WHOLE, "naftiko", {"naftiko", "info", "label"})

    assert list(cast("dict[str, object]", narrow["$defs"])) == ["Info"]

"""The permission data, read a service at a time."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from naftiko.errors import StartError
from naftiko.workflow.security.iam_services import Services

FILE = Path(__file__).parents[4] / "capabilities" / "workflow-catalog" / "iam" / "definition.json"
SMALL = b"""{"format":"naftiko.iam/1","services":{
"a":{"actions":{}},
"b":{"actions":{"X":"L"}}
}}
"""


def test_every_service_is_as_in_the_whole_file() -> None:
    data = FILE.read_bytes()
    whole = orjson.loads(data)["services"]
    services = Services(data)
    assert list(services) == list(whole)
    assert len(services) == len(whole)
    assert dict(services) == whole


def test_another_writing_of_the_file_is_read_too() -> None:
    services = Services(orjson.dumps(orjson.loads(SMALL), option=orjson.OPT_INDENT_2))
    assert dict(services) == dict(Services(SMALL))


def test_what_is_not_there() -> None:
    services = Services(SMALL)
    assert "c" not in services
    assert services.get("c") is None
    assert "a" in services


@pytest.mark.parametrize(
    "data", [b"", b"{", SMALL.replace(b'{"X":"L"}', b'{"X":')], ids=["empty", "cut", "line"]
)
def test_a_broken_file_is_told(data: bytes) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        dict(Services(data))

"""How the pages of an operation follow each other, from botocore's paginators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naftiko.awsapi.catalog import paginators, service_model
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.resolution.paths import find_shape

if TYPE_CHECKING:
    from botocore.model import Shape

MAX_ITEMS = 1_000
_TOKENS = (
    ("NextToken", "NextToken"),
    ("nextToken", "nextToken"),
    ("Marker", "NextMarker"),
    ("NextMarker", "NextMarker"),
)
_SIZES = ("MaxResults", "maxResults", "MaxItems", "Limit", "limit", "PageSize", "MaxRecords")


def paginate_of(
    service: str, operation: str, *, max_items: int = MAX_ITEMS, page_size: int | None = None
) -> JsonObject | None:
    """Return the `paginate` of a plan's call; None where the answer has no pages.

    {"input": ["Marker"], "output": [["Marker"]], "result": ["DBSnapshots"], "more": None, "size":
    "MaxRecords", "max_items": 1000, "page_size": None}
    """
    config = paginators(service).get(operation)
    found = _modelled(service, operation, config) if config else _evident(service, operation)
    return {**found, "max_items": max_items, "page_size": page_size} if found else None


def _modelled(service: str, operation: str, config: object) -> JsonObject | None:
    assert isinstance(config, dict)
    output = service_model(service).operation_model(operation).output_shape
    tokens = [_alternatives(token) for token in _texts(config["output_token"])]
    results = [text for text in _texts(config["result_key"]) if find_shape(output, text)]
    paths = [alternative for token in tokens for alternative in token]
    if not results or not all(_exists(output, path) for path in paths):
        return None
    more = config.get("more_results")
    size = config.get("limit_key")
    return {
        "input": list[JsonValue](_texts(config["input_token"])),
        "output": [list[JsonValue](token) for token in tokens],
        "result": list[JsonValue](results),
        "more": str(more) if more and find_shape(output, str(more)) else None,
        "size": str(size) if size else None,
    }


def _evident(service: str, operation: str) -> JsonObject | None:
    """Return how pages follow where no paginator says it: equal tokens and one list."""
    model = service_model(service).operation_model(operation)
    given, output = model.input_shape, model.output_shape
    if given is None or output is None or not operation.startswith(("List", "Describe", "Get")):
        return None
    token = next(
        (pair for pair in _TOKENS if pair[0] in given.members and pair[1] in output.members), None
    )
    lists = [name for name, shape in output.members.items() if shape.type_name == "list"]
    if token is None or len(lists) != 1:
        return None
    size = next((name for name in _SIZES if name in given.members), None)
    return {
        "input": [token[0]],
        "output": [[token[1]]],
        "result": [lists[0]],
        "more": None,
        "size": size,
    }


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _alternatives(token: str) -> list[str]:
    return [part.strip() for part in token.split("||")]


def _exists(output: Shape | None, path: str) -> bool:
    """Tell whether a path leads somewhere; `[-1]`, the last element, stands in tokens alone."""
    return find_shape(output, path.replace("[-1]", "[0]")) is not None

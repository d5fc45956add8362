"""Documents in the spellings of the query protocol, called in the service's own."""

from __future__ import annotations

import pytest

from naftiko.plan.ports import SuppliesArguments
from naftiko.values import JsonObject
from tests.unit.consumes.http.apis import Api, compile_api
from tests.unit.consumes.http.test_amazon import amazon, names

ENVIRONMENT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "eu-west-1"}


def queue(operation: str, pieces: str, path: str = "/{accountId}/{queueName}/attributes") -> Api:
    return compile_api(
        "consumes:\n  - namespace: sqs\n    type: http\n    baseUri: https://sqs.{region}."
        f"amazonaws.com\n    resources:\n      - name: r\n        path: '{path}'\n"
        f"        operations: [{{name: {operation}, method: POST, {pieces}}}]\n",
        ENVIRONMENT,
    )


def rendered(compiled: Api, operation: str, **arguments: object) -> JsonObject:
    return amazon(compiled, operation).arguments.render(arguments)  # type: ignore[arg-type]  # JSON values


def test_the_path_names_the_queue() -> None:
    compiled = queue("getqueueattributes", "inputParameters: []")
    assert names(amazon(compiled, "getqueueattributes")) == [
        "AttributeNames",
        "accountId*",
        "queueName*",
    ]
    assert rendered(compiled, "getqueueattributes", accountId=1, queueName="a b") == {
        "QueueUrl": "http://127.0.0.1:1/1/a%20b"
    }
    assert rendered(compiled, "getqueueattributes", queueName="q") == {}


@pytest.mark.parametrize(
    ("operation", "pieces", "path"),
    [
        ("purgequeue", "inputParameters: [{name: QueueUrl, in: query}]", "/{a}/{b}"),
        ("purgequeue", "body: {type: json, data: {QueueUrl: '{{url}}'}}", "/{a}/{b}"),
        ("purgequeue", "inputParameters: []", "/queues/{b}"),
    ],
)
def test_a_queue_url_that_the_file_gives_is_left_alone(
    operation: str, pieces: str, path: str
) -> None:
    compiled = queue(operation, pieces, path)
    assert any(
        item.rstrip("*") in ("QueueUrl", "url") for item in names(amazon(compiled, operation))
    )


def test_numbered_members_are_a_list() -> None:
    pieces = "inputParameters: [{name: AttributeName.1, in: query}, {name: AttributeName.2}]"
    compiled = queue("getqueueattributes", pieces)
    assert names(amazon(compiled, "getqueueattributes"))[:2] == [
        "AttributeName.1",
        "AttributeName.2",
    ]
    given = {"AttributeName.2": "All", "accountId": "1", "queueName": "q"}
    assert rendered(compiled, "getqueueattributes", **given)["AttributeNames"] == ["All"]


def test_declared_query_parameters_beside_a_whole_body() -> None:
    compiled = queue(
        "listqueues", "inputParameters: [{name: body, in: body}, {name: MaxResults, in: query}]", ""
    )
    assert names(amazon(compiled, "listqueues")) == ["MaxResults", "body"]
    assert rendered(compiled, "listqueues", body={"QueueNamePrefix": "a"}, MaxResults=5) == {
        "QueueNamePrefix": "a",
        "MaxResults": 5,
    }


def test_what_the_model_supplies_is_known() -> None:
    operation = amazon(queue("listqueues", "inputParameters: []", "/"), "listqueues")
    assert isinstance(operation, SuppliesArguments)
    assert {"action", "version", "x-amz-target"} <= operation.supplied


def test_a_blank_page_token_is_none() -> None:
    compiled = queue("listqueues", "inputParameters: [{name: NextToken}, {name: MaxResults}]", "/")
    given: dict[str, object] = {"NextToken": "", "MaxResults": "", "QueueNamePrefix": "a"}
    rest = rendered(compiled, "listqueues", **given)
    assert rest == {"NextToken": "", "QueueNamePrefix": "a"}, "this API may take a blank token"

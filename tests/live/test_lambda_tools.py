"""capabilities/lambda-tools.yaml: on the sandbox, and on a scripted AWS where moto lacks an API."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from naftiko.sandbox import Sandbox
from tests.case_files import ROOT
from tests.live.mcp.clients import connect
from tests.live.scripted import ScriptedApi, scripted_api
from tests.live.serving import Served, serving
from tests.live.waiting import until

FILE = ROOT / "capabilities/lambda-tools.yaml"
MODES = ["legacy", "2026-07-28"]
VARIABLES = (
    "FUNCTION_PREFIX", "FUNCTION_LIST", "FUNCTION_TAG_KEY", "FUNCTION_TAG_VALUE",
    "FUNCTION_INPUT_SCHEMA_ARN_TAG_KEY", "FUNCTION_LOG_TAIL", "DISCOVERY_REFRESH",
)  # fmt: skip
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
SCHEMAS = "arn:aws:schemas:us-east-1:123456789012:schema/"
TEAM_TAG = {"FUNCTION_TAG_KEY": "team"}


class Account:
    """The functions of the sandbox's account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.role = self._client("iam").create_role(
            RoleName="lambda-tools", AssumeRolePolicyDocument="{}"
        )
        self.functions = self._client("lambda")

    def _client(self, service: str) -> Any:
        account = self.sandbox.account
        return boto3.client(
            service,
            endpoint_url=account.endpoint_url,
            region_name=account.region,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
        )

    def deploy(
        self,
        name: str,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        **variables: str,
    ) -> None:
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self.role["Role"]["Arn"],
            Handler="handler.handle",
            Code={"ZipFile": _code()},
            Description=description,
            Tags=dict(tags or {}),
            Environment={"Variables": variables},
        )

    def serving(self, **variables: str) -> contextlib.AbstractContextManager[Served]:
        environment = dict.fromkeys(VARIABLES, "") | self.sandbox.environment() | variables
        return serving(FILE, environment=environment, sandbox=True)


def _code() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", "def handle(event, context):\n    return event\n")
    return archive.getvalue()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture
def account(sandbox: Sandbox) -> Iterator[Account]:
    yield Account(sandbox)
    sandbox.reset()


def tools(served: Served) -> dict[str, Any]:
    async def story() -> dict[str, Any]:
        async with connect(f"{served.urls['lambda-tools']}/mcp", "legacy") as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    return asyncio.run(story())


def call(served: Served, tool: str, **arguments: Any) -> Any:
    async def story() -> Any:
        async with connect(f"{served.urls['lambda-tools']}/mcp", "legacy") as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(story())


def status(served: Served) -> Any:
    (finder,) = served.capability.plan.discoveries
    return until(lambda: finder.status() if finder.status()["state"] == "ready" else None)


@pytest.mark.parametrize("mode", MODES)
def test_every_function_is_a_tool(account: Account, mode: str) -> None:
    account.deploy("place-order", "Places an order.", PASSWORD="of the database")
    account.deploy("quote", SANDBOX_ANSWER='{"total": 12.5}')
    account.deploy("greet", SANDBOX_ANSWER="plain text")

    async def story(served: Served) -> None:
        async with connect(f"{served.urls['lambda-tools']}/mcp", mode) as client:
            found = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert sorted(found) == ["greet", "place_order", "quote"]
            order = found["place_order"]
            assert (order.title, order.description) == ("place-order", "Places an order.")
            assert order.input_schema == {"type": "object"}
            assert order.annotations.read_only_hint is False
            assert order.annotations.destructive_hint is True
            assert found["quote"].description == "AWS Lambda function: quote"
            placed = await client.call_tool("place_order", {"lines": [{"sku": "a", "n": 2}]})
            assert placed.is_error is False
            assert placed.structured_content == {
                "function": "place-order",
                "version": "$LATEST",
                "result": {"lines": [{"sku": "a", "n": 2}]},
            }
            # What has the name of a parameter of AWS's is an argument like any other.
            named = {"FunctionName": "quote", "Qualifier": "9", "LogType": "Tail", "function": 1}
            echoed = await client.call_tool("place_order", named)
            assert echoed.structured_content["result"] == named
            assert len(echoed.content) == 1
            assert json.loads(placed.content[0].text) == placed.structured_content
            assert len(placed.content) == 1
            quoted = await client.call_tool("quote", {})
            assert quoted.structured_content["result"] == {"total": 12.5}
            greeted = await client.call_tool("greet", {})
            assert greeted.structured_content["result"] == "plain text"

    with account.serving() as served:
        (finder,) = served.capability.plan.discoveries
        asyncio.run(story(served))
        assert "of the database" not in str([entry.item for entry in finder.entries])
        listed = served.request("lambda-tools-api", "GET", "/v1/functions")
    assert listed.status == 200
    assert [entry["tool"] for entry in listed.body["functions"]] == [
        "place_order",
        "quote",
        "greet",
    ]
    first = listed.body["functions"][0]
    assert first.keys() == {"tool", "name", "arn", "description", "runtime", "lastModified"}
    assert (first["name"], first["arn"]) == ("place-order", f"{ARN}place-order")


def test_a_function_that_fails_is_an_error(account: Account) -> None:
    account.deploy("broken", SANDBOX_ERROR="OrderError: there is no order 7")
    account.deploy("fine", SANDBOX_ANSWER='{"errorType": "none", "errorMessage": "all is well"}')
    with account.serving() as served:
        failed = call(served, "broken", order=7)
        fine = call(served, "fine")
    assert failed.is_error is True
    assert failed.structured_content["error"] == {
        "kind": "Unhandled",
        "errorType": "OrderError",
        "errorMessage": "there is no order 7",
    }
    assert fine.is_error is False
    assert "error" not in fine.structured_content
    assert fine.structured_content["result"]["errorMessage"] == "all is well"


def test_the_log_comes_where_it_is_asked_for(account: Account) -> None:
    account.deploy("broken", SANDBOX_ERROR="OrderError: there is no order 7")
    with account.serving(FUNCTION_LOG_TAIL="true") as served:
        failed = call(served, "broken")
    assert failed.is_error is True
    log = failed.content[1].resource
    assert (log.uri, log.mime_type) == ("lambda://broken/log", "text/plain")
    assert b"[ERROR] OrderError: there is no order 7" in base64.b64decode(log.blob)


def test_of_a_large_answer_the_beginning_comes(account: Account) -> None:
    account.deploy("large")
    with account.serving() as served:
        found = call(served, "large", text="x" * 300_000).structured_content
        small = call(served, "large", text="x" * 200_000).structured_content
    assert found["truncated"] is True
    assert found["result"] == '{"text":"' + "x" * 99_991
    assert "truncated" not in small
    assert small["result"] == {"text": "x" * 200_000}


SELECTED: list[tuple[str, dict[str, str], list[str], list[str]]] = [
    ("all", {}, ["a_orders", "a_returns", "b_orders", "plain"], []),
    ("prefix", {"FUNCTION_PREFIX": "a-"}, ["orders", "returns"], []),
    ("prefix-of-none", {"FUNCTION_PREFIX": "z-"}, [], []),
    ("list", {"FUNCTION_LIST": "a-orders , plain,"}, ["a_orders", "plain"], []),
    ("empty-list", {"FUNCTION_LIST": " , "}, ["a_orders", "a_returns", "b_orders", "plain"], []),
    ("arn", {"FUNCTION_LIST": f"{ARN}b-orders"}, ["b_orders"], []),
    (
        "prefix-or-list",
        {"FUNCTION_PREFIX": "a-", "FUNCTION_LIST": f"{ARN}plain,b-orders"},
        ["b_orders", "orders", "plain", "returns"],
        [],
    ),
    (
        "unknown",
        {"FUNCTION_LIST": f"plain,plan,{ARN}gone"},
        ["plain"],
        [
            "FUNCTION_LIST names `plan`, and there is no such function",
            f"FUNCTION_LIST names `{ARN}gone`, and there is no such function",
        ],
    ),
    ("tag", TEAM_TAG | {"FUNCTION_TAG_VALUE": "blue"}, ["a_orders", "b_orders"], []),
    ("tag-of-none", TEAM_TAG | {"FUNCTION_TAG_VALUE": "pink"}, [], []),
    (
        "prefix-and-tag",
        TEAM_TAG | {"FUNCTION_TAG_VALUE": "blue", "FUNCTION_PREFIX": "a-"},
        ["orders"],
        [],
    ),
    (
        "key-alone",
        TEAM_TAG,
        [],
        [
            "no function is selected: FUNCTION_TAG_KEY and FUNCTION_TAG_VALUE are a pair, and only "
            "one of them is set"
        ],
    ),
    (
        "value-alone",
        {"FUNCTION_TAG_VALUE": "blue"},
        [],
        [
            "no function is selected: FUNCTION_TAG_KEY and FUNCTION_TAG_VALUE are a pair, and only "
            "one of them is set"
        ],
    ),
]


@pytest.mark.parametrize(
    ("variables", "names", "reports"),
    [pytest.param(*case, id=name) for name, *case in SELECTED],
)
def test_selection(
    account: Account, variables: dict[str, str], names: list[str], reports: list[str]
) -> None:
    for name, team in (("a-orders", "blue"), ("a-returns", "red"), ("b-orders", "blue")):
        account.deploy(name, f"Of team {team}", {"team": team})
    account.deploy("plain")
    with account.serving(**variables) as served:
        found = tools(served)
        assert sorted(found) == names
        assert status(served)["problems"] == reports
        # The variables are settings: nothing of what they say is masked.
        assert not any("*" in tool.title for tool in found.values())


def test_odd_names(account: Account) -> None:
    names = ["p-", "p-a-b", "p-a_b", "p-7", "p-" + "x" * 62, "list_tools"]
    for name in names:
        account.deploy(name)

    def served_names() -> dict[str, str]:
        with account.serving(FUNCTION_PREFIX="p-", FUNCTION_LIST="list_tools") as served:
            body = served.request("lambda-tools-api", "GET", "/v1/functions").body
            found = {entry["name"]: entry["tool"] for entry in body["functions"]}
            assert sorted(tools(served)) == sorted(found.values())
            for name, tool in found.items():
                assert call(served, tool).structured_content["function"] == name
        return found

    found = served_names()
    assert sorted(found) == sorted(names)
    assert len(set(found.values())) == len(names)
    assert found["p-7"] == "7"
    assert found["p-" + "x" * 62] == "x" * 62
    assert found["p-"].startswith("functions_")
    assert found["p-a-b"].startswith("a_b_")
    assert found["p-a_b"].startswith("a_b_")
    assert served_names() == found


def test_functions_that_come_and_go(account: Account) -> None:
    account.deploy("first")

    def eventually(served: Served, *names: str) -> None:
        until(lambda: sorted(tools(served)) == sorted(names) or None)

    with account.serving(DISCOVERY_REFRESH="1s") as served:
        assert sorted(tools(served)) == ["first"]
        account.deploy("second", "It came later.")
        eventually(served, "first", "second")
        assert call(served, "second", n=1).structured_content["result"] == {"n": 1}
        account.functions.update_function_configuration(
            FunctionName="second", Description="It has changed."
        )
        until(lambda: tools(served)["second"].description == "It has changed." or None)
        account.functions.delete_function(FunctionName="second")
        eventually(served, "first")


def test_a_function_that_went_between_list_and_call(account: Account) -> None:
    account.deploy("gone")
    with account.serving() as served:
        assert sorted(tools(served)) == ["gone"]
        account.functions.delete_function(FunctionName="gone")
        result = call(served, "gone")
    assert result.is_error is True
    assert "invocations.invoke" in result.content[0].text


# ------------------------------------------------------------ what moto lacks: pages, schemas

LISTED = "GET /2015-03-31/functions?MaxItems=10000"
INVOKED = f"POST /2015-03-31/functions/{quote(ARN + 'orders', safe='')}/invocations"
REGISTERED = "GET /v1/registries/name/shop/schemas/name/"
ORDER = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "required": ["to"],
    "properties": {"to": {"$ref": "#/definitions/Address"}},
    "definitions": {"Address": {"type": "object", "required": ["city"]}},
}
EVENT = {
    "openapi": "3.0.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {},
    "components": {
        "schemas": {"Order": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    },
}


def _functions(*names: str, **more: str) -> dict[str, Any]:
    found = [{"FunctionName": name, "FunctionArn": ARN + name} for name in names]
    return {"json": {"Functions": found, **more}}


def _tags(name: str, **tags: str) -> dict[str, Any]:
    return {f"GET /2017-03-31/tags/{quote(ARN + name, safe='')}": {"json": {"Tags": tags}}}


def _schema(content: Any, kind: str) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    return {"json": {"SchemaName": "x", "Type": kind, "Content": text}}


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


Serve = Callable[..., contextlib.AbstractContextManager[Served]]


@pytest.fixture
def serve(api: ScriptedApi) -> Serve:
    def start(**variables: str) -> contextlib.AbstractContextManager[Served]:
        environment = dict.fromkeys(VARIABLES, "") | {
            "AWS_ENDPOINT_URL": api.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        return serving(FILE, environment=environment | variables)

    return start


def test_all_pages_are_listed(api: ScriptedApi, serve: Serve) -> None:
    pages = {
        LISTED: _functions("a", "b", NextMarker="2"),
        "GET /2015-03-31/functions?Marker=2&MaxItems=9998": _functions("c", NextMarker="3"),
        "GET /2015-03-31/functions?Marker=3&MaxItems=9997": _functions("d"),
    }
    api.play(pages)
    with serve() as served:
        assert sorted(tools(served)) == ["a", "b", "c", "d"]
    # Without a variable that needs them, nobody's tags are asked for.
    assert api.requests == list(pages)


def test_a_registered_schema_is_the_tools_own(api: ScriptedApi, serve: Serve) -> None:
    api.play(
        {
            LISTED: _functions("orders", "events", "lost", "untagged", "astray"),
            **_tags("orders", input=f"{SCHEMAS}shop/Order"),
            **_tags("events", input=f"{SCHEMAS}shop/Event"),
            **_tags("lost", input=f"{SCHEMAS}shop/Lost"),
            **_tags("untagged", other="1"),
            **_tags("astray", input="Order"),
            f"{REGISTERED}Order": _schema(ORDER, "JSONSchemaDraft4"),
            f"{REGISTERED}Event": _schema(EVENT, "OpenApi3"),
            INVOKED: {"json": {"placed": True}},
        }
    )
    with serve(FUNCTION_INPUT_SCHEMA_ARN_TAG_KEY="input") as served:
        found = {name: tool.input_schema for name, tool in tools(served).items()}
        refused = call(served, "orders", to={"street": "x"})
        asked = list(api.requests)
        placed = call(served, "orders", to={"city": "Paris"})
    assert found == {
        "orders": {
            "type": "object",
            "required": ["to"],
            "properties": {"to": {"type": "object", "required": ["city"]}},
        },
        "events": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "lost": {"type": "object"},
        "untagged": {"type": "object"},
        "astray": {"type": "object"},
    }
    assert refused.is_error is True
    assert "city" in refused.content[0].text
    assert INVOKED not in asked
    assert placed.structured_content["result"] == {"placed": True}
    assert api.bodies[api.requests.index(INVOKED)] == {"to": {"city": "Paris"}}


def test_a_schema_that_cannot_be_read_now(api: ScriptedApi, serve: Serve) -> None:
    broken = {"status": 503, "json": {"message": "later"}}
    api.play(
        {
            LISTED: _functions("orders", "plain"),
            **_tags("orders", input=f"{SCHEMAS}shop/Order"),
            **_tags("plain"),
            f"{REGISTERED}Order": {"sequence": [broken] * 3 + [_schema(ORDER, "JSONSchemaDraft4")]},
        }
    )
    with serve(FUNCTION_INPUT_SCHEMA_ARN_TAG_KEY="input") as served:
        until(lambda: len(tools(served)) == 2 or None)
        assert tools(served)["orders"].input_schema["required"] == ["to"]
    assert api.requests.count(f"{REGISTERED}Order") == 4


def test_tags_that_cannot_be_read_select_nothing(api: ScriptedApi, serve: Serve) -> None:
    denied = {"status": 403, "json": {"__type": "AccessDeniedException", "message": "no"}}
    api.play(
        {
            LISTED: _functions("orders", "plain"),
            **_tags("orders", team="blue"),
            f"GET /2017-03-31/tags/{quote(ARN + 'plain', safe='')}": denied,
        }
    )
    with serve(FUNCTION_TAG_KEY="team", FUNCTION_TAG_VALUE="blue") as served:
        assert sorted(tools(served)) == ["orders"]
        (failure,) = status(served)["failures"]
    assert (failure["key"], failure["code"]) == (f"{ARN}plain", "access-denied")


def test_what_aws_refuses_is_an_error(api: ScriptedApi, serve: Serve) -> None:
    throttled = {"status": 403, "json": {"__type": "AccessDeniedException", "message": "no"}}
    api.play({LISTED: _functions("orders"), INVOKED: throttled})
    with serve() as served:
        result = call(served, "orders")
    assert result.is_error is True
    assert api.requests.count(INVOKED) == 1


def test_thousands_of_functions(api: ScriptedApi, serve: Serve) -> None:
    api.play({LISTED: _functions(*(f"function-{number}" for number in range(4000)))})
    with serve() as served:
        listed = served.request("lambda-tools-api", "GET", "/v1/functions")
    assert len(listed.body["functions"]) == 4000

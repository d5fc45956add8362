"""Public documents run: every route and tool they expose is called, and means what they say.

HTTP documents call an upstream that echoes, AWS documents the embedded sandbox. The documents lie
beside the project; the tests skip where they are absent.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from naftiko.sandbox import Sandbox
from tests.case_files import SHARED
from tests.live.corpus_aws import World, api_name, build_world
from tests.live.corpus_calls import Exposed, call, exposed
from tests.live.http.upstream import Upstream, running_upstream
from tests.live.serving import Served, serving

CORPUS = SHARED / "corpus"
TUTORIAL = "naftiko+framework/src/main/resources/tutorial"
IKANOS = "naftiko+ikanos/modules/ikanos-engine/src/test/resources"
HTTP = {
    f"{TUTORIAL}/step-1-shipyard-mock.yml": 1,
    f"{TUTORIAL}/step-2-shipyard-wiring.yml": 2,
    f"{TUTORIAL}/step-3-shipyard-auth.yml": 2,
    f"{TUTORIAL}/step-4-shipyard-output-shaping.yml": 2,
    f"{TUTORIAL}/step-5-shipyard-multi-source.yml": 3,
    f"{TUTORIAL}/step-6-shipyard-write-operations.yml": 4,
    f"{TUTORIAL}/step-7-shipyard-orchestrated-lookup.yml": 10,
    f"{TUTORIAL}/step-8-shipyard-skill-groups.yml": 5,
    f"{TUTORIAL}/step-9-shipyard-aggregates.yml": 5,
    f"{TUTORIAL}/step-10-shipyard-rest-adapter.yml": 10,
    f"{TUTORIAL}/step-11-shipyard-fleet-manifest.yml": 12,
    f"{IKANOS}/skill-capability.yaml": 1,
    f"{IKANOS}/aggregates/aggregate-basic.yaml": 4,
    f"{IKANOS}/mcp/mcp-resources-prompts-capability.yaml": 1,
    "naftiko+microsoft-outlook-sandbox/capability/microsoft-outlook-sandbox.naftiko.yml": 6,
    "api-evangelist+conductor/capabilities/workflow-orchestration.yaml": 26,
    "api-evangelist+national-weather-service/capabilities/national-weather-service.yaml": 130,
}
"""Documents over HTTP APIs, and how many routes and tools they have."""

BASE_URI = re.compile(r"""^(\s*baseUri:\s*["']?)https?://[^/\s"']+""", re.MULTILINE)
VARIABLE = re.compile(r"""^\s+[A-Z][A-Z0-9_]+:\s*"?([A-Z][A-Z0-9_]+)"?\s*$""", re.MULTILINE)
SECRETS = {
    f"{TUTORIAL}/step-10-shipyard-rest-adapter.yml": (
        ("/naftiko-shipyard-maritime-registry-api/", "authorization", "Bearer dummy-token"),
        ("/naftiko-shipyard-maritime-registry-api/", "registry-version", "1.0.0-alpha2"),
        ("/naftiko-shipyard-legacy-dockyard-api/", "x-dock-key", "dummy-dockyard-key"),
    ),
    "api-evangelist+conductor/capabilities/workflow-orchestration.yaml": (
        ("/api/", "authorization", "Bearer value-of-conductor_api_token"),
    ),
    "api-evangelist+national-weather-service/capabilities/national-weather-service.yaml": (
        ("/", "user-agent", "value-of-national_weather_service_api_key"),
    ),
}
"""What bound variables become: part of the path, header, value."""
FILLS_NOTHING = {"x-y", "latitude-longitude"}
"""Variables of exposed paths that no parameter stands for; a note at load says so."""

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the corpus does not lie beside the project"
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


def copy_for(relative: str, folder: Path, upstream: Upstream) -> dict[str, str]:
    """Copy a document and its neighbours; their `baseUri` lines name the upstream.

    Returns a value for every variable that they bind to the environment.
    """
    top = Path(relative).parts[0]
    shutil.copytree(CORPUS / top, folder / top)
    names: set[str] = set()
    for file in (folder / top).glob("**/*.y*ml"):
        text = file.read_text(encoding="utf-8")
        names.update(VARIABLE.findall(text))
        file.write_text(BASE_URI.sub(rf"\g<1>{upstream.url}", text), encoding="utf-8")
    return {name: f"value-of-{name.lower()}" for name in names}


@pytest.mark.parametrize("relative", HTTP)
def test_every_route_and_tool_sends_what_the_document_says(
    relative: str, upstream: Upstream, tmp_path: Path
) -> None:
    environment = copy_for(relative, tmp_path, upstream)
    first = len(upstream.requests)
    with serving(
        tmp_path / relative, environment=environment, workspace=tmp_path, host="127.0.0.1"
    ) as served:
        targets = list(exposed(served))
        for target in targets:
            for optional in (True, False):
                check_call(served, target, upstream, optional=optional)

    assert len(targets) == HTTP[relative]
    for part, header, value in SECRETS.get(relative, ()):
        sent = [item for item in upstream.requests[first:] if part in item["path"]]
        assert {item["headers"].get(header) for item in sent} == {value}


def check_call(served: Served, target: Exposed, upstream: Upstream, *, optional: bool) -> None:
    """Call it with all inputs, or only those it requires, and look at what went out."""
    arguments = {
        item.name: example(item.name, item.schema)
        for item in target.inputs
        if optional or item.required
    }
    before = len(upstream.requests)

    outcome = call(served, target, arguments)

    # The upstream echoes JSON; tests/live/tutorial answers in the format that is declared.
    other_format = outcome.problem.get("code") == "unreadable-answer"
    assert outcome.is_success or other_format, (target.name, arguments, outcome)
    sent = upstream.requests[before:]
    if target.client is None:
        check_composed(sent, target)
        return
    assert len(sent) == 1, target.name
    check_sent(sent[0], target, arguments)


def check_composed(sent: list[dict[str, Any]], target: Exposed) -> None:
    """Steps and functions send what their calls say; what answers by itself sends nothing."""
    assert bool(sent) == bool(target.operation.plan.calls), target.name
    for item in sent:
        texts = [item["path"], item["query"], *item["headers"].values(), item["body"][1:-1]]
        assert not any(re.search(r"\{\{|%7B", text) for text in texts), (target.name, item)


def check_sent(sent: Mapping[str, Any], target: Exposed, arguments: Mapping[str, Any]) -> None:
    """Nothing is left unfilled; every argument has arrived, encoded or in its own type."""
    body = json.loads(sent["body"]) if sent["body"] else {}
    texts = [sent["path"], sent["query"], *sent["headers"].values(), json.dumps(body)[1:-1]]
    assert not any(re.search(r"\{\w|\{\{|%7B", text) for text in texts), (target.name, sent)
    line = f"{sent['path']}?{sent['query']}"
    for name, value in arguments.items():
        if name in FILLS_NOTHING:
            continue
        parts = value if isinstance(value, list) else [value]
        shown = [part if isinstance(part, str) else json.dumps(part) for part in parts]
        in_line = all(quote(text, safe="") in line for text in shown)
        assert in_line or value in body.values(), (target.name, name, sent)
    absent = {item.name for item in target.inputs} - arguments.keys()
    query_names = {unquote(pair.partition("=")[0]) for pair in sent["query"].split("&")}
    assert not absent & (query_names | body.keys()), (target.name, sent)


def example(name: str, schema: Mapping[str, Any]) -> Any:
    """Return a value that fits; texts hold what must be encoded."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "integer":
            return 7
        case "number":
            return 1.5
        case "boolean":
            return True
        case "array":
            return [example(name, schema.get("items") or {})]
        case "object":
            return {key: example(key, part) for key, part in schema.get("properties", {}).items()}
        case _:
            return f"{name} ä/&?"


STEP_FUNCTIONS = "api-evangelist+aws-step-functions"
AWS = {
    "api-evangelist+amazon-dynamodb/capabilities/dynamodb-management.yaml": ("dynamodb", 20),
    "api-evangelist+amazon-kinesis/capabilities/amazon-kinesis-workflow.yaml": ("kinesis", 3),
    "api-evangelist+amazon-kinesis/capabilities/shared/kinesis.yaml": ("kinesis", 2),
    "api-evangelist+amazon-sqs/capabilities/message-queuing.yaml": ("sqs", 23),
    "api-evangelist+amazon-sqs/capabilities/shared/sqs.yaml": ("sqs", 7),
    "api-evangelist+amazon-sqs@1a862d7/capabilities/amazon-sqs-queues.yaml": ("sqs", 16),
    "api-evangelist+amazon-cognito/capabilities/user-authentication.yaml": ("cognito", 19),
    "api-evangelist+amazon-cognito/capabilities/shared/cognito-user-pools.yaml": ("cognito", 5),
    "api-evangelist+amazon-cognito/capabilities/shared/cognito-identity-pools.yaml": ("cognito", 3),
    "api-evangelist+amazon-eventbridge/capabilities/shared/api.yaml": ("events", 24),
    "api-evangelist+step-functions/capabilities/workflow-orchestration.yaml": ("stepfunctions", 32),
    "api-evangelist+step-functions/capabilities/shared/step-functions.yaml": ("stepfunctions", 7),
    "api-evangelist+step-functions@c9fd268/capabilities/workflow-orchestration.yaml": (
        "stepfunctions",
        32,
    ),
    "api-evangelist+step-functions@e2fd6d0/capabilities/step-functions-state-machines.yaml": (
        "stepfunctions",
        2,
    ),
    f"{STEP_FUNCTIONS}@1769868/capabilities/aws-step-functions.yaml": ("stepfunctions", 52),
    f"{STEP_FUNCTIONS}@4d17310/capabilities/aws-step-functions-capability.yaml": (
        "stepfunctions",
        52,
    ),
}
"""Documents over AWS, the service, and how many routes and tools they have."""
REFUSED_BY_AWS = {
    "DescribeMapRun": "InvalidArn",  # there is no map run
    "UpdateMapRun": "InvalidArn",
    "ListExecutions": "ValidationException",  # a tool that declares no way to name a machine
}
"""Operations for which the sandbox has nothing to answer with, and what it says."""
LACKING = {"StartMessageMoveTask", "InitiateAuth"}
"""Operations that moto does not have, or fails in: 502, as for any fault of the consumed API."""


@pytest.mark.parametrize("relative", AWS)
def test_every_route_and_tool_works_against_aws(relative: str) -> None:
    service, count = AWS[relative]
    path = CORPUS / relative
    with Sandbox.start() as sandbox:
        keys = dict.fromkeys(re.findall(r"\b[A-Z]+_[A-Z_]*API_KEY\b", path.read_text()), "no-key")
        environment = {**keys, **sandbox.environment()}
        with serving(path, environment=environment, sandbox=True) as served:
            targets = list(exposed(served))
            last, world = "", World()
            for target in sorted(targets, key=lambda item: (item.namespace, is_final(item))):
                if is_final(target) or target.namespace != last:
                    last = target.namespace
                    sandbox.reset()
                    world = build_world(sandbox.account, service)
                check_aws(served, target, world)

    assert len(targets) == count


def is_final(target: Exposed) -> bool:
    """Whether it takes away what the other operations need."""
    name = target.client and api_name(target.client)
    return bool(name and re.match("(Admin)?Delete|Remove|Purge|Stop", name))


def check_aws(served: Served, target: Exposed, world: World) -> None:
    """It works, or AWS itself says why not."""
    assert target.client is not None
    operation = api_name(target.client)
    arguments = world.arguments(target.client, target.operation.inputs.schema)

    outcome = call(served, target, arguments)

    shown = (target.name, operation, arguments, outcome)
    if operation in LACKING:
        assert outcome.problem.get("code") == "upstream-error", shown
    elif not outcome.is_success:
        assert operation in REFUSED_BY_AWS, shown
        assert REFUSED_BY_AWS[operation] == outcome.problem.get("awsCode"), shown

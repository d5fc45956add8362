"""A new workflow to start from: source, tests and README that teach by example.

Spec: section 13 (layout), section 12 (`new`).
"""

from __future__ import annotations

from string import Template

from naftiko.errors import StartError, did_you_mean
from naftiko.workflow.source.schema import NAME

KINDS = ("read", "change")
SERVICES = ("s3", "dynamodb", "ec2", "lambda", "rds", "sns", "sqs")
"""Services with an example that reads; one that changes is there for `sqs` and `sns`."""

VERSION = "1.0"


def new_workflow(name: str, *, service: str | None = None, kind: str = "read") -> dict[str, str]:
    """Return the files of a small working workflow: path in the catalog -> text.

    `kind` "read" lists and filters; "change" creates something and takes it back on failure.

    "list_buckets" -> {"workflows/community/list_buckets/1.0/source.yaml": "...", ...}

    Raises: StartError for a name, service or kind that cannot be.
    """
    if NAME.pattern is None or NAME.pattern.fullmatch(name) is None:
        raise StartError(f"`{name}` is no name for a workflow", hint=f"use {NAME.expected}")
    if kind not in KINDS:
        raise StartError(f"`{kind}` is no kind of example", hint=did_you_mean(kind, KINDS))
    examples = _READS if kind == "read" else _CHANGES
    chosen = service or next(iter(examples))
    if chosen not in examples:
        raise StartError(
            f"there is no example that would {kind} with `{chosen}`",
            hint=did_you_mean(chosen, examples),
        )
    values = {"name": name, "title": name.replace("_", " "), "service": chosen}
    values |= examples[chosen]
    texts = _READ_FILES if kind == "read" else _CHANGE_FILES
    folder = workflow_folder("community" if kind == "read" else "verified", name, VERSION)
    return {f"{folder}/{file}": Template(text).substitute(values) for file, text in texts.items()}


def workflow_folder(tier: str, name: str, version: str) -> str:
    """Return where a workflow stands in a catalog: "workflows/community/list_buckets/1.0"."""
    return f"workflows/{tier}/{name}/{version}"


_READS: dict[str, dict[str, str]] = {
    "s3": {
        "action": "list_buckets",
        "list": "Buckets",
        "field": "Name",
        "permission": "s3:ListAllMyBuckets",
        "things": "buckets",
        "create": "{service: s3, action: create_bucket, input: {Bucket: demo-one}}",
        "operation": "ListBuckets",
    },
    "dynamodb": {
        "action": "list_tables",
        "list": "TableNames",
        "field": "",
        "permission": "dynamodb:ListTables",
        "things": "tables",
        "create": (
            "{service: dynamodb, action: create_table, input: {TableName: demo-one, BillingMode: "
            "PAY_PER_REQUEST, KeySchema: [{AttributeName: id, KeyType: HASH}], "
            "AttributeDefinitions: [{AttributeName: id, AttributeType: S}]}}"
        ),
        "operation": "ListTables",
    },
    "ec2": {
        "action": "describe_key_pairs",
        "list": "KeyPairs",
        "field": "KeyName",
        "permission": "ec2:DescribeKeyPairs",
        "things": "key pairs",
        "create": "{service: ec2, action: create_key_pair, input: {KeyName: demo-one}}",
        "operation": "DescribeKeyPairs",
    },
    "lambda": {
        "action": "list_functions",
        "list": "Functions",
        "field": "FunctionName",
        "permission": "lambda:ListFunctions",
        "things": "functions",
        "create": "",
        "operation": "ListFunctions",
    },
    "rds": {
        "action": "describe_db_instances",
        "list": "DBInstances",
        "field": "DBInstanceIdentifier",
        "permission": "rds:DescribeDBInstances",
        "things": "database instances",
        "create": (
            "{service: rds, action: create_db_instance, input: {DBInstanceIdentifier: demo-one, "
            "DBInstanceClass: db.t3.micro, Engine: postgres}}"
        ),
        "operation": "DescribeDBInstances",
    },
    "sns": {
        "action": "list_topics",
        "list": "Topics",
        "field": "TopicArn",
        "permission": "sns:ListTopics",
        "things": "topics",
        "create": "{service: sns, action: create_topic, input: {Name: demo-one}}",
        "operation": "ListTopics",
    },
    "sqs": {
        "action": "list_queues",
        "list": "QueueUrls",
        "field": "",
        "permission": "sqs:ListQueues",
        "things": "queues",
        "create": "{service: sqs, action: create_queue, input: {QueueName: demo-one}}",
        "operation": "ListQueues",
    },
}
_CHANGES: dict[str, dict[str, str]] = {
    "sqs": {
        "thing": "queue",
        "create_action": "create_queue",
        "create_operation": "CreateQueue",
        "name_member": "QueueName",
        "output": "QueueUrl",
        "read_action": "get_queue_attributes",
        "read_operation": "GetQueueAttributes",
        "read_input": 'QueueUrl: "$${steps.create.url}"\n      AttributeNames: [QueueArn]',
        "undo_action": "delete_queue",
        "undo_operation": "DeleteQueue",
        "undo_member": "QueueUrl",
        "selected": "Attributes",
    },
    "sns": {
        "thing": "topic",
        "create_action": "create_topic",
        "create_operation": "CreateTopic",
        "name_member": "Name",
        "output": "TopicArn",
        "read_action": "get_topic_attributes",
        "read_operation": "GetTopicAttributes",
        "read_input": 'TopicArn: "$${steps.create.url}"',
        "undo_action": "delete_topic",
        "undo_operation": "DeleteTopic",
        "undo_member": "TopicArn",
        "selected": "Attributes",
    },
}
for _row in _CHANGES.values():  # they are put into a template, and not read as one
    _row["read_input"] = _row["read_input"].replace("$$", "$")
for _row in _READS.values():
    _row["item"] = f"item.{_row['field']}" if _row["field"] else "item"
    _row["given"] = f"\n  given:\n    - {_row['create']}" if _row["create"] else ""
    _row["count"] = "1" if _row["create"] else "0"

_READ_SOURCE = """\
# A workflow is compiled to a plan that never changes: `naftiko workflow check` says what it may
# do, how risky it is and what is wrong with it, before anything runs.
name: $name
version: "$version"
description: "List the $things whose name contains a text"

metadata:
  tier: community  # community workflows only read; `verified` ones may also change things
  # author: "@your-name"
  max_duration: 60s

# What the caller gives. A parameter with a default is optional.
parameters:
  - name: text
    type: string
    description: "What the name has to contain; left empty, every name does"
    max: 100
    default: ""

# What it may do in AWS: `naftiko workflow check` computes it, and says if this list differs.
permissions:
  - "$permission"

steps:
  # Calls AWS. `context` takes the names you would say; `input` the exact members of the API.
  - id: list
    type: command
    intent: "list all $things of the account and region"
    context:
      service: $service
      action: $action

  # Keeps the elements for which `where` holds; `item` is the element.
  - id: matching
    type: primitive
    action: filter
    from: "$${steps.list.output.$list}"
    where: "$item contains params.text"

# What the caller gets back.
outputs:
  count: "$${steps.matching.count}"
  found: "$${steps.matching.items}"

# What the search for workflows reads.
embedding_metadata:
  use_cases:
    - "Which $things do I have?"
    - "Find $things by a part of their name"
    - "Take stock of the $things in my account"
  services: ["$service"]
  complexity: beginner
  risk_level: low
"""

_READ_TESTS = """\
# `naftiko workflow test` runs these on a local AWS; waits and the clock are simulated.
- name: "finds what is there"$given
  parameters: {}
  mode: full
  expect:
    status: succeeded
    outputs: {count: $count}
    calls: [$operation]

- name: "finds nothing under another name"
  parameters: {text: no-such-name}
  mode: full
  expect:
    status: succeeded
    outputs: {count: 0}

- name: "says so when AWS refuses"
  stub:
    $operation:
      - {error: {code: AccessDenied}}
  parameters: {}
  mode: full
  expect:
    status: failed
    error: AwsError
"""

_CHANGE_SOURCE = """\
# A workflow is compiled to a plan that never changes: `naftiko workflow check` says what it may
# do, how risky it is and what is wrong with it, before anything runs.
name: $name
version: "$version"
description: "Create a $thing and make sure that it can be used"

metadata:
  tier: verified  # it changes something, which community workflows may not
  # author: "@your-name"
  max_duration: 120s

# What the caller gives. Without a default a parameter marked `required` has to be given.
parameters:
  - name: name
    type: string
    description: "The name of the new $thing"
    pattern: "^[A-Za-z0-9_-]{1,60}$$"
    required: true

# What it may do in AWS: `naftiko workflow check` computes it, and says if this list differs.
permissions:
  - "$service:$create_operation"
  - "$service:$undo_operation"
  - "$service:$read_operation"

steps:
  # Run step by step, the caller sees this call and confirms it before it is sent.
  - id: create
    type: command
    intent: "create the $thing"
    context:
      service: $service
      action: $create_action
    input:
      $name_member: "$${params.name}"
    timeout: 30s
    retry:
      max_attempts: 3
    # Outputs are selected by their path in the answer; everything else is dropped.
    outputs:
      url: {path: $output}

  # Each step waits for the one before it, unless `depends_on` says otherwise.
  - id: look
    type: command
    intent: "read the attributes of the $thing"
    context:
      service: $service
      action: $read_action
    input:
      $read_input
    outputs:
      attributes: {path: $selected}

# What the caller gets back.
outputs:
  url: "$${steps.create.url}"

# What is taken back when a covered step fails: only what this very execution created.
rollback:
  - on_failure: delete_$thing
    steps: [create, look]
    context:
      service: $service
      action: $undo_action
    input:
      $undo_member: "$${steps.create.url}"

# What the search for workflows reads.
embedding_metadata:
  use_cases:
    - "Create a $thing"
    - "Set up a new $thing and check it"
    - "I need a $thing for my application"
  services: ["$service"]
  complexity: beginner
  risk_level: low
"""

_CHANGE_TESTS = """\
# `naftiko workflow test` runs these on a local AWS; waits and the clock are simulated.
- name: "creates the $thing"
  parameters: {name: demo-one}
  mode: full
  expect:
    status: succeeded
    calls: [$create_operation, $read_operation]
    not_called: [$undo_operation]

- name: "takes the $thing back when it cannot be used"
  stub:
    $read_operation:
      - {error: {code: AccessDenied}}
  parameters: {name: demo-one}
  mode: full
  expect:
    status: rolled_back
    error: AwsError
    calls: [$create_operation, $read_operation, $undo_operation]

- name: "refuses a name that cannot be"
  parameters: {name: "no blanks, please"}
  mode: full
  expect:
    status: failed
    error: InvalidParameters
    not_called: [$create_operation]
"""

_README = """\
# $title

Say here what the workflow is for, who would run it, and what it leaves behind.

```
naftiko workflow check $name
naftiko workflow test $name
naftiko workflow compile $name
naftiko workflow run $name
```

`source.yaml` is the workflow, `tests.yaml` says what it has to do; `plan.json`, which `compile`
writes, is what runs.
"""


def _with_version(text: str) -> str:
    return text.replace("$version", VERSION)


_READ_FILES = {
    "source.yaml": _with_version(_READ_SOURCE),
    "tests.yaml": _READ_TESTS,
    "README.md": _README,
}
_CHANGE_FILES = {
    "source.yaml": _with_version(_CHANGE_SOURCE),
    "tests.yaml": _CHANGE_TESTS,
    "README.md": _README,
}

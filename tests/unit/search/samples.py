"""Documents that tests search, and what they are searched with."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from naftiko.search.embedders import find_embedder, is_installed
from naftiko.search.ports import Document, Embedder, Field

HAS_SEARCH = is_installed("wordllama")
WITHOUT = "the extra `search` is not installed"

EMBEDDERS = [
    pytest.param("none", id="words only"),
    pytest.param(
        "wordllama",
        id="wordllama",
        marks=pytest.mark.skipif(not HAS_SEARCH, reason=WITHOUT),
    ),
]

HAS_NUMPY = find_spec("numpy") is not None


def embedder(name: str) -> Embedder | None:
    return find_embedder(name)


def document(name: str, *use_cases: str, rank: float = 1.0) -> Document:
    fields = [Field("name", name.replace("_", " "))]
    fields += [Field("use case", text) for text in use_cases]
    return Document(id=name, fields=tuple(fields), rank=rank)


DOCUMENTS = (
    document(
        "backup_database",
        "I need to back up my RDS database",
        "Take a snapshot of a database instance before an upgrade",
    ),
    document(
        "rotate_access_keys",
        "Rotate the access keys of an IAM user",
        "Which keys are older than ninety days",
    ),
    document(
        "expiring_certificates",
        "Which ACM certificates expire soon",
        "Warn about certificates before they run out",
    ),
    document(
        "redrive_queue",
        "Send the messages of a dead-letter queue back to where they came from",
        "SQS redrive of failed messages",
    ),
    document(
        "scale_service",
        "Set the desired count of an ECS service and wait",
        "Run more containers of a service",
    ),
    document(
        "stop_function",
        "Stop a Lambda function that runs wild",
        "Set the reserved concurrency of a function to zero",
    ),
    document(
        "dynamo_capacity",
        "Change the capacity of a DynamoDB table",
        "Raise the read and write capacity units",
    ),
)

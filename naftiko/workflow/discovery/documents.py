"""A plan -> the document that it is found by. Spec: section 9.

Plans are read here as they lie, before anybody has verified them: what is not as it should be is
left out. What is suggested in the end comes from plans that have been verified.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import cast

from naftiko.search.ports import Document, Field
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan.walk import mapping, texts

FORMAT = "naftiko.workflow-documents/1"
"""Changes with what documents are made of, so that indexes of others are not used."""

MAX_TEXT = 2_000
MAX_USE_CASES = 10
MAX_RISK = 10.0


def document_of(plan: JsonObject) -> Document:
    """Return the document of a plan: what its author says of it, and the services that it calls.

    The name `rds_backup` is the text "rds backup"; the service `rds`, "rds: Relational Database
    Service". The lower its risk, the earlier it comes among equals.
    """
    metadata = mapping(plan.get("metadata"))
    embedding = mapping(metadata.get("embedding"))
    found: list[Field] = []
    for name, text in _texts(plan, embedding, texts(metadata.get("services"))):
        if text.strip():
            found.append(Field(name, text[:MAX_TEXT]))
    return Document(id=str(plan.get("name")), fields=tuple(found), rank=risk_of(metadata))


def _texts(
    plan: JsonObject, embedding: JsonObject, services: list[str]
) -> Iterator[tuple[str, str]]:
    name, description = str(plan.get("name")).replace("_", " "), _text(plan.get("description"))
    yield "name", name
    yield "description", description
    summary = _text(embedding.get("primary_text"))
    # Where its author gives none it is derived from the two, and the same words would count twice.
    if not _words(summary) <= _words(f"{name} {description}"):
        yield "summary", summary
    for use_case in texts(embedding.get("use_cases"))[:MAX_USE_CASES]:
        yield "use case", use_case
    yield "services", ", ".join(service_words(service) for service in services[:MAX_USE_CASES])


def risk_of(metadata: JsonObject) -> float:
    """Return the risk that a plan says it has; the highest where it says none."""
    risk = metadata.get("risk_score")
    is_number = isinstance(risk, int | float) and not isinstance(risk, bool)
    return min(max(float(cast("float", risk)), 0.0), MAX_RISK) if is_number else MAX_RISK


def service_words(service: str) -> str:
    """Return a service as people write it: "rds" -> "rds: Relational Database Service"."""
    name = _services().get(service)
    return f"{service}: {name}" if name is not None else service


@cache
def _services() -> Mapping[str, str]:
    # Botocore's own files hold these names too, each beside a model of up to megabytes.
    file = Path(__file__).with_name("services.json")
    return cast("dict[str, str]", json.loads(file.read_bytes()))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""

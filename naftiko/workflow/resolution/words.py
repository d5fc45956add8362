"""Names split into words, to compare `describe_instance` with `DescribeDBInstances`."""

from __future__ import annotations

import re
from collections.abc import Collection

_KEPT_S = ("ss", "us", "is", "as", "os")
_IRREGULAR = {
    "indices": "index",
    "aliases": "alias",
    "statuses": "status",
    "policies": "policy",
    "metadata": "metadata",
    "sms": "sms",
    "dns": "dns",
    "https": "https",
    "kms": "kms",
    "ids": "id",
    "databases": "database",
    "caches": "cache",
    "images": "image",
    "leases": "lease",
    "releases": "release",
    "phases": "phase",
    "purchases": "purchase",
    "responses": "response",
    "gateways": "gateway",
    "vpcs": "vpc",
    "aws": "aws",
    "series": "series",
    "news": "news",
}
_SAME = {"identifier": "id", "identifiers": "id"}


def snake(name: str) -> str:
    """Return a name in snake case, as botocore does: "DBInstanceId" -> db_instance_id."""
    from botocore import xform_name

    text: str = xform_name(name, "_")
    return text


def words_of(name: str) -> tuple[str, ...]:
    """Return a name's words: "describe-DBInstances" -> (describe, db, instances)."""
    found: list[str] = []
    for part in re.split(r"[^A-Za-z0-9]+", name):
        if part:
            found += snake(part).split("_") if part != part.lower() else [part]
    return tuple(word for word in found if word)


def singular(word: str) -> str:
    """Return the singular: "policies" -> policy, "addresses" -> address, "status" -> status."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 3 or not word.endswith("s") or word.endswith(_KEPT_S):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1]


def folded(words: Collection[str], noise: Collection[str] = ()) -> tuple[str, ...]:
    """Return words as they are compared: singular, `identifier` as `id`, without noise, sorted."""
    plain = (singular(_SAME.get(word, word)) for word in words)
    return tuple(sorted(word for word in plain if word not in noise))


FILLERS = frozenset({"a", "an", "the", "for", "in", "of", "with"})
"""Words of a phrase that say nothing. Spec: rule 3."""


def phrase_of(text: str) -> tuple[str, ...]:
    """Return the words of a phrase: "Create the RDS snapshot" -> (create, rds, snapshot)."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return tuple(word for word in words if word not in FILLERS)

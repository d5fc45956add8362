from __future__ import annotations

import pytest

from naftiko.search.postings import LARGE, build_postings, cover, sum_weights
from naftiko.search.spelling import Speller, distance
from naftiko.search.words import stem, trigrams, words_of
from tests.unit.search.samples import HAS_NUMPY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rds_backup-with retention", ["rds", "backup", "with", "retention"]),
        ("DynamoDB", ["dynamodb", "dynamo"]),
        ("EC2 and Route53", ["ec2", "and", "route53", "route"]),
        ("DescribeDBInstances", ["describe", "instances"]),
        ("the user's keys", ["the", "user", "keys"]),
        ("\uff32\uff24\uff33", ["rds"]),
        ("", []),
        ("\x00\u202e 🙂", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


def test_stems_and_trigrams() -> None:
    assert stem("databases") == stem("database")
    assert stem("s3") == "s3"
    assert list(trigrams("rds")) == ["^rd", "rds", "ds$"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("databse", "database"),
        ("snapshto", "snapshot"),
        ("lamda", "lambda"),
        ("certficate", "certificate"),
        ("fridge", None),  # another first letter
        ("rds", None),  # as far from `ids` as from itself
        ("vcp", "vpc"),  # two swapped, in words as short as these
        ("lgos", "logs"),
        ("i0abc123", None),  # an id
        ("pizza", None),
        ("x" * 500, None),
    ],
)
def test_misspelt_words(word: str, meant: str | None) -> None:
    known = ["database", "snapshot", "lambda", "certificate", "bridge", "ids", "vpc", "logs"]
    assert Speller(known).nearest(word) == meant


@pytest.mark.parametrize(
    ("one", "other", "mistakes"),
    [("", "", 0), ("ab", "ba", 1), ("abc", "abd", 1), ("abc", "ab", 1), ("abcd", "wxyz", 3)],
)
def test_distance(one: str, other: str, mistakes: int) -> None:
    assert distance(one, other, 2) == mistakes
    assert distance(other, one, 2) == mistakes


@pytest.mark.skipif(not HAS_NUMPY, reason="numpy is not installed")
def test_numpy_adds_to_the_same_bits() -> None:
    words = [f"w{number}" for number in range(50)]
    counts = [
        {word: 1 + (row * place) % 4 for place, word in enumerate(words) if (row + place) % 3}
        for row in range(LARGE // 30)
    ]
    large = build_postings(counts)
    assert len(large.documents) >= LARGE
    boosts = {"w1": 0.3, "w7": 1.0, "w9": 0.7, "unknown": 1.0}
    groups = [{"w1": 0.3, "w2": 0.7}, {"w3": 0.1, "unknown": 1.0}]
    totals, covered = sum_weights(large, boosts), cover(large, groups)
    for row, count in enumerate(counts):
        total = 0.0
        for term in sorted(boosts):
            if term in count:
                entries = large.entries(term)
                assert entries is not None
                place = large.documents[entries].index(row)
                total += boosts[term] * large.weights[entries][place]
        assert totals[row] == total
        best = [
            max((group[term] for term in group if term in count), default=0.0) for group in groups
        ]
        assert covered[row] == sum(best)

"""Secrets are masked however a text writes them."""

from __future__ import annotations

import json
from urllib.parse import quote

from naftiko.plan.masking import Masker


def test_a_secret_is_masked_plain_in_json_and_in_a_url() -> None:
    masker = Masker()
    secret = 'p"ss/wörd &\\'
    masker.add(secret)

    for text in (secret, json.dumps({"a": secret}), quote(secret, safe="")):
        assert "ss" not in masker(text)
        assert "***" in masker(text)


def test_the_longest_secret_wins() -> None:
    masker = Masker()
    masker.add("abcd")
    masker.add("abcdefgh")

    assert masker("abcdefgh") == "***"


def test_short_and_blank_values_are_left_alone() -> None:
    masker = Masker()
    for value in ("", "   ", "abc"):
        masker.add(value)

    assert masker("abc def") == "abc def"


def test_what_the_file_calls_its_routes_is_no_secret() -> None:
    masker = Masker()
    masker.publish(["orders-mcp", "/orders/{id}"])
    masker.add("orders")
    masker.add("orders-of-ann")

    assert masker("GET /orders/orders-of-ann") == "GET /orders/***"

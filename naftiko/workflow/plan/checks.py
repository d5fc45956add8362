"""Checks of JSON values, put together from small ones: Wrong tells the first thing that is."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from naftiko.workflow.plan.trees import Wrong

MAX_ITEMS = 1_000
MAX_PAGE_ITEMS = 10_000

Check: TypeAlias = Callable[[object], None]


def shown(value: object) -> str:
    """Return a value as a reason tells it: short, and on one line."""
    if isinstance(value, str):
        return f"`{value[:60]}`"
    if value is None or type(value) in {bool, int, float}:
        return f"`{str(value).lower()}`"
    return "an object" if isinstance(value, dict) else "a list"


def text_of(max_length: int = 4_096, pattern: str | None = None) -> Check:
    """Check a text, of a form if there is a pattern."""
    compiled = re.compile(pattern) if pattern is not None else None

    def check(value: object) -> None:
        if type(value) is not str:
            raise Wrong(f"expected a text, found {shown(value)}")
        if len(value) > max_length:
            raise Wrong(f"a text of more than {max_length} characters")
        if compiled is not None and compiled.fullmatch(value) is None:
            raise Wrong(f"{shown(value)} is not of the form `{pattern}`")

    return check


def one_of(*values: str) -> Check:
    """Check that a text is one of these."""
    known = frozenset(values)

    def check(value: object) -> None:
        if type(value) is not str or value not in known:
            raise Wrong(f"expected one of {', '.join(values)}, found {shown(value)}")

    return check


def whole(low: int, high: int) -> Check:
    """Check a whole number."""

    def check(value: object) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Wrong(f"expected a whole number from {low} to {high}, found {shown(value)}")

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    """Check a number."""

    def check(value: object) -> None:
        if type(value) is not int and type(value) is not float:
            raise Wrong(f"expected a number, found {shown(value)}")
        if (low is not None and value < low) or (high is not None and value > high):
            raise Wrong(f"expected a number from {low} to {high}, found {shown(value)}")

    return check


def boolean(value: object) -> None:
    """Check true or false."""
    if type(value) is not bool:
        raise Wrong(f"expected true or false, found {shown(value)}")


def anything(value: object) -> None:
    """Any JSON is fine: a default, an element of `enum`; the parameter's type is checked apart."""


def or_null(check: Check) -> Check:
    """Let null pass."""

    def either(value: object) -> None:
        if value is not None:
            check(value)

    return either


def list_of(item: Check, *, least: int = 0, most: int = MAX_PAGE_ITEMS) -> Check:
    """Check a list's length and each of its elements."""

    def check(value: object) -> None:
        if type(value) is not list:
            raise Wrong(f"expected a list, found {shown(value)}")
        if not least <= len(value) <= most:
            raise Wrong(f"expected {least} to {most} elements, found {len(value)}")
        for index, element in enumerate(value):
            try:
                item(element)
            except Wrong as error:
                raise error.inside(index) from None

    return check


def pair_of(first: Check, second: Check) -> Check:
    """Check a list of two."""

    def check(value: object) -> None:
        if type(value) is not list or len(value) != 2:
            raise Wrong("expected a list of two")
        for index, (part, element) in enumerate(zip((first, second), value, strict=True)):
            try:
                part(element)
            except Wrong as error:
                raise error.inside(index) from None

    return check


def map_of(name: Check, item: Check, *, most: int = MAX_ITEMS) -> Check:
    """Check an object of any names."""

    def check(value: object) -> None:
        if type(value) is not dict:
            raise Wrong(f"expected an object, found {shown(value)}")
        if len(value) > most:
            raise Wrong(f"more than {most} members")
        for key, element in value.items():
            try:
                name(key)
                item(element)
            except Wrong as error:
                raise error.inside(key) from None

    return check


def object_of(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Check an object of these members and no others."""
    may = dict(optional or {})
    known = {**required, **may}

    def check(value: object) -> None:
        if type(value) is not dict:
            raise Wrong(f"expected an object, found {shown(value)}")
        for name, element in value.items():
            of_member = known.get(name)
            if of_member is None:
                raise Wrong(f"unknown member {shown(name)}")
            try:
                of_member(element)
            except Wrong as error:
                raise error.inside(name) from None
        if len(value) != len(known):
            for name in required:
                if name not in value:
                    raise Wrong(f"`{name}` is missing")

    return check


def either_by(member: str, variants: Mapping[str, Check]) -> Check:
    """Check an object by the one of its members that tells its kind."""
    names = ", ".join(variants)

    def check(value: object) -> None:
        if type(value) is not dict:
            raise Wrong(f"expected an object, found {shown(value)}")
        kind = value.get(member)
        variant = variants.get(kind) if type(kind) is str else None
        if variant is None:
            raise Wrong(f"expected one of {names}, found {shown(kind)}").inside(member)
        variant(value)

    return check


def signature(value: object) -> None:
    """Check base64 of 64 bytes, in the one writing that gives these bytes back."""
    text_of(88)(value)
    assert isinstance(value, str)  # just checked
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Wrong("not base64") from None
    if len(raw) != 64 or base64.b64encode(raw).decode() != value:
        raise Wrong("not the base64 of 64 bytes")

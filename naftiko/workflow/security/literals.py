"""Finds credentials that stand in a workflow as constants.

Own table: forms that are documented by who issues them, specific enough to have no harmless look-
alikes. What may not stand in a file is never repeated in a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from naftiko.workflow.security.calls import Tree, children

CREDENTIALS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "an AWS access key id",
        re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")),
    (
        "a GitHub token",
        re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
    ),
    ("a GitLab token", re.compile(r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}")),
    (
        "a Slack webhook",
        re.compile(r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    ),
    ("a Stripe key", re.compile(r"(?<![A-Za-z0-9])[rs]k_live_[A-Za-z0-9]{16,}")),
    ("a Google API key", re.compile(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}")),
    ("an npm token", re.compile(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}")),
    (
        "a model provider's API key",
        re.compile(r"(?<![A-Za-z0-9])sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
    ),
    (
        "a JSON web token",
        re.compile(
            r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
        ),
    ),
    (
        "a password in a URL",
        re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,64}:[^\s/:@$]{3,128}@"),
    ),
    ("an authorization header", re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9+/_=-]{24,}")),
    (
        "an assigned secret",
        re.compile(
            r"(?i)(?:password|passwd|secret(?:_?access)?_?key|client_?secret|api_?key|auth_?token)"
            r"[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?![\"'$<{*])[^\s\"'&;,]{8,}"
        ),
    ),
)

_SECRET_MEMBER = re.compile(
    r"(?i).*(password|passphrase|secret(string|binary|key|accesskey)?|privatekey|authtoken"
    r"|accesstoken|apikey|credentials?)"
)
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
MAX_READ = 65_536
"""Longer constants are looked at up to here only."""


def credential_in(text: str) -> str | None:
    """Return what kind of credential a text holds: "an AWS access key id"."""
    shown = text[:MAX_READ]
    for kind, pattern in CREDENTIALS:
        if pattern.search(shown):
            return kind
    match = _AWS_SECRET.search(shown)
    return "an AWS secret access key" if match and _is_random(match.group()) else None


def is_secret_member(name: str) -> bool:
    """Tell whether a member of that name is made to hold a secret."""
    return bool(_SECRET_MEMBER.fullmatch(name))


def constants(tree: Tree) -> Iterator[str]:
    """Yield the constant texts of a tree, names of objects too."""
    if "lit" in tree:
        yield from _texts(tree["lit"])
        return
    yield from tree.get("obj", ())
    if "ref" in tree:
        yield from _texts(tree.get("default"))
    for inner in children(tree):
        yield from constants(inner)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _is_random(text: str) -> bool:
    """Tell a key from a hash or a path: all three kinds of characters, and many of them."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(kind(char) for char in text) for kind in kinds) and (
        len(set(text)) >= 20 and "//" not in text and text.count("/") <= 4
    )

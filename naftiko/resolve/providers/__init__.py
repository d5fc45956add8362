"""Where bound values come from beside files and the environment: one module a scheme.

Each has `read(uri, keys, surroundings)`, which may block for a few seconds, and is imported when a
file uses its scheme. No value of a secret is in any error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

TIMEOUT_S = 5.0
MAX_VALUE_BYTES = 1024 * 1024
WHOLE = "."
"""The key that stands for the whole text of a secret."""

MODULES = {
    "secretsmanager": "naftiko.resolve.providers.secretsmanager",
    "ssm": "naftiko.resolve.providers.ssm",
    "vault": "naftiko.resolve.providers.vault",
    "k8s": "naftiko.resolve.providers.k8s",
}

AwsClient = Callable[[str, "str | None"], Any]
"""Makes a boto3 client: ("ssm", "eu-west-1" or None for the configured region)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What sources are found with: the environment that the engine resolved, and AWS clients.

    Without `reads_stores` nothing but files of the workspace and the environment is read: a
    stranger's file can be checked without asking a store for anything.
    """

    environment: Mapping[str, str]
    aws_client: AwsClient | None = None
    add_secret: Callable[[str], None] | None = None
    reads_stores: bool = True


class SourceUnavailableError(Exception):
    """A source could not be read; `reason` may be shown to anybody."""

    def __init__(
        self,
        reason: str,
        hint: str = "",
        *,
        code: str = "bind-source-unavailable",
        is_error: bool = False,
    ) -> None:
        """Keep why. `is_error` where reading it must not be tried at all."""
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.code = code
        self.is_error = is_error


class Reader(Protocol):
    """Reads one source."""

    def __call__(
        self, uri: str, keys: Sequence[str], surroundings: Surroundings
    ) -> Mapping[str, str]:
        """Return the values that are there, by key.

        Raises: SourceUnavailableError.
        """
        ...


def find_reader(uri: str) -> Reader | None:
    """Return what reads a URI, None for a scheme that is not served."""
    scheme, found, _ = uri.partition("://")
    module = MODULES.get(scheme.lower()) if found else None
    return None if module is None else cast("Reader", import_module(module).read)


def texts_of(members: Mapping[str, object], keys: Sequence[str]) -> dict[str, str]:
    """Return the members as text: strings as they are, anything else as JSON; null is absent."""
    from json import dumps

    found: dict[str, str] = {}
    for key in keys:
        value = members.get(key)
        if value is not None:
            found[key] = value if isinstance(value, str) else dumps(value)
    return found

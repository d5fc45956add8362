"""`secretsmanager://name-or-arn` -> the members of a secret in AWS Secrets Manager.

The secret's text is a JSON object whose members are the keys; the key `.` is its whole text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from naftiko.resolve.providers import WHOLE, SourceUnavailableError, Surroundings, texts_of
from naftiko.resolve.providers.aws import client

_ARN = re.compile(r"arn:[a-z0-9-]+:secretsmanager:([a-z0-9-]+):\d{12}:secret:.+")


def read(uri: str, keys: Sequence[str], surroundings: Surroundings) -> Mapping[str, str]:
    """Return the secret's members.

    Raises: SourceUnavailableError.
    """
    name = uri.partition("://")[2]
    if not name:
        hint = "write `secretsmanager://my-secret`"
        raise SourceUnavailableError("it names no secret", hint)
    arn = _ARN.fullmatch(name)
    with client("secretsmanager", surroundings, arn.group(1) if arn else None) as secrets:
        answer = secrets.get_secret_value(SecretId=name)
    return members_of(_text(answer), keys)


def members_of(text: str, keys: Sequence[str]) -> dict[str, str]:
    """Return the members of a secret's text.

    '{"user": "ann", "port": 5432}', ["user", "port"] -> {"user": "ann", "port": "5432"}
    """
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    found = texts_of(parsed, keys) if isinstance(parsed, dict) else {}
    if WHOLE in keys:
        found[WHOLE] = text
    return found


def _text(answer: Mapping[str, object]) -> str:
    text, binary = answer.get("SecretString"), answer.get("SecretBinary")
    if isinstance(text, str):
        return text
    try:
        return binary.decode() if isinstance(binary, bytes) else ""
    except UnicodeDecodeError:
        raise SourceUnavailableError("the secret holds bytes that are no text") from None

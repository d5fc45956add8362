"""`ssm:///path/prefix` -> parameters under it in AWS Systems Manager Parameter Store, decrypted.

The key `db/password` under `ssm:///app/prod` is the parameter `/app/prod/db/password`; `.` is the
parameter that the URI itself names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from naftiko.resolve.providers import WHOLE, Surroundings
from naftiko.resolve.providers.aws import client

BATCH = 10
"""How many parameters AWS gives at once."""


def read(uri: str, keys: Sequence[str], surroundings: Surroundings) -> Mapping[str, str]:
    """Return the parameters of these names.

    Raises: SourceUnavailableError.
    """
    prefix = uri.partition("://")[2]
    names = {parameter_name(prefix, key): key for key in keys}
    found: dict[str, str] = {}
    with client("ssm", surroundings) as store:
        for batch in _batches(list(names)):
            answer = store.get_parameters(Names=batch, WithDecryption=True)
            for parameter in answer["Parameters"]:
                found[names[parameter["Name"]]] = parameter["Value"]
    return found


def parameter_name(prefix: str, key: str) -> str:
    """Return the full name of a parameter: "/app/", "db/user" -> "/app/db/user"."""
    if key == WHOLE:
        return prefix
    return f"{prefix.rstrip('/')}/{key.lstrip('/')}" if prefix else key


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]

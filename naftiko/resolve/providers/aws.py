"""What the two AWS stores have in common: errors in a sentence, without any value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from naftiko.resolve.providers import SourceUnavailableError, Surroundings


@contextmanager
def client(service: str, surroundings: Surroundings, region: str | None = None) -> Iterator[Any]:
    """Yield a boto3 client of the service.

    Raises: SourceUnavailableError, for what boto3 raises within the block too.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if surroundings.aws_client is None:
        raise SourceUnavailableError("AWS cannot be reached from here")
    try:
        made = surroundings.aws_client(service, region)
        try:
            yield made
        finally:
            made.close()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "an error"))
        raise SourceUnavailableError(f"AWS answered {code}", _hint(code)) from None
    except BotoCoreError as error:
        name = type(error).__name__
        hint = "set AWS_REGION and credentials, or AWS_PROFILE" if name in _SETTINGS else ""
        raise SourceUnavailableError(f"AWS could not be asked ({name})", hint) from None


_SETTINGS = ("NoCredentialsError", "NoRegionError", "ProfileNotFound", "PartialCredentialsError")


def _hint(code: str) -> str:
    if "NotFound" in code:
        return "check its name and the region"
    if "AccessDenied" in code:
        return "allow the role to read it (and to decrypt with its key)"
    return ""

"""Signs HTTP requests with AWS Signature Version 4, by botocore's own signer.

Source: AWS General Reference, "Create a signed AWS API request".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from naftiko.consumes.aws.signing import AwsKeys

Headers: TypeAlias = tuple[tuple[str, str], ...]
FindCredentials: TypeAlias = Callable[[], Awaitable["AwsKeys"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs for one service in one region. `find_credentials` may refresh what it gives."""

    service: str
    region: str
    find_credentials: FindCredentials = field(repr=False)

    async def sign(self, method: str, url: str, headers: Headers, body: bytes | None) -> Headers:
        """Return the headers with the signature among them.

        Raises: ConsumedError where there are no credentials.
        """
        from botocore.auth import S3SigV4Auth, SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = await self.find_credentials()
        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body or b"")
        # S3 signs a path as it is sent, and the body's hash in a header of its own.
        auth = S3SigV4Auth if self.service == "s3" else SigV4Auth
        auth(credentials, self.service, self.region).add_auth(request)
        return tuple((name, str(value)) for name, value in request.headers.items())

    def explain(self) -> str:
        """Return what is signed for."""
        return f"signature version 4 for {self.service} in {self.region}"

"""The fastest honest way by hand to call Step Functions: all that can be done once is done once."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from pyreqwest.client import Client, ClientBuilder


class Prepared:
    """One operation: target and headers prepared, the signing key of the day kept."""

    def __init__(self, operation: str, *, client: Client) -> None:
        """Read endpoint and credentials from the environment."""
        self._client = client
        self._url = os.environ["AWS_ENDPOINT_URL"] + "/"
        self._region = os.environ["AWS_REGION"]
        self._access_key = os.environ["AWS_ACCESS_KEY_ID"]
        self._secret_key = os.environ["AWS_SECRET_ACCESS_KEY"]
        self._headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"AWSStepFunctions.{operation}",
        }
        self._before = (
            "POST\n/\n\ncontent-type:application/x-amz-json-1.0\n"
            f"host:{urlsplit(self._url).netloc}\nx-amz-date:"
        )
        self._signed = "content-type;host;x-amz-date;x-amz-target"
        self._after = f"\nx-amz-target:AWSStepFunctions.{operation}\n\n{self._signed}\n"
        self._date = ""
        self._key = b""

    async def __call__(self, arguments: dict[str, Any]) -> Any:
        """Call it.

        Raises: RuntimeError where AWS refuses.
        """
        body = orjson.dumps(arguments)
        builder = self._client.post(self._url).headers(self._sign(body)).body_bytes(body)
        response = await builder.build().send()
        value = orjson.loads(memoryview(await response.bytes()))
        if response.status != 200:
            raise RuntimeError(str(value))
        return value

    def _sign(self, body: bytes) -> dict[str, str]:
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        date = moment[:8]
        if date != self._date:
            self._key = _signing_key(self._secret_key, date, self._region)
            self._date = date
        scope = f"{date}/{self._region}/states/aws4_request"
        canonical = self._before + moment + self._after + hashlib.sha256(body).hexdigest()
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        return {
            **self._headers,
            "x-amz-date": moment,
            "authorization": f"AWS4-HMAC-SHA256 Credential={self._access_key}/{scope}, "
            f"SignedHeaders={self._signed}, Signature={signature}",
        }


def make_client() -> Client:
    """Make the client that all operations share."""
    return ClientBuilder().no_proxy().build()


def moment(value: float) -> datetime:
    """Return a timestamp of AWS for orjson, which writes it faster than isoformat does."""
    return datetime.fromtimestamp(value, UTC)


def iso(value: float) -> str:
    """Return a timestamp of AWS as text."""
    return datetime.fromtimestamp(value, UTC).isoformat()


def convert_machines(value: Any, convert: Callable[[float], object]) -> Any:
    """Convert the timestamps in an answer of ListStateMachines, in place."""
    for machine in value["stateMachines"]:
        machine["creationDate"] = convert(machine["creationDate"])
    return value


def _signing_key(secret_key: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, "states", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key

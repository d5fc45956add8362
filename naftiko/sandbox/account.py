"""The fake account that clients of the sandbox use, and what keeps the sandbox from starting."""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT_ID = "123456789012"
ACCESS_KEY_ID = "AKIASANDBOX000000000"
SECRET_ACCESS_KEY = "not-a-secret-of-the-sandbox"  # noqa: S105 - opens nothing

INSTALL = "pip install 'naftiko[sandbox]'"


class SandboxUnavailable(Exception):  # noqa: N818 - named for what the caller sees
    """The sandbox cannot run here: its extra is missing, or moto is not the one it extends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxAccount:
    """What an AWS client needs to talk to the sandbox."""

    endpoint_url: str
    region: str = "us-east-1"
    account_id: str = ACCOUNT_ID
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = SECRET_ACCESS_KEY
    session_token: None = None

"""Whoever calls the sandbox with no user's keys and no role's is the root of its account.

moto calls them a user of STS, `user/moto`, which no account has: nothing could be said of what they
may do, although they may do everything.
"""

from __future__ import annotations

from typing import Any

MARK = "/sts/aws4_request"
"""What the signature of every request to STS names."""

_applied: list[bool] = []


def apply() -> None:
    """Change moto's STS; a second call does nothing new."""
    if _applied:
        return
    from moto.sts.models import STSBackend

    found = STSBackend.get_caller_identity

    def get_caller_identity(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
        user_id, arn, account_id = found(self, access_key_id, region)
        if not arn.endswith(":user/moto"):
            return user_id, arn, account_id
        return account_id, f"{arn.partition(':sts:')[0]}:iam::{account_id}:root", account_id

    STSBackend.get_caller_identity = get_caller_identity
    _applied.append(True)

"""As whom an HTTP entry calls AWS: the keys under `binds`, the environment, or a profile.

`AWS_SIGV4_AUTH`, which public documents bind for a signature they cannot have, is a switch here:
`env` (default) takes bound keys, then the default chain; `profile` takes the profile even where
keys lie in the environment; `off` signs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from naftiko.consumes.aws.settings import AwsEnvironment, AwsSettings
from naftiko.consumes.aws.signing import AwsKeys
from naftiko.plan.ports import ClientContext

SWITCH = "AWS_SIGV4_AUTH"
SWITCH_VALUES = ("env", "profile", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What `AWS_SIGV4_AUTH` says; `ignored` where it holds something else, such as a signature."""

    value: str
    ignored: bool = False


def read_switch(context: ClientContext) -> Switch:
    """Read the switch from the binds, then from the environment."""
    text = (context.bound(SWITCH) or context.environment.get(SWITCH) or "").strip()
    if text.lower() in SWITCH_VALUES:
        return Switch(value=text.lower())
    return Switch(value="env", ignored=bool(text))


def aws_settings(
    context: ClientContext,
    *,
    region: str | None,
    switch: str = "env",
    profile: str | None = None,
    keys: AwsKeys | None = None,
) -> AwsSettings:
    """Return who calls. `profile` and `keys` are what an entry says itself.

    The sandbox's own keys and region are in its environment, and nothing else is used there.
    """
    if context.sandbox:
        return AwsSettings()
    if keys is None and profile is None:
        if switch == "profile":
            profile = AwsEnvironment(context.environment).profile
        else:
            keys = bound_keys(context)
    return AwsSettings(region=region, profile=profile, keys=keys)


def bound_keys(context: ClientContext) -> AwsKeys | None:
    """Return the keys under `binds` where they differ from the environment's.

    Those of the environment stay with the default chain, which finds their session token.
    """
    access_key = context.bound("AWS_ACCESS_KEY_ID")
    secret_key = context.bound("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key or access_key == _environment_key(context.environment):
        return None
    return AwsKeys(access_key, secret_key, context.bound("AWS_SESSION_TOKEN"))


def _environment_key(environment: Mapping[str, str]) -> str | None:
    return environment.get("AWS_ACCESS_KEY_ID")

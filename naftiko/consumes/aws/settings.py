"""Where and as whom a service is called: entry, environment, shared config file, in that order.

Everything is read once, at load, and without a botocore session, which would cost 30 ms and read
`os.environ`. Names and order are botocore's, but AWS_REGION is read too, before
AWS_DEFAULT_REGION, as the other SDKs do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.consumes.aws.retries import DEFAULT_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from naftiko.consumes.aws.signing import AwsKeys

SANDBOX_REGION = "us-east-1"
NOWHERE = "http://127.0.0.1:1"
"""Where calls go in a sandbox that is not there: they must fail rather than reach an account."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AwsSettings:
    """What an entry says itself; None where it does not. `retries` counts those after the first.

    `keys` are explicit credentials. They win over `profile`, which wins over the environment.
    `host_prefix` says whether the model's host prefix (`sync-`) stands before the host; None
    leaves it out where an endpoint is configured.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    role_arn: str | None = None
    keys: AwsKeys | None = field(default=None, repr=False)
    retries: int | None = None
    timeout_s: float | None = None
    host_prefix: bool | None = None


class AwsEnvironment:
    """The environment and shared config of one entry, by botocore's names and rules."""

    def __init__(
        self,
        environment: Mapping[str, str],
        profile: str | None = None,
        *,
        sandbox: bool = False,
    ) -> None:
        """Read nothing yet. `profile` is what the entry names.

        With `sandbox` every service is at AWS_ENDPOINT_URL, and no file is read: a shared config
        may lead to an account.
        """
        self.variables = environment
        self.explicit_profile = profile
        self._sandbox = sandbox

    @property
    def profile(self) -> str:
        """The profile in use."""
        variables = self.variables
        named = self.explicit_profile or variables.get("AWS_DEFAULT_PROFILE")
        return named or variables.get("AWS_PROFILE") or "default"

    def text(self, variable: str, config_name: str) -> str | None:
        """Return an environment variable, else the profile's setting."""
        return self.variables.get(variable) or self._setting(config_name)

    def flag(self, variable: str, config_name: str) -> bool:
        """Return whether a switch is on."""
        return (self.text(variable, config_name) or "").strip().lower() == "true"

    @property
    def region(self) -> str | None:
        """The region, by AWS_REGION, AWS_DEFAULT_REGION, then the profile."""
        return self.variables.get("AWS_REGION") or self.text("AWS_DEFAULT_REGION", "region")

    @property
    def attempts(self) -> int:
        """How often a call is tried in all."""
        text = self.text("AWS_MAX_ATTEMPTS", "max_attempts") or ""
        return max(1, int(text)) if text.isdecimal() and len(text) < 4 else DEFAULT_ATTEMPTS

    def endpoint_url(self, service: str) -> str | None:
        """Return the configured endpoint of a service: AWS_ENDPOINT_URL_SFN, AWS_ENDPOINT_URL, ...

        Spec: AWS SDKs and Tools Reference, "Service-specific endpoints".
        """
        if self._sandbox:
            return self.variables.get("AWS_ENDPOINT_URL") or NOWHERE
        ignored = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"
        if self.flag(*ignored):
            return None
        name = _service_id(service)
        found = self.variables.get(f"AWS_ENDPOINT_URL_{name.upper()}")
        found = found or self.variables.get("AWS_ENDPOINT_URL")
        return found or self._services_setting(name.lower()) or self._setting("endpoint_url")

    @property
    def profile_exists(self) -> bool:
        """Whether the profile in use is there; the default one need not be."""
        return self.profile == "default" or self.profile in self.profile_names

    @property
    def profile_names(self) -> tuple[str, ...]:
        """The names of all profiles."""
        return tuple({**self._config.get("profiles", {}), **self._credentials})

    def _setting(self, name: str) -> str | None:
        section = self._config.get("profiles", {}).get(self.profile, {})
        value = section.get(name) or self._credentials.get(self.profile, {}).get(name)
        return str(value) if isinstance(value, str) and value else None

    def _services_setting(self, service: str) -> str | None:
        name = self._setting("services")
        section = self._config.get("services", {}).get(name, {}) if name else {}
        value = section.get(service, {})
        url = value.get("endpoint_url") if isinstance(value, dict) else None
        return str(url) if url else None

    @cached_property
    def _config(self) -> dict[str, dict[str, dict[str, object]]]:
        path = self._path("AWS_CONFIG_FILE", "config")
        if not path.is_file():
            return {}
        from botocore.configloader import load_config

        loaded: dict[str, dict[str, dict[str, object]]] = load_config(str(path))
        return loaded

    @cached_property
    def _credentials(self) -> dict[str, dict[str, object]]:
        path = self._path("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        if not path.is_file():
            return {}
        from botocore.configloader import raw_config_parse

        loaded: dict[str, dict[str, object]] = raw_config_parse(str(path))
        return loaded

    def _path(self, variable: str, name: str) -> Path:
        if self._sandbox:
            return Path("/nonexistent")
        named = self.variables.get(variable)
        try:
            return Path(named).expanduser() if named else Path.home() / ".aws" / name
        except RuntimeError:
            # A container may run as a user without a home.
            return Path("/nonexistent")


def _service_id(service: str) -> str:
    """Return the service id with underscores, as botocore derives it: "stepfunctions" -> "SFN"."""
    from naftiko.awsapi.catalog import service_model

    return str(service_model(service).service_id.hyphenize()).replace("-", "_").upper()

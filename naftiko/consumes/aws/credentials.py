"""The credentials of one entry: resolved at the first call, off the loop, renewed before they end.

Explicit keys and keys in the environment need no botocore session. Everything else does: profiles,
SSO, assumed roles, web identity, containers, IMDS, processes. That session is given the entry's
environment instead of `os.environ` where botocore takes one: its config store is built over it,
and the providers that read variables are made anew with it. What cannot be given one are sessions
nested within botocore (the STS and SSO clients of a profile), which read the process environment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from naftiko.consumes.aws.signing import AwsKeys

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

    from naftiko.consumes.aws.settings import AwsEnvironment, AwsSettings

CHECK_INTERVAL_S = 60.0
"""How often the end of refreshable credentials is looked at."""
ROLE_SESSION_NAME = "naftiko"


class CredentialsError(Exception):
    """No usable credentials; the text says why, without any secret. `hint` is the way out."""

    def __init__(self, reason: str, hint: str = "") -> None:
        """Keep both."""
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class CredentialSource:
    """Gives the current keys of one entry. `current` is None while they must be looked up."""

    def __init__(
        self,
        settings: AwsSettings,
        environment: AwsEnvironment,
        *,
        region: str | None,
        sts_endpoint_url: str | None,
        add_secret: Callable[[str], None],
    ) -> None:
        """Look nothing up yet."""
        self._settings = settings
        self._environment = environment
        self._region = region
        self._sts_endpoint_url = sts_endpoint_url
        self._add_secret = add_secret
        self._keys: AwsKeys | None = None
        self._check_at = 0.0
        self._credentials: Credentials | None = None
        self._pending: asyncio.Task[AwsKeys] | None = None

    @property
    def current(self) -> AwsKeys | None:
        """The keys, if they need no look."""
        return self._keys if time.monotonic() < self._check_at else None

    async def get(self) -> AwsKeys:
        """Return the keys; several callers share one look-up.

        Raises: CredentialsError.
        """
        loop = asyncio.get_running_loop()
        pending = self._pending
        if pending is None or pending.done() or pending.get_loop() is not loop:
            pending = self._pending = loop.create_task(self._look_up())
        # One caller's cancellation must not take the look-up from the others.
        return await asyncio.shield(pending)

    def forget(self, keys: AwsKeys) -> bool:
        """Drop keys that AWS called expired; False where looking again cannot give others."""
        if self._keys == keys:
            self._keys, self._credentials, self._check_at = None, None, 0.0
        return self._settings.keys is None or self._settings.role_arn is not None

    async def _look_up(self) -> AwsKeys:
        keys = self._static_keys()
        if keys is not None:
            self._check_at = float("inf")
        else:
            keys = await asyncio.to_thread(self._from_botocore)
            self._check_at = time.monotonic() + CHECK_INTERVAL_S
        if keys != self._keys:
            for secret in keys:
                if secret:
                    self._add_secret(secret)
            self._keys = keys
        return keys

    def _static_keys(self) -> AwsKeys | None:
        """Return keys that need no botocore: the entry's, or those in the environment."""
        if self._settings.role_arn is not None:
            return None
        if self._settings.keys is not None:
            if not self._settings.keys.secret_key:
                raise CredentialsError("`credentials` of the entry has no value")
            return self._settings.keys
        if self._settings.profile is not None:
            # As in botocore, a profile that is named on purpose wins over keys lying around.
            return None
        return self._environment_keys()

    def _environment_keys(self) -> AwsKeys | None:
        variables = self._environment.variables
        access_key = variables.get("AWS_ACCESS_KEY_ID")
        secret_key = variables.get("AWS_SECRET_ACCESS_KEY")
        if not access_key and not secret_key:
            return None
        if not access_key or not secret_key:
            there, absent = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
            if not access_key:
                there, absent = absent, there
            raise CredentialsError(f"{there} is set, but {absent} is not", f"set {absent} as well")
        token = variables.get("AWS_SESSION_TOKEN") or variables.get("AWS_SECURITY_TOKEN")
        return AwsKeys(access_key, secret_key, token or None)

    def _from_botocore(self) -> AwsKeys:
        """Resolve or renew; runs in a thread, as providers block on files and networks."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._credentials is None:
                self._credentials = self._resolve()
            frozen = self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            self._credentials = None
            raise CredentialsError(*_worded(error, self._environment.profile)) from error
        if not frozen.access_key or not frozen.secret_key:
            raise CredentialsError("the AWS credentials found are incomplete")
        return AwsKeys(frozen.access_key, frozen.secret_key, frozen.token)

    def _resolve(self) -> Credentials:
        session = new_session(self._environment, self._settings.profile)
        if self._settings.role_arn is not None:
            return self._assume_role(session, self._settings.role_arn)
        found = session.get_credentials()
        if found is None:
            raise CredentialsError("no AWS credentials were found")
        credentials: Credentials = found
        return credentials

    def _assume_role(self, session: Session, role_arn: str) -> Credentials:
        from botocore.credentials import (
            AssumeRoleCredentialFetcher,
            Credentials,
            RefreshableCredentials,
        )

        keys = self._settings.keys
        if keys is None and self._settings.profile is None:
            keys = self._environment_keys()
        source = Credentials(*keys) if keys is not None else session.get_credentials()
        if source is None:
            raise CredentialsError(f"no AWS credentials were found to assume `{role_arn}` with")
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._client_creator(session),
            source_credentials=source,
            role_arn=role_arn,
            extra_args={"RoleSessionName": ROLE_SESSION_NAME},
        )
        credentials: Credentials = RefreshableCredentials.create_from_metadata(
            metadata=fetcher.fetch_credentials(),
            refresh_using=fetcher.fetch_credentials,
            method="sts-assume-role",
        )
        return credentials

    def _client_creator(self, session: Session) -> Callable[..., object]:
        def create(service: str, **options: object) -> object:
            return session.create_client(
                service,
                region_name=self._region,
                endpoint_url=self._sts_endpoint_url,
                **options,
            )

        return create


def new_session(environment: AwsEnvironment, profile: str | None) -> Session:
    """Return a botocore session that reads `environment` where botocore lets it."""
    from botocore.configprovider import (
        BOTOCORE_DEFAUT_SESSION_VARIABLES,
        ConfigChainFactory,
        ConfigValueStore,
        create_botocore_default_config_mapping,
    )
    from botocore.session import Session

    session = Session(profile=profile)
    chains = ConfigChainFactory(session=session, environ=dict(environment.variables))
    mapping = create_botocore_default_config_mapping(session)
    for name, (config, variables, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        mapping[name] = chains.create_config_chain(
            instance_name=name,
            env_var_names=["AWS_REGION", variables] if name == "region" else variables,
            config_property_names=config,
            default=default,
            conversion_func=convert,
        )
    session.register_component("config_store", ConfigValueStore(mapping=mapping))
    _give_environment(session, dict(environment.variables))
    return session


def _give_environment(session: Session, variables: dict[str, str]) -> None:
    """Make the providers that read variables anew, over ours."""
    from botocore.credentials import ContainerProvider, EnvProvider, OriginalEC2Provider

    resolver = session.get_component("credential_provider")
    anew = {
        EnvProvider.METHOD: lambda: EnvProvider(environ=variables),
        ContainerProvider.METHOD: lambda: ContainerProvider(environ=variables),
        OriginalEC2Provider.METHOD: lambda: OriginalEC2Provider(environ=variables),
    }
    resolver.providers = [
        anew[provider.METHOD]() if provider.METHOD in anew else provider
        for provider in resolver.providers
    ]


def _worded(error: Exception, profile: str) -> tuple[str, str]:
    """Return botocore's reason in a sentence, and the way out."""
    name = type(error).__name__
    text = str(error).rstrip(".")
    if "SSO" in name or "Token" in name:
        return f"the AWS sign-in cannot be used: {text}", f"run `aws sso login --profile {profile}`"
    if name == "ProfileNotFound":
        return f"the AWS profile `{profile}` does not exist", "check AWS_PROFILE and ~/.aws/config"
    if name == "ClientError" or hasattr(error, "response"):
        return f"the role cannot be assumed: {text}", "check the role's trust policy and its ARN"
    return f"the AWS credentials cannot be had: {text}", ""

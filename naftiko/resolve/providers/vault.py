"""`vault://mount/path` -> the members of a secret in HashiCorp Vault's KV store, v1 or v2.

VAULT_ADDR says where it is, VAULT_TOKEN (or VAULT_ROLE_ID and VAULT_SECRET_ID, for AppRole) who
asks, VAULT_NAMESPACE in which namespace, VAULT_CACERT whom to trust. They are read from the
environment that the engine resolved, never from ~/.vault-token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import dumps
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from naftiko.extras import require_extra
from naftiko.resolve.providers import (
    TIMEOUT_S,
    WHOLE,
    SourceUnavailableError,
    Surroundings,
    texts_of,
)

if TYPE_CHECKING:
    import hvac

_LOCAL = ("localhost", "127.0.0.1", "::1")


def read(uri: str, keys: Sequence[str], surroundings: Surroundings) -> Mapping[str, str]:
    """Return the secret's members; the key `.` is all of them as JSON.

    Raises: SourceUnavailableError.
    """
    hint = require_extra("vault", "hvac")
    if hint is not None:
        raise SourceUnavailableError("it needs the extra `vault`", hint, code="missing-extra")
    import hvac.exceptions
    import requests

    mount, path = _place(uri)
    address = _address(surroundings.environment)
    try:
        with requests.Session() as session:
            client = _client(address, session, surroundings)
            members = _members(client, mount, path)
    except hvac.exceptions.VaultError as error:
        reason, hint = _worded(error)
        raise SourceUnavailableError(f"Vault at {address} {reason}", hint) from None
    except (requests.RequestException, OSError) as error:
        name = type(error).__name__
        raise SourceUnavailableError(f"Vault at {address} cannot be asked ({name})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = f"Vault at {address} answered with what is no secret"
        raise SourceUnavailableError(reason) from None
    found = texts_of(members, keys)
    if WHOLE in keys:
        found[WHOLE] = dumps(members)
    return found


def _place(uri: str) -> tuple[str, str]:
    mount, _, path = unquote(uri.partition("://")[2]).strip("/").partition("/")
    if not mount or not path or ".." in path.split("/"):
        raise SourceUnavailableError("it names no secret", "write `vault://MOUNT/PATH`")
    return mount, path


def _address(environment: Mapping[str, str]) -> str:
    """Return where Vault is; a token must not go over an open connection."""
    address = (environment.get("VAULT_ADDR") or "").rstrip("/")
    if not address:
        raise SourceUnavailableError("VAULT_ADDR is not set", "set it to Vault's URL")
    parts = urlsplit(address)
    is_local = parts.scheme == "http" and parts.hostname in _LOCAL
    if not parts.hostname or not (parts.scheme == "https" or is_local):
        hint = "Vault's token must not go over an open connection"
        raise SourceUnavailableError("VAULT_ADDR is no https URL", hint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _client(address: str, session: Any, surroundings: Surroundings) -> hvac.Client:
    import hvac

    environment = surroundings.environment
    # Neither proxies nor .netrc of the process: what counts is in `environment`.
    session.trust_env = False
    session.verify = environment.get("VAULT_CACERT") or True
    client = hvac.Client(
        url=address,
        token=environment.get("VAULT_TOKEN") or "",
        namespace=environment.get("VAULT_NAMESPACE") or None,
        timeout=TIMEOUT_S,
        session=session,
        # hvac would take its token along to wherever it is sent.
        allow_redirects=False,
    )
    if client.token:
        return client
    role, secret = environment.get("VAULT_ROLE_ID"), environment.get("VAULT_SECRET_ID")
    if not role:
        raise SourceUnavailableError(
            "there is no VAULT_TOKEN", "set it, or VAULT_ROLE_ID and VAULT_SECRET_ID"
        )
    client.auth.approle.login(role_id=role, secret_id=secret or None)
    if surroundings.add_secret is not None and client.token:
        surroundings.add_secret(client.token)
    return client


def _members(client: hvac.Client, mount: str, path: str) -> dict[str, object]:
    import hvac.exceptions

    version = _version(client, mount)
    if version != 1:
        try:
            answer = client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=mount, raise_on_deleted_version=True
            )
            return dict(answer["data"]["data"])
        except hvac.exceptions.InvalidPath:
            if version == 2:
                raise
    return dict(client.secrets.kv.v1.read_secret(path=path, mount_point=mount)["data"])


def _version(client: hvac.Client, mount: str) -> int | None:
    """Return which KV engine is mounted, None where the token may not ask."""
    import hvac.exceptions

    try:
        answer = client.read(f"sys/internal/ui/mounts/{mount}")
    except hvac.exceptions.VaultError:
        return None
    options = ((answer or {}).get("data") or {}).get("options") or {}
    text = str(options.get("version", "")) if isinstance(options, dict) else ""
    return int(text) if text in ("1", "2") else None


def _worded(error: Exception) -> tuple[str, str]:
    import hvac.exceptions as known

    match error:
        case known.Forbidden() | known.Unauthorized():
            return "refused", "check the token and its policy"
        case known.InvalidPath():
            return "has no such secret", "check mount and path"
        case known.VaultDown():
            return "is sealed or down", ""
        case known.InvalidRequest():
            return "did not take the request", "check VAULT_ROLE_ID and VAULT_SECRET_ID"
        case _:
            return f"answered with {type(error).__name__}", ""

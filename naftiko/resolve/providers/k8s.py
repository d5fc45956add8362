"""`k8s:///etc/secrets/db` -> the files of a secret that Kubernetes has mounted: one file a key.

Such a folder lies outside the workspace, so only folders under /var/run/secrets and /etc/secrets
are read, or under those that NAFTIKO_SECRETS_ROOT names. The links that Kubernetes makes
(`..data`) are followed within the folder alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from naftiko.resolve.providers import MAX_VALUE_BYTES, SourceUnavailableError, Surroundings

ROOTS_VARIABLE = "NAFTIKO_SECRETS_ROOT"
DEFAULT_ROOTS = ("/var/run/secrets", "/etc/secrets")


def read(uri: str, keys: Sequence[str], surroundings: Surroundings) -> Mapping[str, str]:
    """Return the contents of the files, without the line break at the end.

    Raises: SourceUnavailableError.
    """
    folder = _folder(uri)
    named = surroundings.environment.get(ROOTS_VARIABLE)
    roots = [root for root in named.split(os.pathsep) if root] if named else DEFAULT_ROOTS
    real = folder.resolve()
    if not any(real.is_relative_to(Path(root).resolve()) for root in roots):
        raise SourceUnavailableError(
            f"it does not lie under {' or '.join(map(str, roots))}",
            f"mount it there, or name its root in {ROOTS_VARIABLE}",
            code="outside-secrets-root",
            is_error=True,
        )
    if not real.is_dir():
        raise SourceUnavailableError("there is no such folder", "is the secret mounted?")
    return dict(_values(real, keys))


def _folder(uri: str) -> Path:
    try:
        parts = urlsplit(uri)
        path = unquote(parts.path)
        host = parts.netloc
    except ValueError:
        path, host = "", ""
    if host or not path.startswith("/") or "\0" in path:
        hint = "write `k8s:///etc/secrets/NAME`"
        raise SourceUnavailableError("it is no absolute path", hint, is_error=True)
    return Path(path)


def _values(folder: Path, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    for key in keys:
        # A key is the name of a file in the folder, and nothing that leads elsewhere.
        if "/" in key or "\0" in key or key.startswith(".."):
            continue
        value = _value(folder, folder / key)
        if value is not None:
            yield key, value


def _value(folder: Path, file: Path) -> str | None:
    try:
        real = file.resolve(strict=True)
        if not real.is_relative_to(folder) or not real.is_file():
            return None
        with real.open("rb") as opened:
            content = opened.read(MAX_VALUE_BYTES + 1)
        text = content.decode()
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None
    return None if len(content) > MAX_VALUE_BYTES else text.removesuffix("\n").removesuffix("\r")

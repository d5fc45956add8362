"""An MCP adapter -> the entry under which a client starts it, or calls it.

Nothing in an entry comes from the environment or from a bound file: what is secret stands there as
a placeholder, in the client's own spelling.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from naftiko.cli.addresses import base_url
from naftiko.cli.setup.clients import HTTP, STDIO, Client
from naftiko.errors import StartError
from naftiko.resources import data_folder
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.plan.capability import McpAdapterPlan, ServerAuth

ENTRY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KINDS = {
    "bearer": ("TOKEN", "the token"),
    "apikey": ("KEY", "the API key"),
    "basic": ("BASIC", "user:password as Base64"),
}
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
"""A client puts values for `${NAME}` wherever it stands, so that a file's address may hold none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What stands under `name` in a client's file, and the `inputs` that VS Code asks for it.

    `needs` says which variable the client has to find, "" where none.
    """

    name: str
    members: JsonObject
    inputs: tuple[JsonObject, ...] = ()
    needs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How naftiko is started: an absolute path, for clients have neither our PATH nor our folder.

    `names` says that shipped capabilities go by name, because this installation does not stay.
    """

    command: str
    first: tuple[str, ...] = ()
    names: bool = False


def own_launch() -> Launch:
    """Return how the naftiko that runs now can be started again."""
    if _is_passing(Path(sys.prefix)):
        return Launch(command=shutil.which("uvx") or "uvx", first=("naftiko",), names=True)
    suffix = ".exe" if sys.platform == "win32" else ""
    script = Path(sys.executable).with_name(f"naftiko{suffix}")
    if script.is_file():
        return Launch(command=str(script))
    return Launch(command=sys.executable, first=("-m", "naftiko"))


def _is_passing(prefix: Path) -> bool:
    """Tell whether this is an environment of uv's cache, which `uv cache prune` removes."""
    return any(part.startswith(("archive-v", "environments-v")) for part in prefix.parts)


def shipped_name(path: Path) -> str | None:
    """Return the name of a capability that comes with naftiko, None for any other file."""
    folder = data_folder("capabilities")
    if folder is None or path.resolve().parent != folder.resolve():
        return None
    return path.stem


def stdio_entry(
    client: Client,
    name: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    launch: Launch,
) -> Entry:
    """Return the entry with which a client starts `naftiko run` itself.

    ["run", "/srv/orders.yaml", "--stdio", "orders"] -> {"command": "/.../naftiko", "args": [...]}
    """
    words: list[JsonValue] = [*launch.first, *arguments]
    members: JsonObject = {"command": launch.command, "args": words}
    if env:
        members["env"] = dict(env)
    return Entry(name=name, members=_typed(client, STDIO, members))


def http_entry(client: Client, name: str, adapter: McpAdapterPlan, url: str | None) -> Entry:
    """Return the entry with which a client calls an adapter that runs already.

    Raises: StartError where the file does not tell the URL.
    """
    address = url or url_of(adapter)
    auth = adapter.auth
    if auth is None:
        return Entry(name=name, members=_typed(client, HTTP, {client.url: address}))
    variable, asked, needs = _placeholder(client, name, auth)
    headers, address = _credentials(auth, variable, address)
    members: JsonObject = {client.url: address}
    if headers:
        members["headers"] = headers
    return Entry(name=name, members=_typed(client, HTTP, members), inputs=asked, needs=needs)


def url_of(adapter: McpAdapterPlan) -> str:
    """Return where the file says that an adapter listens.

    Raises: StartError where it has no port of its own.
    """
    if not adapter.port:
        raise StartError(
            f"`{adapter.namespace}` has no port in the file, so its URL is not known",
            hint="give it with --url, or leave out --transport http",
        )
    host = adapter.address or ""
    if host and not _HOST.fullmatch(host):
        raise StartError(
            f"the address of `{adapter.namespace}` is no name of a host",
            hint="give the URL with --url",
        )
    return f"{base_url(host, adapter.port)}/mcp"


def checked_url(text: str) -> str:
    """Return a URL that may stand in a file that others read.

    Raises: ValueError, whose text is a sentence for people.
    """
    try:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError(text)
    except ValueError as error:
        raise ValueError(f"`{text}` is not an http or https URL") from error
    if parts.username or parts.password:
        raise ValueError("a URL with a password in it would stand in the client's file")
    return text


def _typed(client: Client, transport: str, members: JsonObject) -> JsonObject:
    kind = client.types.get(transport)
    return {"type": kind, **members} if kind else members


def _placeholder(
    client: Client, name: str, auth: ServerAuth
) -> tuple[str, tuple[JsonObject, ...], str]:
    """Return how the client is told to find the credential, what it asks for it, what it needs.

    The name is one that nothing else has: a file that calls its adapter `github` must not be sent
    what `GITHUB_TOKEN` holds.
    """
    kind, words = _KINDS[auth.type_]
    if client.asks:
        asked = f"naftiko-{name}-{kind.lower()}"
        question: JsonObject = {
            "type": "promptString",
            "id": asked,
            "description": f"{words} of {name}",
            "password": True,
        }
        return client.variable.replace("NAME", asked), (question,), ""
    variable = re.sub(r"[^A-Z0-9]+", "_", f"naftiko_{name}_{kind}".upper())
    needs = f"{client.title} has to find `{variable}` in its environment: {words} of {name}"
    return client.variable.replace("NAME", variable), (), needs


def _credentials(auth: ServerAuth, variable: str, url: str) -> tuple[JsonObject, str]:
    """Return the headers and the URL that carry a placeholder."""
    if auth.type_ == "bearer":
        return {"Authorization": f"Bearer {variable}"}, url
    if auth.type_ == "basic":
        return {"Authorization": f"Basic {variable}"}, url
    key = auth.fields.get("key", "")
    if auth.fields.get("placement") == "query":
        joint = "&" if urlsplit(url).query else "?"
        return {}, f"{url}{joint}{quote(key, safe='')}={variable}"
    return {key: variable}, url

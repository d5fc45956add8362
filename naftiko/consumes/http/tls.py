"""`tls` of a consumed API (or `authentication: {type: mtls}`): client certificate, key, CA bundle.

Each value is the path of a PEM file under the workspace root, or PEM text from a bound variable.
What cannot be used refuses every call: the API must not be called without the proof, nor over a
connection that is trusted less than the file asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.consumes.transport import Tls, Transport
from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import StartError, did_you_mean
from naftiko.model.consumes import Authentication, ConsumesHttp
from naftiko.plan.ports import ClientContext
from naftiko.resolve.files import UnderRoot, bind_path
from naftiko.source import Location
from naftiko.values import MISSING

if TYPE_CHECKING:
    from pyreqwest.client.types import TlsVersion

MUTUAL = frozenset({"mtls", "mutualtls"})
MAX_PEM_BYTES = 1024 * 1024
VERSIONS: dict[str, TlsVersion] = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}
MEMBERS = ("certificate", "key", "keyPassword", "ca", "minVersion")

_PEM = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class UnusableTls:
    """Why no call can be made; it was reported."""

    reason: str
    hint: str = field(default="")


def is_mutual(authentication: Authentication) -> bool:
    """Tell whether the client certificate is the authentication: `type: mtls`."""
    text = authentication.type_.lower().replace("-", "").replace("_", "")
    return text in MUTUAL


def compile_tls(consumes: ConsumesHttp, context: ClientContext) -> Tls | UnusableTls | None:
    """Read the TLS settings of an API, None where it has none of its own.

    Raises: ExpressionError.
    """
    authentication = consumes.authentication
    mutual = authentication if authentication and is_mutual(authentication) else None
    blocks = [consumes.tls] if consumes.tls is not None else []
    if mutual is not None:
        blocks.append(mutual.fields)
    if not blocks:
        return None
    try:
        return _Reader(blocks, context, consumes).read(mutual)
    except _FaultError as fault:
        report = context.problems.error if fault.is_error else context.problems.warn
        message = f"{fault.reason}, so calls to `{consumes.namespace}` are refused"
        report("invalid-tls", message, fault.location, fault.hint)
        return UnusableTls(fault.reason, fault.hint)


class _FaultError(Exception):
    """What keeps the settings from being used."""

    def __init__(
        self, reason: str, location: Location, hint: str = "", *, is_error: bool = True
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.location = location
        self.hint = hint
        self.is_error = is_error


class _Reader:
    """Reads the members of the blocks; the first block that has one counts."""

    def __init__(
        self, blocks: list[Mapping], context: ClientContext, consumes: ConsumesHttp
    ) -> None:
        self._blocks = blocks
        self._context = context
        self._location = blocks[0].location
        self._base_uri = consumes.base_uri

    def read(self, mutual: Authentication | None) -> Tls:
        self._check_names(mutual)
        self._check_scheme()
        certificate, key = self._pem("certificate"), self._pem("key", secret=True)
        if mutual is not None and certificate is None:
            hint = "add `certificate: ./client.pem` and `key: ./client.key`"
            raise _FaultError("`mtls` has no `certificate`", mutual.location, hint)
        if key is not None and certificate is None:
            raise _FaultError("`tls` has a `key` but no `certificate`", self._place("key"))
        if certificate is not None:
            certificate += b"\n" + self._open_key(key, certificate)
        tls = Tls(
            identity_pem=certificate,
            ca_pem=self._pem("ca"),
            min_version=self._min_version(),
            required=True,
        )
        try:
            Transport(proxy_environment=self._context.environment, tls=tls).check()
        except StartError as error:
            raise _FaultError(error.message, self._blocks[0].location, error.hint) from None
        return tls

    def _check_scheme(self) -> None:
        """Over plain HTTP no certificate would be asked for or shown."""
        if self._base_uri.text.strip().lower().startswith("http:"):
            hint = "write `https://`"
            raise _FaultError("`tls` needs a `baseUri` over https", self._base_uri.location, hint)

    def _open_key(self, key: bytes | None, certificate: bytes) -> bytes:
        """Return the private key as PKCS #8 without password, which is what TLS libraries take."""
        from cryptography.hazmat.primitives import serialization

        source = key if key is not None else certificate
        if b"PRIVATE KEY-----" not in source:
            hint = "add `key: ./client.key`"
            raise _FaultError("`certificate` comes without a private key", self._place("key"), hint)
        password = self._text("keyPassword")
        if password:
            self._context.add_secret(password)
        try:
            opened = serialization.load_pem_private_key(
                source, password.encode() if password else None
            )
        except TypeError:
            wanted = "is not encrypted" if password else "is encrypted, and there is no password"
            raise _FaultError(
                f"the key {wanted}", self._place("key"), "see `keyPassword`"
            ) from None
        except ValueError:
            reason = "the key cannot be read" + (" with this password" if password else "")
            raise _FaultError(reason, self._place("key")) from None
        return opened.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def _pem(self, member: str, *, secret: bool = False) -> bytes | None:
        text = self._text(member)
        if text is None:
            return None
        if _PEM in text:
            if secret:
                self._context.add_secret(text)
            # In an environment variable, line breaks are often written as two characters.
            return (text if "\n" in text.strip() else text.replace("\\n", "\n")).encode()
        return self._file(member, text)

    def _file(self, member: str, text: str) -> bytes:
        place = self._place(member)
        path = bind_path(text)
        if path is None:
            hint = "name a file, or bind the PEM text and write `{{MY_CERTIFICATE}}`"
            raise _FaultError(f"`{member}` is neither a file nor PEM text", place, hint)
        files = UnderRoot(self._context.workspace_root)
        found = files.find(path, beside=Path(place.path).parent, also=files.root)
        if found.outside is not None:
            reason = f"the file of `{member}` lies outside the workspace root {files.root}"
            hint = "move it under the root, or bind its text with `k8s://` or a secret store"
            raise _FaultError(reason, place, hint)
        if found.path is None:
            hint = did_you_mean(Path(path).name, found.siblings)
            reason = f"the file `{text}` of `{member}` does not exist"
            raise _FaultError(reason, place, hint, is_error=False)
        try:
            with found.path.open("rb") as file:
                pem = file.read(MAX_PEM_BYTES + 1)
        except OSError as error:
            reason = f"the file `{text}` of `{member}` cannot be read: {error.strerror}"
            raise _FaultError(reason, place, is_error=False) from None
        if len(pem) > MAX_PEM_BYTES or _PEM.encode() not in pem:
            raise _FaultError(f"the file `{text}` of `{member}` holds no PEM", place)
        return pem

    def _min_version(self) -> TlsVersion | None:
        text = self._text("minVersion")
        if text is None:
            return None
        found = VERSIONS.get(text.lower().removeprefix("tls").removeprefix("v").strip())
        if found is None:
            place = self._place("minVersion")
            raise _FaultError(f"`minVersion` is `{text}`, found neither 1.2 nor 1.3", place)
        return found

    def _text(self, member: str) -> str | None:
        """Return a member's text, variables filled in, None where it is not given."""
        scalar = self._scalar(member)
        if scalar is None:
            return None
        template = self._context.templates.scalar(scalar)
        value = template.render({})
        text = "" if value is MISSING or value is None else str(value)
        if template.missing({}) or not text.strip():
            hint = "bind the variable under `binds`, and give it a value"
            raise _FaultError(f"`{member}` has no value", scalar.location, hint, is_error=False)
        return text

    def _scalar(self, member: str) -> Scalar | None:
        for block in self._blocks:
            found = block.get(member)
            if isinstance(found, Scalar) and found.value is not None:
                return found
        return None

    def _place(self, member: str) -> Location:
        scalar = self._scalar(member)
        return scalar.location if scalar is not None else self._location

    def _check_names(self, mutual: Authentication | None) -> None:
        """A misspelt `ca` would mean another trust than the author meant."""
        for block in self._blocks:
            known = (*MEMBERS, "type") if mutual and block is mutual.fields else MEMBERS
            for key, _ in block.entries:
                if key.text not in known and not key.text.startswith("x-"):
                    hint = did_you_mean(key.text, known)
                    raise _FaultError(f"`tls` has no member `{key.text}`", key.location, hint)

"""Client certificates and own roots, against a TLS server that asks for a certificate."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from naftiko.errors import RunError, Severity
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from tests.live.peers import running_app
from tests.unit.consumes.http.apis import Api, compile_api

PASSWORD = "canary-key-password"


def pem(key: ec.EllipticCurvePrivateKey, password: str = "") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


@dataclass
class Authority:
    """A certificate authority."""

    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        self.certificate = self._signed(self.subject, self.key, is_ca=True)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._signed(subject, key, is_ca=False)
        return made.public_bytes(serialization.Encoding.PEM), key

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_ca: bool
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if is_ca:
            usage = x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self.key, hashes.SHA256())


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"ok": true}'})


@dataclass(frozen=True)
class Site:
    """Where the servers listen, and the folder with every file."""

    folder: Path
    strict: int
    open_: int
    texts: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority("test root"), Authority("another root")
    files: dict[str, bytes] = {"ca.pem": authority.pem, "stranger-ca.pem": stranger.pem}
    for owner, issuer in (("server", authority), ("client", authority), ("stranger", stranger)):
        certificate, key = issuer.issue(owner)
        files[f"{owner}.pem"] = certificate
        files[f"{owner}.key"] = pem(key)
        files[f"{owner}.locked.key"] = pem(key, PASSWORD)
        files[f"{owner}.both.pem"] = certificate + pem(key)
    files["nonsense.pem"] = b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"
    files["text.pem"] = b"no certificate"
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder.parent / "outside.pem").write_bytes(files["client.both.pem"])
    settings = {
        "ssl_certfile": str(folder / "server.pem"),
        "ssl_keyfile": str(folder / "server.key"),
    }
    asks = {"ssl_ca_certs": str(folder / "ca.pem"), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    with running_app(app, **settings, **asks) as strict, running_app(app, **settings) as open_:
        texts = {name: content.decode() for name, content in files.items()}
        yield Site(folder, strict, open_, texts)


def compiled(
    site: Site,
    block: str,
    *,
    port: int | None = None,
    environment: dict[str, str] | None = None,
    scheme: str = "https",
) -> Api:
    keys = "".join(f"      {name}: {name}\n" for name in environment or {})
    return compile_api(
        (f"binds:\n  - namespace: env\n    keys:\n{keys}" if keys else "")
        + f"consumes:\n  - namespace: ns\n    type: http\n"
        f"    baseUri: {scheme}://127.0.0.1:{port or site.strict}\n    {block}\n"
        "    resources: [{name: r, path: /a, operations: [{name: op, method: GET}]}]\n",
        environment,
        path=str(site.folder / "api.yaml"),
        root=site.folder,
    )


def call(api: Api) -> Result:
    async def story() -> Result:
        try:
            return await api.operation().call({}, Run(inputs={}))
        finally:
            await api.adapter.close()

    return asyncio.run(story())


def failure(api: Api) -> RunError:
    with pytest.raises(RunError) as caught:
        call(api)
    return caught.value


@pytest.mark.parametrize(
    "block",
    [
        "tls: {certificate: client.pem, key: client.key, ca: ca.pem}",
        "tls: {certificate: ./client.both.pem, ca: 'file:///./ca.pem', minVersion: '1.3'}",
        "tls: {certificate: client.pem, key: client.locked.key, keyPassword: '{{PW}}', ca: ca.pem}",
        "tls: {certificate: '{{CERT}}', key: '{{KEY}}', ca: '{{CA}}', minVersion: TLSv1.2}",
        "tls: {certificate: '{{CERT}}', key: '{{ESCAPED}}', ca: '{{CA}}'}",
        "authentication: {type: mtls, certificate: client.pem, key: client.key, ca: ca.pem}",
        "authentication: {type: mtls}\n    "
        "tls: {certificate: client.pem, key: client.key, ca: ca.pem}",
    ],
)
def test_a_client_certificate(site: Site, block: str) -> None:
    environment = {
        "PW": PASSWORD,
        "CERT": site.texts["client.pem"],
        "KEY": site.texts["client.key"],
        "ESCAPED": site.texts["client.key"].replace("\n", "\\n"),
        "CA": site.texts["ca.pem"],
    }
    api = compiled(site, block, environment=environment)
    assert call(api).value == {"ok": True}
    assert api.codes == []


def test_a_root_of_its_own(site: Site) -> None:
    assert call(compiled(site, "tls: {ca: ca.pem}", port=site.open_)).value == {"ok": True}


def test_it_goes_with_a_token(site: Site) -> None:
    block = (
        "tls: {certificate: client.pem, key: client.key, ca: ca.pem}\n    "
        "authentication: {type: bearer, token: abc}"
    )
    assert call(compiled(site, block)).status == 200


@pytest.mark.parametrize(
    "block",
    [
        "tls: {ca: ca.pem}",  # no certificate is shown
        "tls: {certificate: stranger.pem, key: stranger.key, ca: ca.pem}",
        "tls: {certificate: client.pem, key: client.key, ca: stranger-ca.pem}",
        "tls: {certificate: client.pem, key: client.key}",
        "description: none",
    ],
)
def test_who_is_not_trusted_gets_nothing(site: Site, block: str) -> None:
    error = failure(compiled(site, block))
    assert error.code in ("unreachable", "connection-broken")


@pytest.mark.parametrize(
    ("block", "said", "severity"),
    [
        ("authentication: {type: mtls}", "no `certificate`", Severity.ERROR),
        ("tls: {key: client.key}", "no `certificate`", Severity.ERROR),
        ("tls: {certificate: client.pem}", "without a private key", Severity.ERROR),
        ("tls: {certificate: client.pem, key: client.locked.key}", "no password", Severity.ERROR),
        (
            "tls: {certificate: client.pem, key: client.locked.key, keyPassword: canary-no}",
            "with this password",
            Severity.ERROR,
        ),
        ("tls: {certificate: client.pem, key: stranger.key}", "cannot be used", Severity.ERROR),
        ("tls: {certificate: nonsense.pem, key: client.key}", "cannot be used", Severity.ERROR),
        ("tls: {ca: nonsense.pem}", "cannot be used", Severity.ERROR),
        ("tls: {ca: text.pem}", "holds no PEM", Severity.ERROR),
        ("tls: {ca: ../outside.pem}", "outside the workspace", Severity.ERROR),
        ("tls: {ca: /etc/hostname}", "outside the workspace", Severity.ERROR),
        ("tls: {ca: cab.pem}", "does not exist", Severity.WARNING),
        ("tls: {ca: 'vault://a/b'}", "neither a file", Severity.ERROR),
        ("tls: {ca: '{{UNSET}}'}", "has no value", Severity.WARNING),
        ("tls: {minVersion: '1.1'}", "neither 1.2 nor 1.3", Severity.ERROR),
        ("tls: {cacert: ca.pem}", "no member `cacert`", Severity.ERROR),
    ],
)
def test_what_cannot_be_used_refuses_every_call(
    site: Site, block: str, said: str, severity: Severity
) -> None:
    api = compiled(site, block, port=site.open_)
    assert failure(api).code == "invalid-tls"
    found = [problem for problem in api.problems if problem.code == "invalid-tls"]
    assert [problem.severity for problem in found] == [severity]
    assert said in found[0].message
    assert "canary" not in found[0].message + found[0].hint


def test_plain_http_proves_nothing(site: Site) -> None:
    block = "authentication: {type: mtls, certificate: client.pem, key: client.key}"
    api = compiled(site, block, scheme="http")
    assert failure(api).code == "invalid-tls"
    assert "over https" in api.problems.errors[0].message


def test_key_and_password_are_secrets(site: Site) -> None:
    block = "tls: {certificate: client.pem, key: client.locked.key, keyPassword: '{{PW}}'}"
    api = compiled(site, block, environment={"PW": PASSWORD})
    api.operation()
    assert PASSWORD in api.secrets


def test_aws_services_are_called_by_their_model(site: Site) -> None:
    api = compile_api(
        "consumes:\n  - {namespace: ns, type: http, tls: {minVersion: '1.2'},\n"
        "     baseUri: 'https://states.us-east-1.amazonaws.com',\n"
        "     resources: [{name: r, path: /, operations: [{name: op, method: POST, "
        "inputParameters: [{name: X-Amz-Target, in: header, "
        "value: AWSStepFunctions.ListStateMachines}]}]}]}\n",
        root=site.folder,
    )
    assert failure(api).code == "invalid-tls"
    assert "invalid-tls" in api.codes

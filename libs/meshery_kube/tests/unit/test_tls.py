"""Which TLS fault it is, with real certificates on a real listener."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meshery_kube import Client, Context, errors
from meshery_kube.certificates import tls_context
from meshery_kube.errors import Fault
from meshery_kube.kubeconfigs import Server, User

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@dataclass
class Pair:
    certificate: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def key(self, password: bytes | None = None) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption(),
        ).decode()


def issue(name: str, by: Pair | None, alternative: str = "127.0.0.1", ends: int = 1) -> Pair:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(alternative))
    except ValueError:
        san = x509.DNSName(alternative)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 10 * DAY)
        .not_valid_after(NOW + ends * DAY)
        .add_extension(x509.SubjectAlternativeName([san]), critical=False)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .sign(by.private if by else private, hashes.SHA256())
    )
    return Pair(certificate, private)


AUTHORITY = issue("authority", None)
OTHER = issue("other authority", None)
CLIENT = issue("alice", AUTHORITY)


def server_side(pair: Pair, folder: Path, client_authority: str | None = None) -> ssl.SSLContext:
    file = folder / "server.pem"
    file.write_text(pair.pem + pair.key())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_authority)
    return context


@pytest.fixture
async def listen() -> AsyncIterator[object]:
    servers: list[asyncio.Server] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = b'{"major":"1","minor":"36"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def start(context: ssl.SSLContext) -> str:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        servers.append(server)
        return f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


async def version(server: Server, user: User | None = None) -> int:
    async with Client(Context("t", server, user or User("u"))) as kube:
        return (await kube.version(timeout=5)).minor


@pytest.mark.parametrize(
    ("pair", "fault"),
    [
        (issue("kube", OTHER), Fault.TLS_UNKNOWN_AUTHORITY),
        (issue("kube", None), Fault.TLS_UNKNOWN_AUTHORITY),
        (issue("kube", AUTHORITY, "10.0.0.1"), Fault.TLS_HOST_MISMATCH),
        (issue("kube", AUTHORITY, "kube.example"), Fault.TLS_HOST_MISMATCH),
        (issue("kube", AUTHORITY, ends=-1), Fault.TLS_EXPIRED),
    ],
    ids=["other", "self-signed", "address", "name", "expired"],
)
async def test_the_fault_is_named(listen, tmp_path: Path, pair: Pair, fault: Fault) -> None:  # type: ignore[no-untyped-def]
    url = await listen(server_side(pair, tmp_path))
    with pytest.raises(errors.Unreachable) as caught:
        await version(Server("t", url, AUTHORITY.pem))
    assert caught.value.fault is fault
    assert caught.value.is_tls
    assert await version(Server("t", url, AUTHORITY.pem, verify_tls=False)) == 36


async def test_a_server_name_of_ones_own(listen, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    url = await listen(server_side(issue("kube", AUTHORITY, "kube.example"), tmp_path))
    assert await version(Server("t", url, AUTHORITY.pem, "kube.example")) == 36


async def test_client_certificates(listen, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    url = await listen(server_side(issue("kube", AUTHORITY), tmp_path, AUTHORITY.pem))
    server = Server("t", url, AUTHORITY.pem)
    assert await version(server, User("u", certificate=CLIENT.pem, key=CLIENT.key())) == 36
    with pytest.raises(errors.Unreachable) as caught:
        await version(server)
    assert caught.value.fault in (Fault.TLS_CLIENT_CERTIFICATE, Fault.RESET)


async def test_plain_http_behind_https_is_no_tls() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(errors.Unreachable) as caught:
            await version(Server("t", url, AUTHORITY.pem))
    assert caught.value.fault is Fault.TLS_OTHER


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (CLIENT.pem, CLIENT.key(b"password")),
        (CLIENT.pem, OTHER.key()),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", CLIENT.key()),
        (CLIENT.pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
    ],
    ids=["encrypted", "foreign", "broken certificate", "broken key"],
)
def test_an_unusable_pair_is_refused_without_asking(certificate: str, key: str) -> None:
    with pytest.raises(errors.KubeconfigMalformed):
        tls_context(Server("t", "https://x", AUTHORITY.pem), certificate, key)


def test_an_unusable_authority_is_refused() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for pem in (broken, "nonsense"):
        with pytest.raises(errors.KubeconfigMalformed):
            tls_context(Server("t", "https://x", pem), None, None)


def test_fingerprints_of_the_authority() -> None:
    found = Server("t", "https://x", AUTHORITY.pem + OTHER.pem).authority_fingerprints
    assert found[0] == AUTHORITY.certificate.fingerprint(hashes.SHA256()).hex()
    assert len(found) == 2
    assert Server("t", "https://x").authority_fingerprints == ()

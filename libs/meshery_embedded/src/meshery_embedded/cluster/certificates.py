"""Keys and certificates of one sandbox, kept in its data folder so that kubeconfigs stay valid."""

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = timedelta(days=3650)
# Replaced at a start when less than this is left.
_RENEW = timedelta(days=30)
# Clocks of containers and laptops differ a little.
_BACKDATED = timedelta(hours=1)
_SERVICE_ADDRESS = "10.96.0.1"
_LOCAL_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_LOCAL_ADDRESSES = ("127.0.0.1", "::1", _SERVICE_ADDRESS)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class PKI:
    """All keys of a sandbox. etcd has an authority of its own: the cluster's signs for anybody."""

    authority: Pair
    etcd_authority: Pair
    api_server: Pair
    kubelet: Pair
    etcd: Pair
    etcd_client: Pair
    kubelet_client: Pair
    admin: Pair
    controller_manager: Pair
    scheduler: Pair
    kwok: Pair
    service_account_key: Path


def ensure_pki(folder: Path) -> PKI:
    """Make what is missing or about to expire in `folder`; keep the rest."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _authority(folder, "ca", "meshery-sandbox")
    etcd_authority = _authority(folder, "etcd-ca", "meshery-sandbox-etcd")
    masters = "system:masters"
    return PKI(
        authority=authority,
        etcd_authority=etcd_authority,
        api_server=_leaf(folder, authority, "apiserver", "kube-apiserver", server=True),
        kubelet=_leaf(folder, authority, "kubelet", "system:node:sandbox", server=True),
        # Serves and, between members, calls.
        etcd=_leaf(folder, etcd_authority, "etcd", "etcd", server=True, client=True),
        etcd_client=_leaf(folder, etcd_authority, "etcd-client", "kube-apiserver", client=True),
        kubelet_client=_leaf(folder, authority, "kubelet-client", "kube-apiserver", masters, client=True),
        admin=_leaf(folder, authority, "admin", "sandbox-admin", masters, client=True),
        # As masters: the roles that separate controllers are not what a sandbox is for.
        controller_manager=_leaf(
            folder, authority, "kcm", "system:kube-controller-manager", masters, client=True
        ),
        scheduler=_leaf(folder, authority, "scheduler", "system:kube-scheduler", masters, client=True),
        kwok=_leaf(folder, authority, "kwok", "kwok", masters, client=True),
        service_account_key=_service_account_key(folder / "sa.key"),
    )


def _service_account_key(path: Path) -> Path:
    if not path.exists():
        _write_private(path, _pem(ec.generate_private_key(ec.SECP256R1())))
    return path


def _authority(folder: Path, name: str, common_name: str) -> Pair:
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    if _good(pair):
        return pair
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(common_name)
    certificate = (
        _builder(subject, subject, key.public_key(), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _store(pair, key, certificate)
    return pair


def _leaf(
    folder: Path,
    authority: Pair,
    name: str,
    common_name: str,
    organisation: str = "",
    *,
    server: bool = False,
    client: bool = False,
) -> Pair:
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    if _good(pair, issuer):
        return pair
    issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{authority.key} is not the elliptic curve key that this module writes")
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [
        *((ExtendedKeyUsageOID.SERVER_AUTH,) if server else ()),
        *((ExtendedKeyUsageOID.CLIENT_AUTH,) if client else ()),
    ]
    builder = (
        _builder(
            _subject(common_name, organisation), issuer.subject, key.public_key(), issuer_key.public_key()
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    )
    if server:
        addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in _LOCAL_ADDRESSES]
        names = [x509.DNSName(text) for text in _LOCAL_NAMES]
        builder = builder.add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
    _store(pair, key, builder.sign(issuer_key, hashes.SHA256()))
    return pair


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALID)
        # Both identifiers: Python 3.13 and later refuse a chain without them.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _subject(common_name: str, organisation: str = "") -> x509.Name:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(names)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _good(pair: Pair, issuer: x509.Certificate | None = None) -> bool:
    if not pair.certificate.exists() or not pair.key.exists():
        return False
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    if certificate.not_valid_after_utc - datetime.now(UTC) < _RENEW:
        return False
    if issuer is None:
        return True
    wanted = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value == wanted


def _store(pair: Pair, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    # The certificate last: a pair without it is made anew.
    _write_private(pair.key, _pem(key))
    _write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        # SEC 1: the form in which every reader of service account keys takes elliptic curves.
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write_private(path: Path, content: bytes) -> None:
    """Write a whole file or none, readable by its owner only."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    unfinished.replace(path)

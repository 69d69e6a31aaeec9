"""The network's TLS certificates: a P-256 CA, and certificates for nodes and brokers.

Issued here and only here; a node verifies with OpenSSL alone. They are valid
1970-9999 because a Pi's clock may say 1970: who may join is decided by credentials
and revocations, never by a date.
"""

from __future__ import annotations

import datetime
import ipaddress
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshrelay.errors import ConfigError

VALID_FROM = datetime.datetime(1970, 1, 1)
# RFC 5280, 4.1.2.5: "no well-defined expiration date".
VALID_UNTIL = datetime.datetime(9999, 12, 31, 23, 59, 59)


def make_key() -> bytes:
    """A fresh P-256 private key as PEM (PKCS 8, not encrypted)."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_request(key_pem: bytes, common_name: str) -> bytes:
    """A certificate request (PEM) that proves possession of the key."""
    request = x509.CertificateSigningRequestBuilder().subject_name(_name(common_name))
    return request.sign(_key(key_pem), hashes.SHA256()).public_bytes(Encoding.PEM)


def to_der(pem: bytes) -> bytes:
    """A certificate request in the shorter form that fits a QR code."""
    return x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER)


def request_pem(der: bytes) -> bytes:
    """A certificate request as PEM; not checked.

    Raises:
        ConfigError: it is none.
    """
    try:
        return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)
    except ValueError as error:
        raise ConfigError(f"the request holds no certificate request: {error}") from error


def make_ca(key_pem: bytes, network_name: str) -> bytes:
    """The self-signed CA certificate of a network (PEM)."""
    key = _key(key_pem)
    name = _name(f"meshrelay {network_name}"[:64])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


def sign_request(ca_key_pem: bytes, ca_pem: bytes, request_pem: bytes) -> bytes:
    """Certify the key in a request, under the name it asks for, for both ends of a link.

    Whoever calls this has checked the name: it becomes the node's name at the broker.

    Raises:
        ConfigError: not a request, not P-256, or it does not prove the key.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem)
    except ValueError as error:
        raise ConfigError(f"the request holds no certificate request: {error}") from error
    public = request.public_key()
    if not request.is_signature_valid or not _is_p256(public):
        raise ConfigError("the certificate request must be for a P-256 key and signed by it")
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return _sign(ca_key_pem, ca_pem, request.subject, public, [])


def make_server(
    ca_key_pem: bytes, ca_pem: bytes, key_pem: bytes, common_name: str, hosts: list[str]
) -> bytes:
    """A certificate (PEM) for a broker that is reached at `hosts` (names or addresses)."""
    public = _key(key_pem).public_key()
    return _sign(ca_key_pem, ca_pem, _name(common_name), public, hosts)


def spki_sha256(certificate_or_request_pem: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo: how a credential names a TLS key (RFC 7469)."""
    if b"CERTIFICATE REQUEST" in certificate_or_request_pem:
        public = x509.load_pem_x509_csr(certificate_or_request_pem).public_key()
    else:
        public = x509.load_pem_x509_certificate(certificate_or_request_pem).public_key()
    return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def common_name(certificate_pem: bytes) -> str:
    """The name that a broker knows the holder by."""
    names = x509.load_pem_x509_certificate(certificate_pem).subject.get_attributes_for_oid(
        NameOID.COMMON_NAME
    )
    return str(names[0].value) if len(names) == 1 else ""


def check_issued(ca_pem: bytes, certificate_pem: bytes) -> None:
    """Check that the CA signed the certificate.

    Raises:
        ConfigError: it did not.
    """
    ca = x509.load_pem_x509_certificate(ca_pem)
    try:
        x509.load_pem_x509_certificate(certificate_pem).verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise ConfigError("the certificate was not issued by this network's CA") from error


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("expected a P-256 private key")
    return key


def _is_p256(public: object) -> bool:
    return isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(
    ca_key_pem: bytes,
    ca_pem: bytes,
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    hosts: list[str],
) -> bytes:
    ca_key = _key(ca_key_pem)
    ca = x509.load_pem_x509_certificate(ca_pem)
    both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        _builder(subject, ca.subject, public)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
    )
    if hosts:
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)

"""Mutual TLS 1.3 inside one network: its own CA, and no dates.

A Raspberry Pi without a clock battery starts in 1970, so our side never checks dates
(trust.md, Links and pages); who may speak is then decided by the signed credential,
which names the TLS key by its SPKI digest. X.509 is parsed here as far as that digest
needs and no further: the node does not load the cryptography package (8 MB).
"""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from meshrelay.errors import ConfigError, CredentialError

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; Python's ssl has no name for it.
NO_CHECK_TIME = 0x200000
# SubjectPublicKeyInfo of an uncompressed P-256 key up to the point (RFC 5480): the only
# key that certificates of a network carry.
P256_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
P256_SPKI_BYTES = 91


@dataclass(frozen=True)
class Contexts:
    """The two ends of a node link; `client` also serves the MQTT broker connection."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def contexts(key: Path, certificate: Path, ca: Path) -> Contexts:
    """Load `tls.key`, `tls.crt` and `ca.crt` of a node's `keys` directory.

    Both contexts demand a certificate of this CA and TLS 1.3, and check neither dates
    nor host names: an admitted link still needs `Doorman.admit`.

    Raises:
        ConfigError: a file is missing, is no PEM, or key and certificate do not match.
    """
    return Contexts(
        server=_context(ssl.PROTOCOL_TLS_SERVER, key, certificate, ca),
        client=_context(ssl.PROTOCOL_TLS_CLIENT, key, certificate, ca),
    )


def _context(protocol: int, key: Path, certificate: Path, ca: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= NO_CHECK_TIME
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0  # every link proves its key anew
    for path in (key, certificate, ca):
        if not path.is_file():
            raise ConfigError(f"{path}: not there; expected a PEM file made at enrolment")
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"{certificate}, {key}: expected a PEM certificate and its key ({error})"
        ) from error
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"{ca}: expected the PEM certificate of the CA ({error})") from error
    return context


def spki_sha256(certificate_der: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a P-256 certificate.

    The certificate must already have been verified by TLS. The fields are walked, not
    searched for: a subject name that contains the bytes of another key finds nothing.

    Raises:
        CredentialError: not an X.509 certificate with a P-256 key.
    """
    try:
        outer = _value(certificate_der, 0)
        body = _value(certificate_der, outer[0])
        offset, end = body
        if certificate_der[offset] == 0xA0:  # the explicit version of v3
            offset = _value(certificate_der, offset)[1]
        for _field in ("serial", "signature", "issuer", "validity", "subject"):
            offset = _value(certificate_der, offset)[1]
        spki = certificate_der[offset : _value(certificate_der, offset)[1]]
    except IndexError:
        raise CredentialError("wrong_certificate", "not a DER certificate") from None
    if offset >= end or len(spki) != P256_SPKI_BYTES or not spki.startswith(P256_SPKI_PREFIX):
        raise CredentialError("wrong_certificate", "not a P-256 key")
    return hashlib.sha256(spki).digest()


def _value(der: bytes, offset: int) -> tuple[int, int]:
    """Start and end of the value of the DER element at `offset`."""
    length = der[offset + 1]
    start = offset + 2
    if length >= 0x80:
        width = length & 0x7F
        length = int.from_bytes(der[start : start + width], "big")
        start += width
    if start + length > len(der):
        raise IndexError("a DER element is longer than its file")
    return start, start + length

"""Certificates, digests and waiting."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from meshrelay.bearers.backoff import Backoff
from meshrelay.bearers.tls import P256_SPKI_PREFIX, contexts, spki_sha256
from meshrelay.cli import x509
from meshrelay.errors import ConfigError, CredentialError
from tests.certs import CertificateAuthority


def der(path: Path) -> bytes:
    return load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def test_the_digest_is_what_the_credential_names(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    files = authority.node("kita", "ab" * 32)

    assert spki_sha256(der(files.certificate)) == files.spki_sha256
    assert spki_sha256(der(authority.ca)) == x509.spki_sha256(authority.ca.read_bytes())


def test_a_name_that_looks_like_a_key_is_not_taken_for_one(tmp_path: Path) -> None:
    lure = (P256_SPKI_PREFIX.decode("latin-1") + "A" * 30)[:60]
    files = CertificateAuthority(tmp_path).node("kita", lure)

    assert spki_sha256(der(files.certificate)) == files.spki_sha256


def test_what_is_no_p256_certificate_is_refused(tmp_path: Path) -> None:
    whole = der(CertificateAuthority(tmp_path).node("kita", "ab" * 32).certificate)
    other = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    for bad in (b"", b"0", b"not der", whole[:80], whole[:-400], b"\x30\x03\x30\x01\x00", other):
        with pytest.raises(CredentialError):
            spki_sha256(bad)


def test_every_cut_of_a_certificate_is_refused_or_the_same(tmp_path: Path) -> None:
    whole = der(CertificateAuthority(tmp_path).node("kita", "ab" * 32).certificate)
    for length in range(len(whole)):
        with pytest.raises(CredentialError):
            spki_sha256(whole[:length])


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    files = CertificateAuthority(tmp_path / "one").node("kita", "ab" * 32)
    other = CertificateAuthority(tmp_path / "two").node("kita", "ab" * 32)
    with pytest.raises(ConfigError, match=r"none\.key"):
        contexts(tmp_path / "none.key", files.certificate, files.ca)
    with pytest.raises(ConfigError, match=r"kita\.crt"):
        contexts(other.key, files.certificate, files.ca)
    empty = tmp_path / "empty.crt"
    empty.write_text("nothing")
    with pytest.raises(ConfigError, match=r"empty\.crt"):
        contexts(files.key, files.certificate, empty)


def test_waits_grow_to_the_cap_and_start_again_after_contact() -> None:
    backoff = Backoff(0.2, 10.0, random.Random(1))
    waits = [backoff.next_s() for _ in range(200)]
    assert all(0.2 <= wait <= 10.0 for wait in waits)
    assert waits[0] <= 0.6 and max(waits) > 5.0

    backoff.reset()
    assert backoff.next_s() <= 0.6

"""The manifest of a courier file, and what is remembered of it for the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshrelay.core.signing import Signer, hash32
from meshrelay.core.vector import BUCKET_DIGEST_BYTES, BUCKETS
from meshrelay.errors import CredentialError, RemoteProtocolError
from meshrelay.node.manifest import (
    DIGESTS_BYTES,
    KnownRecords,
    Manifest,
    pack_manifest,
    read_manifest,
    record_digests,
)
from tests.unit.core.city import CHUO, KITA, NETWORK

FILE = bytes(16)
ONE, OTHER = b"1" * 8, b"2" * 8
MANIFEST = Manifest(FILE, KITA.public, ONE, 7, 1_795_000_000_000, 4, "02", bytes(DIGESTS_BYTES))


def read(content: bytes, network: bytes = NETWORK, file_id: bytes = FILE) -> Manifest:
    return read_manifest(content, lambda greeting: greeting, network, file_id)


def packed(signer: Signer = KITA, **changes: Any) -> bytes:
    return pack_manifest(MANIFEST._replace(**changes), KITA.public, signer, NETWORK)


def test_a_manifest_is_read_as_it_was_signed() -> None:
    assert read(packed()) == MANIFEST


@pytest.mark.parametrize(
    "changes",
    [
        {"file_id": b"x" * 16}, {"writer": CHUO.public}, {"incarnation": b""}, {"change": 1 << 63},
        {"written_ms": 1 << 48}, {"quality": 5}, {"to": "x" * 65}, {"to": b"02"},
        {"digests": bytes(8)},
    ],
)  # fmt: skip
def test_a_manifest_with_a_field_that_is_none_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        read(packed(**changes))

    assert refused.value.reason == "malformed"


def test_only_the_writer_can_sign_it_and_only_for_this_network_and_file() -> None:
    for content, network, file_id, reason in (
        (packed(CHUO), NETWORK, FILE, "bad_signature"),
        (packed(), b"other network!!!", FILE, "bad_signature"),
        (packed(), NETWORK, b"y" * 16, "malformed"),
        (b"\x80", NETWORK, FILE, "malformed"),
    ):
        with pytest.raises(RemoteProtocolError) as refused:
            read(content, network, file_id)
        assert refused.value.reason == reason


def test_whoever_judges_greetings_has_the_last_word() -> None:
    def admit(greeting: bytes) -> bytes:
        raise CredentialError("revoked", greeting.hex())

    with pytest.raises(CredentialError):
        read_manifest(packed(), admit, NETWORK, FILE)


def test_equal_records_have_equal_digests_whatever_their_order() -> None:
    ids = [hash32(bytes([number])) for number in range(200)]

    assert record_digests(ids) == record_digests(ids[::-1])
    changed = zip(record_digests(ids), record_digests(ids[1:]), strict=True)
    assert [n for n, (a, b) in enumerate(changed) if a != b] == [ids[0][0]]
    assert record_digests([]) == [bytes(BUCKET_DIGEST_BYTES)] * BUCKETS


def test_what_a_writer_holds_counts_for_that_store_alone(tmp_path: Path) -> None:
    known = KnownRecords(tmp_path / "couriers")
    known.keep(MANIFEST._replace(digests=b"d" * DIGESTS_BYTES))

    assert known.digests(KITA.public, ONE) == [b"d" * BUCKET_DIGEST_BYTES] * BUCKETS
    assert known.digests(KITA.public, OTHER) is None
    assert known.digests(KITA.public, None) is None
    assert known.digests(CHUO.public, ONE) is None


def test_an_older_file_does_not_take_back_what_a_newer_one_said(tmp_path: Path) -> None:
    known = KnownRecords(tmp_path)
    new, old = b"n" * DIGESTS_BYTES, b"o" * DIGESTS_BYTES

    known.keep(MANIFEST._replace(change=9, digests=new))
    known.keep(MANIFEST._replace(change=8, digests=old))
    kept = known.digests(KITA.public, ONE)
    known.keep(MANIFEST._replace(incarnation=OTHER, change=1, digests=old))

    assert kept == [b"n" * BUCKET_DIGEST_BYTES] * BUCKETS
    assert known.digests(KITA.public, OTHER) == [b"o" * BUCKET_DIGEST_BYTES] * BUCKETS


@pytest.mark.parametrize("spoilt", [b"", b"\xff", b"\x80", b"\x83\x01\x02\x03"])
def test_a_spoilt_memory_only_makes_the_next_file_larger(tmp_path: Path, spoilt: bytes) -> None:
    known = KnownRecords(tmp_path)
    known.keep(MANIFEST)
    (path,) = tmp_path.iterdir()
    path.write_bytes(spoilt)

    assert known.digests(KITA.public, ONE) is None
    known.keep(MANIFEST)
    assert known.digests(KITA.public, ONE) is not None

"""The signed unit: what it says comes back, and every limit holds at its edge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.codec import encode
from meshrelay.core.entry import (
    AUDIENCE_CHARS_MAX,
    ENTRY_BYTES_MAX,
    KIND_CHARS_MAX,
    SUMMARY_CHARS_MAX,
    AuthorPart,
    Draft,
    author_aad,
    check_entry,
    entry_aad,
    make_entry,
    read_author_part,
    read_entry,
    sign_author_part,
)
from meshrelay.core.signing import verify1
from meshrelay.errors import FrameError, SignatureError
from tests.unit.core.city import CHUO, KITA, NETWORK, chain, log_of, note

LOG = log_of(KITA)
ENVELOPE = [*LOG, 1, LOG.first_prev, 5 << 16, 4, 60, "note", b"", b"text"]
PART = AuthorPart(b"m" * 16, b"s" * 32, 5, 4, 1, "all", "要約", b"body")


def entry_with(fields: list[Any]) -> bytes:
    return KITA.sign1(encode(fields), entry_aad(NETWORK))


def with_field(at: int, value: object) -> list[Any]:
    return [*ENVELOPE[:at], value, *ENVELOPE[at + 1 :]]


@settings(deadline=None)
@given(
    st.integers(0, 3),
    st.integers(1, (1 << 63) - 1),
    st.integers(0, (1 << 63) - 1),
    st.integers(0, 4),
    st.integers(0, (1 << 32) - 1),
    st.text(max_size=KIND_CHARS_MAX),
    st.binary(max_size=500),
    st.binary(max_size=500),
)
def test_an_entry_is_read_as_it_was_made(
    lane: int, seq: int, hlc: int, quality: int, lifetime_s: int, kind: str, author: bytes,
    body: bytes,
) -> None:  # fmt: skip
    log = log_of(KITA, lane)
    made = make_entry(
        KITA, NETWORK, log, seq, log.first_prev, hlc, quality,
        Draft(lane, kind, lifetime_s, author, body),
    )  # fmt: skip

    assert read_entry(made.raw) == made
    check_entry(made, NETWORK)


def test_the_id_covers_the_signature_and_links_the_next() -> None:
    first, second = chain(KITA, 2)

    assert second.prev == first.id
    assert first.prev == LOG.first_prev
    assert read_entry(first.raw).id == first.id


def test_logs_begin_differently() -> None:
    begins = {log_of(signer, lane).first_prev for signer in (KITA, CHUO) for lane in range(4)}

    assert len(begins) == 8


def test_elements_of_a_later_version_are_ignored() -> None:
    entry = read_entry(entry_with([*ENVELOPE, "later", {1: 2}]))

    check_entry(entry, NETWORK)
    assert entry.kind == "note" and entry.body == b"text"


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"k" * 31), (0, "k" * 32), (1, b"i" * 7), (2, 4), (2, True), (2, -1), (3, 0), (3, -1),
        (4, b"p" * 31), (5, -1), (6, 5), (7, 1 << 32), (8, "k" * 33), (8, b"note"), (9, "author"),
        (10, None),
    ],
)  # fmt: skip
def test_an_envelope_field_outside_its_limit_is_malformed(at: int, value: object) -> None:
    with pytest.raises(FrameError) as refused:
        read_entry(entry_with(with_field(at, value)))
    assert refused.value.reason == "malformed"


@pytest.mark.parametrize("payload", [b"", b"\x80", b"\xa0", b"\x00", encode(ENVELOPE[:10])])
def test_what_is_no_envelope_is_malformed(payload: bytes) -> None:
    with pytest.raises(FrameError, match="malformed"):
        read_entry(KITA.sign1(payload, entry_aad(NETWORK)))


def test_sixteen_kibibytes_pass_and_one_byte_more_is_oversize() -> None:
    spare = ENTRY_BYTES_MAX - len(entry_with(with_field(10, bytes(10_000)))) + 10_000

    assert len(read_entry(entry_with(with_field(10, bytes(spare)))).raw) == ENTRY_BYTES_MAX
    with pytest.raises(FrameError) as refused:
        read_entry(entry_with(with_field(10, bytes(spare + 1))))
    assert refused.value.reason == "oversize"


def test_an_entry_of_another_network_does_not_verify() -> None:
    with pytest.raises(SignatureError):
        check_entry(chain(KITA, 1)[0], b"other network id")


def test_an_author_part_is_read_as_it_was_signed() -> None:
    signed = sign_author_part(CHUO, NETWORK, KITA.public, 1, 60, "talk", PART)

    assert read_author_part(signed) == PART


@pytest.mark.parametrize(
    "envelope",
    [
        (CHUO.public, 1, 60, "talk"),
        (KITA.public, 0, 60, "talk"),
        (KITA.public, 1, 61, "talk"),
        (KITA.public, 1, 60, "order"),
    ],
    ids=["another origin", "promoted", "stretched", "another kind"],
)
def test_an_author_part_verifies_under_no_other_envelope(
    envelope: tuple[bytes, int, int, str],
) -> None:
    signed = sign_author_part(CHUO, NETWORK, KITA.public, 1, 60, "talk", PART)

    assert verify1(signed, CHUO.public, author_aad(NETWORK, KITA.public, 1, 60, "talk"))
    with pytest.raises(SignatureError):
        verify1(signed, CHUO.public, author_aad(NETWORK, *envelope))


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": b"m" * 15}, {"session": b""}, {"created_ms": 1 << 48}, {"quality": 5},
        {"roster": 1 << 32}, {"audience": "a" * (AUDIENCE_CHARS_MAX + 1)},
        {"summary": "あ" * (SUMMARY_CHARS_MAX + 1)}, {"body": "text"},
    ],
)  # fmt: skip
def test_an_author_field_outside_its_limit_is_malformed(change: dict[str, Any]) -> None:
    signed = sign_author_part(CHUO, NETWORK, KITA.public, 1, 60, "t", PART._replace(**change))

    with pytest.raises(FrameError, match="malformed"):
        read_author_part(signed)


def test_limits_count_characters_not_bytes() -> None:
    part = PART._replace(summary="あ" * SUMMARY_CHARS_MAX, audience="区" * AUDIENCE_CHARS_MAX)

    assert read_author_part(sign_author_part(CHUO, NETWORK, KITA.public, 1, 60, "t", part)) == part


def test_a_note_is_small() -> None:
    assert len(make_entry(KITA, NETWORK, LOG, 1, LOG.first_prev, 1, 4, note("")).raw) < 200

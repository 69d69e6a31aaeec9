"""The signed unit of a log, its author part, and their limits.

An entry is a COSE_Sign1 by its origin over the envelope, a fixed array; later
versions only append elements. The author part inside is a COSE_Sign1 by the
author's session key; its signature also covers origin, lane, lifetime and kind of
the envelope, so it verifies under no other: nobody can bring last month's order
back, stretch it or demote it.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_text, is_uint
from meshrelay.core.signing import (
    ID_BYTES,
    KEY_BYTES,
    Signer,
    check1,
    hash32,
    payload_of,
)
from meshrelay.errors import FrameError

# Fits 0.9 s of a 144 kbit/s line, and eight fit a batch beside an urgent entry.
ENTRY_BYTES_MAX = 16 * 1024
TEXT_CHARS_MAX = 4_000
SUMMARY_CHARS_MAX = 140
AUDIENCE_CHARS_MAX = 80
KIND_CHARS_MAX = 32
INCARNATION_BYTES = 8
MESSAGE_ID_BYTES = 16

URGENT, NORMAL, BACKGROUND, BULK = LANES = (0, 1, 2, 3)
# Maximum lifetime per lane in seconds (protocol.md, Storage): 30, 30, 7 and 3 days.
LIFETIME_S_MAX = (30 * 86_400, 30 * 86_400, 7 * 86_400, 3 * 86_400)

_ENTRY = b"meshrelay/entry/1"
_AUTHOR = b"meshrelay/author/1"


class LogId(NamedTuple):
    """One origin's entries in one lane under one incarnation."""

    origin: bytes
    incarnation: bytes
    lane: int

    @property
    def first_prev(self) -> bytes:
        """What seq 1 carries as `prev`: BLAKE2b-256 of the encoded log id."""
        return hash32(encode(list(self)))


class Entry(NamedTuple):
    """One verified or locally made entry; `raw` is what is stored and forwarded."""

    raw: bytes
    id: bytes
    log: LogId
    seq: int
    prev: bytes
    hlc: int
    quality: int
    lifetime_s: int
    kind: str
    author: bytes
    body: bytes


class AuthorPart(NamedTuple):
    """What the author's session key signed.

    `roster`: highest staff serial known where it was written; freezes who is addressed.
    """

    message_id: bytes
    session: bytes
    created_ms: int
    quality: int
    roster: int
    audience: str
    summary: str
    body: bytes


class Draft(NamedTuple):
    """An entry of our own before it has a place in a log."""

    lane: int
    kind: str
    lifetime_s: int
    author: bytes
    body: bytes


def entry_aad(network: bytes) -> bytes:
    """external_aad of an entry's own signature."""
    return _ENTRY + network


def make_entry(
    signer: Signer,
    network: bytes,
    log: LogId,
    seq: int,
    prev: bytes,
    hlc: int,
    quality: int,
    draft: Draft,
) -> Entry:
    """Sign `draft` as number `seq` of `log`."""
    envelope = [*log, seq, prev, hlc, quality, draft.lifetime_s, draft.kind]
    raw = signer.sign1(encode([*envelope, draft.author, draft.body]), entry_aad(network))
    return Entry(
        raw, hash32(raw), log, seq, prev, hlc, quality, draft.lifetime_s, draft.kind,
        draft.author, draft.body,
    )  # fmt: skip


def read_entry(raw: bytes, entry_id: bytes | None = None) -> Entry:
    """Parse the envelope; the signature is NOT checked (see `check_entry`).

    `entry_id`: hash32(raw), when the caller has it already.

    Raises:
        FrameError: `oversize` or `malformed`.
    """
    if len(raw) > ENTRY_BYTES_MAX:
        raise FrameError("oversize", f"entry of {len(raw)} bytes")
    fields = decode(payload_of(raw), ENTRY_BYTES_MAX)
    if type(fields) is not list or len(fields) < 11:
        raise FrameError("malformed", "envelope")
    origin, incarnation, lane, seq, prev, hlc, quality, lifetime_s, kind, author, body = fields[:11]
    if not (
        is_bytes(origin, KEY_BYTES)
        and is_bytes(incarnation, INCARNATION_BYTES)
        and is_uint(lane, 4)
        and is_uint(seq)
        and seq > 0
        and is_bytes(prev, ID_BYTES)
        and is_uint(hlc)
        and is_uint(quality, 5)
        and is_uint(lifetime_s, 1 << 32)
        and is_text(kind, KIND_CHARS_MAX)
        and type(author) is bytes
        and type(body) is bytes
    ):
        raise FrameError("malformed", "envelope fields")
    log = LogId(origin, incarnation, lane)
    return Entry(
        raw, entry_id or hash32(raw), log, seq, prev, hlc, quality, lifetime_s, kind, author, body
    )


def _prev_at(raw: bytes) -> int:
    """Where the 32 bytes of `prev` stand (or stood) in an entry of our profile."""
    try:
        at = 6  # COSE head
        at += {0x58: 2, 0x59: 3}.get(raw[at], 1)  # head of the payload
        at += {0x98: 2, 0x99: 3}.get(raw[at], 1)  # head of the envelope's array
        at += 2 + KEY_BYTES + 1 + INCARNATION_BYTES + 1  # origin, incarnation, lane
        at += {0x18: 2, 0x19: 3, 0x1A: 5, 0x1B: 9}.get(raw[at], 1)  # seq
    except IndexError:
        raise FrameError("malformed", "no entry") from None
    return at + 2


def prev_of(raw: bytes) -> bytes:
    """What an entry of our profile says of the one before it. Raises FrameError `malformed`."""
    at = _prev_at(raw)
    return raw[at : at + ID_BYTES]


def pack(raw: bytes) -> bytes:
    """An entry without its `prev`, for a receiver that holds the entry before it.

    Raises:
        FrameError: `malformed`: no entry.
    """
    at = _prev_at(raw)
    return raw[:at] + raw[at + ID_BYTES :]


def unpack(packed: bytes, prev: bytes) -> bytes:
    """The entry that `pack` made smaller; `prev`: id of the entry before it.

    Raises:
        FrameError: `malformed`.
    """
    at = _prev_at(packed)
    return packed[:at] + prev + packed[at:]


def check_entry(entry: Entry, network: bytes) -> None:
    """Verify the origin's own signature. Raises SignatureError."""
    check1(entry.raw, entry.log.origin, entry_aad(network))


def author_aad(network: bytes, origin: bytes, lane: int, lifetime_s: int, kind: str) -> bytes:
    """external_aad of an author part: the envelope fields that it binds."""
    return _AUTHOR + network + encode([origin, lane, lifetime_s, kind])


def sign_author_part(
    session: Signer, network: bytes, origin: bytes, lane: int, lifetime_s: int, kind: str,
    part: AuthorPart,
) -> bytes:  # fmt: skip
    """The author part's bytes, signed by the session key for exactly this envelope."""
    return session.sign1(encode(list(part)), author_aad(network, origin, lane, lifetime_s, kind))


def read_author_part(author: bytes) -> AuthorPart:
    """Parse an author part, NOT verified.

    Raises:
        FrameError: `malformed`; at level B this is a verdict, never a closed link.
    """
    fields = decode(payload_of(author), ENTRY_BYTES_MAX)
    if type(fields) is not list or len(fields) < 8:
        raise FrameError("malformed", "author part")
    part = AuthorPart(*fields[:8])
    if not (
        is_bytes(part.message_id, MESSAGE_ID_BYTES)
        and is_bytes(part.session, ID_BYTES)
        and is_uint(part.created_ms, 1 << 48)
        and is_uint(part.quality, 5)
        and is_uint(part.roster, 1 << 32)
        and is_text(part.audience, AUDIENCE_CHARS_MAX)
        and is_text(part.summary, SUMMARY_CHARS_MAX)
        and type(part.body) is bytes
    ):
        raise FrameError("malformed", "author part fields")
    return part

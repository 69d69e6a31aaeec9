"""What travels on a link: fourteen frames, each one CBOR array, at most 64 KiB.

The first element is the type; elements appended by later versions are ignored. Entries and
records are deflated (RFC 1951): a session id, a name or a phrase is said once a batch.
"""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import Any, NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_uint
from meshrelay.core.entry import INCARNATION_BYTES, LogId, pack, unpack
from meshrelay.core.manifest import BITMAP_BYTES_MAX, PART_BYTES_MAX, PARTS_MAX
from meshrelay.core.signing import ID_BYTES, KEY_BYTES, NETWORK_ID_BYTES, hash32
from meshrelay.core.vector import BUCKET_DIGEST_BYTES, BUCKETS, DIGEST_BYTES, Cursor, Line
from meshrelay.errors import FrameError

VERSION = 1
# One MQTT publish must pass AWS IoT's 128 KB and our broker's 128 KiB.
FRAME_BYTES_MAX = 64 * 1024
# A batch of entries leaves room for heads within one frame.
BATCH_BYTES_MAX = 48 * 1024
LINES_MAX = 400
RECORD_IDS_MAX = 500
LOCATE_MAX = 64
NONCE_BYTES = 8
# In Lines only the start of a head is said: enough to see that two branches differ.
HEAD_BYTES = 8
WORDS_BYTES = 4
NODE_PREFIX_BYTES = 8
# Level 1 finds nearly all that repeats in a batch at a fifth of the time of level 6.
DEFLATE_LEVEL = 1

# What a HELLO asks to be pushed: nothing, the peer's own logs, or every log.
PUSH_NOTHING, PUSH_OWN, PUSH_ALL = range(3)


class Hello(NamedTuple):
    """Greeting with digest and cursor: where we are, and how far we know you.

    `push`: what to send without being asked. `words`: digest of the HAVEs we keep.
    """

    version: int
    incarnation: bytes
    change: int
    digest: bytes
    cursor: Cursor
    push: int
    words: bytes


class Lines(NamedTuple):
    """Lines and record ids that changed in (after, upto]; after = upto = 0: news, no cursor.

    Heads are cut to HEAD_BYTES. `pushed`: the entries follow without being asked.
    """

    after: int
    upto: int
    lines: list[Line]
    records: list[bytes]
    pushed: bool


class Want(NamedTuple):
    """Open-ended requests and a byte grant for the whole link.

    `grant`: bytes that may be under way; `done`: bytes that came in since the last WANT, which
    are under way no longer (DONE_ALL: forget all). `logs`: (log, from); from 0 withdraws.
    `records`: ids, or the key of a node whose credential is missing. `buckets`: numbers.
    """

    grant: int
    done: int
    nonce: bytes
    logs: list[tuple[LogId, int]]
    records: list[bytes]
    buckets: list[int]


class Entries(NamedTuple):
    """A batch: entries of one log in order, their known ages and (when received) their ids."""

    network: bytes
    raws: list[bytes]
    ages: list[int]
    ids: list[bytes]


class Records(NamedTuple):
    """Records, parents first."""

    raws: list[bytes]


class Haves(NamedTuple):
    """Signed statements, our own or passed on."""

    raws: list[bytes]


class Buckets(NamedTuple):
    """The whole store at change `upto`, as digests of its buckets."""

    upto: int
    digests: list[bytes]


class Bucket(NamedTuple):
    """Everything in one bucket: lines (heads cut) and record ids."""

    number: int
    lines: list[Line]
    records: list[bytes]


class Heard(NamedTuple):
    """Which HAVEs we keep: (start of the signer's key, incarnation, change number)."""

    words: list[tuple[bytes, bytes, int]]


class Fill(NamedTuple):
    """Send the entries right below and with `high`, in order, as many as fit; none up to `low`."""

    log: LogId
    low: int
    high: int


class Locate(NamedTuple):
    """Ids that we hold at some seqs of a log that forks."""

    log: LogId
    ids: list[tuple[int, bytes]]


class Seek(NamedTuple):
    """These parts of a blob are wanted here too (bitmap); 0: none of it any more.

    Who is asked with 0 and holds it all names it in its next HAVEs.
    """

    blob: bytes
    parts: int


class Piece(NamedTuple):
    """Bytes of one part of a blob from `offset` on; the part has `whole` bytes."""

    blob: bytes
    part: int
    offset: int
    whole: int
    data: bytes


class Lacks(NamedTuple):
    """A blob that was sought is not here; what was sought is sent if it comes."""

    blob: bytes


DONE_ALL = (1 << 32) - 1

Frame = (
    Hello | Lines | Want | Entries | Records | Haves | Buckets | Bucket | Heard | Locate
    | Seek | Piece | Lacks | Fill
)  # fmt: skip


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame."""
    match frame:
        case Hello(version, incarnation, change, digest, cursor, push, words):
            return encode([1, version, incarnation, change, digest, *cursor, push, words])
        case Lines(after, upto, lines, records, pushed):
            return encode([2, after, upto, _rows(lines), records, pushed])
        case Want(grant, done, nonce, logs, records, buckets):
            rows = [[*log, first] for log, first in logs]
            return encode([3, grant, done, nonce, rows, records, buckets])
        case Entries(network, raws, ages, _):
            return encode([4, network, _deflate([_chained(raws), ages])])
        case Records(raws):
            return encode([5, _deflate(raws)])
        case Haves(raws):
            return encode([6, raws])
        case Buckets(upto, digests):
            return encode([7, upto, b"".join(digests)])
        case Bucket(number, lines, records):
            return encode([8, number, _rows(lines), records])
        case Heard(heard):
            return encode([9, [list(word) for word in heard]])
        case Locate(log, ids):
            return encode([10, *log, [list(pair) for pair in ids]])
        case Fill(log, low, high):
            return encode([14, *log, low, high])
        case Seek(blob, parts):
            return encode([11, blob, parts.to_bytes((parts.bit_length() + 7) // 8, "little")])
        case Piece():
            return encode([12, *frame])
        case Lacks(blob):
            return encode([13, blob])


def _rows(lines: list[Line]) -> list[list[Any]]:
    return [
        [*line.log, line.height, line.head[:HEAD_BYTES], *([line.floor] if line.floor else [])]
        for line in lines
    ]


def _chained(raws: list[bytes]) -> list[bytes | list[bytes]]:
    """The first entry whole, the others without their `prev`; one out of chain in a list."""
    chained: list[bytes | list[bytes]] = list(raws[:1])
    for before, raw in pairwise(raws):
        packed = pack(raw)
        chained.append(packed if unpack(packed, hash32(before)) == raw else [raw])
    return chained


def _unchained(items: Any) -> tuple[list[bytes], list[bytes]]:
    """(entries, their ids) of what `_chained` made."""
    raws: list[bytes] = []
    ids: list[bytes] = []
    for item in items if type(items) is list else [None]:
        if type(item) is bytes:
            raws.append(unpack(item, ids[-1]) if ids else item)
        elif type(item) is list and len(item) == 1 and type(item[0]) is bytes:
            raws.append(item[0])
        else:
            raise FrameError("malformed", "batch of entries")
        ids.append(hash32(raws[-1]))
    return raws, ids


def _deflate(value: Any) -> bytes:
    packer = zlib.compressobj(DEFLATE_LEVEL, wbits=-15)
    return packer.compress(encode(value)) + packer.flush()


def _inflate(data: Any) -> Any:
    if type(data) is not bytes:
        raise FrameError("malformed", "deflated part")
    unpacker = zlib.decompressobj(wbits=-15)
    try:
        plain = unpacker.decompress(data, FRAME_BYTES_MAX)
    except zlib.error as error:
        raise FrameError("malformed", f"deflated part: {error}"[:80]) from None
    if unpacker.unconsumed_tail:
        raise FrameError("oversize", "deflated part")
    if not unpacker.eof or unpacker.unused_data:
        raise FrameError("malformed", "deflated part")
    return decode(plain, FRAME_BYTES_MAX)


def may_be_entries(data: bytes) -> bool:
    """Whether a frame, not decoded yet, looks like a batch of entries."""
    return data[1:2] == b"\x04"


def decode_frame(data: bytes) -> Frame:
    """Parse one frame.

    Raises:
        FrameError: `oversize`, `malformed`, or `unknown_frame`.
    """
    fields = decode(data, FRAME_BYTES_MAX)
    if type(fields) is not list or not fields:
        raise FrameError("malformed", "frame")
    if not is_uint(fields[0], 15) or fields[0] == 0:  # `case 1` would also match True
        raise FrameError("unknown_frame", f"type {fields[0]!r}"[:40])
    match fields:
        case [1, *hello] if len(hello) >= 8:
            return _hello(hello[:8])
        case [2, after, upto, lines, records, pushed, *_]:
            if is_uint(after) and is_uint(upto) and _are_ids(records) and type(pushed) is bool:
                return Lines(after, upto, _lines(lines), records, pushed)
        case [3, grant, done, nonce, logs, records, buckets, *_]:
            if (
                is_uint(grant)
                and is_uint(done)
                and is_bytes(nonce, NONCE_BYTES)
                and _are_ids(records)
                and _are_uints(buckets, BUCKETS)
            ):
                wanted = [(_log(item[:3]), _uint(item[3])) for item in _lists(logs, 4)]
                return Want(grant, done, nonce, wanted, records, buckets)
        case [4, network, deflated, *_]:
            if is_bytes(network, NETWORK_ID_BYTES):
                return _entries(network, _inflate(deflated))
        case [5, deflated, *_]:
            raws = _inflate(deflated)
            if _are_raws(raws):
                return Records(raws)
        case [6, raws, *_]:
            if _are_raws(raws):
                return Haves(raws)
        case [7, upto, digests, *_]:
            if is_uint(upto) and is_bytes(digests, BUCKETS * BUCKET_DIGEST_BYTES):
                starts = range(0, len(digests), BUCKET_DIGEST_BYTES)
                return Buckets(upto, [digests[at : at + BUCKET_DIGEST_BYTES] for at in starts])
        case [8, number, lines, records, *_]:
            if is_uint(number, BUCKETS) and _are_ids(records):
                return Bucket(number, _lines(lines), records)
        case [9, words, *_]:
            return Heard([_word(item) for item in _lists(words, 3)])
        case [10, origin, incarnation, lane, ids, *_]:
            log = _log([origin, incarnation, lane])
            return Locate(log, [_place(item) for item in _lists(ids, 2)])
        case [14, origin, incarnation, lane, low, high, *_]:
            return Fill(_log([origin, incarnation, lane]), _uint(low), _uint(high))
        case [11, blob, bitmap, *_]:
            if is_bytes(blob, ID_BYTES):
                return Seek(blob, _parts(bitmap))
        case [12, *piece] if len(piece) >= 5:
            return _piece(Piece(*piece[:5]))
        case [13, blob, *_]:
            if is_bytes(blob, ID_BYTES):
                return Lacks(blob)
    raise FrameError("malformed", f"frame of type {fields[0]}")


def _hello(fields: list[Any]) -> Hello:
    version, incarnation, change, digest, known, known_change, push, words = fields
    if not (
        is_uint(version)
        and is_bytes(incarnation, INCARNATION_BYTES)
        and is_uint(change)
        and is_bytes(digest, DIGEST_BYTES)
        and is_bytes(known, INCARNATION_BYTES)
        and is_uint(known_change)
        and is_uint(push, PUSH_ALL + 1)
        and is_bytes(words, WORDS_BYTES)
    ):
        raise FrameError("malformed", "hello")
    return Hello(version, incarnation, change, digest, Cursor(known, known_change), push, words)


def _entries(network: bytes, fields: Any) -> Entries:
    if type(fields) is not list or len(fields) < 2:
        raise FrameError("malformed", "batch of entries")
    raws, ids = _unchained(fields[0])
    ages = fields[1]
    if not _are_uints(ages, 1 << 40) or len(ages) != len(raws):
        raise FrameError("malformed", "ages")
    return Entries(network, raws, ages, ids)


def _word(item: list[Any]) -> tuple[bytes, bytes, int]:
    signer, incarnation, change = item
    if not (is_bytes(signer, NODE_PREFIX_BYTES) and is_bytes(incarnation, INCARNATION_BYTES)):
        raise FrameError("malformed", "heard")
    return signer, incarnation, _uint(change)


def _place(item: list[Any]) -> tuple[int, bytes]:
    if not is_bytes(item[1], ID_BYTES):
        raise FrameError("malformed", "locate")
    return _uint(item[0]), item[1]


def _parts(bitmap: Any) -> int:
    if type(bitmap) is not bytes or len(bitmap) > BITMAP_BYTES_MAX or bitmap[-1:] == b"\0":
        raise FrameError("malformed", "bitmap")
    parts = int.from_bytes(bitmap, "little")
    if parts >> PARTS_MAX:
        raise FrameError("malformed", "bitmap")
    return parts


def _piece(piece: Piece) -> Piece:
    if not (
        is_bytes(piece.blob, ID_BYTES)
        and is_uint(piece.part, PARTS_MAX)
        and is_uint(piece.whole, PART_BYTES_MAX + 1)
        and is_uint(piece.offset, piece.whole)
        and type(piece.data) is bytes
        and 0 < len(piece.data) <= piece.whole - piece.offset
    ):
        raise FrameError("malformed", "piece")
    return piece


def _lines(rows: Any) -> list[Line]:
    lines = []
    for item in rows if type(rows) is list else [None]:
        has_floor = type(item) is list and len(item) == 6 and item[5] != 0
        (row,) = _lists([item], 6 if has_floor else 5)
        floor = row[5] if has_floor else 0
        if not is_bytes(row[4], HEAD_BYTES):
            raise FrameError("malformed", "line")
        lines.append(Line(_log(row[:3]), _uint(row[3]), row[4], _uint(floor)))
    return lines


def read_line(value: Any) -> Line:
    """Parse a line. Raises FrameError `malformed`."""
    (item,) = _lists([value], 5)
    if not is_bytes(item[4], ID_BYTES):
        raise FrameError("malformed", "line")
    return Line(_log(item[:3]), _uint(item[3]), item[4])


def _log(fields: list[Any]) -> LogId:
    origin, incarnation, lane = fields
    if not (
        is_bytes(origin, KEY_BYTES)
        and is_bytes(incarnation, INCARNATION_BYTES)
        and is_uint(lane, 4)
    ):
        raise FrameError("malformed", "log id")
    return LogId(origin, incarnation, lane)


def _uint(value: Any) -> int:
    if not is_uint(value):
        raise FrameError("malformed", "number")
    number: int = value
    return number


def _lists(values: Any, length: int) -> list[list[Any]]:
    if type(values) is not list or any(
        type(value) is not list or len(value) != length for value in values
    ):
        raise FrameError("malformed", "list")
    return list(values)


def _are_ids(values: Any) -> bool:
    return type(values) is list and all(is_bytes(value, ID_BYTES) for value in values)


def _are_raws(values: Any) -> bool:
    return type(values) is list and all(type(value) is bytes for value in values)


def _are_uints(values: Any, below: int) -> bool:
    return type(values) is list and all(is_uint(value, below) for value in values)

"""What travels on a link: six frames, each one CBOR array, at most 64 KiB.

The first element is the type; elements appended by later versions are ignored.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_uint
from meshrelay.core.entry import INCARNATION_BYTES, LogId
from meshrelay.core.signing import ID_BYTES, KEY_BYTES, NETWORK_ID_BYTES
from meshrelay.core.vector import DIGEST_BYTES, Cursor, Line
from meshrelay.errors import FrameError

VERSION = 1
# One MQTT publish must pass AWS IoT's 128 KB and our broker's 128 KiB.
FRAME_BYTES_MAX = 64 * 1024
# A batch of entries leaves room for heads within one frame.
BATCH_BYTES_MAX = 48 * 1024
LINES_MAX = 400
RECORD_IDS_MAX = 500
NONCE_BYTES = 8


class Hello(NamedTuple):
    """Greeting with digest and cursor: where we are, and how far we know you."""

    version: int
    incarnation: bytes
    change: int
    digest: bytes
    cursor: Cursor


class Lines(NamedTuple):
    """Lines and record ids that changed in (after, upto]; after = upto = 0: news, no cursor."""

    after: int
    upto: int
    lines: list[Line]
    records: list[bytes]


class Want(NamedTuple):
    """Open-ended requests and a byte grant for the whole link, which replaces the last one.

    `logs`: (log, from); from 0 withdraws the request. `records`: record ids, or the
    key of a node whose credential is missing. A peer answers records at once.
    """

    grant: int
    nonce: bytes
    logs: list[tuple[LogId, int]]
    records: list[bytes]


class Entries(NamedTuple):
    """A batch: entries of one log in order."""

    network: bytes
    raws: list[bytes]


class Records(NamedTuple):
    """Records, parents first."""

    raws: list[bytes]


class Haves(NamedTuple):
    """Signed statements, our own or passed on."""

    raws: list[bytes]


Frame = Hello | Lines | Want | Entries | Records | Haves


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame."""
    match frame:
        case Hello(version, incarnation, change, digest, cursor):
            return encode([1, version, incarnation, change, digest, *cursor])
        case Lines(after, upto, lines, records):
            rows = [[*line.log, line.height, line.head] for line in lines]
            return encode([2, after, upto, rows, records])
        case Want(grant, nonce, logs, records):
            return encode([3, grant, nonce, [[*log, first] for log, first in logs], records])
        case Entries(network, raws):
            return encode([4, network, raws])
        case Records(raws):
            return encode([5, raws])
        case Haves(raws):
            return encode([6, raws])


def decode_frame(data: bytes) -> Frame:
    """Parse one frame.

    Raises:
        FrameError: `oversize`, `malformed`, or `unknown_frame`.
    """
    fields = decode(data, FRAME_BYTES_MAX)
    if type(fields) is not list or not fields:
        raise FrameError("malformed", "frame")
    if not is_uint(fields[0]):  # `case 1` would also match True
        raise FrameError("unknown_frame", f"type {fields[0]!r}"[:40])
    match fields:
        case [1, version, incarnation, change, digest, cursor_incarnation, cursor_change, *_]:
            good = (
                is_uint(version)
                and is_bytes(incarnation, INCARNATION_BYTES)
                and is_uint(change)
                and is_bytes(digest, DIGEST_BYTES)
                and is_bytes(cursor_incarnation, INCARNATION_BYTES)
                and is_uint(cursor_change)
            )
            if good:
                cursor = Cursor(cursor_incarnation, cursor_change)
                return Hello(version, incarnation, change, digest, cursor)
        case [2, after, upto, lines, records, *_]:
            if is_uint(after) and is_uint(upto) and _are_ids(records) and type(lines) is list:
                return Lines(after, upto, [read_line(line) for line in lines], records)
        case [3, grant, nonce, logs, records, *_]:
            if (
                is_uint(grant)
                and is_bytes(nonce, NONCE_BYTES)
                and type(logs) is list
                and _are_ids(records)
            ):
                wanted = [(_log(item[:3]), _uint(item[3])) for item in _lists(logs, 4)]
                return Want(grant, nonce, wanted, records)
        case [4, network, raws, *_]:
            if is_bytes(network, NETWORK_ID_BYTES) and _are_raws(raws):
                return Entries(network, raws)
        case [5, raws, *_]:
            if _are_raws(raws):
                return Records(raws)
        case [6, raws, *_]:
            if _are_raws(raws):
                return Haves(raws)
        case [kind, *_] if not is_uint(kind, 7) or kind == 0:
            raise FrameError("unknown_frame", f"type {kind!r}"[:40])
    raise FrameError("malformed", f"frame of type {fields[0]}")


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


def _lists(values: list[Any], length: int) -> list[list[Any]]:
    if any(type(value) is not list or len(value) != length for value in values):
        raise FrameError("malformed", "list")
    return values


def _are_ids(values: Any) -> bool:
    return type(values) is list and all(is_bytes(value, ID_BYTES) for value in values)


def _are_raws(values: Any) -> bool:
    return type(values) is list and all(type(value) is bytes for value in values)

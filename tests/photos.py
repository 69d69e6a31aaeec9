"""Pictures with a position in them, as cameras write them."""

from __future__ import annotations

import struct
import zlib

# 34°41'37"N 135°30'08"E: the town hall of the story.
DEGREES = ((34, 41, 37), (135, 30, 8))
PLACE = struct.pack(">6I", 34, 1, 41, 1, 37, 1)  # how 34°41'37" stands in Exif's bytes
XMP = b'<x:xmpmeta exif:GPSLatitude="34,41.62N"/>'
_GPS_IFD, _ORIENTATION, _MAKE = 0x8825, 0x0112, 0x010F


def _ifd(at: int, order: str, tags: list[tuple[int, int, int, bytes]]) -> bytes:
    """An image file directory at offset `at` (Exif 2.3, 4.6.2), values behind it."""
    entries, values = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, kind, count, value in tags:
        entries += struct.pack(f"{order}HHI", tag, kind, count)
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", behind + len(values))
            values += value
    return struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values


def tiff(turn: int = 1, order: str = ">", place: bool = True) -> bytes:
    """Exif's TIFF: maker, orientation, and where it was taken."""
    head = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}HI", 42, 8)
    first = [
        (_MAKE, 2, 6, b"KAMEI\0"),
        (_ORIENTATION, 3, 1, struct.pack(f"{order}H", turn)),
    ]
    if not place:
        return head + _ifd(8, order, first)
    gps_at = 8 + len(_ifd(8, order, [*first, (_GPS_IFD, 4, 1, bytes(4))]))
    pointer = (_GPS_IFD, 4, 1, struct.pack(f"{order}I", gps_at))
    (north, east) = (
        b"".join(struct.pack(f"{order}2I", part, 1) for part in parts) for parts in DEGREES
    )
    gps = [(1, 2, 2, b"N\0"), (2, 5, 3, north), (3, 2, 2, b"E\0"), (4, 5, 3, east)]
    return head + _ifd(8, order, [*first, pointer]) + _ifd(gps_at, order, gps)


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body


def exif(turn: int = 1, order: str = ">", place: bool = True) -> bytes:
    """The segment that a camera puts behind the first marker."""
    return segment(0xE1, b"Exif\0\0" + tiff(turn, order, place))


def with_exif(jpeg: bytes, turn: int = 1) -> bytes:
    """A real JPEG as if a camera had taken it there."""
    return jpeg[:2] + exif(turn) + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP) + jpeg[2:]


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body

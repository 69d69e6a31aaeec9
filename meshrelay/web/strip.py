"""Where a photo was taken goes before the photo is kept: positions out, pixels untouched.

JPEG (ITU-T T.81, annex B), PNG (third edition, clause 5) and WebP (RFC 9649). Of a picture's
metadata only what it needs to look right stays: its colour profile and its orientation.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

_EOI, _SOS = 0xD9, 0xDA
# Fill bytes, and markers without a length: TEM, RST0 … RST7, SOI.
_ALONE = re.compile(rb"(?:\xff(?=\xff)|\xff[\x01\xd0-\xd8])+")
_APPS = range(0xE0, 0xF0)
# JFIF, colour profile, Adobe's colour transform. Every other application segment goes: Exif and
# XMP (APP1), Photoshop's (APP13) and makers' own may each hold a position.
_APPS_KEPT = {0xE0: b"", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_EXIF = b"Exif\0\0"
# In a scan FF 00 is a byte and FF D0 … D7 a restart: the next marker is any other.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)

_PNG = b"\x89PNG\r\n\x1a\n"
# Exif, and texts: XMP is one (iTXt), and tools hide Exif in the others.
_PNG_GONE = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt"})
_PNG_AROUND_BYTES = 12  # length, type, checksum
_WEBP_BLANK = frozenset({b"EXIF", b"XMP "})
_HEAD_BYTES = 12  # tells the three apart

_ORIENTATION = 0x0112
_TURNED = range(2, 9)


class Stripper:
    """Feed it a file in pieces; what it gives back is the file without positions.

    It holds 64 KiB and a piece at most. What is no JPEG, PNG or WebP comes back as it is, a
    damaged picture from the damage on: who draws it stops there too. Nothing raises.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._left = 0
        self._pass: Callable[[bytes], bytes] = bytes
        self._state: Callable[[], bytes | None] = self._head
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """What is certain by now."""
        self._data += data
        return self._drain()

    def end(self) -> bytes:
        """The rest; a segment that must go goes also if its end is missing."""
        self._ended = True
        out = self._drain()
        rest = self._take(len(self._data))
        cut = self._state == self._jpeg and len(rest) > 1 and not _stays(rest[1], rest)
        return out if cut else out + rest

    def _drain(self) -> bytes:
        out = bytearray()
        while self._data:
            if self._left:
                data = self._take(min(self._left, len(self._data)))
                self._left -= len(data)
                out += self._pass(data)
                continue
            step = self._state()
            if step is None:
                break
            out += step
        return bytes(out)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken

    def _through(self, count: int, change: Callable[[bytes], bytes]) -> bytes:
        """The next `count` bytes, changed like that, however they come."""
        self._left, self._pass = count, change
        return b""

    def _head(self) -> bytes | None:
        if len(self._data) < _HEAD_BYTES and not self._ended:
            return None
        if self._data.startswith(b"\xff\xd8"):
            self._state = self._jpeg
            return self._take(2)
        if self._data.startswith(_PNG):
            self._state = self._png
            return self._take(len(_PNG))
        if self._data.startswith(b"RIFF") and self._data[8:12] == b"WEBP":
            self._state = self._webp
            return self._take(_HEAD_BYTES)
        self._state = self._as_it_is
        return b""

    def _as_it_is(self) -> bytes:
        return self._take(len(self._data))

    def _gone(self) -> bytes:
        self._data.clear()
        return b""

    # JPEG

    def _jpeg(self) -> bytes | None:
        """One marker with its segment; where none stands the file is damaged."""
        if len(self._data) < 2:
            return None
        marker = self._data[1]
        if self._data[0] != 0xFF or not marker:
            self._state = self._as_it_is
            return b""
        if alone := _ALONE.match(self._data):
            return self._take(alone.end())
        if marker == _EOI:  # behind it cameras put further pictures, films and their metadata
            self._state = self._gone
            return self._take(2)
        length = max(2, int.from_bytes(self._data[2:4], "big"))
        if len(self._data) < 2 + length:
            return None
        segment = self._take(2 + length)
        if marker == _SOS:
            self._state = self._scan
        return segment if _stays(marker, segment) else _turn_alone(segment)

    def _scan(self) -> bytes | None:
        found = _AFTER_SCAN.search(self._data)
        if found:
            self._state = self._jpeg
            return self._take(found.start())
        whole = len(self._data) - self._data.endswith(b"\xff")
        return self._take(whole) if whole else None

    # PNG and WebP

    def _png(self) -> bytes | None:
        if len(self._data) < 8:
            return None
        length, kind = int.from_bytes(self._data[:4], "big"), bytes(self._data[4:8])
        if kind == b"IEND":
            self._state = self._gone
        change = _nothing if kind in _PNG_GONE else bytes
        return self._through(length + _PNG_AROUND_BYTES, change)

    def _webp(self) -> bytes | None:
        """Its first bytes tell its size: what goes is blanked, so that the size stays true."""
        if len(self._data) < 8:
            return None
        head = self._take(8)
        length = int.from_bytes(head[4:], "little")
        self._through(length + length % 2, _blank if head[:4] in _WEBP_BLANK else bytes)
        return head


def _stays(marker: int, segment: bytes) -> bool:
    if marker not in _APPS:
        return True
    return marker in _APPS_KEPT and segment[4:].startswith(_APPS_KEPT[marker])


def _nothing(_data: bytes) -> bytes:
    return b""


def _blank(data: bytes) -> bytes:
    return bytes(len(data))


def _turn_alone(segment: bytes) -> bytes:
    """Of an Exif segment one that says how to turn the picture and nothing else, if it must be."""
    if segment[4 : 4 + len(_EXIF)] != _EXIF:
        return b""
    turn = orientation(segment[4 + len(_EXIF) :])
    if turn not in _TURNED:
        return b""
    ifd = struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, turn, 0, 0)
    body = _EXIF + b"MM\0*" + struct.pack(">I", 8) + ifd
    return b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body


def orientation(tiff: bytes) -> int:
    """Of Exif's TIFF the tag that says how to turn the picture; 0 if it is not there."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 0
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    count = struct.unpack_from(f"{order}H", tiff, at)[0] if at + 2 <= len(tiff) else 0
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
        if (tag, kind) == (_ORIENTATION, 3):
            return int(value)
    return 0

"""Where a photo was taken goes before the photo is kept: positions out, pixels untouched.

JPEG (ITU-T T.81, annex B), PNG (third edition, clause 5) and WebP (RFC 9649). Of a picture's
metadata only what it needs to look right stays: its colour profile and its orientation. HEIC
(ISO/IEC 23008-12) has tables of where everything stands: there only the position is blanked.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

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

_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})
_XMP_END = b"</x:xmpmeta>"
_IN_HEIC = re.compile(rb"Exif\0\0(?=II\*\0|MM\0\*)|<x:xmpmeta")
_IN_HEIC_BYTES = 10
# Cameras put a position well within this of their Exif.
_EXIF_BYTES = 64 * 1024
# More than any camera writes: a file that is made to cost time is kept as it is from there on.
_EXIFS_MAX = 8
_SEGMENTS_MAX = 10_000

_GPS = 0x8825
# Bytes of a value of each kind (TIFF 6.0, section 2).
_KIND_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
_ORIENTATION = 0x0112
_TURNED = range(2, 9)


class Stripper:
    """Feed it a file in pieces; what it gives back is the file without positions.

    It holds 64 KiB and a piece at most. What is no such picture comes back as it is, a damaged
    one from the damage on: who draws it stops there too. Nothing raises.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._left = 0
        self._pass: Callable[[bytes], bytes] = bytes
        self._state: Callable[[], bytes | None] = self._head
        self._ended = False
        self._exifs = 0
        self._segments = 0

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
        self._count()
        return b""

    def _count(self) -> None:
        self._segments += 1
        if self._segments > _SEGMENTS_MAX:
            self._state = self._as_it_is

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
        if self._data[4:8] == b"ftyp" and bytes(self._data[8:12]) in _HEIC:
            self._state = self._heic
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
        self._count()
        return segment if _stays(marker, segment) else _turn_alone(segment)

    def _scan(self) -> bytes | None:
        found = _AFTER_SCAN.search(self._data)
        if found:
            self._state = self._jpeg
            return self._take(found.start())
        whole = len(self._data) - self._data.endswith(b"\xff")
        return self._take(whole) if whole else None

    # HEIC

    def _heic(self) -> bytes | None:
        """Up to the next Exif or XMP."""
        found = _IN_HEIC.search(self._data)
        if found is None:
            certain = max(0, len(self._data) - _IN_HEIC_BYTES)
            return self._take(certain) if certain else None
        self._state = self._heic_xmp if found[0].startswith(b"<") else self._heic_exif
        return self._take(found.start())

    def _heic_exif(self) -> bytes | None:
        if len(self._data) < _EXIF_BYTES and not self._ended:
            return None
        self._exifs += 1
        self._state = self._heic if self._exifs < _EXIFS_MAX else self._as_it_is
        start = self._take(len(_EXIF))
        blank_place(self._data)
        return start

    def _heic_xmp(self) -> bytes | None:
        end = self._data.find(_XMP_END)
        if end >= 0:
            self._state = self._heic
            return b" " * len(self._take(end + len(_XMP_END)))
        certain = max(0, len(self._data) - len(_XMP_END))
        return b" " * len(self._take(certain)) if certain else None

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
    order, first = _first_directory(tiff)
    for tag, kind, _, at in _directory(tiff, order, first):
        if (tag, kind) == (_ORIENTATION, 3):
            return int(struct.unpack_from(f"{order}H", tiff, at)[0])
    return 0


def blank_place(tiff: bytearray) -> None:
    """Zeros in place of everything that Exif's TIFF says of where the picture was taken."""
    order, first = _first_directory(tiff)
    found = next((at for tag, _, _, at in _directory(tiff, order, first) if tag == _GPS), None)
    if found is None:
        return
    (place,) = struct.unpack_from(f"{order}I", tiff, found)
    entries = list(_directory(tiff, order, place))
    for _, kind, count, value in entries:
        size = count * _KIND_BYTES.get(kind, 0)
        start = struct.unpack_from(f"{order}I", tiff, value)[0] if size > 4 else value
        _zero(tiff, start, max(size, 4))
    _zero(tiff, place, 2 + 12 * len(entries))


def _zero(data: bytearray, start: int, count: int) -> None:
    end = min(start + count, len(data))
    if start < end:
        data[start:end] = bytes(end - start)


def _first_directory(tiff: bytes | bytearray) -> tuple[str, int]:
    """Byte order of a TIFF and where its first directory stands; beyond its end if it is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(tiff[:4]))
    if order is None or len(tiff) < 8:
        return "<", len(tiff)
    return order, struct.unpack_from(f"{order}I", tiff, 4)[0]


def _directory(tiff: bytes | bytearray, order: str, at: int) -> Iterator[tuple[int, int, int, int]]:
    """(tag, kind, count, where its value or the value's offset stands) of what is there whole."""
    count = struct.unpack_from(f"{order}H", tiff, at)[0] if at + 2 <= len(tiff) else 0
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", tiff, entry)
        yield tag, kind, values, entry + 8

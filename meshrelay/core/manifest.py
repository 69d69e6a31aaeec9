"""Blobs by name: a photo or a file is its manifest's hash, and every part verifies alone.

Manifest = CBOR [size, hashes of the chunks, joined]; blob id = `hash32` of it. Part 0 of a blob
is its manifest, part n its nth chunk: one number and one bitmap speak of all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meshrelay.core.codec import decode, encode, is_uint
from meshrelay.core.signing import ID_BYTES, hash32
from meshrelay.errors import FrameError

# What a cut costs, and a liar: 1 s of a 128 kbit/s line.
CHUNK_BYTES = 16 * 1024
# A phone's photo as taken, or a scanned order; nine minutes of a 128 kbit/s line.
BLOB_BYTES_MAX = 8 * 1024 * 1024
CHUNKS_MAX = BLOB_BYTES_MAX // CHUNK_BYTES
PARTS_MAX = CHUNKS_MAX + 1
MANIFEST_BYTES_MAX = CHUNKS_MAX * ID_BYTES + 16
PART_BYTES_MAX = max(CHUNK_BYTES, MANIFEST_BYTES_MAX)
BITMAP_BYTES_MAX = (PARTS_MAX + 7) // 8
# The part that is the manifest, and the bitmap that asks for it alone.
MANIFEST, MANIFEST_BIT = 0, 1


class Manifest(NamedTuple):
    """What a blob consists of."""

    size: int
    hashes: bytes

    @property
    def raw(self) -> bytes:
        return encode([self.size, self.hashes])

    @property
    def all_chunks(self) -> int:
        """The bitmap of every part but the manifest."""
        return ((1 << (len(self.hashes) // ID_BYTES)) - 1) << 1

    def chunk_bytes(self, part: int) -> int:
        """How long chunk `part` (from 1) is: only the last may be short."""
        return min(CHUNK_BYTES, self.size - (part - 1) * CHUNK_BYTES)

    def fits(self, part: int, data: bytes) -> bool:
        """Whether `data` is just that chunk."""
        start = (part - 1) * ID_BYTES
        return self.hashes[start : start + ID_BYTES] == hash32(data)


def make_manifest(size: int, hashes: Iterable[bytes]) -> Manifest:
    """The manifest of a content of `size` bytes, cut into CHUNK_BYTES."""
    return Manifest(size, b"".join(hashes))


def read_manifest(raw: bytes) -> Manifest:
    """Parse a manifest. Raises FrameError `malformed` or `oversize`."""
    fields = decode(raw, MANIFEST_BYTES_MAX)
    if type(fields) is not list or len(fields) != 2 or type(fields[1]) is not bytes:
        raise FrameError("malformed", "manifest")
    size, hashes = fields
    if not is_uint(size, BLOB_BYTES_MAX + 1) or size == 0:
        raise FrameError("malformed", "size of a blob")
    if len(hashes) != (size + CHUNK_BYTES - 1) // CHUNK_BYTES * ID_BYTES:
        raise FrameError("malformed", "chunks of a blob")
    return Manifest(size, hashes)


def parts_of(bitmap: int) -> Iterator[int]:
    """The parts that a bitmap names, lowest first."""
    while bitmap:
        lowest = bitmap & -bitmap
        yield lowest.bit_length() - 1
        bitmap ^= lowest


def first_parts(bitmap: int, count: int) -> int:
    """The bitmap of the lowest `count` parts of `bitmap`."""
    chosen = 0
    for part in parts_of(bitmap):
        if count <= 0:
            break
        chosen |= 1 << part
        count -= 1
    return chosen

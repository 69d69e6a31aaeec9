"""What a blob is: its manifest's hash; every part verifies alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.codec import encode
from meshrelay.core.manifest import (
    BLOB_BYTES_MAX,
    CHUNK_BYTES,
    CHUNKS_MAX,
    MANIFEST_BYTES_MAX,
    Manifest,
    first_parts,
    make_manifest,
    parts_of,
    read_manifest,
)
from meshrelay.core.signing import hash32
from meshrelay.errors import FrameError


def cut(content: bytes) -> list[bytes]:
    return [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]


def manifest_of(content: bytes) -> Manifest:
    return make_manifest(len(content), map(hash32, cut(content)))


@pytest.mark.parametrize("size", [1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1])
def test_a_manifest_comes_back_from_its_bytes_and_knows_every_chunk(size: int) -> None:
    content = bytes(n % 251 for n in range(size))
    manifest = read_manifest(manifest_of(content).raw)

    assert manifest.size == size
    for part, chunk in enumerate(cut(content), 1):
        assert manifest.fits(part, chunk) and manifest.chunk_bytes(part) == len(chunk)
        assert not manifest.fits(part, chunk[:-1] + b"\xff")
    assert list(parts_of(manifest.all_chunks)) == list(range(1, len(cut(content)) + 1))


def test_the_longest_manifest_keeps_its_limit() -> None:
    longest = make_manifest(BLOB_BYTES_MAX, [bytes(32)] * CHUNKS_MAX)

    assert read_manifest(longest.raw) == longest
    assert len(longest.raw) <= MANIFEST_BYTES_MAX


@pytest.mark.parametrize(
    "fields",
    [[0, b""], [1, b""], [1, bytes(64)], [CHUNK_BYTES + 1, bytes(32)], [1], [1, bytes(32), 0],
     [BLOB_BYTES_MAX + 1, bytes(32) * (CHUNKS_MAX + 1)], [b"", 1], [True, bytes(32)], {}],
    ids=str,
)  # fmt: skip
def test_what_is_no_manifest_is_refused(fields: object) -> None:
    with pytest.raises(FrameError):
        read_manifest(encode(fields))  # type: ignore[arg-type]


@given(st.sets(st.integers(0, 512)), st.integers(0, 40))
def test_a_window_is_the_lowest_parts(parts: set[int], count: int) -> None:
    bitmap = sum(1 << part for part in parts)

    assert list(parts_of(bitmap)) == sorted(parts)
    assert list(parts_of(first_parts(bitmap, count))) == sorted(parts)[:count]

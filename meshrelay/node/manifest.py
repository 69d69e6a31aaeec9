"""The first block of a courier file, and what is remembered of it for the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_text, is_uint
from meshrelay.core.entry import INCARNATION_BYTES
from meshrelay.core.signing import Signer, hash32, verify1
from meshrelay.core.vector import BUCKET_DIGEST_BYTES, BUCKETS
from meshrelay.errors import FrameError

TO_CHARS_MAX = 64
DIGESTS_BYTES = BUCKETS * BUCKET_DIGEST_BYTES
# The two credentials of a greeting, the digests, and room.
MANIFEST_BYTES_MAX = 16 * 1024
_CONTEXT = b"meshrelay/courier/1"


class Manifest(NamedTuple):
    """The first block: who wrote this file, when by which clock, for whom, and which records
    they hold (bucket digests over ids alone). Signed by the writer."""

    file_id: bytes
    writer: bytes
    incarnation: bytes
    change: int
    written_ms: int
    quality: int
    to: str
    digests: bytes


def pack_manifest(manifest: Manifest, greeting: bytes, signer: Signer, network: bytes) -> bytes:
    """The content of the first block."""
    return encode([greeting, signer.sign1(encode(list(manifest)), _CONTEXT + network)])


def read_manifest(
    content: bytes, admit: Callable[[bytes], bytes], network: bytes, file_id: bytes
) -> Manifest:
    """Parse and verify. `admit`: judges the greeting and tells whose it is.

    Raises:
        RemoteProtocolError: `malformed`, `bad_signature`, or why the writer is not admitted.
    """
    outer = decode(content, MANIFEST_BYTES_MAX)
    if type(outer) is not list or len(outer) < 2 or not all(type(x) is bytes for x in outer[:2]):
        raise FrameError("malformed", "manifest")
    writer = admit(outer[0])
    fields = decode(verify1(outer[1], writer, _CONTEXT + network), MANIFEST_BYTES_MAX)
    if type(fields) is not list or len(fields) < 8:
        raise FrameError("malformed", "manifest")
    manifest = Manifest(*fields[:8])
    if not (
        manifest.file_id == file_id
        and manifest.writer == writer
        and is_bytes(manifest.incarnation, INCARNATION_BYTES)
        and is_uint(manifest.change)
        and is_uint(manifest.written_ms, 1 << 48)
        and is_uint(manifest.quality, 5)
        and is_text(manifest.to, TO_CHARS_MAX)
        and is_bytes(manifest.digests, DIGESTS_BYTES)
    ):
        raise FrameError("malformed", "manifest fields")
    return manifest


class KnownRecords:
    """Which records other nodes hold, by the manifests of files that were read here.

    One small file for each writer; one that is damaged or lost only makes the next file larger.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, manifest: Manifest) -> None:
        """Remember it, unless a newer one of the same store is known."""
        known = self._read(manifest.writer)
        if known and known[0] == manifest.incarnation and known[1] > manifest.change:
            return
        path = self._path(manifest.writer)
        aside = path.with_suffix(".part")
        kept = encode([manifest.incarnation, manifest.change, manifest.digests])
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(kept)
            aside.replace(path)

    def digests(self, node: bytes, incarnation: bytes | None) -> list[bytes] | None:
        """The bucket digests of a node, if its present store said so."""
        known = self._read(node)
        if known is None or known[0] != incarnation:
            return None
        starts = range(0, DIGESTS_BYTES, BUCKET_DIGEST_BYTES)
        return [known[2][at : at + BUCKET_DIGEST_BYTES] for at in starts]

    def _path(self, node: bytes) -> Path:
        return self._directory / f"{node.hex()}.known"

    def _read(self, node: bytes) -> tuple[bytes, int, bytes] | None:
        try:
            fields = decode(self._path(node).read_bytes(), MANIFEST_BYTES_MAX)
        except (OSError, FrameError):
            return None
        if type(fields) is not list or len(fields) != 3:
            return None
        incarnation, change, digests = fields
        if not (is_uint(change) and is_bytes(digests, DIGESTS_BYTES)):
            return None
        return incarnation, change, digests


def record_digests(ids: Iterable[bytes]) -> list[bytes]:
    """One for each first byte: of the sorted ids that begin with it, zeros if there are none."""
    buckets: list[list[bytes]] = [[] for _ in range(BUCKETS)]
    for record_id in ids:
        buckets[record_id[0]].append(record_id)
    empty = bytes(BUCKET_DIGEST_BYTES)
    return [hash32(*sorted(each))[:BUCKET_DIGEST_BYTES] if each else empty for each in buckets]

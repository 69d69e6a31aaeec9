"""Blobs on disk: one file each, under its id; a part file while it is not whole.

A file is content || manifest || length of the manifest (4 bytes). Of a part file nothing but the
bytes says what is there: chunks are hashed again when it is taken up, and what does not verify
is missing. So a kill costs the chunk that was under way, a power cut at most SYNC_PARTS more.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.manifest import (
    CHUNK_BYTES,
    MANIFEST,
    MANIFEST_BYTES_MAX,
    Manifest,
    make_manifest,
    read_manifest,
)
from meshrelay.core.signing import ID_BYTES, hash32
from meshrelay.errors import FrameError, RefusedError, StoreError

# Chunks between two syncs of a part file: 256 KiB, 16 s of a 128 kbit/s line.
SYNC_PARTS = 16
# Manifests kept in memory, 16 KiB each at most.
MANIFESTS_MAX = 16
LENGTH_BYTES = 4
PART, UPLOAD = ".part", ".upload"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskFullError(RefusedError):
    """No space for a blob; what was begun stays and can go on later."""

    def __init__(self) -> None:
        super().__init__(
            "disk_full",
            "この機器の空き容量が足りません。写真・ファイルを受け取れませんでした。",
            "The disk of this machine is full; the photo or file was not taken.",
            "文章は送れます。担当者に知らせてください。",
            "Text can still be sent. Tell the person in charge of the machine.",
            507,
        )


class Kept(NamedTuple):
    """A blob that is here whole: bytes of its file, and when it came (Unix ns)."""

    size: int
    came_ns: int


class Begun(NamedTuple):
    """What is here of a blob: its manifest, and the bitmap of the chunks that verify."""

    manifest: Manifest
    held: int


class BlobStore:
    """The blobs of one node. Ids reach the file system as hex only.

    One thread writes; reading is safe on any. `StoreError`: the disk failed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._manifests: OrderedDict[bytes, Manifest] = OrderedDict()
        self._lock = threading.Lock()
        path.mkdir(exist_ok=True)
        for left in path.glob(f"*{UPLOAD}"):  # nobody can go on with these
            left.unlink()
        self._uploads = 0

    def _file(self, blob: bytes, ending: str = "") -> Path:
        name = blob.hex()
        return self._path / name[:2] / (name + ending)

    def held(self) -> dict[bytes, Kept]:
        """Every blob that is here whole, by name; its bytes are verified when they are read."""
        found = {}
        for path in self._path.glob("??/*"):
            if len(path.name) == 2 * ID_BYTES and path.parent.name == path.name[:2]:
                try:
                    blob = bytes.fromhex(path.name)
                except ValueError:
                    continue
                stat = path.stat()
                found[blob] = Kept(stat.st_size, stat.st_mtime_ns)
        return found

    def kept(self, blob: bytes) -> Kept | None:
        """One of them."""
        try:
            stat = self._file(blob).stat()
        except FileNotFoundError:
            return None
        return Kept(stat.st_size, stat.st_mtime_ns)

    def forget_begun(self, before_ns: int) -> None:
        """Remove part files that nothing was written to since then (Unix ns)."""
        for path in self._path.glob(f"??/*{PART}"):
            if path.stat().st_mtime_ns < before_ns:
                path.unlink()

    # Reading

    def part(self, blob: bytes, part: int) -> bytes | None:
        """One verified part of a blob that is here whole; None: not here, or corrupt."""
        try:
            with self._file(blob).open("rb") as file:
                manifest = self._manifest(blob, file.fileno())
                if manifest is None or part == MANIFEST:
                    return manifest.raw if manifest else None
                if not manifest.all_chunks >> part & 1:
                    return None
                data = _chunk(file.fileno(), manifest, part)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(error) from error
        return data if manifest.fits(part, data) else None

    def size_of(self, blob: bytes) -> int | None:
        """Bytes of the content, None if it is not here whole."""
        raw = self.part(blob, MANIFEST)
        return read_manifest(raw).size if raw else None

    def _manifest(self, blob: bytes, file: int) -> Manifest | None:
        with self._lock:
            known = self._manifests.get(blob)
        if known is not None:
            return known
        end = os.fstat(file).st_size - LENGTH_BYTES
        length = int.from_bytes(os.pread(file, LENGTH_BYTES, max(end, 0)), "big")
        if end < 0 or not 0 < length <= min(end, MANIFEST_BYTES_MAX):
            return None
        raw = os.pread(file, length, end - length)
        if hash32(raw) != blob:
            return None
        try:
            manifest = read_manifest(raw)
        except FrameError:
            return None
        return self._remember(blob, manifest)

    def _remember(self, blob: bytes, manifest: Manifest) -> Manifest:
        with self._lock:
            self._manifests[blob] = manifest
            if len(self._manifests) > MANIFESTS_MAX:
                self._manifests.popitem(last=False)
        return manifest

    # Fetching

    def begun(self, blob: bytes) -> Begun | None:
        """What is here of a blob that is not whole; a part file that says nothing is removed."""
        path = self._file(blob, PART)
        try:
            with path.open("rb") as file:
                manifest = self._manifest(blob, file.fileno())
                if manifest is not None:
                    held = sum(1 << part for part in _good(file.fileno(), manifest))
                    return Begun(manifest, held)
            path.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(error) from error
        return None

    def keep(self, blob: bytes, part: int, data: bytes) -> None:
        """Write a verified part; the manifest comes first.

        Raises:
            DiskFullError: no space for it.
        """
        try:
            if part == MANIFEST:
                self._begin(blob, data)
                return
            file = os.open(self._file(blob, PART), os.O_RDWR)
            try:
                if self._manifest(blob, file) is None:
                    raise StoreError(f"part file of {blob.hex()} lost its manifest")
                _write(file, data, (part - 1) * CHUNK_BYTES)
                if part % SYNC_PARTS == 0:
                    os.fdatasync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise _failed(error) from error

    def _begin(self, blob: bytes, raw: bytes) -> None:
        manifest = read_manifest(raw)
        path = self._file(blob, PART)
        self._make_directory(path.parent)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(file, _trailer(raw), manifest.size)
            os.fsync(file)
        finally:
            os.close(file)
        _sync_directory(path.parent)
        self._remember(blob, manifest)

    def finish(self, blob: bytes) -> bool:
        """Give a part file its name, if every chunk verifies; then it is here for good."""
        try:
            file = os.open(self._file(blob, PART), os.O_RDWR)
            try:
                manifest = self._manifest(blob, file)
                count = len(list(_good(file, manifest))) if manifest else 0
                if manifest is None or count != manifest.all_chunks.bit_count():
                    return False
                os.fsync(file)
            finally:
                os.close(file)
            self._name(self._file(blob, PART), blob)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _failed(error) from error
        return True

    def _name(self, path: Path, blob: bytes) -> None:
        self._make_directory(self._file(blob).parent)
        path.replace(self._file(blob))
        _sync_directory(self._file(blob).parent)

    def _make_directory(self, path: Path) -> None:
        if not path.exists():
            path.mkdir()
            _sync_directory(self._path)

    def spoiled(self, blob: bytes) -> None:
        """Part of it does not verify: it is to be fetched again, the good chunks stay."""
        try:
            self._file(blob).replace(self._file(blob, PART))
        except OSError as error:
            raise _failed(error) from error

    def drop(self, blob: bytes) -> None:
        """Remove it, whole or begun."""
        with self._lock:
            self._manifests.pop(blob, None)
        try:
            for ending in ("", PART):
                self._file(blob, ending).unlink(missing_ok=True)
        except OSError as error:
            raise _failed(error) from error

    # Uploading

    def upload(self) -> Upload:
        """Take in a content that is not known yet."""
        self._uploads += 1
        return Upload(self, self._path / f"{self._uploads}{UPLOAD}")

    def take_over(self, path: Path, manifest: Manifest) -> bytes:
        """Give an upload its name."""
        blob = hash32(manifest.raw)
        if self._file(blob).exists():
            path.unlink()
        else:
            self._name(path, blob)
        self._file(blob, PART).unlink(missing_ok=True)
        return blob


class Upload:
    """A content on its way from a page. End it with `finish` or `abort`."""

    def __init__(self, store: BlobStore, path: Path) -> None:
        self._store = store
        self._path = path
        self._file = path.open("wb")
        self._chunk = bytearray()
        self._hashes: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> None:
        """Raises DiskFullError."""
        try:
            self._file.write(data)
        except OSError as error:
            raise _failed(error) from error
        self.size += len(data)
        self._chunk += data
        while len(self._chunk) >= CHUNK_BYTES:
            self._hashes.append(hash32(bytes(self._chunk[:CHUNK_BYTES])))
            del self._chunk[:CHUNK_BYTES]

    def finish(self) -> bytes:
        """Its id; synced and named. Raises DiskFullError."""
        if self._chunk:
            self._hashes.append(hash32(bytes(self._chunk)))
        manifest = make_manifest(self.size, self._hashes)
        try:
            self._file.write(_trailer(manifest.raw))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            return self._store.take_over(self._path, manifest)
        except OSError as error:
            raise _failed(error) from error

    def abort(self) -> None:
        """Forget it."""
        try:
            self._file.close()
        except OSError as error:
            if error.errno not in _FULL:
                raise _failed(error) from error
        self._path.unlink(missing_ok=True)


def _trailer(raw: bytes) -> bytes:
    return raw + len(raw).to_bytes(LENGTH_BYTES, "big")


def _chunk(file: int, manifest: Manifest, part: int) -> bytes:
    """What stands at a chunk's place; nothing if a bad sector does."""
    try:
        return os.pread(file, manifest.chunk_bytes(part), (part - 1) * CHUNK_BYTES)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


def _good(file: int, manifest: Manifest) -> Iterator[int]:
    """The chunks that verify."""
    for part in range(1, manifest.all_chunks.bit_length()):
        if manifest.fits(part, _chunk(file, manifest, part)):
            yield part


def _write(file: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _failed(error: OSError) -> DiskFullError | StoreError:
    if error.errno in _FULL:
        return DiskFullError()
    return StoreError(f"blobs: {error.strerror}")

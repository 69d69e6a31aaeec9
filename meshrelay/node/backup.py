"""Copies of a node's log.db on a stick: made beside the running node, signed, looked through.

    STICK/README.txt
    STICK/meshrelay-<key>/copy-000007/log.db      as it was at one moment
                                      node.toml   without its password
                                      copy.cbor   what was copied when, signed by the node
    STICK/meshrelay-<key>/blobs/xx/<hex>          photos and files, each once

Never the keys: they stay on the device. A copy gets its name when everything of it was read
back from the stick; a name that ends in `.part` is what a power cut or a pulled stick left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_text, is_uint
from meshrelay.core.events import Now
from meshrelay.core.manifest import MANIFEST, read_manifest
from meshrelay.core.signing import ID_BYTES, KEY_BYTES, NETWORK_ID_BYTES, verify1
from meshrelay.errors import RefusedError, RemoteProtocolError, StoreError
from meshrelay.node.backup_words import README, busy, damaged, failed, full, no_stick
from meshrelay.node.beginning import LOST
from meshrelay.node.identity import Keys
from meshrelay.store.blobs import BlobStore
from meshrelay.store.copying import Contents, copy_log, log_bytes, look_through

# The newest ones that stay; an older one goes after a newer one was read back.
KEPT = 2
# Stays free on the stick, so that a file system never works at its edge.
FREE_BYTES_MIN = 16 * 1024 * 1024
# Of copying below a node that writes more than a WAL may hold meanwhile.
ATTEMPTS = 3
CHUNK_BYTES = 1 << 20
STAMP_BYTES_MAX = 4_096
NAME_CHARS_MAX = 200

_AAD = b"meshrelay/copy/1"
_FORMAT = 1
_STAMP, _LOG, _TOML, _PART = "copy.cbor", "log.db", "node.toml", ".part"
_COPY = re.compile(r"copy-(\d{6,})")
_BLOB = re.compile(r"[0-9a-f]{64}")
_PASSWORD = re.compile(r"^(\s*password\s*=).*$", re.MULTILINE)

# What is being done ("copying", "checking", "reading back", "photos"), how far, of how much.
Tell = Callable[[str, int, int], None]


class Stamp(NamedTuple):
    """What the node signed of a copy. `seen_ms`: by its clock of seen time."""

    network: bytes
    name: str
    made_ms: int
    quality: int
    seen_ms: int
    entries: int
    records: int
    log_bytes: int
    log_hash: bytes


class Copy(NamedTuple):
    """A copy on a stick, and which node's."""

    path: Path
    node: bytes
    stamp: Stamp


class Made(NamedTuple):
    """A new copy, how many blobs came beside it, and how many old copies went."""

    copy: Copy
    blobs: int
    removed: int


def folder_of(stick: Path, node: bytes) -> Path:
    """Where one node's copies lie; several nodes may share a stick."""
    return stick / f"meshrelay-{node.hex()[:16]}"


def paths_in(folder: Path) -> list[Path]:
    """Copies in a node's folder, oldest first, whatever is in them."""
    if not folder.is_dir():
        return []
    found = [each for each in folder.iterdir() if _COPY.fullmatch(each.name)]
    return sorted(found, key=_number)


def _number(path: Path) -> int:
    name = _COPY.match(path.name)
    return int(name[1]) if name else 0


def read_copy(path: Path) -> Copy:
    """The signed stamp of a copy; its log.db is NOT looked at (see `verify_copy`).

    Raises:
        RefusedError: it is none, or was altered.
    """
    try:
        with (path / _STAMP).open("rb") as file:
            outer = decode(file.read(STAMP_BYTES_MAX + 1), STAMP_BYTES_MAX)
        if not (isinstance(outer, list) and len(outer) == 2 and is_bytes(outer[0], KEY_BYTES)):
            raise damaged(path, "copy.cbor")
        fields = decode(verify1(outer[1], outer[0], _AAD), STAMP_BYTES_MAX)
    except (RemoteProtocolError, TypeError) as error:
        raise damaged(path, "copy.cbor") from error
    except OSError as error:
        raise failed(path, error.strerror) from error
    if not _is_stamp(fields):
        raise damaged(path, "copy.cbor")
    return Copy(path, outer[0], Stamp(*fields[1:]))


def _is_stamp(fields: Any) -> bool:
    return (
        isinstance(fields, list)
        and len(fields) == 1 + len(Stamp._fields)
        and fields[0] == _FORMAT
        and is_bytes(fields[1], NETWORK_ID_BYTES)
        and is_text(fields[2], NAME_CHARS_MAX)
        and all(is_uint(each) for each in fields[3:9])
        and is_bytes(fields[9], ID_BYTES)
    )


def newest(stick: Path, node: bytes) -> Copy | None:
    """The newest copy of a node whose stamp can be read."""
    for path in reversed(paths_in(folder_of(stick, node))):
        try:
            copy = read_copy(path)
        except RefusedError:
            continue  # an older one may be good, and a new one is made
        if copy.node == node:
            return copy
    return None


def verify_copy(copy: Copy, tell: Tell) -> Contents:
    """Read all of a copy and check it against its stamp and in itself.

    Raises:
        RefusedError: what is wrong with it.
    """
    path = copy.path / _LOG
    try:
        if _hash(path, partial(tell, "reading back")) != copy.stamp.log_hash:
            raise damaged(copy.path, "log.db is not what was copied")
        return look_through(path, partial(tell, "checking"))
    except OSError as error:
        raise failed(path, error.strerror) from error
    except StoreError as error:
        raise damaged(copy.path, str(error)) from error


def make_copy(directory: Path, stick: Path, keys: Keys, name: str, now: Now, tell: Tell) -> Made:
    """Copy the node of `directory`, which may be running, to a stick.

    `tell` is called every few milliseconds; it may wait, or end it all by raising.

    Raises:
        RefusedError: no stick, no space, it was pulled out, or log.db itself is damaged; all
            older copies are as they were.
    """
    if not stick.is_dir():
        raise no_stick(stick)
    folder = folder_of(stick, keys.signer.public)
    try:
        folder.mkdir(0o700, exist_ok=True)
        with _only_one(folder):
            for rest in folder.glob(f"*{_PART}"):
                shutil.rmtree(rest)
            _check_space(stick, log_bytes(directory / _LOG))
            _write(stick / "README.txt", README.encode())
            copy = _copy(directory, folder, keys, name, now, tell)
            removed = _prune(folder, (directory / LOST).exists())
            blobs = _copy_blobs(directory, folder, tell)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(stick) from error
        raise failed(stick, error.strerror) from error
    return Made(copy, blobs, removed)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """The nightly copy and one by hand would remove each other's parts."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise busy(folder, "another copy is being made") from error
    finally:
        os.close(handle)


def _check_space(stick: Path, wanted: int) -> None:
    if shutil.disk_usage(stick).free < wanted + FREE_BYTES_MIN:
        raise full(stick, wanted)


def _copy(directory: Path, folder: Path, keys: Keys, name: str, now: Now, tell: Tell) -> Copy:
    number = 1 + max(map(_number, paths_in(folder)), default=0)
    path = folder / f"copy-{number:06d}"
    part = folder / (path.name + _PART)
    part.mkdir(0o700)
    try:
        log = part / _LOG
        for _ in range(ATTEMPTS):
            if copy_log(directory / _LOG, log, partial(tell, "copying")):
                break
            log.unlink()
        else:
            raise busy(folder, "too much was being written")
        held = look_through(log, partial(tell, "checking"))
        digest = _hash(log, partial(tell, "reading back"))
        stamp = Stamp(
            keys.network, name[:NAME_CHARS_MAX], now.pt_ms, now.quality, held.seen_ms,
            held.entries, len(held.records), log.stat().st_size, digest,
        )  # fmt: skip
        signed = keys.signer.sign1(encode([_FORMAT, *stamp]), _AAD)
        _write(part / _STAMP, encode([keys.signer.public, signed]))
        settings = _without_password(directory / _TOML)
        if settings:
            _write(part / _TOML, settings)
        _sync(log)
        _sync(part)
        # From the stick and not from memory: what fsync promised is looked at.
        if _hash(log, partial(tell, "reading back")) != digest:
            raise failed(folder, "it gives back other bytes than were written")
        part.rename(path)
        _sync(folder)
    except StoreError as error:
        raise damaged(directory, str(error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Copy(path, keys.signer.public, stamp)


def _prune(folder: Path, is_lost: bool) -> int:
    """Remove all but the newest; by another name first, for a power cut in between.

    `is_lost`: the store began anew without its log.db. What was copied before then stays, until a
    person puts it back or says that there is nothing to put back.
    """
    copies = paths_in(folder)
    old = copies[KEPT:-1] if is_lost else copies[:-KEPT]
    for path in old:
        part = path.with_name(path.name + _PART)
        path.rename(part)
        shutil.rmtree(part)
    return len(old)


def _copy_blobs(directory: Path, folder: Path, tell: Tell) -> int:
    """Every whole blob that is not there yet; a stick without space for all has the first."""
    wanted = [each for each in blobs_in(directory) if not _blob(folder, each.name).exists()]
    for done, source in enumerate(wanted, 1):
        _check_space(folder, source.stat().st_size)
        copy_file(source, _blob(folder, source.name))
        tell("photos", done, len(wanted))
    return len(wanted)


def blobs_in(directory: Path) -> list[Path]:
    """Whole blobs below a node's directory or a node's folder on a stick."""
    found = (directory / "blobs").glob("??/*")
    return sorted(each for each in found if _BLOB.fullmatch(each.name) and each.is_file())


def _blob(directory: Path, name: str) -> Path:
    return directory / "blobs" / name[:2] / name


def restore_blobs(copy: Copy, directory: Path, tell: Tell) -> int:
    """Bring back the blobs that a node's directory lacks. Raises OSError."""
    wanted = [
        each for each in blobs_in(copy.path.parent) if not _blob(directory, each.name).exists()
    ]
    for done, source in enumerate(wanted, 1):
        copy_file(source, _blob(directory, source.name))
        tell("photos", done, len(wanted))
    return len(wanted)


def damaged_blobs(folder: Path, tell: Tell) -> tuple[int, list[Path]]:
    """How many blobs lie beside a node's copies, and which of them are not what their name says."""
    found = blobs_in(folder)
    damaged = []
    if found:
        store = BlobStore(folder / "blobs")
        for done, path in enumerate(found, 1):
            if not _is_whole(store, bytes.fromhex(path.name)):
                damaged.append(path)
            tell("photos", done, len(found))
    return len(found), damaged


def _is_whole(store: BlobStore, blob: bytes) -> bool:
    try:
        manifest = store.part(blob, MANIFEST)
        parts = read_manifest(manifest).all_chunks.bit_length() if manifest else 0
        return manifest is not None and all(
            store.part(blob, n) is not None for n in range(1, parts)
        )
    except StoreError:  # a bad sector
        return False


def copy_file(source: Path, target: Path) -> None:
    """Copy a file whole or not at all. Raises OSError."""
    target.parent.mkdir(0o700, parents=True, exist_ok=True)
    part = target.with_name(target.name + _PART)
    with source.open("rb") as read, part.open("wb") as write:
        shutil.copyfileobj(read, write, CHUNK_BYTES)
    _sync(part)
    part.rename(target)
    _sync(target.parent)


def _without_password(path: Path) -> bytes:
    """node.toml without the broker's password; nothing if that cannot be told from the rest."""
    try:
        text = _PASSWORD.sub(r'\1 ""  # not copied', path.read_text("utf-8"))
        mqtt = tomllib.loads(text).get("mqtt", {})
    except (FileNotFoundError, ValueError):
        return b""  # somebody is editing it
    return b"" if not isinstance(mqtt, dict) or mqtt.get("password") else text.encode()


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + _PART)
    part.write_bytes(data)
    _sync(part)
    part.rename(path)


def _sync(path: Path) -> None:
    """To the medium, and out of memory: whoever reads it next reads the medium."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _hash(path: Path, tell: Callable[[int, int], None]) -> bytes:
    digest, done, total = blake2b(digest_size=ID_BYTES), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            tell(done, total)
    return digest.digest()

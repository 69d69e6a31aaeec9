"""Blobs on disk: what verifies is here, whatever happened to the file meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from meshrelay.core.manifest import CHUNK_BYTES, parts_of
from meshrelay.core.signing import hash32
from meshrelay.errors import StoreError
from meshrelay.store.blob_words import WORDS_PER_SIGNER_MAX, open_words
from meshrelay.store.blobs import PART, BlobStore, DiskFullError
from tests.unit.core.test_blobs import BLOB, PARTS, PHOTO

LAST = len(PARTS) - 1


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def file_of(tmp_path: Path, ending: str = "") -> Path:
    return tmp_path / "blobs" / BLOB.hex()[:2] / (BLOB.hex() + ending)


def uploaded(store: BlobStore, content: bytes = PHOTO, step: int = 5_000) -> bytes:
    upload = store.upload()
    for at in range(0, len(content), step):
        upload.write(content[at : at + step])
    return upload.finish()


@pytest.mark.parametrize("step", [1_000, CHUNK_BYTES, CHUNK_BYTES + 1, 10**6])
def test_an_upload_has_the_id_of_its_content_however_it_came(store: BlobStore, step: int) -> None:
    assert uploaded(store, step=step) == BLOB
    assert store.size_of(BLOB) == len(PHOTO)
    assert {part: store.part(BLOB, part) for part in PARTS} == PARTS
    assert store.part(BLOB, LAST + 1) is None


def test_what_was_uploaded_is_there_after_a_restart(store: BlobStore, tmp_path: Path) -> None:
    uploaded(store)
    uploaded(store)
    again = BlobStore(tmp_path / "blobs")

    assert list(again.held()) == [BLOB]
    assert again.kept(BLOB) == again.held()[BLOB]
    assert {part: again.part(BLOB, part) for part in PARTS} == PARTS


def test_an_aborted_upload_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    upload = store.upload()
    upload.write(PHOTO)
    upload.abort()
    store.upload().write(b"the process is killed here")
    BlobStore(tmp_path / "blobs")

    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_a_fetched_blob_is_here_only_when_all_of_it_is(store: BlobStore) -> None:
    for part in [0, 3, 1, 2, LAST, 4]:
        store.keep(BLOB, part, PARTS[part])
        assert not store.finish(BLOB) and store.held() == {}
    store.keep(BLOB, 5, PARTS[5])

    assert store.finish(BLOB)
    assert {part: store.part(BLOB, part) for part in PARTS} == PARTS
    assert store.begun(BLOB) is None


@pytest.mark.parametrize("until", range(LAST + 1))
def test_after_a_kill_just_what_was_written_is_not_asked_again(
    store: BlobStore, tmp_path: Path, until: int
) -> None:
    for part in range(until + 1):
        store.keep(BLOB, part, PARTS[part])
    begun = BlobStore(tmp_path / "blobs").begun(BLOB)

    assert begun is not None and begun.manifest.raw == PARTS[0]
    assert list(parts_of(begun.held)) == list(range(1, until + 1))


def test_a_chunk_half_written_or_torn_is_missing(store: BlobStore, tmp_path: Path) -> None:
    for part in range(4):
        store.keep(BLOB, part, PARTS[part])
    with file_of(tmp_path, PART).open("r+b") as file:
        file.seek(CHUNK_BYTES + 100)
        file.write(b"torn")
    begun = store.begun(BLOB)

    assert begun is not None and list(parts_of(begun.held)) == [1, 3]


@pytest.mark.parametrize("size", [0, 3, 100, CHUNK_BYTES * 5])
def test_a_part_file_that_lost_its_manifest_is_begun_again(
    store: BlobStore, tmp_path: Path, size: int
) -> None:
    for part in range(4):
        store.keep(BLOB, part, PARTS[part])
    os.truncate(file_of(tmp_path, PART), size)

    assert BlobStore(tmp_path / "blobs").begun(BLOB) is None
    assert not file_of(tmp_path, PART).exists()


def test_a_flipped_bit_makes_its_chunk_missing_and_no_other(
    store: BlobStore, tmp_path: Path
) -> None:
    uploaded(store)
    with file_of(tmp_path).open("r+b") as file:
        file.seek(2 * CHUNK_BYTES + 7)
        flipped = bytes([file.read(1)[0] ^ 4])
        file.seek(-1, os.SEEK_CUR)
        file.write(flipped)

    assert store.part(BLOB, 3) is None and store.part(BLOB, 2) == PARTS[2]
    store.spoiled(BLOB)
    begun = store.begun(BLOB)
    assert store.held() == {} and begun is not None
    assert list(parts_of(begun.manifest.all_chunks & ~begun.held)) == [3]
    store.keep(BLOB, 3, PARTS[3])
    assert store.finish(BLOB) and store.part(BLOB, 3) == PARTS[3]


def test_a_file_under_the_name_of_another_blob_is_never_read(
    store: BlobStore, tmp_path: Path
) -> None:
    other = uploaded(store, b"another content")
    source = tmp_path / "blobs" / other.hex()[:2] / other.hex()
    file_of(tmp_path).parent.mkdir(exist_ok=True)
    file_of(tmp_path).write_bytes(source.read_bytes())

    assert BlobStore(tmp_path / "blobs").part(BLOB, 1) is None


def test_what_is_dropped_is_gone(store: BlobStore, tmp_path: Path) -> None:
    uploaded(store)
    store.drop(BLOB)
    store.drop(BLOB)

    assert store.held() == {} and store.part(BLOB, 1) is None and store.kept(BLOB) is None


def test_what_was_begun_long_ago_is_forgotten_and_the_rest_is_kept(
    store: BlobStore, tmp_path: Path
) -> None:
    store.keep(BLOB, 0, PARTS[0])
    other = uploaded(store, b"here whole")
    os.utime(tmp_path / "blobs" / other.hex()[:2] / other.hex(), ns=(1, 1))
    store.forget_begun(file_of(tmp_path, PART).stat().st_mtime_ns)
    assert store.begun(BLOB) is not None
    store.forget_begun(file_of(tmp_path, PART).stat().st_mtime_ns + 1)

    assert store.begun(BLOB) is None and list(store.held()) == [other]


def test_files_of_others_beside_the_blobs_are_left_alone(store: BlobStore, tmp_path: Path) -> None:
    uploaded(store)
    for name in ("zz", "ab"):
        (tmp_path / "blobs" / name).mkdir(exist_ok=True)
        (tmp_path / "blobs" / name / ("z" * 64)).write_bytes(b"?")
        (tmp_path / "blobs" / name / "note.txt").write_bytes(b"?")

    assert list(store.held()) == [BLOB]


def test_a_full_disk_is_told_as_such(store: BlobStore) -> None:
    upload = store.upload()
    upload._file.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        upload._file = full  # type: ignore[assignment]
        with pytest.raises(DiskFullError):
            upload.write(PHOTO)


def test_holders_are_kept_over_a_restart_and_denied_ones_forgotten(tmp_path: Path) -> None:
    words = open_words(tmp_path / "blobs.db")
    words.note(b"kita", b"day one.", [BLOB, hash32(b"other")])
    words.note(b"chuo", b"day two.", [BLOB])
    words.note(b"kita", b"day one.", [BLOB])
    words.deny(b"chuo", BLOB)
    words.close()

    assert open_words(tmp_path / "blobs.db").holders(BLOB) == [(b"kita", b"day one.")]


def test_a_signer_that_names_without_end_keeps_its_newest_words(tmp_path: Path) -> None:
    words = open_words(tmp_path / "blobs.db")
    words.note(b"chuo", b"day two.", [BLOB])
    names = [hash32(number.to_bytes(4, "big")) for number in range(WORDS_PER_SIGNER_MAX + 10)]
    words.note(b"kita", b"day one.", names)

    assert words.holders(names[9]) == [] and words.holders(names[10]) != []
    assert words.holders(BLOB) == [(b"chuo", b"day two.")]


def test_a_damaged_file_of_words_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "blobs.db").write_bytes(b"no database" * 1_000)

    assert open_words(tmp_path / "blobs.db").holders(BLOB) == []


class FailingDisk:
    """Lets the system call number `at` of those that write fail, and all after it."""

    CALLS = ("open", "pwrite", "fsync", "fdatasync", "replace", "mkdir")

    def __init__(self, patch: pytest.MonkeyPatch, at: int, error: int) -> None:
        self.count = 0
        for name in self.CALLS:
            patch.setattr(os, name, self._failing(getattr(os, name), at, error))

    def _failing(self, call: Callable[..., object], at: int, error: int) -> Callable[..., object]:
        def failing(*args: object, **more: object) -> object:
            self.count += 1
            if self.count >= at:
                raise OSError(error, os.strerror(error))
            return call(*args, **more)

        return failing


def fetched(store: BlobStore) -> bool:
    """Everything that a fetch does, from wherever it stands."""
    begun = store.begun(BLOB)
    if begun is None:
        store.keep(BLOB, 0, PARTS[0])
    for part in range(1, LAST + 1):
        if begun is None or not begun.held >> part & 1:
            store.keep(BLOB, part, PARTS[part])
    return store.finish(BLOB)


@pytest.mark.parametrize(
    ("error", "told"), [(errno.ENOSPC, DiskFullError), (errno.EIO, StoreError)], ids=["full", "EIO"]
)
def test_a_disk_that_fails_at_any_call_is_told_and_costs_nothing_that_was_there(
    tmp_path: Path, error: int, told: type[Exception]
) -> None:
    whole = BlobStore(tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        calls = FailingDisk(patch, 10**6, error)
        fetched(whole)
    assert calls.count > 15
    for at in range(1, calls.count + 1):
        store = BlobStore(tmp_path / f"blobs{at}")
        with pytest.MonkeyPatch.context() as patch:
            FailingDisk(patch, at, error)
            with pytest.raises(told):
                fetched(store)
        again = BlobStore(tmp_path / f"blobs{at}")
        assert all(again.part(BLOB, part) == PARTS[part] for blob in again.held() for part in PARTS)
        if BLOB not in again.held():
            assert fetched(again)
        assert {part: again.part(BLOB, part) for part in PARTS} == PARTS


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "EIO"])
def test_an_upload_that_the_disk_refuses_leaves_no_blob(tmp_path: Path, error: int) -> None:
    for at in range(1, 5):
        store = BlobStore(tmp_path / f"blobs{at}")
        upload = store.upload()
        upload.write(PHOTO)
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, at, error)
            with pytest.raises((DiskFullError, StoreError)):
                upload.finish()
            assert disk.count == at
        upload.abort()
        left = BlobStore(tmp_path / f"blobs{at}")
        assert all(left.part(blob, 1) == PARTS[1] for blob in left.held())

"""SQLite on the modelled disk and on the failing kernel."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
from copy import deepcopy
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import apsw
import pytest

from meshrelay.errors import StoreError
from meshrelay.store.sqlite import connect, transaction
from tests.disk.kernel import TRUNCATE, WRITE, Fault, fail_syncs, failing
from tests.disk.life import copied
from tests.disk.platter import File
from tests.disk.vfs import SYNC, Disk, FailedSync, PowerCut

ROWS = 20


def fill(connection: apsw.Connection, rows: int) -> None:
    for _ in range(rows):
        with transaction(connection):
            connection.execute("INSERT INTO said VALUES (?)", ("水" * 500,))


def filled(directory: Path, rows: int = ROWS) -> apsw.Connection:
    connection = connect(directory / "log.db", durable=True)
    connection.execute("CREATE TABLE IF NOT EXISTS said (text)")
    fill(connection, rows)
    return connection


def count(directory: Path) -> int:
    with contextlib.closing(connect(directory / "log.db", durable=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM said").get)


def left_of(disk: Disk, directory: Path, seed: int) -> Path:
    left = directory / f"left {seed}"
    left.mkdir()
    disk.leave(left, Random(seed))
    return left


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def test_commits_with_a_sync_outlive_every_cut(store: Path, tmp_path: Path) -> None:
    with Disk(store) as disk:
        connection = filled(store)
        lefts = [left_of(disk, tmp_path, seed) for seed in range(20)]
        connection.close()

    assert [count(left) for left in lefts] == [ROWS] * len(lefts)


def test_commits_without_a_sync_do_not(store: Path, tmp_path: Path) -> None:
    with Disk(store) as disk:
        connection = filled(store, 1)
        connection.pragma("synchronous", "NORMAL")
        for _ in range(ROWS - 1):
            connection.execute("INSERT INTO said VALUES ('!')")
        lefts = [left_of(disk, tmp_path, seed) for seed in range(20)]
        connection.close()

    counts = {count(left) for left in lefts}
    assert min(counts) == 1 and len(counts) > 3


def test_no_call_gets_through_once_the_power_is_gone(store: Path) -> None:
    with Disk(store) as disk:
        connection = filled(store, 1)
        disk.trap = PowerCut(5)
        with pytest.raises(StoreError):
            fill(connection, ROWS)
        assert disk.off
        with pytest.raises(apsw.IOError):
            connection.execute("SELECT * FROM said").fetchall()
        with contextlib.suppress(apsw.IOError):
            connection.close()


def test_the_cut_comes_before_the_call_that_it_names(store: Path, tmp_path: Path) -> None:
    with Disk(store) as disk:
        connection = filled(store, 1)
        disk.trap = PowerCut(3, frozenset({SYNC}))
        with pytest.raises(StoreError):
            fill(connection, ROWS)
        lefts = [left_of(disk, tmp_path, seed) for seed in range(20)]
        with contextlib.suppress(apsw.IOError):
            connection.close()

    assert {count(left) for left in lefts} == {3, 4}  # two were synced, one more may be there


def test_a_disk_knows_nothing_of_other_directories(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Disk(store, PowerCut(1)) as disk:
        filled(other).close()

    assert not disk.files and not disk.calls and count(other) == ROWS


def test_a_name_that_no_sync_has_told_is_there_or_not(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        disk.files["log.db"] = File(named=False)
        disk.files["log.db-wal"] = File(named=True)
        disk.unlinked["log.db-journal"] = File(b"old", named=True)
        names = {
            tuple(sorted(path.name for path in left_of(disk, tmp_path, seed).iterdir()))
            for seed in range(40)
        }
        disk.synced("log.db-wal", journal=True)
        after = {path.name for path in left_of(disk, tmp_path, 99).iterdir()}

    assert len(names) == 4 and all("log.db-wal" in each for each in names)
    assert after == {"log.db", "log.db-wal"}


def test_what_is_built_on_a_failed_sync_is_gone_with_the_power(store: Path, tmp_path: Path) -> None:
    with Disk(store, FailedSync(4, "log.db-wal")) as disk:
        connection = filled(store, 1)
        with pytest.raises(StoreError):
            fill(connection, ROWS)
        seen, files = copied(store, tmp_path / "seen"), deepcopy(disk.files)
        connection.close()
    with Disk(seen, None, files) as disk:
        plain = apsw.Connection(str(seen / "log.db"))
        plain.execute("INSERT INTO said VALUES ('!')")
        held = plain.execute("SELECT count(*) FROM said").get
        left = left_of(disk, tmp_path, 1)
        plain.close()

    assert count(left) < held


def test_what_a_program_syncs_by_hand_is_on_the_platter(store: Path, tmp_path: Path) -> None:
    (store / "log.db").write_bytes(b"before")
    with Disk(store) as disk:
        with (store / "log.db").open("r+b") as file:
            file.write(b"behind")
            unsynced = left_of(disk, tmp_path, 1)
            file.flush()
            os.fsync(file.fileno())
        synced = left_of(disk, tmp_path, 2)

    assert (unsynced / "log.db").read_bytes() == b"before"
    assert (synced / "log.db").read_bytes() == b"behind"


def test_sqlites_own_disk_is_back_afterwards(store: Path) -> None:
    with Disk(store):
        pass

    assert apsw.vfs_names()[0] == "unix"


@pytest.mark.parametrize("lasting", [False, True])
def test_the_kernel_fails_the_call_that_was_asked_for(store: Path, lasting: bool) -> None:
    with contextlib.closing(filled(store, 1)) as connection:
        fault = Fault(WRITE, 3, errno.ENOSPC, lasting=lasting)
        with failing(store, fault):
            with pytest.raises(apsw.FullError):
                connection.execute("INSERT INTO said VALUES (?)", ("水" * 5_000,))
            if lasting:
                with pytest.raises(apsw.FullError):
                    connection.execute("INSERT INTO said VALUES ('!')")
            else:
                connection.execute("INSERT INTO said VALUES ('!')")

        assert fault.calls[WRITE] >= 3 and set(fault.hits) == {"log.db-wal"}
        connection.execute("INSERT INTO said VALUES ('!')")


def test_the_kernel_fails_nothing_before_it_is_told_to(store: Path) -> None:
    fault = Fault(WRITE, None, errno.EIO, lasting=True)
    with failing(store, fault), contextlib.closing(filled(store, 2)) as connection:
        fault.arm()
        with pytest.raises(apsw.IOError):
            connection.execute("INSERT INTO said VALUES ('!')")


def test_other_directories_do_not_suffer(store: Path, tmp_path: Path) -> None:
    fault = Fault(TRUNCATE, 1, errno.EIO, lasting=True)
    other = tmp_path / "other"
    other.mkdir()
    with failing(store, fault):
        filled(other).close()

    assert not fault.hits and count(other) == ROWS


def syncs_fail(store: Path, name: str, report: Connection) -> None:
    connection = filled(store, 1)
    fail_syncs(store / name)
    try:
        connection.execute("INSERT INTO said VALUES ('!')")
        report.send("stored")
    except apsw.IOError as error:
        report.send(f"{error.extendedresult == apsw.SQLITE_IOERR_FSYNC}")


@pytest.mark.parametrize(("name", "word"), [("log.db-wal", "True"), ("log.db", "stored")])
def test_a_sync_fails_on_the_file_that_was_named(store: Path, name: str, word: str) -> None:
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=syncs_fail, args=(store, name, there)
    )
    child.start()

    assert here.recv() == word
    child.join()

"""A copy of log.db is the store of one moment, and no damage to it goes unnoticed."""

from __future__ import annotations

import errno
from pathlib import Path

import apsw
import pytest

from meshrelay.core.events import DAMAGED, EVICTED, Commit, Holes
from meshrelay.core.gaps import Gap, evicted
from meshrelay.core.vector import Line
from meshrelay.errors import StoreError
from meshrelay.store.copying import (
    STEP_PAGES,
    WAL_BYTES_MAX,
    Loss,
    copy_log,
    look_through,
    lost,
    urgent_records,
)
from meshrelay.store.log import LogStore
from meshrelay.store.seen import Mark, Reading
from meshrelay.store.sqlite import transaction
from tests.unit.core.city import CHUO, HQ, KITA, RECORDS, chain, log_of, person
from tests.unit.store.disks import AT_MS, commit_of, opened, write

SATO = person("1001", KITA)
KITA_CHAIN, CHUO_CHAIN = chain(KITA, 300), chain(CHUO, 3, 0)
PAGE = 4_096


def silent(done: int, total: int) -> None:
    assert 0 <= done <= total


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    """北区 with ten entries, 中央区 with three, and the records of four people's city."""
    made = opened(tmp_path)
    write(made, commit_of([*KITA_CHAIN[:10], *CHUO_CHAIN], [*RECORDS, *SATO.records]))
    return made


def test_a_copy_is_the_store_of_the_moment_at_which_it_began(
    store: LogStore, tmp_path: Path
) -> None:
    big = "INSERT INTO answers VALUES (?, zeroblob(16), zeroblob(4096), x'00', 0)"
    store.connection.executemany(big, [(f"{n}",) for n in range(2 * STEP_PAGES)])
    steps: list[int] = []

    def beside(done: int, total: int) -> None:
        write(store, commit_of([KITA_CHAIN[10 + len(steps)]]))
        steps.append(done)

    whole = copy_log(tmp_path / "log.db", tmp_path / "copy", beside)
    held = look_through(tmp_path / "copy", silent)

    assert whole and len(steps) > 2
    assert held.lines[log_of(KITA)].height == 10
    assert held.lines[log_of(CHUO, 0)] == Line(log_of(CHUO, 0), 3, CHUO_CHAIN[-1].id)
    assert held.entries == 13
    assert held.records == {record.id for record in (*RECORDS, *SATO.records)}
    assert look_through_live(tmp_path) == 10 + len(steps)


def look_through_live(directory: Path) -> int:
    copy_log(directory / "log.db", directory / "now", silent)
    return look_through(directory / "now", silent).lines[log_of(KITA)].height


def test_a_node_that_writes_much_meanwhile_keeps_its_wal_small_and_there_is_no_copy(
    store: LogStore, tmp_path: Path
) -> None:
    wal = tmp_path / "log.db-wal"
    blob = "INSERT INTO answers VALUES (?, zeroblob(16), randomblob(?), x'00', 0)"
    store.connection.executemany(blob, [(f"{n}", PAGE) for n in range(4 * STEP_PAGES)])
    steps: list[int] = []

    def flood(done: int, total: int) -> None:
        steps.append(done)
        with transaction(store.connection):
            store.connection.execute(blob, (f"flood {len(steps)}", WAL_BYTES_MAX // 2))

    assert not copy_log(tmp_path / "log.db", tmp_path / "copy", flood)
    for number in range(3):
        write(store, commit_of([KITA_CHAIN[10 + number]]))

    assert len(steps) <= 3
    assert wal.stat().st_size <= WAL_BYTES_MAX


def test_the_copy_ends_where_whoever_watches_it_says_so(store: LogStore, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        copy_log(tmp_path / "log.db", tmp_path / "copy", stop)
    write(store, commit_of([KITA_CHAIN[10]]))

    assert look_through_live(tmp_path) == 11


def test_a_copy_is_read_without_a_file_beside_it(store: LogStore, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    copy_log(tmp_path / "log.db", stick / "log.db", silent)

    look_through(stick / "log.db", silent)
    records = urgent_records(stick / "log.db")

    assert [path.name for path in stick.iterdir()] == ["log.db"]
    assert records == [record.raw for record in RECORDS]


def test_a_copy_knows_how_long_its_store_saw_time_pass(store: LogStore, tmp_path: Path) -> None:
    store.keep_mark(Mark(Reading("boot", 1, AT_MS, 4), 7_000, 0))
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)

    assert look_through(tmp_path / "copy", silent).seen_ms == 7_000


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET raw = CAST(substr(raw, 1, length(raw) - 1) || x'00' AS BLOB) "
        "WHERE seq = 5",
        "UPDATE entries SET raw = (SELECT raw FROM entries WHERE seq = 6) WHERE seq = 5",
        "UPDATE entries SET raw = x'00' WHERE seq = 5",
        "DELETE FROM entries WHERE seq = 5",
        "DELETE FROM entries WHERE seq = 10",
        "DELETE FROM entries WHERE seq = 1",
        "UPDATE logs SET height = height + 1",
        "UPDATE logs SET head = zeroblob(32)",
        "DELETE FROM logs",
        "UPDATE records SET raw = (SELECT max(raw) FROM records) WHERE lane = 0",
        "DROP TABLE records",
    ],
)
def test_damage_is_noticed(store: LogStore, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "copy"
    copy_log(tmp_path / "log.db", path, silent)
    look_through(path, silent)
    connection = apsw.Connection(str(path))
    connection.execute(damage)
    connection.close()

    with pytest.raises(StoreError):
        look_through(path, silent)


def test_a_copy_that_ends_early_is_noticed(store: LogStore, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    copy_log(tmp_path / "log.db", path, silent)
    whole = path.read_bytes()

    # The last page belongs to an empty table: nothing is missing without it.
    for size in range(0, len(whole) - PAGE, 1_000):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError):
            look_through(path, silent)


def test_a_copy_that_is_gone_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="unable to open"):
        look_through(tmp_path / "copy", silent)
    with pytest.raises(OSError, match="unable to open"):
        urgent_records(tmp_path / "copy")


def test_a_damaged_source_is_said_to_be_so(store: LogStore, tmp_path: Path) -> None:
    store.connection.close()
    path = tmp_path / "log.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))

    with pytest.raises(StoreError, match="damaged"):
        copy_log(path, tmp_path / "copy", silent)


def test_a_target_that_cannot_be_written_is_an_error_of_the_target(
    store: LogStore, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="nowhere") as failed:
        copy_log(tmp_path / "log.db", tmp_path / "nowhere" / "copy", silent)

    assert failed.value.errno == errno.EIO


def test_what_only_the_present_store_has_is_counted(store: LogStore, tmp_path: Path) -> None:
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)
    held = look_through(tmp_path / "copy", silent)
    assert lost(tmp_path / "log.db", held, KITA.public) == Loss(0, 0, 0)

    tanaka = person("2001", CHUO, 2)
    write(store, commit_of(KITA_CHAIN[10:12], [tanaka.staff]))
    write(store, commit_of(chain(HQ, 4)))

    assert lost(tmp_path / "log.db", held, KITA.public) == Loss(6, 2, 1)
    assert lost(tmp_path / "log.db", held, HQ.public) == Loss(6, 4, 1)


def test_another_branch_of_a_log_is_lost_whole(store: LogStore, tmp_path: Path) -> None:
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)
    held = look_through(tmp_path / "copy", silent)
    forked = Line(log_of(KITA), 10, bytes(32))

    assert lost(
        tmp_path / "log.db", held._replace(lines=held.lines | {forked.log: forked}), KITA.public
    ) == Loss(10, 10, 0)


def drop(store: LogStore, upto: int, damage: int = 0) -> None:
    """Make room: 北区's entries up to `upto` go; `damage` moves an end of the gap."""
    log = log_of(KITA)
    gaps = evicted((), upto, KITA_CHAIN[upto - 1 + damage].id, log.first_prev)
    size = sum(len(entry.raw) for entry in KITA_CHAIN[:upto])
    write(store, Commit(1, [], [], None, None, holes=[Holes(log, gaps, EVICTED, 0, upto, size)]))


def test_what_a_store_dropped_for_space_is_no_damage(store: LogStore, tmp_path: Path) -> None:
    drop(store, 4)
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)

    held = look_through(tmp_path / "copy", silent)

    assert held.entries == 9
    assert held.gaps[log_of(KITA)] == (
        Gap(0, log_of(KITA).first_prev, 4, KITA_CHAIN[3].id, wanted=False),
    )


def test_a_gap_that_touches_another_is_no_damage_either(store: LogStore, tmp_path: Path) -> None:
    drop(store, 4)
    log, ends = log_of(KITA), [KITA_CHAIN[number - 1].id for number in (4, 6)]
    gaps = (Gap(0, log.first_prev, 4, ends[0], wanted=False), Gap(4, ends[0], 6, ends[1], True))
    size = sum(len(entry.raw) for entry in KITA_CHAIN[4:6])
    write(store, Commit(1, [], [], None, None, holes=[Holes(log, gaps, DAMAGED, 4, 6, size)]))
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)

    assert look_through(tmp_path / "copy", silent).entries == 7


def test_a_gap_that_does_not_fit_the_chain_is_damage(store: LogStore, tmp_path: Path) -> None:
    drop(store, 4, damage=1)
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)

    with pytest.raises(StoreError):
        look_through(tmp_path / "copy", silent)


def test_what_the_copy_dropped_and_the_present_store_has_is_lost_too(
    store: LogStore, tmp_path: Path
) -> None:
    copy_log(tmp_path / "log.db", tmp_path / "whole", silent)
    whole = look_through(tmp_path / "whole", silent)
    drop(store, 4)
    write(store, commit_of(KITA_CHAIN[10:12]))
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)
    dropped = look_through(tmp_path / "copy", silent)

    assert lost(tmp_path / "log.db", whole, KITA.public) == Loss(2, 2, 0)
    assert lost(tmp_path / "whole", dropped, KITA.public) == Loss(4, 4, 0)
    assert lost(tmp_path / "log.db", dropped, KITA.public) == Loss(0, 0, 0)


def test_of_a_store_that_cannot_be_read_nobody_says_what_would_be_lost(
    store: LogStore, tmp_path: Path
) -> None:
    copy_log(tmp_path / "log.db", tmp_path / "copy", silent)
    held = look_through(tmp_path / "copy", silent)
    (tmp_path / "broken").write_bytes(b"no database" * 1_000)

    with pytest.raises(StoreError):
        lost(tmp_path / "broken", held, KITA.public)

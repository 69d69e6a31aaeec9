"""Places are written late: readers find every entry all the same, at every moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.core.entry import Entry
from meshrelay.core.events import DAMAGED, EVICTED, Commit, Holes
from meshrelay.core.gaps import Gap, Gaps
from meshrelay.core.vector import Line
from meshrelay.errors import DamagedError, StoreError
from meshrelay.store import places
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from tests.unit.core.city import CHUO, KITA, chain, log_of
from tests.unit.store.disks import commit_of, opened, write

LOG, OTHER = log_of(KITA), log_of(CHUO)


def seqs(reader: LogReader) -> list[int]:
    return [seq for seq, _ in reader.from_lowest(LOG)]


def holes(entries: list[Entry], low: int, high: int, why: str) -> Commit:
    """Drop low+1 … high of KITA's log."""
    low_id = entries[low - 1].id if low else LOG.first_prev
    gaps: Gaps = (Gap(low, low_id, high, entries[high - 1].id, why == DAMAGED),)
    size = sum(len(entry.raw) for entry in entries[low:high])
    return Commit(1, [], [], None, None, holes=[Holes(LOG, gaps, why, low, high, size)])


def test_an_entry_is_found_before_its_place_is_written_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshrelay.store.log.PLACE_EVERY", 7)
    store = opened(tmp_path)
    reader = LogReader(tmp_path / "log.db")
    kita, chuo = chain(KITA, 30), chain(CHUO, 30)
    for number in range(30):
        write(store, commit_of([kita[number], chuo[number]]))
        late = LogReader(tmp_path / "log.db")
        for each in (reader, late):
            assert seqs(each) == list(range(1, number + 2))
            assert each.at(LOG, number + 1) == kita[number].raw
            below = each.below(LOG, 0, number + 1, 1 << 20)
            assert [one.raw for one in below] == [entry.raw for entry in kita[: number + 1]]
        late.close()

    assert places.placed(store.connection) >= 56


def test_places_that_are_written_while_somebody_reads_give_no_entry_twice(tmp_path: Path) -> None:
    store = opened(tmp_path)
    write(store, commit_of(chain(KITA, 9)))
    reader = LogReader(tmp_path / "log.db")
    up, down = reader._rows(LOG, 0, 9, "e.id"), reader._rows(LOG, 0, 9, "e.id", descending=True)
    first, last = next(up), next(down)
    store._place()

    assert [first[0], *(row[0] for row in up)] == list(range(1, 10))
    assert [last[0], *(row[0] for row in down)] == list(range(9, 0, -1))


def test_what_was_evicted_is_gone_and_its_bytes_are_free(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 400)
    write(store, commit_of(entries))
    reader = LogReader(tmp_path / "log.db")
    before = reader.used()
    write(store, holes(entries, 0, 390, EVICTED))

    assert seqs(reader) == list(range(391, 401))
    assert reader.used() < before // 2
    assert reader.counted(EVICTED) == 390 and reader.counted(DAMAGED) == 0
    assert reader.read(LOG, 1, 1 << 20) == []
    assert reader.next_held(LOG, 1) == 391


def test_a_store_knows_its_gaps_and_bytes_after_a_start(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 40)
    write(store, commit_of(entries))
    commit = holes(entries, 0, 25, EVICTED)
    write(store, commit)
    loaded = LogStore(tmp_path / "log.db").load()

    assert loaded.gaps == {LOG: commit.holes[0].gaps}
    kept = sum(len(entry.raw) for entry in entries[25:])
    assert loaded.stock._bytes == {(KITA.public, 1): kept}


def test_no_number_is_given_twice_though_the_newest_rows_are_dropped(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 9)
    write(store, commit_of(entries))
    write(store, holes(entries, 3, 9, DAMAGED))
    again = LogStore(tmp_path / "log.db")
    again.load()

    assert write(again, commit_of(chain(CHUO, 1))) == 10
    (stored,) = LogReader(tmp_path / "log.db").arrivals_after(9, 9)
    assert stored.number == 10 and LogReader(tmp_path / "log.db").at(OTHER, 1) == stored.raw


def test_a_damaged_row_is_kept_aside(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 9)
    write(store, commit_of(entries))
    write(store, holes(entries, 3, 5, DAMAGED))

    kept = store.connection.execute("SELECT seq, raw FROM quarantine").fetchall()
    assert kept == [(4, entries[3].raw), (5, entries[4].raw)]
    assert seqs(LogReader(tmp_path / "log.db")) == [1, 2, 3, 6, 7, 8, 9]


def test_what_fills_a_gap_is_found_in_its_place(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 9)
    write(store, commit_of(entries))
    write(store, holes(entries, 3, 5, DAMAGED))
    reader = LogReader(tmp_path / "log.db")
    assert len(reader.read(LOG, 1, 1 << 20)) == 3
    back = commit_of(entries[3:5])
    write(store, Commit(1, [], [], None, None, filled=back.entries, holes=[Holes(LOG, ())]))

    assert [one.raw for one in reader.read(LOG, 1, 1 << 20)] == [entry.raw for entry in entries]
    assert LogStore(tmp_path / "log.db").load().gaps == {}


def test_an_end_cuts_the_gaps_above_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 9)
    write(store, commit_of(entries))
    write(store, holes(entries, 3, 5, DAMAGED))
    write(store, commit_of([], cuts=[Line(LOG, 4, entries[3].id)]))

    (gap,) = LogStore(tmp_path / "log.db").load().gaps[LOG]
    assert (gap.low, gap.high, gap.high_id) == (3, 4, entries[3].id)
    assert seqs(LogReader(tmp_path / "log.db")) == [1, 2, 3]


@pytest.mark.parametrize("seq", [1, 4, 9])
def test_a_changed_row_is_never_read_as_good(tmp_path: Path, seq: int) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 9)
    write(store, commit_of(entries))
    raw = bytearray(entries[seq - 1].raw)
    raw[len(raw) // 2] ^= 4
    store.connection.execute("UPDATE entries SET raw=? WHERE seq=?", (bytes(raw), seq))
    reader = LogReader(tmp_path / "log.db")
    good: list[bytes] = []
    with pytest.raises(DamagedError):
        while True:
            good += [one.raw for one in reader.read(LOG, len(good) + 1, 500)]
    upper: list[bytes] = []
    with pytest.raises(DamagedError):
        while True:
            upper = [one.raw for one in reader.below(LOG, 0, 9 - len(upper), 1 << 20)] + upper

    assert upper == [entry.raw for entry in entries[9 - len(upper) :]]
    assert seq <= 9 - len(upper) <= seq + 1
    assert good == [entry.raw for entry in entries[: len(good)]]
    assert seq - 2 <= len(good) < seq


def test_arrivals_of_what_was_dropped_are_forgotten_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshrelay.store.log.ARRIVALS_PIECE", 10)
    store = opened(tmp_path)
    entries = chain(KITA, 40)
    write(store, commit_of(entries))
    write(store, holes(entries, 0, 35, EVICTED))
    after: int | None = 0
    while after is not None:
        after = store.forget_arrivals(after)

    numbers = store.connection.execute("SELECT number FROM arrivals").fetchall()
    assert [number for (number,) in numbers] == list(range(36, 41))


def test_a_store_grows_no_further_than_its_limit(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.limit(200_000)
    with pytest.raises(StoreError, match="full"):
        write(store, commit_of(chain(KITA, 999)))

    assert (tmp_path / "log.db").stat().st_size <= 200_000

"""log.db: what was committed is there after any restart, and counts as the machine counts."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from meshrelay.core.accept import Acceptor
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import Entry
from meshrelay.core.events import Taken
from meshrelay.core.sync import restore_records, restore_vector
from meshrelay.core.vector import Cursor, Line, Vector
from meshrelay.core.verdict import EFFECTIVE, REFUSED, WAITING, Verdict
from meshrelay.errors import ConfigError, StoreError
from meshrelay.store.log import ADDRESSES_MAX, ENDED, HAVES_PER_SIGNER_MAX
from meshrelay.store.reader import LogReader
from meshrelay.store.seen import Mark, Reading
from meshrelay.store.sqlite import connect, transaction
from tests.unit.core.city import CHUO, HQ, KITA, NETWORK, RECORDS, book_of, chain, log_of, person
from tests.unit.store.disks import AT_MS, commit_of, opened, write

SATO = person("1001", KITA)
KITA_LOG = log_of(KITA)
MARK = Mark(Reading("boot-1", 90_000, AT_MS, 4), 7_000, 500)


def raws_of(reader: LogReader, first: int, bytes_max: int) -> list[bytes]:
    return [held.raw for held in reader.read(KITA_LOG, first, bytes_max)]


def machine_vector(commits: list[tuple[int, list[object], list[object]]]) -> Vector:
    """The vector that the machine makes of the same commits."""
    vector = Vector()
    acceptor = Acceptor(HQ, book_of(*RECORDS), vector, HybridClock())
    for _, entries, records in commits:
        acceptor.committed(entries)  # type: ignore[arg-type]
        for record in records:
            if record.lane is not None:  # type: ignore[attr-defined]
                vector.add_record(record.id)  # type: ignore[attr-defined]
    return vector


def test_store_and_machine_count_changes_alike(tmp_path: Path) -> None:
    kita, chuo = chain(KITA, 4), chain(CHUO, 2, 0)
    commits: list[tuple[int, list[object], list[object]]] = [
        (1, [], list(RECORDS)),
        (2, [kita[0], chuo[0], kita[1]], list(SATO.records)),
        (3, [kita[2]], []),
        (4, [chuo[1], kita[3]], []),
    ]
    store = opened(tmp_path)
    for _, entries, records in commits:
        write(store, commit_of(entries, records))  # type: ignore[arg-type]
    store.connection.close()

    again = opened(tmp_path)
    loaded = again.load()
    vector = restore_vector(loaded.lines, again.record_changes())
    expected = machine_vector(commits)

    assert vector.digest() == expected.digest()
    assert (vector.change, loaded.change) == (expected.change, expected.change)
    assert vector.after(0) == expected.after(0)
    assert {log: vector.height(log) for log in vector.lines} == {
        kita[0].log: 4, chuo[0].log: 2
    }  # fmt: skip


def test_records_come_back_in_an_order_that_needs_no_waiting(tmp_path: Path) -> None:
    store = opened(tmp_path)
    write(store, commit_of([], [*RECORDS, *SATO.records]))

    assert set(restore_records(store.records(), NETWORK).by_id) == {
        record.id for record in (*RECORDS, *SATO.records)
    }


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    entries = chain(KITA, 3)
    store = opened(tmp_path)
    write(store, commit_of(entries[:2]))
    store.connection.close()

    again = opened(tmp_path)
    assert again.change == 1
    write(again, commit_of(entries[2:]))
    reader = LogReader(tmp_path / "log.db")
    assert raws_of(reader, 1, 1 << 20) == [entry.raw for entry in entries]
    assert [stored.number for stored in reader.arrivals_after(0, 9)] == [1, 2, 3]
    assert again.load().head_hlc == {KITA_LOG: entries[2].hlc}


def test_a_commit_is_all_or_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first, second = chain(KITA, 2)
    write(store, commit_of([first]))

    with pytest.raises(StoreError), transaction(store.connection):
        store.write(commit_of([second]), 1, 1)
        store.connection.execute("INSERT INTO places VALUES (NULL, NULL, NULL)")
    assert raws_of(LogReader(tmp_path / "log.db"), 1, 9_999) == [first.raw]


def test_starts_are_counted(tmp_path: Path) -> None:
    assert [opened(tmp_path).count_start() for _ in range(3)] == [1, 2, 3]


def test_a_persons_word_on_the_clock_lapses_with_the_boot_until_it_is_saved_again(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path)

    assert store.is_vouched("boot 1", 100)
    assert store.is_vouched("boot 1", 100)
    assert not store.is_vouched("boot 2", 100)
    assert store.is_vouched("boot 2", 200)
    assert not store.is_vouched("boot 3", 200)


def test_a_reader_sees_what_is_committed_and_nothing_else(tmp_path: Path) -> None:
    store = opened(tmp_path)
    reader = LogReader(tmp_path / "log.db")
    first, second = chain(KITA, 2)
    write(store, commit_of([first]))
    with transaction(store.connection):
        store.write(commit_of([second]), AT_MS, 0)
        assert raws_of(reader, 1, 9_999) == [first.raw]

    assert raws_of(reader, 1, 9_999) == [first.raw, second.raw]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    opened(tmp_path)
    connection = connect(tmp_path / "log.db", durable=False, readonly=True)

    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("DELETE FROM entries")


def test_a_batch_holds_at_least_one_entry_and_else_the_bytes_asked_for(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 5)
    write(store, commit_of(entries))
    reader = LogReader(tmp_path / "log.db")
    size = len(entries[0].raw)

    assert len(reader.read(KITA_LOG, 1, 1)) == 1
    assert len(reader.read(KITA_LOG, 1, 2 * size + 1)) == 2
    assert raws_of(reader, 4, 1 << 20) == [entry.raw for entry in entries[3:]]
    assert reader.read(KITA_LOG, 6, 1 << 20) == []
    assert reader.read(log_of(HQ), 1, 1 << 20) == []


def test_one_entry_is_found_by_its_place(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 2)
    write(store, commit_of(entries))
    reader = LogReader(tmp_path / "log.db")

    assert reader.at(KITA_LOG, 2) == entries[1].raw
    assert reader.at(KITA_LOG, 3) is None
    assert reader.count() == 2


def test_a_verdict_that_changes_arrives_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    (entry,) = chain(KITA, 1)
    waiting = Verdict(WAITING, "session", SATO.session.id)
    write(store, commit_of([entry], verdict=waiting))
    reader = LogReader(tmp_path / "log.db")
    assert reader.missing() == [SATO.session.id]
    assert reader.waiting_for([SATO.session.id, b"x" * 32]) == [(1, entry.raw)]

    with transaction(store.connection):
        store.rejudged(1, EFFECTIVE, "", None, AT_MS + 5)
    assert reader.missing() == []
    arrivals = reader.arrivals_after(0, 9)
    assert [(a.number, a.state, a.at_ms) for a in arrivals] == [
        (1, EFFECTIVE, AT_MS), (2, EFFECTIVE, AT_MS + 5)
    ]  # fmt: skip
    assert reader.newest_arrival() == 2


def test_an_answer_is_kept_for_ever_and_given_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.keep_answer("1001", b"m" * 16, b"content", b"answer")
    reader = LogReader(tmp_path / "log.db")

    assert reader.answer("1001", b"m" * 16) == (b"content", b"answer")
    assert reader.answer("1002", b"m" * 16) is None
    with pytest.raises(apsw.ConstraintError):
        store.keep_answer("1001", b"m" * 16, b"other", b"answer")


def test_haves_cursors_incarnations_and_addresses_survive(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.keep_have(KITA.public, b"have 1")
    store.keep_have(CHUO.public, b"have 2")
    store.keep_cursor(KITA.public, Cursor(b"day one.", 4))
    store.keep_cursor(KITA.public, Cursor(b"day two.", 1))
    store.add_incarnation(b"day one.")
    write(store, commit_of(chain(KITA, 2)))
    store.add_incarnation(b"day two.")
    store.keep_mark(MARK)
    store.keep_address("192.0.2.1", 7401, KITA.public)
    store.keep_address("2001:db8::1", 7401, CHUO.public)
    store.keep_address("192.0.2.1", 7401, HQ.public)
    store.connection.close()

    loaded = opened(tmp_path).load()
    assert loaded.haves == [b"have 1", b"have 2"]
    assert loaded.cursors == {KITA.public: Cursor(b"day two.", 1)}
    assert loaded.incarnations == [(b"day one.", 0), (b"day two.", 1)]
    assert loaded.mark == MARK
    assert LogReader(tmp_path / "log.db").addresses() == [
        ("192.0.2.1", 7401), ("2001:db8::1", 7401)
    ]  # fmt: skip


def test_what_peers_say_is_kept_within_bounds(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with transaction(store.connection):
        for number in range(HAVES_PER_SIGNER_MAX + 5):
            store.keep_have(KITA.public, b"%d" % number)
        for number in range(ADDRESSES_MAX + 5):
            store.keep_address("192.0.2.1", number, KITA.public)

    assert len(store.load().haves) == HAVES_PER_SIGNER_MAX
    addresses = LogReader(tmp_path / "log.db").addresses()
    assert len(addresses) == ADDRESSES_MAX
    assert addresses[0] == ("192.0.2.1", ADDRESSES_MAX + 4)


def test_a_commit_is_full_and_the_log_is_written_ahead(tmp_path: Path) -> None:
    store = opened(tmp_path)

    assert store.connection.pragma("synchronous") == 2  # FULL
    assert store.connection.pragma("journal_mode") == "wal"


def test_another_file_or_version_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"not a database " * 500)
    with pytest.raises(ConfigError, match=r"log\.db: is not a database"):
        opened(tmp_path)

    other = tmp_path / "other"
    other.mkdir()
    opened(other).connection.pragma("user_version", 9)
    with pytest.raises(ConfigError, match=r"log\.db: has format 9, this program expects 3"):
        opened(other)
    with pytest.raises(ConfigError, match="cannot be opened"):
        opened(tmp_path / "nowhere")


# Ends


def cut_to(entries: list[Entry], height: int) -> Line:
    return Line(KITA_LOG, height, entries[height - 1].id if height else KITA_LOG.first_prev)


def orphan(entry: Entry, reason: str = "fork", age: int = 0) -> Taken:
    return Taken(entry, Verdict(REFUSED, reason), age)


def test_a_log_never_gives_back_what_an_end_took_out(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 4)
    write(store, commit_of(entries))
    reader = LogReader(tmp_path / "log.db")
    assert reader.above(KITA_LOG, 2) == [entry.raw for entry in entries[2:]]
    write(store, commit_of([], cuts=[cut_to(entries, 2)], orphans=[orphan(entries[3])]))

    assert raws_of(reader, 1, 1 << 20) == [entry.raw for entry in entries[:2]]
    assert reader.at(KITA_LOG, 3) is None
    assert reader.above(KITA_LOG, 2) == []
    assert reader.ids(KITA_LOG, [1, 2, 3, 4]) == [(1, entries[0].id), (2, entries[1].id)]
    again = opened(tmp_path).load()
    assert [line for line, _ in again.lines] == [Line(KITA_LOG, 2, entries[1].id)]
    assert again.head_hlc == {KITA_LOG: entries[1].hlc}


def test_what_an_end_took_out_arrives_once_more_for_the_folds(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 3)
    write(store, commit_of(entries))
    write(store, commit_of([], cuts=[cut_to(entries, 1)], orphans=[orphan(entries[2])]))

    arrivals = LogReader(tmp_path / "log.db").arrivals_after(3, 9)
    assert [(a.number, a.raw, a.state, a.reason, a.ended) for a in arrivals] == [
        (4, entries[1].raw, REFUSED, ENDED, True),
        (5, entries[2].raw, REFUSED, "fork", True),
    ]


def test_an_orphan_that_was_never_in_the_log_is_kept_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    ours, theirs = chain(KITA, 2), chain(KITA, 2, text="別")
    write(store, commit_of(ours))
    cuts = [cut_to(ours, 1)]
    both = [orphan(ours[1]), orphan(theirs[1], age=9)]
    write(store, commit_of([], cuts=cuts, orphans=both), seen_ms=5)
    write(store, commit_of([], orphans=[orphan(theirs[1])]))

    reader = LogReader(tmp_path / "log.db")
    assert [(a.raw, a.age, a.seen_ms) for a in reader.arrivals_after(2, 9)] == [
        (ours[1].raw, 0, 0), (theirs[1].raw, 9, 5)
    ]  # fmt: skip
    assert raws_of(reader, 1, 1 << 20) == [ours[0].raw]


def test_an_orphan_that_came_before_the_cut_of_its_log_is_kept_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 2)
    write(store, commit_of(entries))
    write(store, commit_of([], orphans=[orphan(entries[1], "revoked")]))
    cut, kept = [cut_to(entries, 1)], [orphan(entries[1], "revoked")]
    write(store, commit_of([], cuts=cut, orphans=kept))

    reader = LogReader(tmp_path / "log.db")
    assert [(a.raw, a.reason, bool(a.ended)) for a in reader.arrivals_after(2, 9)] == [
        (entries[1].raw, "revoked", True)
    ]
    assert reader.count() == 2


def test_a_cut_forgets_what_waited_there(tmp_path: Path) -> None:
    store = opened(tmp_path)
    write(store, commit_of(chain(KITA, 1), verdict=Verdict(WAITING, "session", SATO.session.id)))
    write(store, commit_of([], cuts=[cut_to([], 0)]))

    assert LogReader(tmp_path / "log.db").missing() == []


def test_a_log_cut_to_nothing_has_no_line_and_its_change_is_remembered(tmp_path: Path) -> None:
    store = opened(tmp_path)
    write(store, commit_of([*chain(KITA, 2), *chain(CHUO, 1)]))
    reader = LogReader(tmp_path / "log.db")
    assert len(raws_of(reader, 1, 1 << 20)) == 2
    write(store, commit_of([], cuts=[cut_to([], 0)]))
    assert store.change == 3
    store.connection.close()

    again = opened(tmp_path)
    loaded = again.load()
    assert [line.log for line, _ in loaded.lines] == [log_of(CHUO)]
    assert loaded.change == 3
    write(again, commit_of(chain(HQ, 1)))  # its row must not pass for the removed log's
    assert raws_of(reader, 1, 1 << 20) == []
    assert reader.count() == 4


def test_store_and_machine_count_cuts_alike(tmp_path: Path) -> None:
    store = opened(tmp_path)
    kita, chuo = chain(KITA, 3), chain(CHUO, 2, 0)
    vector = Vector()
    acceptor = Acceptor(HQ, book_of(*RECORDS), vector, HybridClock())
    acceptor.committed([*kita, *chuo])
    acceptor.cut_committed(cut_to(kita, 1))
    acceptor.cut_committed(Line(chuo[0].log, 0, chuo[0].log.first_prev))
    vector.add_record(RECORDS[0].id)
    write(store, commit_of([*kita, *chuo]))
    cuts = [cut_to(kita, 1), Line(chuo[0].log, 0, chuo[0].log.first_prev)]
    write(store, commit_of([], [RECORDS[0]], cuts=cuts))
    store.connection.close()

    again = opened(tmp_path)
    loaded = again.load()
    restored = restore_vector(loaded.lines, again.record_changes())
    assert (restored.digest(), loaded.change) == (vector.digest(), vector.change)
    assert restored.after(0) == vector.after(0)


def test_an_entry_keeps_the_age_it_came_with(tmp_path: Path) -> None:
    store = opened(tmp_path)
    entries = chain(KITA, 2)
    write(store, commit_of(entries[:1], age=7), seen_ms=1_000)
    write(store, commit_of(entries[1:], age=8), seen_ms=2_500)

    held = LogReader(tmp_path / "log.db").read(KITA_LOG, 1, 1 << 20)
    assert [(each.age, each.seen_ms) for each in held] == [(7, 1_000), (8, 2_500)]
    assert store.load().seen_ms == 2_500

"""The rows hold on the real store, and each of them can fail: a planted fault is found."""

from __future__ import annotations

import pytest

from meshrelay.core.entry import LogId
from meshrelay.core.events import HeldEntry
from meshrelay.errors import StoreError
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from meshrelay.store.writer import Work, Writer
from tests.disk import cuts, faults, flips, nodes
from tests.disk.__main__ import main
from tests.disk.kernel import MAP, TRUNCATE, UNLINK
from tests.disk.script import GROUPS, SCRIPTS, Script, script_of


def test_a_script_is_the_same_each_time_it_is_written() -> None:
    assert Script(1).stores == script_of(1).stores != script_of(2).stores


def test_every_group_leaves_a_store_of_its_own() -> None:
    for number in range(SCRIPTS):
        assert len(script_of(number).after) == GROUPS + 1


def test_no_power_cut_loses_what_was_reported() -> None:
    row = cuts.run(24, 0)

    assert row.held, row.faults
    assert row.cases == 24 and row.counts["cut while running"] > 12
    assert row.counts["groups reported"] > 24


def test_without_a_sync_of_each_commit_something_is_lost() -> None:
    row = cuts.run_normal(24, 0)

    assert row.held, row.faults
    assert row.counts["cuts with losses"] > 2


def test_two_processes_cut_as_one_does() -> None:
    assert cuts.run(6, 0, 2).counts == cuts.run(6, 0).counts


def test_a_store_that_never_syncs_is_found_torn() -> None:
    found = [fault for seed in range(6) for fault in cuts.world(seed, "OFF").faults]

    torn = ("holds what no commit left", "integrity_check", "cannot be read")
    assert any(word in fault for fault in found for word in torn)


def test_a_writer_that_answers_before_its_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = Writer._commit

    def hasty(self: Writer, works: list[Work]) -> None:
        for work in works:
            if work.done is not None:
                work.done()
        commit(self, [work._replace(done=None) for work in works])

    monkeypatch.setattr(Writer, "_commit", hasty)

    assert any("are gone" in fault for fault in cuts.run(24, 0).faults)


def test_a_full_disk_loses_nothing() -> None:
    row = faults.run_full(12, 0)

    assert row.held, row.faults
    assert row.counts["running, ended at once"] > 6


@pytest.mark.parametrize("what", [UNLINK, MAP])
def test_a_start_on_a_failing_disk_is_refused_or_sound(what: str) -> None:
    row = faults.run_failing(12, 0, what)

    assert row.held, row.faults
    assert row.counts["starting, ended at once"]


def test_a_writer_that_answers_a_failed_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = Writer._commit

    def careless(self: Writer, works: list[Work]) -> None:
        try:
            commit(self, works)
        except StoreError:
            for work in works:
                if work.done is not None:
                    work.done()

    monkeypatch.setattr(Writer, "_commit", careless)

    assert any("groups were answered" in fault for fault in faults.run_full(12, 0).faults)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own way of folding the log in: an error there is passed over."""
    load = LogStore.load

    def loading(self: LogStore) -> object:
        self.connection.wal_autocheckpoint(10)
        return load(self)

    monkeypatch.setattr(LogStore, "load", loading)


@pytest.mark.usefixtures("silent")
def test_a_store_that_passes_over_a_failed_call_is_found() -> None:
    assert any("went on" in fault for fault in faults.run_failing(12, 0, TRUNCATE).faults)


@pytest.mark.usefixtures("silent")
def test_a_store_that_passes_over_a_failed_sync_is_found() -> None:
    row = faults.run_syncs(24, 0)

    assert any("log.db from" in fault for fault in row.faults)
    assert row.counts["running, ended at once"] > 6


def test_a_node_on_a_full_disk_ends_by_itself_and_says_why() -> None:
    row = nodes.run(1, 0)

    assert row.held, row.faults
    assert row.counts["answered"]


def test_the_same_case_meets_the_same_call_however_many_there_are() -> None:
    places = [faults.spread(case, 100) for case in range(200)]

    assert set(places) == set(range(100))


def test_a_reader_that_forwards_whatever_it_reads_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(self: LogReader, log: LogId, first: int, bytes_max: int) -> list[HeldEntry]:
        rows = self._run(
            "SELECT seq, raw, age, seen_ms FROM entries WHERE seq>=? AND log="
            "(SELECT id FROM logs WHERE origin=? AND incarnation=? AND lane=?) ORDER BY seq",
            (first, *log),
        )
        return [HeldEntry(*row) for number, (seq, *row) in enumerate(rows, first) if seq == number]

    monkeypatch.setattr(LogReader, "read", lenient)
    row = flips.run(80, 0)

    assert any("forwarded" in fault for fault in row.faults)
    assert row.counts["without effect"]


def test_the_command_says_by_its_exit_code_whether_all_rows_held(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--only", "cuts", "--cuts", "3", "--seed", "5", "--json"]) == 0
    assert '"held": true' in capsys.readouterr().out
    monkeypatch.setattr(cuts, "NORMAL", "FULL")  # then nothing is lost
    assert main(["--only", "cuts-normal", "--cases", "3", "--json"]) == 1
    with pytest.raises(SystemExit) as left:
        main(["--only", "nonsense"])
    assert left.value.code == 2

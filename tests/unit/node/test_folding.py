"""Folding what was just committed gives the rows that reading it again gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.core.entry import Entry, read_author_part
from meshrelay.core.events import Commit, Taken
from meshrelay.core.vector import Line
from meshrelay.core.verdict import EFFECTIVE, NOT_THEIRS, REFUSED, WAITING, Verdict
from meshrelay.desk import receipts, talk
from meshrelay.node import folding
from meshrelay.node.folding import Folder
from meshrelay.store.log import LogStore
from meshrelay.store.sqlite import transaction
from meshrelay.store.views import Found, ViewReader, open_views
from tests.unit.core.city import KITA, RECORDS, book_of, log_of, person, said
from tests.unit.desk.rows import shown

SATO = person("1001", KITA)
BOOK = book_of(*RECORDS, *SATO.records)
LOG = log_of(KITA)


def written(seq: int, text: str = "") -> Entry:
    body = talk.encode_body(text or f"第{seq}報")
    return said(SATO, KITA, body, seq=seq, message=seq)


def good(entry: Entry) -> Taken:
    part = read_author_part(entry.author) if entry.author else None
    who = SATO.staff.content if entry.author else None
    return Taken(entry, Verdict(EFFECTIVE, "", None, part, who), 6)  # type: ignore[arg-type]


class Office:
    """A store with two folders: one is handed what is committed, one reads it again."""

    def __init__(self, directory: Path) -> None:
        self.store = LogStore(directory / "log.db")
        self.store.load()
        self.changed = [0, 0]
        self._paths = [directory / "handed.db", directory / "read.db"]
        self.handed, self.read = (
            Folder(
                open_views(path, [b"i"], 0, b"life"), directory / "log.db", BOOK, b"i",
                lambda: None,
            )
            for path in self._paths
        )  # fmt: skip

    def commit(self, commit: Commit, at_ms: int) -> None:
        with transaction(self.store.connection):
            first = self.store.write(commit, at_ms, at_ms)
            self.handed.take(first, commit.entries, at_ms, at_ms)

    def level(self) -> list[list[tuple[str, Found]]]:
        """Both read models when nothing is left to fold."""
        found = []
        for path, folder in zip(self._paths, (self.handed, self.read), strict=True):
            while folder.run():
                pass
            reader = ViewReader(path)
            rows = [
                (kind, row._replace(changed=0))
                for kind in (talk.NAME, receipts.NAME)
                for row in reader.changed_after(kind, 0, 9_999)
            ]
            found.append(sorted(rows, key=lambda pair: (pair[0], pair[1].key)))
            reader.close()
        return found


def commit_of(
    *taken: Taken, cuts: list[Line] | None = None, orphans: list[Taken] | None = None
) -> Commit:
    return Commit(1, list(taken), [], None, None, cuts or [], orphans or [])


def test_handed_and_read_give_equal_rows(tmp_path: Path) -> None:
    office = Office(tmp_path)
    entries = [written(seq) for seq in range(1, 7)]
    waiting = Taken(entries[2], Verdict(WAITING, "session", SATO.session.id), 6)
    nobody = Taken(entries[3], Verdict(REFUSED, min(NOT_THEIRS)), 6)
    office.commit(commit_of(good(entries[0]), good(entries[1])), 1)
    office.commit(commit_of(waiting, nobody), 2)
    with transaction(office.store.connection):
        office.store.rejudged(3, EFFECTIVE, "", None, 3)
    office.commit(commit_of(good(entries[4]), good(shown(("1001", LOG, 1)))), 4)
    handed, read = office.level()

    assert handed == read
    assert [kind for kind, _ in handed] == ["read", *["talk"] * 4]


def test_a_cut_shows_nothing_of_the_cut_place_as_effective(tmp_path: Path) -> None:
    office = Office(tmp_path)
    entries = [written(seq) for seq in range(1, 4)]
    reading = shown(("1001", LOG, 1))
    office.commit(commit_of(*map(good, entries), good(reading)), 1)
    office.level()
    fate = [Taken(each, Verdict(REFUSED, "fork"), 1) for each in entries[1:]]
    cuts = [
        Line(LOG, 1, entries[0].id), Line(reading.log, 0, reading.log.first_prev)
    ]  # fmt: skip
    office.commit(commit_of(cuts=cuts, orphans=fate), 2)
    handed, read = office.level()

    assert handed == read
    rows = [found.row for kind, found in handed]
    assert [talk.trouble(row) for row in rows] == [None, "fork", "fork"]
    assert [talk.same_places(row) for row in rows[1:]] == [[], []]


def test_more_than_is_kept_in_memory_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "FRESH_MAX", 3)
    monkeypatch.setattr(folding, "BATCH", 2)
    office = Office(tmp_path)
    for start in range(1, 13, 2):
        office.commit(commit_of(good(written(start)), good(written(start + 1))), start)
        if start == 5:
            office.handed.run()
    handed, read = office.level()

    assert handed == read
    assert len(handed) == 12


def test_receipts_for_a_long_log_are_told_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "BATCH", 3)
    office = Office(tmp_path)
    office.commit(commit_of(*(good(written(seq)) for seq in range(1, 9))), 1)
    office.level()
    reader = ViewReader(tmp_path / "handed.db")
    before = reader.changed()
    office.handed.covered([(LOG, 0, 8)])
    runs = 1
    while office.handed.run():
        runs += 1

    assert runs >= 3
    assert len(reader.changed_after("talk", before, 99)) == 8

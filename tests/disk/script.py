"""What a store is told, from its first entry to its last: groups of works, each one commit.

A script is played once on a sound disk. What the store and the views hold after each group is
known from then on, so that after any accident one comparison tells which commit is there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import apsw
import msgspec

from meshrelay.core.book import RecordBook
from meshrelay.core.entry import Draft, Entry, LogId, make_entry, read_entry
from meshrelay.core.events import Commit, Taken
from meshrelay.core.signing import Signer
from meshrelay.core.vector import Cursor, Line
from meshrelay.core.verdict import EFFECTIVE, REFUSED, WAITING, Verdict
from meshrelay.desk import note
from meshrelay.node.folding import Folder
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from meshrelay.store.seen import Mark, Reading
from meshrelay.store.sqlite import transaction
from meshrelay.store.views import open_views
from tests.unit.core.city import CHUO, HQ, KITA, LIFETIME_S, NETWORK, PT_MS, RECORDS, person

SCRIPTS = 6
GROUPS = 40
INCARNATION = b"day one."
# The files of a script are on a tmpfs: the platter is a model, and waiting proves nothing.
FAST = "/dev/shm"

SATO = person("1001", KITA)
Work = Callable[[LogStore, Folder], None]


class Told(NamedTuple):
    """What must be there once a group was answered."""

    entries: dict[tuple[LogId, int], bytes]  # in logs
    works: list[Work]


class Script:
    """The same number, the same script. `checkpoint_pages`: how often the log is folded in."""

    def __init__(self, number: int) -> None:
        self._rng = Random(f"script {number}")
        self._logs = [LogId(signer.public, INCARNATION, lane) for signer in (KITA, CHUO, HQ)
                      for lane in (0, 1)]  # fmt: skip
        self._signers: dict[bytes, Signer] = {each.public: each for each in (KITA, CHUO, HQ)}
        self._held: dict[tuple[LogId, int], bytes] = {}
        self.entries: dict[tuple[LogId, int], bytes] = {}  # that ever stood in a log
        self.answers: dict[bytes, tuple[bytes, bytes]] = {}  # message id -> content, answer
        self._lines: dict[LogId, Line] = {}
        self._ended: set[LogId] = set()
        self._waiting: list[int] = []
        self._messages = 0
        self.checkpoint_pages = self._rng.choice((10, 40, 150))
        self.groups = [self._group(number) for number in range(GROUPS)]
        self.stores: list[bytes] = []  # digests after so many groups
        self.views: list[bytes] = []
        self.shown: set[str] = set()  # every row that any of these views has
        with TemporaryDirectory(prefix="script-", dir=FAST) as directory:
            self._play(Path(directory))
        # Every group has entries of its own, so no two digests are equal.
        self.after = {digest: groups for groups, digest in enumerate(self.stores)}

    def _play(self, directory: Path) -> None:
        store = LogStore(directory / "log.db")
        store.load()
        folder = open_folder(directory)
        with contextlib.closing(folder), contextlib.closing(store.connection):
            store.connection.pragma("synchronous", "OFF")
            self._note(store, folder)
            for group in self.groups:
                with transaction(store.connection):
                    for work in group.works:
                        work(store, folder)
                self._note(store, folder)

    def _note(self, store: LogStore, folder: Folder) -> None:
        fold(folder)
        self.stores.append(store_digest(store.connection))
        rows = views_rows(Path(store.connection.db_filename("main")).parent)
        self.views.append(digest_of(rows))
        self.shown.update(rows)

    # Making works

    def _group(self, number: int) -> Told:
        works = [self._entries()]
        if number == 0:
            works.append(_take(Commit(0, [], [*RECORDS, *SATO.records], None, None)))
        if number == GROUPS * 2 // 3:
            works.append(self._end())
        makers = [self._entries, self._answered, self._beside]
        works += [self._rng.choice(makers)() for _ in range(self._rng.randint(0, 4))]
        if self._waiting and self._rng.random() < 0.5:
            works.append(_rejudge(self._waiting.pop()))
        return Told(dict(self._held), works)

    def _entry(self, log: LogId) -> Entry:
        self._messages += 1
        chars = self._rng.choice((5, 60, 200, 800, 3_000))
        words = note.Note(
            self._messages.to_bytes(16, "big"), "all", f"{self._messages} " + "水" * chars,
            "phone", "", "1001", 0,
        )  # fmt: skip
        line = self._lines.get(log, Line(log, 0, log.first_prev))
        draft = Draft(log.lane, note.NAME, LIFETIME_S, b"", note.encode_body(words))
        entry = make_entry(
            self._signers[log.origin], NETWORK, log, line.height + 1, line.head,
            (PT_MS + self._messages) << 16, 4, draft,
        )  # fmt: skip
        self._lines[log] = Line(log, entry.seq, entry.id)
        self._held[log, entry.seq] = self.entries[log, entry.seq] = entry.raw
        return entry

    def _some(self, most: int) -> list[Entry]:
        logs = [log for log in self._logs if log not in self._ended]
        return [self._entry(self._rng.choice(logs)) for _ in range(self._rng.randint(1, most))]

    def _entries(self) -> Work:
        verdict = Verdict(EFFECTIVE)
        if self._rng.random() < 0.1:
            verdict = Verdict(WAITING, "session", SATO.session.id)
            self._waiting.append(self._messages + 1)  # rows are numbered as they are made
        taken = [Taken(entry, verdict, 0) for entry in self._some(6)]
        return _take(Commit(0, taken, [], None, None))

    def _answered(self) -> Work:
        """An own entry with its answer, as Posting stores it."""
        (entry,) = self._some(1)
        store_it = _take(Commit(0, [Taken(entry, Verdict(EFFECTIVE), 0)], [], None, None))
        message = self._messages.to_bytes(16, "big")
        content, answer = self.answers[message] = (entry.prev, entry.id)

        def work(store: LogStore, folder: Folder) -> None:
            store_it(store, folder)
            store.keep_answer("1001", message, content, answer)

        return work

    def _beside(self) -> Work:
        """What is kept beside the entries."""
        number = self._rng.randrange(1_000)
        mark = Mark(Reading("boot", number, PT_MS, 4), number, 0)
        makers: list[Callable[[LogStore], None]] = [
            lambda store: store.keep_have(CHUO.public, number.to_bytes(400, "big")),
            lambda store: store.keep_cursor(CHUO.public, Cursor(INCARNATION, number)),
            lambda store: store.keep_mark(mark),
            lambda store: store.keep_address("192.0.2.1", number, CHUO.public),
        ]
        chosen = self._rng.choice(makers)
        return lambda store, folder: chosen(store)

    def _end(self) -> Work:
        """One log is taken back to half its height; the last entry of it becomes an orphan."""
        log = max(self._lines, key=lambda each: (self._lines[each].height, each))
        self._ended.add(log)
        top = self._lines[log].height
        height = top // 2
        orphan = read_entry(self._held[log, top])
        head = read_entry(self._held[log, height]).id
        for seq in range(height + 1, top + 1):
            del self._held[log, seq]
        cut = Line(log, height, head)
        return _take(
            Commit(0, [], [], None, None, [cut], [Taken(orphan, Verdict(REFUSED, "fork"), 0)])
        )


@cache
def script_of(number: int) -> Script:
    """One of `SCRIPTS`; made once a process."""
    return Script(number)


def _take(commit: Commit) -> Work:
    """As the driver writes a ticket."""

    def work(store: LogStore, folder: Folder) -> None:
        first = store.write(commit, PT_MS, 0)
        folder.take(first, commit.entries, PT_MS, 0)

    return work


def _rejudge(entry: int) -> Work:
    """The record for which it waited has come."""
    return lambda store, folder: store.rejudged(entry, EFFECTIVE, "", None, PT_MS)


def open_folder(directory: Path) -> Folder:
    """The views of a store, as the node opens them."""
    path = directory / "log.db"
    with contextlib.closing(LogReader(path)) as reader:
        views = open_views(directory / "views.db", [INCARNATION], reader.newest_arrival(), b"life")
    return Folder(views, path, RecordBook(NETWORK), INCARNATION, lambda: None)


def fold(folder: Folder) -> None:
    """Until nothing is left to fold, neither in memory nor, looked at after it, on disk."""
    while folder.run() or folder.run():
        pass


def store_digest(connection: apsw.Connection) -> bytes:
    """Everything that log.db says, whatever pages it stands on."""
    tables = "SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name"
    return digest_of(
        (table, row)
        for (table,) in connection.execute(tables).fetchall()
        for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2')
    )


def views_rows(directory: Path) -> list[str]:
    """Every row of views.db, whenever it was written."""
    connection = apsw.Connection(str(directory / "views.db"), flags=apsw.SQLITE_OPEN_READONLY)
    with contextlib.closing(connection):
        rows = connection.execute("SELECT kind, key, grp, sort, value FROM rows ORDER BY 1, 2")
        return [
            json.dumps([*places, msgspec.msgpack.decode(value)], sort_keys=True)
            for *places, value in rows
        ]


def digest_of(rows: Iterable[object]) -> bytes:
    """The same rows, the same digest."""
    digest = blake2b(digest_size=16)
    for row in rows:
        digest.update(repr(row).encode())
    return digest.digest()

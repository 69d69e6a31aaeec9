"""Bits that flip in log.db and its WAL while nobody looks.

Each case flips bits of a sound store and starts on it as the node does. What leaves the store
must be right, or an error says that it is not: what is forwarded (`LogReader.read`), what a
HAVE would claim (lines), what a page would show (views folded anew), what a message id is
answered. A store that reads as it was at an earlier commit is sound: a WAL ends where its
checksum does, and what is missing comes back from peers as after a restored card.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import apsw

from meshrelay.core.gaps import Gaps, lacks
from meshrelay.core.signing import hash32
from meshrelay.core.sync import restore_records
from meshrelay.core.vector import Line
from meshrelay.errors import DamagedError, MeshRelayError
from meshrelay.store.log import LogStore
from meshrelay.store.opening import open_store
from meshrelay.store.reader import LogReader
from meshrelay.store.salvage import ASIDE
from meshrelay.store.sqlite import PAGE_BYTES
from tests.disk.life import Life, copied
from tests.disk.repair import mended
from tests.disk.script import (
    FAST,
    SCRIPTS,
    Script,
    fold,
    open_folder,
    script_of,
    store_digest,
    views_rows,
)
from tests.forged.row import Row
from tests.unit.core.city import NETWORK

LOG, WAL = "log.db", "log.db-wal"
BITS_MAX = 3
# What a page of SQLite begins with: its kind, its counts, where its first cells are.
HEAD_BYTES = 32
# So many cases, one is also joined with a sound store.
MEND_EVERY = 10
READ_BYTES_MAX = 16 * 1024
# Of a row of a page: when its entry came, and its known age.
_TIMES = re.compile(r'"(arrived|age|seen_ms)": \d+')
# How damage is noticed: SQLite's words, our own, and values of another kind than was written.
NOTICED = (apsw.Error, MeshRelayError, ValueError, TypeError)


def run(cases: int, seed: int) -> Row:
    """A quarter in the WAL, the others all over the database and where it is most tender."""
    row = Row("bit flips", "I2: nothing corrupt leaves it", seed)
    for case in range(seed, seed + cases):
        script = script_of(case % SCRIPTS)
        with TemporaryDirectory(prefix="flips-", dir=FAST) as top:
            at = Path(top)
            name = flip(at, script, Random(f"flips {case}"))
            looked = Look(at, script)
        row.cases += 1
        row.counts += Counter({f"noticed: {word}": n for word, n in looked.noticed.items()})
        row.counts += Counter({f"WRONG: {word}": n for word, n in looked.wrong.items()})
        row.counts["without effect"] += not looked.noticed and not looked.wrong
        row.expect(not looked.wrong, f"case {case}, {name}: {', '.join(sorted(looked.wrong))}")
    row.counts["mended by a peer"] = 0
    for case in range(seed, seed + cases, MEND_EVERY):
        script = script_of(case % SCRIPTS)
        with TemporaryDirectory(prefix="flips-", dir=FAST) as top:
            damaged, sound = Path(top) / "damaged", Path(top) / "sound"
            damaged.mkdir()
            sound.mkdir()
            flip(damaged, script, Random(f"flips {case}"))
            for each, data in image(script).files.items():
                (sound / each).write_bytes(data)
            left = mended(damaged, sound, script.groups[-1].entries)
        row.counts["mended by a peer"] += not left
        row.expect(not left, f"case {case}: not mended: {left[:3]}")
    return row


class Image(NamedTuple):
    """A sound store: its files, and where in log.db there is something else than entries."""

    files: dict[str, bytes]
    small: list[int]


@cache
def image(script: Script) -> Image:
    """What a whole life leaves when its process is killed."""
    with TemporaryDirectory(prefix="image-", dir=FAST) as top:
        at = Path(top) / "store"
        at.mkdir()
        life = Life(at, script, 0, lambda: False)
        life.run()
        left = copied(at, Path(top) / "left")
        life.close()
        files = {name: (left / name).read_bytes() for name in (LOG, WAL)}
        with contextlib.closing(apsw.Connection(str(left / LOG))) as connection:
            places = "SELECT pgoffset FROM dbstat WHERE name <> 'entries' AND pgoffset < ?"
            small = [offset for (offset,) in connection.execute(places, (len(files[LOG]),))]
    return Image(files, small)


def flip(at: Path, script: Script, rng: Random) -> str:
    """Write the files with some bits turned; says where."""
    sound = image(script)
    where = rng.choice((WAL, LOG, "heads of pages", "small tables"))
    name = WAL if where == WAL else LOG
    content = bytearray(sound.files[name])
    for _ in range(rng.randint(1, BITS_MAX)):
        at_byte = rng.randrange(len(content))
        if where == "heads of pages":
            at_byte += rng.randrange(HEAD_BYTES) - at_byte % PAGE_BYTES
        elif where == "small tables":
            at_byte = rng.choice(sound.small) + rng.randrange(PAGE_BYTES)
        content[at_byte] ^= 1 << rng.randrange(8)
    for each, data in (sound.files | {name: content}).items():
        (at / each).write_bytes(data)
    return where


class Look:
    """One start on a store as a node does it, and a look at everything that leaves it.

    `noticed`: the words that damage was noticed with; `wrong`: what was wrong unnoticed.
    """

    def __init__(self, at: Path, script: Script) -> None:
        self.noticed: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self._at = at
        self._script = script
        self._true = set(script.entries.values())
        self._looking("at start", self._start)

    def _looking(self, word: str, looks: Callable[[], None]) -> None:
        try:
            looks()
        except NOTICED as error:
            self.noticed[f"{word}, {type(error).__name__}"] += 1

    def _start(self) -> None:
        store, loaded = open_store(self._at / LOG, NETWORK)
        with contextlib.closing(store.connection):
            restore_records(store.records(), NETWORK)
            if (self._at / f"{LOG}{ASIDE}").exists():
                self.noticed["salvaged"] += 1
            elif self._is_earlier(store):
                self.noticed["an earlier commit"] += 1
            with contextlib.closing(LogReader(self._at / LOG)) as reader:
                for line, _ in loaded.lines:
                    gaps = loaded.gaps.get(line.log, ())
                    self._looking("forwarding", partial(self._forward, reader, line, gaps))
                self._looking("answering", partial(self._answer, reader))
                self._looking("showing", self._show)

    def _is_earlier(self, store: LogStore) -> bool:
        """Whether its tables are those of an earlier commit; an index may be damaged even so."""
        try:
            groups = self._script.after.get(store_digest(store.connection))
        except NOTICED:
            return False  # no start reads everything; what it does read is looked at one by one
        return groups is not None and groups < len(self._script.groups)

    def _forward(self, reader: LogReader, line: Line, gaps: Gaps) -> None:
        """What a peer would get of one log, and whether it is what its line claims."""
        top = self._script.entries.get((line.log, line.height))
        if top is None or hash32(top) != line.head:
            self.wrong["claimed"] += 1
        at, held, damaged = 1, set[int](), 0
        while at <= line.height:
            try:
                found = reader.read(line.log, at, READ_BYTES_MAX)
            except DamagedError:
                damaged += 1
                found = []
            if not self._true.issuperset(each.raw for each in found):
                self.wrong["forwarded"] += 1
            held.update(range(at, at + len(found)))
            at = at + len(found) if found else reader.next_held(line.log, at)
        if damaged:
            self.noticed["forwarding, DamagedError"] += damaged
        silent = [seq for seq in range(1, line.height + 1) if seq not in held]
        if not damaged and not all(lacks(gaps, seq) for seq in silent):
            self.wrong["claimed"] += 1

    def _answer(self, reader: LogReader) -> None:
        answers = self._script.answers.items()
        if any(reader.answer("1001", each) not in (true, None) for each, true in answers):
            self.wrong["answered"] += 1

    def _show(self) -> None:
        with contextlib.closing(open_folder(self._at)) as folder:
            fold(folder)
        shown, rows = self._script.shown, set(views_rows(self._at))
        if self.noticed["salvaged"]:  # when it came is written anew, and said to be unsure
            shown, rows = ({_TIMES.sub("", row) for row in each} for each in (shown, rows))
        if not shown >= rows:
            self.wrong["shown"] += 1

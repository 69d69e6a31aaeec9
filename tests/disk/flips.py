"""Bits that flip in log.db and its WAL while nobody looks.

Each case flips bits of a sound store and starts on it as the node does. What leaves the store
must be right, or an error says that it is not: what is forwarded (`LogReader.read`), what a
HAVE would claim (lines), what a page would show (views folded anew), what a message id is
answered. A store that reads as it was at an earlier commit is sound: a WAL ends where its
checksum does, and what is missing comes back from peers as after a restored card.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import apsw

from meshrelay.core.signing import hash32
from meshrelay.core.sync import restore_records
from meshrelay.core.vector import Line
from meshrelay.errors import MeshRelayError
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from tests.disk.life import Life, copied
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
PAGE_BYTES, HEAD_BYTES = 4096, 32
READ_BYTES_MAX = 1 << 30
# How damage is noticed: SQLite's words and our own.
NOTICED = (apsw.Error, MeshRelayError)


class Looked(NamedTuple):
    """What came of one store: the words it was noticed with, and what was wrong unnoticed."""

    noticed: Counter[str]
    wrong: Counter[str]


def run(cases: int, seed: int) -> Row:
    """A quarter in the WAL, the others all over the database and where it is most tender."""
    row = Row("bit flips", "I2: nothing corrupt is forwarded, claimed, shown or answered", seed)
    for case in range(seed, seed + cases):
        script = script_of(case % SCRIPTS)
        with TemporaryDirectory(prefix="flips-", dir=FAST) as top:
            at = Path(top)
            name = _flip(at, script, Random(f"flips {case}"))
            looked = look(at, script)
        row.cases += 1
        row.counts += Counter({f"noticed: {word}": n for word, n in looked.noticed.items()})
        row.counts += Counter({f"WRONG: {word}": n for word, n in looked.wrong.items()})
        row.counts["without effect"] += not looked.noticed and not looked.wrong
        row.expect(not looked.wrong, f"case {case}, {name}: {', '.join(sorted(looked.wrong))}")
    return row


class Image(NamedTuple):
    """A sound store: its files, and where in log.db there is something else than entries."""

    files: dict[str, bytes]
    small: list[int]


@cache
def _image(script: Script) -> Image:
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


def _flip(at: Path, script: Script, rng: Random) -> str:
    """Write the files with some bits turned; says where."""
    image = _image(script)
    where = rng.choice((WAL, LOG, "heads of pages", "small tables"))
    name = WAL if where == WAL else LOG
    content = bytearray(image.files[name])
    for _ in range(rng.randint(1, BITS_MAX)):
        at_byte = rng.randrange(len(content))
        if where == "heads of pages":
            at_byte += rng.randrange(HEAD_BYTES) - at_byte % PAGE_BYTES
        elif where == "small tables":
            at_byte = rng.choice(image.small) + rng.randrange(PAGE_BYTES)
        content[at_byte] ^= 1 << rng.randrange(8)
    for each, data in (image.files | {name: content}).items():
        (at / each).write_bytes(data)
    return where


def look(at: Path, script: Script) -> Looked:
    """Start on this store as a node does, and look at everything that leaves it."""
    noticed, wrong = Counter[str](), Counter[str]()

    def looking(word: str, looks: Callable[[], None]) -> None:
        try:
            looks()
        except NOTICED as error:
            noticed[f"{word}, {type(error).__name__}"] += 1

    def start() -> None:
        store = LogStore(at / LOG)
        with contextlib.closing(store.connection):
            _start(store, at, script, looking, noticed, wrong)

    looking("at start", start)
    return Looked(+noticed, +wrong)  # without the zeros


def _start(
    store: LogStore, at: Path, script: Script,
    looking: Callable[[str, Callable[[], None]], None], noticed: Counter[str], wrong: Counter[str],
) -> None:  # fmt: skip
    loaded = store.load()
    restore_records(store.records(), NETWORK)
    groups = _groups(store, script)
    if groups is not None:
        noticed["an earlier commit"] += groups < len(script.groups)
        return
    reader = LogReader(at / LOG)
    with contextlib.closing(reader):
        for line, _ in loaded.lines:
            looking("forwarding", lambda line=line: _forward(reader, script, line, wrong))
        looking("answering", lambda: _answer(reader, script, wrong))
        looking("showing", lambda: _show(at, script, wrong))


def _groups(store: LogStore, script: Script) -> int | None:
    """The commit that this is, to the last byte."""
    try:
        return script.after.get(store_digest(store.connection))
    except apsw.Error:
        return None  # no start reads everything; what it does read is looked at one by one


def _forward(reader: LogReader, script: Script, line: Line, wrong: Counter[str]) -> None:
    """What a peer would get of one log, and whether it is what its line claims."""
    held = [each.raw for each in reader.read(line.log, 1, READ_BYTES_MAX)]
    wrong["forwarded"] += any(
        script.entries.get((line.log, seq)) != raw for seq, raw in enumerate(held, 1)
    )
    top = script.entries.get((line.log, line.height))
    true = top is not None and hash32(top) == line.head
    wrong["claimed"] += not true or len(held) != line.height


def _answer(reader: LogReader, script: Script, wrong: Counter[str]) -> None:
    for message, answer in script.answers.items():
        wrong["answered"] += reader.answer("1001", message) not in (answer, None)


def _show(at: Path, script: Script, wrong: Counter[str]) -> None:
    folder = open_folder(at)
    with contextlib.closing(folder):
        fold(folder)
    wrong["shown"] += not script.shown.issuperset(views_rows(at))

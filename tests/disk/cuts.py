"""Power cuts: whatever was not synced is lost, torn or reordered; nothing reported is missing.

A world is a store that is started, cut and started again on what the cut left, up to three
times, so that recovery is cut as well. After each cut a copy of what is left is opened on a
sound disk and judged.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import apsw

from meshrelay.core.entry import read_entry
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from tests.disk.life import FAILURES, Life, copied
from tests.disk.script import (
    FAST,
    GROUPS,
    SCRIPTS,
    Script,
    digest_of,
    fold,
    open_folder,
    script_of,
    store_digest,
    views_rows,
)
from tests.disk.vfs import CHANGING, CREATE, DELETE, SYNC, TRUNCATE, Disk, PowerCut
from tests.forged.row import Row

CUTS_PER_WORLD = 3
# Of ten cuts two come at a start, four anywhere, and four where there is little but danger.
RARE = frozenset({SYNC, TRUNCATE, CREATE, DELETE})
START_CALLS = 80
FULL, NORMAL = "", "NORMAL"
# Worlds that a process is given at a time.
CHUNK = 20
READ_BYTES_MAX = 1 << 30


class Judged(NamedTuple):
    """What a store turned out to be: the groups that it holds (None: no commit's state)."""

    groups: int | None
    faults: list[str]


class Outcome(NamedTuple):
    """What became of one world."""

    seed: int
    cuts: int
    counts: Counter[str]
    faults: list[str]


def run(cases: int, seed: int, jobs: int = 1) -> Row:
    """As the product opens its store: nothing that was reported is ever missing."""
    row = Row("power cuts", "I1 I2: nothing reported is lost", seed)
    for outcome in _worlds(cases, seed, FULL, jobs):
        _add(row, outcome)
        lost = outcome.counts["groups lost"]
        row.expect(not lost, f"seed {outcome.seed}: {lost} reported groups are gone")
    return row


def run_normal(cases: int, seed: int, jobs: int = 1) -> Row:
    """The same without a sync of each commit: the test must find what that loses."""
    row = Row("power cuts, NORMAL", "the same test finds losses", seed)
    for outcome in _worlds(cases, seed, NORMAL, jobs):
        _add(row, outcome)
    row.expect(row.counts["groups lost"] > 0, "nothing was lost: the disk keeps too much")
    return row


def _add(row: Row, outcome: Outcome) -> None:
    row.cases += outcome.cuts
    row.counts += outcome.counts
    row.faults += [f"seed {outcome.seed}: {fault}" for fault in outcome.faults]


def _worlds(cases: int, seed: int, synchronous: str, jobs: int) -> list[Outcome]:
    play = partial(world, synchronous=synchronous)
    seeds = range(seed, seed + -(-cases // CUTS_PER_WORLD))
    if jobs == 1:
        return [play(each) for each in seeds]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(play, seeds, chunksize=CHUNK if len(seeds) > jobs * CHUNK else 1))


def world(seed: int, synchronous: str = FULL) -> Outcome:
    """One store through its cuts."""
    rng = Random(f"cuts {seed}")
    script = script_of(seed % SCRIPTS)
    counts, faults = Counter[str](), list[str]()
    groups = 0
    with TemporaryDirectory(prefix="cuts-", dir=FAST) as top:
        at = Path(top) / "0"
        at.mkdir()
        for cut in range(1, CUTS_PER_WORLD + 1):
            after = Path(top) / str(cut)
            after.mkdir()
            answered = _live_and_cut(at, after, script, groups, rng, synchronous, counts)
            judged = judge(copied(after, Path(top) / f"{cut} judged"), script)
            counts["groups reported"] += answered - groups
            faults += [f"cut {cut}: {fault}" for fault in judged.faults]
            if judged.groups is None:
                break
            counts["groups lost"] += max(0, answered - judged.groups)
            counts["cuts with losses"] += judged.groups < answered
            groups, at = judged.groups, after
    return Outcome(seed, cut, counts, faults)


def _live_and_cut(
    at: Path, after: Path, script: Script, groups: int, rng: Random, synchronous: str,
    counts: Counter[str],
) -> int:  # fmt: skip
    """One life, and into `after` what is left of its disk; the groups that were answered."""
    trap = _trap(script, groups, rng)
    with Disk(at, trap) as disk:
        life = Life(at, script, groups, lambda: disk.off, synchronous)
        life.run()
        counts["cut while running" if disk.off else "cut at rest"] += 1
        counts["cut at start"] += any(each.startswith("start") for each in life.ended)
        disk.off = True
        disk.leave(after, rng)
        life.close()
    return life.answered


def _trap(script: Script, groups: int, rng: Random) -> PowerCut:
    where = rng.random()
    if where < 0.2:
        return PowerCut(rng.randint(1, START_CALLS))
    kinds = CHANGING if where < 0.6 else RARE
    whole = sum(calls_of_a_life(script)[kind] for kind in kinds)
    return PowerCut(rng.randint(1, max(1, whole * (GROUPS - groups) // GROUPS)), kinds)


@cache
def calls_of_a_life(script: Script) -> Counter[str]:
    """How often a whole script calls its disk, by kind."""
    with TemporaryDirectory(prefix="calls-", dir=FAST) as directory, Disk(Path(directory)) as disk:
        life = Life(Path(directory), script, 0, lambda: False)
        life.run()
        calls = disk.calls.copy()
        life.close()
    return calls


def judge(directory: Path, script: Script) -> Judged:
    """Open a store on a sound disk: which commit is there, and is all of it right?"""
    try:
        store = LogStore(directory / "log.db")
        with (
            contextlib.closing(store.connection),
            contextlib.closing(LogReader(directory / "log.db")) as reader,
        ):
            return _judge(store, reader, directory, script)
    except FAILURES as error:
        return Judged(None, [f"cannot be read: {type(error).__name__}: {error}"])


def _judge(store: LogStore, reader: LogReader, directory: Path, script: Script) -> Judged:
    faults = list[str]()
    word = store.connection.pragma("integrity_check")
    if word != "ok":
        return Judged(None, [f"integrity_check: {word}"])
    groups = script.after.get(store_digest(store.connection))
    if groups is None:
        return Judged(None, ["holds what no commit left"])
    expected = script.groups[groups - 1].entries if groups else {}
    found = {}
    for line, _ in store.load().lines:
        held = reader.read(line.log, 1, READ_BYTES_MAX)
        prev = line.log.first_prev
        for seq, each in enumerate(held, 1):
            entry = read_entry(each.raw)
            found[line.log, seq] = each.raw
            if (entry.log, entry.seq, entry.prev) != (line.log, seq, prev):
                faults.append(f"lane {line.log.lane} seq {seq} does not continue its log")
            prev = entry.id
        if (len(held), prev) != (line.height, line.head):
            faults.append(f"the line of lane {line.log.lane} is not that of its entries")
    if found != expected:
        faults.append("entries are not those of the script")
    faults += _judge_views(directory, script.views[groups])
    return Judged(groups, faults)


def _judge_views(directory: Path, expected: bytes) -> list[str]:
    """The views catch up, or are begun again; either way they show what the log holds."""
    try:
        folder = open_folder(directory)
        with contextlib.closing(folder):
            fold(folder)
        same = digest_of(views_rows(directory)) == expected
    except apsw.Error as error:
        return [f"views: {type(error).__name__}: {error}"]
    return [] if same else ["the views show something else"]

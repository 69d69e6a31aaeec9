"""A full disk and failing calls, at every call of a write path.

What must hold: nothing that was answered is missing, a failed commit answers nobody, an I/O
error or a failed sync ends the process before it answers anything more, and the next start,
with the fault gone, is clean and goes on. A full disk ends it too, but not while the log is
folded into the database: the log keeps all of it, and the next try may find space.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
from collections import Counter
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.disk import kernel
from tests.disk.cuts import judge
from tests.disk.kernel import MAP, READ, SIZE, TRUNCATE, UNLINK, WRITE, Fault, failing
from tests.disk.life import Life, copied
from tests.disk.script import FAST, GROUPS, SCRIPTS, Script, script_of
from tests.disk.vfs import SYNC, Disk
from tests.forged.row import Row

# With which errno each call fails when the disk does.
CODES = {READ: errno.EIO, WRITE: errno.EIO, TRUNCATE: errno.EIO, SIZE: errno.EIO,
         UNLINK: errno.EIO, MAP: errno.ENOMEM}  # fmt: skip
GOLDEN = (5**0.5 - 1) / 2


class Ended(NamedTuple):
    """How one life with a fault went. `at_hit`: groups answered when the fault first struck."""

    hits: list[str]
    started: bool  # when it struck
    at_hit: int
    answered: int
    works_answered: int
    ended: list[str]

    @property
    def word(self) -> str:
        """What it did, for the table."""
        where = "running" if self.started else "starting"
        if not self.ended:
            return f"{where}, went on"
        return f"{where}, ended {'at once' if self.answered == self.at_hit else 'late'}"


def run_full(cases: int, seed: int) -> Row:
    """ENOSPC at write n."""
    row = Row("disk full at write n", "I1 I8: starts clean", seed)
    for case in range(seed, seed + cases):
        _play(row, case, WRITE, errno.ENOSPC)
    return row


def run_failing(cases: int, seed: int, what: str) -> Row:
    """EIO at call n of one kind."""
    row = Row(f"EIO at {what} n", "I1: ends at once, starts clean", seed)
    for case in range(seed, seed + cases):
        _play(row, case, what, CODES[what])
    return row


def run_syncs(cases: int, seed: int) -> Row:
    """Failed sync n, and no sync of that file succeeds any more; each in a process of its own."""
    row = Row("EIO at sync n", "I1: ends at once, starts clean", seed)
    for case in range(seed, seed + cases):
        script = script_of(case % SCRIPTS)
        places = _syncs(script)
        name, group = places[spread(case, len(places))]
        with TemporaryDirectory(prefix="faults-", dir=FAST) as top:
            at = Path(top) / "store"
            at.mkdir()
            ended = _in_a_process(at, script, name, group)
            _expect(row, f"case {case}, {name} from group {group}", SYNC, errno.EIO, ended)
            _expect_sound(row, f"case {case}", at, script, ended.answered)
    return row


def spread(case: int, size: int) -> int:
    """A place below `size`: cases cover it evenly, however many there are (Weyl's sequence)."""
    return int(case * GOLDEN % 1 * size)


def _play(row: Row, case: int, what: str, code: int) -> None:
    """One life that meets a fault, and one after it."""
    script = script_of(case % SCRIPTS)
    number = 1 + spread(case, _calls(script)[what])
    fault = Fault(what, number, code, lasting=bool(case // SCRIPTS % 2))
    with TemporaryDirectory(prefix="faults-", dir=FAST) as top:
        at = Path(top) / "store"
        at.mkdir()
        life = Life(at, script, 0, lambda: False)
        struck: list[tuple[bool, int]] = []
        fault.first = lambda: struck.append((life.started, life.answered))
        with failing(at, fault):
            life.run()
        left = copied(at, Path(top) / "left")
        life.close()
        name = f"case {case}, {what} {number}"
        row.expect(bool(struck), f"{name}: the fault never struck")
        for started, at_hit in struck:
            ended = Ended(
                fault.hits, started, at_hit, life.answered, life.works_answered, life.ended
            )
            _expect(row, f"{name} ({fault.hits[0]})", what, code, ended)
        _expect_sound(row, name, left, script, life.answered)


def _expect(row: Row, name: str, what: str, code: int, ended: Ended) -> None:
    """What the process may do when a call fails."""
    row.cases += 1
    row.counts[ended.word] += 1
    row.expect(not ended.works_answered, f"{name}: half a commit was answered")
    gone_on = not ended.ended or ended.answered > ended.at_hit
    row.expect(
        not gone_on or _may_go_on(what, code, ended),
        f"{name}: {ended.word}, {ended.answered} answered",
    )


def _may_go_on(what: str, code: int, ended: Ended) -> bool:
    """What comes of it is judged all the same."""
    if not ended.started:  # SQLite looks around, which may fail; damaged views are begun again
        return True
    of_a_log = ended.hits[0].endswith("-wal")
    if code == errno.ENOSPC:  # a commit fails; folding the log in can be tried again
        return not of_a_log
    return what == SIZE and of_a_log  # asked only to shorten it


def _expect_sound(row: Row, name: str, at: Path, script: Script, answered: int) -> None:
    """The fault is gone: all that was answered is there, and the rest can follow."""
    judged = judge(copied(at, at.with_name("judged")), script)
    row.faults += [f"{name}: {fault}" for fault in judged.faults]
    if judged.groups is None:
        return
    row.expect(
        judged.groups in (answered, answered + 1),
        f"{name}: {answered} groups were answered, {judged.groups} are there",
    )
    after = copied(at, at.with_name("after"))
    life = Life(after, script, judged.groups, lambda: False)
    life.run()
    life.close()
    row.expect(not life.ended, f"{name}: the next start ended: {life.ended}")
    last = judge(after, script)
    row.expect(last.groups == GROUPS and not last.faults, f"{name}: did not go on: {last}")


@cache
def _calls(script: Script) -> Counter[str]:
    """How many calls of each kind a life makes."""
    fault = Fault("", 0, 0, lasting=False)
    with TemporaryDirectory(prefix="calls-", dir=FAST) as directory:
        life = Life(Path(directory), script, 0, lambda: False)
        with failing(Path(directory), fault):
            life.run()
        life.close()
    return fault.calls


@cache
def _syncs(script: Script) -> list[tuple[str, int]]:
    """(file, groups answered by then) of every sync from the open store to its last group."""
    places: list[tuple[str, int]] = []
    with TemporaryDirectory(prefix="calls-", dir=FAST) as directory:
        life = Life(Path(directory), script, 0, lambda: False)

        def note(disk: Disk, what: str, name: str) -> None:
            if what == SYNC and life.started and life.answered < GROUPS:
                places.append((name, life.answered))

        with Disk(Path(directory), note):
            life.run()
            life.close()
    return places


def _in_a_process(at: Path, script: Script, name: str, group: int) -> Ended:
    """A filter of system calls stays until the process ends, so it has one of its own."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(at, script, name, group, there))
    child.start()
    there.close()
    with contextlib.closing(here):
        ended = Ended(*here.recv())
    child.join()
    return ended


def _child(at: Path, script: Script, name: str, group: int, report: Connection) -> None:
    def queued() -> None:
        if life.answered == group:
            kernel.fail_syncs(at / name)

    life = Life(at, script, 0, lambda: False, queued=queued)
    life.run()
    report.send(([name], True, group, life.answered, life.works_answered, life.ended))
    report.close()
    os._exit(0)  # as a process ends: nothing is closed in order

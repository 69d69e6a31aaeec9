"""A sync fails, the process ends and starts again, and then the power goes.

After a failed fsync the kernel has forgotten that it has something to write, and yet shows it to
whoever reads. A store that goes on from what it reads would build on a log with a hole in it:
everything reported after that is gone with the power.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.disk.cuts import judge
from tests.disk.life import Life, copied
from tests.disk.script import FAST, SCRIPTS, Script, script_of
from tests.disk.vfs import SYNC, Disk, FailedSync, PowerCut
from tests.forged.row import Row

WAL = "log.db-wal"
# Far enough for some commits, too near for the log to be folded in every time.
CALLS_MAX = 200


def run(cases: int, seed: int) -> Row:
    """Nothing that was reported, before or after that start, is missing."""
    row = Row("failed sync, start, power cut", "I1: nothing reported is lost", seed)
    for case in range(seed, seed + cases):
        with TemporaryDirectory(prefix="dropped-", dir=FAST) as top:
            _play(row, case, Path(top))
    return row


def _play(row: Row, case: int, top: Path) -> None:
    rng, script = Random(f"dropped {case}"), script_of(case % SCRIPTS)
    at = top / "store"
    at.mkdir()
    with Disk(at, FailedSync(rng.randint(2, _syncs(script)), WAL)) as disk:
        life = Life(at, script, 0, lambda: False)
        life.run()
        seen, files = copied(at, top / "seen"), deepcopy(disk.files)
        life.close()
    row.expect(bool(life.ended), f"case {case}: a failed sync did not end it")
    first = judge(copied(seen, top / "first"), script)
    if first.groups is None:
        row.faults.append(f"case {case}: {first.faults}")
        return
    with Disk(seen, PowerCut(rng.randint(1, CALLS_MAX)), files) as disk:
        life = Life(seen, script, first.groups, lambda: disk.off)
        life.run()
        disk.off = True
        left = top / "left"
        left.mkdir()
        disk.leave(left, rng)
        life.close()
    last = judge(left, script)
    row.cases += 1
    row.counts["groups reported"] += life.answered
    if last.groups is None:
        row.faults.append(f"case {case}: {last.faults}")
        return
    lost = max(0, life.answered - last.groups)
    row.counts["groups lost"] += lost
    row.expect(not lost, f"case {case}: {lost} reported groups are gone")


@cache
def _syncs(script: Script) -> int:
    """How often a whole life syncs its log."""
    names: list[str] = []
    with TemporaryDirectory(prefix="calls-", dir=FAST) as directory:
        life = Life(Path(directory), script, 0, lambda: False)

        def note(disk: Disk, what: str, name: str) -> None:
            names.extend([name] * (what == SYNC))

        with Disk(Path(directory), note):
            life.run()
            count = names.count(WAL)
            life.close()
    return count

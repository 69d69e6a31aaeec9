"""kill -9 at any moment: what was answered is there, whole, in order and without a gap."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from meshrelay.core.entry import check_entry, read_entry
from meshrelay.store.reader import LogReader
from tests.unit.core.city import KITA, NETWORK, log_of
from tests.unit.store.disks import opened

TOP = Path(__file__).parents[3]
KILLS = 8


def killed_writer(directory: Path, commits: int) -> int:
    """Write until `commits` were answered, kill; returns the last height answered."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.unit.store.endless_writer", str(directory)],
        cwd=TOP,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        answered = 0
        for _ in range(commits):
            answered = int(child.stdout.readline())
        child.kill()
        for line in child.stdout:
            if line.endswith("\n"):
                answered = int(line)
        return answered


def test_what_was_answered_survives_every_kill(tmp_path: Path) -> None:
    log = log_of(KITA)
    for round_ in range(KILLS):
        answered = killed_writer(tmp_path, 1 + 7 * round_ % 11)

        store = opened(tmp_path)
        loaded = store.load()
        height = next(line.height for line, _ in loaded.lines if line.log == log)
        assert height >= answered
        reader = LogReader(tmp_path / "log.db")
        entries = [read_entry(held.raw) for held in reader.read(log, 1, 1 << 30)]
        assert [entry.seq for entry in entries] == list(range(1, height + 1))
        assert len(reader.arrivals_after(0, 1 << 20)) == height + 1
        for before, after in pairwise(entries):
            assert after.prev == before.id
        check_entry(entries[-1], NETWORK)
        assert store.connection.pragma("integrity_check") == "ok"
        reader.close()
        store.connection.close()

"""The real process, page and all, while its disk fails: what it answered is there afterwards.

One node lives through all cases: it starts on what the case before left, a clerk posts, the disk
fails, and the process has to end by itself, with its sentence, before it says yes once more.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from meshrelay.cli.main import REFUSED
from meshrelay.errors import RefusedError, StoreError, UnreadableError
from meshrelay.node.config import load
from meshrelay.web.client import NodeUnreachable, StaffClient, is_ready
from tests.disk.failing_node import FAULTS
from tests.disk.script import FAST
from tests.forged.row import Row
from tests.town import SATO, build_town, uuid7

TOP = Path(__file__).parents[2]
KITA = "01"
READY_S = 30.0
# From the fault to the end of the process.
ENDS_S = 10.0
POSTS_AFTER = 5


class Case:
    """One process from its start to its end. `said`: every text that was ever answered."""

    def __init__(self, row: Row, directory: Path, what: str, said: list[str]) -> None:
        self._row = row
        self._directory = directory
        self._what = what
        self._said = said
        host = load(directory / "node.toml").web.listen
        self._url = f"http://{host}"

    def play(self, name: str, posts: int) -> None:
        """Start, compare, post, fail, end."""
        with self._running() as process:
            try:
                answered = asyncio.run(self._talk(process, name, posts))
            except (NodeUnreachable, RefusedError) as error:
                process.kill()
                self._row.faults.append(f"{name}: {error}: {process.communicate()[1][-300:]}")
                return
            try:
                _, words = process.communicate(timeout=ENDS_S)
            except subprocess.TimeoutExpired:
                self._row.faults.append(f"{name}: goes on, {answered} answered after the fault")
                return
        if answered:
            self._row.counts[f"{self._what}: answered after the fault"] += answered
        self._row.expect(process.returncode == REFUSED, f"{name}: exit {process.returncode}")
        sentences = (StoreError.sentence(), UnreadableError.sentence())
        said = any(sentence in words for sentence in sentences)
        self._row.expect(said, f"{name}: says {words[-300:]}")

    async def _talk(self, process: subprocess.Popen[str], name: str, posts: int) -> int:
        """What the clerk does; how often the node said yes on the failing disk."""
        async with StaffClient(self._url, ENDS_S) as clerk:
            await clerk.log_in(SATO.staff_id, SATO.code, SATO.pin)
            shown = [message.body["text"] for message in await clerk.messages("all")]
            lost = [text for text in self._said if shown.count(text) != 1]
            self._row.expect(not lost, f"{name}: missing or doubled: {lost}")
            for number in range(posts):
                await self._post(clerk, f"{name}, {number}")
            process.send_signal(signal.SIGUSR1)
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            tries = [f"{name}, failing {number}" for number in range(POSTS_AFTER)]
            return sum([await self._post(clerk, text) for text in tries])

    async def _post(self, clerk: StaffClient, text: str) -> bool:
        try:
            await clerk.post(uuid7(), "all", text)
        except (NodeUnreachable, RefusedError):
            return False
        self._said.append(text)
        return True

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.disk.failing_node", str(self._directory), self._what],
            cwd=TOP,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline_s = time.monotonic() + READY_S
        try:
            while process.poll() is None and not asyncio.run(is_ready(self._url)):
                if time.monotonic() > deadline_s:
                    raise AssertionError("never ready")
                time.sleep(0.1)
            yield process
        finally:
            process.kill()
            process.communicate()


def run(cases: int, seed: int) -> Row:
    """A few of each fault, in turn."""
    row = Row("the process on a failing disk", "I1 I8: ends by itself", seed)
    said: list[str] = []
    with TemporaryDirectory(prefix="nodes-", dir=FAST) as top:
        town = build_town(Path(top), {KITA: ()})
        with town.witnesses:
            for case in range(seed, seed + cases):
                what = sorted(FAULTS)[case % len(FAULTS)]
                posts = Random(f"nodes {case}").randint(1, 4)
                lived = Case(row, Path(top) / KITA, what, said)
                lived.play(f"case {case}, {what}", posts)
                row.cases += 1
    row.counts["answered"] += len(said)
    return row

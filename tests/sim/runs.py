"""Many seeds on several processes, each with a PYTHONHASHSEED of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import NamedTuple, TypeVar

from tests.sim.plants import FAULTS, Plant
from tests.sim.worker import Outcome

T = TypeVar("T")
R = TypeVar("R")


class Crashed(RuntimeError):
    """A worker ended in the middle of a seed: its traceback is above."""


class Worker:
    """One child process."""

    def __init__(self, hash_seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sim.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        )

    def run(self, seed: int, fault: str = "") -> Outcome:
        """Live through one seed there. Raises Crashed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        line = ""
        if self._process.poll() is None:
            self._process.stdin.write(f"{seed} {fault}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise Crashed(f"seed {seed} {fault}")
        return Outcome(*json.loads(line))

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@contextmanager
def crew(jobs: int, hash_seeds: tuple[int, ...]) -> Iterator[SimpleQueue[tuple[Worker, ...]]]:
    """`jobs` groups of workers, one a hash seed, to be taken from a queue and put back."""
    with ExitStack() as stack:
        idle: SimpleQueue[tuple[Worker, ...]] = SimpleQueue()
        for _ in range(jobs):
            group = tuple(Worker(hash_seed) for hash_seed in hash_seeds)
            for worker in group:
                stack.callback(worker.close)
            idle.put(group)
        yield idle


Told = Callable[[Outcome], None]


def run_seeds(
    seeds: Iterable[int], jobs: int, both_hash_seeds: bool = False, told: Told = lambda _: None
) -> list[Outcome]:
    """Every seed once, or once under each hash seed: unequal traces are a finding.

    `told` is called from the threads as each seed ends.
    """
    hash_seeds = (0, 1) if both_hash_seeds else (0,)
    with crew(jobs, hash_seeds) as idle, ThreadPoolExecutor(jobs) as pool:

        def one(seed: int) -> Outcome:
            group = idle.get()
            try:
                first, *others = [worker.run(seed) for worker in group]
            finally:
                idle.put(group)
            if not first.found and any(first.trace != other.trace for other in others):
                first = first._replace(found="the trace depends on PYTHONHASHSEED")
            told(first)
            return first

        return _all(pool, one, seeds)


class Finding(NamedTuple):
    """Where a planted fault was found; `seed` is None if it was not."""

    fault: type[Plant]
    seed: int | None
    sentence: str


def find_faults(
    seeds: range, jobs: int, faults: Iterable[type[Plant]] = FAULTS,
    told: Callable[[Finding], None] = lambda _: None,
) -> list[Finding]:  # fmt: skip
    """The first seed that finds each planted fault."""
    with crew(jobs, (0,)) as idle, ThreadPoolExecutor(jobs) as pool:

        def search(fault: type[Plant]) -> Finding:
            group = idle.get()
            finding = Finding(fault, None, "not found")
            try:
                for seed in seeds:
                    found = group[0].run(seed, fault.__name__).found
                    if found:
                        finding = Finding(fault, seed, found)
                        break
            finally:
                idle.put(group)
            told(finding)
            return finding

        return _all(pool, search, faults)


def _all(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """In order; when one crashes, those not begun are dropped."""
    try:
        return list(pool.map(work, items))
    except Crashed:
        pool.shutdown(cancel_futures=True)
        raise

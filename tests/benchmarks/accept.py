"""V, and acceptance: verify two signatures, decode, chain, judge and commit, as a fraction of V.

V is measured with the cheapest call that PyNaCl has, in slices as long as a batch takes and
between the batches, so that other work on the machine slows both alike. Beside wall time
the same fraction is told by CPU time, which a busy machine disturbs least (it leaves out
the waits for the disk).
"""

from __future__ import annotations

import os
import statistics
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

from meshrelay.core.accept import Prepared, prepare
from meshrelay.core.events import Received, Tick
from meshrelay.core.verdict import EFFECTIVE
from meshrelay.node.identity import load_keys
from meshrelay.store.log import LogStore
from tests.benchmarks.figures import AT_LEAST, Figure, spread
from tests.benchmarks.receiving import Receiver, WholeNode
from tests.benchmarks.writing import fetch_pens, frames_of, town_directory
from tests.town import SATO, SUZUKI, build_town

ACCEPT_MIN = 0.35
# Against one thread in the same run; what is left for one core is machine, store and decoding.
TWO_THREADS_MIN = 1.4
THREADS = 2
# Batches that are being verified while the one before them is committed.
AHEAD = 4
# A frame holds 48 KiB; 50 entries of 100 characters are 31 KiB.
FRAME_ENTRIES = 50


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int = 7
    batches: int = 20  # in each round and way
    batch: int = 100
    slice: int = 250  # verifications between two batches


class Meter:
    """How much was done in how much time, by the wall and by the process's CPU clock."""

    def __init__(self) -> None:
        self.count = 0
        self.wall_s = self.cpu_s = 0.0

    @contextmanager
    def running(self, count: int) -> Iterator[None]:
        """Count the body of the `with` as `count` things done."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.wall_s += time.perf_counter() - wall_s
        self.cpu_s += time.process_time() - cpu_s
        self.count += count

    @property
    def per_s(self) -> float:
        return self.count / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        return self.count / self.cpu_s


class PooledReceiver(Receiver):
    """A receiver whose frames are prepared by a pool, as a node's are."""

    def take_ahead(self, batches: Sequence[Sequence[bytes]], pool: ThreadPoolExecutor) -> None:
        """All batches, each in one FULL commit, while the next ones are verified."""
        ahead: deque[list[tuple[bytes, Future[Prepared | None]]]] = deque()
        for batch in [*batches, *[()] * AHEAD]:
            network = self.book.network
            ahead.append(
                [(frame, pool.submit(prepare, frame, network, self.book)) for frame in batch]
            )
            if len(ahead) > AHEAD:
                for frame, prepared in ahead.popleft():
                    self._feed(Received(1, frame, prepared.result()))
                self._commit()
                self._feed(Tick())


class Verifier:
    """V: one core's PyNaCl verifications of a 300-byte message."""

    def __init__(self) -> None:
        public, secret = crypto_sign_seed_keypair(b"V" * 32)
        self._signed, self._public = crypto_sign(b"m" * 300, secret), public

    def verify(self, meter: Meter, count: int) -> None:
        signed, public = self._signed, self._public
        with meter.running(count):
            for _ in range(count):
                crypto_sign_open(signed, public)

    def gain(self, pool: ThreadPoolExecutor, count: int) -> float:
        """What two threads of this machine do more than one: nothing accepted can do better."""
        one, two = Meter(), Meter()
        self.verify(one, count)
        with two.running(THREADS * count):
            done = [pool.submit(self.verify, Meter(), count) for _ in range(THREADS)]
            for each in done:
                each.result()
        return two.per_s / one.per_s


def fsync_ms(directory: Path, count: int = 30) -> float:
    """Median of one appended page made durable: the floor under every FULL commit here."""
    times = []
    handle = os.open(directory / "fsync", os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(count):
            os.write(handle, b"p" * 4096)
            start = time.perf_counter()
            os.fsync(handle)
            times.append((time.perf_counter() - start) * 1000)
    finally:
        os.close(handle)
    return statistics.median(times)


async def measure(work: Path, size: Size | None = None) -> list[Figure]:
    """V; accept as a fraction of V; the same with folds; the same in the whole node."""
    size = size or Size()
    directory = town_directory(work, "accept")
    wards: dict[str, tuple[str, ...]] = {"01": (), "02": (), "03": ()}
    town = build_town(directory / "town", wards, clerks=(SATO, SUZUKI))
    pens, records = fetch_pens(town, [("01", [SATO]), ("03", [SUZUKI])])
    keys = load_keys(town.directory / "02")
    frames = frames_of(pens, size.batch, size.batches * size.rounds, FRAME_ENTRIES)
    peer = pens[0].node.public
    places = {name: town_directory(directory, name) for name in ("bare", "fold", "two", "node")}
    who = (keys.signer, records, peer, keys.network)
    bare, fold = (Receiver(places[name], *who, name == "fold") for name in ("bare", "fold"))
    two = PooledReceiver(places["two"], *who, False)
    node = WholeNode(places["node"], *who)
    await node.start()
    ways = {name: Way() for name in places}
    verifier, entries = Verifier(), size.batch * size.batches
    bare_gains: list[float] = []
    pool = ThreadPoolExecutor(THREADS, "verify")
    try:
        for turn in range(size.rounds):
            part = frames[turn * size.batches : (turn + 1) * size.batches]
            for name, receiver in (("bare", bare), ("fold", fold)):
                speed, rate = Meter(), Meter()
                for batch in part:
                    verifier.verify(speed, size.slice)
                    with rate.running(size.batch):
                        receiver.take(batch)
                ways[name].note(speed, rate)
            speed, rate = Meter(), Meter()
            verifier.verify(speed, size.slice * size.batches // 2)
            with rate.running(entries):
                two.take_ahead(part, pool)
            verifier.verify(speed, size.slice * size.batches // 2)
            ways["two"].note(speed, rate)
            bare_gains.append(verifier.gain(pool, size.slice * size.batches // 2))
            speed, rate = Meter(), Meter()
            verifier.verify(speed, size.slice * size.batches // 2)
            with rate.running(entries):
                await node.take([frame for batch in part for frame in batch])
            verifier.verify(speed, size.slice * size.batches // 2)
            ways["node"].note(speed, rate)
        held = entries * size.rounds
        for store in (bare.store, fold.store, two.store, node.store):
            _check(store, held)
        refused = bare.refused + fold.refused + two.refused + list(node.driver.refused)
        if refused:
            raise AssertionError(f"refused: {refused[:3]}")
    finally:
        pool.shutdown()
        for each in (bare, fold, two):
            each.close()
        node.close()
    return _figures(ways, bare_gains, fsync_ms(directory), held)


class Way:
    """One way of accepting: its fraction of V in each round."""

    def __init__(self) -> None:
        self.speeds: list[float] = []
        self.rates: list[float] = []
        self.by_wall: list[float] = []
        self.by_cpu: list[float] = []

    def note(self, speed: Meter, rate: Meter) -> None:
        self.speeds.append(speed.per_s)
        self.rates.append(rate.per_s)
        self.by_wall.append(rate.per_s / speed.per_s)
        self.by_cpu.append(rate.per_cpu_s / speed.per_cpu_s)

    def figures(self, name: str, limit: float | None, held: int) -> Iterator[Figure]:
        detail = {
            "entries": held,
            "entries_per_s": spread(self.rates),
            "v_per_s": spread(self.speeds),
            "by_wall": spread(self.by_wall),
            "by_cpu": spread(self.by_cpu),
        }
        yield Figure(name, statistics.median(self.by_wall), "V", AT_LEAST, limit, detail)
        yield Figure("  the same by CPU time", statistics.median(self.by_cpu), "V", AT_LEAST)


def _figures(
    ways: dict[str, Way], bare_gains: list[float], fsync: float, held: int
) -> list[Figure]:
    speeds = [*ways["bare"].speeds, *ways["fold"].speeds]
    return [
        Figure("V: one-core PyNaCl verifications", statistics.median(speeds), "/s", AT_LEAST, None,
               spread(speeds)),
        Figure("one fsync of this disk", fsync, "ms"),
        *ways["bare"].figures("accept: 2 signatures, chain, FULL, by 100", ACCEPT_MIN, held),
        _gain(ways["two"], ways["bare"]),
        Figure("    bare verifications, the same", statistics.median(bare_gains), "x",
               detail=spread(bare_gains)),
        *ways["fold"].figures("accept, then fold into views.db", None, held),
        *ways["node"].figures("accept in the whole node, folds beside", None, held),
    ]  # fmt: skip


def _gain(two: Way, one: Way) -> Figure:
    """Two threads against one, round by round; both as fractions of V, so that load cancels."""
    gains = [pair[0] / pair[1] for pair in zip(two.by_wall, one.by_wall, strict=True)]
    detail = {"gain": spread(gains), "entries_per_s": spread(two.rates), "threads": THREADS}
    return Figure("  verified on two threads ÷ one", statistics.median(gains), "x", AT_LEAST,
                  TWO_THREADS_MIN, detail)  # fmt: skip


def _check(store: LogStore, held: int) -> None:
    """Nothing counts that was not stored with the verdict `effective`."""
    query = "SELECT count(*) FROM entries WHERE state=?"
    found = store.connection.execute(query, (EFFECTIVE,)).get
    if found != held:
        raise AssertionError(f"{found} of {held} entries are held and effective")

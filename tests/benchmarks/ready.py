"""Start with a full store: process start → /readyz 200 with 100,000 entries in log.db."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from meshrelay.core.clock import HybridClock
from meshrelay.core.events import Commit
from meshrelay.core.records import Record
from meshrelay.core.verdict import EFFECTIVE, Verdict
from meshrelay.store.log import LogStore
from meshrelay.store.sqlite import transaction
from meshrelay.web.client import fetch_status
from tests.benchmarks.figures import Figure, spread
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import Pen, fetch_pens, town_directory
from tests.town import MAYOR, SATO, SUZUKI, TANAKA, build_town

READY_S_MAX = 3.0
REBUILD_S_MAX = 600.0
BATCH = 500
STARTED_MS = 1_780_000_000_000


def fill(path: Path, pens: Sequence[Pen], records: Sequence[Record], entries: int) -> None:
    """Write a store that holds `entries` entries of all pens, in turn."""
    store = LogStore(path)
    store.load()
    store.add_incarnation(pens[0].log.incarnation)
    clock, good = HybridClock(), Verdict(EFFECTIVE)
    try:
        with transaction(store.connection):
            store.write(Commit(1, [], list(records), None, None), STARTED_MS)
        for start in range(0, entries, BATCH):
            pen = pens[start // BATCH % len(pens)]
            written = pen.write(min(BATCH, entries - start), clock, STARTED_MS + start)
            commit = Commit(1, [(entry, good) for entry in written], [], None, None)
            with transaction(store.connection):
                store.write(commit, STARTED_MS + start)
    finally:
        store.connection.close()


async def measure(work: Path, entries: int = 100_000, starts: int = 3) -> list[Figure]:
    """Starts with views.db to rebuild, the rebuild, and starts with it kept."""
    town = build_town(
        town_directory(work, "ready") / "town", {"01": (), "00": (), "02": (), "03": ()}
    )
    pens, records = fetch_pens(town, [("01", SATO), ("00", MAYOR), ("02", TANAKA), ("03", SUZUKI)])
    directory = town.directory / "01"
    fill(directory / "log.db", pens, records, entries)
    rebuilding: list[float] = []
    kept: list[float] = []
    async with Wards(town) as wards:
        url = wards.urls["01"]
        for turn in range(starts):
            for views in directory.glob("views.db*"):
                views.unlink()
            rebuilding.append(await wards.start("01"))
            if (await fetch_status(url)).entries != entries:
                raise AssertionError("the store was not read")
            if turn < starts - 1:
                await wards.stop("01")
        rebuild_s = rebuilding[-1] + await _rebuilt(url, entries)
        rebuilt_mb = wards.resident_mb("01")
        await wards.stop("01")
        for _ in range(starts):
            kept.append(await wards.start("01"))
            await wards.stop("01")
        await wards.start("01")
        started_mb = wards.resident_mb("01")
    many = f"{entries:,} entries"
    return [
        Figure(f"ready with {many}", statistics.median(kept), "s", limit=READY_S_MAX,
               detail=spread(kept)),
        Figure(f"ready with {many}, views.db lost", statistics.median(rebuilding), "s",
               limit=READY_S_MAX, detail=spread(rebuilding)),
        Figure(f"views.db rebuilt from {many}", rebuild_s, "s"),
        Figure(f"VmRSS just started with {many}", started_mb, "MB"),
        Figure("VmRSS after that rebuild", rebuilt_mb, "MB"),
    ]  # fmt: skip


async def _rebuilt(url: str, entries: int) -> float:
    """Seconds until the views show every message."""
    began_s = time.perf_counter()
    async with asyncio.timeout(REBUILD_S_MAX):
        while True:
            if (await fetch_status(url)).messages >= entries:
                return time.perf_counter() - began_s
            await asyncio.sleep(0.5)

"""Start with a full store: process start → /readyz 200 with 100,000 entries in log.db."""

from __future__ import annotations

import statistics
from pathlib import Path

from meshrelay.web.client import fetch_status
from tests.benchmarks.figures import Figure, spread
from tests.benchmarks.filling import fill, rebuilt
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import fetch_pens, town_directory
from tests.town import MAYOR, SATO, SUZUKI, TANAKA, build_town

READY_S_MAX = 3.0


async def measure(work: Path, entries: int = 100_000, starts: int = 3) -> list[Figure]:
    """Starts with views.db to rebuild, the rebuild, and starts with it kept."""
    town = build_town(
        town_directory(work, "ready") / "town", {"01": (), "00": (), "02": (), "03": ()}
    )
    pens, records = fetch_pens(
        town, [("01", [SATO]), ("00", [MAYOR]), ("02", [TANAKA]), ("03", [SUZUKI])]
    )
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
        rebuild_s = rebuilding[-1] + await rebuilt(url, entries)
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

"""Memory of nodes at rest: the demo's town (lan, broker, cables) without its story."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

from meshrelay.cli.demo.build import plan_for_demo
from meshrelay.cli.demo.layout import PLACES, free_ports
from meshrelay.cli.demo.town import Town
from meshrelay.web.client import StaffClient
from tests.benchmarks.figures import Figure
from tests.benchmarks.wards import resident_mb

RESIDENT_MB_MAX = 80.0
PORT_BASE = 24_700


async def measure(_work: Path, rest_s: float = 60.0) -> list[Figure]:
    """Median VmRSS of the three wards after `rest_s`, and again after a log-in at each."""
    ports, _ = free_ports(PORT_BASE)
    wards = [place for place in PLACES if place.ward != "00"]
    async with Town(ports, plan_for_demo("benchmark")) as town:
        await asyncio.sleep(rest_s)
        rest = {place.key: _resident(town, place.key) for place in PLACES}
        for place in wards:
            person = next(person for person in town.people if person.ward == place.ward)
            async with StaffClient(town.url(place)) as page:
                await page.log_in(person.staff_id, person.card, person.pin)
                await page.rooms()
        used = [_resident(town, place.key) for place in wards]
    detail = {name: round(value, 1) for name, value in rest.items()}
    idle = [rest[place.key] for place in wards]
    return [
        Figure(f"idle node, VmRSS after {rest_s:.0f} s, median of {len(idle)}",
               statistics.median(idle), "MB", limit=RESIDENT_MB_MAX, detail=detail),
        Figure("  the same after one log-in", statistics.median(used), "MB"),
    ]  # fmt: skip


def _resident(town: Town, key: str) -> float:
    pid = town.children[key].pid
    if pid is None:
        raise AssertionError(f"{key} ended: {town.children[key].last_words()}")
    return resident_mb(pid)

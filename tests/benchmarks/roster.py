"""A city's whole staff: import, card sheets, a fresh node that hears of all, a rush of log-ins."""

from __future__ import annotations

import asyncio
import csv
import io
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshrelay.web.client import StaffClient, fetch_status
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import town_directory
from tests.town import Town, build_town

STAFF = 30_000
IMPORT_S_MAX = 300.0
SPREAD_S_MAX = 60.0
RESIDENT_MB_MAX = 120.0
LOG_INS, LOG_INS_S = 60, 60.0
WARDS = ("01", "02", "03")
PIN = "864213"
POLL_S = 0.25


@dataclass(frozen=True)
class Card:
    """What a new member of staff holds."""

    staff_id: str
    code: str


def roster_csv(count: int) -> str:
    """The personnel system's list."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["staff_id", "name", "kana", "ward", "unit", "roles"])
    for number in range(1, count + 1):
        name, kana = f"職員 {number:05}", f"しょくいん {number:05}"
        ward = WARDS[number % len(WARDS)]
        rows.writerow([f"{number:06}", name, kana, ward, f"第{number % 40}班", ""])
    return out.getvalue()


async def command(*words: str) -> float:
    """Run `meshrelay WORDS`; seconds."""
    began_s = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "meshrelay", *words,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    if process.returncode:
        raise AssertionError(f"meshrelay {' '.join(words)}: {said.decode()[-500:]}")
    return time.perf_counter() - began_s


async def cards_of(network: Path, ward: str, out: Path, count: int) -> Sequence[Card]:
    """The first cards of a ward, from the table for a label printer."""
    await command("staff", "cards", str(network), "--ward", ward, "-o", str(out))
    rows = list(csv.reader(io.StringIO(out.read_text("utf-8-sig"))))[1:]
    return [Card(row[0], row[5]) for row in rows[:count]]


async def rush(wards: Wards, ward: str, cards: Sequence[Card]) -> tuple[float, list[float]]:
    """Everybody uses a new card within a minute: greatest VmRSS, seconds of each log-in."""
    took_s: list[float] = []

    async def one(number: int, card: Card) -> None:
        await asyncio.sleep(number * LOG_INS_S / len(cards))
        began_s = time.perf_counter()
        async with StaffClient(wards.urls[ward]) as page:
            await page.log_in(card.staff_id, card.code, PIN, PIN)
            took_s.append(time.perf_counter() - began_s)
            await page.rooms()

    most_mb = 0.0
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number, card)) for number, card in enumerate(cards)]
        while not all(task.done() for task in tasks):
            most_mb = max(most_mb, wards.resident_mb(ward))
            await asyncio.sleep(POLL_S)
    return most_mb, took_s


async def spread_to(wards: Wards, ward: str, records: int) -> float:
    """Seconds from `/readyz` of a fresh node until it holds so many records."""
    await wards.start(ward)
    began_s = time.perf_counter()
    while (await fetch_status(wards.urls[ward])).records < records:
        if time.perf_counter() - began_s > 10 * SPREAD_S_MAX:
            raise AssertionError(f"{ward} does not hear of everybody")
        await asyncio.sleep(POLL_S)
    return time.perf_counter() - began_s


async def _issue(directory: Path, town: Town, staff: int) -> tuple[float, float, Sequence[Card]]:
    """Import and print; the new records are given to HQ's node. Seconds of both, some cards."""
    network = town.directory / "network"
    (directory / "staff.csv").write_text(roster_csv(staff), "utf-8")
    records = directory / "records.cbor"
    import_s = await command(
        "staff", "import", str(network), str(directory / "staff.csv"), "--yes", "-o", str(records)
    )
    address = ("--address", "192.0.2.10:8101")
    sheets_s = await command(
        "staff", "cards", str(network), *address, "-o", str(directory / "cards")
    )
    await command("records", "import", str(town.directory / "00"), str(records))
    cards = await cards_of(network, "01", directory / "kita.csv", LOG_INS)
    return import_s, sheets_s, cards


async def measure(work: Path, staff: int = STAFF) -> list[Figure]:
    """Three wards' people; HQ and 北区 on one LAN, 北区 fresh."""
    directory = town_directory(work, "roster")
    town = build_town(directory / "town", {"00": (), "01": ("00",)}, clerks=())
    import_s, sheets_s, cards = await _issue(directory, town, staff)
    async with Wards(town) as wards:
        ready_s = await wards.start("00")
        spread_s = await spread_to(wards, "01", staff)
        held_mb, given_mb = wards.resident_mb("01"), wards.resident_mb("00")
        rush_mb, took_s = await rush(wards, "01", cards)
    many = f"{staff:,} staff"
    detail = {"median_s": percentile(took_s, 50), "p99_s": percentile(took_s, 99)}
    return [
        Figure(f"{many}: import", import_s, "s", limit=IMPORT_S_MAX,
               detail={"rows_per_s": staff / import_s}),
        Figure("  rows a second", staff / import_s, "/s"),
        Figure("  card sheets with QR codes", sheets_s, "s", limit=IMPORT_S_MAX),
        Figure("    cards a second", staff / sheets_s, "/s"),
        Figure("  HQ's first start with them", ready_s, "s"),
        Figure("    its VmRSS then", given_mb, "MB", limit=RESIDENT_MB_MAX),
        Figure("  roster on a fresh node over LAN", spread_s, "s", limit=SPREAD_S_MAX),
        Figure("  its VmRSS then", held_mb, "MB", limit=RESIDENT_MB_MAX),
        Figure(f"  its VmRSS while {len(cards)} log in within a minute", rush_mb, "MB",
               limit=RESIDENT_MB_MAX, detail=detail),
        Figure("    slowest of these log-ins", max(took_s), "s"),
    ]  # fmt: skip

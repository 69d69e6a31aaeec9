"""What a store writes to the card, and a store of a million entries.

Bytes written are those that the process gives the kernel (`wchar` of proc(5)), WAL and
checkpoints included: 96 logs of 24 wards, entries of about 500 B, ten a commit.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
import time
from pathlib import Path
from random import Random

from meshrelay.core.entry import LANES, Draft, LogId, make_entry
from meshrelay.core.events import Commit, Taken
from meshrelay.core.signing import Signer
from meshrelay.core.verdict import EFFECTIVE, Verdict
from meshrelay.store.log import LogStore
from meshrelay.store.sqlite import transaction
from meshrelay.web.client import StaffClient
from tests.benchmarks.figures import Figure
from tests.benchmarks.filling import fill, prove, rebuilt
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import AGE, fetch_pens, town_directory
from tests.town import SATO, build_town

WARDS, PER_COMMIT, ENTRIES, BODY_BYTES = 24, 10, 20_000, 330
MILLION = 1_000_000
WRITTEN_BYTES_MAX, READY_S_MAX, RESIDENT_MB_MAX, PAGE_MS_MAX = 4_000, 5.0, 150.0, 200.0
PAGES = 9


async def measure(work: Path, entries: int = ENTRIES) -> list[Figure]:
    """Bytes written for each entry, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.wear", str(work / "wear.db"), str(entries)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    written, size = map(float, out.split())
    return [
        Figure(
            "written to log.db for an entry, 10 a commit over 96 logs", written, "B",
            limit=WRITTEN_BYTES_MAX, detail={"bytes of an entry": size},
        )
    ]  # fmt: skip


def write(path: Path, count: int) -> tuple[float, float]:
    """(bytes written an entry, bytes of an entry) for `count` entries in a new store."""
    signers = [Signer(bytes([number]) * 32) for number in range(1, WARDS + 1)]
    keys = {signer.public: signer for signer in signers}
    logs = [LogId(key, b"wear run", lane) for key in keys for lane in LANES]
    heads = {log: (0, log.first_prev) for log in logs}
    dice, made = Random(1), []
    for number in range(count):
        log = dice.choice(logs)
        height, head = heads[log]
        draft = Draft(log.lane, "note", 60, b"", secrets.token_bytes(BODY_BYTES))
        entry = make_entry(
            keys[log.origin], bytes(16), log, height + 1, head, number << 16, 4, draft
        )
        heads[log] = (height + 1, entry.id)
        made.append(Taken(entry, Verdict(EFFECTIVE), AGE))
    store = LogStore(path)
    store.load()
    before = _written()
    for start in range(0, count, PER_COMMIT):
        with transaction(store.connection):
            store.write(Commit(1, made[start : start + PER_COMMIT], [], None, None), 1, 1)
    store.connection.close()
    sizes = sum(len(taken.entry.raw) for taken in made)
    return (_written() - before) / count, sizes / count


def _written() -> int:
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


async def million(work: Path, entries: int = MILLION) -> list[Figure]:
    """Start, memory and a room page with so many entries, once the views are built."""
    town = build_town(town_directory(work, "million") / "town", {"01": ()})
    pens, records = fetch_pens(town, [("01", [SATO])])
    change = fill(town.directory / "01" / "log.db", pens, records, entries)
    async with Wards(town) as wards:
        prove(wards.witness_dir("01"), pens[0], change)
        await wards.start("01")
        await rebuilt(wards.urls["01"], entries)
        await wards.stop("01")
        ready_s = await wards.start("01")
        pages: list[float] = []
        async with StaffClient(wards.urls["01"]) as sato:
            await sato.log_in(SATO.staff_id, SATO.code, SATO.pin)
            for _ in range(PAGES):
                began_s = time.perf_counter()
                await sato._page.request("GET", "/rooms/all")
                pages.append((time.perf_counter() - began_s) * 1_000)
        resident_mb = wards.resident_mb("01")
    many = f"{entries:,} entries"
    return [
        Figure(f"ready with {many}", ready_s, "s", limit=READY_S_MAX),
        Figure(f"VmRSS with {many}", resident_mb, "MB", limit=RESIDENT_MB_MAX),
        Figure(
            f"room page with {many}", statistics.median(pages), "ms", limit=PAGE_MS_MAX,
            detail={"greatest": max(pages)},
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    print(*write(Path(sys.argv[1]), int(sys.argv[2])))

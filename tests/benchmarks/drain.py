"""A backlog after an outage: 100,000 signed entries, node → Mosquitto → archive, durable.

Three processes on this machine: a real node whose store is full, the broker with the
configuration that ships, a real archive with an empty store. The clock runs from the
moment the sender's link comes up until a HAVE of the archive covers every entry there:
verified twice, committed FULL, stated and heard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from meshrelay.node.office import Status
from meshrelay.web.client import fetch_status
from tests.benchmarks import phrases
from tests.benchmarks.accept import Meter, Verifier
from tests.benchmarks.cities import ARCHIVE, build_city
from tests.benchmarks.figures import AT_LEAST, Figure
from tests.benchmarks.filling import fill, prove, rebuilt
from tests.benchmarks.wards import Wards
from tests.benchmarks.wire import cpu_s, the_one
from tests.benchmarks.writing import fetch_pens, town_directory
from tests.town import Clerk

RATE_MIN = 0.33
WIRE_BYTES_MAX = 450.0
DRAIN_S_MAX = 600.0
POLL_S = 0.2
KITA = "01"
CLERKS = tuple(Clerk(f"K{n:03d}", f"職員{n}", "しょくいん", KITA, "", ("staff",)) for n in range(8))
VERIFICATIONS = 8_000


@dataclass(frozen=True)
class Size:
    """How much is drained."""

    entries: int = 100_000
    sealed: int = 20_000


@dataclass(frozen=True)
class Drained:
    """One drain."""

    entries: int
    seconds: float
    v_per_s: float
    v_per_cpu_s: float
    node_bytes: int  # both ways between the sender and the broker
    archive_bytes: int
    cpu_s: dict[str, float]
    refused: dict[str, dict[str, int]]  # by reason: what came twice or too early, what was dropped

    @property
    def per_s(self) -> float:
        return self.entries / self.seconds

    @property
    def of_v(self) -> float:
        return self.per_s / self.v_per_s

    @property
    def cost(self) -> float:
        """CPU time of all three processes an entry, in verifications: what load cannot change."""
        return sum(self.cpu_s.values()) / self.entries * self.v_per_cpu_s

    @property
    def detail(self) -> dict[str, object]:
        return {
            "entries": self.entries,
            "seconds": round(self.seconds, 2),
            "v_per_s": round(self.v_per_s),
            "v_per_cpu_s": round(self.v_per_cpu_s),
            "cores_used": {name: round(cpu / self.seconds, 2) for name, cpu in self.cpu_s.items()},
            "cpu_us_per_entry": {
                name: round(cpu * 1e6 / self.entries, 1) for name, cpu in self.cpu_s.items()
            },
            "refused": self.refused,
        }


async def drain(
    work: Path, name: str, make_bodies: Callable[[int], Iterator[bytes]], entries: int
) -> Drained:
    """Fill a ward's store, start everything, and let it drain."""
    directory = town_directory(work, name)
    town, broker = build_city(directory / "city", [ARCHIVE, KITA], clerks=CLERKS)
    pens, records = fetch_pens(town, [(KITA, CLERKS)], make_bodies)
    change = fill(town.directory / KITA / "log.db", pens, records, entries)
    async with Wards(town) as wards:
        prove(wards.witness_dir(KITA), pens[0], change)
        url = wards.urls[KITA]
        await wards.start(KITA)
        await rebuilt(url, entries)
        await wards.start(ARCHIVE)
        speed = Meter()
        Verifier().verify(speed, VERIFICATIONS)
        try:
            pids = {KITA: wards.pid(KITA), ARCHIVE: wards.pid(ARCHIVE)}
            before = {ward: cpu_s(pid) for ward, pid in pids.items()}
            await broker.start()
            seconds = await _drained(url, entries)
            node, archive = (the_one(pids[ward], broker.port) for ward in (KITA, ARCHIVE))
            spent = {ward: cpu_s(pid) - before[ward] for ward, pid in pids.items()}
            spent["broker"] = cpu_s(broker.pid)
            archived = await fetch_status(wards.urls[ARCHIVE])
            refused = {"node": (await fetch_status(url)).refused, "archive": archived.refused}
        finally:
            await broker.stop()
        Verifier().verify(speed, VERIFICATIONS)
    if archived.entries < entries:
        raise AssertionError(f"the archive holds {archived.entries} of {entries}: a false HAVE")
    cpu = {"node": spent[KITA], "broker": spent["broker"], "archive": spent[ARCHIVE]}
    return Drained(
        entries, seconds, speed.per_s, speed.per_cpu_s, node.total, archive.total, cpu, refused
    )


async def _drained(url: str, entries: int) -> float:
    """Seconds from the link's coming up until the archive covers all, by the sender's word."""
    up_ms = 0
    async with asyncio.timeout(DRAIN_S_MAX):
        while True:
            status = await fetch_status(url)
            now_ms = time.time_ns() // 1_000_000
            if status.links and not up_ms:
                up_ms = status.links[0].up_ms
            if covered(status) >= entries:
                return (now_ms - up_ms) / 1000
            await asyncio.sleep(POLL_S)


def covered(status: Status) -> int:
    """Own entries of lane 1 that a HAVE of an archive covers, as this node knows."""
    own = next(word for word in status.words if word.node.id == status.node.id)
    return own.lanes[1].archived or 0


async def measure(work: Path, size: Size | None = None) -> list[Figure]:
    """Texts of the trade, and a smaller run with bodies that nothing compresses."""
    size = size or Size()
    told = await drain(work, "drain", phrases.bodies, size.entries)
    sealed = await drain(work, "drain-sealed", phrases.sealed_bodies, size.sealed)
    ratio = round(phrases.ratio(1), 3)
    return [
        Figure(f"drain of {told.entries:,} signed entries to the archive", told.per_s, "/s",
               AT_LEAST, detail=told.detail),
        Figure("  as a fraction of V", told.of_v, "V", AT_LEAST, RATE_MIN,
               {"aim": 0.6}, peer="Scuttlebutt 0.31 V (stack.md)"),
        Figure("  CPU of all three an entry, in verifications", told.cost, "",
               detail={"at_most_for": {"0.33 V on two cores": 6.1, "0.6 V on two cores": 3.3}}),
        Figure("  on the wire, node ↔ broker", told.node_bytes / told.entries, "B/msg",
               limit=WIRE_BYTES_MAX, detail={"deflate_of_texts_alone": ratio},
               peer="Scuttlebutt 755 B (stack.md)"),
        Figure("  on the wire, broker ↔ archive", told.archive_bytes / told.entries, "B/msg",
               limit=WIRE_BYTES_MAX),
        Figure(f"drain of {sealed.entries:,} with incompressible bodies", sealed.of_v, "V",
               AT_LEAST, detail=sealed.detail),
        Figure("  on the wire, node ↔ broker", sealed.node_bytes / sealed.entries, "B/msg"),
    ]  # fmt: skip

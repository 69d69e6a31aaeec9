"""`urgent`: an urgent entry behind a saturated line, and the first second after an outage.

HQ and one ward, whose cable carries 128 kbit/s each way. A backlog of bulk, minutes long, flows
up (ward to HQ) or down; while it does, urgent entries are submitted at seeded moments, and each
is timed from its submission to the moment at which the other side has it on disk. Then the cable
is cut, and mended: back to work is the time from there to the next entry on disk. Over lan
(mDNS, one TLS link) and over mqtt (the broker that ships, on a host of its own).

Times are only comparable within one run. A backlog that does not fill the line proves nothing:
how full it was is told, and below half the row fails.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from meshrelay.cli.demo.processes import Child
from meshrelay.cli.node_toml import NodeToml
from meshrelay.core.entry import BULK, URGENT
from tests.lab import mosquitto
from tests.lab.city import BROKER_PORT, HQ, Office, city
from tests.lab.net import Host, LabError

BEARERS, DIRECTIONS = ("lan", "mqtt"), ("up", "down")
WARD = "01"
BULK_BODY_BYTES, URGENT_BODY_BYTES = 300, 300
# An entry around 300 random bytes has 480, of which 34 (prev) are not on the wire.
BULK_ENTRY_BYTES = 446
BULK_ENTRIES = 6_000
FLOWING = 20
PAUSE_S_MIN, PAUSE_S_MAX = 0.8, 2.0
URGENT_MS_MAX, BACK_MS_MAX = 1_500, 1_000
FULL_MIN = 0.5
START_S_MAX, LINK_S_MAX, HELD_S_MAX, BACK_S_MAX = 20.0, 40.0, 30.0, 90.0
POLL_S = 0.002

Say = Callable[[str], None]


@dataclass
class Row:
    """One bearer and direction, measured."""

    bearer: str
    direction: str
    kbit: int
    cut_s: float
    seed: int
    full: float = 0.0
    urgent_ms: list[int] = field(default_factory=list)
    back_ms: list[int] = field(default_factory=list)

    @property
    def worst_ms(self) -> int:
        return max(self.urgent_ms)

    @property
    def good(self) -> bool:
        return (
            self.full >= FULL_MIN
            and self.worst_ms <= URGENT_MS_MAX
            and all(back_ms <= BACK_MS_MAX for back_ms in self.back_ms)
        )

    def figures(self) -> dict[str, object]:
        """For JSON: what was measured, beside what it should be."""
        return asdict(self) | {
            "worst_ms": self.worst_ms,
            "median_ms": round(statistics.median(self.urgent_ms)),
            "urgent_ms_max": URGENT_MS_MAX,
            "worst_back_ms": max(self.back_ms, default=None),
            "back_ms_max": BACK_MS_MAX,
            "good": self.good,
        }

    def line(self) -> str:
        back = ""
        if self.back_ms:
            back = f"; back to work after cuts of {self.cut_s:.0f} s: worst {max(self.back_ms)} ms "
            back += f"of {len(self.back_ms)} (at most {BACK_MS_MAX})"
        return (
            f"{'ok' if self.good else 'MISSED'}: {self.bearer} {self.direction}: urgent behind "
            f"bulk at {self.kbit} kbit/s, line {self.full:.0%} full: worst {self.worst_ms} ms "
            f"of {len(self.urgent_ms)}, median {statistics.median(self.urgent_ms):.0f} ms "
            f"(at most {URGENT_MS_MAX}){back}, seed {self.seed}"
        )


class Instrument:
    """The lab's end of an instrumented node."""

    def __init__(self, office: Office) -> None:
        command = office.host.command(sys.executable, "-m", "tests.lab.instrument")
        log = office.directory / "log.txt"
        self._socket = office.witness.with_suffix(".sock")
        command += [str(office.directory), str(self._socket)]
        self._child = Child(office.ward, command, log, office.witness)
        self._answers: asyncio.Queue[float] = asyncio.Queue()
        self._photos: asyncio.Queue[str] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self.links = 0
        self.blob = (0, 0)  # verified bytes here of the one wanted, bytes that pieces brought
        self.held: dict[int, list[tuple[int, float]]] = {}

    async def start(self) -> None:
        await self._child.start()
        end_s = time.monotonic() + START_S_MAX
        while not self._socket.exists():
            if not self._child.running or time.monotonic() > end_s:
                raise LabError(f"no instrument: {self._child.last_words()}")
            await asyncio.sleep(POLL_S)
        reader, self._writer = await asyncio.open_unix_connection(self._socket)
        self._listening = asyncio.create_task(self._listen(reader))

    async def kill(self) -> None:
        """SIGKILL; it may be started again."""
        await self._child.kill(lose_witness=False)
        await self.stop()
        self._socket.unlink(missing_ok=True)
        self.links, self.blob = 0, (0, 0)

    async def stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        if self._writer is not None:
            self._writer.close()
        await self._child.stop()

    async def submit(self, lane: int, size: int, count: int = 1) -> float:
        """Submit; returns when it is on disk here. The moment at which the node got it."""
        if self._writer is None:
            raise LabError("the instrument was not started")
        self._writer.write(json.dumps([lane, size, count]).encode() + b"\n")
        return await self._answers.get()

    async def photo(self, size: int) -> str:
        """Keep a blob there; its id."""
        self._send("photo", size)
        return await self._photos.get()

    def want(self, blob: str) -> None:
        """Have it fetched."""
        self._send("want", blob)

    def _send(self, what: str, argument: object) -> None:
        if self._writer is None:
            raise LabError("the instrument was not started")
        self._writer.write(json.dumps([what, argument, 0]).encode() + b"\n")

    def height(self, lane: int) -> int:
        """How many entries of the other node's lane are on disk here."""
        return self.held[lane][-1][0] if lane in self.held else 0

    async def holds(self, lane: int, height: int, seconds: float) -> float:
        """Wait until so many are on disk here; the moment at which they were."""
        end_s = time.monotonic() + seconds
        while self.height(lane) < height:
            if time.monotonic() > end_s:
                raise LabError(f"lane {lane} is at {self.height(lane)} after {seconds:.0f} s")
            await asyncio.sleep(POLL_S)
        return next(at_s for reached, at_s in self.held[lane] if reached >= height)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            what, lane, count, at_s, more = json.loads(line)
            if what == "submitted":
                self._answers.put_nowait(at_s)
            elif what == "photo":
                self._photos.put_nowait(more)
            elif what == "blob":
                self.blob = (lane, count)
            elif what == "links":
                self.links = count
            else:
                self.held.setdefault(lane, []).append((count, at_s))


async def measure(row: Row, probes: int, cuts: int, keep: Path | None = None) -> None:
    """One bearer and direction, on a fresh laboratory."""
    broker_address = f"10.77.0.3:{BROKER_PORT}"

    def bearing(plain: NodeToml) -> NodeToml:
        if row.bearer == "lan":
            return replace(plain, broker="")
        return replace(plain, lan_listen="", zeroconf=False, broker=broker_address)

    async with city(2, bearing, keep) as town, AsyncExitStack() as stack:
        if row.bearer == "mqtt":
            broker = mosquitto.make(town, town.lab.add("broker"))
            await broker.start()
            stack.push_async_callback(broker.stop)
        ends = {ward: Instrument(office) for ward, office in town.offices.items()}
        for instrument in ends.values():
            stack.push_async_callback(instrument.stop)
            await instrument.start()
        end_s = time.monotonic() + LINK_S_MAX
        while not all(instrument.links for instrument in ends.values()):
            if time.monotonic() > end_s:
                raise LabError(f"no link over {row.bearer}")
            await asyncio.sleep(POLL_S)
        host = town.offices[WARD].host
        host.limit(row.kbit, row.kbit)
        source, sink = (ends[WARD], ends[HQ]) if row.direction == "up" else (ends[HQ], ends[WARD])
        await source.submit(BULK, BULK_BODY_BYTES, BULK_ENTRIES)
        await sink.holds(BULK, FLOWING, HELD_S_MAX)
        await _probe(row, source, sink, probes)
        for _ in range(cuts):
            row.back_ms.append(await _cut(row, host, sink))


async def _cut(row: Row, host: Host, sink: Instrument) -> int:
    """Cut the cable and mend it; milliseconds from there to the next bulk entry on disk."""
    host.cut()
    await asyncio.sleep(row.cut_s)
    before = sink.height(BULK)
    mended_s = time.monotonic()
    host.mend()
    held_s = await sink.holds(BULK, before + 1, BACK_S_MAX)
    await sink.holds(BULK, before + FLOWING, HELD_S_MAX)
    return round(1000 * (held_s - mended_s))


async def _probe(row: Row, source: Instrument, sink: Instrument, probes: int) -> None:
    dice = random.Random(f"{row.seed} {row.bearer} {row.direction}")
    before, began_s = sink.height(BULK), time.monotonic()
    for number in range(1, probes + 1):
        await asyncio.sleep(dice.uniform(PAUSE_S_MIN, PAUSE_S_MAX))
        at_s = await source.submit(URGENT, URGENT_BODY_BYTES)
        held_s = await sink.holds(URGENT, number, HELD_S_MAX)
        row.urgent_ms.append(round(1000 * (held_s - at_s)))
    carried = (sink.height(BULK) - before) * BULK_ENTRY_BYTES * 8
    row.full = carried / (row.kbit * 1000 * (time.monotonic() - began_s))


async def run(
    seed: int, bearers: tuple[str, ...], directions: tuple[str, ...], probes: int, kbit: int,
    cut_s: float, cuts: int, say: Say, keep: Path | None = None,
) -> list[Row]:  # fmt: skip
    """Every bearer and direction, one after the other."""
    rows = []
    for bearer in bearers:
        for direction in directions:
            row = Row(bearer, direction, kbit, cut_s, seed)
            name = f"{bearer}-{direction}"
            await measure(row, probes, cuts, keep / name if keep is not None else None)
            say(row.line())
            rows.append(row)
    return rows

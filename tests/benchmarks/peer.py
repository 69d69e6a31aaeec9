"""Debian's Mosquitto as a bridge, and meshrelay, beside each other in one run.

Four figures of both: drain after an outage, lost after kill -9 of the edge, bytes on the
wire per message, and time back to work after cuts (in a network namespace of its own, see
cuts.py). The bridge is not signed, not encrypted here and has one place for all.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from meshrelay.web.client import StaffClient, fetch_status
from tests.benchmarks import phrases
from tests.benchmarks.bridge import Bridge, Counter, publish
from tests.benchmarks.cities import ARCHIVE, build_city
from tests.benchmarks.drain import CLERKS, KITA, POLL_S, WIRE_BYTES_MAX, drain
from tests.benchmarks.figures import AT_LEAST, Figure
from tests.benchmarks.wards import Wards
from tests.benchmarks.wire import carried
from tests.benchmarks.writing import BODIES_SEED, town_directory
from tests.town import uuid7

QUIET_S = 2.0
ARRIVE_S_MAX = 180.0
POSTERS = 32
BACK_S_MAX = 1.0
# A backlog that grows no more for so long is whole, or lost.
STALLED_S = 40.0


@dataclass(frozen=True)
class Size:
    """How much of each is measured."""

    drain: int = 30_000  # ours; its rate does not depend on the number
    peer_drain: int = 100_000  # saved every second
    killed: int = 5_000  # acknowledged, then kill -9 and drain
    cuts_s: tuple[int, ...] = (20, 60)


@dataclass(frozen=True)
class Outage:
    """What a bridge did with a backlog: messages/s, bytes a message, what never came."""

    per_s: float
    wire_bytes: float
    lost: int


async def outage(work: Path, name: str, messages: int, *, every_change: bool, kill: bool) -> Outage:
    """Fill the edge while the centre is away, perhaps kill it, then let it drain."""
    bridge = Bridge(town_directory(work, name), every_change=every_change)
    bodies = list(islice(phrases.bodies(BODIES_SEED), messages))
    try:
        await bridge.start_centre()
        counter = Counter(bridge.centre_port)
        await counter.open()  # from now on the centre keeps what comes for it
        counter.close()
        await bridge.centre.stop()
        await bridge.start_edge()
        acknowledged = await asyncio.to_thread(publish, bridge.edge_port, bodies)
        if kill:
            await bridge.edge.kill(lose_witness=False)
            await bridge.start_edge()
        await bridge.start_centre()
        began_s, ended_s, total = await _carried_all(bridge)
        arrived = await _count(bridge, acknowledged)
    finally:
        await bridge.stop()
    return Outage(arrived / max(ended_s - began_s, 0.001), total / max(arrived, 1),
                  acknowledged - arrived)  # fmt: skip


async def _carried_all(bridge: Bridge) -> tuple[float, float, int]:
    """When the bridge's connection came up and when it carried the last byte; how many."""
    began_s = ended_s = 0.0
    total = 0
    async with asyncio.timeout(ARRIVE_S_MAX):
        while not began_s or time.monotonic() - ended_s < QUIET_S:
            if bridge.edge.pid is None:
                raise AssertionError(f"the edge ended: {bridge.edge.last_words()}")
            found = carried(bridge.edge.pid, bridge.centre_port)
            now_s = time.monotonic()
            if found and found[-1].total != total:
                began_s = began_s or now_s
                ended_s, total = now_s, found[-1].total
            await asyncio.sleep(0.01)
    return began_s, ended_s, total


async def _count(bridge: Bridge, expected: int) -> int:
    """How many different messages the centre gives to its subscriber."""
    counter = Counter(bridge.centre_port)
    await counter.open()
    try:
        opened_s = time.monotonic()
        while len(counter.numbers) < expected:
            await asyncio.sleep(0.1)
            if time.monotonic() - max(counter.newest_s, opened_s) > QUIET_S:
                break
    finally:
        counter.close()
    return len(counter.numbers)


async def lost_after_kill(work: Path, messages: int) -> tuple[int, float]:
    """The same of a node: 201-answered messages that the archive never gets; posts/s."""
    town, broker = build_city(town_directory(work, "kill") / "city", [ARCHIVE, KITA], clerks=CLERKS)
    bodies = phrases.bodies(BODIES_SEED)
    answered: list[str] = []
    async with Wards(town) as wards:
        await wards.start(KITA)
        try:
            async with StaffClient(wards.urls[KITA], timeout_s=60.0) as page:
                clerk = CLERKS[0]
                await page.log_in(clerk.staff_id, clerk.code, clerk.pin)

                async def post() -> None:
                    while len(answered) + POSTERS <= messages:
                        text = next(bodies).decode(errors="ignore")[4:]
                        posted = await page.post(uuid7(), "all", text)
                        answered.append(posted.message_id)

                began_s = time.monotonic()
                async with asyncio.TaskGroup() as group:
                    for _ in range(POSTERS):
                        group.create_task(post())
                per_s = len(answered) / (time.monotonic() - began_s)
                await wards.kill(KITA)
            await wards.start(KITA)
            await wards.start(ARCHIVE)
            await broker.start()
            arrived = await _archived(wards, len(answered))
        finally:
            await broker.stop()
    return len(answered) - arrived, per_s


async def _archived(wards: Wards, expected: int) -> int:
    """How many messages the archive shows, once all came or nothing more comes."""
    newest, since_s = 0, time.monotonic()
    while newest < expected and time.monotonic() - since_s < STALLED_S:
        found = (await fetch_status(wards.urls[ARCHIVE])).messages
        if found != newest:
            newest, since_s = found, time.monotonic()
        await asyncio.sleep(POLL_S)
    return newest


class Back(msgspec.Struct):
    """Seconds from the return of the path until what waited had arrived."""

    cut_s: int
    meshrelay_s: float
    bridge_s: float


async def cuts(work: Path, lengths_s: tuple[int, ...]) -> list[Back]:
    """Both behind one path that swallows packets, in a namespace of their own."""
    command = ["unshare", "-n", sys.executable, "-m", "tests.benchmarks.cuts",
               str(town_directory(work, "cuts")), *map(str, lengths_s)]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    if process.returncode:
        raise AssertionError("tests.benchmarks.cuts failed (it needs root or CAP_NET_ADMIN)")
    return msgspec.json.decode(said.splitlines()[-1], type=list[Back])


async def measure(work: Path, size: Size | None = None) -> list[Figure]:
    """The four figures, ours first, the bridge's beside it."""
    size = size or Size()
    ours = await drain(work, "drain-beside-peer", phrases.bodies, size.drain)
    second = await outage(work, "second", size.peer_drain, every_change=False, kill=False)
    change = await outage(work, "change", size.killed, every_change=True, kill=True)
    killed = await outage(work, "killed", size.killed, every_change=False, kill=True)
    lost, posts_per_s = await lost_after_kill(work, size.killed)
    backs = await cuts(work, size.cuts_s)
    rates = f"{change.per_s:,.0f}/s; saved each second {second.per_s:,.0f}/s"
    losses = f"{change.lost:,}; saved each second {killed.lost:,}"
    wire = ours.node_bytes / ours.entries
    return [
        Figure("drain after an outage, signed and durable", ours.per_s, "/s", AT_LEAST,
               detail=ours.detail, peer=f"Mosquitto bridge {rates}"),
        Figure("  ÷ bridge that saves every change", ours.per_s / change.per_s, "x", AT_LEAST),
        Figure("  ÷ bridge that saves every second", ours.per_s / second.per_s, "x", AT_LEAST),
        Figure(f"lost of {size.killed:,} acknowledged, kill -9 of the edge", lost, "", limit=0,
               detail={"posts_per_s": round(posts_per_s)}, peer=f"Mosquitto bridge {losses}"),
        Figure("bytes on the wire, signed, TLS", wire, "B/msg", limit=WIRE_BYTES_MAX,
               detail={"ratio": round(wire / second.wire_bytes, 2)},
               peer=f"Mosquitto bridge {second.wire_bytes:.0f} B, unsigned, no TLS"),
        *(Figure(f"back to work after a cut of {back.cut_s} s", back.meshrelay_s, "s",
                 limit=BACK_S_MAX, peer=f"Mosquitto bridge {back.bridge_s:.1f} s")
          for back in backs),
    ]  # fmt: skip

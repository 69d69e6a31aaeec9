"""What a city costs that has nothing to say, and how often an entry is sent in vain.

Idle: 24 real nodes on a real broker, in sync; bytes of each node's own connection, TLS, MQTT
and TCP payload included, TCP/IP headers not. The mesh: 24 machines on one LAN, each linked with
every other, with seeded delays; entries received ÷ entries needed.
"""

from __future__ import annotations

import asyncio
import os
import statistics
from pathlib import Path

from meshrelay.core.entry import Draft
from tests.benchmarks.cities import ARCHIVE, build_city
from tests.benchmarks.figures import Figure
from tests.benchmarks.mesh import Mesh, chatter
from tests.benchmarks.wire import Carried, carried
from tests.benchmarks.writing import town_directory
from tests.town import Town, running, until

NODES = 24
IDLE_BYTES_MAX = 15_000
TWICE_MAX = 1.1
LEVEL_S_MAX = 120.0
# Two idle statements repeat the last news; after them there is none.
SETTLE_S = 75.0
MESH_SEED = 24


async def idle(work: Path, settle_s: float, window_s: float) -> tuple[list[float], float]:
    """Bytes a minute of every ward's connection to the broker, and of the archive's."""
    wards = [f"{number:02d}" for number in range(NODES)]
    town, broker = build_city(town_directory(work, "idle24") / "city", wards)
    await broker.start()
    try:
        async with running(town):
            for ward, node in town.nodes.items():
                await node._driver.submit([Draft(1, "note", 3_600, b"", ward.encode())], [])
            await until(lambda: _level(town), LEVEL_S_MAX)
            await asyncio.sleep(settle_s)
            before = _connections(broker.port)
            await asyncio.sleep(window_s)
            after = _connections(broker.port)
            if before.keys() != after.keys():
                raise AssertionError("a connection was lost while nothing happened")
            rates = [(after[p].total - before[p].total) * 60 / window_s for p in before]
    finally:
        await broker.stop()
    # The archive has a link to every ward: it is the one that says most.
    rates.sort()
    return rates[:-1], rates[-1]


def _level(town: Town) -> bool:
    digests = {node.machine.vector.digest() for node in town.nodes.values()}
    return len(digests) == 1 and all(
        sum(line.height for line in node.machine.vector.lines.values()) == NODES
        for node in town.nodes.values()
    )


def _connections(port: int) -> dict[int, Carried]:
    found = {each.local_port: each for each in carried(os.getpid(), port)}
    if len(found) != NODES:
        raise AssertionError(f"{len(found)} connections of {NODES} nodes")
    return found


async def measure(
    work: Path, settle_s: float = SETTLE_S, window_s: float = 60.0, entries: int = 240
) -> list[Figure]:
    """Both."""
    wards, archive = await idle(work, settle_s, window_s)
    mesh = Mesh(NODES, MESH_SEED)
    chatter(mesh, entries)
    return [
        Figure(f"idle traffic of a ward among {NODES} over mqtt", statistics.median(wards), "B/min",
               limit=IDLE_BYTES_MAX, detail={"most": round(max(wards)), "window_s": window_s}),
        Figure(f"  of the archive ({ARCHIVE})", archive, "B/min"),
        Figure(f"LAN mesh of {NODES}: entries received ÷ needed", mesh.received / mesh.needed, "",
               limit=TWICE_MAX, detail={"seed": MESH_SEED, "received": mesh.received,
               "needed": mesh.needed, "delay_ms": mesh.delay_ms, "links": mesh.links}),
    ]  # fmt: skip

"""Many nodes and one archive: all return after an outage with something new to say.

The same bytes under the same key verify alike on every machine, so signatures and parsed
frames are shared between the simulated machines (`shared`): on real nodes each would cost
its own time. Nothing else is shared; each node runs its own sync machine and disk.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple
from unittest.mock import patch

from nacl import bindings

from meshrelay.core.entry import read_entry
from meshrelay.core.frames import decode_frame
from meshrelay.core.have import read_have
from tests.sim.invariants import HELLO_ROUND_MS
from tests.sim.options import Options
from tests.sim.people import note
from tests.sim.world import World

STEP_MS = 50
CALM_MS_MAX = 600_000
WALL_S_MAX = 1_200.0  # then it is told how far it came
REMEMBERED = 1 << 17


class Scale(NamedTuple):
    """What it took until all stores were equal."""

    nodes: int
    entries: int
    held_by_each: int  # at least; as many as `entries` when all are equal
    rounds: float  # of 30 s
    frames: int
    bytes: int
    bytes_per_node: int
    archive_bytes: int
    wall_s: float


def options_for(nodes: int, seed: int = 1) -> Options:
    """A star: every node has one link, to the archive."""
    return Options(
        seed, "star", nodes + 1, 1, 0.0, False, 0.0, 20, 0, (40,) * (nodes + 1), ("good",), (),
        False, 0, 0, False,
    )  # fmt: skip


@contextmanager
def shared() -> Iterator[None]:
    """Remember what pure functions made of the same bytes."""

    def remember(function: Callable[..., Any]) -> Callable[..., Any]:
        return lru_cache(REMEMBERED)(function)

    core = "meshrelay.core."
    decoded = remember(decode_frame)
    with (
        patch(f"{core}signing.crypto_sign_open", remember(bindings.crypto_sign_open)),
        patch(f"{core}statements.read_have", remember(read_have)),
        patch(f"{core}accept.read_entry", remember(read_entry)),
        patch(f"{core}sync.decode_frame", decoded),
        patch(f"{core}accept.decode_frame", decoded),
    ):
        yield


def measure(nodes: int) -> Scale:
    """One outage: everybody speaks alone, then every link comes up."""
    began = time.perf_counter()
    with shared():
        world = World(options_for(nodes))
        world.disk_failures = 0.0
        for ward in world.wards:
            for count in range(world.random.choice([1, 2])):
                ward.submit([note(f"{ward.name} {count}", 1)], [])
        world.run(2_000)
        frames, sent, start_ms = world.cables.frames, world.cables.bytes, world.ms
        while not world.is_level() and world.ms - start_ms < CALM_MS_MAX:
            world.cables.connect()
            world.run(STEP_MS)
            if time.perf_counter() - began > WALL_S_MAX:
                print("not equal when the time was over", file=sys.stderr)
                break
    entries = {entry.id for ward in world.wards for entry in ward.accepted}
    total = world.cables.bytes - sent
    return Scale(
        nodes,
        len(entries),
        min(len(entries & ward.disk.ids()) for ward in world.wards),
        round((world.ms - start_ms) / HELLO_ROUND_MS, 2),
        world.cables.frames - frames,
        total,
        total // nodes,
        world.cables.bytes_of(world.wards[0]),
        round(time.perf_counter() - began, 1),
    )

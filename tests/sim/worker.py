"""One process that lives through seeds: `SEED [FAULT]` a line in, one JSON line out.

Started by tests/sim/runs.py with a PYTHONHASHSEED of its own.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import NamedTuple

from meshrelay.errors import MeshRelayError
from tests.sim.invariants import Broken
from tests.sim.options import options_of
from tests.sim.plants import FAULTS, Plant
from tests.sim.storms import Storm, weather
from tests.sim.world import World

PLANTS = {fault.__name__: fault for fault in FAULTS}


class Outcome(NamedTuple):
    """What became of one seed. `found`: the broken invariant, empty if all held."""

    seed: int
    found: str
    trace: str  # digest of all effects
    entries: int  # answered by honest wards
    frames: int
    bytes: int
    diameter: int
    calm_ms: int  # from the last trouble until all were equal
    calm_bytes: int
    wall_ms: int


def outcome(seed: int, plant: Plant | None = None) -> Outcome:
    """Live through one seed and tell what was found."""
    began = time.perf_counter()
    world = World(options_of(seed), plant)
    found, told = "", False
    try:
        weather(world, Storm(world))
        told = True
    except (Broken, MeshRelayError) as error:
        found, told = f"{type(error).__name__}: {error}".removeprefix("Broken: "), True
    finally:
        if not told:
            print(f"crashed: {world.options}", file=sys.stderr, flush=True)
    return Outcome(
        seed, found, world.trace(), sum(len(ward.accepted) for ward in world.honest),
        world.cables.frames, world.cables.bytes, world.diameter(), world.calm_ms,
        world.calm_bytes, int((time.perf_counter() - began) * 1_000),
    )  # fmt: skip


def main() -> None:
    """Answer line by line until the input ends."""
    gc.freeze()
    for line in sys.stdin:
        seed, *fault = line.split()
        plant = PLANTS[fault[0]]() if fault else None
        print(json.dumps(outcome(int(seed), plant)), flush=True)


if __name__ == "__main__":
    main()

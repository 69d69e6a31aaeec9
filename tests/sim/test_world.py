"""Storms over small cities: the invariants hold, and each planted fault is found."""

from __future__ import annotations

import pytest

from meshrelay.errors import MeshRelayError
from tests.sim.invariants import check_running, check_settled
from tests.sim.plants import FAULTS
from tests.sim.world import Plant, World

SEEDS = range(100)
# Seeds that once found a fault; they stay for ever.
KEPT_SEEDS = ()


def live_through(seed: int, plant: Plant | None = None) -> World:
    """Four storms, a check after each, then the calm and the last check."""
    world = World(seed, plant)
    for _ in range(4):
        world.storm(10)
        check_running(world)
    world.calm()
    check_settled(world)
    return world


@pytest.mark.parametrize("seed", [*SEEDS, *KEPT_SEEDS])
def test_a_city_lives_through_a_storm(seed: int) -> None:
    world = live_through(seed)

    assert any(ward.disk.entries for ward in world.wards), f"seed {seed}: nobody said anything"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(fault: type[Plant]) -> None:
    for seed in SEEDS:
        try:
            live_through(seed, fault())
        except (AssertionError, MeshRelayError) as found:
            print(f"{fault.__name__}: seed {seed}: {found}")
            return
    pytest.fail(f"{fault.__name__} was not found in {len(SEEDS)} seeds")


def test_a_seed_tells_the_same_story_twice() -> None:
    first, second = (live_through(7) for _ in range(2))

    assert [entry.id for ward in first.wards for entry in ward.disk.entries] == [
        entry.id for ward in second.wards for entry in ward.disk.entries
    ]

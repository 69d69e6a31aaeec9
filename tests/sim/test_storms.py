"""Storms over simulated cities: the invariants hold, and planted faults are found.

`make proof` runs many more seeds and every planted fault: python -m tests.sim --help.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sim import scale
from tests.sim.invariants import Broken
from tests.sim.options import BIG_EVERY, LIES, TOPOLOGIES, Options, options_of
from tests.sim.plants import (
    CommitsWithoutFsync,
    FollowsAnyStamp,
    Plant,
    PubackIsReceipt,
)
from tests.sim.runs import run_seeds
from tests.sim.storms import Storm, live_through, weather
from tests.sim.world import World

SEEDS = range(40)
QUICK_PLANTS = (CommitsWithoutFsync, PubackIsReceipt, FollowsAnyStamp)
# Each once found a fault; they stay for ever.
KEPT: list[dict[str, object]] = json.loads(Path(__file__).with_name("kept.json").read_text("utf-8"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_city_lives_through_its_storms(seed: int) -> None:
    print(options_of(seed))

    world = live_through(seed)

    assert any(ward.accepted for ward in world.honest), "nobody said anything"


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: f"{kept['seed']}")
def test_a_seed_that_once_found_a_fault_finds_none(kept: dict[str, object]) -> None:
    seed = int(str(kept["seed"]))
    print(options_of(seed), kept["found"])

    live_through(seed)


@pytest.mark.parametrize("plant", QUICK_PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: type[Plant]) -> None:
    assert any(finds(seed, plant()) for seed in SEEDS)


def finds(seed: int, plant: Plant) -> bool:
    """Whether a seed finds the fault."""
    try:
        live_through(seed, plant)
    except Broken as broken:
        print(f"{type(plant).__name__}: seed {seed}: {broken}")
        return True
    return False


def test_a_seed_tells_the_same_story_under_every_hash_seed() -> None:
    outcomes = run_seeds([0, 7, 21], jobs=2, both_hash_seeds=True)

    assert [each.found for each in outcomes] == ["", "", ""]
    assert len({each.trace for each in outcomes}) == 3


def test_the_seeds_of_a_proof_hold_every_kind_of_city() -> None:
    cities = [options_of(seed) for seed in range(300)]

    assert {each.topology for each in cities} == set(TOPOLOGIES)
    assert {lie for each in cities for _, lie in each.liars} == set(LIES)
    assert min(each.wards for each in cities) == 3
    assert max(each.wards for each in cities) > 20
    assert any(each.theft and not each.datagrams for each in cities)
    assert sum(each.wards >= 12 for each in cities) == 300 // BIG_EVERY


def test_people_write_and_liars_are_refused_in_a_storm() -> None:
    options = next(each for each in map(options_of, range(300)) if has_lie(each, "breaches"))
    world = World(options)

    weather(world, Storm(world))

    assert any(entry.author for ward in world.honest for entry in ward.accepted)
    assert {"bad_signature", "malformed", "foreign_network"} & world.refused.keys()


def has_lie(options: Options, lie: str) -> bool:
    return any(each == lie for _, each in options.liars)


def test_returning_nodes_become_equal_through_one_archive() -> None:
    measured = scale.measure(20)

    assert measured.rounds <= 3
    assert measured.entries == measured.held_by_each

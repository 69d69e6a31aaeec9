"""Everything that a seed decides about a world before it begins, on one page.

`options_of(seed)` is the whole derivation; `str(options)` is printed with a failure, so
that a reader sees the city before reading the code.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from tests.sim.clocks import FAULTS

TOPOLOGIES = ("ring", "star", "line", "islands", "broker")
LIES = ("heights", "drip", "cursor", "mute", "breaches", "boasts")
# Stores are full and rows are damaged from this seed on: earlier seeds keep their stories.
PRESSURE_FROM = 20_000
BIG_EVERY = 20  # every so many seeds the city has 12 to 24 wards


class Options(NamedTuple):
    """A city and its weather. Durations in milliseconds, probabilities from 0 to 1."""

    seed: int
    topology: str
    wards: int
    archives: int
    chords: float  # ring: chance of each further cable
    datagrams: bool  # cables lose, repeat and reorder; otherwise they are streams
    loss: float
    delay_ms: int
    rate: int  # bytes a millisecond on a stream, 0: no limit
    commit_ms: tuple[int, ...]  # longest commit of each ward's disk
    clocks: tuple[str, ...]
    liars: tuple[tuple[int, str], ...]  # (ward, lie)
    theft: bool
    storms: int
    steps: int  # of each storm
    pressure: bool  # stores drop what archives hold, and rows are damaged

    def __str__(self) -> str:
        liars = ", ".join(f"ward {ward} {lie}" for ward, lie in self.liars) or "none"
        cables = f"datagrams, {self.loss:.0%} lost" if self.datagrams else "streams"
        return (
            f"seed {self.seed}: {self.topology} of {self.wards} wards, {self.archives} archives; "
            f"{cables}, {self.delay_ms} ms, {self.rate or 'any'} B/ms; "
            f"commits up to {max(self.commit_ms)} ms; "
            f"clocks {', '.join(self.clocks)}; liars {liars}; "
            f"{'a stolen key; ' if self.theft else ''}"
            f"{'full stores; ' if self.pressure else ''}{self.storms} storms of {self.steps} steps"
        )


def options_of(seed: int) -> Options:
    """The options of one seed; the same for ever, so that a kept seed keeps its story."""
    dice = Random(f"options of {seed}")
    big = seed % BIG_EVERY == BIG_EVERY - 1
    wards = dice.randint(12, 24) if big else dice.choice([3, 3, 3, 4, 4, 5, 5, 6, 7])
    topology = dice.choice(TOPOLOGIES)
    datagrams = topology == "broker" or dice.random() < 0.4
    loss = dice.choice([0.02, 0.1, 0.3, 0.5]) if datagrams else 0.0
    theft = not big and topology in ("ring", "star") and wards >= 4 and dice.random() < 0.3
    lying = not theft and dice.random() < 0.35
    liars = ((wards - 1, dice.choice(LIES)),) if lying else ()
    return Options(
        seed,
        topology,
        wards,
        2 if wards > 4 and dice.random() < 0.3 else 1,
        dice.choice([0.1, 0.4]),
        datagrams,
        loss,
        dice.choice([1, 20, 300]),
        dice.choice([0, 0, 16]),
        tuple(dice.choice([5, 40, 40, 1_500]) for _ in range(wards)),
        tuple(dice.choice(["good"] * 6 + list(FAULTS)) for _ in range(wards)),
        liars,
        theft,
        2 if big else dice.choice([2, 3, 4]),
        6 if big else 10,
        seed >= PRESSURE_FROM,
    )

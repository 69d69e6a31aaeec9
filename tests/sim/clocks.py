"""Clocks that are wrong in the ways of small computers: no battery, no network, a wrong hand.

The node's own Clock (meshrelay.node.clock) runs on them.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from meshrelay.core.events import Now
from meshrelay.node.clock import Clock, Hardware
from tests.sim.disk import Disk

if TYPE_CHECKING:
    from tests.sim.world import World

# True time when a world begins.
BEGIN_MS = 1_790_000_000_000


class Fault(NamedTuple):
    """How a wall clock stands: off by `offset_ms`, synchronized, or set by a person."""

    offset_ms: int = 0
    is_synchronized: bool = False
    set_by_person: bool = False
    is_frozen: bool = False

    @property
    def is_trusted(self) -> bool:
        return self.is_synchronized or self.set_by_person


FAULTS = {
    "good": Fault(is_synchronized=True),
    "by hand": Fault(-20_000, set_by_person=True),
    "1970": Fault(-BEGIN_MS),
    "a year behind": Fault(-31_536_000_000),
    "50 years ahead": Fault(1_576_800_000_000),
    "frozen": Fault(is_frozen=True),
    "an hour ahead": Fault(3_600_000),
}


class SimHardware(Hardware):
    """The clocks of one simulated machine, from power on to power cut."""

    def __init__(self, world: World, fault: str, dice: Random) -> None:
        self._world = world
        self._on_ms = world.ms
        self.boot = dice.randbytes(8).hex()
        self.fault = FAULTS[fault]

    def wall_ms(self) -> int:
        passed_ms = self._on_ms if self.fault.is_frozen else self._world.ms
        return max(BEGIN_MS + passed_ms + self.fault.offset_ms, 0)

    def boot_ms(self) -> int:
        return self._world.ms - self._on_ms

    def is_synchronized(self) -> bool:
        return self.fault.is_synchronized


class WardClock:
    """What one ward's clocks show, over all its boots."""

    def __init__(self, world: World, fault: str) -> None:
        self._world = world
        self.fault = fault
        self.pt_ms_max = 0  # the furthest that the estimate ever was
        self._hardware: SimHardware | None = None
        self._clock: Clock | None = None
        self._now: Now | None = None  # of `_now_at`: a reading costs as much as a tick
        self._now_at = -1

    def start(self, disk: Disk) -> None:
        """The node starts; its machine may have run on."""
        if self._hardware is None:
            self._hardware = SimHardware(self._world, self.fault, self._world.random)
        set_by_person = FAULTS[self.fault].set_by_person
        self._clock = Clock(set_by_person, disk.mark, disk.newest_ms, self._hardware)
        disk.mark = self._clock.mark()
        self._now = None

    def power_cut(self) -> None:
        self._hardware = None

    def step(self, fault: str) -> None:
        """The wall clock jumps while the node runs, or NTP is back.

        One that NTP or a person answers for stays: no protocol can know better.
        """
        if self._hardware is None:
            self.fault = fault
        elif not self._hardware.fault.is_trusted and not FAULTS[fault].set_by_person:
            self.fault = fault
            self._hardware.fault = FAULTS[fault]
            self._now = None

    def adopt(self, pt_ms: int) -> None:
        assert self._clock is not None
        self._clock.adopt(pt_ms)
        self._now = None

    def keep(self, disk: Disk) -> None:
        """What the store keeps of seen time, now and then."""
        assert self._clock is not None
        disk.mark = self._clock.mark()

    def now(self) -> Now:
        """What the node is told; timers run on the simulated boot clock."""
        assert self._clock is not None and self._hardware is not None
        if self._now is None or self._now_at != self._world.ms:
            now = self._clock.now()
            self._now = now._replace(mono_ms=self._hardware.boot_ms())
            self._now_at = self._world.ms
            self.pt_ms_max = max(self.pt_ms_max, now.pt_ms)
        return self._now

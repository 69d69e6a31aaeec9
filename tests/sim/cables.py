"""Cables between wards: what they lose, hold back, repeat and reorder, and who is joined.

A *stream* cable keeps order and loses nothing while its link is open; a *datagram* cable
loses, repeats and reorders, comes up on one side first, and nobody is told when the other
side dies. A broadcast domain is what MQTT's `all` is: everybody hears, or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshrelay.core.events import Heard, LinkDown, LinkUp, Received
from tests.sim.invariants import no_flood

if TYPE_CHECKING:
    from tests.sim.ward import Ward
    from tests.sim.world import World

SILENT_MS = 75_000  # a datagram bearer gives a silent peer up
STALLED_MS = 20_000  # a stream that moves nothing one way is closed
REPEATED = 0.03


@dataclass
class End:
    """One side of an open link."""

    ward: Ward
    number: int
    heard_ms: int
    is_up: bool = False
    free_ms: int = 0  # when the line towards this end is free again
    held: list[bytes] = field(default_factory=list)  # stalled frames towards this end


@dataclass
class Cable:
    """What joins two wards; `ends` while a link is open on it."""

    a: Ward
    b: Ward
    datagrams: bool
    broadcasts: bool = False
    is_cut: bool = False
    deaf: Ward | None = None  # one-way: nothing arrives at this ward
    deaf_since_ms: int = 0
    ends: list[End] = field(default_factory=list)
    second: int = 0
    frames: int = 0  # in that second


class Cables:
    """Every cable of a world, and the frames on them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.all: list[Cable] = []
        self.loss = world.options.loss
        self.frames = 0
        self.bytes = 0
        self._sent: dict[Ward, int] = {}
        self._next_link = 0
        self._by_number: dict[int, tuple[Cable, int]] = {}

    def add(self, a: Ward, b: Ward, datagrams: bool, broadcasts: bool = False) -> None:
        self.all.append(Cable(a, b, datagrams, broadcasts))

    def remove(self, ward: Ward) -> None:
        """A machine is carried away with its cables."""
        for cable in list(self.of(ward)):
            self.part(cable)
            self.all.remove(cable)

    def of(self, ward: Ward) -> Iterator[Cable]:
        """The cables of one ward."""
        return (cable for cable in self.all if ward in (cable.a, cable.b))

    def bytes_of(self, ward: Ward) -> int:
        """What one ward sent over its links."""
        return self._sent.get(ward, 0)

    # Links

    def connect(self) -> None:
        """Open a link on every whole cable between running wards; end what is dead."""
        for cable in self.all:
            running = cable.a.machine is not None and cable.b.machine is not None
            if cable.ends:
                self._end_if_dead(cable)
            if not cable.ends and running and not cable.is_cut:
                self._join(cable)

    def _end_if_dead(self, cable: Cable) -> None:
        now = self._world.ms
        if cable.datagrams:
            gone = [end for end in cable.ends if not end.is_up]
            silent = [end for end in cable.ends if now - end.heard_ms >= SILENT_MS]
            both_run = cable.a.machine is not None and cable.b.machine is not None
            if silent or (gone and both_run and not cable.is_cut):
                self.part(cable)
        elif cable.deaf is not None and now - cable.deaf_since_ms >= STALLED_MS:
            self.part(cable)

    def _join(self, cable: Cable) -> None:
        self._next_link += 2
        now = self._world.ms
        cable.ends = [
            End(cable.a, self._next_link, now), End(cable.b, self._next_link + 1, now)
        ]  # fmt: skip
        if cable.datagrams and self._world.random.random() < 0.5:
            cable.ends.reverse()
        for side, end in enumerate(cable.ends):
            self._by_number[end.number] = (cable, side)
        first, second = cable.ends
        self._up(cable, first, second)
        if cable.datagrams:
            late = self._world.random.randint(0, 3 * self._world.options.delay_ms)
            self._world.after(late, lambda: self._up(cable, second, first))
        else:
            self._up(cable, second, first)

    def _up(self, cable: Cable, end: End, other: End) -> None:
        if end in cable.ends and not end.is_up and end.ward.machine is not None:
            end.is_up = True
            end.ward.opened(end.number, other.ward)
            peer = other.ward.signer.public
            bearer = "mqtt" if cable.broadcasts else "lan"
            end.ward.feed(LinkUp(end.number, peer, bearer, cable.datagrams, cable.broadcasts))

    def part(self, cable: Cable) -> None:
        """The link on this cable ends on both sides."""
        ends, cable.ends = cable.ends, []
        for end in ends:
            del self._by_number[end.number]
            self._down(end)

    @staticmethod
    def _down(end: End) -> None:
        if end.is_up:
            end.is_up = False
            end.ward.closed(end.number)
            end.ward.feed(LinkDown(end.number))

    def close(self, number: int) -> None:
        """A machine closed its link."""
        if number in self._by_number:
            self.part(self._by_number[number][0])

    def died(self, ward: Ward) -> None:
        """A process ended: streams break at once, datagram peers notice later."""
        for cable in self.of(ward):
            for end in cable.ends:
                if end.ward is ward:
                    end.is_up = False
            if not cable.datagrams:
                self.part(cable)

    # Trouble

    def cut(self, cable: Cable, quietly: bool) -> None:
        """`quietly`: a datagram cable is cut and no side is told."""
        cable.is_cut = True
        if not (quietly and cable.datagrams):
            self.part(cable)

    def deafen(self, cable: Cable, ward: Ward | None) -> None:
        """Nothing arrives at `ward` any more; None: both ways work again."""
        cable.deaf, cable.deaf_since_ms = ward, self._world.ms
        if ward is None:
            for side, end in enumerate(cable.ends):
                held, end.held = end.held, []
                for data in held:
                    self._carry(cable, side, data)

    def mend(self) -> None:
        """Every cable is whole and loses nothing."""
        self.loss = 0.0
        for cable in self.all:
            cable.is_cut = False
            self.deafen(cable, None)

    # Frames

    def send(self, number: int, data: bytes) -> None:
        """A frame from the end of that number to the other."""
        if number not in self._by_number:
            return
        cable, side = self._by_number[number]
        no_flood(cable, self._world.ms)
        self.frames += 1
        self.bytes += len(data)
        self._sent[cable.ends[side].ward] = self.bytes_of(cable.ends[side].ward) + len(data)
        other = cable.ends[1 - side]
        if cable.deaf is other.ward:
            if not cable.datagrams:
                other.held.append(data)
        elif not cable.is_cut:
            self._carry(cable, 1 - side, data)

    def _carry(self, cable: Cable, side: int, data: bytes) -> None:
        world, end = self._world, cable.ends[side]
        delay_ms = world.options.delay_ms
        if not cable.datagrams:
            started = max(end.free_ms, world.ms)
            end.free_ms = started + len(data) // world.options.rate if world.options.rate else 0
            world.after(max(end.free_ms, world.ms) + delay_ms - world.ms,
                        lambda: self._arrive(end, data))  # fmt: skip
            return
        for _ in range(2 if world.random.random() < REPEATED else 1):
            if world.random.random() >= self.loss:
                jitter = world.random.randint(0, delay_ms)
                world.after(delay_ms + jitter, lambda: self._arrive(end, data))

    def _arrive(self, end: End, data: bytes) -> None:
        if end.number in self._by_number and end.is_up:
            end.heard_ms = self._world.ms
            end.ward.feed(Received(end.number, data))

    def broadcast(self, sender: Ward, data: bytes) -> None:
        """To everybody on the sender's broadcast domain; may be lost for each."""
        world = self._world
        reach = {cable.a for cable in self.all if cable.broadcasts and not cable.is_cut}
        reach |= {cable.b for cable in self.all if cable.broadcasts and not cable.is_cut}
        if sender not in reach:
            return
        for ward in world.wards:
            if ward is sender or ward not in reach or world.random.random() < self.loss:
                continue
            self.frames += 1
            self.bytes += len(data)
            world.after(world.options.delay_ms, hearing(ward, sender.signer.public, data))


def hearing(ward: Ward, peer: bytes, data: bytes):  # type: ignore[no-untyped-def]
    """What happens at `ward` when a broadcast reaches it."""
    return lambda: ward.feed(Heard(peer, "mqtt", data))

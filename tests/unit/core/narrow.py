"""Links of a given rate and delay for machines on a bench: bytes take time, in both directions."""

from __future__ import annotations

from meshrelay.core.events import Received, Tick
from meshrelay.core.frames import decode_frame
from tests.unit.core.city import TICK_MS, City, Station

# What TCP, TLS and a block's length add to a frame, about.
OVERHEAD_BYTES = 60


class NarrowCity(City):
    """Every direction of every link carries `bytes_per_s`, one frame after the other."""

    def __init__(self, bytes_per_s: int, delay_ms: int, *stations: Station) -> None:
        super().__init__(*stations)
        self._bytes_per_s = bytes_per_s
        self._delay_ms = delay_ms
        self._free_at: dict[int, float] = {}
        self._flying: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self.carried = 0

    def sent(self, sender: Station, link: int, data: bytes) -> None:
        _, receiver, end = self._ends[link]
        frame = decode_frame(data)
        self.seen.append((sender, receiver, frame))
        size = len(data) + OVERHEAD_BYTES
        self.carried += size
        start = max(self._free_at.get(end, 0.0), float(self.ms))
        self._free_at[end] = start + size * 1_000 / self._bytes_per_s
        if not self.lost(sender, receiver, frame):
            self._count += 1
            arrives = self._free_at[end] + self._delay_ms
            self._flying.append((arrives, self._count, end, data))

    def deliver(self) -> None:
        """Hand over what has arrived by now."""
        while self._flying and min(self._flying)[0] <= self.ms:
            first = min(self._flying)
            self._flying.remove(first)
            self._ends[first[2]][0].feed(Received(first[2], first[3]))

    def pass_ms(self, duration_ms: int, step_ms: int = 10) -> None:
        """Time passes; ticks every TICK_MS, arrivals every `step_ms`."""
        for _ in range(duration_ms // step_ms):
            self.ms += step_ms
            self.deliver()
            if self.ms % TICK_MS == 0:
                for station in self.stations:
                    station.feed(Tick())

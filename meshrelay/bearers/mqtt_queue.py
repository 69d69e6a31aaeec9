"""What waits for the broker: one queue a peer, served in turn, bounded in bytes.

In turn, because an archive feeds a whole city through one connection: bulk for one ward
must not stand before an order for another. Full means dropped and counted: the link is
lossy and the sync machine asks again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

# Grants keep far below; this is for brokers that take everything and pass on nothing.
QUEUE_BYTES_MAX = 4 * 1024 * 1024
# A message also costs memory when it is small.
MESSAGE_OVERHEAD_BYTES = 256


class OutQueue:
    """FIFO for each destination, round-robin between them."""

    def __init__(
        self,
        refused: Counter[str],
        now_s: Callable[[], float],
        bytes_max: int = QUEUE_BYTES_MAX,
    ) -> None:
        self._refused = refused
        self._now_s = now_s
        self._parked: dict[str, float] = {}
        self._bytes_max = bytes_max
        self._bytes = 0
        self._waiting: dict[str, deque[bytes]] = {}
        self._some = asyncio.Event()

    def put(self, to: str, payload: bytes) -> None:
        """Queue it, or drop it and count `queue_full` or `parked`."""
        if self.parked(to):
            self._refused["parked"] += 1
            return
        cost = len(payload) + MESSAGE_OVERHEAD_BYTES
        if self._bytes + cost > self._bytes_max:
            self._refused["queue_full"] += 1
            return
        self._bytes += cost
        self._waiting.setdefault(to, deque()).append(payload)
        self._some.set()

    async def get(self) -> tuple[str, bytes]:
        """The next message: (destination, payload)."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        to = next(iter(self._waiting))
        line = self._waiting.pop(to)
        payload = line.popleft()
        if line:
            self._waiting[to] = line  # at the end: the others first
        self._bytes -= len(payload) + MESSAGE_OVERHEAD_BYTES
        return to, payload

    def park(self, to: str, seconds: float) -> None:
        """The broker refuses this destination: forget what waits, take nothing for a while."""
        now_s = self._now_s()
        self._parked = {name: end for name, end in self._parked.items() if end > now_s}
        self._parked[to] = now_s + seconds
        for payload in self._waiting.pop(to, ()):
            self._bytes -= len(payload) + MESSAGE_OVERHEAD_BYTES

    def parked(self, to: str) -> bool:
        """Whether `park` still holds; it outlives the connection."""
        return self._now_s() < self._parked.get(to, 0.0)

    def clear(self) -> None:
        """Forget everything: the broker is gone."""
        self._waiting.clear()
        self._bytes = 0

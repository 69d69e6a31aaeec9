"""Cables that take their time: copies frames between pairs of TAP devices, later.

    python wire.py DELAY_MS JITTER_MS SEED near:far [near:far ...]

A program and not a module of ours: it runs by its path inside the switch's namespace and imports
nothing, so that it starts at once. Frames of one direction keep their order, as in a router's
queue. A direction that holds too many frames loses the newest.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_BYTES_MAX = 65_536
WAITING_MAX = 2_000


def open_tap(name: str) -> int:
    """A TAP device that exists already, as a descriptor that reads and writes frames."""
    handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(handle, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return handle


def carry(pairs: list[tuple[int, int]], delay_s: float, jitter_s: float, seed: int) -> None:
    """Copy for ever."""
    dice = random.Random(seed)
    other = dict(pairs) | {far: near for near, far in pairs}
    due: list[tuple[float, int, int, bytes]] = []
    newest_s = dict.fromkeys(other, 0.0)
    waiting = dict.fromkeys(other, 0)
    number = 0
    poll = select.poll()
    for handle in other:
        poll.register(handle, select.POLLIN)
    while True:
        wait_ms = max(0.0, due[0][0] - time.monotonic()) * 1000 if due else None
        for handle, _ in poll.poll(wait_ms):
            frame = os.read(handle, FRAME_BYTES_MAX)
            if waiting[handle] >= WAITING_MAX:
                continue
            late_s = delay_s + dice.uniform(-jitter_s, jitter_s)
            newest_s[handle] = max(newest_s[handle], time.monotonic() + late_s)
            number += 1
            waiting[handle] += 1
            heapq.heappush(due, (newest_s[handle], number, handle, frame))
        while due and due[0][0] <= time.monotonic():
            _, _, handle, frame = heapq.heappop(due)
            waiting[handle] -= 1
            try:
                os.write(other[handle], frame)
            except (BlockingIOError, OSError):  # the device is down or its queue full: lost
                continue


def main() -> None:
    delay_ms, jitter_ms, seed = (int(word) for word in sys.argv[1:4])
    pairs = [tuple(open_tap(name) for name in pair.split(":")) for pair in sys.argv[4:]]
    carry([(near, far) for near, far in pairs], delay_ms / 1000, jitter_ms / 1000, seed)


if __name__ == "__main__":
    main()

"""Frames of links in order; those with entries are verified on a few threads first.

Signatures are what accepting costs most, and the library that checks them lets other
threads run meanwhile. Links take turns, so that an urgent entry waits for one frame of
each other link at most, never for their queues.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from meshrelay.core.accept import Prepared
from meshrelay.core.frames import may_be_entries

# More than two cores ask for: half the time each waits for the interpreter.
WORKERS = 4
# An entry or two are verified faster than a thread is woken.
AT_ONCE_BYTES_MAX = 1_024

Done = Callable[[], None]
Prepare = Callable[[bytes], Prepared | None]
# (link, frame, what `Prepare` made of it, call when it is on disk or dropped)
Deliver = Callable[[int, bytes, Prepared | None, Done], None]


class _Frame:
    """A frame that waits for its turn."""

    def __init__(self, data: bytes, done: Done) -> None:
        self.data = data
        self.done = done
        self.prepared: Prepared | None = None
        self.ready = not may_be_entries(data)


class Verifying:
    """Delivers every frame of a link in order. Everything but `prepare` runs on the loop.

    What waits is bounded by what the links may send: the grants given there.
    """

    def __init__(self, prepare: Prepare, deliver: Deliver, broken: Callable[[], None]) -> None:
        self._prepare = prepare
        self._deliver = deliver
        self._broken = broken
        self._pool = ThreadPoolExecutor(WORKERS, "verify")
        self._queues: dict[int, deque[_Frame]] = {}
        self._unverified: dict[int, deque[_Frame]] = {}  # by link; the first has the next turn
        self._busy = 0

    def put(self, link: int, data: bytes, done: Done) -> None:
        """A frame came; it is delivered at once when nothing stands before it."""
        queue = self._queues.get(link)
        if queue is None and (len(data) <= AT_ONCE_BYTES_MAX or not may_be_entries(data)):
            self._deliver(link, data, None, done)
            return
        frame = _Frame(data, done)
        self._queues.setdefault(link, deque()).append(frame)
        if not frame.ready:
            self._unverified.setdefault(link, deque()).append(frame)
            self._start()

    def drop(self, link: int) -> None:
        """The link is gone or will be: its frames are not delivered any more."""
        self._unverified.pop(link, None)
        for frame in self._queues.pop(link, ()):
            frame.done()

    def close(self) -> None:
        """Drop everything and end the threads."""
        for link in list(self._queues):
            self.drop(link)
        self._pool.shutdown()

    def _start(self) -> None:
        while self._busy < WORKERS and self._unverified:
            link = next(iter(self._unverified))
            frames = self._unverified.pop(link)
            frame = frames.popleft()
            if frames:
                self._unverified[link] = frames  # behind the others
            self._busy += 1
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._pool, self._prepare, frame.data)
            future.add_done_callback(partial(self._verified, link, frame))

    def _verified(self, link: int, frame: _Frame, future: asyncio.Future[Prepared | None]) -> None:
        good = False
        try:
            self._busy -= 1
            frame.prepared, frame.ready = future.result(), True
            self._start()
            self._deliver_ready(link)
            good = True
        finally:  # an exception here is a bug: nobody above would hear of it
            if not good:
                self._broken()

    def _deliver_ready(self, link: int) -> None:
        while (queue := self._queues.get(link)) and queue[0].ready:
            frame = queue.popleft()
            if not queue:
                del self._queues[link]
            self._deliver(link, frame.data, frame.prepared, frame.done)

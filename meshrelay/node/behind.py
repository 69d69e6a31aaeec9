"""What is written behind: it can be learned again, so idle disks may rest."""

from __future__ import annotations

import time
from collections.abc import Callable

from meshrelay.core.vector import Cursor
from meshrelay.node.clock import Clock
from meshrelay.store.log import LogStore
from meshrelay.store.seen import Mark

# HAVEs and cursors.
KEEP_S = 10.0
# The mark of the clock of seen time, of which a power cut takes so much: beside the next
# commit after this long, and for its own sake after that.
MARK_S = 30.0
MARK_IDLE_S = 300.0

Keep = Callable[[LogStore], None]


class Behind:
    """Collects `haves` (by signer) and `cursors` (by peer) until they are due."""

    def __init__(self, clock: Clock) -> None:
        self.haves: dict[bytes, list[bytes]] = {}
        self.cursors: dict[bytes, Cursor] = {}
        self._clock = clock
        self._kept_s = self._marked_s = time.monotonic()

    def mark_beside_a_commit(self) -> Mark | None:
        """The mark, if it is time to write it."""
        now_s = time.monotonic()
        if now_s - self._marked_s < MARK_S:
            return None
        self._marked_s = now_s
        return self._clock.mark()

    def due(self) -> Keep | None:
        """What to write now, if anything."""
        now_s = time.monotonic()
        if now_s - self._marked_s >= MARK_IDLE_S:
            return self.all_of_it()
        if now_s - self._kept_s >= KEEP_S:
            self._kept_s = now_s
            if self.haves or self.cursors:
                return self._take(None)
        return None

    def all_of_it(self) -> Keep:
        """Everything, as at the end."""
        self._kept_s = self._marked_s = time.monotonic()
        return self._take(self._clock.mark())

    def _take(self, mark: Mark | None) -> Keep:
        haves, self.haves = self.haves, {}
        cursors, self.cursors = self.cursors, {}

        def keep(store: LogStore) -> None:
            for signer, raws in haves.items():
                for raw in raws:
                    store.keep_have(signer, raw)
            for peer, cursor in cursors.items():
                store.keep_cursor(peer, cursor)
            if mark is not None:
                store.keep_mark(mark)

        return keep

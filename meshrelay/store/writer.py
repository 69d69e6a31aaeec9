"""The one writer: a thread that groups whatever waits into one FULL commit.

While one fsync runs the next batch collects, so the batch grows with the load and a
lone urgent entry never waits for company.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

import apsw

from meshrelay.errors import StoreError
from meshrelay.store.sqlite import transaction

# So that one fsync does not hold back its answers for a whole backlog.
WORKS_PER_COMMIT_MAX = 256
# Under load commits come first: after a fold the next waits this many times as long as it
# took, so that folds have at most one part in seven of the writer's time.
FOLD_REST = 6
# When nothing was asked of the writer for so long there is no load, and folds go on at once.
QUIET_S = 0.02


class Work(NamedTuple):
    """`write` runs inside the transaction, `done` (any thread) after its commit."""

    write: Callable[[], None]
    done: Callable[[], None] | None


class Writer:
    """Runs works in order. After a disk failure nothing more is written or answered.

    `after_commit` does what may lag behind and says whether it left something to do.
    `now_s`: a clock that only runs forward.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        after_commit: Callable[[], bool],
        failed: Callable[[StoreError], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._after_commit = after_commit
        self._failed = failed
        self._now_s = now_s
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, write: Callable[[], None], done: Callable[[], None] | None = None) -> None:
        """Queue a work; never blocks."""
        self._queue.put(Work(write, done))

    def stop(self) -> None:
        """Finish what is queued and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        try:
            ended = self._work()
        finally:  # a bug here must stop the node, or it would accept and never store
            if not ended:
                self._failed(StoreError("the writer ended"))

    def _work(self) -> bool:
        behind = True  # whether there may be something to fold; the last run may have left some
        due_s = worked_s = 0.0
        try:
            while True:
                wait_s = min(due_s, worked_s + QUIET_S) - self._now_s() if behind else None
                works, last = self._collect(wait_s)
                if works:
                    self._commit(works)
                    behind, worked_s = True, self._now_s()
                began_s = self._now_s()
                if behind and (not works or last or began_s >= due_s):
                    behind = self._after_commit()
                    ended_s = self._now_s()
                    due_s = ended_s + FOLD_REST * (ended_s - began_s)
                if last:
                    return True
        except StoreError as error:
            self._failed(error)
            return True

    def _collect(self, wait_s: float | None) -> tuple[list[Work], bool]:
        """What waits now, or comes within `wait_s`; True when nothing will come after it."""
        works: list[Work] = []
        try:
            item = self._queue.get(timeout=None if wait_s is None else max(wait_s, 0.0))
            while item is not None:
                works.append(item)
                if len(works) >= WORKS_PER_COMMIT_MAX:
                    break
                item = self._queue.get_nowait()
            else:
                return works, True
        except Empty:
            pass
        return works, False

    def _commit(self, works: list[Work]) -> None:
        with transaction(self._connection):
            for work in works:
                work.write()
        for work in works:
            if work.done is not None:
                work.done()

"""The one writer: a thread that groups whatever waits into one FULL commit.

While one fsync runs the next batch collects, so the batch grows with the load and a
lone urgent entry never waits for company.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

import apsw

from meshrelay.errors import StoreError
from meshrelay.store.sqlite import transaction

# So that one fsync does not hold back its answers for a whole backlog.
WORKS_PER_COMMIT_MAX = 256
# Under load commits come first; the views may lag by this many commits.
COMMITS_PER_FOLD_MAX = 16


class Work(NamedTuple):
    """`write` runs inside the transaction, `done` (any thread) after its commit."""

    write: Callable[[], None]
    done: Callable[[], None] | None


class Writer:
    """Runs works in order. After a disk failure nothing more is written or answered.

    `after_commit` does what may lag behind and says whether it left something to do.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        after_commit: Callable[[], bool],
        failed: Callable[[StoreError], None],
    ) -> None:
        self._connection = connection
        self._after_commit = after_commit
        self._failed = failed
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
        behind = 0  # commits since the last fold
        more = False  # whether a fold left something
        try:
            while True:
                if more and self._queue.empty():
                    more = self._after_commit()
                    continue
                works: list[Work] = []
                item = self._queue.get()
                while item is not None:
                    works.append(item)
                    if len(works) >= WORKS_PER_COMMIT_MAX or self._queue.empty():
                        break
                    item = self._queue.get()
                if works:
                    with transaction(self._connection):
                        for work in works:
                            work.write()
                for work in works:
                    if work.done is not None:
                        work.done()
                behind += 1
                if item is None or behind >= COMMITS_PER_FOLD_MAX or self._queue.empty():
                    more = self._after_commit()
                    behind = 0
                if item is None:
                    return True
        except StoreError as error:
            self._failed(error)
            return True

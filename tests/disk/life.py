"""One start of a store: opened as the node opens it, fed by a script, ended by what comes."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from unittest.mock import patch

import apsw

from meshrelay.errors import ConfigError, StoreError
from meshrelay.node.folding import Folder
from meshrelay.store import sqlite
from meshrelay.store.log import LogStore
from meshrelay.store.writer import Writer
from tests.disk.script import Script, open_folder

# How a start is refused, or a process ends, when its disk fails.
FAILURES = (ConfigError, StoreError, apsw.Error)
TURN_S = 0.001


class Life:
    """`answered`: groups of the script whose commit was reported, all lives together.

    `is_cut` says whether nobody hears answers any more; `queued` runs before a group is queued.
    """

    def __init__(
        self, directory: Path, script: Script, answered: int, is_cut: Callable[[], bool],
        synchronous: str = "", queued: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.directory = directory
        self.answered = answered
        self.works_answered = 0  # of the group under way
        self.started = False
        self.ended: list[str] = []  # why the process would end
        self._script = script
        self._is_cut = is_cut
        self._synchronous = synchronous
        self._queued = queued
        self._over = threading.Event()
        self._store: LogStore | None = None
        self._folder: Folder | None = None
        self._turns = count()

    def run(self) -> None:
        """From the start to the end of the script, or until the process would end."""
        often = patch.object(sqlite, "CHECKPOINT_PAGES", self._script.checkpoint_pages)
        with often, crashes() as crashed:
            try:
                self._store, self._folder = self._open()
            except FAILURES as error:
                self.ended.append(f"start: {type(error).__name__}: {error}")
                return
            self.started = True
            writer = Writer(
                self._store.connection, partial(self._fold, self._folder), self._failed, self._now_s
            )
            if self.answered < len(self._script.groups):
                self._put(writer, self._store, self._folder)
            else:
                self._over.set()
            writer.start()
            self._over.wait()
            writer.stop()
        self.ended += [f"crash: {type(error).__name__}: {error}" for error in crashed]

    def _open(self) -> tuple[LogStore, Folder]:
        store = LogStore(self.directory / "log.db")
        store.load()
        if self._synchronous:
            store.connection.pragma("synchronous", self._synchronous)
        return store, open_folder(self.directory)

    def _now_s(self) -> float:
        """Time passes with each look at the clock: the same works, the same folds between them."""
        return next(self._turns) * TURN_S

    def _fold(self, folder: Folder) -> bool:
        """The end comes when all is folded, so that the same calls are made in every run."""
        more = folder.run()
        if not more and self.answered == len(self._script.groups):
            self._over.set()
        return more

    def _failed(self, error: StoreError) -> None:
        self.ended.append(str(error))
        self._over.set()

    def _put(self, writer: Writer, store: LogStore, folder: Folder) -> None:
        """Queue the next group; its last answer queues the one after it."""
        self._queued()
        works = self._script.groups[self.answered].works
        for number, work in enumerate(works, 1):
            done = partial(
                self._done, number == len(works), partial(self._put, writer, store, folder)
            )
            writer.put(partial(work, store, folder), done)

    def _done(self, whole: bool, put_next: Callable[[], None]) -> None:
        if self._is_cut():
            self._over.set()
            return
        self.works_answered += 1
        if whole:
            self.works_answered = 0
            self.answered += 1
            if self.answered < len(self._script.groups):
                put_next()

    def close(self) -> None:
        """Let go of the files, whatever the disk says to it."""
        for each in (self._folder, self._store.connection if self._store else None):
            if each is not None:
                with contextlib.suppress(apsw.Error):
                    each.close()


@contextlib.contextmanager
def crashes() -> Iterator[list[BaseException]]:
    """Errors that end a thread meanwhile; what a forgotten connection meets is nobody's."""
    found: list[BaseException] = []
    thread_hook, stray_hook = threading.excepthook, sys.unraisablehook

    def stray(args: sys.UnraisableHookArgs) -> None:
        if not isinstance(args.exc_value, apsw.Error):
            stray_hook(args)

    threading.excepthook = lambda args: found.append(args.exc_value) if args.exc_value else None
    sys.unraisablehook = stray
    try:
        yield found
    finally:
        threading.excepthook, sys.unraisablehook = thread_hook, stray_hook


def copied(directory: Path, to: Path) -> Path:
    """A copy without the wal-index, as the next process finds the files."""
    return shutil.copytree(directory, to, ignore=shutil.ignore_patterns("*-shm"))

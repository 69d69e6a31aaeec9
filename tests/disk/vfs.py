"""A disk under SQLite that can lose power, be full or fail at any call.

    with Disk(directory, trap) as disk:
        ...  # whatever this process opens there is on it

The files themselves are what programs see, the page cache; `disk.files` is the platter. The
wal-index (-shm) is not on it: it does not outlive a power cut.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import apsw

from tests.disk.platter import File, Truncate, Write

BASE = "unix"
NAME = "tests.disk"
READ, WRITE, SYNC, TRUNCATE, SIZE = "read", "write", "sync", "truncate", "size"
CREATE, DELETE = "create", "delete"
# What changes a disk: between two of these, it does not matter when the power goes.
CHANGING = frozenset({WRITE, SYNC, TRUNCATE, CREATE, DELETE})
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
_MODELLED = _JOURNALS | apsw.SQLITE_OPEN_MAIN_DB
# Runs before each call: (what, file name). It may cut the power or raise a fault.
Trap = Callable[["Disk", str, str], None]


class Disk(apsw.VFS):
    """The disk of one directory, until `with` ends.

    `files`: what is on the platter, where that is not what programs see. `off`: the power is
    gone; every call fails from then on.
    """

    def __init__(
        self, directory: Path, trap: Trap | None = None, files: dict[str, File] | None = None
    ) -> None:
        super().__init__(NAME, BASE, makedefault=True)
        self.off = False
        self.trap = trap
        self.calls: Counter[str] = Counter()
        self.files = files or {
            path.name: File(path.read_bytes(), named=True)
            for path in directory.iterdir()
            if not path.name.endswith("-shm")
        }
        self.unlinked: dict[str, File] = {}
        self._directory = directory.resolve()
        self._fsync = patch.object(os, "fsync", partial(self._synced_by_hand, os.fsync))

    def __enter__(self) -> Disk:
        self._fsync.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._fsync.stop()
        self.unregister()

    def _synced_by_hand(self, fsync: Callable[[int], None], fd: int) -> None:
        """What a program wrote to one of these files itself, past SQLite."""
        fsync(fd)
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        if path.parent == self._directory:
            self.files[path.name] = File(path.read_bytes(), named=True)

    def call(self, what: str, name: str) -> None:
        """Every call comes by here first. Raises whatever the disk does to it."""
        self.calls[what] += 1
        if self.trap is not None and not self.off:
            self.trap(self, what, name)
        if self.off:
            raise apsw.IOError("no power")

    def synced(self, name: str, journal: bool) -> None:
        """A file is on the platter, and with a journal every name of the directory."""
        self.files[name].sync()
        if journal:
            self.unlinked.clear()
            for file in self.files.values():
                file.named = True

    def leave(self, directory: Path, rng: Random) -> None:
        """Write what a power cut leaves into an empty directory."""
        files = {
            name: file for name, file in self.files.items() if file.named or rng.random() < 0.5
        }
        for name, file in self.unlinked.items():
            if name not in files and rng.random() < 0.5:
                files[name] = file
        for name, file in sorted(files.items()):
            (directory / name).write_bytes(file.left(rng))

    # apsw.VFS

    def excepthook(self, *_: object) -> bool:
        """What no caller hears of (a close, most of all) is not told on the screen either."""
        return True

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        kind = flags[0]
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "")
        if path.parent != self._directory or not kind & _MODELLED:
            return apsw.VFSFile(BASE, name, flags)
        new = not path.exists()
        if new and kind & apsw.SQLITE_OPEN_CREATE:
            self.call(CREATE, path.name)
        opened = OpenFile(self, path.name, bool(kind & _JOURNALS), name, flags)
        if new:
            self.files[path.name] = File(named=False)
        return opened

    def xDelete(self, filename: str, syncdir: bool) -> None:
        path = Path(filename)
        if path.parent != self._directory:
            super().xDelete(filename, syncdir)
            return
        name = path.name
        self.call(DELETE, name)
        super().xDelete(filename, syncdir)
        gone = self.files.pop(name, None)
        if gone is not None and gone.named and not syncdir:
            gone.since.clear()
            self.unlinked[name] = gone


class OpenFile(apsw.VFSFile):
    """One open file of a disk."""

    def __init__(self, disk: Disk, name: str, journal: bool, path: Any, flags: list[int]) -> None:
        super().__init__(BASE, path, flags)
        self._disk = disk
        self._name = name
        self._journal = journal

    def excepthook(self, *_: object) -> bool:
        return True

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.call(READ, self._name)
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.call(WRITE, self._name)
        super().xWrite(data, offset)
        self._disk.files[self._name].since.append(Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self._disk.call(TRUNCATE, self._name)
        super().xTruncate(newsize)
        self._disk.files[self._name].since.append(Truncate(newsize))

    def xSync(self, flags: int) -> None:
        """The real file is not synced: the platter is a model."""
        self._disk.call(SYNC, self._name)
        self._disk.synced(self._name, self._journal)

    def xFileSize(self) -> int:
        self._disk.call(SIZE, self._name)
        return super().xFileSize()


class PowerCut:
    """Cuts the power at call `number` of these kinds (1 is the first), just before it."""

    def __init__(self, number: int, kinds: frozenset[str] = CHANGING) -> None:
        self._left = number
        self._kinds = kinds

    def __call__(self, disk: Disk, what: str, name: str) -> None:
        self._left -= what in self._kinds
        disk.off = self._left <= 0


class FailedSync:
    """Fails sync `number` of one file, which takes with it what was to be synced."""

    def __init__(self, number: int, name: str) -> None:
        self._left = number
        self._name = name

    def __call__(self, disk: Disk, what: str, name: str) -> None:
        if (what, name) != (SYNC, self._name):
            return
        self._left -= 1
        if self._left == 0:
            disk.files[name].fail_sync()
            raise apsw.IOError("the sync failed")

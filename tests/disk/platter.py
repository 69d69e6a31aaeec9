"""What a disk keeps when the power fails: all that was synced, and of the rest what chance leaves.

Written since the last sync of its file, each sector may be there or not, whatever was written
before or after it (so writes are lost and change places), and one may be torn: a part of it new,
the rest as before. Bytes that nobody wrote never change; SQLite counts on that
(SQLITE_POWERSAFE_OVERWRITE).

Names are kept simple. A new file's name is on the platter once the file was synced, or once a
journal or WAL beside it was: SQLite syncs the directory with the first sync of those. Until then
it is there or not, by chance. A file that was unlinked without a sync of the directory is back
by chance, as it was last synced, unless a new one of its name is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

SECTORS = (512, 4096)


class Write(NamedTuple):
    """Bytes at a place of a file."""

    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A new length of a file."""

    size: int


Change = Write | Truncate


class Damage(NamedTuple):
    """How a cut treats what was not synced, of one file.

    `kept_of_ten`: sectors that are there. `in_order`: all up to one of them, none after it.
    """

    sector: int
    kept_of_ten: int
    in_order: bool
    torn: bool

    @classmethod
    def of(cls, rng: Random) -> Damage:
        return cls(
            rng.choice(SECTORS), rng.choice((0, 1, 5, 9, 10)), rng.random() < 0.3,
            rng.random() < 0.7,
        )  # fmt: skip


class File:
    """One file: what is on the platter for certain, and every change since its last sync."""

    def __init__(self, content: bytes = b"", *, named: bool) -> None:
        self.kept = bytearray(content)
        self.since: list[Change] = []
        self.named = named

    def sync(self) -> None:
        for change in self.since:
            apply(self.kept, change)
        self.since.clear()
        self.named = True

    def fail_sync(self) -> None:
        """A sync that failed: Linux counts these changes as written, and no later sync writes them.

        Programs go on seeing them, until the power goes.
        """
        self.since.clear()

    def left(self, rng: Random) -> bytes:
        """Its bytes after a power cut."""
        damage, left = Damage.of(rng), bytearray(self.kept)
        pieces = [piece for change in self.since for piece in pieces_of(change, damage.sector)]
        end = rng.randint(0, len(pieces))
        for number, piece in enumerate(pieces):
            if damage.in_order and number > end:
                break
            if damage.in_order:
                there, torn = number < end, damage.torn
            else:
                there = rng.randrange(10) < damage.kept_of_ten
                torn = damage.torn and rng.random() < 0.2
            if there:
                apply(left, piece)
            elif torn and isinstance(piece, Write) and len(piece.data) > 1:
                apply(left, _part(piece, rng))
        return bytes(left)


def pieces_of(change: Change, sector: int) -> Iterator[Change]:
    """A change as the disk makes it: sector by sector."""
    if isinstance(change, Truncate):
        yield change
        return
    at, end = change.offset, change.offset + len(change.data)
    while at < end:
        stop = min(end, at - at % sector + sector)
        yield Write(at, change.data[at - change.offset : stop - change.offset])
        at = stop


def apply(content: bytearray, change: Change) -> None:
    """Make a change; a hole before it is zeros."""
    size = change.size if isinstance(change, Truncate) else change.offset
    content.extend(bytes(max(0, size - len(content))))
    if isinstance(change, Truncate):
        del content[size:]
    else:
        content[size : size + len(change.data)] = change.data


def _part(piece: Write, rng: Random) -> Write:
    """One end of what was written to a sector."""
    middle = rng.randrange(1, len(piece.data))
    if rng.random() < 0.5:
        return Write(piece.offset, piece.data[:middle])
    return Write(piece.offset + middle, piece.data[middle:])

"""What a store holds, as lines and record ids, in order of change.

A *line* is (log, height, head); the set of lines is a summary vector (Vahdat &
Becker 2000). The change number counts changes of lines and records, so that a peer
that says how far it knows us can be told just what came after.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import deque
from heapq import merge
from operator import itemgetter
from typing import NamedTuple

from meshrelay.core.codec import encode
from meshrelay.core.entry import LogId
from meshrelay.core.gaps import Gaps, cut, floor_of
from meshrelay.core.signing import hash32

DIGEST_BYTES = 16
# Of 30,000 staff records a bucket names about 120: an answer of 4 KB.
BUCKETS = 256
BUCKET_DIGEST_BYTES = 8
# Steps of logs remembered since the start: a peer cut off for a while is sent just these.
STEPS_MAX = 4_096


class Line(NamedTuple):
    """The highest entry of a log that is held, and its id.

    `floor`: everything above it is held, 0 = the whole log. It is in no digest: two stores of
    which one has dropped old entries are equal.
    """

    log: LogId
    height: int
    head: bytes
    floor: int = 0


class Cursor(NamedTuple):
    """How far we know a peer's store: (incarnation of the store, change number)."""

    incarnation: bytes
    change: int


NO_CURSOR = Cursor(bytes(8), 0)


class Vector:
    """The committed state of one store. Only what is on disk may be noted here."""

    def __init__(self) -> None:
        self.change = 0
        self.lines: dict[LogId, Line] = {}
        self.gaps: dict[LogId, Gaps] = {}
        self._changed: dict[LogId, int] = {}  # insertion order = order of change
        # Records never change: each one's id and change number, in order. A city's roster is here.
        self._arrived: tuple[list[bytes], array[int]] = ([], array("Q"))
        self._steps: deque[tuple[int, LogId, int]] = deque()
        self._steps_from = 0
        # Of each bucket: log -> what its line adds to the digest; record ids, sorted.
        self._lines: list[dict[LogId, bytes]] = [{} for _ in range(BUCKETS)]
        self._records: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        self._bucket_digests = [bytes(BUCKET_DIGEST_BYTES)] * BUCKETS
        self._stale: set[int] = set()
        self._digest: bytes | None = None

    def advance(self, log: LogId, height: int, head: bytes) -> None:
        """Note that entries up to `height` are on disk.

        Call it after the commit, never before: a node that advertises what it has
        not stored will, after a power cut, sign a second entry with the same number.
        """
        first = self.height(log) + 1
        self._note_line(Line(log, height, head, self.floor(log)))
        self._steps.append((self.change, log, first))
        if len(self._steps) > STEPS_MAX:
            self._steps_from = self._steps.popleft()[0]

    def forget_steps(self) -> None:
        """What was read from the disk tells heights, not how they came to be."""
        self._steps.clear()
        self._steps_from = self.change

    def cut(self, line: Line) -> None:
        """An end took a log back to `line`; height 0 removes it."""
        self._keep_gaps(line.log, cut(self.gaps.get(line.log, ()), line.height, line.head))
        if line.height:
            self._note_line(line._replace(floor=self.floor(line.log)))
            return
        self.lines.pop(line.log, None)
        number = bucket_of(line.log)
        self._lines[number].pop(line.log, None)
        self._changed.pop(line.log, None)
        self._note(number)

    def set_gaps(self, log: LogId, gaps: Gaps) -> None:
        """Note what the log, which is here, lacks now. A change: peers are told the floor."""
        self._keep_gaps(log, gaps)
        self._note_line(self.lines[log]._replace(floor=self.floor(log)))

    def _keep_gaps(self, log: LogId, gaps: Gaps) -> None:
        if gaps:
            self.gaps[log] = gaps
        else:
            self.gaps.pop(log, None)

    def floor(self, log: LogId) -> int:
        """Seq above which nothing of the log is missing."""
        return floor_of(self.gaps.get(log, ()))

    def add_record(self, record_id: bytes) -> None:
        """Note that a record is on disk. Sessions are in no digest and never come here."""
        number = bucket_of(record_id)
        ids, changes = self._arrived
        if self.has_record(record_id):  # read from a damaged store without its parent
            at = ids.index(record_id)
            del ids[at], changes[at]
        else:
            insort(self._records[number], record_id)
        self._note(number)
        ids.append(record_id)
        changes.append(self.change)

    def has_record(self, record_id: bytes) -> bool:
        """Whether a record is here."""
        bucket = self._records[bucket_of(record_id)]
        at = bisect_left(bucket, record_id)
        return at < len(bucket) and bucket[at] == record_id

    def _note_line(self, line: Line) -> None:
        self.lines[line.log] = line
        number = bucket_of(line.log)
        self._lines[number][line.log] = encode([*line.log, line.height, line.head])
        self._note(number)
        self._changed.pop(line.log, None)
        self._changed[line.log] = self.change

    def _note(self, bucket: int) -> None:
        self.change += 1
        self._stale.add(bucket)
        self._digest = None

    def height(self, log: LogId) -> int:
        """Held height of a log, 0 when it is unknown."""
        line = self.lines.get(log)
        return line.height if line else 0

    def after(self, change: int) -> list[tuple[LogId | bytes, int]]:
        """(log or record id, change number) of all that changed after `change`, oldest first."""
        logs: list[tuple[LogId | bytes, int]] = []
        for log in reversed(self._changed):
            number = self._changed[log]
            if number <= change:
                break
            logs.append((log, number))
        logs.reverse()
        ids, changes = self._arrived
        first = bisect_right(changes, change)
        return list(merge(logs, zip(ids[first:], changes[first:], strict=True), key=itemgetter(1)))

    def firsts_after(self, change: int) -> dict[LogId, int] | None:
        """log -> first seq that came after `change`; None when that is not remembered."""
        if change < self._steps_from:
            return None
        firsts: dict[LogId, int] = {}
        for number, log, first in reversed(self._steps):
            if number <= change:
                break
            firsts[log] = min(first, firsts.get(log, first))
        return firsts

    def bucket_digests(self) -> list[bytes]:
        """BUCKETS digests: of all lines and record ids whose key falls into each."""
        for number in self._stale:
            items = sorted([*self._lines[number].values(), *self._records[number]])
            self._bucket_digests[number] = (
                hash32(*items)[:BUCKET_DIGEST_BYTES] if items else bytes(BUCKET_DIGEST_BYTES)
            )
        self._stale.clear()
        return self._bucket_digests

    def bucket(self, number: int) -> tuple[list[Line], list[bytes]]:
        """Lines and record ids of one bucket."""
        return [self.lines[log] for log in self._lines[number]], list(self._records[number])

    def digest(self) -> bytes:
        """BLAKE2b-256 over the bucket digests, cut to 16 bytes: a hash tree of one level.

        Equal digests mean equal stores; how they came to be does not matter.
        """
        if self._digest is None:
            self._digest = hash32(*self.bucket_digests())[:DIGEST_BYTES]
        return self._digest


def bucket_of(key: LogId | bytes) -> int:
    """First byte of a record's id, or of the hash of a log's name."""
    return key.first_prev[0] if isinstance(key, LogId) else key[0]

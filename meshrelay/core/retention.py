"""What a bounded store takes in, and what it may drop.

From peers a quota is back-pressure: we stop asking, nobody is told that they did wrong. From
people it is a refusal, before the store is full. Eviction drops the oldest part of a log, in
one order, and never what only this node may hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from meshrelay.core.entry import BACKGROUND, BULK, NORMAL, URGENT, LogId

# Parts of the quota, in hundredths. What people write here goes on longest: the last twentieth
# is for urgent words of our own staff, whatever peers bring.
PEOPLE_FULL = {URGENT: 100, NORMAL: 90, BACKGROUND: 90, BULK: 80}
PEERS_FULL = {URGENT: 95, NORMAL: 85, BACKGROUND: 80, BULK: 75}
# Of the quota, for all logs of one origin in one lane: a city of 24 wards at twenty times the
# load of its worst day stays below; a node that floods ends here.
ORIGIN_FULL = {URGENT: 2, NORMAL: 6, BACKGROUND: 4, BULK: 4}
# A node that draws new incarnations to fill memory: 8,192 lines are 5 MB. Four a day last five
# years.
LOGS_PER_ORIGIN_MAX = 8_192
# Dropping begins well before anybody is refused, and goes on until there is air.
EVICT_ABOVE, EVICT_DOWN_TO = 70, 65
# An archive that answered our last question permits eviction for so long.
FRESH_MS = 10_000

FULL, QUOTA, TOO_MANY_LOGS = "full", "quota", "too_many_logs"


class Stock:
    """How much of each origin's logs lies here, against how much may."""

    def __init__(self) -> None:
        self.used = 0
        self.quota = 0  # 0: no limit was told
        self._bytes: Counter[tuple[bytes, int]] = Counter()
        self._coming: Counter[tuple[bytes, int]] = Counter()
        self._logs: Counter[bytes] = Counter()

    def add(self, log: LogId, size: int, is_new: bool) -> None:
        """So many bytes of a log more, or less."""
        self._bytes[log.origin, log.lane] += size
        self._logs[log.origin] += is_new

    def expect(self, log: LogId, size: int) -> None:
        """So many bytes of a peer's are on their way to the disk, or have come there (less)."""
        self._coming[log.origin, log.lane] += size

    def put_back(self) -> None:
        """What was on its way did not reach the disk."""
        self._coming.clear()

    def bars(self, log: LogId, is_new: bool) -> str | None:
        """Why entries of this log are not taken from peers now; None: they are."""
        if is_new and self._logs[log.origin] >= LOGS_PER_ORIGIN_MAX:
            return TOO_MANY_LOGS
        if not self.quota:
            return None
        if self.used * 100 >= self.quota * PEERS_FULL[log.lane]:
            return FULL
        place = (log.origin, log.lane)
        taken = self._bytes[place] + self._coming[place]
        if taken * 100 >= self.quota * ORIGIN_FULL[log.lane]:
            return QUOTA
        return None


def refuses_people(lane: int, used: int, quota: int) -> bool:
    """Whether somebody who writes here must be told that the store is too full for this lane."""
    return quota > 0 and used * 100 >= quota * PEOPLE_FULL[lane]


def to_free(used: int, quota: int) -> int:
    """Bytes to drop now, 0 when there is air."""
    if not quota or used * 100 < quota * EVICT_ABOVE:
        return 0
    return used - quota * EVICT_DOWN_TO // 100


class Old(NamedTuple):
    """One stored entry that might go: the lowest of its log that is still here comes first."""

    log: LogId
    seq: int
    id: bytes
    size: int
    written: int  # its HLC stamp
    is_expired: bool


class Drop(NamedTuple):
    """Entries of a log up to this one go."""

    log: LogId
    upto: int
    upto_id: bytes
    size: int


# Expired bulk, bulk, expired background and normal, background, normal; urgent never.
_ORDER = (
    (BULK, True), (BULK, False), (BACKGROUND, True), (NORMAL, True),
    (BACKGROUND, False), (NORMAL, False),
)  # fmt: skip


def choose(
    logs: Mapping[LogId, Iterator[Old]], bytes_wanted: int, may_go: Callable[[Old], bool]
) -> list[Drop]:
    """What to drop for so many bytes: the one function that evicts.

    `logs`: each log's entries from its floor up. A log loses only a first part, so that what
    stays has no holes; within a class the oldest goes first, by stamp.
    """
    fronts = {log: next(olds, None) for log, olds in logs.items()}
    drops: dict[LogId, Drop] = {}
    for lane, expired in _ORDER:
        queue = [(old.written, log) for log, old in fronts.items() if old and log.lane == lane]
        heapify(queue)
        while queue and bytes_wanted > 0:
            _, log = heappop(queue)
            old = fronts[log]
            if old is None or (expired and not old.is_expired) or not may_go(old):
                continue  # nothing more of this log in this class
            before = drops[log].size if log in drops else 0
            drops[log] = Drop(log, old.seq, old.id, before + old.size)
            bytes_wanted -= old.size
            fronts[log] = following = next(logs[log], None)
            if following is not None:
                heappush(queue, (following.written, log))
    return list(drops.values())

"""One link as the sync machine sees it: what they asked, what we asked, and how fast.

A sender re-chooses strictly by lane for every batch and never sends beyond the
receiver's byte grant, so that bulk can never stand in front of an urgent entry for
longer than the grant takes.
"""

from __future__ import annotations

from meshrelay.core.entry import LANES, LogId
from meshrelay.core.frames import BATCH_BYTES_MAX, Hello

# Bytes in flight: a quarter second of the measured rate, within these bounds.
GRANT_MS = 250
GRANT_BYTES_MIN = 16 * 1024
GRANT_BYTES_MAX = 1024 * 1024
# How long one announcer may take to move a log before another is asked.
LEASE_MS = 10_000
LEASE_URGENT_MS = 1_000
# A link that owes us and is silent this long loses its leases at once.
SILENT_MS = 3_000
# Fruitless leases before an announcement is taken for a lie and forgotten.
LEASES_FRUITLESS_MAX = 3
# "Never yet", on a clock that only runs forward.
LONG_AGO = 3_600_000


class Lease:
    """One log that we follow on a link."""

    __slots__ = ("fruitless", "until_ms")

    def __init__(self, lane: int, now_ms: int) -> None:
        self.fruitless = 0
        self.until_ms = 0
        self.renew(lane, now_ms)

    def renew(self, lane: int, now_ms: int) -> None:
        self.until_ms = now_ms + (LEASE_URGENT_MS if lane == 0 else LEASE_MS)


class LinkState:
    """Everything the machine keeps for one open link; gone when the link is."""

    def __init__(
        self, link: int, peer: bytes, bearer: str, lossy: bool, broadcasts: bool, now_ms: int
    ) -> None:
        self.id = link
        self.peer = peer
        self.bearer = bearer
        self.lossy = lossy
        self.broadcasts = broadcasts
        self.theirs: Hello | None = None
        self.hello_ms = now_ms - LONG_AGO
        self.all_lines_ms = now_ms - LONG_AGO
        self.have_ms = now_ms - LONG_AGO
        self.heard_ms = now_ms
        self.records_ms = now_ms - LONG_AGO
        # What they announced and we do not hold; the cursor may move to `mark` when empty.
        self.owed: dict[LogId, int] = {}
        self.owed_records: set[bytes] = set()
        self.mark = 0
        # What we follow here, and what we granted.
        self.leases: dict[LogId, Lease] = {}
        self.grant = GRANT_BYTES_MIN
        self.used = 0
        self.granted_ms = now_ms
        self.lane_ms = [now_ms - LONG_AGO for _ in LANES]
        # What they follow here, and what they granted.
        self.standing: dict[LogId, int] = {}
        self._ready: tuple[dict[LogId, None], ...] = tuple({} for _ in LANES)
        self.credit = 0
        self.repeat_ms = now_ms + SILENT_MS if lossy else None
        self.reading = False

    # Sending

    def wake(self, log: LogId) -> None:
        """An entry that they follow may be ready."""
        self._ready[log.lane][log] = None

    def withdraw(self, log: LogId) -> None:
        """They follow this log here no longer."""
        self.standing.pop(log, None)
        self._ready[log.lane].pop(log, None)

    def next_log(self) -> LogId | None:
        """The log to send from now: strictly by lane, in turn within a lane."""
        for lane in self._ready:
            if lane:
                log = next(iter(lane))
                lane[log] = lane.pop(log)
                return log
        return None

    def sleep(self, log: LogId) -> None:
        """Nothing more to send from this log for now."""
        self._ready[log.lane].pop(log, None)

    def batch_bytes(self) -> int:
        """How much one batch may carry under what is left of the grant."""
        return min(self.credit, BATCH_BYTES_MAX)

    # Receiving

    def took(self, log: LogId, size: int, now_ms: int) -> None:
        """Entries of `log` came in and moved it."""
        self.used += size
        self.lane_ms[log.lane] = now_ms
        lease = self.leases.get(log)
        if lease is not None:
            lease.fruitless = 0
            lease.renew(log.lane, now_ms)

    def needs_grant(self) -> bool:
        """Half of the last grant is used up."""
        return self.used * 2 >= self.grant

    def next_grant(self, now_ms: int) -> int:
        """The size of the next grant, from the rate measured since the last one."""
        if self.used:
            elapsed_ms = max(now_ms - self.granted_ms, 1)
            wanted = self.used * GRANT_MS // elapsed_ms
            self.grant = max(GRANT_BYTES_MIN, min(GRANT_BYTES_MAX, wanted, self.grant * 2))
        self.used = 0
        self.granted_ms = now_ms
        return self.grant

    def higher_lane_moved(self, lane: int, since_ms: int) -> bool:
        """Whether a more urgent lane used the link lately: patience is due."""
        return any(moved_ms >= since_ms for moved_ms in self.lane_ms[:lane])

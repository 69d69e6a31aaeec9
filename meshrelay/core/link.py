"""One link as the sync machine sees it: what they asked, what we asked, and how fast.

A sender re-chooses strictly by lane for every batch and never has more under way than the
receiver's byte grant, so that bulk can never stand in front of an urgent entry for longer
than the grant takes.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshrelay.core.entry import LANES, LogId
from meshrelay.core.frames import BATCH_BYTES_MAX, NONCE_BYTES, PUSH_NOTHING, PUSH_OWN, Hello

# Bytes under way: a quarter second of the measured rate, within these bounds. The least is
# half a second of a 128 kbit/s line: an urgent entry waits behind it.
GRANT_MS = 250
GRANT_BYTES_MIN = 8 * 1024
GRANT_BYTES_MAX = 1024 * 1024
# The first one of a link: after an outage the first thing to arrive should be small. Both
# sides know it, so that a link that loses nothing opens without a WANT.
GRANT_BYTES_FIRST = 2 * 1024
# How long one announcer may take to move a log before another is asked.
LEASE_MS = 10_000
LEASE_URGENT_MS = 1_000
# A peer that moves a log but brings less than this (8 kbit/s) drips: others are asked.
LEASE_BYTES_PER_S_MIN = 1_000
# A link that owes us and is silent this long loses its leases at once.
SILENT_MS = 3_000
# Fruitless leases before an announcement is taken for a lie and forgotten.
LEASES_FRUITLESS_MAX = 3
# "Never yet", on a clock that only runs forward.
LONG_AGO = 3_600_000


class Lease:
    """One log that is brought to us on a link, judged term by term.

    `moved`: whether an entry of it came in this term; `came`: bytes that the link had brought
    when the term began; `asked_ms`: when a WANT last named the log here.
    """

    __slots__ = ("asked_ms", "began_ms", "came", "fruitless", "lane", "moved", "until_ms")

    def __init__(self, lane: int, came: int, now_ms: int) -> None:
        self.lane = lane
        self.fruitless = 0
        self.asked_ms = now_ms - LONG_AGO
        self.renew(came, now_ms)

    def renew(self, came: int, now_ms: int) -> None:
        """A new term; twice as long after a fruitless one, for a line may just be slow."""
        term_ms = LEASE_URGENT_MS if self.lane == 0 else LEASE_MS
        self.began_ms = now_ms
        self.until_ms = now_ms + (term_ms * 2 if self.fruitless else term_ms)
        self.moved = False
        self.came = came

    def is_slow(self, came: int) -> bool:
        """Whether the link brought less in this term than any honest line would carry."""
        term_ms = LEASE_URGENT_MS if self.lane == 0 else LEASE_MS
        return (came - self.came) * 1_000 < LEASE_BYTES_PER_S_MIN * term_ms


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
        self.hello_soon = False
        self.all_lines_ms = now_ms - LONG_AGO
        self.heard_ms = now_ms
        self.asked_ms = now_ms - LONG_AGO
        self.nonce = bytes(NONCE_BYTES)
        self.answered_ms = now_ms - LONG_AGO
        self.locates = 0
        # What they announced and we do not hold; the cursor may move to `mark` when empty.
        self.owed: dict[LogId, int] = {}
        self.owed_records: dict[bytes, None] = {}
        self.owed_buckets: dict[int, None] = {}
        self.mark = 0
        self.settled = 0  # the mark that the cursor was last moved to
        self.bridge = 0
        # Of the announced records and buckets, those asked for here.
        self.asking: set[bytes] = set()
        self.asking_buckets: set[int] = set()
        self.records_ms = now_ms - LONG_AGO
        # What is brought here, what we said is not wanted here, and what we granted.
        self.push = PUSH_OWN
        self.leases: dict[LogId, Lease] = {}
        self.floors: dict[LogId, int] = {}  # below these the peer holds nothing
        self.fills_asked: dict[LogId, int] = {}
        self.refused: set[LogId] = set()
        self.grant = GRANT_BYTES_FIRST
        self.used = 0
        self.came = 0
        self.granted_ms = now_ms
        self.lane_ms = [now_ms - LONG_AGO for _ in LANES]
        # What they follow here or want pushed, what they refused, and what they granted.
        self.pushed = PUSH_NOTHING
        self.standing: dict[LogId, int] = {}
        self.withdrawn: set[LogId] = set()
        self.offers: dict[LogId, None] = {}
        self.record_offers: dict[bytes, None] = {}
        self.needed: dict[bytes, None] = {}
        self.vain: dict[bytes, None] = {}
        self.background: dict[bytes, None] = {}
        self.buckets: dict[int, None] = {}
        self.fills: dict[LogId, tuple[int, int]] = {}
        self._ready: tuple[dict[LogId, None], ...] = tuple({} for _ in LANES)
        self.window = 0 if lossy else GRANT_BYTES_FIRST
        self.under_way = 0
        self.reading = False
        self.repeat_ms = now_ms + SILENT_MS if lossy else None

    def is_busy(self) -> bool:
        """Whether a tick may find something to do here besides greeting."""
        return bool(
            self.owed
            or self.owed_records
            or self.owed_buckets
            or self.offers
            or self.record_offers
            or self.mark != self.settled
            or self.repeat_ms is not None
            or any(self.nonce)
        )

    # Sending

    def follow(self, log: LogId, first: int) -> None:
        """They want `log` from `first` on."""
        self.standing[log] = first
        self.withdrawn.discard(log)
        self.wake(log)

    def wake(self, log: LogId) -> None:
        """An entry that they follow may be ready."""
        self._ready[log.lane][log] = None

    def withdraw(self, log: LogId) -> None:
        """They do not want this log from here."""
        self.standing.pop(log, None)
        self.withdrawn.add(log)
        self.sleep(log)

    def next_log(self, lanes: Iterable[int]) -> LogId | None:
        """The log to send from now: strictly by lane, in turn within a lane."""
        for lane in lanes:
            ready = self._ready[lane]
            if ready:
                log = next(iter(ready))
                ready[log] = ready.pop(log)
                return log
        return None

    def sleep(self, log: LogId) -> None:
        """Nothing more to send from this log for now."""
        self._ready[log.lane].pop(log, None)

    @property
    def credit(self) -> int:
        """How much more may be put under way."""
        return self.window - self.under_way

    def batch_bytes(self) -> int:
        """How much one batch may carry: at least two fit a grant, so that a line stays full."""
        return min(self.credit, max(self.window // 2, 1), BATCH_BYTES_MAX)

    # Receiving

    def took(self, log: LogId, now_ms: int) -> None:
        """An entry of `log` came in and moved it."""
        self.lane_ms[log.lane] = now_ms
        lease = self.leases.get(log)
        if lease is not None:
            lease.fruitless = 0
            lease.moved = True

    def brought(self, size: int) -> None:
        """A frame under the grant came in."""
        self.used += size
        self.came += size

    def needs_grant(self) -> bool:
        """Half of the last grant is used up."""
        return self.used * 2 >= self.grant

    def next_grant(self, now_ms: int) -> tuple[int, int]:
        """(next grant, bytes that came in since the last one), by the rate measured since."""
        done = self.used
        if done:
            elapsed_ms = max(now_ms - self.granted_ms, 1)
            wanted = done * GRANT_MS // elapsed_ms
            self.grant = max(GRANT_BYTES_MIN, min(GRANT_BYTES_MAX, wanted, self.grant * 2))
        self.used = 0
        self.granted_ms = now_ms
        return self.grant, done

    def higher_lane_moved(self, lane: int, since_ms: int) -> bool:
        """Whether a more urgent lane used the link lately: patience is due."""
        return any(moved_ms >= since_ms for moved_ms in self.lane_ms[:lane])

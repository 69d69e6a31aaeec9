"""What goes into the sync machine and what comes out: plain data, nothing else.

The driver turns effects into I/O and feeds the outcome back as events. `ticket`
ties a Commit to its Committed; tickets complete in the order they were issued.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.entry import Draft, Entry, LogId
from meshrelay.core.records import Record
from meshrelay.core.vector import Cursor
from meshrelay.core.verdict import Verdict
from meshrelay.errors import RemoteProtocolError


class Now(NamedTuple):
    """Two clocks: one that only runs forward, for timers, and the physical estimate."""

    mono_ms: int
    pt_ms: int
    quality: int


# Events


class LinkUp(NamedTuple):
    """An admitted peer. `broadcasts`: its bearer also carries our broadcasts to it."""

    link: int
    peer: bytes
    bearer: str
    lossy: bool
    broadcasts: bool


class LinkDown(NamedTuple):
    link: int


class Received(NamedTuple):
    """One frame from a link."""

    link: int
    data: bytes


class Heard(NamedTuple):
    """A broadcast frame from a node to which we may have no link."""

    peer: bytes
    bearer: str
    data: bytes


class Submit(NamedTuple):
    """Entries and records of our own; answered by the Commit that carries `tag`."""

    drafts: list[Draft]
    records: list[Record]
    tag: int


class Committed(NamedTuple):
    ticket: int


class CommitFailed(NamedTuple):
    """Nothing of `ticket`, nor of any later ticket already issued, reached the disk."""

    ticket: int
    reason: str


class EntriesRead(NamedTuple):
    """Answer to ReadEntries: stored bytes in order, possibly fewer than asked."""

    link: int
    log: LogId
    first: int
    raws: list[bytes]


class Found(NamedTuple):
    """Answer to LookUp; `entry_id` None: not held (any more)."""

    log: LogId
    seq: int
    entry_id: bytes | None


class Missing(NamedTuple):
    """A stored entry still waits for this record (found when it was judged again)."""

    record_id: bytes


class Tick(NamedTuple):
    """At least every 250 ms."""


Event = (
    LinkUp | LinkDown | Received | Heard | Submit | Committed | CommitFailed | EntriesRead | Found
    | Missing | Tick
)  # fmt: skip

# Effects


class SendFrame(NamedTuple):
    link: int
    data: bytes


class Broadcast(NamedTuple):
    """To everybody, on bearers that can."""

    data: bytes


class CloseLink(NamedTuple):
    link: int
    error: RemoteProtocolError


class Commit(NamedTuple):
    """Write all of it in one FULL commit, then say Committed."""

    ticket: int
    entries: list[tuple[Entry, Verdict]]
    records: list[Record]
    tag: int | None
    link: int | None


class ReadEntries(NamedTuple):
    """Read entries from `first` on: at least one, else at most `bytes_max` bytes."""

    link: int
    log: LogId
    first: int
    bytes_max: int


class LookUp(NamedTuple):
    log: LogId
    seq: int


class Rejudge(NamedTuple):
    """Entries that waited for one of these records may be judged again."""

    record_ids: list[bytes]


class KeepHave(NamedTuple):
    """A HAVE worth keeping over a restart."""

    signer: bytes
    raw: bytes


class KeepCursor(NamedTuple):
    peer: bytes
    cursor: Cursor


class Covered(NamedTuple):
    """Receipts grew: some other store now covers seqs in (low, high] of `log`."""

    log: LogId
    low: int
    high: int


class Refused(NamedTuple):
    """Count a refusal by its reason."""

    reason: str
    detail: str


Effect = (
    SendFrame | Broadcast | CloseLink | Commit | ReadEntries | LookUp | Rejudge | KeepHave
    | KeepCursor | Covered | Refused
)  # fmt: skip

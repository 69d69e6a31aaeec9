"""What goes into the sync machine and what comes out: plain data, nothing else.

The driver turns effects into I/O and feeds the outcome back as events. `ticket`
ties a Commit to its Committed; tickets complete in the order they were issued.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.accept import Prepared
from meshrelay.core.entry import Draft, Entry, LogId
from meshrelay.core.gaps import Gaps
from meshrelay.core.records import Record
from meshrelay.core.vector import Cursor, Line
from meshrelay.core.verdict import Verdict
from meshrelay.errors import RemoteProtocolError


class Now(NamedTuple):
    """The clocks: one that only runs forward, for timers, and the physical estimate.

    `seen_ms`: milliseconds that this store has seen pass, over all its boots; what an
    unpowered or unobserved span took is missing in it. `gap_ms`: its value when such a span
    of unknown length last ended, 0 if there was none.
    """

    mono_ms: int
    pt_ms: int
    quality: int
    seen_ms: int = 0
    gap_ms: int = 0


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
    """One frame from a link. `prepared`: what `accept.prepare` made of it, on any thread."""

    link: int
    data: bytes
    prepared: Prepared | None = None


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
    """Nothing of `ticket`, nor of any later ticket already issued, reached the disk.

    Entries are asked for again. If one of these commits carried records, start again: the
    machine believes to have them.
    """

    ticket: int
    reason: str


class HeldEntry(NamedTuple):
    """A stored entry: its bytes, the known age it came with (clock.Age), and when it came.

    `seen_ms`: Now.seen_ms of its commit.
    """

    raw: bytes
    age: int
    seen_ms: int


class EntriesRead(NamedTuple):
    """Answer to ReadEntries: stored entries in order, possibly fewer than asked."""

    link: int
    log: LogId
    first: int
    held: list[HeldEntry]


class BelowRead(NamedTuple):
    """Answer to ReadBelow: stored entries in order, the last is number `high`; possibly none."""

    link: int
    log: LogId
    high: int
    held: list[HeldEntry]


class Damaged(NamedTuple):
    """Stored entries low+1 … high of `log` do not verify any more; the ids of both ends do."""

    log: LogId
    low: int
    low_id: bytes
    high: int
    high_id: bytes
    size: int


class Evict(NamedTuple):
    """Drop entries of `log` up to `upto`, whose id this is, for space; `size`: their bytes.

    Whoever sends it has asked `Machine.may_evict` for each of them.
    """

    log: LogId
    upto: int
    upto_id: bytes
    size: int


class Room(NamedTuple):
    """How full the store is: bytes used, and the most that it may use."""

    used: int
    quota: int


class AskArchives(NamedTuple):
    """Ask every archive in reach for a fresh HAVE: something is to be evicted."""


class IdsRead(NamedTuple):
    """Answer to ReadIds: (seq, entry id) of those that are held."""

    link: int
    log: LogId
    ids: list[tuple[int, bytes]]


class AboveRead(NamedTuple):
    """Answer to ReadAbove: every stored entry of the log above that height, in order."""

    log: LogId
    raws: list[bytes]


class Found(NamedTuple):
    """Answer to LookUp; `entry_id` None: not held (any more)."""

    log: LogId
    seq: int
    entry_id: bytes | None


class Missing(NamedTuple):
    """A stored entry still waits for this record (found when it was judged again)."""

    record_id: bytes


class BlobWanted(NamedTuple):
    """Fetch a blob (level: seeking.py). What is here of it: `manifest` bytes, `held` parts.

    `said`: nodes whose newest word is that they hold it.
    """

    blob: bytes
    level: int
    manifest: bytes | None
    held: int
    said: list[bytes]


class BlobUnwanted(NamedTuple):
    blob: bytes


class BlobKept(NamedTuple):
    """All of a blob is on disk under its name, synced. `news`: state it in the next HAVEs."""

    blob: bytes
    news: bool


class BlobLost(NamedTuple):
    """A blob is here no more, or not all of it."""

    blob: bytes


class BlobQuestion(NamedTuple):
    """Ask the archives on links whether they hold this blob; their HAVEs tell."""

    blob: bytes


class PartRead(NamedTuple):
    """Answer to ReadPart: the part, its hash just verified; None: not here (any more)."""

    link: int
    blob: bytes
    part: int
    data: bytes | None


class PartKept(NamedTuple):
    """Answer to KeepPart: written, perhaps not synced."""

    blob: bytes
    part: int


class Tick(NamedTuple):
    """At least every 250 ms."""


Event = (
    LinkUp | LinkDown | Received | Heard | Submit | Committed | CommitFailed | EntriesRead
    | BelowRead | IdsRead | AboveRead | Found | Missing | Damaged | Evict | Room | AskArchives
    | Tick | BlobWanted | BlobUnwanted | BlobKept
    | BlobLost | BlobQuestion | PartRead | PartKept
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


class Taken(NamedTuple):
    """An entry that a log takes. `age`: its known age now (clock.Age)."""

    entry: Entry
    verdict: Verdict
    age: int


EVICTED, DAMAGED = "evicted", "damaged"


class Holes(NamedTuple):
    """What a log lacks from now on; rows above `low` and up to `high` go.

    `why`: EVICTED, DAMAGED (they are kept aside), or "" when no row goes. `size`: their bytes.
    """

    log: LogId
    gaps: Gaps
    why: str = ""
    low: int = 0
    high: int = 0
    size: int = 0


class Commit(NamedTuple):
    """Write all of it in one FULL commit, then say Committed.

    `cuts`: logs that an end takes back to this line: entries above it leave the log; height 0
    removes the log. `orphans`: entries that a record of this commit keeps outside every log,
    for the folds. `filled`: entries that fill a gap, below the height. Change numbers count
    logs of `entries` in order of first occurrence, then `cuts`, then `holes`, then records with
    a lane.
    """

    ticket: int
    entries: list[Taken]
    records: list[Record]
    tag: int | None
    link: int | None
    cuts: list[Line] = []
    orphans: list[Taken] = []
    filled: list[Taken] = []
    holes: list[Holes] = []

    def changes(self) -> int:
        """How many change numbers it takes."""
        logs = len({taken.entry.log for taken in self.entries})
        records = sum(record.lane is not None for record in self.records)
        return logs + len(self.cuts) + len(self.holes) + records


class ReadEntries(NamedTuple):
    """Read entries from `first` on: at least one, else at most `bytes_max` bytes."""

    link: int
    log: LogId
    first: int
    bytes_max: int


class ReadBelow(NamedTuple):
    """Read entries above `low` up to `high`: at most `bytes_max` bytes of the last ones, at
    least one if `high` is held."""

    link: int
    log: LogId
    low: int
    high: int
    bytes_max: int


class ReadIds(NamedTuple):
    """The entry ids at these seqs: where two branches of a log part is being located."""

    link: int
    log: LogId
    seqs: list[int]


class ReadAbove(NamedTuple):
    """Every stored entry of `log` above `height`: an end takes them out of the log."""

    log: LogId
    height: int


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


class AdoptTime(NamedTuple):
    """An archive with a good clock said on a live link that it is `pt_ms` now."""

    pt_ms: int


class OwnLogEnded(NamedTuple):
    """Somebody else signed with this node's key: only a start under a new incarnation helps."""

    log: LogId


class ReadPart(NamedTuple):
    """Read one part of a blob and verify it against its hash: PartRead."""

    link: int
    blob: bytes
    part: int


class KeepPart(NamedTuple):
    """Write a verified part: PartKept. `last`: then all is here; sync, name it, say BlobKept."""

    blob: bytes
    part: int
    data: bytes
    last: bool


class BlobAsked(NamedTuple):
    """A peer seeks a blob that is not here: whoever may, wants it to pass it on."""

    blob: bytes


class BlobRefused(NamedTuple):
    """What bears this id is no manifest: nobody can ever fetch it."""

    blob: bytes


class BlobsStated(NamedTuple):
    """A store said, signed, that it holds these blobs."""

    signer: bytes
    incarnation: bytes
    blobs: list[bytes]


class BlobDenied(NamedTuple):
    """A node says that it holds this blob not, or no more."""

    node: bytes
    blob: bytes


class Refused(NamedTuple):
    """Count a refusal by its reason."""

    reason: str
    detail: str


Effect = (
    SendFrame | Broadcast | CloseLink | Commit | ReadEntries | ReadIds | ReadAbove | LookUp
    | ReadBelow | Rejudge | KeepHave | KeepCursor | Covered | AdoptTime | OwnLogEnded | Refused
    | ReadPart
    | KeepPart | BlobAsked | BlobRefused | BlobsStated | BlobDenied
)  # fmt: skip

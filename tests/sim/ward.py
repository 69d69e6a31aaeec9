"""One node of the simulated city: the real machine, a disk in memory, a clock, a witness.

It does what meshrelay.node.driver does, in the same order: carry out effects, commit in
order of ticket, witness before what `Committed` releases, judge again when a record came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from meshrelay.core import sync
from meshrelay.core.accept import prepare
from meshrelay.core.book import RecordBook
from meshrelay.core.clock import TRUSTED
from meshrelay.core.entry import LANES, Draft, Entry, LogId
from meshrelay.core.events import (
    AboveRead,
    AdoptTime,
    BelowRead,
    Broadcast,
    CloseLink,
    Commit,
    CommitFailed,
    Committed,
    Effect,
    EntriesRead,
    Event,
    Found,
    IdsRead,
    KeepCursor,
    KeepHave,
    LookUp,
    Missing,
    OwnLogEnded,
    ReadAbove,
    ReadBelow,
    ReadEntries,
    ReadIds,
    Received,
    Rejudge,
    SendFrame,
    Submit,
    Taken,
    Tick,
)
from meshrelay.core.have import Receipts, read_have
from meshrelay.core.records import Record
from meshrelay.core.signing import Signer
from meshrelay.core.statements import HEALTH_QUALITY
from meshrelay.core.verdict import WAITING, Judge
from meshrelay.errors import LocalProtocolError
from tests.sim.clocks import WardClock
from tests.sim.disk import Disk
from tests.sim.invariants import i6_urgent_first, i8_refusals_told
from tests.sim.people import NETWORK, RULES, OpenSession
from tests.sim.writer import Judged, Kept, SimWriter

if TYPE_CHECKING:
    from tests.sim.lies import Lie
    from tests.sim.world import World

TICK_MS = 250
KEEP_BEHIND_MS = 10_000

Answered = Callable[[list[Entry]], None]


class Ward:
    """A node. `machine` is None while it does not run."""

    def __init__(self, world: World, number: int, name: str) -> None:
        self.world = world
        self.number = number
        self.name = name
        self.signer = Signer(bytes([number % 250 + 1, number // 250]) * 16)
        self.disk = Disk()
        self.witness: tuple[bytes, int] | None = None
        self.machine: sync.Machine | None = None
        self.lie: Lie | None = None
        self.is_thief = False
        self.clock = WardClock(world, world.options.clocks[number % len(world.options.clocks)])
        self.commit_ms = 40
        self.links: dict[int, Ward] = {}
        self.sessions: list[OpenSession] = []
        self.ever: dict[LogId, int] = {}  # highest height that was ever durable here
        self.accepted: list[Entry] = []  # own entries whose acceptance was answered
        self._life = 0
        self._writer = SimWriter(self)
        self._events: deque[Event] = deque()
        self._stepping = False
        self._answers: dict[int, Answered] = {}
        self._kept = Kept([], {})
        self._kept_ms = 0

    @property
    def is_honest(self) -> bool:
        """Neither a liar nor a copy of a stolen node."""
        return self.lie is None and not self.is_thief

    # Life

    def start(self) -> None:
        """Boot: continue the incarnation only if the witness proves it."""
        self._life += 1
        self._writer = SimWriter(self)
        self._kept_ms = self.world.ms
        disk = self.disk
        self.clock.start(disk)
        book = sync.restore_records(disk.records, NETWORK)
        began = not self._continues(book)
        if began:
            disk.incarnations.append((self.world.random.randbytes(8), disk.change))
        # The node's first commit, of its enrolment, writes it before any link is open.
        self.witness = (disk.incarnations[-1][0], disk.change)
        self.machine = self._make_machine(book, began)
        self._rejudge(list(disk.waiting))
        self._tick(self._life)

    def _continues(self, book: RecordBook) -> bool:
        incarnations = self.disk.incarnations
        if not incarnations:
            return False
        last, _ = incarnations[-1]
        proven = (
            self.witness is not None
            and self.witness[0] == last
            and self.witness[1] <= self.disk.change
            and not any(LogId(self.signer.public, last, lane) in book.proofs for lane in LANES)
        )
        return proven or self.world.plant.continues

    def _make_machine(self, book: RecordBook, began: bool) -> sync.Machine:
        disk = self.disk
        lines = [(line, disk.numbers[log]) for log, line in disk.lines.items()]
        records = [(record, disk.numbers[record]) for record in disk.lanes]
        records.sort(key=lambda row: row[1])
        gaps = {log: gaps for log, gaps in disk.gaps.items() if gaps}
        vector = sync.restore_vector(lines, records, gaps=gaps)
        vector.change = disk.change
        receipts = Receipts()
        for raw in disk.haves:
            receipts.take(read_have(raw), vector)
        for log, seq in receipts.to_look_up:
            held = disk.at(log, seq)
            if held is not None:
                receipts.resolve(log, seq, held)
        receipts.to_look_up, receipts.moved = [], []
        fresh = began and self.clock.now().quality >= TRUSTED
        own = [
            disk.logs[log][line.height].entry.hlc
            for log, line in disk.lines.items()
            if log.origin == self.signer.public and not fresh and line.height in disk.logs[log]
        ]
        past = [(each, ended) for (each, _), (_, ended) in pairwise(disk.incarnations)]
        plant = self.world.plant
        return plant.machine(
            self.signer, book, RULES, disk.incarnations[-1][0], past, vector,
            plant.clock(max(own, default=0)), receipts, dict(disk.cursors),
            self.world.random.randbytes(8),
        )  # fmt: skip

    def stop(self, keep_witness: bool) -> None:
        """SIGKILL (witness kept) or a power cut: of what was not synced, a first part is lost."""
        if self.machine is None:
            return
        self.machine = None
        self._writer.end()
        self._life += 1
        self._events.clear()
        self._answers.clear()
        self.sessions.clear()
        self._kept = Kept([], {})
        self.world.plant.power_cut(self, not keep_witness)
        self.world.cables.died(self)
        self.links.clear()
        if not keep_witness:
            self.witness = None
            self.clock.power_cut()

    def restore(self, older: Disk, keep_witness: bool) -> None:
        """Somebody puts last week's SD card back, or copies last week's log.db over this one."""
        self.stop(keep_witness)
        self.world.excuse(self, older)
        self.disk = older

    # The loop of decisions

    def _tick(self, life: int) -> None:
        if self.machine is not None and life == self._life:
            self.machine.statements.health[HEALTH_QUALITY] = self.clock.now().quality
            self.feed(Tick())
            self._keep_behind()
            self.world.plant.ticked(self)
            self.world.after(TICK_MS, lambda: self._tick(life))

    def opened(self, link: int, peer: Ward) -> None:
        self.links[link] = peer
        if self.lie is not None:
            self.lie.opened(self, link)

    def closed(self, link: int) -> None:
        self.links.pop(link, None)

    def feed(self, event: Event) -> None:
        """Handle one event and all that follow from it at once; nobody hears it while down."""
        if self.machine is None:
            return
        self._events.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._events and self.machine is not None:
                event = self._events.popleft()
                if isinstance(event, Received):  # as the threads that verify do
                    prepared = prepare(event.data, NETWORK, self.machine.book)
                    event = event._replace(prepared=prepared)
                effects = self.machine.handle(event, self.clock.now())
                i8_refusals_told(self, event, effects)
                for effect in effects:
                    self.world.note(self, effect)
                    self._carry_out(effect)
        finally:
            self._stepping = False

    def _carry_out(self, effect: Effect) -> None:
        world = self.world
        match effect:
            case SendFrame(link, data):
                frames = [data] if self.lie is None else self.lie.sends(self, link, data)
                for frame in frames:
                    world.cables.send(link, frame)
            case Commit():
                self._commit(effect)
            case ReadEntries(link, log, first, bytes_max):
                i6_urgent_first(self, effect)
                held = world.plant.reads(self, log, first, bytes_max)
                self._events.append(EntriesRead(link, log, first, held))
            case ReadBelow(link, log, low, high, bytes_max):
                held = self.disk.below(log, low, high, bytes_max)
                self._events.append(BelowRead(link, log, high, held))
            case ReadIds(link, log, seqs):
                ids = [(seq, self.disk.at(log, seq)) for seq in seqs]
                self._events.append(IdsRead(link, log, [(s, i) for s, i in ids if i is not None]))
            case ReadAbove(log, height):
                self._events.append(AboveRead(log, self.disk.above(log, height)))
            case LookUp(log, seq):
                self._events.append(Found(log, seq, self.disk.at(log, seq)))
            case AdoptTime(pt_ms):
                self.clock.adopt(pt_ms)
            case OwnLogEnded():
                world.after(0, self._start_again)
            case Rejudge(record_ids):
                self._rejudge(record_ids)
            case Broadcast(data):
                world.cables.broadcast(self, data)
            case KeepHave(_, raw):
                self._kept.haves.append(raw)
            case KeepCursor(peer, cursor):
                self._kept.cursors[peer] = cursor
            case CloseLink(link, error):
                other = self.links.get(link)
                if other is not None and other.is_honest and self.is_honest:
                    world.complaints.append((self.name, other.name, error))
                world.cables.close(link)

    def _start_again(self) -> None:
        """After a failed disk, or when another machine signs with this node's key."""
        if self.machine is not None:
            self.stop(keep_witness=True)
            self.start()

    # The writer

    def _commit(self, commit: Commit) -> None:
        if commit.tag is not None:
            for entry, *_ in commit.entries:
                self.world.born_ms[entry.id] = self.world.ms
        self._writer.put(commit)

    def refused_by_disk(self, failed: list[Commit]) -> None:
        """These commits, and all that waited, did not reach the disk."""
        for commit in failed:
            if commit.tag is not None:
                self._answers.pop(commit.tag, None)
        self.feed(CommitFailed(failed[0].ticket, "disk full"))
        # The machine puts back entries, not records: as the driver does, start again then.
        if any(commit.records for commit in failed):
            self._start_again()

    def answer(self, commit: Commit) -> None:
        """The witness is written before what `Committed` releases: commit, witness, sends."""
        if self.machine is None:
            return
        change = self.machine.vector.change + commit.changes()
        self.witness = (self.disk.incarnations[-1][0], change)
        self.feed(Committed(commit.ticket))
        if self.machine is not None and self.machine.vector.change != change:
            raise LocalProtocolError("store and machine count changes differently")
        if commit.tag is not None:
            entries = [entry for entry, *_ in commit.entries]
            self.accepted += entries
            for entry in entries:
                self.world.left(entry)
            answered = self._answers.pop(commit.tag, None)
            if answered is not None:
                answered(entries)

    def kept(self) -> set[bytes]:
        """Ids of the entries on its disk, but for those that are being dropped."""
        return self.disk.ids() - self._writer.going()

    def unwritten(self) -> list[Taken]:
        """Entries on their way to the disk, in order."""
        return self._writer.unwritten()

    def _keep_behind(self) -> None:
        if self.world.ms - self._kept_ms >= KEEP_BEHIND_MS:
            self._kept_ms = self.world.ms
            self.clock.keep(self.disk)
            if self._kept.haves or self._kept.cursors:
                kept, self._kept = self._kept, Kept([], {})
                self._writer.put(kept)

    def _rejudge(self, record_ids: list[bytes]) -> None:
        """Judge again what waits for these records; what still waits asks for its record."""
        assert self.machine is not None
        judge: Judge = self.machine.judge
        for record_id in record_ids:
            for entry in self.disk.waiting.get(record_id, ()):
                row = self.disk.find(entry)
                if row is None or row.missing != record_id:
                    continue
                verdict = judge(entry)
                if verdict.state == WAITING and verdict.missing is not None:
                    self._events.append(Missing(verdict.missing))
                    if verdict.missing in record_ids:
                        continue
                self._writer.put(Judged(entry, verdict))

    # Own words

    def submit(
        self, drafts: list[Draft], records: list[Record], answered: Answered | None = None
    ) -> None:
        """As the pages do; `answered` is called after the commit."""
        if self.machine is not None:
            tag = self.world.next_tag()
            if answered is not None:
                self._answers[tag] = answered
            self.feed(Submit(drafts, records, tag))

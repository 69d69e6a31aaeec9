"""Decide, commit, speak: turns the machine's effects into I/O and feeds the outcome back.

Everything here runs on the event loop but the writer's thread, which gets closures
and answers through `call_soon_threadsafe`, and the threads that verify (verifying.py).
Per ticket the order is: commit (FULL) -> witness -> whatever `Committed` releases.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from meshrelay.bearers.base import Bearer, Doorman, Link
from meshrelay.core.accept import Prepared, prepare
from meshrelay.core.entry import Draft, Entry, LogId, check_entry, read_entry
from meshrelay.core.events import (
    EVICTED,
    AboveRead,
    AdoptTime,
    BelowRead,
    BlobAsked,
    BlobDenied,
    BlobRefused,
    BlobsStated,
    Broadcast,
    CloseLink,
    Commit,
    Committed,
    Covered,
    Effect,
    EntriesRead,
    Event,
    Found,
    Heard,
    HeldEntry,
    IdsRead,
    KeepCursor,
    KeepHave,
    KeepPart,
    LinkDown,
    LinkUp,
    LookUp,
    Missing,
    OwnLogEnded,
    ReadAbove,
    ReadBelow,
    ReadEntries,
    ReadIds,
    ReadPart,
    Received,
    Refused,
    Rejudge,
    SendFrame,
    Submit,
    Tick,
)
from meshrelay.core.records import Record, StaffRevocation
from meshrelay.core.signing import hash32
from meshrelay.core.sync import Machine
from meshrelay.core.vector import Line
from meshrelay.core.verdict import UNKNOWN_KIND, WAITING, Verdict
from meshrelay.errors import DamagedError, LocalProtocolError, RemoteProtocolError, StoreError
from meshrelay.node.behind import Behind
from meshrelay.node.blobs import Blobs
from meshrelay.node.clock import Clock
from meshrelay.node.folding import Folder
from meshrelay.node.mending import extent
from meshrelay.node.sweeping import Sweeping
from meshrelay.node.verifying import Done, Verifying
from meshrelay.node.witness import Witness
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from meshrelay.store.seen import Mark
from meshrelay.store.writer import Writer

log = logging.getLogger("meshrelay.node")

TICK_S = 0.25
# Runs inside the transaction that stores an own entry.
Beside = Callable[[Entry, int], None]


class OpenLink(NamedTuple):
    """An open link and what went over it."""

    number: int
    link: Link
    up_ms: int
    traffic: list[int]  # bytes in, bytes out


class Driver:
    """Drives one machine; implements `bearers.base.LinkEvents`."""

    def __init__(
        self,
        machine: Machine,
        store: LogStore,
        reader: LogReader,
        witness: Witness,
        clock: Clock,
        folder: Folder,
        on_own_log_ended: Callable[[LogId], None],
        on_failure: Callable[[StoreError], None],
    ) -> None:
        self.machine = machine
        self.refused: Counter[str] = Counter()
        self.links: dict[int, OpenLink] = {}
        self.bearers: Sequence[Bearer] = ()
        self.doorman: Doorman | None = None
        self.blobs: Blobs | None = None
        self.head_hlc: dict[LogId, int] = {}
        self._store = store
        self._reader = reader
        self._witness = witness
        self._clock = clock
        self._folder = folder
        folder.damaged = lambda number: self._soon(partial(self.judge_again, number))
        self._on_own_log_ended = on_own_log_ended
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(
            store.connection,
            folder.run,
            lambda error: self._soon(partial(on_failure, error)),
        )
        network, book = machine.book.network, machine.book
        self._verifying = Verifying(
            lambda data: prepare(data, network, book), self._received, self._broken
        )
        self._events: deque[Event] = deque()
        self._stepping = False
        self._next_link = 0
        self._next_tag = 0
        self._beside: dict[int, Beside] = {}
        self._answers: dict[int, asyncio.Future[list[Entry]]] = {}
        self._dones: dict[int, list[Done]] = {}
        self._commits: dict[int, Commit] = {}
        self._issued: list[int] = []
        self._covered: list[tuple[LogId, int, int]] = []
        self._behind = Behind(clock)
        self.sweeping = Sweeping(machine, reader, self._put_verdict, self.write)

    def start(self) -> None:
        self._writer.start()

    def close(self) -> None:
        """Write what was kept behind, finish the queue, end the threads."""
        self._verifying.close()
        self.write(self._behind.all_of_it())
        self._writer.stop()

    async def tick(self) -> None:
        """Tick until cancelled."""
        while True:
            self.step(Tick())
            behind = self._behind.due()
            if behind is not None:
                self.write(behind)
            await asyncio.sleep(TICK_S)

    # LinkEvents

    def up(self, link: Link) -> None:
        self._next_link += 1
        number = self._next_link
        self.links[number] = OpenLink(number, link, self._clock.now_ms(), [0, 0])
        log.info("link up bearer=%s peer=%s remote=%s", link.bearer, _short(link.peer), link.remote)
        self.step(LinkUp(number, link.peer, link.bearer, link.lossy, link.bearer == "mqtt"))

    def frame(self, link: Link, data: bytes, done: Done) -> None:
        number = self._number(link)
        if number is None:
            done()
            return
        self.links[number].traffic[0] += len(data)
        self._verifying.put(number, data, done)

    def _received(self, link: int, data: bytes, prepared: Prepared | None, done: Done) -> None:
        self._when_stored(self.step(Received(link, data, prepared)), done)

    def heard(self, peer: bytes, data: bytes, done: Done, bearer: str = "mqtt") -> None:
        self._when_stored(self.step(Heard(peer, bearer, data)), done)

    def down(self, link: Link, reason: str) -> None:
        number = self._number(link)
        if number is not None:
            del self.links[number]
            self._verifying.drop(number)
            log.info("link down peer=%s reason=%s", _short(link.peer), reason)
            self.step(LinkDown(number))

    def _number(self, link: Link) -> int | None:
        return next((n for n, each in self.links.items() if each.link is link), None)

    def _when_stored(self, tickets: list[int], done: Done) -> None:
        if tickets:
            self._dones.setdefault(tickets[-1], []).append(done)
        else:
            done()

    # Own entries

    async def submit(
        self, drafts: list[Draft], records: list[Record], beside: Beside | None = None
    ) -> list[Entry]:
        """Sign and store; returns after the FULL commit.

        `beside(entry, at_ms)` runs in the same transaction, for what must be stored with it.
        """
        self._next_tag += 1
        tag = self._next_tag
        if beside is not None:
            self._beside[tag] = beside
        answer: asyncio.Future[list[Entry]] = self._loop.create_future()
        self._answers[tag] = answer
        self.step(Submit(drafts, records, tag))
        return await answer

    # The loop of decisions

    def step(self, event: Event) -> list[int]:
        """Handle one event and all that follow from it at once; returns tickets issued."""
        self._events.append(event)
        if self._stepping:
            return []
        self._stepping = True
        self._issued = []
        try:
            while self._events:
                for effect in self.machine.handle(self._events.popleft(), self._clock.now()):
                    self._carry_out(effect)
        finally:
            self._stepping = False
        if self._covered:
            covered, self._covered = self._covered, []
            self._writer.put(partial(self._folder.covered, covered))
        return self._issued

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SendFrame(number, data):
                if number in self.links:
                    self.links[number].traffic[1] += len(data)
                    self.links[number].link.send(data)
            case Commit():
                self._issued.append(effect.ticket)
                self._commits[effect.ticket] = effect
                self._write(effect)
            case ReadEntries(number, wanted, first, bytes_max):
                held = self._read(partial(self._reader.read, wanted, first, bytes_max))
                self._events.append(EntriesRead(number, wanted, first, held))
            case ReadBelow(number, wanted, low, high, bytes_max):
                held = self._read(partial(self._reader.below, wanted, low, high, bytes_max))
                self._events.append(BelowRead(number, wanted, high, held))
            case ReadIds(number, wanted, seqs):
                self._events.append(IdsRead(number, wanted, self._reader.ids(wanted, seqs)))
            case ReadAbove(wanted, height):
                self._events.append(AboveRead(wanted, self._reader.above(wanted, height)))
            case LookUp(wanted, seq):
                raw = self._reader.at(wanted, seq)
                self._events.append(Found(wanted, seq, hash32(raw) if raw else None))
            case Covered(covered, low, high):
                self._covered.append((covered, low, high))
            case Rejudge(record_ids):
                self._rejudge(record_ids)
            case Broadcast(data):
                for bearer in self.bearers:
                    bearer.broadcast(data)
            case KeepHave(signer, raw):
                self._behind.haves.setdefault(signer, []).append(raw)
            case KeepCursor(peer, cursor):
                self._behind.cursors[peer] = cursor
            case AdoptTime(pt_ms):
                self._clock.adopt(pt_ms)
            case OwnLogEnded(ended):
                self._on_own_log_ended(ended)
            case (
                ReadPart() | KeepPart() | BlobAsked() | BlobRefused() | BlobsStated() | BlobDenied()
            ):
                answer = self.blobs.carry_out(effect) if self.blobs is not None else None
                if answer is not None:
                    self._events.append(answer)
            case Refused(reason, detail):
                self.refused[reason] += 1
                log.debug("refused reason=%s detail=%s", reason, detail)
            case CloseLink(number, error):
                if number in self.links:
                    link = self.links[number].link
                    log.warning("link closed link=%s reason=%s", link.remote, error)
                    self._verifying.drop(number)
                    link.close(error.reason)

    def _read(self, read: Callable[[], list[HeldEntry]]) -> list[HeldEntry]:
        """Only what verifies now is ever sent; a row that does not is mended."""
        try:
            return read()
        except DamagedError as error:
            self.damaged(error)
            return []

    def damaged(self, error: DamagedError) -> None:
        """Keep a damaged row aside and have it fetched again."""
        assert isinstance(error.log, LogId)
        found = extent(self._reader, self.machine.book.network, error.log, error.seq)
        if found is not None:
            log.error(
                "damaged rows log=%s lane=%d seq=%d-%d",
                _short(found.log.origin), found.log.lane, found.low + 1, found.high,
            )  # fmt: skip
            self.refused["damaged"] += found.high - found.low
            self.step(found)

    def judge_again(self, number: int) -> None:
        """What is stored beside an entry changed by itself: its verdict is found anew."""
        raw = self._reader.raw(number)
        try:
            entry = read_entry(raw or b"")
            check_entry(entry, self.machine.book.network)
        except RemoteProtocolError:
            return  # so did the entry: whoever sends it or scrubs finds that
        self.refused["damaged"] += 1
        self._put_verdict(number, self.machine.judge(entry))

    async def written(self, work: Callable[[LogStore], Any] | None = None) -> Any:
        """Wait until all that was queued is on disk, and `work` done; returns what it returns."""
        done: asyncio.Future[Any] = self._loop.create_future()
        result: list[Any] = []

        def run() -> None:
            result.append(work(self._store) if work is not None else None)

        def tell() -> None:
            if not done.done():
                done.set_result(result[0])

        self._writer.put(run, partial(self._soon, tell))
        return await done

    # The writer's side

    def _write(self, commit: Commit) -> None:
        now, mark = self._clock.now(), self._behind.mark_beside_a_commit()
        self._writer.put(
            partial(self._in_transaction, commit, now.pt_ms, now.seen_ms, mark),
            partial(self._soon, partial(self._committed, commit.ticket)),
        )

    def _in_transaction(self, commit: Commit, at_ms: int, seen_ms: int, mark: Mark | None) -> None:
        first = self._store.write(commit, at_ms, seen_ms)
        self._folder.take(first, commit.entries, at_ms, seen_ms)
        for change in commit.holes:
            if change.why == EVICTED:
                self._folder.forget(change.log, change.high)
        beside = self._beside.pop(commit.tag, None) if commit.tag is not None else None
        if beside is not None:
            for taken in commit.entries:
                beside(taken.entry, at_ms)
        if mark is not None:
            self._store.keep_mark(mark)

    def _broken(self) -> None:
        self._on_failure(StoreError("a frame could not be handled"))

    def _soon(self, call: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _committed(self, ticket: int) -> None:
        commit = self._commits.pop(ticket)
        entries = [taken.entry for taken in commit.entries]
        change = self.machine.vector.change + commit.changes()
        try:
            self._witness.write(self.machine.incarnation, change)
        except OSError as error:  # unproven, nothing may be sent: as good as a failed disk
            self._on_failure(StoreError(f"witness {self._witness.path}: {error}"))
            return
        for entry in entries:
            self.head_hlc[entry.log] = entry.hlc
        for cut in commit.cuts:
            self._head_cut(cut)
        self.step(Committed(ticket))
        if commit.records:
            self._close_barred()
        if self.machine.vector.change != change:
            error_text = "store and machine count changes differently"
            self._on_failure(StoreError(error_text))
            raise LocalProtocolError(error_text)
        for done in self._dones.pop(ticket, ()):
            done()
        if any(isinstance(record.content, StaffRevocation) for record in commit.records):
            self.sweeping.wake()
        if commit.tag is not None:
            answer = self._answers.pop(commit.tag)
            if not answer.done():
                answer.set_result(entries)

    def _close_barred(self) -> None:
        """End the links of nodes that these records revoked or suspended; they are told why."""
        if self.doorman is None:
            return
        for link in [each.link for each in self.links.values()]:
            reason = self.doorman.bars(link.peer)
            if reason:
                link.send(self.doorman.notice(link.peer))
                link.close(reason)

    def _head_cut(self, cut: Line) -> None:
        raw = self._reader.at(cut.log, cut.height)
        if raw is None:
            self.head_hlc.pop(cut.log, None)
        else:
            self.head_hlc[cut.log] = read_entry(raw).hlc

    def _rejudge(self, record_ids: list[bytes]) -> None:
        """Judge again what waits for these records; what still waits asks for its record."""
        for number, raw in self._reader.waiting_for(record_ids):
            verdict = self.machine.judge(read_entry(raw))
            if verdict.state == WAITING and verdict.missing is not None:
                self._events.append(Missing(verdict.missing))
                if verdict.missing in record_ids:
                    continue
            self._put_verdict(number, verdict)

    def _put_verdict(self, number: int, verdict: Verdict) -> None:
        now_ms = self._clock.now_ms()
        state, reason, missing = verdict[:3]
        self._writer.put(partial(self._store.rejudged, number, state, reason, missing, now_ms))

    def resume_waiting(self) -> None:
        """After a start: a crash may have come between a record and the verdicts it changes."""
        self._rejudge(self._reader.missing())
        for number, raw in self._reader.unknown():  # perhaps this software knows the kind
            verdict = self.machine.judge(read_entry(raw))
            if verdict.state != UNKNOWN_KIND:
                self._put_verdict(number, verdict)
        self.step(Tick())

    async def flush(self) -> None:
        """Return once all that was learned until now is on disk, what is written behind too."""
        written: asyncio.Future[None] = self._loop.create_future()

        def tell() -> None:
            if not written.done():
                written.set_result(None)

        work = partial(self._behind.all_of_it(), self._store)
        self._writer.put(work, partial(self._soon, tell))
        await written

    def write(self, work: Callable[[LogStore], None]) -> None:
        """Queue some other write to log.db."""
        self._writer.put(partial(work, self._store))


def _short(node: bytes) -> str:
    return node.hex()[:8]

"""The sync machine: event in, effects out.

Two nodes only ever ask "what do you hold?" and send the difference. The machine
decides everything about that and does nothing itself: no socket, clock, disk or
randomness. It releases a send only after `Committed`: the order is kept here, where
the simulator can attack it, not in the driver's good manners.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from operator import itemgetter

from meshrelay.core import accept
from meshrelay.core.accept import Acceptor, Prepared, check_all
from meshrelay.core.announcing import HELLO_ANSWER_MS, HELLO_MS, Announcing
from meshrelay.core.blobs import Blobs
from meshrelay.core.book import RecordBook
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import URGENT, Entry, LogId
from meshrelay.core.events import (
    AboveRead,
    AskArchives,
    BelowRead,
    BlobKept,
    BlobLost,
    BlobQuestion,
    BlobUnwanted,
    BlobWanted,
    Broadcast,
    CloseLink,
    Commit,
    CommitFailed,
    Committed,
    Damaged,
    Effect,
    EntriesRead,
    Event,
    Evict,
    Found,
    Heard,
    Holes,
    IdsRead,
    LinkDown,
    LinkUp,
    Missing,
    Now,
    OwnLogEnded,
    PartKept,
    PartRead,
    Received,
    Refused,
    Rejudge,
    Room,
    Submit,
    Taken,
    Tick,
)
from meshrelay.core.fetching import Fetching
from meshrelay.core.filling import Filling
from meshrelay.core.following import Following
from meshrelay.core.forks import NO_LINK, Forks
from meshrelay.core.frames import (
    Bucket,
    Buckets,
    Entries,
    Fill,
    Haves,
    Hello,
    Lacks,
    Lines,
    Locate,
    Piece,
    Records,
    Seek,
    Want,
    decode_frame,
    encode_frame,
)
from meshrelay.core.frames import Heard as HeardFrame
from meshrelay.core.gaps import Gaps
from meshrelay.core.have import Receipts
from meshrelay.core.link import LinkState
from meshrelay.core.records import Orphan, Record, make_orphan, read_record
from meshrelay.core.retention import Stock
from meshrelay.core.seeking import Seeking
from meshrelay.core.serving import Serving
from meshrelay.core.signing import Signer, hash32
from meshrelay.core.state import State, batches, send
from meshrelay.core.statements import Statements
from meshrelay.core.vector import Cursor, Line, Vector
from meshrelay.core.verdict import WAITING, Judge, Rule
from meshrelay.errors import (
    FrameError,
    LocalProtocolError,
    RemoteProtocolError,
)

# What may wait for the writer before we stop granting: about 2 s of a slow SD card.
UNCOMMITTED_BYTES_MAX = 4 * 1024 * 1024
# Cards and rulings are told with the next tick; a roster's thousands are found by HELLO.
RECORDS_OFFERED_MAX = 16


class Machine:
    """One node's side of every link.

    Load `vector`, `book`, `receipts`, `cursors` and `clock` from the store before the
    first event; from then on only `handle` may change them.
    """

    def __init__(
        self,
        signer: Signer,
        book: RecordBook,
        rules: Mapping[str, Rule],
        incarnation: bytes,
        past: list[tuple[bytes, int]],
        vector: Vector,
        clock: HybridClock,
        receipts: Receipts,
        cursors: dict[bytes, Cursor],
        secret: bytes,
        stock: Stock | None = None,
    ) -> None:
        self.me = signer.public
        self.book = book
        self.vector = vector
        self.receipts = receipts
        self.cursors = cursors
        self.incarnation = incarnation
        self.judge = Judge(book, rules)
        self.acceptor = Acceptor(signer, book, vector, clock)
        self._state = State(
            signer, book, vector, self.acceptor, receipts, incarnation, past, secret, cursors
        )
        self.links = self._state.links
        self._state.stock = stock or Stock()
        self.following = Following(self._state)
        self.filling = Filling(self._state, self.following)
        self.fetching = Fetching(self._state, self.following)
        held: set[bytes] = set()
        self.seeking = Seeking(self._state, self.following, held)
        self.blobs = Blobs(held, self.seeking)
        self.serving = Serving(self._state, self.blobs)
        self.statements = Statements(self._state, self.fetching, self.blobs, self.seeking)
        self.forks = Forks(self._state)
        self.announcing = Announcing(
            self._state, self.following, self.fetching, self.serving, self.statements, self.forks,
            self.filling,
        )  # fmt: skip
        self._tickets: dict[int, Commit] = {}
        self._ticket = 0
        self._uncommitted = 0
        self._unsevered = True  # a crash may have come between an end and what it cuts

    def handle(self, event: Event, now: Now) -> list[Effect]:
        """Advance by one event; the effects are to be carried out in order."""
        match event:
            case Received():
                return list(self._received(event, now))
            case Committed(ticket):
                return list(self._committed(ticket, now))
            case Submit():
                return list(self._submit(event, now))
            case EntriesRead():
                return list(self._entries_read(event, now))
            case Tick():
                return list(self._tick(now))
            case LinkUp():
                return list(self._link_up(event, now))
            case LinkDown(link_id):
                return list(self._link_down(link_id, now))
            case Heard(peer, bearer, data):
                return list(self._broadcast_heard(peer, bearer, data, now))
            case Found(log, seq, entry_id):
                return list(self.statements.found(log, seq, entry_id))
            case IdsRead():
                return list(self.forks.ids_read(event))
            case AboveRead():
                return list(self._above_read(event, now))
            case BelowRead():
                return list(self.serving.below_read(event, now))
            case Damaged():
                return list(self._lost(self.filling.damaged(event)))
            case Evict():
                return list(self._lost(self.filling.evicted(event)))
            case Room(used, quota):
                self._state.stock.used, self._state.stock.quota = used, quota
                return []
            case AskArchives():
                return list(self.filling.ask_archives(now))
            case Missing(record_id):
                return list(self.fetching.need([record_id], None, now))
            case BlobWanted():
                return list(self.seeking.wanted(event, now))
            case BlobUnwanted(blob):
                return list(self.seeking.unwanted(blob))
            case BlobKept():
                return list(self._blob_kept(event))
            case BlobLost(blob):
                self.blobs.lost(blob)
                return []
            case BlobQuestion(blob):
                return list(self.seeking.ask_archives(blob))
            case PartRead():
                return list(self.serving.part_read(event))
            case PartKept(blob, _):
                return list(self.seeking.part_kept(blob))
            case CommitFailed(ticket, _):
                for failed in [failed for failed in self._tickets if failed >= ticket]:
                    del self._tickets[failed]
                self._uncommitted = 0
                self.acceptor.put_back()
                self.following.put_back()
                self.forks.put_back()
                self.filling.put_back()
                self._state.stock.put_back()
                self._unsevered = True
                return []

    # Links

    def _link_up(self, event: LinkUp, now: Now) -> Iterator[Effect]:
        link = LinkState(
            event.link, event.peer, event.bearer, event.lossy, event.broadcasts, now.mono_ms
        )
        self.links[event.link] = link
        self.following.link_up(link)
        yield from self.announcing.hello(link, now)

    def _link_down(self, link_id: int, now: Now) -> Iterator[Effect]:
        link = self.links.pop(link_id, None)
        if link is not None:
            yield from self.following.link_gone(link, now)
            yield from self.blobs.link_gone(link_id, now)

    def _blob_kept(self, event: BlobKept) -> Iterator[Effect]:
        """A blob is here whole: state it, and send it to whoever sought it."""
        self.blobs.kept(event.blob, event.news)
        self.statements.changed = self.statements.changed or event.news
        for link in list(self.links.values()):
            yield from self.serving.pump(link)

    def _received(self, event: Received, now: Now) -> Iterator[Effect]:
        link = self.links.get(event.link)
        if link is None:
            return
        if now.mono_ms - link.heard_ms > HELLO_MS + HELLO_ANSWER_MS:
            yield from self.announcing.hello(link, now)
        link.heard_ms = now.mono_ms
        try:
            if event.prepared is not None:
                yield from self._entries_received(link, event.prepared, len(event.data), now)
                return
            frame = decode_frame(event.data)
            match frame:
                case Hello():
                    yield from self.announcing.hello_received(link, frame, now)
                    yield from self.seeking.look(now)
                case Lines():
                    yield from self.announcing.lines_received(link, frame, now)
                case Want():
                    yield from self.statements.answer(link, frame.nonce, now)
                    yield from self.serving.want_received(link, frame)
                case Entries():
                    batch = check_all(frame, self.book.network, self.book)
                    yield from self._entries_received(link, batch, len(event.data), now)
                case Records(raws):
                    link.brought(len(event.data))
                    yield from self._records_received(link, raws, now)
                    yield from self._grant_more(link, now)
                case Haves(raws):
                    for raw in raws:
                        yield from self.statements.received(raw, link.bearer, link.peer, link, now)
                case Buckets():
                    yield from self.announcing.buckets_received(link, frame, now)
                case Bucket():
                    link.brought(len(event.data))
                    yield from self.announcing.bucket_received(link, frame, now)
                    yield from self._grant_more(link, now)
                case HeardFrame():
                    yield from self.statements.heard_of(link, frame, now)
                case Locate():
                    yield from self.forks.told(link, frame, now)
                case Fill():
                    yield from self.serving.fill_asked(link, frame)
                case Seek():
                    yield from self.blobs.sought(link, frame)
                    self.statements.changed |= bool(self.blobs.telling)
                    yield from self.serving.pump(link)
                case Piece():
                    link.brought(len(event.data))
                    yield from self.seeking.piece_received(link, frame, now)
                    yield from self._grant_more(link, now)
                case Lacks(blob):
                    yield from self.seeking.lacks_received(link, blob, now)
        except RemoteProtocolError as error:
            yield Refused(error.reason, error.detail)
            yield CloseLink(link.id, error)

    def _broadcast_heard(self, peer: bytes, bearer: str, data: bytes, now: Now) -> Iterator[Effect]:
        try:
            frame = decode_frame(data)
            if isinstance(frame, Haves):
                for raw in frame.raws:
                    yield from self.statements.received(raw, bearer, peer, None, now)
            elif isinstance(frame, Entries):
                yield from self._take(check_all(frame, self.book.network, self.book), None, now)
            elif isinstance(frame, Records):
                yield from self._records_received(None, frame.raws, now)
        except RemoteProtocolError as error:  # anybody can publish; there is no link to close
            yield Refused(error.reason, error.detail)

    # Taking in

    def _entries_received(
        self, link: LinkState, batch: Prepared, size: int, now: Now
    ) -> Iterator[Effect]:
        link.brought(size)
        yield from self._take(batch, link, now)
        yield from self._grant_more(link, now)

    def _grant_more(self, link: LinkState, now: Now) -> Iterator[Effect]:
        if link.needs_grant() and self._uncommitted < UNCOMMITTED_BYTES_MAX:
            yield from self.following.want(link, [], [], [], now)

    def _take(self, batch: Prepared, link: LinkState | None, now: Now) -> Iterator[Effect]:
        if batch.network != self.book.network:
            raise FrameError("foreign_network", batch.network.hex())
        if self.filling.fits(batch):
            yield from self._fill(batch, link, now)
            return
        taken: list[Taken] = []
        ended: list[Taken] = []
        holes: list[Holes] = []
        for entry, author, age in batch.checked:
            log = entry.log
            barred = self._state.bars(log)
            if barred is not None:
                yield Refused(barred, f"{log.origin.hex()} lane {log.lane}")
                if link is not None:
                    yield from self.following.bar(log, link, now)
                continue
            if not self.filling.may_jump(log):
                self.acceptor.jumps.pop(log, None)
            height, head = self.acceptor.head(log)
            result = self.acceptor.receive(entry, self.incarnation, now.pt_ms)
            if result not in (accept.TAKEN, accept.JUMPED, accept.ENDED):
                yield from self._not_taken(result, entry, link, now)
                continue
            one = Taken(entry, self.judge(entry, author), age)
            if result == accept.ENDED:
                ended.append(one)
                continue
            if result == accept.JUMPED:
                holes.append(self.filling.jumped(entry, height, head))
                del self.acceptor.jumps[log]
            taken.append(one)
            self._state.stock.expect(log, len(entry.raw))
            if link is not None:
                self.following.took(log, link, now)
        # What was good before a bad one in the batch is kept.
        if taken:
            yield self._commit(taken, [], None, link, holes=holes)
        if ended:
            yield from self._keep_orphans(ended, link)
        yield from self._need_sessions([*taken, *ended], link, now)
        if batch.error is not None:
            raise batch.error

    def _fill(self, batch: Prepared, link: LinkState | None, now: Now) -> Iterator[Effect]:
        """A piece that fills a gap from its upper end down."""
        first = batch.checked[0].entry
        holes = self.filling.holes_after(first, link)
        if holes is None:  # below the gap we hold another branch
            yield Refused("fork", f"{first.log.origin.hex()} seq {first.seq}")
            if link is not None:
                yield from self.forks.locate(first.log, link, now)
            return
        filled = [
            Taken(entry, self.judge(entry, author), age) for entry, author, age in batch.checked
        ]
        yield self._commit([], [], None, link, filled=filled, holes=[holes])
        yield from self._need_sessions(filled, link, now)
        if batch.error is not None:
            raise batch.error

    def _lost(self, holes: Holes | None) -> Iterator[Effect]:
        """Rows go, for space or because they are damaged."""
        if holes is not None:
            yield self._commit([], [], None, None, holes=[holes])

    def may_evict(self, log: LogId, seq: int, is_expired: bool, now: Now) -> bool:
        """Whether an entry is not needed here (see Filling.may_evict)."""
        return self.filling.may_evict(log, seq, is_expired, now)

    def _need_sessions(
        self, taken: list[Taken], link: LinkState | None, now: Now
    ) -> Iterator[Effect]:
        """Ask for the records that verdicts wait for."""
        waiting = {one.verdict.missing: None for one in taken if one.verdict.state == WAITING}
        unknown = [each for each in waiting if each and each not in self.fetching.missing]
        if unknown:
            yield from self.fetching.need(unknown, link, now)

    def _not_taken(
        self, result: int, entry: Entry, link: LinkState | None, now: Now
    ) -> Iterator[Effect]:
        log = entry.log
        match result:
            case accept.HELD if self.filling.is_lacking(entry):
                yield Refused("gap", f"seq {entry.seq} fits no gap")
            case accept.HELD:
                yield Refused("replayed", "")
                if self.forks.is_suspect(log):
                    yield from self.forks.suspect(entry)
                elif link is not None:
                    yield from self.following.came_twice(log, link, now)
            case accept.GAP:
                yield Refused("gap", f"seq {entry.seq}")
                if link is not None and self.following.brings(log, link):
                    yield from self.following.ask_past_gap(log, link, now)
            case accept.NO_CREDENTIAL:
                yield Refused("no_credential", log.origin.hex())
                if link is not None and log.origin not in self.fetching.missing:
                    link.owed[log] = max(link.owed.get(log, 0), entry.seq)
                    yield from self.fetching.need([log.origin], link, now)
            case accept.FORK:
                yield Refused("fork", f"{log.origin.hex()} seq {entry.seq}")
                if entry.seq <= self.vector.height(log):
                    yield from self.forks.suspect(entry)
                if link is not None:
                    link.owed.pop(log, None)
                    yield from self.forks.locate(log, link, now)
            case _:
                yield Refused("own_log", "another machine signs with this node's key")

    def _records_received(
        self, link: LinkState | None, raws: list[bytes], now: Now
    ) -> Iterator[Effect]:
        new: list[Record] = []
        if link is not None:
            self.fetching.came(link, now)
        try:
            for raw in raws:
                try:
                    record = read_record(raw)
                except FrameError as error:
                    if error.reason != "unknown_record":
                        raise
                    yield Refused(error.reason, error.detail)
                    self.fetching.give_up(hash32(raw))
                    continue
                added = self.book.add(record)
                new += added
                if link is not None and record.id in self.book:
                    link.asking.discard(record.id)  # one that waits is not asked for again
                parent = self.book.missing_parent(record)
                if not added and parent is not None:
                    yield from self.fetching.need([parent], link, now)
        finally:  # what the book took before a bad one must reach the disk
            if new:
                commit = self._commit_records(new, None, link)
                yield commit
                yield from self._need_sessions(commit.orphans, link, now)
        if link is not None:
            yield from self.fetching.fill(link, now)

    def _commit_records(self, new: list[Record], tag: int | None, link: LinkState | None) -> Commit:
        """Write records that the book took; orphans among them are shown as well."""
        for record in new:
            self.fetching.missing.pop(record.id, None)
        return self._commit([], new, tag, link, [], self._orphans_of(new))

    def _orphans_of(self, records: list[Record]) -> list[Taken]:
        contents = [record.content for record in records]
        orphans = [content.entry for content in contents if isinstance(content, Orphan)]
        return [Taken(entry, self.judge(entry), 1) for entry in orphans]

    # Forks and ends

    def _entries_read(self, event: EntriesRead, now: Now) -> Iterator[Effect]:
        if event.link != NO_LINK:
            yield from self.serving.entries_read(event, now)
            return
        for step in self.forks.entry_read(event):
            if isinstance(step, Record):
                new = self.book.add(step)
                if new:
                    yield self._commit_records(new, None, None)
                    yield from self._broadcast_records(new)
            else:
                yield step

    def _above_read(self, event: AboveRead, now: Now) -> Iterator[Effect]:
        found = self.forks.above_read(event, self._tickets.values())
        if found is None:
            return
        line, entries = found
        self.acceptor.cut(line, self.vector.height(line.log))
        orphans = self.forks.orphans(Taken(entry, self.judge(entry), 1) for entry in entries)
        records = self._book_orphans(orphans)
        yield self._commit([], records, None, None, [line], orphans)
        yield from self._need_sessions(orphans, None, now)

    def _keep_orphans(self, ended: list[Taken], link: LinkState | None) -> Iterator[Effect]:
        """Entries above an end: what a person wrote is kept, the rest is nobody's word."""
        orphans = self.forks.orphans(ended)
        if len(orphans) < len(ended):
            yield Refused("ended", f"{len(ended) - len(orphans)} entries")
        if orphans:
            yield self._commit([], self._book_orphans(orphans), None, link, [], orphans)

    def _book_orphans(self, orphans: list[Taken]) -> list[Record]:
        """The records that keep these entries, taken into the book."""
        return [new for one in orphans for new in self.book.add(make_orphan(one.entry))]

    def _broadcast_records(self, records: list[Record]) -> Iterator[Effect]:
        for raws in batches([record.raw for record in records if record.lane == URGENT]):
            yield Broadcast(encode_frame(Records(raws)))

    # Writing

    def _submit(self, event: Submit, now: Now) -> Iterator[Effect]:
        added = [new for record in event.records for new in self.book.add(record)]
        orphans = self._orphans_of(added)
        entries = [
            self.acceptor.append(draft, self.incarnation, now.pt_ms, now.quality)
            for draft in event.drafts
        ]
        taken = [Taken(entry, self.judge(entry), 0) for entry in entries]
        yield self._commit(taken, added, event.tag, None, [], orphans)

    def _commit(
        self,
        entries: list[Taken],
        records: list[Record],
        tag: int | None,
        link: LinkState | None,
        cuts: list[Line] | None = None,
        orphans: list[Taken] | None = None,
        filled: list[Taken] | None = None,
        holes: list[Holes] | None = None,
    ) -> Commit:
        self._ticket += 1
        number = link.id if link else None
        commit = Commit(
            self._ticket, entries, records, tag, number, cuts or [], orphans or [], filled or [],
            holes or [],
        )  # fmt: skip
        self._tickets[self._ticket] = commit
        self._uncommitted += _size(commit)
        return commit

    def _committed(self, ticket: int, now: Now) -> Iterator[Effect]:
        commit = self._tickets.pop(ticket, None)
        if commit is None:
            raise LocalProtocolError(f"commit of unknown ticket {ticket}")
        self._uncommitted -= _size(commit)
        entries = [one.entry for one in commit.entries]
        moved = self.acceptor.committed(entries)
        for line in commit.cuts:
            self.acceptor.cut_committed(line)
            self.forks.severed(line)
        self.filling.committed(commit.holes)
        self._count_stock(commit, moved)
        for record in commit.records:
            if record.lane is not None:
                self.vector.add_record(record.id)
        anything = bool(moved or commit.cuts or commit.holes or commit.records)
        self.statements.changed = self.statements.changed or anything
        for entry in [*entries, *(one.entry for one in commit.filled)]:
            if self.receipts.awaits(entry.log):
                self.receipts.resolve(entry.log, entry.seq, entry.id)
        if commit.records:
            ids = [record.id for record in commit.records]
            self.fetching.stored(ids)
            yield Rejudge(ids)
            yield from self.fetching.logs_of(commit.records, now)
        urgent = [one for one in commit.entries if one.entry.log.lane == URGENT]
        if commit.tag is not None:
            if urgent:
                raws, ages = [one.entry.raw for one in urgent], [one.age for one in urgent]
                yield Broadcast(encode_frame(Entries(self.book.network, raws, ages, [])))
            yield from self._broadcast_records(commit.records)
        for link in list(self.links.values()):
            for change in commit.holes:  # what stood still before a gap may go on
                if change.log in link.standing:
                    link.wake(change.log)
            yield from self._announce(link, commit, moved, now)
        yield from self.statements.moved()
        if commit.records or self._is_late(moved):
            yield from self.forks.sever()
        for line in commit.cuts:
            if (line.log.origin, line.log.incarnation) == (self.me, self.incarnation):
                yield OwnLogEnded(line.log)

    def _count_stock(self, commit: Commit, moved: Mapping[LogId, tuple[bool, int]]) -> None:
        for log, (is_new, _) in moved.items():
            self._state.stock.add(log, 0, is_new)
        for entry, _, _ in [*commit.entries, *commit.filled]:
            self._state.stock.add(entry.log, len(entry.raw), False)
        for entry, _, _ in commit.entries if commit.tag is None else ():
            self._state.stock.expect(entry.log, -len(entry.raw))
        for change in commit.holes:
            self._state.stock.add(change.log, -change.size, False)

    def _is_late(self, moved: Iterable[LogId]) -> bool:
        """A commit that was under way when its log ended."""
        return any(self.book.end_of(log) is not None for log in moved)

    def _announce(
        self,
        link: LinkState,
        commit: Commit,
        moved: dict[LogId, tuple[bool, int]],
        now: Now,
    ) -> Iterator[Effect]:
        news = [self.vector.lines[one.log] for one in commit.holes if commit.filled]
        for log, (is_new, first) in moved.items():
            height = self.vector.height(log)
            if link.owed.get(log, height + 1) <= height:
                del link.owed[log]
            if link.id == commit.link:
                self.serving.came_from(link, log, height)
            elif not self.serving.committed(link, log, first, is_new):
                if log.lane == URGENT:
                    news.append(self.vector.lines[log])
                elif is_new:
                    link.offers[log] = None
        fresh = [
            record.id
            for record in commit.records
            if record.lane == URGENT and link.id != commit.link
        ]
        if news or fresh:
            yield send(link, Lines(0, 0, news, fresh, False))
        if link.id != commit.link and len(commit.records) <= RECORDS_OFFERED_MAX:
            later = [record.id for record in commit.records if record.lane not in (None, URGENT)]
            link.record_offers.update(dict.fromkeys(later))
        self.serving.answer_late(link, commit.records)
        yield from self.announcing.settle(link)
        yield from self._grant_more(link, now)
        yield from self.serving.pump(link)

    # Time

    def _tick(self, now: Now) -> Iterator[Effect]:
        if self._unsevered:
            self._unsevered = False
            yield from self.forks.sever()
        for link in list(self.links.values()):
            if self.announcing.hello_due(link, now):
                yield from self.announcing.hello(link, now)
            if link.is_busy():
                yield from self.following.say_again(link, now)
                yield from self.following.expire_leases(link, now)
                yield from self.fetching.expire(link, now)
                yield from self.statements.answer_due(link, now)
                yield from self.announcing.offer(link)
                yield from self.announcing.settle(link)
        yield from self.fetching.ask_again(now)
        yield from self.filling.ask(now)
        yield from self.seeking.tick(now)
        yield from self.statements.look_again()
        yield from self.statements.state_if_due(now)
        yield from self.statements.pass_on(now)


def _size(commit: Commit) -> int:
    """Bytes that wait for the writer."""
    entries = sum(len(one.entry.raw) for one in [*commit.entries, *commit.filled])
    return entries + sum(len(record.raw) for record in commit.records)


def restore_records(raws: Iterable[bytes], network: bytes) -> RecordBook:
    """The book of records that were verified before they were stored."""
    book = RecordBook(network)
    for raw in raws:
        book.add(read_record(raw))
    return book


_Change = tuple[Line, int] | tuple[bytes, int]


def restore_vector(
    lines: Iterable[tuple[Line, int]],
    records: Iterable[tuple[bytes, int]],
    change: int = 0,
    gaps: Mapping[LogId, Gaps] | None = None,
) -> Vector:
    """The vector of a store: (line, change number), and (record id, change number) in order
    of change.

    `change`: the last change number, when the row that had it is gone.
    """
    vector = Vector()
    rows: Iterable[_Change] = merge(sorted(lines, key=itemgetter(1)), records, key=itemgetter(1))
    for row in rows:
        vector.change = row[1] - 1
        if isinstance(row[0], Line):
            log, height, head, _ = row[0]
            if gaps and log in gaps:
                vector.gaps[log] = gaps[log]
            vector.advance(log, height, head)
        else:
            vector.add_record(row[0])
    vector.change = max(vector.change, change)
    vector.forget_steps()
    return vector

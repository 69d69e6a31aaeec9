"""The sync machine: event in, effects out.

Two nodes only ever ask "what do you hold?" and send the difference. The machine
decides everything about that and does nothing itself: no socket, clock, disk or
randomness. It releases a send only after `Committed`: the order is kept here, where
the simulator can attack it, not in the driver's good manners.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from meshrelay.core import accept
from meshrelay.core.accept import Acceptor
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import URGENT, Entry, LogId
from meshrelay.core.events import (
    Broadcast,
    CloseLink,
    Commit,
    CommitFailed,
    Committed,
    Effect,
    EntriesRead,
    Event,
    Found,
    Heard,
    KeepCursor,
    LinkDown,
    LinkUp,
    Missing,
    Now,
    Received,
    Refused,
    Rejudge,
    Submit,
    Tick,
)
from meshrelay.core.following import Following
from meshrelay.core.frames import (
    LINES_MAX,
    VERSION,
    Entries,
    Haves,
    Hello,
    Lines,
    Records,
    Want,
    decode_frame,
    encode_frame,
)
from meshrelay.core.have import Receipts
from meshrelay.core.link import LinkState
from meshrelay.core.records import (
    Record,
    RecordBook,
    read_record,
)
from meshrelay.core.serving import Serving
from meshrelay.core.signing import Signer
from meshrelay.core.state import State, send
from meshrelay.core.statements import Statements
from meshrelay.core.vector import NO_CURSOR, Cursor, Line, Vector
from meshrelay.core.verdict import WAITING, Judge, Rule, Verdict
from meshrelay.errors import (
    FrameError,
    LocalProtocolError,
    RemoteProtocolError,
)

HELLO_MS = 30_000
HELLO_GAP_MS = 1_000
# On a datagram link one side is up first; what it says then is lost on the other.
HELLO_UNHEARD_MS = 3_000
# A greeting is answered by one of ours only when ours is older than any round trip.
HELLO_ANSWER_MS = 10_000
ALL_LINES_MS = 600_000
# What may wait for the writer before we stop granting: about 2 s of a slow SD card.
UNCOMMITTED_BYTES_MAX = 4 * 1024 * 1024


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
        past: list[bytes],
        vector: Vector,
        clock: HybridClock,
        receipts: Receipts,
        cursors: dict[bytes, Cursor],
        nonce: bytes,
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
            signer, book, vector, self.acceptor, receipts, incarnation, past, nonce, cursors
        )
        self.links = self._state.links
        self.following = Following(self._state)
        self.serving = Serving(self._state)
        self.statements = Statements(self._state, self.following)
        self._tickets: dict[int, Commit] = {}
        self._ticket = 0
        self._uncommitted = 0

    def handle(self, event: Event, now: Now) -> list[Effect]:
        """Advance by one event; the effects are to be carried out in order."""
        match event:
            case Received(link_id, data):
                return list(self._received(link_id, data, now))
            case Committed(ticket):
                return list(self._committed(ticket, now))
            case Submit():
                return list(self._submit(event, now))
            case EntriesRead():
                return list(self.serving.entries_read(event))
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
            case Missing(record_id):
                return list(self.following.want_records([record_id], None, now))
            case CommitFailed(ticket, _):
                for failed in [failed for failed in self._tickets if failed >= ticket]:
                    del self._tickets[failed]
                self._uncommitted = 0
                self.acceptor.put_back()
                return []

    # Links

    def _link_up(self, event: LinkUp, now: Now) -> Iterator[Effect]:
        link = LinkState(
            event.link, event.peer, event.bearer, event.lossy, event.broadcasts, now.mono_ms
        )
        self.links[event.link] = link
        yield from self._hello(link, now)
        yield from self.statements.greet(link, now)

    def _link_down(self, link_id: int, now: Now) -> Iterator[Effect]:
        link = self.links.pop(link_id, None)
        if link is not None:
            yield from self.following.link_gone(link, now)

    def _hello(self, link: LinkState, now: Now) -> Iterator[Effect]:
        if now.mono_ms - link.hello_ms < HELLO_GAP_MS:
            return
        link.hello_ms = now.mono_ms
        cursor = self.cursors.get(link.peer, NO_CURSOR)
        vector = self.vector
        yield send(link, Hello(VERSION, self.incarnation, vector.change, vector.digest(), cursor))

    def _received(self, link_id: int, data: bytes, now: Now) -> Iterator[Effect]:
        link = self.links.get(link_id)
        if link is None:
            return
        if now.mono_ms - link.heard_ms > HELLO_MS + HELLO_ANSWER_MS:
            yield from self._hello(link, now)
        link.heard_ms = now.mono_ms
        try:
            frame = decode_frame(data)
            match frame:
                case Hello():
                    yield from self._hello_received(link, frame, now)
                case Lines():
                    yield from self._lines_received(link, frame, now)
                case Want():
                    yield from self.statements.answer(link, frame.nonce, now)
                    yield from self.serving.want_received(link, frame)
                case Entries():
                    yield from self._entries_received(link, frame, now)
                case Records(raws):
                    yield from self._records_received(link, raws, now)
                case Haves(raws):
                    for raw in raws:
                        yield from self.statements.received(raw, link.bearer, link.peer, link, now)
        except RemoteProtocolError as error:
            yield Refused(error.reason, error.detail)
            yield CloseLink(link_id, error)

    def _broadcast_heard(self, peer: bytes, bearer: str, data: bytes, now: Now) -> Iterator[Effect]:
        try:
            frame = decode_frame(data)
            if isinstance(frame, Haves):
                for raw in frame.raws:
                    yield from self.statements.received(raw, bearer, peer, None, now)
            elif isinstance(frame, Entries):
                yield from self._take(frame, None, now)
        except RemoteProtocolError as error:  # anybody can publish; there is no link to close
            yield Refused(error.reason, error.detail)

    # Greeting and announcing

    def _hello_received(self, link: LinkState, hello: Hello, now: Now) -> Iterator[Effect]:
        first = link.theirs is None or link.theirs.incarnation != hello.incarnation
        link.theirs = hello
        if first:
            link.owed.clear()
            link.owed_records.clear()
            link.mark = self._state.known(link)
        if now.mono_ms - link.hello_ms > HELLO_ANSWER_MS:
            yield from self._hello(link, now)
        if hello.digest == self.vector.digest():
            yield from self.following.owes_nothing(link, now)
            link.mark = hello.change
            yield from self._settle(link)
        else:
            yield from self._tell_lines(link, hello.cursor, now)
        if first:
            yield from self.following.contact(link, now)
            yield from self.following.follow_here(link, now)

    def _tell_lines(self, link: LinkState, cursor: Cursor, now: Now) -> Iterator[Effect]:
        """Send what changed after the peer's cursor; when it is level, everything, rarely."""
        ours = cursor.incarnation == self.incarnation and cursor.change <= self.vector.change
        after = cursor.change if ours else 0
        if after == self.vector.change:
            if now.mono_ms - link.all_lines_ms < ALL_LINES_MS:
                return
            after = 0
        if after == 0:
            link.all_lines_ms = now.mono_ms
        changed = self.vector.after(after)
        for start in range(0, len(changed), LINES_MAX):
            part = changed[start : start + LINES_MAX]
            upto = part[-1][1]
            lines = [self.vector.lines[key] for key, _ in part if isinstance(key, LogId)]
            lines.sort(key=lambda line: line.log.lane)
            records = [key for key, _ in part if not isinstance(key, LogId)]
            records.sort(key=lambda record: self.vector.records[record])
            yield send(link, Lines(after, upto, lines, records))
            after = upto

    def _lines_received(self, link: LinkState, frame: Lines, now: Now) -> Iterator[Effect]:
        if frame.after <= link.mark < frame.upto:
            link.mark = frame.upto
        logs = []
        for line in frame.lines:
            # Owed until held, not just taken: a crash in between must not find the cursor moved.
            if line.height > self.vector.height(line.log) and line.log not in self.acceptor.forked:
                link.owed[line.log] = line.height
                if line.height > self.acceptor.taken(line.log):
                    logs.append(line.log)
        link.owed_records.update(set(frame.records) - self.vector.records.keys())
        unknown = [record for record in frame.records if record not in self.book]
        if unknown:
            yield from self.following.want_records(unknown, link, now)
        moves = [log for log in logs if self.following.should_move(log, link)]
        if moves:
            yield from self.following.follow_on(link, moves, now)
        yield from self._settle(link)

    def _settle(self, link: LinkState) -> Iterator[Effect]:
        """Move the cursor once everything announced below it is held."""
        if link.theirs is None or link.owed or link.owed_records:
            return
        cursor = Cursor(link.theirs.incarnation, link.mark)
        if link.mark and self.cursors.get(link.peer) != cursor:
            self.cursors[link.peer] = cursor
            yield KeepCursor(link.peer, cursor)

    # Taking in

    def _entries_received(self, link: LinkState, frame: Entries, now: Now) -> Iterator[Effect]:
        yield from self._take(frame, link, now)
        if link.needs_grant() and self._uncommitted < UNCOMMITTED_BYTES_MAX:
            yield from self.following.want(link, [], [], now)

    def _take(self, frame: Entries, link: LinkState | None, now: Now) -> Iterator[Effect]:
        if frame.network != self.book.network:
            raise FrameError("foreign_network", frame.network.hex())
        taken: list[tuple[Entry, Verdict]] = []
        missing: list[bytes] = []
        try:
            for raw in frame.raws:
                result, entry = self.acceptor.receive(raw, self.incarnation, now.pt_ms)
                if link is not None:
                    link.used += len(raw)
                if result == accept.TAKEN:
                    verdict = self.judge(entry)
                    taken.append((entry, verdict))
                    if verdict.state == WAITING and verdict.missing is not None:
                        missing.append(verdict.missing)
                    if link is not None:
                        link.took(entry.log, 0, now.mono_ms)
                else:
                    yield from self._not_taken(result, entry, link, now)
        finally:  # what was good before a bad one in the batch is kept
            if taken:
                yield self._commit(taken, [], None, link)
        unknown = [
            record for record in dict.fromkeys(missing) if record not in self.following.missing
        ]
        if unknown:
            yield from self.following.want_records(unknown, link, now)

    def _not_taken(
        self, result: int, entry: Entry, link: LinkState | None, now: Now
    ) -> Iterator[Effect]:
        log = entry.log
        match result:
            case accept.HELD:
                yield Refused("replayed", "")
            case accept.GAP:
                yield Refused("gap", f"seq {entry.seq}")
                if link is not None and self.following.follows(log, link):
                    yield from self.following.ask_past_gap(log, link, now)
            case accept.NO_CREDENTIAL:
                yield Refused("no_credential", log.origin.hex())
                if link is not None and log.origin not in self.following.missing:
                    link.owed[log] = max(link.owed.get(log, 0), entry.seq)
                    yield from self.following.want_records([log.origin], link, now)
            case accept.FORK:
                yield Refused("fork", f"{log.origin.hex()} seq {entry.seq}")
                for each in self.links.values():
                    each.owed.pop(log, None)
            case _:
                yield Refused("own_log", "another machine signs with this node's key")

    def _records_received(self, link: LinkState, raws: list[bytes], now: Now) -> Iterator[Effect]:
        new: list[Record] = []
        link.records_ms = now.mono_ms
        try:
            for raw in raws:
                try:
                    record = read_record(raw)
                except FrameError as error:
                    if error.reason != "unknown_record":
                        raise
                    yield Refused(error.reason, error.detail)
                    continue
                added = self.book.add(record)
                new += added
                parent = self.book.parent_of(record)
                if not added and parent is not None and parent not in self.book:
                    yield from self.following.want_records([parent], link, now)
        finally:  # what the book took before a bad one must reach the disk
            if new:
                for record in new:
                    self.following.missing.pop(record.id, None)
                yield self._commit([], new, None, link)

    # Writing

    def _submit(self, event: Submit, now: Now) -> Iterator[Effect]:
        added = [new for record in event.records for new in self.book.add(record)]
        entries = [
            self.acceptor.append(draft, self.incarnation, now.pt_ms, now.quality)
            for draft in event.drafts
        ]
        yield self._commit(
            [(entry, self.judge(entry)) for entry in entries], added, event.tag, None
        )

    def _commit(
        self,
        entries: list[tuple[Entry, Verdict]],
        records: list[Record],
        tag: int | None,
        link: LinkState | None,
    ) -> Commit:
        self._ticket += 1
        commit = Commit(self._ticket, entries, records, tag, link.id if link else None)
        self._tickets[self._ticket] = commit
        self._uncommitted += sum(len(entry.raw) for entry, _ in entries)
        return commit

    def _committed(self, ticket: int, now: Now) -> Iterator[Effect]:
        commit = self._tickets.pop(ticket, None)
        if commit is None:
            raise LocalProtocolError(f"commit of unknown ticket {ticket}")
        entries = [entry for entry, _ in commit.entries]
        self._uncommitted -= sum(len(entry.raw) for entry in entries)
        moved = self.acceptor.committed(entries)
        for record in commit.records:
            if record.lane is not None:
                self.vector.add_record(record.id, record.lane)
        self.statements.changed = self.statements.changed or bool(moved or commit.records)
        for entry in entries:
            self.following.moved(entry.log)
            if self.receipts.awaits(entry.log):
                self.receipts.resolve(entry.log, entry.seq, entry.id)
        if commit.records:
            yield Rejudge([record.id for record in commit.records])
            yield from self.following.ask_for_logs_of(commit.records, now)
        urgent = [entry.raw for entry in entries if entry.log.lane == URGENT]
        if commit.tag is not None and urgent:
            yield Broadcast(encode_frame(Entries(self.book.network, urgent)))
        for link in list(self.links.values()):
            yield from self._announce(link, commit, moved, now)
        yield from self.statements.moved()

    def _announce(
        self, link: LinkState, commit: Commit, moved: dict[LogId, bool], now: Now
    ) -> Iterator[Effect]:
        news = []
        for log, is_new in moved.items():
            height = self.vector.height(log)
            if link.owed.get(log, height + 1) <= height:
                del link.owed[log]
            if log in link.standing:
                link.wake(log)
            elif (is_new or log.lane == URGENT) and link.id != commit.link:
                news.append(self.vector.lines[log])
        ids = [record.id for record in commit.records]
        link.owed_records.difference_update(ids)
        fresh = [
            record.id
            for record in commit.records
            if record.lane is not None and link.id != commit.link and record.lane == 0
        ]
        if news or fresh:
            yield send(link, Lines(0, 0, news, fresh))
        yield from self._settle(link)
        if link.needs_grant() and self._uncommitted < UNCOMMITTED_BYTES_MAX:
            yield from self.following.want(link, [], [], now)
        yield from self.serving.pump(link)

    # Time

    def hello_due(self, link: LinkState, now: Now) -> bool:
        """Every 30 s, so that whatever was lost is noticed; sooner until a lossy link answers."""
        unheard = link.lossy and link.theirs is None
        return now.mono_ms - link.hello_ms >= (HELLO_UNHEARD_MS if unheard else HELLO_MS)

    def _tick(self, now: Now) -> Iterator[Effect]:
        for link in list(self.links.values()):
            if self.hello_due(link, now):
                yield from self._hello(link, now)
            yield from self.following.repeat_once(link, now)
            yield from self.following.expire_leases(link, now)
            yield from self._settle(link)
        yield from self.following.ask_again(now)
        yield from self.statements.state_if_due(now)
        yield from self.statements.pass_on(now)


def restore_records(raws: Iterable[bytes], network: bytes) -> RecordBook:
    """The book of records that were verified before they were stored."""
    book = RecordBook(network)
    for raw in raws:
        book.add(read_record(raw))
    return book


def restore_vector(
    lines: Iterable[tuple[Line, int]], records: Iterable[tuple[bytes, int, int]]
) -> Vector:
    """The vector of a store: (line, change number) and (record id, lane, change number)."""
    vector = Vector()
    rows: list[tuple[int, Line | tuple[bytes, int]]] = [(number, line) for line, number in lines]
    rows += [(number, (record, lane)) for record, lane, number in records]
    for number, row in sorted(rows, key=lambda pair: pair[0]):
        vector.change = number - 1
        if isinstance(row, Line):
            vector.advance(row.log, row.height, row.head)
        else:
            vector.add_record(*row)
    return vector

"""Answering: what others asked of this node, strictly by lane and within their grant."""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core.blobs import Blobs
from meshrelay.core.clock import age_now
from meshrelay.core.entry import LogId
from meshrelay.core.events import (
    BelowRead,
    Effect,
    EntriesRead,
    HeldEntry,
    Now,
    PartRead,
    ReadBelow,
    ReadEntries,
    SendFrame,
)
from meshrelay.core.frames import (
    DONE_ALL,
    PUSH_ALL,
    PUSH_OWN,
    Bucket,
    Entries,
    Fill,
    Frame,
    Lines,
    Records,
    Want,
    encode_frame,
)
from meshrelay.core.link import LinkState
from meshrelay.core.records import RECORD_LANE, NodeCredential, Record
from meshrelay.core.state import State

# Ids asked for in vain that are remembered a link.
VAIN_MAX = 1_000
# Gaps that one peer may ask us to fill at a time.
FILLS_MAX = 256
URGENT_LANES, TEXT_LANES, BULK_LANES = (0,), (1, 2), (3,)


class Serving:
    """Only what is held is ever read and sent."""

    def __init__(self, state: State, blobs: Blobs) -> None:
        self._state = state
        self._blobs = blobs

    def want_received(self, link: LinkState, want: Want) -> Iterator[Effect]:
        """Note what they follow and grant, and send what that allows."""
        link.window = want.grant
        link.under_way = 0 if want.done == DONE_ALL else max(link.under_way - want.done, 0)
        for log, first in want.logs:
            if first == 0:
                link.withdraw(log)
            elif want.done == DONE_ALL or first > link.standing.get(log, 0):
                link.follow(log, first)  # else they ask for what is under way already
        link.buckets.update(dict.fromkeys(want.buckets))
        book = self._state.book
        for asked in want.records:
            record = book.by_id.get(asked)
            if asked in book.nodes:
                link.needed.update(dict.fromkeys(book.needed_for(asked, None)))
            elif record is not None and RECORD_LANE[record.type] == 3:
                link.background[asked] = None
            elif record is not None:
                link.needed.update(dict.fromkeys(book.needed_for(b"", asked)))
            elif len(link.vain) < VAIN_MAX:
                link.vain[asked] = None
        yield from self.pump(link)

    def committed(self, link: LinkState, log: LogId, first: int, is_new: bool) -> bool:
        """`log` moved here from `first` on: whether it is sent there without being asked.

        A new log of somebody else is announced instead: the peer may get it from its origin.
        """
        if log in link.standing:
            link.wake(log)
            return True
        own = log.origin == self._state.signer.public
        wanted = link.pushed == PUSH_ALL or (link.pushed == PUSH_OWN and own)
        if not wanted or log in link.withdrawn or log.origin == link.peer:
            return False
        if is_new and not own:
            link.withdrawn.add(log)
            return False
        link.follow(log, first)
        return True

    def came_from(self, link: LinkState, log: LogId, height: int) -> None:
        """The peer itself brought `log` up to `height`: it is not sent back."""
        if log in link.standing:
            link.standing[log] = max(link.standing[log], height + 1)

    def answer_late(self, link: LinkState, records: list[Record]) -> None:
        """Records that they asked for in vain before are here now."""
        for record in records:
            node = record.content.key if isinstance(record.content, NodeCredential) else b""
            for asked in (record.id, node):
                if asked in link.vain:
                    del link.vain[asked]
                    link.needed.update(dict.fromkeys(self._state.book.needed_for(b"", record.id)))

    def push_after(self, link: LinkState, change: int) -> bool:
        """Push all that changed here after `change`, if it is remembered from where."""
        firsts = self._state.vector.firsts_after(change)
        if link.pushed != PUSH_ALL or firsts is None:
            return False
        for log, first in firsts.items():
            if log not in link.standing and log not in link.withdrawn:
                link.follow(log, max(first, self.known_there(link, log) + 1))
        return True

    def known_there(self, link: LinkState, log: LogId) -> int:
        """Height that the peer's present store has stated; it need not be told of that again."""
        if link.theirs is None:
            return 0
        return self._state.receipts.covered_by(link.peer, link.theirs.incarnation, log)

    def pump(self, link: LinkState) -> Iterator[Effect]:
        """Send the next things: needed records, strictly by lane, blobs last; within the grant."""
        while not link.reading and link.credit > 0:
            if link.needed:
                yield self._records(link, link.needed)
            elif (log := link.next_log(URGENT_LANES)) is not None:
                yield from self._read(link, log)
            elif link.buckets:
                number = next(iter(link.buckets))
                del link.buckets[number]
                yield self._send(link, Bucket(number, *self._state.vector.bucket(number)))
            elif (log := link.next_log(TEXT_LANES)) is not None:
                yield from self._read(link, log)
            elif link.background:
                yield self._records(link, link.background)
            elif link.fills:
                log, (low, high) = next(iter(link.fills.items()))
                del link.fills[log]
                link.reading = True
                yield ReadBelow(link.id, log, low, high, link.batch_bytes())
            elif (log := link.next_log(BULK_LANES)) is not None:
                yield from self._read(link, log)
            elif (piece := self._blobs.next_piece(link)) is not None:
                yield self._send(link, piece)
            elif (part := self._blobs.next_read(link)) is not None:
                link.reading = True
                yield part
            else:
                return

    def fill_asked(self, link: LinkState, fill: Fill) -> Iterator[Effect]:
        """They lack a piece of a log: send it when nothing else is to be sent."""
        if fill.log in self._state.vector.lines and len(link.fills) < FILLS_MAX:
            link.fills[fill.log] = (fill.low, fill.high)
            yield from self.pump(link)

    def below_read(self, event: BelowRead, now: Now) -> Iterator[Effect]:
        """Send the piece, or how far down our log goes."""
        link = self._state.links.get(event.link)
        if link is None:
            return
        link.reading = False
        if event.held:
            yield self._entries(link, event.held, now)
        elif event.log in self._state.vector.lines:
            yield self._floor(link, event.log)
        yield from self.pump(link)

    def _floor(self, link: LinkState, log: LogId) -> SendFrame:
        return self._send(link, Lines(0, 0, [self._state.vector.lines[log]], [], False))

    def _send(self, link: LinkState, frame: Frame) -> SendFrame:
        data = encode_frame(frame)
        link.under_way += len(data)
        return SendFrame(link.id, data)

    def _records(self, link: LinkState, queue: dict[bytes, None]) -> SendFrame:
        raws: list[bytes] = []
        room = link.batch_bytes()
        while queue and (not raws or room > 0):
            raw = self._state.book.by_id[next(iter(queue))].raw
            if raws and len(raw) > room:
                break
            del queue[next(iter(queue))]
            raws.append(raw)
            room -= len(raw)
        return self._send(link, Records(raws))

    def _read(self, link: LinkState, log: LogId) -> Iterator[Effect]:
        first = link.standing.get(log, 0)
        if first == 0 or first > self._state.vector.height(log):
            link.sleep(log)
            return
        link.reading = True
        yield ReadEntries(link.id, log, first, link.batch_bytes())

    def entries_read(self, event: EntriesRead, now: Now) -> Iterator[Effect]:
        """Send what was read, unless they asked for something else meanwhile."""
        link = self._state.links.get(event.link)
        if link is None:
            return
        link.reading = False
        if link.standing.get(event.log) == event.first:
            if event.held:
                link.standing[event.log] = event.first + len(event.held)
                yield self._entries(link, event.held, now)
            else:
                link.sleep(event.log)
                if event.first <= self._state.vector.floor(event.log):
                    yield self._floor(link, event.log)
        yield from self.pump(link)

    def _entries(self, link: LinkState, held: list[HeldEntry], now: Now) -> SendFrame:
        ages = [age_now(one.age, one.seen_ms, now.seen_ms, now.gap_ms) for one in held]
        raws = [one.raw for one in held]
        return self._send(link, Entries(self._state.book.network, raws, ages, []))

    def part_read(self, event: PartRead) -> Iterator[Effect]:
        """Go on with a part of a blob, unless something else is ready by now."""
        link = self._state.links.get(event.link)
        if link is not None:
            link.reading = False
            yield from self._blobs.part_read(link, event)
            yield from self.pump(link)

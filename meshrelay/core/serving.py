"""Answering: what others asked of this node, strictly by lane and within their grant."""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core.events import Effect, EntriesRead, ReadEntries
from meshrelay.core.frames import Entries, Records, Want
from meshrelay.core.link import LinkState
from meshrelay.core.state import State, batches, send


class Serving:
    """Only what is held is ever read and sent."""

    def __init__(self, state: State) -> None:
        self._state = state

    def want_received(self, link: LinkState, want: Want) -> Iterator[Effect]:
        """Note what they follow and grant; records are answered at once."""
        link.credit = want.grant
        for log, first in want.logs:
            if first == 0:
                link.withdraw(log)
            else:
                link.standing[log] = first
                link.wake(log)
        if want.records:
            chain: dict[bytes, None] = {}
            for asked in want.records:
                if asked in self._state.book.nodes:
                    chain.update(dict.fromkeys(self._state.book.needed_for(asked, None)))
                else:
                    chain.update(dict.fromkeys(self._state.book.needed_for(b"", asked)))
            for raws in batches([self._state.book.by_id[record].raw for record in chain]):
                yield send(link, Records(raws))
        yield from self.pump(link)

    def pump(self, link: LinkState) -> Iterator[Effect]:
        """Ask the driver for the next batch: strictly by lane, within the grant."""
        while not link.reading and link.credit > 0:
            log = link.next_log()
            if log is None:
                return
            first = link.standing.get(log, 0)
            if first == 0 or first > self._state.vector.height(log):
                link.sleep(log)
                continue
            link.reading = True
            yield ReadEntries(link.id, log, first, link.batch_bytes())

    def entries_read(self, event: EntriesRead) -> Iterator[Effect]:
        """Send what was read, unless they asked for something else meanwhile."""
        link = self._state.links.get(event.link)
        if link is None:
            return
        link.reading = False
        if link.standing.get(event.log) == event.first:
            if event.raws:
                link.standing[event.log] = event.first + len(event.raws)
                link.credit -= sum(map(len, event.raws))
                yield send(link, Entries(self._state.book.network, event.raws))
            else:
                link.sleep(event.log)
        yield from self.pump(link)

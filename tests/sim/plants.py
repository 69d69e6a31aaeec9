"""Planted faults: each must be found, or the checker itself is broken."""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core import accept, sync
from meshrelay.core.entry import Entry
from meshrelay.core.events import Effect, Now
from meshrelay.core.link import LONG_AGO, LinkState
from tests.sim.world import Plant


class SendsBeforeCommit(Plant):
    """The driver answers, announces and sends what is not on disk yet."""

    speaks_first = True


class ContinuesIncarnation(Plant):
    """A restored disk goes on numbering where it stands."""

    continues = True


class _NoPeriodicHello(sync.Machine):
    def _hello(self, link: LinkState, now: Now) -> Iterator[Effect]:
        if now.mono_ms - link.hello_ms >= LONG_AGO:
            yield from super()._hello(link, now)


class NoPeriodicHello(Plant):
    """Nodes greet once and never again."""

    machine = _NoPeriodicHello


class _TakesGaps(accept.Acceptor):
    def is_next(self, entry: Entry, height: int) -> bool:
        return entry.seq > height

    def _fork(self, entry: Entry) -> int:
        if entry.seq > self.taken(entry.log) + 1:
            self._taken[entry.log] = (entry.seq, entry.id)
            return accept.TAKEN
        return super()._fork(entry)


class _AcceptsPastGap(sync.Machine):
    def __init__(self, signer, book, rules, incarnation, past, vector, clock, *rest) -> None:  # type: ignore[no-untyped-def]
        super().__init__(signer, book, rules, incarnation, past, vector, clock, *rest)
        self.acceptor = self._state.acceptor = _TakesGaps(signer, book, vector, clock)


class AcceptsPastGap(Plant):
    """An entry with a later number is taken though the one before is missing."""

    machine = _AcceptsPastGap


FAULTS = (SendsBeforeCommit, NoPeriodicHello, AcceptsPastGap, ContinuesIncarnation)

"""What a damaged store gets back from a sound one: two machines, two real stores, one cable.

`mended` starts a machine on each as the node does, joins them and lets time pass. It knows
nothing of how a store sets damaged rows aside: it looks at what both can forward in the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import LogId
from meshrelay.core.events import (
    AboveRead,
    BelowRead,
    Effect,
    EntriesRead,
    Found,
    HeldEntry,
    IdsRead,
    LookUp,
    ReadAbove,
    ReadBelow,
    ReadEntries,
    ReadIds,
)
from meshrelay.core.have import Receipts
from meshrelay.core.signing import Signer, hash32
from meshrelay.core.sync import Machine, restore_records, restore_vector
from meshrelay.errors import DamagedError, UnreadableError
from meshrelay.node.mending import extent
from meshrelay.store.opening import mark_damaged, open_store
from meshrelay.store.reader import LogReader
from meshrelay.store.sqlite import transaction
from tests.unit.core.city import HQ, NETWORK, NISHINARI, PT_MS, RULES, City, Station

READ_BYTES_MAX = 1 << 30
# A HELLO every 30 s; digests that differ under level cursors show every line after 10 minutes.
MENDED_MS = 11 * 60_000
INCARNATION = b"day two."


class Shelf(Station):
    """A station whose disk is a real store."""

    def __init__(self, signer: Signer, directory: Path) -> None:
        self.store, loaded = open_store(directory / "log.db", NETWORK)
        self.reader = LogReader(directory / "log.db")
        super().__init__(signer, [], INCARNATION)
        vector = restore_vector(
            loaded.lines, self.store.record_changes(), loaded.change, loaded.gaps
        )
        self.machine = Machine(
            signer, restore_records(self.store.records(), NETWORK), RULES, INCARNATION, [],
            vector, HybridClock(), Receipts(), {}, signer.public[:8], loaded.stock,
        )  # fmt: skip

    def _carry_out(self, effect: Effect) -> None:
        """As the driver does, where the disk is asked."""
        match effect:
            case ReadEntries(link, log, first, bytes_max):
                held = self._sound(log, partial(self.reader.read, log, first, bytes_max))
                self.feed(EntriesRead(link, log, first, held))
            case ReadBelow(link, log, low, high, bytes_max):
                held = self._sound(log, partial(self.reader.below, log, low, high, bytes_max))
                self.feed(BelowRead(link, log, high, held))
            case ReadIds(link, log, seqs):
                self.feed(IdsRead(link, log, self.reader.ids(log, seqs)))
            case ReadAbove(log, height):
                self.feed(AboveRead(log, self.reader.above(log, height)))
            case LookUp(log, seq):
                raw = self.reader.at(log, seq)
                self.feed(Found(log, seq, hash32(raw) if raw else None))
            case _:
                super()._carry_out(effect)

    def commit(self) -> None:
        """Store for real what waits, then say so."""
        if self.waiting:
            with transaction(self.store.connection):
                for each in self.waiting:
                    self.store.write(each, PT_MS, self.now().seen_ms)
        super().commit()

    def _sound(self, log: LogId, read: Callable[[], list[HeldEntry]]) -> list[HeldEntry]:
        try:
            return read()
        except DamagedError as error:
            found = extent(self.reader, NETWORK, log, error.seq)
            if found is not None:
                self.feed(found)
            return []

    def scrub(self) -> None:
        """Read everything once, as the node does in the background."""
        for log in list(self.machine.vector.lines):
            at = 1
            while at <= self.machine.vector.height(log):
                held = self._sound(log, partial(self.reader.read, log, at, READ_BYTES_MAX))
                at = at + len(held) if held else self.reader.next_held(log, at)

    def entries(self) -> dict[tuple[LogId, int], bytes]:
        """What it can forward of every log, by place."""
        return {
            (log, seq): held.raw
            for log in self.machine.vector.lines
            for seq, held in self.reader.from_lowest(log)
            if hash32(held.raw) == self.reader.named(log, seq)
        }

    def close(self) -> None:
        self.reader.close()
        self.store.connection.close()


def mended(damaged: Path, sound: Path, expected: dict[tuple[LogId, int], bytes]) -> list[str]:
    """Two machines on these stores, joined for long enough; what is still not right.

    A page that cannot be read ends the first start, as it ends the node: the second salvages.

    Raises:
        MeshRelayError, apsw.Error: the damaged store cannot even be started.
    """
    with contextlib.suppress(UnreadableError):
        return _mended(damaged, sound, expected)
    mark_damaged(damaged / "log.db")
    return _mended(damaged, sound, expected)


def _mended(damaged: Path, sound: Path, expected: dict[tuple[LogId, int], bytes]) -> list[str]:
    with (
        contextlib.closing(Shelf(NISHINARI, damaged)) as ours,
        contextlib.closing(Shelf(HQ, sound)) as theirs,
    ):
        city = City(ours, theirs)
        city.join(ours, theirs)
        city.deliver()
        ours.scrub()
        city.pass_ms(MENDED_MS)
        faults = list[str]()
        for name, shelf in (("damaged", ours), ("sound", theirs)):
            found = shelf.entries()
            wrong = [place for place, raw in expected.items() if found.get(place) != raw]
            faults += [f"the {name} store: lane {log.lane} seq {seq}" for log, seq in wrong]
    return faults

"""Planted faults: each must be found, or the checker itself is broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from meshrelay.core import accept, announcing, sync
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import Entry, LogId
from meshrelay.core.events import Commit, Effect, EntriesRead, Event, HeldEntry, KeepCursor, Now
from meshrelay.core.link import LONG_AGO, LinkState
from meshrelay.core.records import ROLE_ARCHIVE
from meshrelay.core.vector import Cursor
from meshrelay.core.verdict import REFUSED
from tests.sim.disk import Disk

if TYPE_CHECKING:
    from tests.sim.ward import Ward


class Plant:
    """A planted fault; the plain one is the correct build."""

    machine: type[sync.Machine] = sync.Machine
    clock: type[HybridClock] = HybridClock
    speaks_first = False  # send before commit
    continues = False  # continue the incarnation after a restore

    def reads(self, ward: Ward, log: LogId, first: int, bytes_max: int) -> list[HeldEntry]:
        """What ReadEntries finds."""
        return ward.disk.read(log, first, bytes_max)

    def ticked(self, ward: Ward) -> None:
        """After each tick of a running ward."""

    def power_cut(self, ward: Ward, without_power: bool) -> None:
        """A ward stopped; `without_power`: its operating system as well."""


class SendsBeforeCommit(Plant):
    """Answers, announces and sends what is not on disk yet."""

    speaks_first = True

    def reads(self, ward: Ward, log: LogId, first: int, bytes_max: int) -> list[HeldEntry]:
        held = ward.disk.read(log, first, bytes_max)
        taken = {one.entry.seq: one for one in ward.unwritten() if one.entry.log == log}
        while (one := taken.get(first + len(held))) is not None:
            held.append(HeldEntry(one.entry.raw, one.age, 0))
        return held


class CommitsWithoutFsync(Plant):
    """What was said to be committed lies in the operating system's cache for five seconds."""

    def __init__(self) -> None:
        self._platters: dict[Ward, tuple[int, Disk]] = {}

    def ticked(self, ward: Ward) -> None:
        if ward.world.ms - self._platters.get(ward, (-5_000, ward.disk))[0] >= 5_000:
            self._platters[ward] = (ward.world.ms, ward.disk.copy())

    def power_cut(self, ward: Ward, without_power: bool) -> None:
        if without_power and ward in self._platters:
            ward.disk = self._platters[ward][1].copy()


def _parts(machine: sync.Machine) -> tuple[Any, ...]:
    """What an Announcing is made of."""
    return (
        machine._state, machine.following, machine.fetching, machine.serving, machine.statements,
        machine.forks, machine.filling,
    )  # fmt: skip


class _GreetsOnce(announcing.Announcing):
    def hello(self, link: LinkState, now: Now) -> Iterator[Effect]:
        if now.mono_ms - link.hello_ms >= LONG_AGO:
            yield from super().hello(link, now)


class _NoPeriodicHello(sync.Machine):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.announcing = _GreetsOnce(*_parts(self))


class NoPeriodicHello(Plant):
    """Greets once and never again."""

    machine = _NoPeriodicHello


class _TakesGaps(accept.Acceptor):
    def receive(self, entry: Entry, own_incarnation: bytes, pt_ms: int) -> int:
        result = super().receive(entry, own_incarnation, pt_ms)
        if result == accept.GAP:
            self._taken[entry.log] = (entry.seq, entry.id)
            return accept.TAKEN
        return result


class _AcceptsPastGap(sync.Machine):
    def __init__(self, signer, book, rules, incarnation, past, vector, clock, *rest) -> None:  # type: ignore[no-untyped-def]
        super().__init__(signer, book, rules, incarnation, past, vector, clock, *rest)
        self.acceptor = self._state.acceptor = _TakesGaps(signer, book, vector, clock)


class AcceptsPastGap(Plant):
    """Takes an entry with a later number though the one before is missing."""

    machine = _AcceptsPastGap


class ContinuesIncarnation(Plant):
    """Goes on numbering where a restored disk stands."""

    continues = True


class _LevelBStops(sync.Machine):
    def handle(self, event: Event, now: Now) -> list[Effect]:
        effects: list[Effect] = []
        for effect in super().handle(event, now):
            if isinstance(effect, Commit) and effect.tag is None and effect.entries:
                kept = []
                for each in effect.entries:
                    if each.verdict.state == REFUSED:
                        break
                    kept.append(each)
                effect = effect._replace(entries=kept)
                self._tickets[effect.ticket] = effect
                self.acceptor.put_back()
            effects.append(effect)
        return effects


class LevelBStopsALog(Plant):
    """Does not store an entry that level B refuses, nor anything after it."""

    machine = _LevelBStops


class _SettlesEarly(announcing.Announcing):
    def settle(self, link: LinkState) -> Iterator[Effect]:
        if link.theirs is None or not link.mark:
            return
        cursor = Cursor(link.theirs.incarnation, link.mark)
        if self._state.cursors.get(link.peer) != cursor:
            self._state.cursors[link.peer] = cursor
            yield KeepCursor(link.peer, cursor)


class _CursorEarly(sync.Machine):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.announcing = _SettlesEarly(*_parts(self))


class MovesCursorEarly(Plant):
    """Moves the cursor when entries are announced, before they are held."""

    machine = _CursorEarly


class _PubackIsReceipt(sync.Machine):
    def handle(self, event: Event, now: Now) -> list[Effect]:
        effects = super().handle(event, now)
        if isinstance(event, EntriesRead):
            peer = self.links[event.link].peer if event.link in self.links else b""
            for word in self.receipts._words.get(peer, {}).values():
                self.receipts._cover(word, event.log, event.first + len(event.held) - 1)
        return effects


class PubackIsReceipt(Plant):
    """Counts what was sent as received."""

    machine = _PubackIsReceipt


class TwoNodesEvict(Plant):
    """Drops entries that two ordinary peers' statements cover."""

    def ticked(self, ward: Ward) -> None:
        machine = ward.machine
        if machine is None or ward.world.ms % 30_000 >= 250:
            return
        ordinary = [
            signer
            for signer in machine.receipts.signers()
            if signer in machine.book.nodes and ROLE_ARCHIVE not in machine.book.nodes[signer].roles
        ]
        for log, rows in ward.disk.logs.items():
            covered = sorted(machine.receipts.covered(signer, log) for signer in ordinary)
            for seq in range(1, covered[-2] + 1 if len(covered) > 1 else 1):
                if seq < ward.disk.lines[log].height:
                    rows.pop(seq, None)


class _FollowsAnyStamp(HybridClock):
    def observe(self, remote: int, pt_ms: int) -> None:
        self._newest = max(self._newest, remote)


class FollowsAnyStamp(Plant):
    """Its clock follows any remote stamp."""

    clock = _FollowsAnyStamp


FAULTS: tuple[type[Plant], ...] = (
    SendsBeforeCommit,
    CommitsWithoutFsync,
    NoPeriodicHello,
    AcceptsPastGap,
    ContinuesIncarnation,
    LevelBStopsALog,
    MovesCursorEarly,
    PubackIsReceipt,
    TwoNodesEvict,
    FollowsAnyStamp,
)

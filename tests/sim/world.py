"""A city in one process: virtual clock, seeded order, wards, cables, and what is noted of them.

A world is `World(options_of(seed))`. tests/sim/storms.py makes trouble in it and calms it,
tests/sim/invariants.py reads what happened. Everything derives from the seed, in an order
that does not depend on PYTHONHASHSEED: `trace()` proves it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from hashlib import blake2b
from random import Random

from meshrelay.core.entry import Entry, LogId
from meshrelay.core.events import CloseLink, Commit, Effect, KeepHave, Refused, SendFrame
from meshrelay.errors import RemoteProtocolError
from tests.sim.cables import Cables
from tests.sim.disk import Disk
from tests.sim.lies import LIES
from tests.sim.options import Options
from tests.sim.people import ISSUER_RECORD, Person, node_record, person
from tests.sim.plants import Plant
from tests.sim.ward import Ward

PERSONS = 4
DISK_FAILURES = 0.02  # of all commits


class World:
    """Wards, cables and the order of things."""

    def __init__(self, options: Options, plant: Plant | None = None) -> None:
        self.options = options
        self.random = Random(options.seed)
        self.plant = plant or Plant()
        self.ms = 0
        self.is_dark = False  # no ward has power
        self.disk_failures = DISK_FAILURES
        self.complaints: list[tuple[str, str, RemoteProtocolError]] = []
        self.excused: set[bytes] = set()  # entries that only a lost disk held
        self.born_ms: dict[bytes, int] = {}  # entry id -> when it was written
        self.numbered: dict[tuple[LogId, int], bytes] = {}  # entry ids that others may know
        self.forks: set[LogId] = set()  # logs with two entries of one number
        self.stolen: bytes | None = None  # key of a node that was copied
        self.forged: list[Entry] = []  # by people's sessions on the copy, and known to others
        self.refused: dict[str, int] = {}
        self.calm_ms = 0  # how long the calm took until all were equal
        self.calm_bytes = 0
        self._trace = blake2b(digest_size=16)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._tags = 0
        self.cables = Cables(self)
        self.wards = [
            Ward(self, number, "本部" if number == 0 else f"区{number}")
            for number in range(options.wards)
        ]
        for ward, commit_ms in zip(self.wards, options.commit_ms, strict=True):
            ward.commit_ms = commit_ms
        for number, lie in options.liars:
            self.wards[number].lie = LIES[lie]()
        self._lay_cables()
        self.roster: list[Person] = [person(serial) for serial in range(1, PERSONS + 1)]
        self.announced: list[Person] = []  # persons whose record the HQ has taken in
        self._enrol()

    @property
    def honest(self) -> list[Ward]:
        return [ward for ward in self.wards if ward.is_honest]

    def _lay_cables(self) -> None:
        options, wards = self.options, self.wards
        datagrams = options.datagrams
        match options.topology:
            case "ring":
                pairs = [(wards[n - 1], wards[n]) for n in range(1, len(wards))]
                chords = [(a, b) for a in wards for b in wards if b.number > a.number + 1]
                pairs += [pair for pair in chords if self.random.random() < options.chords]
            case "line":
                pairs = [(wards[n - 1], wards[n]) for n in range(1, len(wards))]
            case "star":
                pairs = [(wards[0], ward) for ward in wards[1:]]
            case "islands":
                half = len(wards) // 2
                east, west = wards[:half], wards[half:]
                pairs = [(a, b) for island in (east, west) for a in island for b in island
                         if a.number < b.number <= a.number + 2]  # fmt: skip
                pairs.append((east[0], west[0]))
            case _:  # every ward has a link to each archive, and hears the broadcasts of all
                for archive in wards[: options.archives]:
                    for ward in wards[archive.number + 1 :]:
                        self.cables.add(archive, ward, datagrams=True, broadcasts=True)
                pairs = [(wards[n - 1], wards[n]) for n in range(options.archives + 1, len(wards))]
                pairs = [pair for pair in pairs if self.random.random() < 0.3]
                datagrams = False
        for a, b in pairs:
            self.cables.add(a, b, datagrams)

    def _enrol(self) -> None:
        """Each ward begins with its own enrolment, HQ's and a few others' credentials."""
        archives = self.options.archives
        records = [node_record(ward, ward.number < archives) for ward in self.wards]
        for ward in self.wards:
            known = [ISSUER_RECORD]
            known += [
                record
                for number, record in enumerate(records)
                if number in (0, ward.number) or self.random.random() < 0.5
            ]
            disk = ward.disk
            for record in known:
                disk.records.append(record.raw)
                disk.change += 1
                disk.numbers[record.id] = disk.change
                disk.lanes[record.id] = 0
            ward.start()
        self.announce(2)

    def announce(self, count: int) -> None:
        """HQ takes in the next persons of the roster."""
        new, self.roster = self.roster[:count], self.roster[count:]
        if new:
            hq = self.wards[0]
            hq.submit([], [each.staff for each in new], lambda _: self.announced.extend(new))

    # Time

    def next_tag(self) -> int:
        self._tags += 1
        return self._tags

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do it then; what is due at the same time is done in the order of asking."""
        self._count += 1
        heapq.heappush(self._queue, (self.ms + delay_ms, self._count, action))

    def run(self, for_ms: int) -> None:
        until = self.ms + for_ms
        while self._queue and self._queue[0][0] <= until:
            self.ms, _, action = heapq.heappop(self._queue)
            action()
        self.ms = until

    # What happened

    def note(self, ward: Ward, effect: Effect) -> None:
        """Every effect of every machine is part of the trace."""
        update = self._trace.update
        update(b"%d %d " % (self.ms, ward.number))
        match effect:
            case SendFrame(link, data):
                update(b"send %d " % link + data)
            case Commit(ticket, entries, records):
                update(b"commit %d " % ticket)
                update(b"".join(entry.id for entry, *_ in entries))
                update(b"".join(record.id for record in records))
            case KeepHave(signer, raw):
                update(b"have " + signer + raw)
            case Refused(reason, _):
                self.refused[reason] = self.refused.get(reason, 0) + 1
                update(b"refused " + reason.encode())
            case CloseLink(link, error):
                update(b"close %d " % link + error.reason.encode())
            case _:
                update(repr(effect).encode())

    def left(self, entry: Entry) -> None:
        """An entry was answered at home or stored elsewhere: its number is used for ever."""
        if self.numbered.setdefault((entry.log, entry.seq), entry.id) != entry.id:
            self.forks.add(entry.log)

    def trace(self) -> str:
        """A digest of all effects so far: equal for equal seeds, or the simulation is broken."""
        return self._trace.hexdigest()

    def excuse(self, ward: Ward, older: Disk) -> None:
        """Entries that only the lost disk held are physically gone."""
        kept = older.ids()
        for other in self.honest:
            if other is not ward:
                kept |= other.kept()
        self.excused |= ward.disk.ids() - kept

    def is_level(self) -> bool:
        """Whether all honest wards run and their stores are equal."""
        digests = {ward.machine.vector.digest() if ward.machine else b"" for ward in self.honest}
        return len(digests) == 1

    def diameter(self) -> int:
        """Longest shortest way between honest wards, in cables."""
        longest = 0
        for ward in self.honest:
            distance = {ward: 0}
            front = [ward]
            while front:
                here = front.pop(0)
                for cable in self.cables.of(here):
                    there = cable.b if cable.a is here else cable.a
                    if there.is_honest and there not in distance:
                        distance[there] = distance[here] + 1
                        front.append(there)
            longest = max(longest, *distance.values())
        return longest

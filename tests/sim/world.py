"""A city on one page: virtual clock, seeded order, wards that crash, cables that break.

A world is `World(seed)`; `storm()` makes trouble, `calm()` mends every cable and waits,
and the functions I1 … I10 (tests/sim/invariants.py) read what happened. Everything
derives from the seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from meshrelay.core import sync
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import Draft, Entry, LogId
from meshrelay.core.events import (
    Broadcast,
    CloseLink,
    Commit,
    Committed,
    Covered,
    Effect,
    EntriesRead,
    Event,
    Found,
    KeepCursor,
    KeepHave,
    LinkDown,
    LinkUp,
    LookUp,
    Missing,
    Now,
    ReadEntries,
    Received,
    Refused,
    Rejudge,
    SendFrame,
    Submit,
    Tick,
)
from meshrelay.core.have import Receipts, read_have
from meshrelay.core.records import IssuerCredential, NodeCredential, make_issuer, make_node
from meshrelay.core.signing import Signer, network_id
from meshrelay.core.vector import Cursor, Line, Vector
from meshrelay.core.verdict import Rule
from meshrelay.errors import RemoteProtocolError

RULES = {"note": Rule(frozenset({0, 1, 2, 3}), True, frozenset(), lambda body, audience: None)}
AUTHORITY, ISSUER = Signer(b"A" * 32), Signer(b"I" * 32)
NETWORK = network_id(AUTHORITY.public)
ISSUER_RECORD = make_issuer(
    AUTHORITY, IssuerCredential(AUTHORITY.public, ISSUER.public, 1, 1, "訓練市", True)
)
TICK_MS = 250


@dataclass
class Disk:
    """What survives: entries in order of commit, records, HAVEs, cursors, incarnations."""

    entries: list[Entry] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    order: list[tuple[LogId | bytes, int]] = field(default_factory=list)  # change numbers
    haves: list[bytes] = field(default_factory=list)
    cursors: dict[bytes, Cursor] = field(default_factory=dict)
    incarnations: list[bytes] = field(default_factory=list)
    change: int = 0

    def copy(self) -> Disk:
        return Disk(
            list(self.entries), list(self.records), list(self.order), list(self.haves),
            dict(self.cursors), list(self.incarnations), self.change,
        )  # fmt: skip

    def heights(self) -> dict[LogId, int]:
        heights: dict[LogId, int] = {}
        for entry in self.entries:
            heights[entry.log] = max(heights.get(entry.log, 0), entry.seq)
        return heights


class Ward:
    """One node: a machine, a disk, a witness, a clock that may be wrong."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.name = "本部" if number == 0 else f"区{number}"
        self.signer = Signer(bytes([number + 1]) * 32)
        self.disk = Disk()
        self.witness: tuple[bytes, int] | None = None
        self.machine: sync.Machine | None = None
        self.pending: list[Commit] = []
        self.life = 0
        self.links: dict[int, Ward] = {}
        self.offset_ms = world.random.choice([0, 0, 0, -1_600_000_000_000, 3_600_000])
        self.ever: dict[LogId, int] = {}  # highest height that was ever durable here
        self.accepted: list[Entry] = []  # own entries whose acceptance was answered

    def now(self) -> Now:
        return Now(self.world.ms, 1_700_000_000_000 + self.world.ms + self.offset_ms, 4)

    def start(self) -> None:
        self.life += 1
        incarnations = self.disk.incarnations
        proven = (
            self.witness is not None
            and incarnations
            and self.witness[0] == incarnations[-1]
            and self.witness[1] <= self.disk.change
        )
        if not (proven or (self.world.plant.continues and incarnations)):
            incarnations.append(self.world.random.randbytes(8))
        book = sync.restore_records(self.disk.records, NETWORK)
        vector = self._vector()
        receipts = Receipts()
        for raw in self.disk.haves:
            receipts.take(read_have(raw), vector)
        for log, seq in receipts.to_look_up:
            entry_id = next((e.id for e in self.disk.entries if (e.log, e.seq) == (log, seq)), None)
            if entry_id is not None:
                receipts.resolve(log, seq, entry_id)
        receipts.to_look_up, receipts.moved = [], []
        self.machine = self.world.plant.machine(
            self.signer, book, RULES, incarnations[-1], incarnations[:-1], vector, HybridClock(),
            receipts, dict(self.disk.cursors), self.world.random.randbytes(8),
        )  # fmt: skip
        self.tick(self.life)

    def _vector(self) -> Vector:
        heads = {entry.log: entry for entry in self.disk.entries}
        lines, records = [], []
        for key, number in self.disk.order:
            if isinstance(key, LogId):
                lines.append((Line(key, heads[key].seq, heads[key].id), number))
            else:
                records.append((key, 0, number))
        return sync.restore_vector(lines, records)

    def tick(self, life: int) -> None:
        if self.machine is not None and life == self.life:
            self.feed(Tick())
            self.world.after(TICK_MS, lambda: self.tick(life))

    def feed(self, event: Event) -> None:
        if self.machine is None:
            return
        for effect in self.machine.handle(event, self.now()):
            self.carry_out(effect)

    def carry_out(self, effect: Effect) -> None:
        world = self.world
        match effect:
            case SendFrame(link, data):
                world.send(self, link, data)
            case Commit():
                self.pending.append(effect)
                life = self.life
                if world.plant.speaks_first:
                    self.answer(effect)
                world.after(world.random.randint(1, 40), lambda: self.durable(effect, life))
            case ReadEntries(link, log, first, bytes_max):
                raws: list[bytes] = []
                for entry in self.held(log, first):
                    if raws and sum(map(len, raws)) + len(entry.raw) > bytes_max:
                        break
                    raws.append(entry.raw)
                self.feed(EntriesRead(link, log, first, raws))
            case LookUp(log, seq):
                found = next((entry.id for entry in self.held(log, seq)), None)
                self.feed(Found(log, seq, found))
            case KeepHave(_, raw):
                self.disk.haves.append(raw)
            case KeepCursor(peer, cursor):
                self.disk.cursors[peer] = cursor
            case CloseLink(link, error):
                world.complaints.append(error)
                world.drop_link(link)
            case Rejudge() | Broadcast() | Covered() | Missing() | Refused():
                pass

    def held(self, log: LogId, first: int) -> list[Entry]:
        mine = [entry for entry in self.disk.entries if entry.log == log and entry.seq >= first]
        if self.world.plant.speaks_first:
            mine += [
                e for c in self.pending for e, _ in c.entries if e.log == log and e.seq >= first
            ]
        return mine

    def durable(self, upto: Commit, life: int) -> None:
        """One fsync: everything queued up to `upto` is on disk, in order."""
        while life == self.life and upto in self.pending:
            commit = self.pending.pop(0)
            for entry, _ in commit.entries:
                self.disk.entries.append(entry)
                self.ever[entry.log] = max(self.ever.get(entry.log, 0), entry.seq)
            self.disk.records += [record.raw for record in commit.records]
            if not self.world.plant.speaks_first:
                self.answer(commit)
            assert self.machine is not None
            self.disk.order = self.machine.vector.after(0)
            self.disk.change = self.machine.vector.change

    def answer(self, commit: Commit) -> None:
        assert self.machine is not None
        # The witness is written before what `Committed` releases: commit, witness, sends.
        changes = len({entry.log for entry, _ in commit.entries}) + len(commit.records)
        self.witness = (self.disk.incarnations[-1], self.machine.vector.change + changes)
        self.feed(Committed(commit.ticket))
        if commit.tag is not None:
            self.accepted += [entry for entry, _ in commit.entries]

    def stop(self, keep_witness: bool) -> None:
        """SIGKILL (witness kept) or a power cut: whatever was not synced is lost."""
        self.machine = None
        self.life += 1
        self.pending.clear()
        for link in list(self.links):
            self.world.drop_link(link)
        if not keep_witness:
            self.witness = None

    def restore(self, older: Disk) -> None:
        """Somebody puts last week's SD card back."""
        self.stop(keep_witness=False)
        self.world.excuse(self, older)
        self.disk = older

    def say(self, lane: int, text: str) -> None:
        if self.machine is not None:
            draft = Draft(lane, "note", 3600, b"", text.encode())
            self.feed(Submit([draft], [], self.world.next_tag()))


class Plant:
    """A planted fault; the plain one is the correct build."""

    machine: type[sync.Machine] = sync.Machine
    speaks_first = False  # send before commit
    continues = False  # continue the incarnation after a restore


class World:
    """Wards, cables and the order of things, all from one seed."""

    def __init__(self, seed: int, plant: Plant | None = None) -> None:
        self.random = Random(seed)
        self.plant = plant or Plant()
        self.ms = 0
        self.complaints: list[RemoteProtocolError] = []
        self.excused: set[bytes] = set()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._tags = 0
        self._links: dict[int, tuple[Ward, int, Ward, int]] = {}
        self._next_link = 0
        self.loss = self.random.choice([0.0, 0.0, 0.05, 0.3])
        self.delay_ms = self.random.choice([1, 20, 300])
        self.wards = [Ward(self, number) for number in range(self.random.randint(3, 5))]
        pairs = [(a, b) for a in self.wards for b in self.wards if a.name < b.name]
        ring = [(a, b) for a, b in zip(self.wards, self.wards[1:], strict=False)]
        self.cables = ring + [
            pair for pair in pairs if self.random.random() < 0.4 and pair not in ring
        ]
        self.cut: set[tuple[Ward, Ward]] = set()
        for number, ward in enumerate(self.wards):
            roles = ["archive"] if number == 0 else []
            records = [ISSUER_RECORD]
            for other_number, other in enumerate(self.wards):
                own_roles = roles if other is ward else (["archive"] if other_number == 0 else [])
                content = NodeCredential(
                    ISSUER_RECORD.id, other.signer.public, b"t" * 32, b"b" * 32, own_roles,
                    f"{other_number:02}", other.name, other.name, other.name, other_number + 1, 1,
                )  # fmt: skip
                if other is ward or other_number == 0 or self.random.random() < 0.5:
                    records.append(make_node(ISSUER, NETWORK, content))
            ward.disk.records = [record.raw for record in records]
            ward.disk.order = [(record.id, n + 1) for n, record in enumerate(records)]
            ward.disk.change = len(records)
            ward.start()

    def next_tag(self) -> int:
        self._tags += 1
        return self._tags

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.ms + delay_ms, self._count, action))

    def run(self, for_ms: int) -> None:
        until = self.ms + for_ms
        while self._queue and self._queue[0][0] <= until:
            self.ms, _, action = heapq.heappop(self._queue)
            action()
        self.ms = until

    # Cables

    def connect(self) -> None:
        """Bring up a link on every whole cable between running wards."""
        for a, b in self.cables:
            joined = any(peer is b for peer in a.links.values())
            if (a, b) in self.cut or joined or a.machine is None or b.machine is None:
                continue
            self._next_link += 2
            here, there = self._next_link, self._next_link + 1
            lossy = self.loss > 0
            self._links[here] = self._links[there] = (a, here, b, there)
            a.links[here], b.links[there] = b, a
            a.feed(LinkUp(here, b.signer.public, "sim", lossy, False))
            b.feed(LinkUp(there, a.signer.public, "sim", lossy, False))

    def drop_link(self, link: int) -> None:
        if link in self._links:
            a, here, b, there = self._links.pop(link)
            self._links.pop(there if link == here else here, None)
            for ward, end in ((a, here), (b, there)):
                ward.links.pop(end, None)
                ward.feed(LinkDown(end))

    def send(self, sender: Ward, link: int, data: bytes) -> None:
        if link not in self._links or self.random.random() < self.loss:
            return
        a, here, b, there = self._links[link]
        receiver, end = (b, there) if link == here else (a, here)
        jitter = self.random.randint(0, self.delay_ms) if self.loss else 0
        repeats = 2 if self.loss and self.random.random() < 0.02 else 1
        for _ in range(repeats):
            self.after(self.delay_ms + jitter, lambda: self._arrive(receiver, end, data))

    def _arrive(self, receiver: Ward, end: int, data: bytes) -> None:
        if end in receiver.links:
            receiver.feed(Received(end, data))

    def excuse(self, ward: Ward, older: Disk) -> None:
        """Entries that only the lost disk held are physically gone."""
        kept = {entry.id for entry in older.entries}
        for other in self.wards:
            if other is not ward:
                kept |= {entry.id for entry in other.disk.entries}
        self.excused |= {entry.id for entry in ward.disk.entries} - kept

    # Weather

    def storm(self, steps: int = 40) -> None:
        backups = {ward.name: ward.disk.copy() for ward in self.wards}
        for step in range(steps):
            self.connect()
            ward = self.random.choice(self.wards)
            dice = self.random.random()
            if dice < 0.55:
                for _ in range(self.random.choice([1, 1, 2, 15])):
                    ward.say(self.random.choice([0, 1, 1, 2]), f"{ward.name} 第{step}報")
            elif dice < 0.75:
                cable = self.random.choice(self.cables)
                if cable in self.cut:
                    self.cut.discard(cable)
                else:
                    self.cut.add(cable)
                    for link, peer in list(cable[0].links.items()):
                        if peer is cable[1]:
                            self.drop_link(link)
            elif dice < 0.9:
                if ward.machine is not None:
                    ward.stop(keep_witness=self.random.random() < 0.5)
                    self.after(self.random.randint(10, 20_000), ward_start(ward))
            elif dice < 0.95 and ward.machine is not None:
                ward.restore(backups[ward.name].copy())
                self.after(self.random.randint(10, 5_000), ward_start(ward))
            elif dice < 0.97 and self.loss > 0:
                self.deaf_spell()
            else:
                backups[ward.name] = ward.disk.copy()
            self.run(self.random.choice([5, 50, 500, 5_000, 35_000]))

    def deaf_spell(self) -> None:
        """For a while every frame is lost and no link notices: what was said stays unsaid."""
        usual, self.loss = self.loss, 1.0
        for ward in self.wards:
            ward.say(1, f"{ward.name} 聞こえますか")
        self.run(5_000)
        self.loss = usual

    def calm(self, for_ms: int = 240_000) -> None:
        """Every cable whole, nothing lost, everybody up: long enough for any repair."""
        if self.loss > 0:
            self.deaf_spell()  # the last word of the storm is lost, and nobody speaks after it
        self.cut.clear()
        self.loss = 0.0
        for ward in self.wards:
            if ward.machine is None:
                ward_start(ward)()
        for _ in range(for_ms // 5_000):
            self.connect()
            self.run(5_000)


def ward_start(ward: Ward) -> Callable[[], None]:
    def start() -> None:
        if ward.machine is None:
            ward.start()

    return start

"""A small city for unit tests: keys and records from fixed seeds, machines, cables, a clock.

`City` joins stations. Frames are delivered by `deliver()`, time passes in `pass_ms()`;
nothing sleeps. `city.seen` keeps every frame: (from, to, frame).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from meshrelay.core import sync
from meshrelay.core.book import RecordBook
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import (
    AuthorPart,
    Draft,
    Entry,
    LogId,
    check_entry,
    make_entry,
    read_entry,
    sign_author_part,
)
from meshrelay.core.events import (
    AboveRead,
    BelowRead,
    BlobKept,
    Broadcast,
    CloseLink,
    Commit,
    CommitFailed,
    Committed,
    Effect,
    EntriesRead,
    Event,
    Found,
    HeldEntry,
    IdsRead,
    KeepCursor,
    KeepPart,
    LinkDown,
    LinkUp,
    LookUp,
    Now,
    PartKept,
    PartRead,
    ReadAbove,
    ReadBelow,
    ReadEntries,
    ReadIds,
    ReadPart,
    Received,
    Refused,
    SendFrame,
    Submit,
    Tick,
)
from meshrelay.core.frames import Entries, Frame, decode_frame, encode_frame
from meshrelay.core.have import Receipts
from meshrelay.core.records import (
    ROLES_BOUND,
    Binding,
    IssuerCredential,
    NodeCredential,
    Record,
    Session,
    StaffCredential,
    make_binding,
    make_issuer,
    make_node,
    make_session,
    make_staff,
)
from meshrelay.core.signing import Signer, hash32, network_id
from meshrelay.core.vector import Vector
from meshrelay.core.verdict import Rule
from meshrelay.desk import receipts
from meshrelay.errors import LocalProtocolError

PT_MS = 1_790_000_000_000
TICK_MS = 250
LIFETIME_S = 3_600

AUTHORITY, ISSUER = Signer(b"A" * 32), Signer(b"I" * 32)
NETWORK = network_id(AUTHORITY.public)
ISSUER_RECORD = make_issuer(
    AUTHORITY, NETWORK, IssuerCredential(AUTHORITY.public, ISSUER.public, 1, 2, "訓練市", True)
)
HQ, KITA, CHUO, NISHINARI = (Signer(bytes([number]) * 32) for number in range(1, 5))
WARDS = {"00": (HQ, "本部", "HQ"), "01": (KITA, "北区", "Kita"),
         "02": (CHUO, "中央区", "Chuo"), "03": (NISHINARI, "西成区", "Nishinari")}  # fmt: skip


def node_record(signer: Signer, serial: int = 0, generation: int = 1, name: str = "") -> Record:
    """The credential of one of the four wards' nodes; HQ is the archive."""
    ward = next(code for code, (key, _, _) in WARDS.items() if key is signer)
    _, ja, en = WARDS[ward]
    content = NodeCredential(
        ISSUER_RECORD.id, signer.public, b"t" * 32, b"b" * 32,
        ["archive"] if signer is HQ else [], ward, ja, en, name or f"{ja}の機器",
        serial or int(ward) + 1, generation,
    )  # fmt: skip
    return make_node(ISSUER, NETWORK, content)


NODE_RECORDS = [node_record(signer) for signer, _, _ in WARDS.values()]
RECORDS = [ISSUER_RECORD, *NODE_RECORDS]


class Person(NamedTuple):
    """Somebody with a card, a PIN and an open session at one node."""

    staff: Record
    binding: Record
    session: Record
    signer: Signer
    card: Signer
    author: Signer

    @property
    def records(self) -> list[Record]:
        return [self.staff, self.binding, self.session]


def person(
    staff_id: str, origin: Signer, serial: int = 1, roles: tuple[str, ...] = ("staff",)
) -> Person:
    """A person logged in at `origin`; everything derives from the staff id."""
    seed = staff_id.encode().ljust(31, b".")
    card, author, key = (Signer(seed + kind) for kind in (b"c", b"a", b"s"))
    issuer = AUTHORITY if "hq" in roles else ISSUER
    staff = make_staff(
        issuer,
        NETWORK,
        StaffCredential(
            ISSUER_RECORD.id, card.public, staff_id, f"職員{staff_id}", "しょくいん", "01",
            "総務課", list(roles), serial, 1,
        ),
    )  # fmt: skip
    bound = Binding(staff.id, author.public, b"x" * 32, 1, 32_768, 3, 0)
    if ROLES_BOUND.isdisjoint(roles):
        binding = make_binding(card, author, NETWORK, bound)
    else:
        binding = make_binding(issuer, author, NETWORK, bound._replace(by=ISSUER_RECORD.id))
    session = make_session(
        author, NETWORK, Session(binding.id, staff.id, origin.public, key.public, 1)
    )
    return Person(staff, binding, session, key, card, author)


def book_of(*records: Record) -> RecordBook:
    """A book with exactly these records."""
    book = RecordBook(NETWORK)
    for record in records:
        book.add(record)
    return book


def batch(*raws: bytes, network: bytes = NETWORK) -> bytes:
    """The ENTRIES frame that carries these."""
    return encode_frame(Entries(network, list(raws), [0] * len(raws), []))


def checked(entry: Entry, network: bytes = NETWORK) -> Entry:
    """The entry as it is read from a frame, its own signature verified."""
    found = read_entry(entry.raw)
    check_entry(found, network)
    return found


def log_of(signer: Signer, lane: int = 1, incarnation: bytes = b"day one.") -> LogId:
    return LogId(signer.public, incarnation, lane)


def note(text: str, lane: int = 1) -> Draft:
    return Draft(lane, "note", LIFETIME_S, b"", text.encode())


def chain(
    signer: Signer, count: int, lane: int = 1, network: bytes = NETWORK, text: str = "第"
) -> list[Entry]:
    """The first `count` entries of one log."""
    log = log_of(signer, lane)
    entries: list[Entry] = []
    for seq in range(1, count + 1):
        prev = entries[-1].id if entries else log.first_prev
        draft = note(f"{text}{seq}報", lane)
        entries.append(make_entry(signer, network, log, seq, prev, (PT_MS + seq) << 16, 4, draft))
    return entries


def said(
    who: Person, origin: Signer, body: bytes, *, kind: str = "talk", lane: int = 1, seq: int = 1,
    message: int = 1, audience: str = "all", hlc_ms: int = PT_MS, quality: int = 4,
    incarnation: bytes = b"day one.", summary: str = "要約",
) -> Entry:  # fmt: skip
    """An entry that `who` wrote at `origin`; `prev` is of the log's beginning."""
    part = AuthorPart(
        message.to_bytes(16, "big"), who.session.id, hlc_ms, quality, 1, audience, summary, body
    )
    author = sign_author_part(who.signer, NETWORK, origin.public, lane, LIFETIME_S, kind, part)
    log = log_of(origin, lane, incarnation)
    draft = Draft(lane, kind, LIFETIME_S, author, b"")
    return make_entry(origin, NETWORK, log, seq, log.first_prev, hlc_ms << 16, quality, draft)


RULES = {
    "note": Rule(frozenset({0, 1, 2, 3}), True, frozenset(), lambda body, audience: None),
    "talk": Rule(
        frozenset({1}), False, frozenset(), lambda body, audience: None if body else "empty"
    ),
    "order": Rule(frozenset({0}), False, frozenset({"hq"}), lambda body, audience: None),
    receipts.NAME: receipts.KIND.rule,
}


# A row that was dropped, or never was here.
GONE = b""


class Station:
    """One machine with a disk in memory. With `commits_at_once` off, call `commit()`."""

    def __init__(self, signer: Signer, records: list[Record], incarnation: bytes = b"day one."):
        self.signer = signer
        self.city: City | None = None
        self.commits_at_once = True
        self.quality = 4
        self.gap_ms = 0
        self.waiting: list[Commit] = []
        self.disk: dict[LogId, list[bytes]] = {}
        self.ages: dict[bytes, tuple[int, int]] = {}  # raw -> age, seen_ms of its commit
        self.blobs: dict[bytes, dict[int, bytes]] = {}
        self.orphans: list[Entry] = []
        self.effects: list[Effect] = []
        self.machine = sync.Machine(
            signer, RecordBook(NETWORK), RULES, incarnation, [], Vector(), HybridClock(),
            Receipts(), {}, signer.public[:8],
        )  # fmt: skip
        self.feed(Submit([], records, 0))

    def now(self) -> Now:
        ms = self.city.ms if self.city else 0
        return Now(ms, PT_MS + ms, self.quality, ms, self.gap_ms)

    def feed(self, event: Event) -> list[Effect]:
        """Handle an event and carry out what can be done at once; returns its effects."""
        effects = self.machine.handle(event, self.now())
        for effect in effects:
            self._carry_out(effect)
        return effects

    def _carry_out(self, effect: Effect) -> None:
        self.effects.append(effect)
        match effect:
            case SendFrame(link, data) if self.city is not None:
                self.city.sent(self, link, data)
            case Commit():
                self.waiting.append(effect)
                if self.commits_at_once:
                    self.commit()
            case ReadEntries(link, log, first, bytes_max):
                rows = self.disk.get(log, [])[first - 1 :]
                self.feed(EntriesRead(link, log, first, self._held(rows, bytes_max)))
            case ReadBelow(link, log, low, high, bytes_max):
                rows = self.disk.get(log, [])[low:high][::-1]
                self.feed(BelowRead(link, log, high, self._held(rows, bytes_max)[::-1]))
            case ReadIds(link, log, seqs):
                chain = self.disk.get(log, [])
                there = [seq for seq in seqs if seq <= len(chain) and chain[seq - 1]]
                ids = [(seq, hash32(chain[seq - 1])) for seq in there]
                self.feed(IdsRead(link, log, ids))
            case ReadAbove(log, height):
                self.feed(AboveRead(log, [raw for raw in self.disk.get(log, [])[height:] if raw]))
            case LookUp(log, seq):
                entry = self.disk.get(log, [])[seq - 1 : seq]
                self.feed(Found(log, seq, hash32(entry[0]) if entry and entry[0] else None))
            case ReadPart(link, blob, part):
                self.feed(PartRead(link, blob, part, self.blobs.get(blob, {}).get(part)))
            case KeepPart(blob, part, data, last):
                self.blobs.setdefault(blob, {})[part] = data
                self.feed(PartKept(blob, part))
                if last:
                    self.feed(BlobKept(blob, True))
            case CloseLink(link, _) if self.city is not None:
                self.city.cut(link)

    def _held(self, rows: list[bytes], bytes_max: int) -> list[HeldEntry]:
        """The first of these rows, up to a gap: one, or as many as fit."""
        held: list[HeldEntry] = []
        for raw in rows:
            if not raw or (held and sum(len(one.raw) for one in held) + len(raw) > bytes_max):
                break
            held.append(HeldEntry(raw, *self.ages[raw]))
        return held

    def commit(self) -> None:
        """What waits is now on disk, in order."""
        while self.waiting:
            ticket = self.waiting.pop(0)
            for entry, _, age in [*ticket.entries, *ticket.filled]:
                rows = self.disk.setdefault(entry.log, [])
                rows += [GONE] * (entry.seq - len(rows))
                rows[entry.seq - 1] = entry.raw
                self.ages[entry.raw] = (age, self.now().seen_ms)
            for holes in ticket.holes:
                if holes.why:
                    rows = self.disk.setdefault(holes.log, [])
                    rows[holes.low : holes.high] = [GONE] * (holes.high - holes.low)
            for line in ticket.cuts:
                del self.disk.get(line.log, [])[line.height :]
            self.orphans += [one.entry for one in ticket.orphans]
            self.feed(Committed(ticket.ticket))

    def lose_commits(self) -> None:
        """The disk refused the oldest commit, and with it all later ones."""
        ticket = self.waiting[0].ticket
        self.waiting.clear()
        self.feed(CommitFailed(ticket, "disk full"))

    def say(self, *drafts: Draft) -> list[Effect]:
        return self.feed(Submit(list(drafts), [], 1))

    def height(self, log: LogId) -> int:
        return self.machine.vector.height(log)

    def refused(self) -> list[str]:
        return [effect.reason for effect in self.effects if isinstance(effect, Refused)]

    def closed(self) -> list[str]:
        return [each.error.reason for each in self.effects if isinstance(each, CloseLink)]

    def cursors(self) -> list[int]:
        return [each.cursor.change for each in self.effects if isinstance(each, KeepCursor)]

    def broadcasts(self) -> list[Frame]:
        return [decode_frame(each.data) for each in self.effects if isinstance(each, Broadcast)]


class City:
    """Stations, links between them, and one clock."""

    def __init__(self, *stations: Station) -> None:
        self.ms = 1_000_000
        self.seen: list[tuple[Station, Station, Frame]] = []
        self.lost: Callable[[Station, Station, Frame], bool] = lambda *_: False
        self._queue: list[tuple[int, bytes]] = []
        self._ends: dict[int, tuple[Station, Station, int]] = {}  # link -> here, there, its end
        self.stations = stations
        for station in stations:
            station.city = self

    def join(self, a: Station, b: Station, broadcasts: bool = False) -> tuple[int, int]:
        """A link between two stations; returns its number at `a` and at `b`."""
        here = len(self._ends) + 1
        there = here + 1
        self._ends[here] = (a, b, there)
        self._ends[there] = (b, a, here)
        a.feed(LinkUp(here, b.signer.public, "lan", False, broadcasts))
        b.feed(LinkUp(there, a.signer.public, "lan", False, broadcasts))
        return here, there

    def cut(self, link: int) -> None:
        ends = (link, self._ends[link][2])
        for end in ends:
            self._ends[end][0].feed(LinkDown(end))
        self._queue = [(to, data) for to, data in self._queue if to not in ends]

    def sent(self, sender: Station, link: int, data: bytes) -> None:
        if link not in self._ends:
            raise LocalProtocolError(f"sent on link {link}")
        _, receiver, end = self._ends[link]
        frame = decode_frame(data)
        self.seen.append((sender, receiver, frame))
        if not self.lost(sender, receiver, frame):
            self._queue.append((end, data))

    def deliver(self) -> None:
        """Until no frame is under way."""
        while self._queue:
            end, data = self._queue.pop(0)
            self._ends[end][0].feed(Received(end, data))

    def pass_ms(self, duration_ms: int) -> None:
        """Time passes in ticks, with everything delivered in between."""
        for _ in range(duration_ms // TICK_MS):
            self.ms += TICK_MS
            for station in self.stations:
                station.feed(Tick())
            self.deliver()

    def frames(self, kind: type[Frame], sender: Station | None = None) -> list[Frame]:
        return [f for s, _, f in self.seen if isinstance(f, kind) and (sender in (None, s))]


def two_wards(*records: Record) -> tuple[City, Station, Station]:
    """北区 and 中央区, unconnected, both knowing every node."""
    kita, chuo = (Station(signer, [*RECORDS, *records]) for signer in (KITA, CHUO))
    return City(kita, chuo), kita, chuo

"""The set of verified records of one network, and what can be asked of it.

A record whose parent is not here yet waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshrelay.core.entitlement import verify
from meshrelay.core.entry import Entry, LogId
from meshrelay.core.records import (
    FORK,
    REVOKED,
    ROLE_TEMPORARY,
    Binding,
    IssuerCredential,
    NodeCredential,
    Orphan,
    Proof,
    Record,
    Revocation,
    Ruling,
    Session,
    StaffCredential,
    StaffRevocation,
    Successor,
    Suspension,
    TemporaryCredential,
    Transit,
)
from meshrelay.core.roster import Roster, Shelf
from meshrelay.core.vector import Line
from meshrelay.errors import CredentialError, SignatureError

# Records that wait for a parent; a peer cannot fill memory with orphans.
PENDING_MAX = 1_000
# Before a node's key: what orphans of it wait for.
_END = b"end of "


class RecordBook:
    """The set of verified records of one network, and what can be asked of it.

    Union is the merge rule: any order of arrival gives the same book.
    """

    def __init__(self, network: bytes) -> None:
        self.network = network
        self.by_id = Shelf()
        self.issuers: dict[bytes, IssuerCredential] = {}
        self.nodes: dict[bytes, NodeCredential] = {}
        self.node_records: dict[bytes, bytes] = {}  # node key -> record id
        self.staff = Roster(self.by_id)  # record id -> credential
        self.staff_by_number: dict[str, bytes] = {}  # staff id -> newest record id
        self.bindings: dict[bytes, list[bytes]] = {}  # staff record id -> binding ids
        self.proofs: dict[LogId, Line] = {}  # forked logs -> where they end
        self.revoked: dict[bytes, list[dict[LogId, Line]]] = {}  # node key -> its last lines
        self.struck: dict[bytes, list[dict[LogId, Line]]] = {}  # staff record id -> last lines
        self.rulings: dict[bytes, list[bytes]] = {}  # staff record id -> ruling ids
        self.suspensions: dict[bytes, list[Suspension]] = {}  # node key -> all that was said
        self._transit_ids: dict[tuple[bytes, int], bytes] = {}
        self.transit: dict[tuple[bytes, int], bytes] = {}  # node key, generation -> sealed key
        self._serials: set[int] = set()  # those above the first gap
        self._serials_without_gap = 0
        self._serial = 0  # the highest
        self._pending: dict[bytes, list[Record]] = {}
        self._pending_n = 0

    def __contains__(self, record_id: bytes) -> bool:
        return record_id in self.by_id

    def __iter__(self) -> Iterator[Record]:
        return iter(self.by_id.values())

    def missing_parent(self, record: Record) -> bytes | None:
        """The first of `parents_of` that is not here.

        An orphan waits besides for an end below it (`end_of`).
        """
        here = (self.by_id, self.nodes)
        absent = (each for each in self.parents_of(record) if not any(each in of for of in here))
        return next(absent, None)

    @staticmethod
    def parents_of(record: Record) -> list[bytes]:
        """Ids (of a proof or an orphan: a node's key) that must be here before it is judged."""
        match record.content:
            case NodeCredential() | StaffCredential() | Revocation() | Transit() as issued:
                return [issued.issuer]
            case StaffRevocation(issuer, staff):
                return [issuer, staff]
            case Proof(first):
                return [first.log.origin]
            case Orphan(entry):
                return [entry.log.origin]
            case Binding(staff=staff, by=by):
                return [staff, by] if by else [staff]
            case Session(binding):
                return [binding]
            case Suspension(by) | TemporaryCredential(by):
                return [by]
            case Ruling(by, staff):
                return [by, staff]
            case IssuerCredential(by=by) | Successor(by=by):
                return [by] if by else []
        return []

    def add(self, record: Record) -> list[Record]:
        """Verify and take `record`, and all that waited for it; returns what is new.

        An empty list means: already here, or waiting for `missing_parent(record)`.

        Raises:
            SignatureError, CredentialError: forged, foreign or not entitled.
        """
        if record.id in self.by_id:
            return []
        awaited = self._awaited(record)
        if awaited is not None:
            if self._pending_n < PENDING_MAX:
                self._pending.setdefault(awaited, []).append(record)
                self._pending_n += 1
            return []
        verify(record, self)
        self._take(record)
        new = [record]
        for released in self._releases(record):
            for waiting in self._pending.pop(released, []):
                self._pending_n -= 1
                try:
                    new += self.add(waiting)
                except (SignatureError, CredentialError):
                    continue  # a forged child was parked here; its parent stays good
        return new

    def _awaited(self, record: Record) -> bytes | None:
        """What `record` waits for: a record's id, a node's key, or (orphans) a node's end."""
        parent = self.missing_parent(record)
        if parent is not None:
            return parent
        if isinstance(record.content, Orphan) and not self.is_above_end(record.content.entry):
            return _END + record.content.entry.log.origin
        return None

    @staticmethod
    def _releases(record: Record) -> list[bytes]:
        match record.content:
            case NodeCredential(key=key):
                return [record.id, key]
            case Revocation(key=key):
                return [record.id, _END + key]
            case Proof(first):
                return [record.id, _END + first.log.origin]
        return [record.id]

    def _take(self, record: Record) -> None:
        self.by_id[record.id] = record
        match record.content:
            case IssuerCredential() as issuer:
                self.issuers[record.id] = issuer
            case NodeCredential() as node:
                old = self.nodes.get(node.key)
                if old is None or (node.generation, node.serial, record.id) > (
                    old.generation, old.serial, self.node_records[node.key]
                ):  # fmt: skip
                    self.nodes[node.key] = node
                    self.node_records[node.key] = record.id
            case StaffCredential() as staff:
                self._count_serial(staff.serial)
                self._take_staff(record.id, staff)
            case TemporaryCredential() as card:
                person = _as_staff(card)
                self.staff.lend(record.id, person)
                self._take_staff(record.id, person)
            case Binding() as binding:
                self.bindings.setdefault(binding.staff, []).append(record.id)
            case Revocation(key=key, lines=lines):
                self.revoked.setdefault(key, []).append({line.log: line for line in lines})
            case StaffRevocation(staff=staff_id, lines=lines):
                self.struck.setdefault(staff_id, []).append({line.log: line for line in lines})
            case Ruling(staff=staff_id):
                self.rulings.setdefault(staff_id, []).append(record.id)
            case Suspension() as suspension:
                self.suspensions.setdefault(suspension.node, []).append(suspension)
            case Transit(node=key, generation=generation, sealed=sealed):
                chosen = self._transit_ids.setdefault((key, generation), record.id)
                if record.id <= chosen:  # of two, the lesser id, whichever came first
                    self._transit_ids[key, generation] = record.id
                    self.transit[key, generation] = sealed
            case Proof(first):
                end = Line(first.log, first.seq - 1, first.prev)
                known = self.proofs.get(end.log, end)
                self.proofs[end.log] = min(known, end, key=lambda line: line.height)

    def _count_serial(self, serial: int) -> None:
        self._serial = max(self._serial, serial)
        self._serials.add(serial)
        while self._serials_without_gap + 1 in self._serials:
            self._serials_without_gap += 1
            self._serials.discard(self._serials_without_gap)

    def _take_staff(self, record: bytes, person: StaffCredential) -> None:
        current = self.staff_by_number.get(person.staff_id)
        if current is None or (self.staff[current].serial, current) < (person.serial, record):
            self.staff_by_number[person.staff_id] = record

    # Questions

    def generation(self) -> int:
        """The network's generation: the highest that an authority gave to an issuer."""
        return max((issuer.generation for issuer in self.issuers.values()), default=0)

    def end_of(self, log: LogId) -> Line | None:
        """The last line that `log` can ever have, by proofs and revocations; None: no end."""
        proof = self.proofs.get(log)
        revocations = self.revoked.get(log.origin)
        if revocations is None:
            return proof
        ends = [lines.get(log) or Line(log, 0, log.first_prev) for lines in revocations]
        return min([*ends, *([proof] if proof else [])], key=lambda line: line.height)

    def is_above_end(self, entry: Entry) -> bool:
        """Whether an end of its log lies below `entry`."""
        end = self.end_of(entry.log)
        return end is not None and entry.seq > end.height

    def why_ended(self, log: LogId) -> str:
        """FORK or REVOKED."""
        return FORK if log in self.proofs else REVOKED

    def staff_end(self, staff: bytes, log: LogId) -> int | None:
        """Seq up to which a revoked credential's words in `log` count; None: not revoked."""
        ends = self.struck.get(staff)
        if ends is None:
            return None
        return min(lines[log].height if log in lines else 0 for lines in ends)

    def roster_serial(self) -> int:
        """Highest staff serial held; a message carries it so that its roster is frozen."""
        return self._serial

    def roster_complete(self, serial: int) -> bool:
        """Whether every staff credential numbered 1..serial is here."""
        return serial <= self._serials_without_gap

    def members(self, serial: int) -> Iterator[StaffCredential]:
        """Everybody of the roster up to `serial`, newest credential of each person."""
        later = set()
        for staff_id, record in self.staff_by_number.items():
            person = self.staff[record]
            if person.serial > serial:
                later.add(staff_id)
            elif person.serial:
                yield person._replace(staff_id=staff_id)  # whoever keeps ids keeps these
        older: dict[str, tuple[int, bytes]] = {}
        for record, person in self.staff.items() if later else ():
            if person.staff_id in later and 0 < person.serial <= serial:
                known = older.get(person.staff_id, (0, b""))
                older[person.staff_id] = max(known, (person.serial, record))
        yield from (self.staff[record] for _, record in older.values())

    def session(self, record_id: bytes) -> Session | None:
        """The session record with this id, if it is here."""
        record = self.by_id.get(record_id)
        return record.content if record and isinstance(record.content, Session) else None

    def needed_for(self, origin: bytes, session: bytes | None) -> list[bytes]:
        """Ids that a receiver needs to judge an entry: origin's credential, then the author's.

        Parents first, so that a receiver can take them in this order.
        """
        return self.chain_of([origin] if session is None else [session, origin])

    def chain_of(self, ids: Iterable[bytes]) -> list[bytes]:
        """Records (or nodes, by key) and what they hang from, as far as they are here, parents
        first."""
        chain: list[bytes] = []
        steps = list(ids)
        for step in steps:
            record_id = self.node_records.get(step, step)
            if record_id in self.by_id:
                chain.append(record_id)
                steps += self.parents_of(self.by_id[record_id])
        return list(dict.fromkeys(reversed(chain)))


def _as_staff(card: TemporaryCredential) -> StaffCredential:
    """A temporary card as the roster sees it: in no count of members."""
    return StaffCredential(
        card.by, card.card, card.staff_id, card.name, card.kana, card.ward, card.unit,
        [ROLE_TEMPORARY], 0, 0,
    )  # fmt: skip

"""The set of verified records of one network, and what can be asked of it.

A record whose parent is not here yet waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core.codec import decode
from meshrelay.core.entry import Entry, LogId, check_entry
from meshrelay.core.records import (
    FORK,
    REVOCATION_BYTES_MAX,
    REVOKED,
    Binding,
    IssuerCredential,
    NodeCredential,
    Orphan,
    Proof,
    Record,
    Revocation,
    Session,
    StaffCredential,
    record_aad,
)
from meshrelay.core.signing import network_id, verify1
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
        self.by_id: dict[bytes, Record] = {}
        self.issuers: dict[bytes, IssuerCredential] = {}
        self.nodes: dict[bytes, NodeCredential] = {}
        self.node_records: dict[bytes, bytes] = {}  # node key -> record id
        self.staff: dict[bytes, StaffCredential] = {}  # record id -> credential
        self.staff_by_number: dict[str, bytes] = {}  # staff id -> newest record id
        self.bindings: dict[bytes, list[bytes]] = {}  # staff record id -> binding ids
        self.proofs: dict[LogId, Line] = {}  # forked logs -> where they end
        self.revoked: dict[bytes, list[dict[LogId, Line]]] = {}  # node key -> its last lines
        self._serials: set[int] = set()
        self._serials_without_gap = 0
        self._pending: dict[bytes, list[Record]] = {}
        self._pending_n = 0

    def __contains__(self, record_id: bytes) -> bool:
        return record_id in self.by_id

    def __iter__(self) -> Iterator[Record]:
        return iter(self.by_id.values())

    def parent_of(self, record: Record) -> bytes | None:
        """Id of the record that must be here before `record` can be judged.

        Of a proof or an orphan: the key of the node that signed it. An orphan waits besides
        for an end below it (`end_of`).
        """
        content = record.content
        if isinstance(content, NodeCredential | StaffCredential | Revocation):
            return content.issuer
        if isinstance(content, Proof):
            return content.first.log.origin
        if isinstance(content, Orphan):
            return content.entry.log.origin
        if isinstance(content, Binding):
            return content.staff
        if isinstance(content, Session):
            return content.binding
        return None

    def add(self, record: Record) -> list[Record]:
        """Verify and take `record`, and all that waited for it; returns what is new.

        An empty list means: already here, or waiting for `parent_of(record)`.

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
        self._verify(record)
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
        parent = self.parent_of(record)
        if parent is not None and parent not in self.by_id and parent not in self.nodes:
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

    def _verify(self, record: Record) -> None:
        content, cose = record.content, decode(record.raw, REVOCATION_BYTES_MAX)[1]
        aad = record_aad(record.type, self.network)
        match content:
            case Proof(first, second):
                check_entry(first, self.network)
                check_entry(second, self.network)
            case Orphan(entry):
                if not entry.author:
                    raise CredentialError("not_entitled", "an orphan that nobody wrote")
                check_entry(entry, self.network)
            case IssuerCredential():
                if network_id(content.authority) != self.network:
                    raise CredentialError("foreign_network", "another authority")
                verify1(cose, content.authority, aad)
            case NodeCredential() | StaffCredential() | Revocation():
                issuer = self.issuers.get(content.issuer)
                if issuer is None:
                    raise CredentialError("not_entitled", "parent is no issuer")
                verify1(cose, issuer.key, aad)
            case Binding():
                staff = self.staff.get(content.staff)
                if staff is None:
                    raise CredentialError("not_entitled", "parent is no staff credential")
                verify1(verify1(cose, staff.card, aad), content.author, aad)
            case Session():
                parent = self.by_id[content.binding].content
                if not isinstance(parent, Binding) or parent.staff != content.staff:
                    raise CredentialError("not_entitled", "parent is no binding of this person")
                verify1(cose, parent.author, aad)

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
                self.staff[record.id] = staff
                self._serials.add(staff.serial)
                while self._serials_without_gap + 1 in self._serials:
                    self._serials_without_gap += 1
                current = self.staff_by_number.get(staff.staff_id)
                if current is None or (self.staff[current].serial, current) < (
                    staff.serial,
                    record.id,
                ):
                    self.staff_by_number[staff.staff_id] = record.id
            case Binding() as binding:
                self.bindings.setdefault(binding.staff, []).append(record.id)
            case Revocation() as revocation:
                lines = {line.log: line for line in revocation.lines}
                self.revoked.setdefault(revocation.key, []).append(lines)
            case Proof(first):
                end = Line(first.log, first.seq - 1, first.prev)
                known = self.proofs.get(end.log, end)
                self.proofs[end.log] = min(known, end, key=lambda line: line.height)

    # Questions

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

    def has_conflict(self, staff: bytes) -> bool:
        """Whether two first bindings claim one card: its words need a check (trust.md)."""
        first = [self.by_id[binding].content for binding in self.bindings.get(staff, ())]
        authors = {each.author for each in first if isinstance(each, Binding) and not each.number}
        return len(authors) > 1

    def roster_serial(self) -> int:
        """Highest staff serial held; a message carries it so that its roster is frozen."""
        return max(self._serials, default=0)

    def roster_complete(self, serial: int) -> bool:
        """Whether every staff credential numbered 1..serial is here."""
        return serial <= self._serials_without_gap

    def members(self, serial: int) -> list[StaffCredential]:
        """Everybody of the roster up to `serial`, newest credential of each person."""
        newest: dict[str, tuple[int, bytes]] = {}
        for record, person in self.staff.items():
            if person.serial <= serial:
                known = newest.get(person.staff_id, (0, b""))
                newest[person.staff_id] = max(known, (person.serial, record))
        return [self.staff[record] for _, record in newest.values()]

    def session(self, record_id: bytes) -> Session | None:
        """The session record with this id, if it is here."""
        record = self.by_id.get(record_id)
        return record.content if record and isinstance(record.content, Session) else None

    def needed_for(self, origin: bytes, session: bytes | None) -> list[bytes]:
        """Ids that a receiver needs to judge an entry: origin's credential, then the author's.

        Parents first, so that a receiver can take them in this order.
        """
        chain: list[bytes] = []
        step = session
        while step is not None and (record := self.by_id.get(step)) is not None:
            chain.append(step)
            step = self.parent_of(record)
        credential = self.node_records.get(origin)
        if credential is not None:
            chain.append(credential)
            chain.append(self.nodes[origin].issuer)
        return list(dict.fromkeys(reversed(chain)))

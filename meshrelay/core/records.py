"""Records: self-verifying statements outside the logs, known by id, merged by union.

Each record is [type, COSE_Sign1]; its id is BLAKE2b-256 of those bytes. The chain of
trust: authority -> issuer -> node and staff credentials -> (card and author key)
binding -> (author key) session. A record whose parent is not here yet waits for it.
There are no dates: a Pi's clock may say 1970.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_text, is_uint
from meshrelay.core.signing import KEY_BYTES, Signer, hash32, network_id, payload_of, verify1
from meshrelay.errors import CredentialError, FrameError, SignatureError

# Two names, five keys and a signature fit twice.
RECORD_BYTES_MAX = 1_536
NAME_CHARS_MAX = 60
ROLES_MAX = 8
# Records that wait for a parent; a peer cannot fill memory with orphans.
PENDING_MAX = 1_000

ISSUER, NODE, STAFF, BINDING, SESSION = range(1, 6)
_NAMES = {ISSUER: "issuer", NODE: "node", STAFF: "staff", BINDING: "binding", SESSION: "session"}
# Lane in which a record travels; None: in no digest, fetched by need.
RECORD_LANE = {ISSUER: 0, NODE: 0, STAFF: 3, BINDING: 3, SESSION: None}

_NUMBERS = {"serial", "generation", "number", "argon2_version", "memory_kib", "passes"}
_TEXTS = {"network_name", "ward", "ward_name", "ward_name_en", "name", "staff_id", "kana", "unit"}

ROLE_ARCHIVE = "archive"
ROLE_HQ = "hq"


class IssuerCredential(NamedTuple):
    """The authority's word: this issuer speaks for this network."""

    authority: bytes
    key: bytes
    serial: int
    generation: int
    network_name: str
    drill: bool


class NodeCredential(NamedTuple):
    """An issuer's word: this node belongs to this ward."""

    issuer: bytes
    key: bytes
    tls_spki_sha256: bytes
    box: bytes
    roles: list[str]
    ward: str
    ward_name: str
    ward_name_en: str
    name: str
    serial: int
    generation: int


class StaffCredential(NamedTuple):
    """An issuer's word: who holds this card. `serial` counts 1, 2, 3 over the whole roster."""

    issuer: bytes
    card: bytes
    staff_id: str
    name: str
    kana: str
    ward: str
    unit: str
    roles: list[str]
    serial: int
    generation: int


class Binding(NamedTuple):
    """Card and author key's word: this author key (card code and PIN) is the person's.

    No time and no nonce: the same PIN gives the same bytes in every ward.
    """

    staff: bytes
    author: bytes
    box: bytes
    argon2_version: int
    memory_kib: int
    passes: int
    number: int


class Session(NamedTuple):
    """The author key's word: this session key writes for the person at this origin."""

    binding: bytes
    staff: bytes
    origin: bytes
    key: bytes
    number: int


Content = IssuerCredential | NodeCredential | StaffCredential | Binding | Session


class Record(NamedTuple):
    """One record; `raw` is what is stored and forwarded."""

    raw: bytes
    id: bytes
    type: int
    content: Content

    @property
    def lane(self) -> int | None:
        return RECORD_LANE[self.type]


def _aad(kind: int, network: bytes) -> bytes:
    return b"meshrelay/record/" + _NAMES[kind].encode() + b"/1" + network


def _make(kind: int, network: bytes, content: Content, *signers: Signer) -> Record:
    signed = encode(list(content))
    for signer in signers:
        signed = signer.sign1(signed, _aad(kind, network))
    raw = encode([kind, signed])
    return Record(raw, hash32(raw), kind, content)


def make_issuer(authority: Signer, content: IssuerCredential) -> Record:
    """Signed by the authority, offline."""
    return _make(ISSUER, network_id(authority.public), content, authority)


def make_node(issuer: Signer, network: bytes, content: NodeCredential) -> Record:
    """Signed by the issuer that `content.issuer` names."""
    return _make(NODE, network, content, issuer)


def make_staff(issuer: Signer, network: bytes, content: StaffCredential) -> Record:
    """Signed by the issuer that `content.issuer` names."""
    return _make(STAFF, network, content, issuer)


def make_binding(card: Signer, author: Signer, network: bytes, content: Binding) -> Record:
    """Signed by the author key, then by the card key around it."""
    return _make(BINDING, network, content, author, card)


def make_session(author: Signer, network: bytes, content: Session) -> Record:
    """Signed by the author key for the moment of log-in."""
    return _make(SESSION, network, content, author)


def read_record(raw: bytes) -> Record:
    """Parse a record, NOT verified (see `RecordBook.add`).

    Raises:
        FrameError: `oversize`, `malformed` or `unknown_record`.
    """
    outer = decode(raw, RECORD_BYTES_MAX)
    if type(outer) is not list or len(outer) != 2 or type(outer[1]) is not bytes:
        raise FrameError("malformed", "record")
    kind, cose = outer
    if not is_uint(kind) or kind not in _NAMES:
        raise FrameError("unknown_record", f"type {kind!r}"[:40])
    payload = payload_of(cose)
    if kind == BINDING:
        payload = payload_of(payload)
    return Record(raw, hash32(raw), kind, _content(kind, decode(payload, RECORD_BYTES_MAX)))


def _content(kind: int, fields: Any) -> Content:
    shape = (IssuerCredential, NodeCredential, StaffCredential, Binding, Session)[kind - 1]
    if type(fields) is not list or len(fields) < len(shape._fields):
        raise FrameError("malformed", f"{_NAMES[kind]} record")
    fields = fields[: len(shape._fields)]  # later versions only append
    for name, value in zip(shape._fields, fields, strict=True):
        if name in _NUMBERS:
            good = is_uint(value, 1 << 32)
        elif name == "roles":
            good = (
                type(value) is list
                and len(value) <= ROLES_MAX
                and all(is_text(role, 16) for role in value)
            )
        elif name == "drill":
            good = type(value) is bool
        elif name in _TEXTS:
            good = is_text(value, NAME_CHARS_MAX)
        else:
            good = is_bytes(value, KEY_BYTES)
        if not good:
            raise FrameError("malformed", f"{_NAMES[kind]} record, {name}")
    return shape(*fields)


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
        self._serials: set[int] = set()
        self._serials_without_gap = 0
        self._pending: dict[bytes, list[Record]] = {}
        self._pending_n = 0

    def __contains__(self, record_id: bytes) -> bool:
        return record_id in self.by_id

    def __iter__(self) -> Iterator[Record]:
        return iter(self.by_id.values())

    def parent_of(self, record: Record) -> bytes | None:
        """Id of the record that must be here before `record` can be judged."""
        content = record.content
        if isinstance(content, NodeCredential | StaffCredential):
            return content.issuer
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
        parent = self.parent_of(record)
        if parent is not None and parent not in self.by_id:
            if self._pending_n < PENDING_MAX:
                self._pending.setdefault(parent, []).append(record)
                self._pending_n += 1
            return []
        self._verify(record)
        self._take(record)
        new = [record]
        for waiting in self._pending.pop(record.id, []):
            self._pending_n -= 1
            try:
                new += self.add(waiting)
            except (SignatureError, CredentialError):
                continue  # a forged child was parked here; its parent stays good
        return new

    def _verify(self, record: Record) -> None:
        content, cose = record.content, decode(record.raw, RECORD_BYTES_MAX)[1]
        aad = _aad(record.type, self.network)
        match content:
            case IssuerCredential():
                if network_id(content.authority) != self.network:
                    raise CredentialError("foreign_network", "another authority")
                verify1(cose, content.authority, aad)
            case NodeCredential() | StaffCredential():
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

    # Questions

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

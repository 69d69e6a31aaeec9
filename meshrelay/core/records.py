"""Records: self-verifying statements outside the logs, known by id, merged by union.

Each record is [type, bytes]; its id is BLAKE2b-256 of the whole. The chain of trust:
authority -> issuer -> node and staff credentials -> (card and author key) binding ->
(author key) session. A revocation and a fork proof end logs; an orphan keeps what a
person wrote above an end. A registrar's word (suspension, ruling, temporary card) is
signed by their session. Their set is `book.RecordBook`. There are no dates: a Pi's clock
may say 1970.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from meshrelay.core.codec import decode, decode_again, encode, is_bytes, is_text, is_uint
from meshrelay.core.entry import (
    ENTRY_BYTES_MAX,
    INCARNATION_BYTES,
    Entry,
    LogId,
    read_entry,
)
from meshrelay.core.signing import (
    ID_BYTES,
    KEY_BYTES,
    Signer,
    hash32,
    network_id,
    payload_of,
)
from meshrelay.core.vector import Line
from meshrelay.errors import FrameError

# Two names, five keys and a signature fit twice.
RECORD_BYTES_MAX = 1_536
# 900 logs of one node: three power cuts a day for more than half a year.
REVOCATION_BYTES_MAX = 45 * 1024
# Two entries and their heads.
PROOF_BYTES_MAX = 2 * ENTRY_BYTES_MAX + 32
NAME_CHARS_MAX = 60
ROLES_MAX = 8

ISSUER, NODE, STAFF, BINDING, SESSION, REVOCATION, PROOF, ORPHAN = range(1, 9)
SUCCESSOR, STAFF_REVOCATION, SUSPENSION, RULING, TEMPORARY, TRANSIT = range(9, 15)
_NAMES = {ISSUER: "issuer", NODE: "node", STAFF: "staff", BINDING: "binding", SESSION: "session",
          REVOCATION: "revocation", PROOF: "proof", ORPHAN: "orphan", SUCCESSOR: "successor",
          STAFF_REVOCATION: "staff_revocation", SUSPENSION: "suspension", RULING: "ruling",
          TEMPORARY: "temporary", TRANSIT: "transit"}  # fmt: skip
# Lane in which a record travels; None: in no digest, fetched by need.
RECORD_LANE = {ISSUER: 0, NODE: 0, STAFF: 3, BINDING: 3, SESSION: None, REVOCATION: 0, PROOF: 0,
               ORPHAN: 3, SUCCESSOR: 0, STAFF_REVOCATION: 0, SUSPENSION: 0, RULING: 3,
               TEMPORARY: 3, TRANSIT: 0}  # fmt: skip
_BYTES_MAX = {REVOCATION: REVOCATION_BYTES_MAX, STAFF_REVOCATION: REVOCATION_BYTES_MAX,
              PROOF: PROOF_BYTES_MAX, ORPHAN: ENTRY_BYTES_MAX + 16}  # fmt: skip

# Why entries above an end have no effect.
FORK, REVOKED = "fork", "revoked"
# Why what a person signed has none: it stands above where their credential was revoked.
STAFF_REVOKED = "staff_revoked"

_NUMBERS = {"serial", "generation", "number", "argon2_version", "memory_kib", "passes"}
_TEXTS = {"network_name", "ward", "ward_name", "ward_name_en", "name", "staff_id", "kana", "unit"}
_BOOLS = {"drill", "lifted"}

ROLE_ARCHIVE = "archive"
ROLE_HQ = "hq"
ROLE_INSTRUCTOR = "instructor"
ROLE_REGISTRAR = "registrar"
ROLE_TEMPORARY = "temporary"
# Their cards are bound when they are issued, in person: nobody else can use them first.
ROLES_BOUND = frozenset({ROLE_HQ, ROLE_INSTRUCTOR, ROLE_REGISTRAR})
# A ruling that names no binding: the person chooses a new PIN.
NO_BINDING = bytes(ID_BYTES)
# A 32-byte key in a sealed box (X25519 and XSalsa20-Poly1305, libsodium crypto_box_seal).
SEALED_BYTES = KEY_BYTES + 48


class IssuerCredential(NamedTuple):
    """The authority's word: this issuer speaks for this network.

    `by`: empty for the network's first authority, else the successor record of this one.
    The highest generation of any issuer credential is the network's.
    """

    authority: bytes
    key: bytes
    serial: int
    generation: int
    network_name: str
    drill: bool
    by: bytes = b""


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
    """An issuer's word: who holds this card; with role hq, the word of the issuer's authority.

    `serial` counts 1, 2, 3 over the whole roster; 0 is a temporary card's.
    """

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

    No time and no nonce: the same PIN gives the same bytes in every ward. Who signed beside
    the author key: the card, at its first use (`by` empty) or after a ruling (a forgotten
    PIN); the binding before this one, with its author key (a changed PIN); an issuer, for
    role hq its authority (a card bound when it was issued).
    """

    staff: bytes
    author: bytes
    box: bytes
    argon2_version: int
    memory_kib: int
    passes: int
    number: int
    by: bytes = b""


class Session(NamedTuple):
    """The author key's word: this session key writes for the person at this origin."""

    binding: bytes
    staff: bytes
    origin: bytes
    key: bytes
    number: int


class Revocation(NamedTuple):
    """An issuer's word: this node's logs end at these lines; logs not named, at 0."""

    issuer: bytes
    key: bytes
    lines: list[Line]


class Proof(NamedTuple):
    """Two valid entries for one place after one `prev`: the log ends before them.

    The lesser entry id comes first, so that whoever finds the pair makes the same record.
    """

    first: Entry
    second: Entry


class Orphan(NamedTuple):
    """An author-signed entry above an end of its log: kept, because a person wrote it."""

    entry: Entry


class Successor(NamedTuple):
    """An authority's word: this key may sign what I may. The network keeps its id.

    `by`: empty for the network's first authority, else the successor record of this one.
    """

    authority: bytes
    key: bytes
    by: bytes = b""


class StaffRevocation(NamedTuple):
    """An issuer's word (for role hq its authority's): what this credential's holder signed
    counts up to these lines; in logs not named, not at all."""

    issuer: bytes
    staff: bytes
    lines: list[Line]


class Suspension(NamedTuple):
    """A registrar's or an issuer's word: no links with this node, and hide it, until lifted.

    `by`: their session or the issuer credential. `number` counts the rounds of one node.
    """

    by: bytes
    node: bytes
    number: int
    lifted: bool


class Ruling(NamedTuple):
    """A registrar's word: of a person's bindings this one counts, and those
    made from it. NO_BINDING: none of them; the card may be bound anew, by this ruling.

    `number` counts the rulings on one person; the highest is in force.
    """

    by: bytes
    staff: bytes
    binding: bytes
    number: int


class TemporaryCredential(NamedTuple):
    """A registrar's word: who holds this temporary card (臨時) of the registrar's ward."""

    by: bytes
    card: bytes
    staff_id: str
    name: str
    kana: str
    ward: str
    unit: str
    number: int


class Transit(NamedTuple):
    """An issuer's word: the transit key of a generation, in a box that this node can open."""

    issuer: bytes
    node: bytes
    generation: int
    sealed: bytes


Content = (
    IssuerCredential | NodeCredential | StaffCredential | Binding | Session | Revocation | Proof
    | Orphan | Successor | StaffRevocation | Suspension | Ruling | TemporaryCredential | Transit
)  # fmt: skip
# Records whose payload is the array of their fields.
_SHAPES: dict[int, Any] = {
    ISSUER: IssuerCredential, NODE: NodeCredential, STAFF: StaffCredential, BINDING: Binding,
    SESSION: Session, SUCCESSOR: Successor, SUSPENSION: Suspension, RULING: Ruling,
    TEMPORARY: TemporaryCredential, TRANSIT: Transit,
}  # fmt: skip


class Record(NamedTuple):
    """One record; `raw` is what is stored and forwarded."""

    raw: bytes
    id: bytes
    type: int
    content: Content

    @property
    def lane(self) -> int | None:
        return RECORD_LANE[self.type]


def record_aad(kind: int, network: bytes) -> bytes:
    """external_aad of a record of this type."""
    return b"meshrelay/record/" + _NAMES[kind].encode() + b"/1" + network


def _make(kind: int, network: bytes, content: Content, *signers: Signer) -> Record:
    fields = list(content)
    if fields[-1] == b"":  # what later versions appended and this record does not use
        fields.pop()
    signed = encode(fields)
    for signer in signers:
        signed = signer.sign1(signed, record_aad(kind, network))
    raw = encode([kind, signed])
    return Record(raw, hash32(raw), kind, content)


def make_issuer(authority: Signer, network: bytes, content: IssuerCredential) -> Record:
    """Signed by the authority that `content.authority` names, offline."""
    return _make(ISSUER, network, content, authority)


def make_successor(authority: Signer, network: bytes, content: Successor) -> Record:
    """Signed by the authority that `content.authority` names, offline."""
    return _make(SUCCESSOR, network, content, authority)


def make_node(issuer: Signer, network: bytes, content: NodeCredential) -> Record:
    """Signed by the issuer that `content.issuer` names."""
    return _make(NODE, network, content, issuer)


def make_staff(issuer: Signer, network: bytes, content: StaffCredential) -> Record:
    """Signed by the issuer that `content.issuer` names; with role hq, by its authority."""
    return _make(STAFF, network, content, issuer)


def make_temporary(session: Signer, network: bytes, content: TemporaryCredential) -> Record:
    """Signed by a registrar's session key."""
    return _make(TEMPORARY, network, content, session)


def make_binding(outer: Signer, author: Signer, network: bytes, content: Binding) -> Record:
    """Signed by the author key, then around it by the card or what `content.by` names."""
    return _make(BINDING, network, content, author, outer)


def make_session(author: Signer, network: bytes, content: Session) -> Record:
    """Signed by the author key for the moment of log-in."""
    return _make(SESSION, network, content, author)


def make_suspension(signer: Signer, network: bytes, content: Suspension) -> Record:
    """Signed by the session or issuer key that `content.by` names."""
    return _make(SUSPENSION, network, content, signer)


def make_ruling(signer: Signer, network: bytes, content: Ruling) -> Record:
    """Signed by the session or issuer key that `content.by` names."""
    return _make(RULING, network, content, signer)


def make_transit(issuer: Signer, network: bytes, content: Transit) -> Record:
    """Signed by the issuer that `content.issuer` names."""
    return _make(TRANSIT, network, content, issuer)


def make_revocation(issuer: Signer, network: bytes, content: Revocation) -> Record:
    """Signed by the issuer that `content.issuer` names."""
    rows = [[line.log.incarnation, line.log.lane, line.height, line.head] for line in content.lines]
    return _make_ends(REVOCATION, issuer, network, content, [content.issuer, content.key, rows])


def make_staff_revocation(issuer: Signer, network: bytes, content: StaffRevocation) -> Record:
    """Signed by the issuer that `content.issuer` names; of an hq credential, by its authority."""
    rows = [[*line.log, line.height, line.head] for line in content.lines]
    fields = [content.issuer, content.staff, rows]
    return _make_ends(STAFF_REVOCATION, issuer, network, content, fields)


def _make_ends(
    kind: int, issuer: Signer, network: bytes, content: Content, fields: list[Any]
) -> Record:
    raw = encode([kind, issuer.sign1(encode(fields), record_aad(kind, network))])
    return Record(raw, hash32(raw), kind, content)


def make_proof(one: Entry, other: Entry) -> Record:
    """The proof that these two fork a log; whoever makes it, it has the same id."""
    first, second = sorted((one, other), key=lambda entry: entry.id)
    raw = encode([PROOF, encode([first.raw, second.raw])])
    return Record(raw, hash32(raw), PROOF, Proof(first, second))


def make_orphan(entry: Entry) -> Record:
    """The record that keeps `entry` outside its log."""
    raw = encode([ORPHAN, entry.raw])
    return Record(raw, hash32(raw), ORPHAN, Orphan(entry))


def network_of(records: Iterable[Record]) -> bytes | None:
    """The network id that records say of themselves, unverified: its first authority's."""
    for record in records:
        if isinstance(record.content, IssuerCredential | Successor) and not record.content.by:
            return network_id(record.content.authority)
    return None


def read_record(raw: bytes) -> Record:
    """Parse a record, NOT verified (see `RecordBook.add`).

    Raises:
        FrameError: `oversize`, `malformed` or `unknown_record`.
    """
    outer = decode(raw, REVOCATION_BYTES_MAX)
    if type(outer) is not list or len(outer) != 2 or type(outer[1]) is not bytes:
        raise FrameError("malformed", "record")
    kind, signed = outer
    if not is_uint(kind) or kind not in _NAMES:
        raise FrameError("unknown_record", f"type {kind!r}"[:40])
    if len(raw) > _BYTES_MAX.get(kind, RECORD_BYTES_MAX):
        raise FrameError("oversize", f"{_NAMES[kind]} record of {len(raw)} bytes")
    return Record(raw, hash32(raw), kind, _read_content(kind, signed))


def reread_staff(raw: bytes) -> StaffCredential:
    """The content of a staff record that was read and verified before."""
    fields = decode_again(payload_of(decode_again(raw)[1]))
    return StaffCredential(*fields[: len(StaffCredential._fields)])


def _read_content(kind: int, signed: bytes) -> Content:
    if kind == ORPHAN:
        return Orphan(read_entry(signed))
    if kind == PROOF:
        return _read_proof(decode(signed, PROOF_BYTES_MAX))
    payload = payload_of(signed)
    if kind == BINDING:
        payload = payload_of(payload)
    fields = decode(payload, REVOCATION_BYTES_MAX)
    if kind == REVOCATION:
        return _read_revocation(fields)
    if kind == STAFF_REVOCATION:
        return _read_staff_revocation(fields)
    return _content(kind, fields)


def _read_proof(raws: Any) -> Proof:
    if type(raws) is not list or len(raws) != 2 or any(type(raw) is not bytes for raw in raws):
        raise FrameError("malformed", "proof record")
    first, second = (read_entry(raw) for raw in raws)
    same = (first.log, first.seq, first.prev) == (second.log, second.seq, second.prev)
    if not same or first.id >= second.id:
        raise FrameError("malformed", "proof of nothing")
    return Proof(first, second)


def _read_revocation(fields: Any) -> Revocation:
    if type(fields) is not list or len(fields) < 3 or not is_bytes(fields[1], KEY_BYTES):
        raise FrameError("malformed", "revocation record")
    rows = fields[2] if type(fields[2]) is list else [None]
    lines = _read_lines([[fields[1], *row] if type(row) is list else row for row in rows])
    if not is_bytes(fields[0], ID_BYTES):
        raise FrameError("malformed", "revocation record")
    return Revocation(fields[0], fields[1], lines)


def _read_staff_revocation(fields: Any) -> StaffRevocation:
    if (
        type(fields) is not list
        or len(fields) < 3
        or not all(is_bytes(field, ID_BYTES) for field in fields[:2])
        or type(fields[2]) is not list
    ):
        raise FrameError("malformed", "staff_revocation record")
    return StaffRevocation(fields[0], fields[1], _read_lines(fields[2]))


def _read_lines(rows: list[Any]) -> list[Line]:
    lines = []
    for row in rows:
        if not (
            type(row) is list
            and len(row) == 5
            and is_bytes(row[0], KEY_BYTES)
            and is_bytes(row[1], INCARNATION_BYTES)
            and is_uint(row[2], 4)
            and is_uint(row[3])
            and is_bytes(row[4], ID_BYTES)
        ):
            raise FrameError("malformed", "revocation record, line")
        lines.append(Line(LogId(row[0], row[1], row[2]), row[3], row[4]))
    return lines


def _content(kind: int, fields: Any) -> Content:
    shape = _SHAPES[kind]
    most = len(shape._fields)
    least = most - len(shape._field_defaults)
    if type(fields) is not list or len(fields) < least:
        raise FrameError("malformed", f"{_NAMES[kind]} record")
    fields = fields[:most]  # later versions only append
    for name, value in zip(shape._fields, fields, strict=False):
        if name in _NUMBERS:
            good = is_uint(value, 1 << 32)
        elif name == "roles":
            good = (
                type(value) is list
                and len(value) <= ROLES_MAX
                and all(is_text(role, 16) for role in value)
            )
        elif name in _BOOLS:
            good = type(value) is bool
        elif name in _TEXTS:
            good = is_text(value, NAME_CHARS_MAX)
        else:
            good = is_bytes(value, SEALED_BYTES if name == "sealed" else KEY_BYTES)
        if not good:
            raise FrameError("malformed", f"{_NAMES[kind]} record, {name}")
    content: Content = shape(*fields)
    return content

"""Records: self-verifying statements outside the logs, known by id, merged by union.

Each record is [type, bytes]; its id is BLAKE2b-256 of the whole. The chain of trust:
authority -> issuer -> node and staff credentials -> (card and author key) binding ->
(author key) session. A revocation and a fork proof end logs; an orphan keeps what a
person wrote above an end. Their set is `book.RecordBook`. There are no dates: a Pi's
clock may say 1970.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_text, is_uint
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
_NAMES = {ISSUER: "issuer", NODE: "node", STAFF: "staff", BINDING: "binding", SESSION: "session",
          REVOCATION: "revocation", PROOF: "proof", ORPHAN: "orphan"}  # fmt: skip
# Lane in which a record travels; None: in no digest, fetched by need.
RECORD_LANE = {ISSUER: 0, NODE: 0, STAFF: 3, BINDING: 3, SESSION: None,
               REVOCATION: 0, PROOF: 0, ORPHAN: 3}  # fmt: skip
_BYTES_MAX = {REVOCATION: REVOCATION_BYTES_MAX, PROOF: PROOF_BYTES_MAX,
              ORPHAN: ENTRY_BYTES_MAX + 16}  # fmt: skip

# Why entries above an end have no effect.
FORK, REVOKED = "fork", "revoked"

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


Content = (
    IssuerCredential | NodeCredential | StaffCredential | Binding | Session | Revocation | Proof
    | Orphan
)  # fmt: skip


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
    signed = encode(list(content))
    for signer in signers:
        signed = signer.sign1(signed, record_aad(kind, network))
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


def make_revocation(issuer: Signer, network: bytes, content: Revocation) -> Record:
    """Signed by the issuer that `content.issuer` names."""
    rows = [[line.log.incarnation, line.log.lane, line.height, line.head] for line in content.lines]
    payload = encode([content.issuer, content.key, rows])
    raw = encode([REVOCATION, issuer.sign1(payload, record_aad(REVOCATION, network))])
    return Record(raw, hash32(raw), REVOCATION, content)


def make_proof(one: Entry, other: Entry) -> Record:
    """The proof that these two fork a log; whoever makes it, it has the same id."""
    first, second = sorted((one, other), key=lambda entry: entry.id)
    raw = encode([PROOF, encode([first.raw, second.raw])])
    return Record(raw, hash32(raw), PROOF, Proof(first, second))


def make_orphan(entry: Entry) -> Record:
    """The record that keeps `entry` outside its log."""
    raw = encode([ORPHAN, entry.raw])
    return Record(raw, hash32(raw), ORPHAN, Orphan(entry))


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


def _read_content(kind: int, signed: bytes) -> Content:
    if kind == ORPHAN:
        return Orphan(read_entry(signed))
    if kind == PROOF:
        return _read_proof(decode(signed, PROOF_BYTES_MAX))
    payload = payload_of(signed)
    if kind == BINDING:
        payload = payload_of(payload)
    fields = decode(payload, REVOCATION_BYTES_MAX)
    return _read_revocation(fields) if kind == REVOCATION else _content(kind, fields)


def _read_proof(raws: Any) -> Proof:
    if type(raws) is not list or len(raws) != 2 or any(type(raw) is not bytes for raw in raws):
        raise FrameError("malformed", "proof record")
    first, second = (read_entry(raw) for raw in raws)
    same = (first.log, first.seq, first.prev) == (second.log, second.seq, second.prev)
    if not same or first.id >= second.id:
        raise FrameError("malformed", "proof of nothing")
    return Proof(first, second)


def _read_revocation(fields: Any) -> Revocation:
    if (
        type(fields) is not list
        or len(fields) < 3
        or not (is_bytes(fields[0], ID_BYTES) and is_bytes(fields[1], KEY_BYTES))
        or type(fields[2]) is not list
    ):
        raise FrameError("malformed", "revocation record")
    lines = []
    for row in fields[2]:
        if not (
            type(row) is list
            and len(row) == 4
            and is_bytes(row[0], INCARNATION_BYTES)
            and is_uint(row[1], 4)
            and is_uint(row[2])
            and is_bytes(row[3], ID_BYTES)
        ):
            raise FrameError("malformed", "revocation record, line")
        lines.append(Line(LogId(fields[1], row[0], row[1]), row[2], row[3]))
    return Revocation(fields[0], fields[1], lines)


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

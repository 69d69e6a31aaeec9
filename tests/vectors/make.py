"""Make the golden vectors: `python -m tests.vectors.make` writes the JSON files beside this one.

Everything derives from the seeds named in the files. A change of any byte here is a change
of the protocol: PROTOCOL.md and its version must then change too.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from meshrelay.core.codec import decode, encode
from meshrelay.core.entry import (
    AuthorPart,
    Draft,
    Entry,
    LogId,
    author_aad,
    entry_aad,
    make_entry,
    sign_author_part,
)
from meshrelay.core.frames import (
    HEAD_BYTES,
    Bucket,
    Buckets,
    Entries,
    Fill,
    Frame,
    Haves,
    Heard,
    Hello,
    Lacks,
    Lines,
    Locate,
    Piece,
    Records,
    Seek,
    Want,
    encode_frame,
)
from meshrelay.core.have import make_have
from meshrelay.core.manifest import Manifest, make_manifest
from meshrelay.core.records import (
    NO_BINDING,
    REVOCATION,
    SEALED_BYTES,
    Binding,
    IssuerCredential,
    NodeCredential,
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
    make_binding,
    make_issuer,
    make_node,
    make_orphan,
    make_proof,
    make_revocation,
    make_ruling,
    make_session,
    make_staff,
    make_staff_revocation,
    make_successor,
    make_suspension,
    make_temporary,
    make_transit,
    record_aad,
)
from meshrelay.core.signing import Signer, hash32, network_id, payload_of
from meshrelay.core.vector import Cursor, Line, Vector
from meshrelay.desk import receipts, talk
from meshrelay.node.identity import (
    author_seed,
    card_code,
    card_signer,
    card_text,
    make_person_binding,
)

HERE = Path(__file__).parent
SEEDS = {
    name: bytes([number]) * 32
    for number, name in enumerate(("authority", "issuer", "hq", "kita", "chuo", "session"), 1)
}
AUTHORITY, ISSUER, HQ, KITA, CHUO, SESSION = (Signer(seed) for seed in SEEDS.values())
NETWORK = network_id(AUTHORITY.public)
CODE = bytes(range(10))
CARD_TEXT = card_text(CODE)
STAFF_ID, PIN = "1001", "246810"
CARD = card_signer(CARD_TEXT, NETWORK, STAFF_ID)
AUTHOR_SEED = author_seed(CARD_TEXT, PIN, NETWORK, STAFF_ID)
AUTHOR = Signer(AUTHOR_SEED)
DAY, EARLIER = bytes.fromhex("0102030405060708"), bytes.fromhex("1112131415161718")
NOON_MS = 1_790_000_000_000
CONTENT = "写真です。".encode()
MANIFEST: Manifest = make_manifest(len(CONTENT), [hash32(CONTENT)])
BLOB = hash32(MANIFEST.raw)
NONCE = bytes.fromhex("a1a2a3a4a5a6a7a8")
LIFETIME_S = 30 * 86_400

ISSUER_RECORD = make_issuer(
    AUTHORITY, NETWORK, IssuerCredential(AUTHORITY.public, ISSUER.public, 1, 1, "訓練市", True)
)
NODE = make_node(
    ISSUER,
    NETWORK,
    NodeCredential(
        ISSUER_RECORD.id, KITA.public, b"\x21" * 32, b"\x22" * 32, [], "01", "北区", "Kita",
        "北区役所", 2, 1,
    ),
)  # fmt: skip
HQ_NODE = make_node(
    ISSUER,
    NETWORK,
    NodeCredential(
        ISSUER_RECORD.id, HQ.public, b"\x23" * 32, b"\x24" * 32, ["archive"], "00", "本部", "HQ",
        "本部機器", 1, 1,
    ),
)  # fmt: skip
STAFF = make_staff(
    ISSUER,
    NETWORK,
    StaffCredential(
        ISSUER_RECORD.id, CARD.public, STAFF_ID, "佐藤 花子", "さとう はなこ", "01", "総務課",
        ["staff"], 1, 1,
    ),
)  # fmt: skip
BINDING = make_person_binding(NETWORK, STAFF, CARD_TEXT, PIN)
OPENED = make_session(
    AUTHOR, NETWORK, Session(BINDING.id, STAFF.id, KITA.public, SESSION.public, 1)
)


def _said(log: LogId, seq: int, prev: bytes, text: str) -> tuple[Entry, AuthorPart]:
    part = AuthorPart(
        bytes.fromhex("019a00000000700080000000000000") + bytes([seq]), OPENED.id, NOON_MS + seq,
        4, 1, "all", text[:140], talk.encode_body(text),
    )  # fmt: skip
    author = sign_author_part(SESSION, NETWORK, log.origin, log.lane, LIFETIME_S, talk.NAME, part)
    draft = Draft(log.lane, talk.NAME, LIFETIME_S, author, b"")
    hlc = (NOON_MS + seq) << 16
    return make_entry(KITA, NETWORK, log, seq, prev, hlc, 4, draft), part


def _chain() -> list[tuple[Entry, AuthorPart | None]]:
    """Two messages and, in lane 2, what somebody was shown."""
    log = LogId(KITA.public, DAY, 1)
    first, first_part = _said(log, 1, log.first_prev, "余震に注意してください。")
    second, second_part = _said(log, 2, first.id, "避難所を開けました。")
    background = LogId(KITA.public, DAY, 2)
    who = receipts.Who(STAFF_ID, OPENED.id)
    body = receipts.encode_body("all", [(who, log, 1), (who, log, 2)])
    read = make_entry(
        KITA, NETWORK, background, 1, background.first_prev, (NOON_MS + 3) << 16, 4,
        Draft(2, receipts.NAME, 7 * 86_400, b"", body),
    )  # fmt: skip
    return [(first, first_part), (second, second_part), (read, None)]


CHAIN = _chain()
FIRST, SECOND, READ = (entry for entry, _ in CHAIN)


def _vector() -> Vector:
    vector = Vector()
    for record in (ISSUER_RECORD, NODE, HQ_NODE, STAFF, BINDING):
        vector.add_record(record.id)
    vector.advance(FIRST.log, FIRST.seq, FIRST.id)
    vector.advance(READ.log, READ.seq, READ.id)
    vector.advance(SECOND.log, SECOND.seq, SECOND.id)
    return vector


def _plain(value: Any) -> Any:
    """For JSON: bytes as hex, named tuples as objects, maps with text keys."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        fields = value._asdict()
        if not fields.get("floor", True):  # left out on the wire too
            del fields["floor"]
        return {key: _plain(item) for key, item in fields.items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _keys() -> dict[str, Any]:
    signers = dict(zip(SEEDS, (AUTHORITY, ISSUER, HQ, KITA, CHUO, SESSION), strict=True))
    return {
        "ed25519": {
            name: {"seed": SEEDS[name], "public": signer.public} for name, signer in signers.items()
        },
        "network": NETWORK,
        "card": {
            "code": card_code(CARD_TEXT), "text": CARD_TEXT, "staff_id": STAFF_ID,
            "public": CARD.public,
        },
        "author": {"pin": PIN, "seed": AUTHOR_SEED, "public": AUTHOR.public},
    }  # fmt: skip


def _signing() -> dict[str, Any]:
    aad = entry_aad(NETWORK)
    return {
        "hash32": [{"of": part, "is": hash32(part)} for part in (b"", b"meshrelay")],
        "sign1": [
            {
                "seed": SEEDS["kita"], "payload": payload, "external_aad": aad,
                "cose": KITA.sign1(payload, aad),
            }
            for payload in (b"", b"x", bytes(23), bytes(24), bytes(256))
        ],
    }  # fmt: skip


def _entries() -> list[dict[str, Any]]:
    made = []
    for entry, part in CHAIN:
        vector: dict[str, Any] = {
            "raw": entry.raw, "id": entry.id, "external_aad": entry_aad(NETWORK),
            "payload": payload_of(entry.raw), "log": entry.log, "log_cbor": encode(list(entry.log)),
            "first_prev": entry.log.first_prev, "seq": entry.seq, "prev": entry.prev,
            "hlc": entry.hlc, "quality": entry.quality, "lifetime_s": entry.lifetime_s,
            "kind": entry.kind, "author": entry.author, "body": entry.body,
        }  # fmt: skip
        if part is not None:
            log = entry.log
            vector["author_part"] = part
            vector["author_payload"] = payload_of(entry.author)
            vector["author_key"] = SESSION.public
            vector["author_external_aad"] = author_aad(
                NETWORK, log.origin, log.lane, entry.lifetime_s, entry.kind
            )
        made.append(vector)
    return made


def _ends() -> list[Record]:
    """A fork of HQ's log, a revocation of 北区's node after its first entry, what that orphans."""
    log = LogId(HQ.public, EARLIER, 1)
    drafts = [Draft(1, "note", 60, b"", text) for text in (b"one", b"other")]
    one, other = (make_entry(HQ, NETWORK, log, 1, log.first_prev, 1, 4, each) for each in drafts)
    line = Line(FIRST.log, FIRST.seq, FIRST.id)
    revocation = Revocation(ISSUER_RECORD.id, KITA.public, [line])
    return [
        make_proof(one, other), make_revocation(ISSUER, NETWORK, revocation), make_orphan(SECOND)
    ]  # fmt: skip


def _later_words() -> list[tuple[Record, list[Signer]]]:
    """What is said about people and nodes after they were issued; each by who may."""
    issuer, heir = ISSUER_RECORD.id, b"\x31" * 32
    line = Line(FIRST.log, FIRST.seq, FIRST.id)
    key, author = Signer(b"\x34" * 32), Signer(b"\x35" * 32)
    registrar = make_staff(ISSUER, NETWORK, StaffCredential(
        issuer, b"\x36" * 32, "2001", "鈴木 一郎", "すずき いちろう", "01", "総務課",
        ["staff", "registrar"], 2, 1,
    ))  # fmt: skip
    bound = make_binding(
        ISSUER,
        author,
        NETWORK,
        Binding(registrar.id, author.public, b"\x37" * 32, 1, 32_768, 3, 0, issuer),
    )
    session = make_session(
        author, NETWORK, Session(bound.id, registrar.id, KITA.public, key.public, 2)
    )
    return [
        (registrar, [ISSUER]), (bound, [ISSUER, author]), (session, [author]),
        (make_successor(AUTHORITY, NETWORK, Successor(AUTHORITY.public, heir)), [AUTHORITY]),
        (make_staff_revocation(ISSUER, NETWORK, StaffRevocation(issuer, STAFF.id, [line])),
         [ISSUER]),
        (make_suspension(ISSUER, NETWORK, Suspension(issuer, KITA.public, 1, False)), [ISSUER]),
        (make_ruling(key, NETWORK, Ruling(session.id, STAFF.id, NO_BINDING, 1)), [key]),
        (make_temporary(key, NETWORK, TemporaryCredential(
            session.id, b"\x32" * 32, "T01-0001", "応援 一郎", "おうえん いちろう", "01", "", 1)),
         [key]),
        (make_transit(ISSUER, NETWORK, Transit(
            issuer, KITA.public, 1, b"\x33" * SEALED_BYTES)), [ISSUER]),
    ]  # fmt: skip


def _records() -> list[dict[str, Any]]:
    made: list[tuple[Record, list[Signer]]] = [
        (ISSUER_RECORD, [AUTHORITY]), (NODE, [ISSUER]), (HQ_NODE, [ISSUER]), (STAFF, [ISSUER]),
        (BINDING, [CARD, AUTHOR]), (OPENED, [AUTHOR]),
        *((end, [ISSUER] if end.type == REVOCATION else []) for end in _ends()),
        *_later_words(),
    ]  # fmt: skip
    return [
        {"type": record.type, "raw": record.raw, "id": record.id, "lane": record.lane}
        | _signed(record, signers)
        for record, signers in made
    ]


def _signed(record: Record, signers: list[Signer]) -> dict[str, Any]:
    if not signers:  # proofs and orphans are made of entries
        return {}
    return {
        "external_aad": record_aad(record.type, NETWORK),
        "signers": [signer.public for signer in signers],  # the outermost first
        "content": record.content,
    }


def _have() -> dict[str, Any]:
    vector = _vector()
    health: dict[int, int | str | list[int]] = {1: "0.1.0", 2: 4, 3: [0, 2, 1, 0]}
    have = make_have(
        HQ, NETWORK, vector, DAY, [EARLIER], 5, NOON_MS + 9, NONCE, health, blobs=[BLOB]
    )  # fmt: skip
    return {
        "lines": list(vector.lines.values()),
        "records": [key for key, _ in vector.after(0) if isinstance(key, bytes)],
        "digest": vector.digest(),
        "change": vector.change,
        "external_aad": b"meshrelay/have/1" + NETWORK,
        "have": {key: item for key, item in have._asdict().items() if key != "holes"},
        "blob": {"content": CONTENT, "manifest": MANIFEST.raw, "id": BLOB},
    }


def _frames() -> list[dict[str, Any]]:
    vector = _vector()
    hello = Hello(1, DAY, vector.change, vector.digest(), Cursor(EARLIER, 300), 2, b"word")
    lines = [vector.lines[log] for log in (READ.log, SECOND.log)]
    lines = [line._replace(head=line.head[:HEAD_BYTES]) for line in lines]  # as on the wire
    have = _have()["have"]["raw"]
    frames: list[Frame] = [
        hello,
        Lines(5, 8, [lines[0], lines[1]._replace(floor=1)], [STAFF.id], True),
        Want(16_384, 900, NONCE, [(SECOND.log, 2), (READ.log, 0)], [OPENED.id, KITA.public], [7]),
        Entries(NETWORK, [FIRST.raw, SECOND.raw], [0, 121], []),
        Records([ISSUER_RECORD.raw, NODE.raw]),
        Haves([have]),
        Buckets(vector.change, vector.bucket_digests()),
        Bucket(7, lines, [STAFF.id]),
        Heard([(KITA.public[:8], DAY, 300)]),
        Locate(SECOND.log, [(1, FIRST.id), (2, SECOND.id)]),
        Seek(BLOB, 0b111),
        Piece(BLOB, 1, 3, len(CONTENT), CONTENT[3:]),
        Lacks(BLOB),
        Fill(SECOND.log, 0, 1),
    ]
    return [
        {
            "type": encode_frame(frame)[1],
            "name": type(frame).__name__,
            "raw": _undeflated(frame),
            "fields": frame,
        }
        for frame in frames
    ]


def _undeflated(frame: Frame) -> bytes:
    """The frame with stored deflate blocks: the same bytes from every library."""
    raw = encode_frame(frame)
    fields = decode(raw, len(raw))
    if isinstance(frame, Entries | Records):
        plain = zlib.decompress(fields[-1], wbits=-15)
        size = len(plain).to_bytes(2, "little")
        fields[-1] = b"\x01" + size + bytes(byte ^ 0xFF for byte in size) + plain
    return encode(fields)


def _altered(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _refused() -> list[dict[str, Any]]:
    """What every implementation must refuse, and under which name."""
    envelope = [*FIRST.log, 1, FIRST.prev, 1, 4, 60, "note", b"", b""]

    def entry(*fields: Any) -> bytes:
        return KITA.sign1(encode(list(fields)), entry_aad(NETWORK))

    forged = make_node(HQ, NETWORK, NODE.content)  # type: ignore[arg-type]
    longer = encode_frame(Hello(1, DAY, 8, bytes(16), Cursor(bytes(8), 0), 0, b"word"))
    rows: list[tuple[str, str, str, bytes]] = [
        ("value", "a second encoding of 1", "malformed", bytes.fromhex("1801")),
        ("value", "an indefinite array", "malformed", bytes.fromhex("9f01ff")),
        ("value", "a tag", "malformed", bytes.fromhex("c101")),
        ("value", "a byte after the end", "malformed", bytes.fromhex("0100")),
        ("value", "keys out of order", "malformed", bytes.fromhex("a202000100")),
        ("value", "a key twice", "malformed", bytes.fromhex("a201000101")),
        ("frame", "nothing", "malformed", b""),
        ("frame", "type 22", "unknown_frame", encode([22])),
        ("frame", "HELLO without a cursor", "malformed", encode([1, 1, DAY, 8, bytes(16)])),
        ("frame", "HELLO with a short digest", "malformed", longer.replace(b"\x50", b"\x4f", 1)),
        ("entry", "tagged 18", "malformed", b"\xd2" + FIRST.raw),
        ("entry", "cut", "malformed", FIRST.raw[:-1]),
        ("entry", "ten elements", "malformed", entry(*envelope[:10])),
        ("entry", "lane 4", "malformed", entry(*envelope[:2], 4, *envelope[3:])),
        ("entry", "seq 0", "malformed", entry(*envelope[:3], 0, *envelope[4:])),
        ("entry", "an altered body", "bad_signature", _altered(FIRST.raw, -70)),
        ("entry", "an altered signature", "bad_signature", _altered(FIRST.raw, -1)),
        ("record", "type 15", "unknown_record", encode([15, b""])),
        (
            "record",
            "a proof of two equal entries",
            "malformed",
            encode([7, encode([FIRST.raw, FIRST.raw])]),
        ),
        ("record", "an altered name", "bad_signature", NODE.raw.replace(b"Kita", b"Kito")),
        ("record", "signed by no issuer", "bad_signature", forged.raw),
        ("record", "an issuer of another authority", "foreign_network", _foreign_issuer().raw),
    ]
    return [
        {"reader": reader, "what": what, "reason": reason, "raw": raw}
        for reader, what, reason, raw in rows
    ]


def _foreign_issuer() -> Record:
    content = IssuerCredential(CHUO.public, CHUO.public, 1, 1, "別の市", False)
    return make_issuer(CHUO, network_id(CHUO.public), content)


def build() -> dict[str, Any]:
    """File name -> document, ready for JSON."""
    made = {
        "keys": _keys(),
        "signing": _signing(),
        "entries": _entries(),
        "records": _records(),
        "have": _have(),
        "frames": _frames(),
        "refused": _refused(),
    }
    return {f"{name}.json": _plain(document) for name, document in made.items()}


def render(document: Any) -> str:
    """The text of one file."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for name, document in build().items():
        (HERE / name).write_text(render(document), "utf-8")
        print(name)

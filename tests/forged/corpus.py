"""What honest nodes say to each other, as trees: the beginnings from which damage is made."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import cbor2

from meshrelay.core.codec import decode, encode
from meshrelay.core.entry import AuthorPart, LogId, author_aad, entry_aad
from meshrelay.core.events import Submit
from meshrelay.core.frames import (
    FRAME_BYTES_MAX,
    NODE_PREFIX_BYTES,
    Bucket,
    Buckets,
    Frame,
    Haves,
    Heard,
    Lacks,
    Locate,
    Piece,
    Seek,
    encode_frame,
)
from meshrelay.core.have import make_have
from meshrelay.core.records import (
    BINDING,
    NO_BINDING,
    ORPHAN,
    PROOF,
    RULING,
    SEALED_BYTES,
    SESSION,
    SUCCESSOR,
    TEMPORARY,
    Record,
    Revocation,
    Ruling,
    StaffRevocation,
    Successor,
    Suspension,
    TemporaryCredential,
    Transit,
    make_proof,
    make_revocation,
    make_ruling,
    make_staff_revocation,
    make_successor,
    make_suspension,
    make_temporary,
    make_transit,
    record_aad,
)
from meshrelay.core.records import ISSUER as ISSUED
from meshrelay.core.signing import ID_BYTES, Signer, payload_of
from meshrelay.core.vector import BUCKET_DIGEST_BYTES, BUCKETS, Line, Vector
from meshrelay.desk import receipts
from tests.forged.grammar import damage
from tests.forged.scene import RECORDS, Liar, deflate, frame_of, inflate, records_frame
from tests.unit.core import city
from tests.unit.core.city import (
    ISSUER,
    ISSUER_RECORD,
    KITA,
    LIFETIME_S,
    NETWORK,
    NISHINARI,
    PT_MS,
    City,
    Station,
    note,
    said,
)

SATO = city.person("1001", KITA)
REGISTRAR = city.person("2001", KITA, 2, ("registrar",))
INCARNATION = b"day one."
# Frames whose last element is deflated.
DEFLATED = {4, 5}


class Recorder(City):
    """A city that keeps the bytes of every frame."""

    def __init__(self, *stations: Station) -> None:
        super().__init__(*stations)
        self.raws: list[bytes] = []

    def sent(self, sender: Station, link: int, data: bytes) -> None:
        self.raws.append(data)
        super().sent(sender, link, data)


def overheard() -> list[bytes]:
    """Frames of every type, from a conversation of three wards in which things go missing."""
    kita, chuo, hq = (Station(signer, RECORDS) for signer in (city.KITA, city.CHUO, city.HQ))
    town = Recorder(kita, chuo, hq)
    kita.feed(Submit([], SATO.records, 2))
    for number in range(12):
        kita.say(note(f"第{number}報", number % 4))
    chuo.say(note("中央区から"))
    town.join(kita, chuo)
    town.join(chuo, hq)
    town.deliver()
    town.pass_ms(70_000)
    kita.say(note("緊急", 0), note("通常"))
    town.deliver()
    town.pass_ms(5_000)
    by_type: dict[int, list[bytes]] = {}
    for raw in town.raws:
        kind = decode(raw, FRAME_BYTES_MAX)[0]
        by_type.setdefault(kind, []).append(raw)
    return [raw for raws in by_type.values() for raw in dict.fromkeys(raws)][:400]


def rarely_said() -> list[bytes]:
    """Frames of first contact with a big store and of forks."""
    rng = random.Random("rarely said")
    log = LogId(KITA.public, INCARNATION, 1)
    line, ids = Line(log, 9, rng.randbytes(ID_BYTES)), [rng.randbytes(ID_BYTES)] * 3
    digests = [rng.randbytes(BUCKET_DIGEST_BYTES) for _ in range(BUCKETS)]
    words = [(KITA.public[:NODE_PREFIX_BYTES], INCARNATION, change) for change in (1, 7)]
    places = [(1 << power, rng.randbytes(ID_BYTES)) for power in range(9)]
    frames: list[Frame] = [
        Buckets(9, digests),
        Bucket(3, [line], ids),
        Heard(words),
        Locate(log, places),
        Seek(ids[0], 0b1011),
        Piece(ids[0], 2, 3, 900, rng.randbytes(40)),
        Lacks(ids[0]),
    ]
    return [encode_frame(frame) for frame in frames]


class Maker(NamedTuple):
    """One part of the protocol that can be damaged below its signature."""

    name: str
    make: Callable[[random.Random], bytes]


class Corpus:
    """Makes damaged frames; every choice comes from the generator that is passed in."""

    def __init__(self) -> None:
        self.frames = [*overheard(), *rarely_said()]
        self.types = sorted({decode(raw, FRAME_BYTES_MAX)[0] for raw in self.frames})
        self.trees = [decode(raw, FRAME_BYTES_MAX) for raw in self.frames]
        self._by_type: dict[int, list[Any]] = {}
        for tree in self.trees:
            self._by_type.setdefault(tree[0], []).append(tree)
        self.makers = [
            *(Maker(f"frame {kind}", self._frame(kind)) for kind in self.types),
            Maker("entry", self._entry),
            Maker("author part", self._author),
            Maker("read body", self._read),
            Maker("have", self._have),
            *(Maker(f"record {each.type}", self._record(each)) for each in self._records()),
            Maker("proof", self._proof),
            Maker("orphan", self._orphan),
            Maker("locate", self._locate),
        ]

    @staticmethod
    def _records() -> list[Record]:
        """One of each type that is signed over an array."""
        line = Line(LogId(NISHINARI.public, INCARNATION, 1), 3, b"h" * ID_BYTES)
        revocation = Revocation(ISSUER_RECORD.id, NISHINARI.public, [line, line])
        revoked = make_revocation(ISSUER, NETWORK, revocation)
        issuer, session = ISSUER_RECORD.id, REGISTRAR.session.id
        return [
            RECORDS[0], RECORDS[1], *SATO.records, revoked,
            make_successor(city.AUTHORITY, NETWORK, Successor(city.AUTHORITY.public, b"k" * 32)),
            make_staff_revocation(ISSUER, NETWORK, StaffRevocation(issuer, SATO.staff.id, [line])),
            make_suspension(ISSUER, NETWORK, Suspension(issuer, KITA.public, 1, False)),
            make_ruling(REGISTRAR.signer, NETWORK, Ruling(session, SATO.staff.id, NO_BINDING, 1)),
            make_temporary(REGISTRAR.signer, NETWORK, TemporaryCredential(
                session, b"c" * 32, "T01-1", "応援", "おうえん", "01", "", 1)),
            make_transit(ISSUER, NETWORK, Transit(issuer, KITA.public, 1, b"s" * SEALED_BYTES)),
        ]  # fmt: skip

    def _frame(self, kind: int) -> Callable[[random.Random], bytes]:
        def make(rng: random.Random) -> bytes:
            tree = rng.choice(self._by_type[kind])
            if kind in DEFLATED and rng.random() < 0.8:
                inner = decode(inflate(tree[-1]), FRAME_BYTES_MAX)
                return loose([*tree[:-1], deflate(loose(damage(inner, rng)))])
            return loose(damage(tree, rng, rng.choice(self.trees)))

        return make

    def _entry(self, rng: random.Random) -> bytes:
        envelope: list[Any] = [
            KITA.public, rng.randbytes(8), rng.randrange(4), 1, b"", PT_MS << 16, 4, LIFETIME_S,
            "note", b"", b"body",
        ]  # fmt: skip
        envelope[4] = LogId(*envelope[:3]).first_prev
        return frame_of(KITA.sign1(loose(damage(envelope, rng)), entry_aad(NETWORK)))

    def _author(self, rng: random.Random) -> bytes:
        honest = said(SATO, KITA, b"body", incarnation=rng.randbytes(8))
        fields = list(AuthorPart(b"m" * 16, SATO.session.id, PT_MS, 4, 1, "all", "要約", b"body"))
        aad = author_aad(NETWORK, KITA.public, 1, LIFETIME_S, "talk")
        author = SATO.signer.sign1(loose(damage(fields, rng)), aad)
        envelope = decode(payload_of(honest.raw), FRAME_BYTES_MAX)
        envelope[9] = author
        return frame_of(KITA.sign1(encode(envelope), entry_aad(NETWORK)))

    def _read(self, rng: random.Random) -> bytes:
        logs = [
            (receipts.Who(str(number), SATO.session.id), LogId(KITA.public, INCARNATION, 1), number)
            for number in (1, 2, 9)
        ]
        body = loose(damage(decode(receipts.encode_body("all", logs), FRAME_BYTES_MAX), rng))
        log = LogId(KITA.public, rng.randbytes(8), 2)
        envelope = [*log, 1, log.first_prev, PT_MS << 16, 4, LIFETIME_S, receipts.NAME, b"", body]
        return frame_of(KITA.sign1(encode(envelope), entry_aad(NETWORK)))

    def _have(self, rng: random.Random) -> bytes:
        vector = Vector()
        for lane in range(3):
            line = Line(LogId(KITA.public, INCARNATION, lane), 5, rng.randbytes(ID_BYTES))
            vector.advance(*line[:3])
        have = make_have(
            KITA, NETWORK, vector, rng.randbytes(8), [b"past one"], 0, PT_MS, bytes(8),
            {1: "0.1", 2: 4, 3: [1, 2, 3, 4], 4: 9, 5: 1 << 33},
        )  # fmt: skip
        fields = loose(damage(decode(payload_of(have.raw), FRAME_BYTES_MAX), rng))
        return encode_frame(Haves([KITA.sign1(fields, b"meshrelay/have/1" + NETWORK)]))

    def _record(self, record: Record) -> Callable[[random.Random], bytes]:
        """A record of this type, damaged, signed by whoever may sign it."""
        signers: dict[int, tuple[Signer, ...]] = {
            ISSUED: (city.AUTHORITY,), SUCCESSOR: (city.AUTHORITY,),
            BINDING: (SATO.author, SATO.card), SESSION: (SATO.author,),
            RULING: (REGISTRAR.signer,), TEMPORARY: (REGISTRAR.signer,),
        }  # fmt: skip
        keys, aad = signers.get(record.type, (ISSUER,)), record_aad(record.type, NETWORK)
        payload = payload_of(decode(record.raw, FRAME_BYTES_MAX)[1])
        if record.type == BINDING:
            payload = payload_of(payload)
        fields = decode(payload, FRAME_BYTES_MAX)

        def make(rng: random.Random) -> bytes:
            signed = loose(damage(fields, rng))
            for key in keys:
                signed = key.sign1(signed, aad)
            return records_frame(encode([record.type, signed]))

        return make

    def _proof(self, rng: random.Random) -> bytes:
        """Two entries for one place of a log of its own, or nearly."""
        liar = Liar(rng)
        log = liar.log(KITA)
        proof = make_proof(liar.entry(KITA, log), liar.entry(KITA, log))
        raws = decode(decode(proof.raw, FRAME_BYTES_MAX)[1], FRAME_BYTES_MAX)
        return records_frame(encode([PROOF, loose(damage(raws, rng))]))

    def _orphan(self, rng: random.Random) -> bytes:
        entry = said(SATO, KITA, b"body", incarnation=rng.randbytes(8))
        fields = decode(payload_of(entry.raw), FRAME_BYTES_MAX)
        raw = KITA.sign1(loose(damage(fields, rng)), entry_aad(NETWORK))
        return records_frame(loose(damage([ORPHAN, raw], rng) if rng.random() < 0.2 else [8, raw]))

    def _locate(self, rng: random.Random) -> bytes:
        """Places of a log that the victim may hold, far apart."""
        places = [[1 << power, rng.randbytes(ID_BYTES)] for power in range(rng.randrange(64))]
        log = [KITA.public, INCARNATION, rng.randrange(4)]
        fields = [10, *log, places]
        return loose(damage(fields, rng) if rng.random() < 0.7 else fields)


def loose(tree: Any) -> bytes:
    """Encode whatever it is; the codec of the protocol would refuse some of it."""
    return cbor2.dumps(tree)

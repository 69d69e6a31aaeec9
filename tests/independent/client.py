"""A second node, from PROTOCOL.md alone: one end of a lan link, its store in memory.

It serves its own log only, keeps no HAVE, looks for no fork, skips records 6 to 13 as unknown.
"""

import asyncio
import ssl
import time
import zlib
from functools import partial
from hashlib import blake2b, sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cbor2
from nacl.signing import SigningKey, VerifyKey

Log = tuple[bytes, bytes, int]  # origin, incarnation, lane
GRANT, ALL_DONE, PROTECTED, P256 = 65_536, 2**32 - 1, b"\xa1\x01\x27", b"\x30\x59\x30\x13\x06\x07"
# A shape: integers of a range, bytes of a length, a type, [all of these], (first these, ...)
UINT, U32, LANE, BYTE = range(2**63), range(2**32), range(4), range(256)
LOG, LINE = (32, 8, LANE), (32, 8, LANE, UINT, 8)
AUTHOR_PART = (16, 32, UINT, range(5), U32, str, str, bytes)
HELLO, LINES = (U32, 8, UINT, 16, 8, UINT, range(3), 4), (UINT, UINT, [LINE], [32], bool)
WANT, BUCKET = (U32, U32, 8, [(*LOG, UINT)], [32], [BYTE]), (BYTE, [LINE], [32])
HEARD, LOCATE, BUCKETS = ([(8, 8, UINT)],), (*LOG, [(UINT, 32)]), (UINT, 2048)
KINDS = (HELLO, LINES, WANT, (16, bytes), (bytes,), ([bytes],), BUCKETS, BUCKET, HEARD, LOCATE)
FRAMES = {**dict(enumerate(KINDS, 1)), 14: (*LOG, UINT, UINT)}
SIGNED: dict[int | str, tuple[str, list[int], tuple[Any, ...]]] = {  # name, parents' types, fields
    "entry": ("entry", [2], (*LOG, UINT[1:], 32, UINT, range(5), U32, str, bytes, bytes)),
    "have": ("have", [2], (32, 8, U32, [8], UINT, 16, UINT, [(*LOG, UINT, 32)], UINT, 8, dict)),
    1: ("record/issuer", [], (32, 32, U32, U32, str, bool)),
    2: ("record/node", [1], (32, 32, 32, 32, [str], str, str, str, str, U32, U32)),
    3: ("record/staff", [1], (32, 32, str, str, str, str, str, [str], U32, U32)),
    4: ("record/binding", [3], (32, 32, 32, U32, U32, U32, U32)),
    5: ("record/session", [4, 3], (32, 32, 32, 32, U32)),
    14: ("record/transit", [1], (32, 32, U32, 80)),
}
encode = partial(cbor2.dumps, canonical=True)


def need(good: object, reason: str = "malformed") -> None:
    if not good:
        raise ValueError(reason)


def fits(value: Any, shape: Any = None, depth: int = 16) -> bool:  # shape None: any value
    if type(value) is dict:
        fine = shape in (None, dict) and fits([*value], [UINT])
        return fine and fits([*value.values()], None, depth)
    if type(value) is list:
        first = shape * len(value) if type(shape) is list else shape or ()
        fine = depth > 0 and type(first) in (list, tuple) and len(first) <= len(value)
        return fine and all(fits(*each, depth - 1) for each in zip_longest(value, first))
    if type(value) is int:
        return type(shape or UINT) is range and value in (shape or UINT)
    if type(value) is bytes:
        return shape in (None, bytes, len(value))
    return (value is None or type(value) in (bool, str)) and shape in (None, type(value))


def decode(data: bytes, shape: Any = None) -> Any:
    value = cbor2.loads(data)
    need(fits(value, shape) and encode(value) == data)
    return value


def read_frame(data: bytes) -> list[Any]:
    kind, *fields = frame = decode(data, (UINT,))
    need(kind in FRAMES, "unknown_frame")
    need(fits(fields, FRAMES[kind]) and len(data) <= 65_536)
    return frame


def hash_of(*parts: bytes, size: int = 32) -> bytes:
    return blake2b(b"".join(parts), digest_size=size).digest()


def payload_of(cose: bytes) -> bytes:
    need(cose[:6] == b"\x84\x43" + PROTECTED + b"\xa0")
    return bytes(decode(cose, (3, dict, bytes, 64))[2])


class Signed:  # an entry, a HAVE or a record: read, not verified
    def __init__(self, raw: bytes, what: str = "") -> None:
        need(what != "entry" or len(raw) <= 16_384, "oversize")
        outer: Any = [what, raw] if what else decode(raw, (UINT, bytes))
        self.raw, self.id, self.type, self.cose = raw, hash_of(raw), outer[0], outer[1]
        need(self.type in SIGNED, "unknown_record")
        self.name, self.parents, shape = SIGNED[self.type]
        payload = payload_of(self.cose)
        self.fields = decode(payload_of(payload) if self.type == 4 else payload, shape)
        self.log: Log = (self.fields[0], self.fields[1], self.fields[2])  # of an entry


def unpack(packed: bytes) -> list[Signed]:
    entries: list[Signed] = []
    for item in decode(zlib.decompressobj(-15).decompress(packed, 65_536), ([None], [UINT]))[0]:
        (raw,) = item if type(item) is list else [item]
        if entries and raw is item:  # behind log and seq, prev is left out: the id before
            head = encode([*entries[-1].log, entries[-1].fields[3] + 1])[1:] + b"\x58\x20"
            raw = raw.replace(head, head + entries[-1].id, 1)
        entries.append(Signed(raw, "entry"))
    return entries


class Client:
    """The node whose keys lie in a directory; `greeting` is its issuer and its node record."""

    def __init__(self, keys: Path, greeting: list[bytes]) -> None:
        self.keys, self.greeting = keys, greeting
        self.network = hash_of(Signed(greeting[0]).fields[0], size=16)
        self.known, self.logs = dict[bytes, Signed](), dict[Log, list[Signed]]()  # 2 also by key
        self.waiting, self.missing = list[Signed](), set[bytes]()  # for parents; to be asked for
        self.push = self.next = self.credit = self.under_way = self.changes = self.stated = 0
        self.take([*map(Signed, greeting)])
        self.key = SigningKey(bytes.fromhex((keys / "node.key").read_text("ascii")))
        self.me, self.incarnation = bytes(self.key.verify_key), ssl.RAND_bytes(8)
        self.log: Log = (self.me, self.incarnation, 2)
        self.cursor, self.receipts = [bytes(8), 0], dict[bytes, int]()  # heights of our log

    def to_sign(self, name: str, payload: bytes, more: bytes = b"") -> bytes:
        aad = f"meshrelay/{name}/1".encode() + self.network + more
        return encode(["Signature1", PROTECTED, aad, payload])

    def sign(self, name: str, payload: bytes) -> bytes:
        return encode([PROTECTED, {}, payload, self.key.sign(self.to_sign(name, payload))[:64]])

    def verify(self, cose: bytes, name: str, key: bytes, more: bytes = b"") -> None:
        VerifyKey(key).verify(self.to_sign(name, payload_of(cose), more), cose[-64:])

    def verified(self, item: Signed) -> bool:
        """Whether its parents are here, and then its signatures verify; else it has to wait."""
        above = item.fields[: len(item.parents)] + (item.fields[7:8] if item.type == 4 else [])
        self.missing |= set(above) - self.known.keys()
        parents = [self.known[each] for each in above if each in self.known]
        if len(parents) < len(above):
            return False
        need([each.type for each in parents][: len(item.parents)] == item.parents, "not_entitled")
        need(item.type != 5 or parents[0].fields[0] == above[1], "not_entitled")
        hq = item.type in (3, 4) and "hq" in (parents[0] if item.type == 4 else item).fields[7]
        keys = [each.fields[0 if hq and each.type == 1 else 1] for each in parents]
        key = keys[0 if item.type == 5 else -1] if keys else item.fields[0]
        need(parents or hash_of(key, size=16) == self.network, "foreign_network")
        self.verify(item.cose, item.name, key)
        if item.type == 4:
            self.verify(payload_of(item.cose), item.name, item.fields[1])
        return True

    def take(self, items: list[Signed]) -> None:
        for item in items:
            if not self.verified(item):
                self.waiting.append(item)
            elif item.type == "entry":
                if (item.fields[3] - 1, item.fields[4]) == self.head(item.log):
                    self.logs.setdefault(item.log, []).append(item)
                    self.changes += 1
                    self.authored(item)
            elif item.id not in self.known:
                self.known |= {item.id: item} | ({item.fields[1]: item} if item.type == 2 else {})
                self.missing -= self.known.keys()
                self.changes += item.type != 5
                self.take([self.waiting.pop() for _ in range(len(self.waiting))])

    def authored(self, e: Signed) -> bool:
        """Whether its author signed it in a session of its origin; asks for the session."""
        lifetime_s, kind, author = e.fields[7:10]
        wanted = decode(payload_of(author), AUTHOR_PART)[1] if author else e.log[0]
        self.missing |= {wanted} - self.known.keys()
        session, more = self.known.get(wanted, e), encode([e.log[0], e.log[2], lifetime_s, kind])
        if session.type == 5:
            self.verify(author, "author", session.fields[3], more)
        return session.type == 5 and bool(session.fields[2] == e.log[0])

    def head(self, log: Log) -> tuple[int, bytes]:
        held = self.logs.get(log)
        return (len(held), held[-1].id) if held else (0, hash_of(encode(log)))

    def buckets(self) -> list[bytes]:
        items = {hash_of(encode(log)): encode([*log, *self.head(log)]) for log in self.logs}
        items |= {each.id: each.id for each in self.known.values() if each.type != 5}
        found = [sorted(v for at, v in items.items() if at[0] == n) for n in BYTE]
        return [hash_of(*each)[:8] if each else bytes(8) for each in found]

    def digest(self) -> bytes:
        return hash_of(*self.buckets())[:16]

    async def run(self, port: int) -> None:
        """Dial a node and talk with it until one end closes."""
        tls = ssl.create_default_context(cafile=self.keys / "ca.crt")
        tls.minimum_version, tls.check_hostname = ssl.TLSVersion.TLSv1_3, False
        tls.load_cert_chain(self.keys / "tls.crt", self.keys / "tls.key")
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        self.asked, self.used, self.credit = set[bytes](), ALL_DONE, 2_048  # answer with a grant
        try:
            self.peer = await asyncio.wait_for(self.greet(), 5)
            hello = [1, 1, self.incarnation, self.changes, self.digest(), *self.cursor, 2]
            stated = hash_of(self.me, self.incarnation, self.stated.to_bytes(8))
            self.put(encode([*hello, stated[:4]]))
            async with asyncio.TaskGroup() as group:
                group.create_task(self.state())
                while True:
                    self.on_frame(await self.block())
        finally:
            self.push = self.next = self.credit = self.under_way = 0
            self.writer.close()

    async def block(self) -> bytes:
        return await self.reader.readexactly(int.from_bytes(await self.reader.readexactly(4)))

    def put(self, block: bytes) -> None:
        self.writer.write(len(block).to_bytes(4) + block)

    async def greet(self) -> bytes:
        self.put(ssl.RAND_bytes(8) + encode([self.network, hash_of(self.greeting[1])]))
        network, wanted = decode((await self.block())[8:], (16, 32))[:2]
        need(network == self.network, "foreign_network")
        guest = self if wanted in self.known else Client(self.keys, self.greeting)
        self.put(bytes([guest is self]))
        if await self.block() == bytes(1):
            self.put(encode([network, self.greeting]))
        if guest is not self:
            guest.take([*map(Signed, decode(await self.block(), (16, [bytes]))[1])])
        need(wanted in guest.known and guest.known[wanted].type == 2, "no_credential")
        peer, tls_key = guest.known[wanted].fields[1:3]
        shown = self.writer.get_extra_info("ssl_object").getpeercert(True)
        need(sha256(shown[shown.index(P256) :][:91]).digest() == tls_key, "wrong_tls_key")
        self.put(bytes(9) if self.me > peer else b"\x01")  # this boot has heard of no open
        need((await self.block())[-1:] == b"\x01" or self.me < peer, "duplicate")
        return bytes(peer)

    async def state(self) -> None:  # a HAVE of every line 2 s after a change
        while True:
            await asyncio.sleep(2)
            lines, ms = [[*log, *self.head(log)] for log in self.logs], int(time.time() * 1000)
            have = [self.me, self.incarnation, 1, [], self.changes, self.digest(), 0, lines[:400]]
            if self.stated != self.changes:
                self.put(encode([6, [self.sign("have", encode([*have, ms, bytes(8), {}]))]]))
            self.stated = self.changes

    def append(self, kind: str, body: bytes) -> Signed:
        """Sign, hold and push the next entry of our own background log."""
        height, head = self.head(self.log)
        fields = [*self.log, height + 1, head, (time.time_ns() << 16) // 1_000_000, 3, 604_800]
        entry = Signed(self.sign("entry", encode([*fields, kind, b"", body])), "entry")
        self.take([entry])
        self.next = self.next or (height + 1 if self.push else 0)
        self.serve()
        return entry

    def serve(self) -> None:
        while 0 < self.next <= self.head(self.log)[0] and self.under_way < self.credit:
            packed = encode([[self.logs[self.log][self.next - 1].raw], [0]])
            self.put(frame := encode([4, self.network, zlib.compress(packed, wbits=-15)]))
            self.next, self.under_way = self.next + 1, self.under_way + len(frame)

    def on_frame(self, data: bytes) -> None:
        kind, *f = read_frame(data)
        logs, buckets = list[Any](), list[int]()
        self.used += len(data) if kind in (4, 5, 8) else 0
        if kind == 1:
            self.push, (height, head) = f[6], self.head(self.log)
            self.cursor = f[1:3] if f[3] == self.digest() else self.cursor
            if height and f[3] != self.digest():
                self.put(encode([2, 0, 0, [[*self.log, height, head[:8]]], [], False]))
        elif kind == 3:
            self.credit, done = f[:2]
            self.under_way = 0 if done == ALL_DONE else self.under_way - done
            for start in [line[3] for line in f[3] if line[:3] == [*self.log]]:
                self.next = max(start, self.next if start and done != ALL_DONE else 0)
        elif kind == 4:
            need(f[0] == self.network, "foreign_network")
            self.take([e for e in unpack(f[1]) if e.log[1] != self.incarnation])
        elif kind == 5:
            raws = decode(zlib.decompressobj(-15).decompress(f[0], 65_536), [bytes])
            self.take([Signed(raw) for raw in raws if decode(raw, (UINT,))[0] in SIGNED])
        elif kind == 6:
            for have in filter(self.verified, [Signed(raw, "have") for raw in f[0]]):
                self.on_have(have.fields)
        elif kind == 7:
            buckets = [n for n, mine in enumerate(self.buckets()) if mine != f[1][8 * n :][:8]]
        elif kind in (2, 8):
            lines, ids, pushed = f[2:5] if kind == 2 else [*f[1:3], False]
            self.missing |= set(ids) - self.known.keys()
            held = [(line, self.head((line[0], line[1], line[2]))[0]) for line in lines]
            logs = [[*line[:3], n + 1] for line, n in held if n < line[3] and not pushed]
        ids = [*self.missing - self.asked][:400]
        self.asked |= {*ids}
        if logs or ids or buckets or self.used * 2 >= GRANT:
            self.put(encode([3, GRANT, self.used, bytes(8), logs, ids, buckets]))
            self.used = 0
        self.serve()

    def on_have(self, have: list[Any]) -> None:
        own = [e.id for e in self.logs.get(self.log, [])]
        stated = [line[3:5] for line in have[7] if line[:3] == [*self.log]]
        heights = [height for height, head in stated if own[height - 1 : height] == [head]]
        heights += [len(own) if have[5] == self.digest() else 0, self.receipts.get(have[0], 0)]
        self.receipts[have[0]] = max(heights)

"""What goes into a courier file: what we state, then all that the destination lacks.

Everything is read from log.db at one moment, by a reader of its own: the node may be running,
here or in another process, or stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from meshrelay.bearers.courier import FRAME, MANIFEST, CourierWriter
from meshrelay.core.book import RecordBook
from meshrelay.core.clock import age_now
from meshrelay.core.entry import URGENT, Entry, LogId, read_author_part, read_entry
from meshrelay.core.events import HeldEntry, Now
from meshrelay.core.frames import Entries, Frame, Haves, Records, encode_frame
from meshrelay.core.have import NO_NONCE, Receipts, make_have, read_have
from meshrelay.core.records import ROLE_ARCHIVE, read_record
from meshrelay.core.signing import hash32
from meshrelay.core.state import batches
from meshrelay.core.sync import restore_vector
from meshrelay.core.vector import BUCKETS, Line
from meshrelay.errors import (
    ConfigError,
    DamagedError,
    FrameError,
    RefusedError,
    RemoteProtocolError,
)
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.folding import RULES
from meshrelay.node.identity import Keys
from meshrelay.node.manifest import KnownRecords, Manifest, pack_manifest, record_digests
from meshrelay.node.transit import TransitKeys
from meshrelay.store.carrying import CarryReader

# What a torn block costs, and what a reader verifies at once: about 10 ms of its event loop.
BLOCK_BYTES = 16 * 1024

Told = Callable[[int, int], None]


class Packed(NamedTuple):
    """What was written: entries per lane, records, and bytes of the file."""

    entries: list[int]
    records: int
    size: int


class Cargo:
    """What one node holds, ready to be packed. Use in one thread, then `close`.

    Raises:
        ConfigError: the node never ran.
    """

    def __init__(self, directory: Path, keys: Keys) -> None:
        database = directory / "log.db"
        if not database.exists():
            raise ConfigError(f"{database} is not there: this node never ran and holds nothing")
        self._reader = CarryReader(database)
        self._keys = keys
        self._known = KnownRecords(directory / "couriers")
        self.snapshot = self._reader.snapshot()
        self.book = RecordBook(keys.network)
        for record_id, lane, _ in self.snapshot.records:
            if lane == URGENT:
                self.book.add(read_record(self._record(record_id)))
        self._lanes = {each: lane for each, lane, _ in self.snapshot.records}
        changes = [(r, c) for r, lane, c in self.snapshot.records if lane is not None]
        changes.sort(key=lambda row: row[1])
        self.vector = restore_vector(self.snapshot.lines, changes, self.snapshot.change,
                                     self.snapshot.gaps)  # fmt: skip
        self._receipts = self._restored()
        self._digests = record_digests([each for each, _ in changes])

    def close(self) -> None:
        self._reader.close()

    def _record(self, record_id: bytes) -> bytes:
        raw = self._reader.record(record_id)
        if raw is None:
            raise FrameError("no_record", record_id.hex())
        return raw

    def _restored(self) -> Receipts:
        """What others stated, as a start of the node reads it."""
        kept = Receipts()
        for raw in self.snapshot.haves:
            kept.take(read_have(raw), self.vector)
        for log, seq in kept.to_look_up:
            raw_entry = self._reader.at(log, seq)
            if raw_entry is not None:
                kept.resolve(log, seq, hash32(raw_entry))
        return kept

    # For whom

    def destinations(self, to: str) -> list[bytes]:
        """The nodes that a file is for: of a ward (code or name), one node (name or the start of
        its id), or with "" all others.

        Raises:
            RefusedError: `no_destination`.
        """
        me = self._keys.signer.public
        others = {k: n for k, n in self.book.nodes.items() if k != me}
        wanted = to.strip()
        found = [
            key
            for key, node in others.items()
            if not wanted
            or wanted in (node.ward, node.ward_name, node.ward_name_en, node.name)
            or (len(wanted) >= 8 and key.hex().startswith(wanted.lower()))
        ]
        if wanted and not found:
            raise no_destination(wanted)
        return [key for key in found if key not in self.book.revoked] or found

    # Packing

    def pack(self, file: BinaryIO, to: str, now: Now, health: dict[int, Any], told: Told) -> Packed:
        """Write the whole file. `told(done, total)` counts entries and records.

        Raises:
            RefusedError: `no_destination`, or `no_transit_key`: nothing could be sealed.
        """
        nodes = self.destinations(to)
        sealer = TransitKeys(self.book, self._keys.signer.public, self._keys.box)
        if sealer.newest is None:
            raise no_transit_key()
        out = CourierWriter(file, sealer, self._keys.network)
        out.put(MANIFEST, self._manifest(out.file_id, to, now))
        return _Packing(self, out, nodes, told).run(self._haves(now, health), now)

    def _manifest(self, file_id: bytes, to: str, now: Now) -> bytes:
        signer, network = self._keys.signer, self._keys.network
        greeting = NodeDoorman(self.book, signer.public).greeting
        manifest = Manifest(
            file_id, signer.public, self.snapshot.incarnations[-1][0], self.vector.change,
            max(now.pt_ms, 0), now.quality, to.strip(), b"".join(self._digests),
        )  # fmt: skip
        return pack_manifest(manifest, greeting, signer, network)

    def _haves(self, now: Now, health: dict[int, Any]) -> list[bytes]:
        """Ours, fresh, then all that were heard and still say something."""
        incarnations = self.snapshot.incarnations
        past = [each for (each, _), _ in pairwise(incarnations)]
        own = make_have(
            self._keys.signer, self._keys.network, self.vector, incarnations[-1][0], past, 0,
            max(now.pt_ms, 0), NO_NONCE, health,
        )  # fmt: skip
        tips = sorted(self._receipts.tips())
        heard = [have.raw for tip in tips for have in self._receipts.kept(*tip)]
        return [own.raw, *heard]

    def held_by_all(self, nodes: list[bytes], log: LogId) -> int:
        """Height of a log that each of these nodes stated, checked against ours."""
        return min((self._receipts.covered(node, log) for node in nodes), default=0)

    def backlog(self) -> list[int]:
        """Own entries per lane that no archive covers: what a HAVE tells of itself."""
        archives = [key for key, node in self.book.nodes.items() if ROLE_ARCHIVE in node.roles]
        waiting = [0, 0, 0, 0]
        for log, line in self.vector.lines.items():
            if log.origin == self._keys.signer.public and log.origin not in archives:
                there = max((self._receipts.covered(each, log) for each in archives), default=0)
                waiting[log.lane] += max(line.height - there, 0)
        return waiting

    def lacking(self, nodes: list[bytes]) -> set[int]:
        """Buckets of records in which one of these nodes differs from us, or may."""
        differing = set() if nodes else set(range(BUCKETS))
        for node in nodes:
            newest = self._receipts.newest(node)
            theirs = self._known.digests(node, newest.incarnation if newest else None)
            ours = enumerate(self._digests)
            differing |= {n for n, each in ours if theirs is None or theirs[n] != each}
        return differing

    def record_chain(self, record_id: bytes) -> Iterator[bytes]:
        """The records that this one hangs from, parents first, itself last."""
        for parent in RecordBook.parents_of(read_record(self._record(record_id))):
            if parent in self._lanes:
                yield from self.record_chain(parent)
        yield record_id

    def is_session(self, record_id: bytes) -> bool:
        """Sessions are in no digest; whoever needs one is sent it."""
        return self._lanes.get(record_id, URGENT) is None

    def holds(self, record_id: bytes) -> bool:
        return record_id in self._lanes

    def raw_record(self, record_id: bytes) -> bytes:
        return self._record(record_id)

    def next_held(self, log: LogId, after: int) -> int:
        """The next entry behind a gap."""
        return self._reader.next_held(log, after)

    def read(self, log: LogId, first: int, height: int) -> list[HeldEntry]:
        """The next entries, not above the height of the snapshot."""
        try:
            held = self._reader.read(log, first, BLOCK_BYTES)
        except DamagedError:
            return []  # the node finds it too, and fetches it again
        return [each for each in held if read_entry(each.raw).seq <= height]


class _Packing:
    """One run through what a destination lacks, most urgent first."""

    def __init__(self, cargo: Cargo, out: CourierWriter, nodes: list[bytes], told: Told) -> None:
        self._cargo = cargo
        self._out = out
        self._told = told
        self._buckets = cargo.lacking(nodes)
        self._written: set[bytes] = set()
        self._entries = [0, 0, 0, 0]
        lines = sorted(cargo.vector.lines.values(), key=lambda line: (line.log.lane, line.log))
        self._todo = [(line, cargo.held_by_all(nodes, line.log)) for line in lines]
        self._records = [
            (each, lane)
            for each, lane, _ in cargo.snapshot.records
            if lane is not None and each[0] in self._buckets
        ]
        self._done = 0
        self._total = sum(line.height - held for line, held in self._todo) + len(self._records)

    def run(self, haves: list[bytes], now: Now) -> Packed:
        for raws in batches(haves):
            self._put(Haves(raws))
        self._put_records([each for each, lane in self._records if lane == URGENT])
        for line, held in self._todo:
            self._put_log(line, held, now)
        self._put_records([each for each, lane in self._records if lane != URGENT])
        # Chunks of photos and files will follow here, as frames of their own.
        self._out.end()
        self._told(self._total, self._total)
        return Packed(self._entries, len(self._written), self._out.bytes_written)

    def _put(self, frame: Frame) -> None:
        self._out.put(FRAME, encode_frame(frame))

    def _progress(self, count: int) -> None:
        self._done += count
        self._told(min(self._done, self._total), self._total)

    def _put_log(self, line: Line, held: int, now: Now) -> None:
        first = held + 1
        while first <= line.height:
            entries = self._cargo.read(line.log, first, line.height)
            if not entries:  # dropped for space, or an end cut the log back meanwhile
                first = self._cargo.next_held(line.log, first)
                continue
            self._put_records(self._needed(entries))
            ages = [age_now(each.age, each.seen_ms, now.seen_ms, now.gap_ms) for each in entries]
            raws = [each.raw for each in entries]
            self._put(Entries(self._cargo.book.network, raws, ages, []))
            self._entries[line.log.lane] += len(entries)
            first = read_entry(raws[-1]).seq + 1
            self._progress(len(entries))

    def _needed(self, entries: list[HeldEntry]) -> list[bytes]:
        """The sessions that these entries are judged by."""
        wanted: dict[bytes, None] = {}
        for each in entries:
            for session in _judged_by(read_entry(each.raw)):
                if self._cargo.holds(session):
                    wanted[session] = None
        return list(wanted)

    def _put_records(self, ids: list[bytes]) -> None:
        """Records and what they hang from, each once, those that are lacking or in no digest."""
        batch: list[bytes] = []
        size = 0
        for wanted in ids:
            for each in self._cargo.record_chain(wanted) if wanted not in self._written else ():
                lacking = each[0] in self._buckets or self._cargo.is_session(each)
                if each in self._written or not lacking:
                    continue
                raw = self._cargo.raw_record(each)
                if batch and size + len(raw) > BLOCK_BYTES:
                    self._put(Records(batch))
                    batch, size = [], 0
                self._written.add(each)
                batch.append(raw)
                size += len(raw)
                self._progress(not self._cargo.is_session(each))
        if batch:
            self._put(Records(batch))


def _judged_by(entry: Entry) -> list[bytes]:
    """The sessions of who wrote it, or of whom its node speaks in it."""
    if not entry.author:
        rule = RULES.get(entry.kind)
        return [session for _, session in rule.of_whom(entry.body)] if rule else []
    try:
        return [read_author_part(entry.author).session]
    except RemoteProtocolError:
        return []  # level B refused it where it came in, and will there


def no_destination(to: str) -> RefusedError:
    return RefusedError(
        "no_destination",
        f"「{to}」という区も機器もありません。",
        f"There is no ward and no node called {to}.",
        "区のコードか名前、または機器の名前を指定してください。",
        "Give a ward's code or name, or a node's name.",
        404,
    )


def no_transit_key() -> RefusedError:
    return RefusedError(
        "no_transit_key",
        "この機器には伝令用の鍵がありません。ファイルを封じられません。",
        "This node holds no transit key, so the file cannot be sealed.",
        "情報システム担当に、issuer sign または issuer renew の記録を入れてもらってください。",
        "Ask IT to import the records of `issuer sign` or `issuer renew`.",
        409,
    )

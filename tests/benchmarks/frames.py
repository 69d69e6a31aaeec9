"""What two machines say to each other, frame by frame: in sync, one new entry, a healed partition.

Machines on a bench: the bytes are those of the frames, before TLS or MQTT. The ways of an
entry are told apart: HELLO, what asks and announces, HAVEs, and the entry itself.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from meshrelay.core.entry import Draft, Entry, LogId, make_entry
from meshrelay.core.events import Received
from meshrelay.core.frames import Hello, encode_frame
from meshrelay.core.records import NodeCredential, Record, make_node
from meshrelay.core.signing import Signer
from tests.benchmarks.figures import Figure
from tests.unit.core.city import ISSUER, ISSUER_RECORD, NETWORK, PT_MS, City, Station, batch

HELLO_BYTES_MAX = 64
ENTRY_BYTES_MAX = 100
LINES_BYTES_MAX = 3 * 1024
NODES = 24
BODY_BYTES = 300
FRAME_ENTRIES = 60
# Longer than the time between two HELLOs: cursors are level then.
SETTLE_MS = 35_000
LIFETIME_S = 3_600


class Scales(City):
    """A city that weighs every frame: (from, kind of frame) -> bytes."""

    def __init__(self, *stations: Station) -> None:
        super().__init__(*stations)
        self.weights: list[tuple[Station, str, int]] = []

    def sent(self, sender: Station, link: int, data: bytes) -> None:
        super().sent(sender, link, data)
        self.weights.append((sender, type(self.seen[-1][2]).__name__, len(data)))

    def by_kind(self) -> Counter[str]:
        """Bytes of each kind of frame, both ways together, since the last call."""
        told: Counter[str] = Counter()
        for _, kind, size in self.weights:
            told[kind] += size
        self.weights.clear()
        return told


def signers(count: int = NODES) -> list[Signer]:
    """Keys of the wards of a city; the first is the archive's."""
    return [Signer(bytes([number + 1]) * 32) for number in range(count)]


def node_records(keys: list[Signer]) -> list[Record]:
    """The issuer and a credential of every node."""
    made = [ISSUER_RECORD]
    for number, key in enumerate(keys):
        ward = f"{number:02d}"
        content = NodeCredential(
            ISSUER_RECORD.id, key.public, b"t" * 32, b"b" * 32, [] if number else ["archive"], ward,
            f"第{ward}区", f"Ward {ward}", f"{ward}の機器", number + 1, 1,
        )  # fmt: skip
        made.append(make_node(ISSUER, NETWORK, content))
    return made


def note(body: bytes, lane: int = 1) -> Draft:
    return Draft(lane, "note", LIFETIME_S, b"", body)


def written(key: Signer, count: int, dice: random.Random) -> list[Entry]:
    """A log of `count` entries with bodies that nothing compresses."""
    log = LogId(key.public, b"day one.", 1)
    entries: list[Entry] = []
    for seq in range(1, count + 1):
        prev = entries[-1].id if entries else log.first_prev
        draft = note(dice.randbytes(BODY_BYTES))
        entries.append(make_entry(key, NETWORK, log, seq, prev, (PT_MS + seq) << 16, 4, draft))
    return entries


def feed(station: Station, link: int, entries: list[Entry]) -> None:
    """The station takes in a log from somewhere else."""
    for start in range(0, len(entries), FRAME_ENTRIES):
        raws = [entry.raw for entry in entries[start : start + FRAME_ENTRIES]]
        station.feed(Received(link, batch(*raws)))


def in_sync(keys: list[Signer]) -> tuple[Scales, Station, Station, int]:
    """Two wards that know all nodes, met, and are level; the link's number at the first."""
    records = node_records(keys)
    kita, chuo = (Station(key, records) for key in keys[1:3])
    city = Scales(kita, chuo)
    link, _ = city.join(kita, chuo)
    city.deliver()
    for station in (kita, chuo):
        station.say(note(b"here"))
    city.deliver()
    city.pass_ms(SETTLE_MS)
    city.by_kind()
    return city, kita, chuo, link


def rejoined(city: Scales, kita: Station, chuo: Station) -> Counter[str]:
    """The path returns: what is said until it is quiet again."""
    city.by_kind()
    city.join(kita, chuo)
    city.deliver()
    city.pass_ms(SETTLE_MS)
    if kita.machine.vector.digest() != chuo.machine.vector.digest():
        raise AssertionError("they met, and are not in sync")
    return city.by_kind()


def overhead(said: Counter[str], entry_bytes: int) -> float:
    """All but HELLOs, HAVEs and the entries' own bytes."""
    apart = {"Hello", "Haves", "Heard"}
    return sum(size for kind, size in said.items() if kind not in apart) - entry_bytes


def nothing_new(keys: list[Signer]) -> tuple[int, Counter[str]]:
    """The longest HELLO of two that are in sync, and all that a reconnect says."""
    city, kita, chuo, link = in_sync(keys)
    city.cut(link)
    said = rejoined(city, kita, chuo)
    hellos = [len(encode_frame(frame)) for _, _, frame in city.seen if isinstance(frame, Hello)]
    return max(hellos), said


def one_entry(keys: list[Signer], connected: bool) -> tuple[float, Counter[str]]:
    """Bytes beyond HELLO for one entry, pushed on an open link or after a reconnect."""
    city, kita, chuo, link = in_sync(keys)
    body = random.Random(1).randbytes(BODY_BYTES)
    if connected:
        kita.say(note(body))
        city.deliver()
        city.pass_ms(SETTLE_MS)
        said = city.by_kind()
    else:
        city.cut(link)
        kita.say(note(body))
        said = rejoined(city, kita, chuo)
    size = len(kita.disk[next(log for log in kita.disk if log.origin == kita.signer.public)][-1])
    return overhead(said, size), said


def partition(keys: list[Signer], entries: int) -> Counter[str]:
    """Two halves of a city wrote on their own; one node of each meets the other half's."""
    records = node_records(keys)
    kita, chuo = (Station(key, records) for key in keys[1:3])
    city = Scales(kita, chuo)
    link, _ = city.join(kita, chuo)
    city.deliver()
    city.pass_ms(SETTLE_MS)
    city.cut(link)
    dice = random.Random(2)
    for number, key in enumerate(keys):
        station, half = (kita, keys[3]) if number % 2 else (chuo, keys[4])
        if key in (kita.signer, chuo.signer):
            for _ in range(entries):
                station.say(note(dice.randbytes(BODY_BYTES)))
        else:  # it came over another link of that half
            _hear(city, station, half, written(key, entries, dice))
    said = rejoined(city, kita, chuo)
    held = sum(line.height for line in kita.machine.vector.lines.values())
    if held != entries * len(keys):
        raise AssertionError(f"{held} of {entries * len(keys)} entries after healing")
    return said


def _hear(city: Scales, station: Station, peer: Signer, entries: list[Entry]) -> None:
    """One link to somebody of the same half, gone again when all was heard."""
    other = Station(peer, [])
    other.city = city
    here, _ = city.join(station, other)
    feed(station, here, entries)
    city.cut(here)


async def measure(work: Path, entries: int = 1_000) -> list[Figure]:
    """The three, and what else went over the link meanwhile."""
    del work
    keys = signers()
    hello, reconnect = nothing_new(keys)
    pushed, pushed_kinds = one_entry(keys, connected=True)
    new, new_kinds = one_entry(keys, connected=False)
    healed = partition(keys, entries)
    lines = healed["Lines"]
    rest = sum(healed.values()) - lines
    return [
        Figure("HELLO of two in sync, each way", hello, "B", limit=HELLO_BYTES_MAX,
               detail={"reconnect": dict(reconnect)}),
        Figure("one new entry beyond HELLO, after a reconnect", new, "B", limit=ENTRY_BYTES_MAX,
               detail={"frames": dict(new_kinds)}),
        Figure("  on an open link", pushed, "B", limit=ENTRY_BYTES_MAX,
               detail={"frames": dict(pushed_kinds)}),
        Figure(f"lines of a healed partition, {len(keys)} nodes x {entries:,}", lines, "B",
               limit=LINES_BYTES_MAX, detail={"frames": dict(healed), "other_bytes": rest}),
        Figure("  its WANTs", healed["Want"], "B"),
        Figure("  its HAVEs", healed["Haves"] + healed["Heard"], "B"),
    ]  # fmt: skip

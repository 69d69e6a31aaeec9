"""A courier file's blocks as frames for the machine, with the time that passed on the way."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from meshrelay.bearers.base import Sealer
from meshrelay.bearers.courier import FRAME, MANIFEST, CourierReader
from meshrelay.core.clock import AHEAD_MS_MAX, TRUSTED
from meshrelay.core.entry import LogId, read_entry
from meshrelay.core.events import Now
from meshrelay.core.frames import Entries, Haves, Records, decode_frame, encode_frame
from meshrelay.core.gaps import lacks
from meshrelay.core.vector import Vector
from meshrelay.errors import FrameError, RemoteProtocolError
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.manifest import Manifest, read_manifest

# Ages are below 2^40, their lowest bit is a flag.
_AGE_SECONDS_MAX = (1 << 39) - 1


class Unpacked(NamedTuple):
    """One frame. `frame` None: nothing for the machine; `malformed`: because it is none at all,
    else it is a later version's. `entries`: the log and seq of each that is in it."""

    frame: bytes | None
    malformed: bool
    entries: list[tuple[LogId, int]]

    @property
    def logs(self) -> set[LogId]:
        return {log for log, _ in self.entries}


def passed_ms(written_ms: int, quality: int, now: Now) -> int | None:
    """How long a file was under way; None: one of the two clocks cannot be trusted (経過不明)."""
    passed = now.pt_ms - written_ms
    if min(quality, now.quality) < TRUSTED or passed < -AHEAD_MS_MAX:
        return None
    return max(passed, 0)


def older(age: int, passed: int | None) -> int:
    """The known age of an entry after the way; of unknown length: a lower bound."""
    if passed is None:
        return age | 1
    return min((age >> 1) + passed // 1_000, _AGE_SECONDS_MAX) << 1 | (age & 1)


def unpack(content: bytes, passed: int | None) -> Unpacked:
    """What the machine is to hear of one block."""
    try:
        frame = decode_frame(content)
        match frame:
            case Entries(_, raws, ages, _):
                aged = frame._replace(ages=[older(age, passed) for age in ages])
                read = [read_entry(raw) for raw in raws]
                places = [(entry.log, entry.seq) for entry in read]
                return Unpacked(encode_frame(aged), False, places)
            case Records() | Haves():
                return Unpacked(content, False, [])
    except FrameError as error:
        return Unpacked(None, error.reason != "unknown_frame", [])
    return Unpacked(None, False, [])


def _is_new(vector: Vector, log: LogId, seq: int) -> bool:
    """Whether it would be taken in: above what was held here, or lost since."""
    lost = tuple(gap for gap in vector.gaps.get(log, ()) if gap.wanted)
    return seq > vector.height(log) or lacks(lost, seq)


class Looked(NamedTuple):
    """A file as `courier status` shows it. `manifest` None: who wrote it cannot be told, for
    `reason`. `entries` per lane are those that can be read; `new` of them are not held here."""

    manifest: Manifest | None
    reason: str
    whole: bool
    damaged: int
    entries: list[int]
    new: int


def look(
    file: BinaryIO, sealer: Sealer, doorman: NodeDoorman, network: bytes, vector: Vector
) -> Looked:
    """Read a whole file and take nothing in.

    Raises:
        FrameError: it is no file of this network.
    """
    reader = CourierReader(file, sealer, network)
    manifest, reason, entries, new, bad_frames = None, "", [0, 0, 0, 0], 0, 0
    for block in reader:
        if block.kind == MANIFEST:
            try:
                manifest = read_manifest(
                    block.content,
                    lambda greeting: doorman.admit(greeting, None),
                    network,
                    reader.file_id,
                )
            except RemoteProtocolError as error:
                reason = error.reason
        elif block.kind == FRAME:
            found = unpack(block.content, None)
            bad_frames += found.malformed
            for log, seq in found.entries:
                entries[log.lane] += 1
                new += _is_new(vector, log, seq)
    if manifest is None and not reason:
        reason = next(iter(reader.damage), "empty")
    damaged = reader.damage.total() + bad_frames
    return Looked(manifest, reason, reader.whole and not bad_frames, damaged, entries, new)

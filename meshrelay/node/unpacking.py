"""A courier file's blocks as frames for the machine, with the time that passed on the way."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from meshrelay.bearers.base import Sealer
from meshrelay.bearers.courier import FRAME, MANIFEST, CourierReader
from meshrelay.core.clock import AHEAD_MS_MAX, TRUSTED
from meshrelay.core.entry import LogId, read_entry
from meshrelay.core.events import Now
from meshrelay.core.frames import Entries, Haves, Records, decode_frame, encode_frame
from meshrelay.errors import FrameError, RemoteProtocolError
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.manifest import Manifest, read_manifest

# Ages are below 2^40, their lowest bit is a flag.
_AGE_SECONDS_MAX = (1 << 39) - 1


class Unpacked(NamedTuple):
    """One frame. `frame` None: nothing for the machine; `malformed`: because it is none at all,
    else it is a later version's. `logs` and `entries`: what is in it."""

    frame: bytes | None
    malformed: bool
    logs: set[LogId]
    entries: int


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
                logs = {read_entry(raw).log for raw in raws}
                return Unpacked(encode_frame(aged), False, logs, len(raws))
            case Records() | Haves():
                return Unpacked(content, False, set(), 0)
    except FrameError as error:
        return Unpacked(None, error.reason != "unknown_frame", set(), 0)
    return Unpacked(None, False, set(), 0)


class Looked(NamedTuple):
    """A file as `courier status` shows it. `manifest` None: who wrote it cannot be told, for
    `reason`. `entries` per lane are those that can be read."""

    manifest: Manifest | None
    reason: str
    whole: bool
    damaged: int
    entries: list[int]


def look(file: BinaryIO, sealer: Sealer, doorman: NodeDoorman, network: bytes) -> Looked:
    """Read a whole file and take nothing in.

    Raises:
        FrameError: it is no file of this network.
    """
    reader = CourierReader(file, sealer, network)
    manifest, reason, entries, bad_frames = None, "", [0, 0, 0, 0], 0
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
            for log in found.logs:  # a frame's entries are of one log
                entries[log.lane] += found.entries
    if manifest is None and not reason:
        reason = next(iter(reader.damage), "empty")
    damaged = reader.damage.total() + bad_frames
    return Looked(manifest, reason, reader.whole and not bad_frames, damaged, entries)

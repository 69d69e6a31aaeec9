"""A courier file: sealed blocks that a person carries. Bytes in, bytes out; no meaning.

    head     "meshrelay courier\\n", version (1), start of the network id (8), file id (16)
    block    marker (8), number (4), length (4), sealed content

The marker is the start of the file id, so that a reader finds the next block behind a damaged
spot: sticks lose sectors. The seal binds each block to this file and its number; nobody can
swap, double or move one unnoticed. The last block says that all before it were written; without
it the file was cut, and every block that is whole still counts.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple

from meshrelay.bearers.base import FRAME_BYTES_MAX, Sealer
from meshrelay.errors import FrameError

MAGIC = b"meshrelay courier\n"
VERSION = 1
NETWORK_PREFIX_BYTES = 8
FILE_ID_BYTES = 16
HEAD_BYTES = len(MAGIC) + 1 + NETWORK_PREFIX_BYTES + FILE_ID_BYTES
MARKER_BYTES = 8
BLOCK_HEAD_BYTES = MARKER_BYTES + 4 + 4
# A frame, the byte that tells its kind, and the seal.
SEALED_BYTES_MAX = FRAME_BYTES_MAX + 64
# A stick that lost 16 MB of its sectors is a broken stick; a hostile file costs no more than
# as many tries to open one.
DAMAGE_MAX = 1_000
SUFFIX = ".courier"
_SCAN_BYTES = 64 * 1024

# What a block holds: who wrote the file, when and what they held; a frame; nothing (the end).
MANIFEST, FRAME, END = range(3)


class Block(NamedTuple):
    """One block that was opened. `end`: where the next one begins in the file."""

    kind: int
    content: bytes
    end: int


def file_name(network: bytes, writer: bytes, written_ms: int) -> str:
    """How a file is called on a stick: FAT knows no colons."""
    stamp = datetime.fromtimestamp(written_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S")
    return f"meshrelay-{network.hex()[:8]}-{writer.hex()[:8]}-{stamp}{written_ms % 1000:03}{SUFFIX}"


class CourierWriter:
    """Writes one file, from its head to `end`."""

    def __init__(self, file: BinaryIO, sealer: Sealer, network: bytes) -> None:
        self.file_id = secrets.token_bytes(FILE_ID_BYTES)
        self._file = file
        self._sealer = sealer
        self._number = 0
        head = MAGIC + bytes([VERSION]) + network[:NETWORK_PREFIX_BYTES] + self.file_id
        self.bytes_written = file.write(head)

    def put(self, kind: int, content: bytes) -> None:
        """Write one block of at most FRAME_BYTES_MAX bytes."""
        sealed = self._sealer.seal(bytes([kind]) + content, _topic(self.file_id, self._number))
        head = self.file_id[:MARKER_BYTES] + self._number.to_bytes(4, "big")
        self.bytes_written += self._file.write(head + len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1

    def end(self) -> None:
        """Say that nothing is missing before this."""
        self.put(END, b"")


class CourierReader:
    """Reads one file; iterate over it once. Nothing in it is trusted before its seal is opened.

    `damage` counts spots that could not be opened, by reason; `whole` is known at the end.
    Give a `sealer` of its own to each reading, for it remembers what it has opened.

    Raises:
        FrameError: `not_a_courier_file`, `unknown_version` or `foreign_network`.
    """

    def __init__(self, file: BinaryIO, sealer: Sealer, network: bytes) -> None:
        self.file_id = read_head(file.read(HEAD_BYTES), network)
        self.damage: Counter[str] = Counter()
        self.whole = False
        self._file = file
        self._sealer = sealer

    def __iter__(self) -> Iterator[Block]:
        """Every block that is whole, in order."""
        at, expected, lost = HEAD_BYTES, 0, 0
        while self.damage.total() < DAMAGE_MAX:
            self._file.seek(at)
            head = self._file.read(BLOCK_HEAD_BYTES)
            if not head:
                return
            number, length = int.from_bytes(head[8:12], "big"), int.from_bytes(head[12:], "big")
            sealed = b""
            if head.startswith(self.file_id[:MARKER_BYTES]) and length <= SEALED_BYTES_MAX:
                sealed = self._file.read(length)
            reason = "out_of_place" if number < expected else "bad_seal"
            if sealed and len(sealed) == length and number >= expected:
                try:
                    content = self._sealer.open(sealed, _topic(self.file_id, number)).data
                except FrameError as error:
                    reason = error.reason
                else:
                    at += BLOCK_HEAD_BYTES + length
                    lost += number - expected
                    expected = number + 1
                    if content[:1] == bytes([END]):
                        after = self._file.read(1)
                        self.whole = not (lost or after or self.damage)
                        return
                    if content:
                        yield Block(content[0], content[1:], at)
                    continue
            self.damage[reason] += 1
            found = self._next_marker(at + 1)
            if found is None:
                return
            at = found

    def _next_marker(self, at: int) -> int | None:
        """Where the next block may begin, None: nowhere."""
        marker = self.file_id[:MARKER_BYTES]
        while True:
            self._file.seek(at)
            data = self._file.read(_SCAN_BYTES)
            found = data.find(marker)
            if found >= 0:
                return at + found
            if len(data) < _SCAN_BYTES:
                return None
            at += len(data) - MARKER_BYTES + 1


def read_head(head: bytes, network: bytes) -> bytes:
    """The id of a file of this network.

    Raises:
        FrameError: `not_a_courier_file`, `unknown_version` or `foreign_network`.
    """
    if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
        raise FrameError("not_a_courier_file")
    version, rest = head[len(MAGIC)], head[len(MAGIC) + 1 :]
    if version != VERSION:
        raise FrameError("unknown_version", f"version {version}")
    if rest[:NETWORK_PREFIX_BYTES] != network[:NETWORK_PREFIX_BYTES]:
        raise FrameError("foreign_network", rest[:NETWORK_PREFIX_BYTES].hex())
    return rest[NETWORK_PREFIX_BYTES:HEAD_BYTES]


def _topic(file_id: bytes, number: int) -> str:
    return f"courier/{file_id.hex()}/{number}"

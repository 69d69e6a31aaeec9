"""A node without pages, with a probe in it: what it submits and what it comes to hold, timed.

    python -m tests.lab.instrument DIR SOCKET

No page can say anything urgent yet, and no page can tell the millisecond at which an entry was
on disk. Listens on SOCKET for JSON lines [lane, bytes, count]: submit so many entries of
a kind that nobody knows; each is answered after its commit. ["photo", bytes, 0]: keep a blob of
random bytes, answered by its id; ["want", id, 0]: fetch it. Tells by itself what it holds anew,
how many links it has, and of a blob under way the bytes here and those that pieces brought.
Times are CLOCK_MONOTONIC, which all hosts of one machine share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from meshrelay.core.entry import LIFETIME_S_MAX, Draft, LogId
from meshrelay.core.events import Effect, Now
from meshrelay.core.frames import Piece
from meshrelay.core.link import LinkState
from meshrelay.core.manifest import MANIFEST
from meshrelay.node.config import load
from meshrelay.node.identity import load_keys
from meshrelay.node.node import Node

# A kind that no version knows is stored, relayed and receipted like any other.
KIND = "lab"
POLL_S = 0.005
DRAFTS_PER_COMMIT = 500


class Probe:
    """One caller's conversation with one node."""

    def __init__(self, node: Node, dice: random.Random) -> None:
        self._node = node
        self._dice = dice
        self._wanted = b""
        self._brought = 0
        seeking = node.machine.seeking
        received = seeking.piece_received

        def counted(link: LinkState, piece: Piece, now: Now) -> Iterator[Effect]:
            self._brought += len(piece.data) if piece.part != MANIFEST else 0
            return received(link, piece, now)

        seeking.piece_received = counted  # type: ignore[method-assign]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        watching = asyncio.ensure_future(self._watch(writer))
        try:
            while line := await reader.readline():
                lane, size, count = json.loads(line)
                at_s = time.monotonic()
                if lane == "photo":
                    _tell(writer, what="photo", lane=0, count=size, more=await self._photo(size))
                elif lane == "want":
                    self._wanted = bytes.fromhex(size)
                    self._node._blobs.fetch(self._wanted)
                else:
                    await self._submit(lane, size, count)
                    _tell(writer, what="submitted", lane=lane, count=count, at_s=at_s)
        finally:
            watching.cancel()
            writer.close()

    async def _photo(self, size: int) -> str:
        blobs = self._node._blobs
        upload = await blobs.upload()
        await blobs.write(upload, self._dice.randbytes(size))
        return (await blobs.finish(upload)).hex()

    def _progress(self) -> int:
        """Verified bytes here of the blob that is wanted."""
        blobs = self._node._blobs
        whole = blobs.store.size_of(self._wanted) if blobs.is_here(self._wanted) else None
        return whole or (self._node.machine.seeking.progress(self._wanted) or (0, 0))[0]

    async def _submit(self, lane: int, size: int, count: int) -> None:
        drafts = [
            Draft(lane, KIND, LIFETIME_S_MAX[lane], b"", self._dice.randbytes(size))
            for _ in range(count)
        ]
        for start in range(0, count, DRAFTS_PER_COMMIT):
            await self._node._driver.submit(drafts[start : start + DRAFTS_PER_COMMIT], [])

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        """Tell what changed, at most every POLL_S."""
        heights: dict[LogId, int] = {}
        links, blob = -1, (0, 0)
        while True:
            if self._wanted and (self._progress(), self._brought) != blob:
                blob = (self._progress(), self._brought)
                _tell(writer, what="blob", lane=blob[0], count=blob[1])
            for log, line in list(self._node.machine.vector.lines.items()):
                if log.origin != self._node.machine.me and line.height != heights.get(log):
                    heights[log] = line.height
                    _tell(writer, what="held", lane=log.lane, count=line.height)
            if len(self._node._driver.links) != links:
                links = len(self._node._driver.links)
                _tell(writer, what="links", lane=0, count=links)
            await asyncio.sleep(POLL_S)


def _tell(
    writer: asyncio.StreamWriter, *, what: str, lane: int, count: int, at_s: float | None = None,
    more: str = "",
) -> None:  # fmt: skip
    at_s = time.monotonic() if at_s is None else at_s
    writer.write(json.dumps([what, lane, count, at_s, more]).encode() + b"\n")


async def run(directory: Path, socket: Path) -> None:
    """Run the node of `directory` until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    dice = random.Random(directory.name)
    async with Node(directory, load(directory / "node.toml"), load_keys(directory)) as node:
        probe = Probe(node, dice)
        server = await asyncio.start_unix_server(probe.serve, socket)
        with contextlib.closing(server):
            await stop.wait()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2])))


if __name__ == "__main__":
    main()

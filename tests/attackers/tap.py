"""Somebody on the cable: everything passes through their hands, and they keep it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

HOST = "127.0.0.1"
READ_BYTES = 64 * 1024


class Tap:
    """One TCP path through the attacker: `heard` is what came by, `alter` what they make of it.

    `alter(data, up)` gives the bytes that go on; `up` is towards the one who was dialled.
    """

    def __init__(self, target: int) -> None:
        self.heard = bytearray()
        self.alter: Callable[[bytes, bool], bytes] = lambda data, up: data
        self.port = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
            self._writers.add(far_writer)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, far_writer, True))
                pumps.create_task(self._pump(far_reader, writer, False))
        except* OSError:
            pass  # one end went away: so does the other
        finally:
            self.cut()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool
    ) -> None:
        while data := await reader.read(READ_BYTES):
            self.heard += data
            writer.write(self.alter(data, up))
            await writer.drain()
        writer.close()

    def cut(self) -> None:
        """End every connection that is open."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@contextlib.asynccontextmanager
async def tapped(target: int, port: int = 0) -> AsyncIterator[Tap]:
    """A tap before `target`; whoever dials its port is heard."""
    tap = Tap(target)
    server = await asyncio.start_server(tap._carry, HOST, port)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
        tap.cut()
        await server.wait_closed()

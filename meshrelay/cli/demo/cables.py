"""Cables: TCP forwarders that the demo owns, so that it can cut them."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from meshrelay.errors import ConfigError

READ_BYTES = 64 * 1024
# A reset connection ends at once; one that is still being opened must not hold a cut up.
CUT_SECONDS_MAX = 1.0
# Zero linger: an aborted connection is reset at once, as when a line is torn out.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Cable:
    """One TCP path from `listen` to `target` on the loopback address.

    While whole it forwards every connection both ways; while cut it has no
    listener (new connections are refused) and every open one was reset.
    """

    def __init__(self, name: str, host: str, listen: int, target: int) -> None:
        self.name = name
        self.bytes_carried = 0
        self._host = host
        self._listen = listen
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def whole(self) -> bool:
        return self._server is not None

    @property
    def connections(self) -> int:
        return len(self._tasks)

    async def heal(self) -> None:
        """Lay the cable, or join it again; nothing happens if it is whole.

        Raises:
            ConfigError: somebody else took the port.
        """
        if self._server is not None:
            return
        try:
            self._server = await asyncio.start_server(
                self._carry, self._host, self._listen, reuse_address=True
            )
        except OSError as error:
            raise ConfigError(f"cable {self.name}: port {self._listen} is taken") from error

    async def cut(self) -> None:
        """Refuse new connections and reset the open ones."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for writer in list(self._writers):
            _reset(writer)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CUT_SECONDS_MAX)
        await server.wait_closed()

    async def _carry(
        self, near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._server is None:
            _reset(near_writer)
            return
        self._tasks.add(task)
        self._writers.add(near_writer)
        far_writer: asyncio.StreamWriter | None = None
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._target)
            self._writers.add(far_writer)
            if self._server is None:
                return  # cut while it was being laid
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(near_reader, far_writer))
                pumps.create_task(self._pump(far_reader, near_writer))
        except* OSError:
            pass  # either end went away or never was there: both ends see a reset
        finally:
            for writer in (near_writer, far_writer):
                if writer is not None:
                    self._writers.discard(writer)
                    _reset(writer)
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ_BYTES):
            self.bytes_carried += len(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and not writer.transport.is_closing():
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()

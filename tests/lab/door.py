"""A way into a host for whoever stands outside: a loopback port that leads to one of its ports.

The pages of a ward are reached through its door, so the lab needs no cable of its own that nodes
could announce, find or sync over.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from tests.lab.net import Host

CHUNK_BYTES = 65_536


class Door:
    """Listens from the start, so that its `name` can stand in a configuration; then `open` it."""

    def __init__(self, host: Host, port: int) -> None:
        self._host = host
        self._inside = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server: asyncio.Server | None = None
        self.name = f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.name}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, sock=self._listener)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._listener.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner = self._host.socket()
        inner.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(inner, self._inside)
        except OSError:  # nobody is at home: the caller is told as a machine would tell
            inner.close()
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=inner)
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()

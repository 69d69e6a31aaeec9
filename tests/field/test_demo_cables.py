"""Cables over real sockets: whole they carry, cut they reset and refuse."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from meshrelay.cli.demo.cables import Cable
from meshrelay.cli.demo.layout import HOST
from meshrelay.errors import ConfigError


class Echo:
    """A far end that sends everything back."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            writer.close()


@pytest.fixture
async def far() -> AsyncIterator[tuple[Echo, int]]:
    echo = Echo()
    server = await asyncio.start_server(echo.answer, HOST, 0)
    yield echo, server.sockets[0].getsockname()[1]
    server.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def test_a_whole_cable_carries_both_ways(far: tuple[Echo, int]) -> None:
    port = free_port()
    cable = Cable("wan:kita", HOST, port, far[1])
    await cable.heal()

    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write("揺れました".encode() * 20_000)
    writer.write_eof()

    assert await reader.read() == "揺れました".encode() * 20_000
    assert cable.bytes_carried == 2 * 15 * 20_000
    writer.close()
    await cable.cut()


async def test_a_cut_resets_open_connections_and_refuses_new_ones(
    far: tuple[Echo, int],
) -> None:
    port = free_port()
    cable = Cable("wan:kita", HOST, port, far[1])
    await cable.heal()
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"

    await cable.cut()

    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    async with asyncio.timeout(5):
        await far[0].ended.wait()
    assert (cable.whole, cable.connections) == (False, 0)


async def test_a_healed_cable_carries_again(far: tuple[Echo, int]) -> None:
    port = free_port()
    cable = Cable("lan:kita-chuo", HOST, port, far[1])
    for _ in range(3):
        await cable.heal()
        await cable.heal()
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"again")
        assert await reader.readexactly(5) == b"again"
        await cable.cut()
        await cable.cut()


async def test_a_dead_far_end_ends_the_near_one() -> None:
    port = free_port()
    cable = Cable("wan:hq", HOST, port, free_port())
    await cable.heal()

    reader, _ = await asyncio.open_connection(HOST, port)

    async with asyncio.timeout(5):
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    await cable.cut()


async def test_a_taken_port_is_named(far: tuple[Echo, int]) -> None:
    cable = Cable("wan:hq", HOST, far[1], far[1])

    with pytest.raises(ConfigError, match=f"cable wan:hq: port {far[1]} is taken"):
        await cable.heal()

"""A broker's bad twin: a proxy that brings each PUBLISH late, and then once more.

It stands between nodes and Mosquitto with the broker's certificate on one side and each node's
own on the other, so that the broker's ACL still holds. A copy is a publish of its own with a
packet id that clients do not use, so both sides stay within MQTT 5; its PUBACK ends here.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from meshrelay.bearers import tls
from tests.lab.net import Host

PUBLISH, PUBACK = 3, 4
# Clients count their ids up from 1 and come back to low ones; nobody gets here.
COPY_ID_MIN, COPY_ID_MAX = 0x8000, 0xFFFF
LATE_S_MAX = 0.2
AGAIN_S_MIN, AGAIN_S_MAX = 0.5, 6.0
_HEAD = 2


class Replayer:
    """Listens on `port` of `host`, speaks to the broker at `broker_port` there.

    `nodes` are the directories of the nodes by node id in hex; `counts["copies"]` is how many
    publishes the broker took twice.
    """

    def __init__(
        self, host: Host, port: int, broker: Path, broker_port: int, nodes: Mapping[str, Path],
        dice: random.Random,
    ) -> None:  # fmt: skip
        self.counts: Counter[str] = Counter()
        self._host = host
        self._port = port
        self._broker = broker
        self._broker_port = broker_port
        self._nodes = nodes
        self._dice = dice
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def start(self) -> None:
        listener = self._host.socket()
        listener.bind((self._host.address, self._port))
        listener.listen()
        files = (self._broker / name for name in ("broker.key", "broker.crt", "ca.crt"))
        context = tls.contexts(*files).server
        self._server = await asyncio.start_server(self._converse, sock=listener, ssl=context)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        conversations = list(self._open.values())
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*conversations)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        try:
            await self._pass(reader, writer)
        finally:
            del self._open[writer]
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node = self._nodes[_common_name(writer)]
        inner = self._host.socket()
        inner.setblocking(False)
        address = (self._host.address, self._broker_port)
        await asyncio.get_running_loop().sock_connect(inner, address)
        up_reader, up_writer = await asyncio.open_connection(
            sock=inner, ssl=_as_node(node), server_hostname=""
        )
        conversation = _Conversation(self._dice, self.counts)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(conversation.up(group, reader, up_writer))
                group.create_task(conversation.down(up_reader, writer))
        except* (OSError, asyncio.IncompleteReadError):
            self.counts["connections ended"] += 1
        finally:
            up_writer.close()


class _Conversation:
    """One client's connection."""

    def __init__(self, dice: random.Random, counts: Counter[str]) -> None:
        self._dice = dice
        self._counts = counts
        self._copy_id = COPY_ID_MIN

    async def up(
        self, group: asyncio.TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            packet = await read_packet(reader)
            if packet[0] >> 4 != PUBLISH or not packet[0] & 0b110:
                writer.write(packet)
                continue
            group.create_task(self._later(writer, packet, 0.0, LATE_S_MAX))
            copy = with_id(packet, self._copy_id)
            self._copy_id = COPY_ID_MIN + (self._copy_id + 1) % (COPY_ID_MAX - COPY_ID_MIN)
            group.create_task(self._later(writer, copy, AGAIN_S_MIN, AGAIN_S_MAX))

    async def _later(
        self, writer: asyncio.StreamWriter, packet: bytes, min_s: float, max_s: float
    ) -> None:
        await asyncio.sleep(self._dice.uniform(min_s, max_s))
        if not writer.is_closing():
            self._counts["publishes"] += 1
            writer.write(packet)

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            packet = await read_packet(reader)
            if packet[0] >> 4 == PUBACK and packet_id(packet) >= COPY_ID_MIN:
                self._counts["copies"] += 1
                continue
            writer.write(packet)


async def read_packet(reader: asyncio.StreamReader) -> bytes:
    """One whole MQTT control packet (MQTT 5, 2.1)."""
    packet = bytearray(await reader.readexactly(_HEAD))
    while packet[-1] & 0x80:
        packet += await reader.readexactly(1)
    length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(packet[1:]))
    return bytes(packet + await reader.readexactly(length))


def packet_id(packet: bytes) -> int:
    """The id of a PUBLISH of QoS 1 or of a PUBACK."""
    start = _id_at(packet)
    return int.from_bytes(packet[start : start + 2], "big")


def with_id(packet: bytes, number: int) -> bytes:
    """The same packet under another id; nothing says that it is a repetition."""
    start = _id_at(packet)
    return packet[:start] + number.to_bytes(2, "big") + packet[start + 2 :]


def _id_at(packet: bytes) -> int:
    start = 1
    while packet[start] & 0x80:
        start += 1
    start += 1
    if packet[0] >> 4 == PUBLISH:
        start += 2 + int.from_bytes(packet[start : start + 2], "big")
    return start


def _common_name(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("peercert")
    return next(str(value) for ((key, value),) in certificate["subject"] if key == "commonName")


def _as_node(directory: Path) -> ssl.SSLContext:
    files = (directory / "keys" / name for name in ("tls.key", "tls.crt", "ca.crt"))
    return tls.contexts(*files).client

"""A broker that does what it likes: MQTT 5 as far as a node's bearer needs it, and no further.

It has what the table gives it: the broker's key and certificate, and every publication.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

from meshrelay.cli import x509
from meshrelay.cli.authority import Authority

HOST = "127.0.0.1"
CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14
CONNACK = bytes([0x20, 3, 0, 0, 0])
PINGRESP = bytes([0xD0, 0])
STATE = "/state"


class Publication(NamedTuple):
    """One message as it came in: topic and payload."""

    topic: str
    payload: bytes

    @property
    def sender(self) -> str:
        """The node id that the topic names."""
        return self.topic.split("/")[-2]

    @property
    def to(self) -> str:
        return self.topic.split("/")[-1]


class DishonestBroker:
    """`seen` is every publication; `pass_on` says what is delivered in its stead, and when
    it changes nothing, the broker is honest."""

    def __init__(self) -> None:
        self.seen: list[Publication] = []
        self.pass_on: Callable[[Publication], list[Publication]] = lambda one: [one]
        self._filters: dict[asyncio.StreamWriter, list[str]] = {}
        self._retained: dict[str, Publication] = {}
        self._next_id = 0

    def deliver(self, *publications: Publication) -> None:
        """Send these to whoever subscribed to their topics."""
        for one in publications:
            for writer, filters in self._filters.items():
                if any(_fits(each, one.topic) for each in filters):
                    self._send(writer, one)

    def sent_by(self, node: str) -> list[Publication]:
        """All that a node has published, its state apart."""
        return [one for one in self.seen if one.sender == node and one.to != STATE[1:]]

    def cut(self) -> None:
        """Throw everybody out; they come back."""
        for writer in list(self._filters):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from CONNECT to its end."""
        try:
            while True:
                head, body = await _packet(reader)
                kind = head >> 4
                if kind == CONNECT:
                    self._filters[writer] = []
                    writer.write(CONNACK)
                elif kind == SUBSCRIBE:
                    self._subscribe(writer, body)
                elif kind == PUBLISH:
                    self._published(writer, head, body)
                elif kind == PINGREQ:
                    writer.write(PINGRESP)
                elif kind == DISCONNECT:
                    return
        except (asyncio.IncompleteReadError, OSError):
            pass  # a client that went away
        finally:
            self._filters.pop(writer, None)
            writer.transport.abort()

    def _subscribe(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        topic_at = 2 + 1 + body[2]  # behind the id and the properties
        topic, _ = _text(body, topic_at)
        self._filters[writer].append(topic)
        writer.write(_framed(0x90, body[:2] + b"\x00\x01"))
        for one in self._retained.values():
            if _fits(topic, one.topic):
                self._send(writer, one)

    def _published(self, writer: asyncio.StreamWriter, head: int, body: bytes) -> None:
        topic, at = _text(body, 0)
        if head & 0x06:
            writer.write(_framed(PUBACK << 4, body[at : at + 2]))
            at += 2
        one = Publication(topic, body[at + 1 + body[at] :])
        self.seen.append(one)
        if topic.endswith(STATE):
            self._retained[topic] = one
        self.deliver(*self.pass_on(one))

    def _send(self, writer: asyncio.StreamWriter, one: Publication) -> None:
        self._next_id = self._next_id % 0xFFFF + 1
        topic = one.topic.encode()
        body = len(topic).to_bytes(2, "big") + topic + self._next_id.to_bytes(2, "big")
        writer.write(_framed(PUBLISH << 4 | 2, body + b"\x00" + one.payload))


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return head, await reader.readexactly(length)


def _framed(head: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([head]) + length + body


def _text(body: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end].decode(), end


def _fits(pattern: str, topic: str) -> bool:
    levels, words = pattern.split("/"), topic.split("/")
    pairs = zip(levels, words, strict=False)
    return len(levels) == len(words) and all(level in ("+", word) for level, word in pairs)


@contextlib.asynccontextmanager
async def dishonest(
    directory: Path, network: Authority, port: int
) -> AsyncIterator[DishonestBroker]:
    """The network's broker at this port, in bad hands."""
    directory.mkdir()
    key = x509.make_key()
    certificate = x509.make_server(network.ca_key, network.ca, key, "broker", [HOST])
    files = {"broker.key": key, "broker.crt": certificate, "ca.crt": network.ca}
    for name, content in files.items():
        (directory / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(directory / "broker.crt", directory / "broker.key")
    context.load_verify_locations(directory / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    broker = DishonestBroker()
    server = await asyncio.start_server(broker.serve, HOST, port, ssl=context)
    try:
        yield broker
    finally:
        server.close()
        broker.cut()
        await server.wait_closed()

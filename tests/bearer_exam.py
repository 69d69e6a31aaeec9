"""What a bearer needs around it in a test: a doorman, a driver that listens, a broker.

The real doorman is the node's; this one keeps the same promises (base.Doorman) with a
list instead of signatures, so that the exam is about carrying frames and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshrelay.bearers.base import BarredError, Bearer, Link
from meshrelay.bearers.broker import write_broker
from meshrelay.bearers.lan import LanBearer
from meshrelay.bearers.mqtt import MqttBearer
from meshrelay.core.book import RecordBook
from meshrelay.errors import CredentialError, FrameError
from meshrelay.node.identity import Box
from meshrelay.node.transit import TransitKeys
from tests.certs import CertificateAuthority, Files
from tests.transit import box_of, seal_key

NETWORK = hashlib.blake2b("訓練".encode(), digest_size=16).digest()
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
GREETING_PREFIX = b"credential:"
SHORT_PREFIX = b"name:"
NOTICE_PREFIX = b"you are "


def node_id(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


class GuestList:
    """A doorman with a list of node ids and the TLS key of each; it knows whom it met."""

    def __init__(self, own: bytes, guests: dict[bytes, bytes]) -> None:
        self._own = own
        self._guests = guests
        self.met: set[bytes] = set()
        self.barred: dict[bytes, str] = {}
        self.keys: dict[bytes, bytes] = {}  # what `key_for` gives
        self.greeting = GREETING_PREFIX + own
        self.short_greeting = SHORT_PREFIX + own

    @property
    def node_id(self) -> bytes:
        return self._own

    def recognise(self, short_greeting: bytes, tls_spki_sha256: bytes) -> bytes | None:
        if not short_greeting.startswith(SHORT_PREFIX):
            raise FrameError("bad_greeting")
        peer = short_greeting.removeprefix(SHORT_PREFIX)
        return self._fitting(peer, tls_spki_sha256) if peer in self.met else None

    def admit(self, greeting: bytes, tls_spki_sha256: bytes | None) -> bytes:
        if not greeting.startswith(GREETING_PREFIX):
            raise FrameError("bad_greeting")
        peer = self._fitting(greeting.removeprefix(GREETING_PREFIX), tls_spki_sha256)
        self.met.add(peer)
        return peer

    def _fitting(self, peer: bytes, tls_spki_sha256: bytes | None) -> bytes:
        if peer not in self._guests:
            raise CredentialError("unknown_node")
        if tls_spki_sha256 is not None and tls_spki_sha256 != self._guests[peer]:
            raise CredentialError("wrong_certificate")
        if peer in self.barred:
            raise BarredError(self.barred[peer], peer)
        return peer

    def bars(self, peer: bytes) -> str:
        return self.barred.get(peer, "")

    def notice(self, peer: bytes) -> bytes:
        return NOTICE_PREFIX + self.bars(peer).encode() if peer in self.barred else b""

    def key_for(self, peer: bytes, generation: int) -> bytes:
        return self.keys.get(peer, b"")


@dataclass
class Ear:
    """A driver that writes down what it hears and wakes whoever waits for it."""

    stored_at_once: bool = True
    ups: list[Link] = field(default_factory=list)
    downs: list[tuple[Link, str]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    broadcasts: list[tuple[bytes, bytes]] = field(default_factory=list)
    unstored: list[Callable[[], None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def up(self, link: Link) -> None:
        self.ups.append(link)
        self._changed.set()

    def frame(self, link: Link, data: bytes, done: Callable[[], None]) -> None:
        assert link in self.links, "a frame on a link that is not up"
        self.frames.append(data)
        self._stored(done)

    def heard(self, peer: bytes, data: bytes, done: Callable[[], None]) -> None:
        self.broadcasts.append((peer, data))
        self._stored(done)

    def down(self, link: Link, reason: str) -> None:
        assert link in self.links, "down without up, or twice"
        self.downs.append((link, reason))
        self._changed.set()

    def _stored(self, done: Callable[[], None]) -> None:
        if self.stored_at_once:
            done()
        else:
            self.unstored.append(done)
        self._changed.set()

    @property
    def links(self) -> list[Link]:
        ended = {id(link) for link, _reason in self.downs}
        return [link for link in self.ups if id(link) not in ended]

    def link_to(self, peer: bytes) -> Link:
        return next(link for link in self.links if link.peer == peer)

    async def until(self, true: Callable[[Ear], Any], seconds: float = 10.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not true(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"not within {seconds} s: ups {len(self.ups)}, downs "
                f"{[reason for _link, reason in self.downs]}, frames {len(self.frames)}"
            ) from None


class Book:
    """An address book in memory."""

    def __init__(self) -> None:
        self.good: list[tuple[str, int]] = []
        self.peers: dict[tuple[str, int], bytes] = {}

    def last_good(self) -> list[tuple[str, int]]:
        return self.good

    def reached(self, host: str, port: int, peer: bytes) -> None:
        self.peers[host, port] = peer


@dataclass
class Member:
    """A running bearer with its ear."""

    name: str
    node_id: bytes
    bearer: Bearer
    ear: Ear
    task: asyncio.Task[None]

    @property
    def refused(self) -> dict[str, int]:
        return dict(self.bearer.refused)  # type: ignore[attr-defined]

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def refused_for(self, reason: str, seconds: float = 10.0) -> None:
        await eventually(lambda: self.refused.get(reason, 0) > 0, f"{reason}", seconds)


async def eventually(true: Callable[[], Any], what: str, seconds: float = 10.0) -> None:
    """For what announces itself to nobody: look 100 times a second."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Network:
    """Enrolled nodes of one network: ids, certificates, one guest list for all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = CertificateAuthority(directory)
        self.guests: dict[bytes, bytes] = {}
        self.files: dict[str, Files] = {}
        self.books: dict[str, RecordBook] = {}

    def enrol(self, name: str) -> Files:
        if name not in self.files:
            self.files[name] = self.authority.node(name, node_id(name).hex())
            self.guests[node_id(name)] = self.files[name].spki_sha256
        return self.files[name]

    def sealer(self, name: str, *generations: int) -> TransitKeys:
        """The node's transit keys: the first one, or those of the generations named."""
        book = self.books.setdefault(name, RecordBook(NETWORK))
        for generation in generations or (1,):
            self.give_key(name, generation)
        return TransitKeys(book, node_id(name), Box(box_of(name)[1]))

    def give_key(self, name: str, generation: int) -> None:
        sealed = seal_key(box_of(name)[0], generation)
        self.books[name].transit[node_id(name), generation] = sealed

    def doorman(self, name: str) -> GuestList:
        return GuestList(node_id(name), self.guests)


class LanWorld:
    """Nodes that know each other's address."""

    kind = "lan"

    def __init__(self, network: Network) -> None:
        self.network = network
        self.members: list[Member] = []
        self.ports: dict[str, int] = {}
        self.books: dict[str, Book] = {}

    async def open(self) -> None:
        """Nothing to prepare: there is no third party."""

    def port(self, name: str) -> int:
        return self.ports.setdefault(name, free_port())

    async def start(
        self, name: str, *, peers: tuple[str, ...] = (), ear: Ear | None = None, **options: Any
    ) -> Member:
        files = self.network.enrol(name)
        ear = ear or Ear()
        bearer = LanBearer(
            options.get("doorman") or self.network.doorman(name),
            ear,
            (options.get("files") or files).contexts(),
            ("127.0.0.1", self.port(name)),
            [("127.0.0.1", self.port(peer)) for peer in peers],
            self.books.setdefault(name, Book()),
        )
        member = Member(name, node_id(name), bearer, ear, asyncio.create_task(bearer.run()))
        self.members.append(member)
        await bearer.ready.wait()
        return member

    async def close(self) -> None:
        for member in self.members:
            await member.stop()


class MqttWorld:
    """Nodes that know one broker; 本部 is the archive."""

    kind = "mqtt"

    def __init__(self, network: Network) -> None:
        self.network = network
        self.members: list[Member] = []
        self.broker = Broker(network)
        self.boots: dict[str, int] = {}

    async def open(self) -> None:
        await asyncio.to_thread(self.broker.start)

    async def start(
        self, name: str, *, peers: tuple[str, ...] = (), ear: Ear | None = None, **options: Any
    ) -> Member:
        """`peers` are the archives that the node knows of."""
        files = self.network.enrol(name)
        ear = ear or Ear()
        self.boots[name] = self.boots.get(name, 0) + 1
        bearer = MqttBearer(
            options.get("doorman") or self.network.doorman(name),
            ear,
            "127.0.0.1",
            self.broker.port,
            (options.get("files") or files).contexts().client,
            NETWORK,
            options.get("sealer") or self.network.sealer(name),
            lambda: [node_id(peer) for peer in peers],
            options.get("state") or dict,
            boot=options.get("boot") or self.boots[name],
        )
        member = Member(name, node_id(name), bearer, ear, asyncio.create_task(bearer.run()))
        self.members.append(member)
        if options.get("wait", True):
            await eventually(lambda: bearer.word == "connected", f"{name} at the broker")
        return member

    async def close(self) -> None:
        for member in self.members:
            await member.stop()
        self.broker.stop()


class Broker:
    """A real Mosquitto with the files that ship with the product."""

    def __init__(self, network: Network, mosquitto: str | None = None) -> None:
        self._network = network
        self._program = mosquitto or shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin")
        self.port = free_port()
        self.log = network.directory / "mosquitto.log"
        self.clock = ""  # a faketime date: where the broker believes to be
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._program, "mosquitto is not installed"
        files = self._network.authority.broker("127.0.0.1")
        broker = write_broker(
            self._network.directory,
            network_id=NETWORK,
            host="127.0.0.1",
            port=self.port,
            ca=files.ca,
            certificate=files.certificate,
            key=files.key,
            user=getpass.getuser(),
        )
        command = [self._program, "-v", "-c", str(broker.conf)]
        environment = dict(os.environ)
        if self.clock:  # not by the program faketime: it would be killed instead of the broker
            environment |= {
                "LD_PRELOAD": str(FAKETIME[0]),
                "FAKETIME": f"@{self.clock}",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + 10
        while True:
            assert self._process.poll() is None, self.log.read_text(errors="replace")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert time.monotonic() < end, "mosquitto does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, no will is sent."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def logged(self) -> str:
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def network(directory: Path) -> Iterator[Network]:
    yield Network(directory)


@contextlib.asynccontextmanager
async def world(kind: str, directory: Path) -> AsyncIterator[LanWorld | MqttWorld]:
    made: LanWorld | MqttWorld
    made = (LanWorld if kind == "lan" else MqttWorld)(Network(directory))
    await made.open()
    try:
        yield made
    finally:
        await made.close()

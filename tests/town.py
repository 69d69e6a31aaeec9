"""A small real network for tests: real keys, real stores, real TLS on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from meshrelay.cli import authority, enrolment
from meshrelay.cli.authority import Authority, WardNames
from meshrelay.cli.cards import bind_card, new_card_code, staff_record
from meshrelay.cli.node_toml import NodeToml
from meshrelay.cli.nodedir import enrol_node_dir, make_node_dir
from meshrelay.node.config import load
from meshrelay.node.identity import load_keys
from meshrelay.node.node import Node
from meshrelay.node.office import Message, Posted, Seat
from tests.transit import give_transit_keys

PIN = "135790"
PIN_HQ = "mayor-135790"


@dataclass
class Clerk:
    """A member of staff with a bound card."""

    staff_id: str
    name: str
    kana: str
    ward: str
    unit: str
    roles: tuple[str, ...]
    code: str = ""

    @property
    def pin(self) -> str:
        return PIN_HQ if "hq" in self.roles else PIN


MAYOR = Clerk("H001", "市長 松本", "まつもと", "00", "", ("hq",))
SATO = Clerk("K001", "佐藤", "さとう", "01", "避難所班", ("staff",))
TANAKA = Clerk("C001", "田中", "たなか", "02", "避難所班", ("staff",))
SUZUKI = Clerk("N001", "鈴木", "すずき", "03", "", ("staff",))
STAFF = (MAYOR, SATO, TANAKA, SUZUKI)
WARDS = (
    ("00", "本部", "HQ"),
    ("01", "北区", "Kita"),
    ("02", "中央区", "Chuo"),
    ("03", "西成区", "Nishinari"),
)


@dataclass
class Town:
    """Directories of HQ and wards, and the nodes that run."""

    directory: Path
    ports: dict[str, int]
    witnesses: tempfile.TemporaryDirectory[str]  # gone with the town, or at exit
    nodes: dict[str, Node] = field(default_factory=dict)
    clerks: tuple[Clerk, ...] = STAFF
    _stack: dict[str, contextlib.AsyncExitStack] = field(default_factory=dict)

    async def start(self, ward: str) -> Node:
        """Start (or restart) the node of a ward."""
        directory = self.directory / ward
        node = Node(directory, load(directory / "node.toml"), load_keys(directory))
        stack = contextlib.AsyncExitStack()
        self.nodes[ward] = await stack.enter_async_context(node)
        self._stack[ward] = stack
        return node

    async def stop(self, ward: str) -> None:
        del self.nodes[ward]
        await self._stack.pop(ward).aclose()

    async def log_in(self, ward: str, clerk: Clerk) -> Seat:
        return await self.nodes[ward].log_in(clerk.staff_id, clerk.code, clerk.pin)

    async def say(
        self, ward: str, seat: Seat, text: str, room: str = "all", mid: str = ""
    ) -> Posted:
        return await self.nodes[ward].post(seat, "talk", room, {"text": text}, mid or uuid7(), None)

    def network(self) -> Authority:
        """The network's directory, as its issuer opens it."""
        return authority.load(self.directory / "network")

    def room(self, ward: str, seat: Seat, room: str = "all") -> list[Message]:
        return self.nodes[ward].messages(seat.person, room)


def uuid7() -> str:
    """A fresh message id."""
    value = int(time.time() * 1000) << 80 | 7 << 76 | secrets.randbits(12) << 64
    return str(uuid.UUID(int=value | 2 << 62 | secrets.randbits(62)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def build_town(
    directory: Path,
    peers: dict[str, tuple[str, ...]],
    name: str = "試験市",
    broker: str = "",
    clerks: tuple[Clerk, ...] = STAFF,
) -> Town:
    """Make a network in which each ward of `peers` dials the wards it names."""
    network = authority.create(directory / "network", name, True)
    for code, ward, ward_en in WARDS:
        network.name_ward(WardNames(code, ward, ward_en))
    for number, clerk in enumerate(clerks, network.next_staff_serial()):
        clerk.code = new_card_code()
        record = staff_record(network, number, clerk.code, clerk)
        network.add([record, bind_card(network, record, clerk.code, clerk.pin)])
    ports = {ward: free_port() for ward in peers}
    witnesses = tempfile.TemporaryDirectory(prefix="meshrelay-test-", dir="/dev/shm")
    requests = {}
    for ward, dials in peers.items():
        settings = NodeToml(
            f"{ward}の機器",
            lan_listen=f"127.0.0.1:{ports[ward]}",
            web_listen=f"127.0.0.1:{free_port()}",
            zeroconf=False,
            peers=tuple(f"127.0.0.1:{ports[other]}" for other in dials),
            broker=broker,
            witness=witnesses.name,
            clock_set_by_person=True,
        )
        data = make_node_dir(directory / ward, settings)
        requests[ward] = enrolment.read_request(data, ward)
    names = {code: WardNames(code, ward, ward_en) for code, ward, ward_en in WARDS}
    for ward, request in requests.items():
        enrolment.sign_request(network, request, names[ward], archive=ward == "00")
    give_transit_keys(network)
    for ward, request in requests.items():
        enrol_node_dir(directory / ward, enrolment.answer_again(network, request), ward)
    return Town(directory, ports, witnesses, clerks=clerks)


@contextlib.asynccontextmanager
async def running(town: Town) -> AsyncIterator[Town]:
    """Start every node, stop them at the end."""
    try:
        for ward in town.ports:
            await town.start(ward)
        yield town
    finally:
        for ward in list(town.nodes):
            await town.stop(ward)
        town.witnesses.cleanup()


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition on real processes; fails with its source when time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {condition.__code__.co_names}")
        await asyncio.sleep(0.02)

"""An outsider on the LAN: the cable, any port, any tool, but no certificate and no card."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiomqtt
import pytest
from aiohttp import ClientSession

from meshrelay.bearers.discovery import Discovery, service_info
from meshrelay.bearers.lan import LanBearer
from meshrelay.bearers.mqtt import AckingClient
from meshrelay.node.node import Node
from meshrelay.node.office import Seat
from meshrelay.web.server import create_app, serve
from tests.attackers.tap import HOST, Tap, tapped
from tests.benchmarks.cities import Broker
from tests.certs import CertificateAuthority, Files
from tests.forged import refused
from tests.town import SATO, TANAKA, Town, build_town, free_port, running, until

WORDS = [f"秘密の言葉{number:02}" for number in range(20)]
DISK_BYTES_MAX = 64 * 1024


class Cable(NamedTuple):
    """北区 (佐藤), 中央区 (田中), and the outsider's tap on the cable between them."""

    town: Town
    tap: Tap
    sato: Seat
    tanaka: Seat

    @property
    def kita(self) -> Node:
        return self.town.nodes["01"]

    @property
    def port(self) -> int:
        """Where 北区 listens for nodes."""
        return self.town.ports["01"]

    def heard(self) -> list[str]:
        """What stands in 全庁 in 中央区."""
        return [message.body["text"] for message in self.town.room("02", self.tanaka)]

    def refused(self) -> dict[str, int]:
        return self.kita.status().refused


@pytest.fixture
async def cable(tmp_path: Path) -> AsyncIterator[Cable]:
    town = build_town(tmp_path, {"01": (), "02": ("01",)}, clerks=(SATO, TANAKA))
    async with tapped(town.ports["01"]) as tap:
        settings = tmp_path / "02" / "node.toml"
        there, here = f"{HOST}:{town.ports['01']}", f"{HOST}:{tap.port}"
        settings.write_text(settings.read_text("utf-8").replace(there, here), "utf-8")
        async with running(town):
            sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
            made = Cable(town, tap, sato, tanaka)
            await until(lambda: made.kita.status().links)
            yield made


def lan(node: Node) -> LanBearer:
    """The node's bearer on the office network."""
    (bearer,) = (each for each in node._bearers if isinstance(each, LanBearer))
    return bearer


def forgery(directory: Path) -> Files:
    """A certificate of a CA that the outsider made; it says what it likes."""
    return CertificateAuthority(directory, "試験市").node("kita", "01" * 32)


def contents(town: Town) -> int:
    """Bytes in the directory of 北区's node."""
    files = (path for path in (town.directory / "01").rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


# can


async def test_an_outsider_on_the_lan_can_jam_and_words_wait_until_it_stops(cable: Cable) -> None:
    cable.tap.alter = lambda data, up: b""
    await cable.town.say("01", cable.sato, "水が来ています")
    await asyncio.sleep(0.5)
    assert cable.heard() == []
    assert [message.place for message in cable.town.room("01", cable.sato)] == ["node"]

    cable.tap.alter = lambda data, up: data
    cable.tap.cut()
    await until(lambda: cable.heard() == ["水が来ています"])


async def test_an_outsider_on_the_lan_can_see_sizes(cable: Cable) -> None:
    before = len(cable.tap.heard)
    await cable.town.say("01", cable.sato, "".join(chr(0x4E00 + n * 7) for n in range(3_000)))
    await until(cable.heard)

    assert len(cable.tap.heard) - before > 2_000


async def test_an_outsider_on_the_lan_can_spoof_mdns_and_it_is_a_hint_only(
    cable: Cable, tmp_path: Path
) -> None:
    """A node that is told of the outsider's address knocks there, and finds nobody."""
    network, kita = cable.kita.machine.book.network, cable.kita
    spoofed = service_info(network.hex()[:8], "ab" * 32, 4711, frozenset({"192.0.2.7"}))
    believed = Discovery(network, kita.machine.me).judge(spoofed.name, spoofed)
    assert believed == (("192.0.2.7", 4711),), "whoever announces is given a knock"
    knocks: list[bool] = []
    context = forgery(tmp_path / "forgery").contexts().server
    context.verify_mode = ssl.CERT_NONE

    def knocked(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks.append(True)
        writer.close()

    trap = await asyncio.start_server(knocked, HOST, 0, ssl=context)
    lan(kita).propose(trap.sockets[0].getsockname())
    await until(lambda: cable.refused().get("tls"))
    lan(kita).withdraw((HOST, cable.port))  # and a spoofed goodbye
    await cable.town.say("01", cable.sato, "届きます")
    await until(lambda: cable.heard() == ["届きます"])
    trap.close()

    assert not knocks, "the handshake never ended: it learned nothing"
    assert {link.peer for link in kita.status().links} == {cable.town.nodes["02"].me.id}


async def test_an_outsider_on_the_lan_can_try_log_in_slowly(cable: Cable) -> None:
    """Also with a card that was found: five PINs, then waits that grow, for everybody."""
    async with (
        serve(create_app(cable.kita, hosts=[HOST]), HOST, 0) as page,
        ClientSession(f"http://{HOST}:{page.port}") as client,
    ):
        answers = []
        for number in range(7):
            body = {"staff": SATO.staff_id, "card": SATO.code, "pin": f"90817{number}"}
            async with client.post("/api/login", json=body) as answer:
                answers.append((answer.status, (await answer.json())["code"]))

    assert answers == [(401, "wrong_pin")] * 5 + [(429, "wait")] * 2


# cannot


async def test_an_outsider_on_the_lan_cannot_read_node_links(cable: Cable) -> None:
    for word in WORDS:
        await cable.town.say("01", cable.sato, word)
    await until(lambda: len(cable.heard()) == len(WORDS))

    assert len(cable.tap.heard) > 4_000
    assert not [word for word in WORDS if word.encode() in cable.tap.heard]
    for known in (SATO.name.encode(), SATO.staff_id.encode(), cable.kita.machine.me):
        assert known not in cable.tap.heard, "neither names nor who talks to whom"


async def test_an_outsider_on_the_lan_cannot_join(cable: Cable, tmp_path: Path) -> None:
    forged = forgery(tmp_path / "forgery").contexts().client
    forged.verify_mode = ssl.CERT_NONE
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    links = cable.kita.status().links
    for context in (None, nobody, forged):
        refusals = sum(cable.refused().values())
        answered = b""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(HOST, cable.port, ssl=context)
            writer.write(b"\x00\x00\x00\x30" + bytes(48))
            answered = await reader.read(4_096)
            writer.close()
        await until(lambda n=refusals: sum(cable.refused().values()) > n)
        assert b"\x00\x00\x00" not in answered, "no block of ours goes to a stranger"

    assert [link.peer for link in cable.kita.status().links] == [link.peer for link in links]


async def test_an_outsider_on_the_lan_cannot_join_by_the_broker(
    cable: Cable, tmp_path: Path
) -> None:
    """The Mosquitto that ships shows nobody in whom the network's CA did not certify."""
    broker = Broker(tmp_path / "broker", cable.town.network(), free_port(), HOST)
    await broker.start()
    try:
        foreign = forgery(tmp_path / "forgery").contexts().client
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for context in (foreign, nobody):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with pytest.raises(aiomqtt.MqttError):
                async with AckingClient(HOST, broker.port, tls_context=context).connection():
                    pass
        own = cable.town.directory / "02" / "keys"
        files = Files(own / "tls.key", own / "tls.crt", own / "ca.crt")
        context = files.contexts().client
        async with AckingClient(HOST, broker.port, tls_context=context).connection():
            pass  # a node of the network gets in
    finally:
        await broker.stop()


async def test_an_outsider_on_the_lan_cannot_forge_a_nodes_entry_on_its_way(cable: Cable) -> None:
    altered: list[bool] = []

    def alter(data: bytes, up: bool) -> bytes:
        if up or altered:
            return data
        altered.append(True)
        return data[:-1] + bytes([data[-1] ^ 1])

    cable.tap.alter = alter
    await cable.town.say("01", cable.sato, "死者 3")

    await until(lambda: cable.heard() == ["死者 3"])
    assert altered


def test_an_outsider_on_the_lan_cannot_forge_a_nodes_entry_with_a_key_of_its_own(
    tmp_path: Path,
) -> None:
    """The whole row, 10,000 times, is `python -m tests.forged --only refused`."""
    row = refused.run(60, 4, tmp_path)

    assert row.held, row.faults


async def test_an_outsider_on_the_lan_cannot_fill_the_disk(cable: Cable) -> None:
    before, status = contents(cable.town), cable.kita.status()
    rubbish = bytes(256 * 1024)
    async with (
        serve(create_app(cable.kita, hosts=[HOST]), HOST, 0) as page,
        ClientSession(f"http://{HOST}:{page.port}") as client,
    ):
        for _ in range(40):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, cable.port)
                writer.write(rubbish)
                writer.close()
            for path in ("/api/login", "/api/messages", "/api/read"):
                async with client.post(path, data=rubbish) as answer:
                    assert 400 <= answer.status < 500
    await until(lambda: cable.refused().get("tls"))

    after = cable.kita.status()
    assert (after.entries, after.records) == (status.entries, status.records)
    assert contents(cable.town) - before < DISK_BYTES_MAX

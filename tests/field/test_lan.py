"""What only links over TCP promise, against peers that break the rules byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshrelay.bearers import lan
from meshrelay.bearers.base import (
    CONNECTIONS_PER_ADDRESS_MAX,
    FRAME_BYTES_MAX,
    SHORT_GREETING_BYTES_MAX,
)
from meshrelay.bearers.lan_link import (
    ASK,
    KNOWN,
    LENGTH_BYTES,
    NONCE_BYTES,
    Connection,
    Known,
    LanLink,
    StreamProtocol,
)
from meshrelay.cli import x509
from meshrelay.core.statements import HAVE_CHANGE_MS
from tests.bearer_exam import (
    GREETING_PREFIX,
    NOTICE_PREFIX,
    SHORT_PREFIX,
    Ear,
    GuestList,
    LanWorld,
    Member,
    eventually,
    node_id,
    world,
)
from tests.certs import Files
from tests.town import SATO, build_town, running, until

KITA, CHUO, NISHINARI, HQ = "北区", "中央区", "西成区", "本部"
BOOT, LATER_BOOT = b"boot-001", b"boot-002"
# The first block of 北区, which nobody has met yet.
NAMED = b"\x00\x00\x00\x2d" + BOOT + SHORT_PREFIX + node_id(KITA)


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[LanWorld]:
    async with world("lan", tmp_path / "network") as made:
        assert isinstance(made, LanWorld)
        yield made


class RawPeer:
    """A peer that says exactly what the test wants."""

    def __init__(self, city: LanWorld, name: str, files: Files | None = None) -> None:
        self.city = city
        self.name = name
        self.files = files or city.network.enrol(name)
        self.open: list[Connection] = []

    async def connect(self, other: Member, local: tuple[str, int] | None = None) -> Connection:
        transport, protocol = await asyncio.get_running_loop().create_connection(
            StreamProtocol,
            "127.0.0.1",
            self.city.port(other.name),
            ssl=self.files.contexts().client,
            server_hostname="",
            local_addr=local,
        )
        self.open.append(Connection(protocol.reader, transport))
        return self.open[-1]

    async def greet(self, other: Member, boot: bytes = BOOT) -> Connection:
        """Name ourselves, say that we know them, and greet in full if they ask."""
        connection = await self.connect(other)
        connection.write(boot + SHORT_PREFIX + node_id(self.name))
        await connection.read(NONCE_BYTES + SHORT_GREETING_BYTES_MAX, "greeting")
        connection.write(KNOWN)
        if await connection.read(1, "answer") == ASK:
            connection.write(GREETING_PREFIX + node_id(self.name))
        return connection

    async def link(self, other: Member, known: Known, boot: bytes = BOOT) -> Connection | None:
        """A connection through the whole preamble; None when it was called a duplicate."""
        connection = await self.greet(other, boot)
        if node_id(self.name) < other.node_id:
            await connection.read(9, "known")
            connection.write(b"\x01")
            return connection
        connection.write(known.encode())
        return connection if await connection.read(1, "verdict") == b"\x01" else None

    def close(self) -> None:
        for connection in self.open:
            connection.abort()


def larger_than(other: str) -> str:
    """A ward whose id is larger, so that `other` decides which connection is the link."""
    wards = (f"第{number}区" for number in itertools.count())
    return next(ward for ward in wards if node_id(ward) > node_id(other))


def smaller_than(other: str) -> str:
    wards = (f"第{number}区" for number in itertools.count())
    return next(ward for ward in wards if node_id(ward) < node_id(other))


NOTHING = Known(live=False, opens=0)
# Both ways, lengths included: two names, two answers, known, verdict.
NAMED_BYTES = 2 * len(NAMED) + 2 * (LENGTH_BYTES + 1) + (LENGTH_BYTES + 9) + (LENGTH_BYTES + 1)


def spent(member: Member) -> int:
    """Bytes of the newest link so far, both ways; no frame was sent."""
    link = member.ear.ups[-1]
    assert isinstance(link, LanLink)
    return link.bytes_in + link.bytes_out


async def test_a_caller_who_says_nothing_is_shown_out(
    city: LanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "GREETING_SECONDS_MAX", 0.3)
    hq = await city.start(HQ)
    scanner = socket.create_connection(("127.0.0.1", city.port(HQ)))
    await eventually(lambda: hq.refused.get("silent") == 1, "before TLS")
    quiet = RawPeer(city, KITA)
    await quiet.connect(hq)

    await eventually(lambda: hq.refused.get("silent") == 2, "after TLS")

    assert not hq.ear.ups
    scanner.close()
    quiet.close()


async def test_another_nodes_greeting_does_not_fit_our_certificate(city: LanWorld) -> None:
    hq = await city.start(HQ)
    city.network.enrol(KITA)
    thief = RawPeer(city, KITA, files=city.network.enrol(NISHINARI))

    with pytest.raises((asyncio.IncompleteReadError, OSError)):
        await thief.link(hq, NOTHING)

    assert hq.refused == {"wrong_certificate": 1} and not hq.ear.ups


async def test_another_nodes_name_does_not_fit_our_certificate(city: LanWorld) -> None:
    """A name is public; only the TLS key shows whose it is, also when it is well known."""
    guest_list = city.network.doorman(HQ)
    guest_list.met.add(node_id(KITA))
    city.network.enrol(KITA)
    hq = await city.start(HQ, doorman=guest_list)
    thief = RawPeer(city, KITA, files=city.network.enrol(NISHINARI))

    with pytest.raises((asyncio.IncompleteReadError, OSError)):
        await thief.link(hq, NOTHING)

    assert hq.refused == {"wrong_certificate": 1} and not hq.ear.ups


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"\x00\x00\x20\x00", "oversize_greeting"),
        (b"\x00\x00\x00\x00", "empty_greeting"),
        (b"\x00\x00\x00\x04oops", "bad_preamble"),
        (b"\x00\x00\x00\x0c" + BOOT + b"oops", "bad_greeting"),
        (NAMED + b"\x00\x00\x00\x01\x03", "bad_preamble"),
        (NAMED + b"\x00\x00\x00\x01\x02" + b"\x00\x00\x00\x01!", "barred_by_peer"),
        (NAMED + b"\x00\x00\x00\x02\x01\x01", "oversize_preamble"),
        (NAMED + b"\x00\x00\x00\x01\x01" + b"\x00\x00\x10\x01", "oversize_greeting"),
        (NAMED + b"\x00\x00\x00\x01\x01" + b"\x00\x00\x00\x04oops", "bad_greeting"),
        (b"GET / HTTP/1.1\r\n", "oversize_greeting"),
    ],
)
async def test_a_bad_greeting_is_refused_by_name(city: LanWorld, said: bytes, reason: str) -> None:
    hq = await city.start(HQ)
    peer = RawPeer(city, KITA)
    connection = await peer.connect(hq)
    connection.transport.write(said)

    await hq.refused_for(reason)

    assert not hq.ear.ups
    peer.close()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ((FRAME_BYTES_MAX + 1).to_bytes(4, "big"), "oversize_frame"),
        (bytes(4), "empty_frame"),
    ],
)
async def test_a_frame_over_the_limit_closes_the_link_unread(
    city: LanWorld, header: bytes, reason: str
) -> None:
    hq = await city.start(HQ)
    peer = RawPeer(city, KITA)
    connection = await peer.link(hq, NOTHING)
    assert connection is not None
    connection.write(b"fine")
    connection.transport.write(header)

    await hq.ear.until(lambda ear: ear.downs)

    assert hq.ear.frames == [b"fine"]
    assert hq.ear.downs[0][1] == reason and hq.refused == {reason: 1}
    peer.close()


async def test_nothing_is_read_as_a_frame_before_the_verdict(city: LanWorld) -> None:
    hq = await city.start(HQ)
    peer = RawPeer(city, larger_than(HQ))
    connection = await peer.greet(hq)
    connection.write(b"a frame where the preamble belongs")

    await hq.refused_for("oversize_preamble")

    assert not hq.ear.ups and not hq.ear.frames
    peer.close()


async def test_one_address_may_hold_twenty_connections(city: LanWorld) -> None:
    hq = await city.start(HQ)
    address = ("127.0.0.1", city.port(HQ))
    callers = [socket.create_connection(address) for _ in range(CONNECTIONS_PER_ADDRESS_MAX + 1)]

    await hq.refused_for("too_many_connections")
    for caller in callers:
        caller.close()
    await eventually(
        lambda: hq.refused.get("closed_early") == CONNECTIONS_PER_ADDRESS_MAX, "all gone"
    )

    kita = await city.start(KITA, peers=(HQ,))
    await kita.ear.until(lambda ear: ear.links)


async def test_a_caller_who_drips_is_shown_out_in_time(
    city: LanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte comes soon enough, the greeting does not."""
    monkeypatch.setattr(lan, "GREETING_SECONDS_MAX", 0.5)
    hq = await city.start(HQ)
    peer = RawPeer(city, KITA)
    connection = await peer.connect(hq)
    for byte in NAMED[:10]:
        connection.transport.write(bytes([byte]))
        await asyncio.sleep(0.1)

    await hq.refused_for("silent")
    assert not hq.ear.ups
    peer.close()


async def test_the_connections_of_one_address_take_none_from_another(city: LanWorld) -> None:
    hq = await city.start(HQ)
    address = ("127.0.0.1", city.port(HQ))
    callers = [socket.create_connection(address) for _ in range(CONNECTIONS_PER_ADDRESS_MAX)]
    there = ("127.0.0.9", 0)
    kita = RawPeer(city, KITA)
    connection = await kita.connect(hq, there)
    connection.write(BOOT + SHORT_PREFIX + node_id(KITA))

    assert await connection.read(NONCE_BYTES + SHORT_GREETING_BYTES_MAX, "greeting")
    for caller in callers:
        caller.close()
    kita.close()


def barred_by(city: LanWorld, peer: str, *, met: bool) -> GuestList:
    """HQ's guest list, on which a ward is revoked; `met`: HQ holds the record it names."""
    guests = city.network.doorman(HQ)
    guests.barred[node_id(peer)] = "revoked"
    if met:
        guests.met.add(node_id(peer))
    city.network.enrol(peer)
    return guests


@pytest.mark.parametrize("larger", [True, False])
@pytest.mark.parametrize("met", [True, False])
async def test_a_barred_node_is_told_why_and_gets_no_link(
    city: LanWorld, met: bool, larger: bool
) -> None:
    """In the answer, or where the preamble belongs if it had to greet in full."""
    ward = larger_than(HQ) if larger else smaller_than(HQ)
    hq = await city.start(HQ, doorman=barred_by(city, ward, met=met))
    own = city.network.doorman(ward)
    own.met.add(node_id(HQ))
    kita = await city.start(ward, peers=(HQ,), doorman=own)

    await kita.ear.until(lambda ear: ear.broadcasts)

    assert kita.ear.broadcasts[0] == (hq.node_id, NOTICE_PREFIX + b"revoked")
    await kita.refused_for("barred_by_peer")
    await hq.refused_for("revoked")
    assert not hq.ear.ups and not kita.ear.ups


async def test_what_a_stranger_says_of_a_bar_is_not_read(city: LanWorld) -> None:
    """A node that does not hold the peer's record takes no notice from it."""
    hq = await city.start(HQ, doorman=barred_by(city, KITA, met=True))
    kita = await city.start(KITA, peers=(HQ,))

    await kita.refused_for("barred_by_peer")

    assert not kita.ear.broadcasts and not hq.ear.ups


async def test_a_node_that_is_refused_does_not_knock_in_a_hurry(
    city: LanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that was steady and ends is dialled ten times a second, unless they say no."""
    monkeypatch.setattr(lan, "STEADY_S", 0.2)
    guests = city.network.doorman(HQ)
    hq = await city.start(HQ, doorman=guests)
    kita = await city.start(KITA, peers=(HQ,))
    await hq.ear.until(lambda ear: ear.links)
    await asyncio.sleep(lan.STEADY_S)
    guests.barred[node_id(KITA)] = "suspended"
    hq.ear.links[0].close("suspended")
    await hq.refused_for("suspended")
    await asyncio.sleep(2.0)
    assert hq.refused["suspended"] <= 8

    guests.barred.clear()
    await kita.ear.until(lambda ear: len(ear.ups) == 2, lan.DIAL_CONFIGURED_CAP_S + 2)


async def test_two_nodes_that_dial_each_other_keep_exactly_one_connection(
    city: LanWorld,
) -> None:
    for round_number in range(3):
        one, other = await asyncio.gather(
            city.start(KITA, peers=(CHUO,)), city.start(CHUO, peers=(KITA,))
        )
        await one.ear.until(lambda ear: ear.links)
        await other.ear.until(lambda ear: ear.links)
        one.ear.links[0].send(b"to chuo")
        other.ear.links[0].send(b"to kita")
        await one.ear.until(lambda ear: ear.frames)
        await other.ear.until(lambda ear: ear.frames)
        await asyncio.sleep(0.3)  # whatever else was being dialled has been decided

        assert [len(one.ear.links), len(other.ear.links)] == [1, 1], round_number
        assert len(one.ear.ups) == len(other.ear.ups) == 1, "a duplicate became a link"
        assert not one.refused and not other.refused
        await one.stop()
        await other.stop()


async def test_a_duplicate_of_a_living_link_is_dropped(city: LanWorld) -> None:
    hq = await city.start(HQ)
    peer = RawPeer(city, larger_than(HQ))
    first = await peer.link(hq, NOTHING)

    assert await peer.link(hq, NOTHING) is None, "dialled before it heard of the first"
    assert await peer.link(hq, Known(live=True, opens=1)) is None, "says that it has one"

    assert first is not None
    first.write(b"still here")
    await hq.ear.until(lambda ear: ear.frames)
    assert len(hq.ear.ups) == 1 and not hq.ear.downs
    peer.close()


@pytest.mark.parametrize("chosen_by_hq", [True, False])
async def test_a_peer_that_lost_its_end_gets_a_new_link(city: LanWorld, chosen_by_hq: bool) -> None:
    hq = await city.start(HQ)
    peer = RawPeer(city, larger_than(HQ) if chosen_by_hq else smaller_than(HQ))
    assert await peer.link(hq, NOTHING) is not None

    second = await peer.link(hq, Known(live=False, opens=1))

    assert second is not None
    second.write(b"over the new one")
    await hq.ear.until(lambda ear: ear.frames)
    assert [reason for _link, reason in hq.ear.downs] == ["replaced"]
    assert len(hq.ear.links) == 1
    peer.close()


async def test_a_restarted_peer_replaces_its_own_dead_link(city: LanWorld) -> None:
    hq = await city.start(HQ)
    peer = RawPeer(city, larger_than(HQ))
    assert await peer.link(hq, NOTHING) is not None

    assert await peer.link(hq, NOTHING, LATER_BOOT) is not None

    await hq.ear.until(lambda ear: len(ear.ups) == 2)
    assert [reason for _link, reason in hq.ear.downs] == ["replaced"]
    assert len(hq.ear.links) == 1
    peer.close()


async def test_a_peer_that_does_not_read_loses_the_link(city: LanWorld) -> None:
    hq = await city.start(HQ)
    peer = RawPeer(city, KITA)
    connection = await peer.link(hq, NOTHING)
    assert connection is not None
    connection.transport.pause_reading()
    await hq.ear.until(lambda ear: ear.links)
    link = hq.ear.links[0]

    for _ in range(1024):
        link.send(bytes(FRAME_BYTES_MAX))
        await asyncio.sleep(0)
        if hq.ear.downs:
            break

    assert hq.ear.downs == [(link, "slow")]
    peer.close()


async def test_a_node_does_not_dial_itself_for_ever(city: LanWorld) -> None:
    kita = await city.start(KITA, peers=(KITA,))

    await eventually(lambda: kita.bearer.word == "listening", "gave its own address up")

    assert not kita.ear.ups and not kita.refused


async def test_the_last_good_address_is_dialled_after_a_restart(city: LanWorld) -> None:
    hq = await city.start(HQ)
    kita = await city.start(KITA, peers=(HQ,))
    await kita.ear.until(lambda ear: ear.links)
    book = city.books[KITA]
    assert book.peers == {("127.0.0.1", city.port(HQ)): hq.node_id}
    await kita.stop()

    book.good = list(book.peers)
    again = await city.start(KITA)

    await again.ear.until(lambda ear: ear.links)


async def test_a_taken_port_is_named_and_waited_for(city: LanWorld) -> None:
    with contextlib.closing(socket.socket()) as squatter:
        squatter.bind(("127.0.0.1", city.port(HQ)))
        squatter.listen()
        starting = asyncio.create_task(city.start(HQ))
        await eventually(lambda: city.members, "made")
        hq = city.members[0]
        await eventually(lambda: hq.bearer.word.startswith("refused: "), "named")
        assert str(city.port(HQ)) in hq.bearer.word

    await starting
    assert hq.bearer.word == "listening"


@pytest.mark.parametrize("year", [1971, 2190])
async def test_a_wrong_clock_does_not_keep_nodes_apart(
    city: LanWorld, year: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the clock were wrong: certificates long expired, or not yet valid."""
    monkeypatch.setattr(x509, "VALID_FROM", datetime.datetime(year, 1, 1))
    monkeypatch.setattr(x509, "VALID_UNTIL", datetime.datetime(year, 12, 31))
    await city.start(HQ)
    kita = await city.start(KITA, peers=(HQ,))

    await kita.ear.until(lambda ear: ear.links)


async def test_two_that_met_before_only_name_themselves(city: LanWorld) -> None:
    hq_list, kita_list = city.network.doorman(HQ), city.network.doorman(KITA)
    hq = await city.start(HQ, doorman=hq_list)
    kita = await city.start(KITA, peers=(HQ,), doorman=kita_list)
    await kita.ear.until(lambda ear: ear.links)
    in_full = len(hq_list.greeting) + len(kita_list.greeting)
    assert spent(kita) == NAMED_BYTES + in_full + 2 * LENGTH_BYTES

    await hq.stop()
    await kita.ear.until(lambda ear: ear.downs)
    await city.start(HQ, doorman=hq_list)
    await kita.ear.until(lambda ear: len(ear.ups) == 2)

    assert spent(kita) == NAMED_BYTES < 200


async def test_only_the_end_that_is_not_known_greets_in_full(city: LanWorld) -> None:
    hq_list, kita_list = city.network.doorman(HQ), city.network.doorman(KITA)
    hq_list.met.add(node_id(KITA))
    kita_list.greeting = b"never shown"
    city.network.enrol(KITA)
    await city.start(HQ, doorman=hq_list)
    kita = await city.start(KITA, peers=(HQ,), doorman=kita_list)

    await kita.ear.until(lambda ear: ear.links)

    assert spent(kita) == NAMED_BYTES + LENGTH_BYTES + len(hq_list.greeting)


async def test_a_reconnect_of_two_nodes_with_nothing_new_costs_at_most_600_bytes(
    tmp_path: Path,
) -> None:
    """Every block after TLS, both ways: names, HELLO, and what else two in step have to say."""
    async with running(build_town(tmp_path, {"01": (), "02": ("01",)})) as town:
        kita, chuo = town.nodes["01"], town.nodes["02"]
        sato = await town.log_in("01", SATO)
        await town.say("01", sato, "北区役所、全員無事です。")
        await until(lambda: town.room("01", sato)[0].wards_n == 1)
        await until(lambda: kita.status().digest == chuo.status().digest)
        await asyncio.sleep(2 * HAVE_CHANGE_MS / 1000)  # both have stated what they hold
        links = kita._driver.links
        (old,) = links.values()

        old.link.close("cable pulled")
        await until(lambda: links and old.number not in links)
        await asyncio.sleep(1)

        (new,) = links.values()
        assert isinstance(new.link, LanLink)
        assert NAMED_BYTES < new.link.bytes_in + new.link.bytes_out <= 600


async def test_a_link_heals_within_a_second_of_the_peers_return(city: LanWorld) -> None:
    hq = await city.start(HQ)
    kita = await city.start(KITA, peers=(HQ,), ear=Ear())
    await kita.ear.until(lambda ear: ear.links)

    await hq.stop()
    await kita.ear.until(lambda ear: ear.downs)
    await city.start(HQ)

    await kita.ear.until(lambda ear: ear.links, 3.0)

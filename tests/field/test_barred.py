"""Revoked and suspended nodes: their links end, they cannot come back, and they are told."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshrelay.bearers import mqtt_links
from meshrelay.cli import authority
from meshrelay.cli.authority import Authority
from meshrelay.core.entry import LogId
from meshrelay.core.records import (
    Record,
    Revocation,
    Suspension,
    make_revocation,
    make_suspension,
)
from meshrelay.core.signing import Signer, hash32
from meshrelay.core.vector import Line
from meshrelay.node.node import Node
from tests.brokered import brokered, spread
from tests.town import MAYOR, SATO, Town, build_town, running, until

HQ, KITA = "00", "01"
# From the record being on disk here to the link being down.
CLOSED_S_MAX = 1.0


@pytest.fixture(autouse=True)
def heard_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """After closing for a reason a peer is not heard for ten seconds."""
    monkeypatch.setattr(mqtt_links, "CLOSED_S", 1.0)


@asynccontextmanager
async def scene(bearer: str, directory: Path) -> AsyncIterator[tuple[Town, Authority]]:
    """HQ and 北区 with a link between them."""
    if bearer == "mqtt":
        async with brokered(directory) as city:
            await until(lambda: city.nodes[HQ].status().links)
            yield city.town, city.network
        return
    async with running(build_town(directory, {HQ: (), KITA: (HQ,)})) as town:
        await until(lambda: town.nodes[HQ].status().links)
        yield town, authority.load(directory / "network")


def revocation(network: Authority, node: Node, lines: list[Line] | None = None) -> Record:
    content = Revocation(network.issuer_record.id, node.machine.me, lines or [])
    return make_revocation(network.issuer, network.network, content)


def suspension(network: Authority, node: Node, number: int = 1, lifted: bool = False) -> Record:
    content = Suspension(network.issuer_record.id, node.machine.me, number, lifted)
    return make_suspension(network.issuer, network.network, content)


def trouble(node: Node, words: str) -> Callable[[], bool]:
    return lambda: any(words in each for each in node.status().trouble)


async def closed_in_time(hq: Node, record: Record) -> None:
    await until(lambda: hq.machine.vector.has_record(record.id), 5.0)
    began_s = time.monotonic()
    await until(lambda: not hq.status().links, CLOSED_S_MAX)
    assert time.monotonic() - began_s < CLOSED_S_MAX


async def stays_out(hq: Node, reason: str, times: int = 2) -> None:
    ups = len(hq._driver.links)
    before = hq.status().refused.get(reason, 0)
    await until(lambda: hq.status().refused.get(reason, 0) >= before + times, 30.0)
    assert ups == len(hq._driver.links) == 0


@pytest.mark.parametrize("bearer", ["lan", "mqtt"])
async def test_a_revoked_node_loses_its_links_at_once_is_told_and_cannot_come_back(
    bearer: str, tmp_path: Path
) -> None:
    async with scene(bearer, tmp_path) as (town, network):
        hq, kita = town.nodes[HQ], town.nodes[KITA]
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "失効の前")
        mayor = await town.log_in(HQ, MAYOR)
        await until(lambda: len(town.room(HQ, mayor)) == 1)
        record = revocation(network, kita)
        spread(hq, [record])

        await closed_in_time(hq, record)
        await until(trouble(kita, "is revoked"))
        assert len(town.room(HQ, mayor)) == 1, "what was stored stays"
        await stays_out(hq, "revoked")


@pytest.mark.parametrize("bearer", ["lan", "mqtt"])
async def test_a_suspended_node_is_told_and_links_again_when_it_is_lifted(
    bearer: str, tmp_path: Path
) -> None:
    async with scene(bearer, tmp_path) as (town, network):
        hq, kita = town.nodes[HQ], town.nodes[KITA]
        record = suspension(network, kita)
        spread(hq, [record])

        await closed_in_time(hq, record)
        await until(trouble(kita, "使用停止中"))
        await stays_out(hq, "suspended")
        spread(hq, [suspension(network, kita, lifted=True)])
        await until(lambda: hq.status().links and kita.status().links, 30.0)
        await until(lambda: not trouble(kita, "使用停止中")())


@pytest.mark.parametrize("bearer", ["lan", "mqtt"])
async def test_a_node_that_was_away_learns_at_the_greeting_that_it_is_revoked(
    bearer: str, tmp_path: Path
) -> None:
    async with scene(bearer, tmp_path) as (town, network):
        record = revocation(network, town.nodes[KITA])
        await town.stop(KITA)
        spread(town.nodes[HQ], [record])
        await until(lambda: town.nodes[HQ].machine.vector.has_record(record.id))
        kita = await town.start(KITA)

        await until(trouble(kita, "is revoked"))
        assert not town.nodes[HQ].status().links


async def test_the_longest_revocation_reaches_the_node_that_it_ends(tmp_path: Path) -> None:
    """Far more than a greeting may hold: it is read because the peer was admitted."""
    async with scene("lan", tmp_path) as (town, network):
        kita = town.nodes[KITA]
        me = kita.machine.me
        lines = [
            Line(LogId(me, number.to_bytes(8, "big"), 1), 9, hash32(bytes([number % 256])))
            for number in range(900)
        ]
        record = revocation(network, kita, lines)
        assert len(record.raw) > 40_000
        await town.stop(KITA)
        spread(town.nodes[HQ], [record])
        await until(lambda: town.nodes[HQ].machine.vector.has_record(record.id))
        kita = await town.start(KITA)

        await until(trouble(kita, "is revoked"))


async def test_a_notice_that_nobody_of_the_network_signed_changes_nothing(tmp_path: Path) -> None:
    async with scene("lan", tmp_path) as (town, network):
        kita = town.nodes[KITA]
        thief = Signer(b"thief".ljust(32, b"."))
        content = Revocation(network.issuer_record.id, kita.machine.me, [])
        forged = make_revocation(thief, network.network, content)
        hq = town.nodes[HQ]
        hq.machine.book.by_id[forged.id] = forged  # a liar's book
        hq.machine.book.revoked[kita.machine.me] = [{}]
        for open_link in list(hq._driver.links.values()):
            open_link.link.close("revoked")

        await until(lambda: kita.status().refused.get("bad_signature", 0) > 0)
        assert not trouble(kita, "is revoked")()

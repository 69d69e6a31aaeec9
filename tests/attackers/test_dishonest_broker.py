"""A dishonest broker: it has every publication, and the nodes have only it, or a LAN besides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from meshrelay.bearers.mqtt_links import FRAME
from meshrelay.core.entry import LogId
from meshrelay.core.events import AskArchives
from meshrelay.core.frames import Haves, encode_frame
from meshrelay.core.have import NO_NONCE, make_have
from meshrelay.core.signing import Signer
from meshrelay.node.office import Seat
from tests.attackers.broker import DishonestBroker, Publication, dishonest
from tests.field.test_transit import found
from tests.town import MAYOR, SATO, Town, build_town, free_port, running, until

WORDS = [f"秘密の言葉{number:02}" for number in range(20)]


class Wards(NamedTuple):
    """北区 (佐藤) and 本部 (市長), and what is between them."""

    town: Town
    broker: DishonestBroker
    sato: Seat
    mayor: Seat

    @property
    def kita(self) -> str:
        return self.town.nodes["01"].me.id

    @property
    def hq(self) -> str:
        return self.town.nodes["00"].me.id

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.town.say("01", self.sato, text)

    def heard(self) -> list[str]:
        """What stands in 全庁 at 本部, in its order."""
        return [message.body["text"] for message in self.town.room("00", self.mayor)]

    def places(self) -> list[str]:
        """区の機器, 他の区 or 本部: how far 北区 says that its messages are."""
        return [message.place for message in self.town.room("01", self.sato)]

    def linked(self) -> bool:
        return all(node.status().links for node in self.town.nodes.values())


@contextlib.asynccontextmanager
async def two_wards(directory: Path, lan: bool = False) -> AsyncIterator[Wards]:
    """Linked through the broker, which is still honest; with `lan` also by a cable."""
    port = free_port()
    peers = {"00": (), "01": ("00",) if lan else ()}
    town = build_town(directory, peers, broker=f"127.0.0.1:{port}", clerks=(MAYOR, SATO))
    async with (
        dishonest(directory / "broker", town.network(), port) as broker,
        running(town),
    ):
        sato, mayor = await town.log_in("01", SATO), await town.log_in("00", MAYOR)
        wards = Wards(town, broker, sato, mayor)
        await until(wards.linked)
        yield wards


@pytest.fixture
async def wards(tmp_path: Path) -> AsyncIterator[Wards]:
    async with two_wards(tmp_path) as made:
        yield made


def first_log(wards: Wards) -> tuple[LogId, int]:
    """The log of 北区 that its talk is in, from its beginning."""
    node = wards.town.nodes["01"]
    (log,) = (
        log for log in node.machine.vector.lines if (log.origin, log.lane) == (node.machine.me, 1)
    )
    return log, 0


def nothing(_: Publication) -> list[Publication]:
    return []


def everything(one: Publication) -> list[Publication]:
    return [one]


# can


async def test_a_dishonest_broker_can_drop_and_no_word_says_that_it_arrived(wards: Wards) -> None:
    wards.broker.pass_on = nothing
    sent = len(wards.broker.sent_by(wards.kita))
    await wards.say("水が足りません")
    await until(lambda: len(wards.broker.sent_by(wards.kita)) > sent)
    await asyncio.sleep(0.5)
    assert (wards.heard(), wards.places()) == ([], ["node"])

    wards.broker.pass_on = everything
    wards.broker.cut()
    await until(lambda: wards.heard() == ["水が足りません"])
    await until(lambda: wards.places() == ["archive"])


async def test_a_dishonest_broker_can_reorder_and_the_room_is_in_order_all_the_same(
    wards: Wards,
) -> None:
    before = ["一", "二", "三", "四"]  # the first grant of a link lets four messages go for sure
    await wards.say(*before)
    await until(lambda: wards.heard() == before)
    texts = [f"第{number}報" for number in range(5)]
    kept: list[Publication] = []
    wards.broker.pass_on = lambda one: kept.append(one) or [] if one.to == wards.hq else [one]
    await wards.say(*texts)
    await until(lambda: len(kept) >= len(texts))
    wards.broker.pass_on = everything
    wards.broker.deliver(*reversed(kept))

    await until(lambda: wards.heard() == [*before, *texts])


async def test_a_dishonest_broker_can_replay_and_nothing_is_there_twice(wards: Wards) -> None:
    await wards.say("一度だけ")
    await until(lambda: wards.places() == ["archive"])
    before = [node.status() for node in wards.town.nodes.values()]
    wards.broker.deliver(*list(wards.broker.seen), *list(wards.broker.seen))
    await wards.say("以上")
    await until(lambda: "以上" in wards.heard(), 40)

    after = [node.status() for node in wards.town.nodes.values()]
    assert wards.heard() == ["一度だけ", "以上"]
    assert [a.entries - b.entries for a, b in zip(after, before, strict=True)] == [1, 1]
    assert [a.records for a in after] == [b.records for b in before]


async def test_a_dishonest_broker_can_see_sizes_and_node_ids(wards: Wards) -> None:
    def largest() -> int:
        return max(len(one.payload) for one in wards.broker.sent_by(wards.kita))

    before = largest()
    await wards.say("".join(chr(0x4E00 + number * 7) for number in range(2_000)))
    await until(wards.heard)

    assert {one.sender for one in wards.broker.seen} == {wards.kita, wards.hq}
    assert largest() > before + 1_000


# cannot


async def test_a_dishonest_broker_cannot_read(wards: Wards) -> None:
    await wards.say(*WORDS)
    await until(lambda: wards.heard() == WORDS)
    payloads = [one.payload for one in wards.broker.seen if one.to != "state"]
    marks = [each.encode() for each in (*WORDS, SATO.name, SATO.staff_id)]
    raw = wards.town.nodes["01"]._reader.above(*first_log(wards))[0]

    assert found(raw, marks), "who looks would find it"
    assert sum(map(len, payloads)) > 2_000
    assert not [payload for payload in payloads if found(payload, marks)]


async def test_a_dishonest_broker_cannot_forge(wards: Wards) -> None:
    """What it alters, makes up or moves to another topic is no node's word."""
    await wards.say("本物")
    await until(lambda: wards.heard() == ["本物"])
    held = wards.town.nodes["00"].status().entries
    genuine = wards.broker.sent_by(wards.kita)
    for one in genuine:
        middle = len(one.payload) // 2
        altered = bytearray(one.payload)
        altered[middle] ^= 1
        wards.broker.deliver(
            one._replace(payload=bytes(altered)),
            one._replace(payload=one.payload[:middle]),
            one._replace(topic=one.topic.replace(wards.kita, "7e" * 32)),
            one._replace(payload=bytes([FRAME]) + b"made up"),
        )
    await until(lambda: sum(wards.town.nodes["00"].status().refused.values()) >= 1)
    wards.broker.cut()  # a link that heard such things is closed for a while
    await wards.say("以上")
    await until(lambda: "以上" in wards.heard(), 40)

    assert wards.heard() == ["本物", "以上"]
    assert wards.town.nodes["00"].status().entries == held + 1


async def test_a_dishonest_broker_cannot_pass_for_hq(wards: Wards) -> None:
    """Neither by what 本部 said before nor by what it makes up does 本部 have a message."""
    await wards.say("前")
    await until(lambda: wards.places() == ["archive"])
    hq, network = wards.hq, bytes.fromhex(wards.town.nodes["01"].network.id)
    old = [one for one in wards.broker.seen if one.sender == hq]
    topic = next(one.topic for one in old if one.to == wards.kita)
    incarnation = wards.town.nodes["00"].machine.incarnation  # said in each of its HAVEs
    await wards.town.stop("00")
    vector = wards.town.nodes["01"].machine.vector
    await wards.say("本部はいません")
    forged = make_have(
        Pretender(bytes.fromhex(hq)), network, vector, incarnation, [], 0,
        wards.town.nodes["01"].now_ms() + 60_000, NO_NONCE, {},
    )  # fmt: skip
    frame = encode_frame(Haves([forged.raw]))
    to_all = f"{topic.rsplit('/', 1)[0]}/all"
    wards.broker.deliver(
        *old, *(Publication(each, bytes([FRAME]) + frame) for each in (topic, to_all)), *old
    )
    await asyncio.sleep(0.5)
    # Even if a stolen Pi had told it how to seal:
    kita = wards.town.nodes["01"]
    kita._driver.heard(bytes.fromhex(hq), frame, lambda: None)
    await asyncio.sleep(0.5)

    assert wards.places() == ["archive", "node"]
    assert kita.status().refused["bad_signature"] == 1


async def test_a_dishonest_broker_cannot_hinder_lan_sync(tmp_path: Path) -> None:
    async with two_wards(tmp_path, lan=True) as wards:
        await until(lambda: {"lan", "mqtt"} <= bearers(wards))
        wards.broker.pass_on = lambda one: [one._replace(payload=one.payload[::-1])] * 5
        texts = [f"第{number}報" for number in range(10)]
        await wards.say(*texts)

        await until(lambda: wards.heard() == texts, 5)
        await until(lambda: set(wards.places()) == {"archive"}, 5)


def bearers(wards: Wards) -> set[str]:
    return {link.bearer for link in wards.town.nodes["01"].status().links}


class Pretender(Signer):
    """Signs with a key of its own and calls itself what it likes."""

    def __init__(self, name: bytes) -> None:
        super().__init__(b"the broker's own key".ljust(32, b"."))
        self.public = name


async def test_a_dishonest_broker_cannot_permit_an_eviction(wards: Wards) -> None:
    """本部's word of before permits nothing, however often and late it is brought."""
    kita = wards.town.nodes["01"]
    await wards.say("一", "二", "三")
    await until(lambda: wards.places() == ["archive"] * 3)
    log, _ = first_log(wards)

    def may_go() -> bool:
        return kita.machine.may_evict(log, 1, False, kita._clock.now())

    kita._driver.step(AskArchives())
    await until(may_go)  # its own fresh answer does
    told = wards.broker.sent_by(wards.hq)
    wards.broker.pass_on = lambda one: [] if one.sender == wards.hq else [one]
    kita._driver.step(AskArchives())
    questions = len(wards.broker.sent_by(wards.kita))
    wards.broker.deliver(*told, *reversed(told))
    await until(lambda: len(wards.broker.sent_by(wards.kita)) > questions)
    for _ in range(20):
        assert not may_go()
        await asyncio.sleep(0.05)
    assert wards.places() == ["archive"] * 3

"""The exam that every bearer sits: streams (lan) and lossy datagrams (mqtt).

Real TCP, real TLS, a real Mosquitto. What only one of them promises is in tests/field.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from meshrelay.bearers.base import FRAME_BYTES_MAX, GREETING_BYTES_MAX
from meshrelay.errors import LocalProtocolError, SignatureError
from tests.bearer_exam import (
    NOTICE_PREFIX,
    Ear,
    GuestList,
    LanWorld,
    Member,
    MqttWorld,
    eventually,
    node_id,
    world,
)
from tests.certs import CertificateAuthority

World = LanWorld | MqttWorld
KITA, HQ = "北区", "本部"


@pytest.fixture(params=["lan", "mqtt"])
async def city(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with world(request.param, tmp_path / "network") as made:
        yield made


async def pair(city: World) -> tuple[Member, Member]:
    """北区 and 本部 with a link between them."""
    hq = await city.start(HQ)
    kita = await city.start(KITA, peers=(HQ,))
    await kita.ear.until(lambda ear: ear.links)
    await hq.ear.until(lambda ear: ear.links)
    return kita, hq


async def test_two_admitted_nodes_get_one_link_each(city: World) -> None:
    kita, hq = await pair(city)

    assert [link.peer for link in kita.ear.ups] == [hq.node_id]
    assert [link.peer for link in hq.ear.ups] == [kita.node_id]
    assert {link.bearer for link in kita.ear.ups + hq.ear.ups} == {city.kind}
    assert [link.lossy for link in kita.ear.ups] == [city.kind == "mqtt"]
    assert kita.bearer.word == "connected"
    assert not kita.ear.downs and not hq.ear.downs and not kita.refused and not hq.refused


async def test_frames_arrive_whole(city: World) -> None:
    kita, hq = await pair(city)
    rng = random.Random(7)
    sizes = [1, FRAME_BYTES_MAX, *(rng.randint(1, 20_000) for _ in range(60))]
    there = [rng.randbytes(size) for size in sizes]
    back = [rng.randbytes(size) for size in sizes]

    for one, other in zip(there, back, strict=True):
        kita.ear.links[0].send(one)
        hq.ear.links[0].send(other)
    await hq.ear.until(lambda ear: len(ear.frames) >= len(there))
    await kita.ear.until(lambda ear: len(ear.frames) >= len(back))

    if city.kind == "lan":
        assert hq.ear.frames == there and kita.ear.frames == back
    else:
        assert sorted(hq.ear.frames) == sorted(there)
        assert sorted(kita.ear.frames) == sorted(back)


async def test_a_frame_over_the_limit_is_our_own_bug(city: World) -> None:
    kita, _hq = await pair(city)

    for frame in (bytes(FRAME_BYTES_MAX + 1), b""):
        with pytest.raises(LocalProtocolError):
            kita.ear.links[0].send(frame)


async def test_a_closed_link_goes_down_once_at_both_ends(city: World) -> None:
    kita, hq = await pair(city)
    link = hq.ear.links[0]

    link.close("refused by the node")
    link.close("again")
    assert not hq.ear.downs, "down came from inside close"
    await hq.ear.until(lambda ear: ear.downs)
    await kita.ear.until(lambda ear: ear.downs)

    assert hq.ear.downs == [(link, "refused by the node")]
    assert [reason for _link, reason in kita.ear.downs] == ["closed by peer"]
    link.send(b"dropped silently")
    link.close("too late")


async def test_a_node_that_is_not_on_the_list_never_gets_a_link(city: World) -> None:
    city.network.enrol(HQ)
    hq = await city.start(HQ, doorman=GuestList(node_id(HQ), {}))
    stranger = await city.start(KITA, peers=(HQ,))

    await hq.refused_for("unknown_node")

    assert not hq.ear.ups
    await stranger.ear.until(lambda ear: not ear.links)


async def test_a_barred_node_gets_no_link_and_is_told_why(city: World) -> None:
    guests, own = city.network.doorman(HQ), city.network.doorman(KITA)
    guests.barred[node_id(KITA)] = "suspended"
    own.met.add(node_id(HQ))  # of somebody it does not know it would read nothing
    hq = await city.start(HQ, doorman=guests)
    kita = await city.start(KITA, peers=(HQ,), doorman=own)

    await kita.ear.until(lambda ear: ear.broadcasts)

    assert kita.ear.broadcasts[0] == (hq.node_id, NOTICE_PREFIX + b"suspended")
    await hq.refused_for("suspended")
    assert not hq.ear.ups and not kita.ear.ups


async def test_a_greeting_over_the_limit_is_refused(city: World) -> None:
    class Talker(GuestList):
        def __init__(self, own: bytes, guests: dict[bytes, bytes]) -> None:
            super().__init__(own, guests)
            self.greeting = bytes(GREETING_BYTES_MAX + 1)

    hq = await city.start(HQ)
    city.network.enrol(KITA)
    await city.start(KITA, peers=(HQ,), doorman=Talker(node_id(KITA), city.network.guests))

    await hq.refused_for("oversize_greeting")

    assert not hq.ear.ups


async def test_a_certificate_of_another_authority_gets_nowhere(city: World, tmp_path: Path) -> None:
    hq = await city.start(HQ)
    forged = CertificateAuthority(tmp_path / "foreign").node("kita", node_id(KITA).hex())
    files = replace(forged, ca=city.network.authority.ca)  # it trusts us; we must not trust it
    stranger = await city.start(KITA, peers=(HQ,), files=files, wait=False)

    if isinstance(city, LanWorld):
        await hq.refused_for("tls")
    else:
        await eventually(lambda: stranger.bearer.word.startswith("refused: "), "refused")

    assert not hq.ear.ups and not stranger.ear.ups


async def test_a_peer_that_restarts_is_a_new_link(city: World) -> None:
    kita, hq = await pair(city)

    await kita.stop()
    await hq.ear.until(lambda ear: len(ear.downs) == 1)
    again = await city.start(KITA, peers=(HQ,))
    await again.ear.until(lambda ear: ear.links)
    await hq.ear.until(lambda ear: len(ear.ups) == 2)
    again.ear.links[0].send("戻りました".encode())
    await hq.ear.until(lambda ear: ear.frames)

    assert [reason for _link, reason in kita.ear.downs] == ["stopping"]
    assert len(hq.ear.downs) == 1


async def test_a_driver_that_finds_a_bad_frame_loses_the_link_only(city: World) -> None:
    class Strict(Ear):
        def frame(self, link: object, data: bytes, done: object) -> None:
            raise SignatureError("bad_signature")

    hq = await city.start(HQ, ear=Strict())
    kita = await city.start(KITA, peers=(HQ,))
    await kita.ear.until(lambda ear: ear.links)
    kita.ear.links[0].send(b"forged")

    await hq.ear.until(lambda ear: ear.downs)

    assert hq.ear.downs[0][1] == "bad_signature"
    assert hq.refused == {"bad_signature": 1}
    assert not hq.task.done()


async def test_a_broadcast_reaches_everybody_where_there_is_a_topic(city: World) -> None:
    kita, hq = await pair(city)

    kita.bearer.broadcast("避難指示".encode())
    kita.ear.links[0].send(b"after")
    await hq.ear.until(lambda ear: ear.frames)

    if city.kind == "mqtt":
        await hq.ear.until(lambda ear: ear.broadcasts)
        assert hq.ear.broadcasts == [(kita.node_id, "避難指示".encode())]
    assert not kita.ear.broadcasts


async def test_stopping_ends_every_link_and_leaves_no_task(city: World) -> None:
    kita, hq = await pair(city)

    await kita.stop()
    await hq.stop()
    await asyncio.sleep(0)

    assert not kita.ear.links and not hq.ear.links
    ours = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await eventually(lambda: all(task.done() for task in ours), "tasks ended", 3.0)

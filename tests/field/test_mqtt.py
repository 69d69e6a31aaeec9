"""What only links through a broker promise, with a real Mosquitto and a real amqtt."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest
from amqtt.broker import Broker as Amqtt

from meshrelay.bearers import mqtt
from meshrelay.bearers.mqtt import AckingClient, MqttBearer, PublishRefusedError
from tests.bearer_exam import (
    FAKETIME,
    NETWORK,
    Ear,
    Member,
    MqttWorld,
    Network,
    eventually,
    free_port,
    node_id,
    world,
)
from tests.certs import CertificateAuthority

KITA, CHUO, NISHINARI, HQ = "北区", "中央区", "西成区", "本部"
ROOT = f"meshrelay/1/{NETWORK.hex()}"


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[MqttWorld]:
    async with world("mqtt", tmp_path / "network") as made:
        assert isinstance(made, MqttWorld)
        yield made


async def pair(city: MqttWorld, ear: Ear | None = None) -> tuple[Member, Member]:
    hq = await city.start(HQ, ear=ear)
    kita = await city.start(KITA, peers=(HQ,))
    await kita.ear.until(lambda ear: ear.links)
    await hq.ear.until(lambda ear: ear.links)
    return kita, hq


@contextlib.asynccontextmanager
async def raw(
    city: MqttWorld, name: str, will: aiomqtt.Will | None = None
) -> AsyncIterator[AckingClient]:
    """A client with the node's certificate that does what it likes."""
    client = AckingClient(
        "127.0.0.1",
        city.broker.port,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        identifier="raw",
        tls_context=city.network.enrol(name).contexts().client,
        will=will,
    )
    async with client.connection():
        yield client


async def test_puback_goes_out_only_after_done(city: MqttWorld) -> None:
    kita, hq = await pair(city, Ear(stored_at_once=False))

    def acknowledged() -> int:
        return len(re.findall(f"Received PUBACK from {hq.node_id.hex()}", city.broker.logged()))

    before = acknowledged()
    for number in range(5):
        kita.ear.links[0].send(b"entry %d" % number)
    await hq.ear.until(lambda ear: len(ear.frames) == 5)
    await asyncio.sleep(0.2)
    assert acknowledged() == before, "acknowledged before it was stored"

    for done in hq.ear.unstored[:3]:
        done()
        done()  # twice is once
    await eventually(lambda: acknowledged() >= before + 3, "PUBACK after done")
    hq.ear.unstored[3]()
    await eventually(lambda: acknowledged() >= before + 4, "the fourth")


async def test_the_broker_waits_while_nothing_is_stored(city: MqttWorld) -> None:
    kita, hq = await pair(city, Ear(stored_at_once=False))
    for number in range(mqtt.RECEIVE_MAX * 2):
        kita.ear.links[0].send(b"%d" % number)
    await hq.ear.until(lambda ear: len(ear.frames) >= mqtt.RECEIVE_MAX - 2)
    await asyncio.sleep(0.3)
    assert len(hq.ear.frames) <= mqtt.RECEIVE_MAX

    hq.ear.stored_at_once = True
    for done in hq.ear.unstored:
        done()
    await hq.ear.until(lambda ear: len(ear.frames) == mqtt.RECEIVE_MAX * 2)


async def test_done_of_a_lost_connection_is_harmless(city: MqttWorld) -> None:
    kita, hq = await pair(city, Ear(stored_at_once=False))
    kita.ear.links[0].send(b"entry")
    await hq.ear.until(lambda ear: ear.frames)

    city.broker.kill()
    await hq.ear.until(lambda ear: ear.downs)
    for done in hq.ear.unstored:
        done()


async def test_links_come_back_with_the_broker(city: MqttWorld) -> None:
    kita, hq = await pair(city)

    city.broker.kill()
    await kita.ear.until(lambda ear: ear.downs)
    await hq.ear.until(lambda ear: ear.downs)
    assert [reason for _link, reason in kita.ear.downs + hq.ear.downs] == ["broker lost"] * 2
    kita.bearer.broadcast(b"nobody is there")
    await eventually(lambda: kita.bearer.word.startswith("refused: "), "says why")
    await asyncio.to_thread(city.broker.start)

    await kita.ear.until(lambda ear: ear.links, 15.0)
    await hq.ear.until(lambda ear: ear.links, 15.0)
    kita.ear.links[0].send(b"after the outage")
    await hq.ear.until(lambda ear: ear.frames)


@pytest.mark.parametrize("publishing", [True, False])
async def test_a_frozen_broker_is_noticed(
    city: MqttWorld, monkeypatch: pytest.MonkeyPatch, publishing: bool
) -> None:
    """By the publish that nobody acknowledges, or by the keepalive alone."""
    monkeypatch.setattr(mqtt, "PUBLISH_SECONDS_BASE", 0.5)
    monkeypatch.setattr(mqtt, "CONNECT_SECONDS_MAX", 0.5)
    monkeypatch.setattr(mqtt, "KEEPALIVE_S", 1)
    kita, _hq = await pair(city)

    city.broker.signal(signal.SIGSTOP)
    if publishing:
        kita.ear.links[0].send(b"into the ice")
    await kita.ear.until(lambda ear: ear.downs, 6.0)
    await eventually(lambda: kita.bearer.word.startswith("refused: "), "says why")
    city.broker.signal(signal.SIGCONT)

    await kita.ear.until(lambda ear: ear.links, 15.0)


async def test_a_broker_and_nodes_without_a_clock_meet(tmp_path: Path) -> None:
    """Mosquitto does check dates: certificates begin in 1970, where a Pi may wake up."""
    if not FAKETIME:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have faketime")
        pytest.skip("needs faketime")
    city = MqttWorld(Network(tmp_path / "network"))
    city.broker.clock = "1970-01-02 00:00:00"
    await city.open()
    try:
        await pair(city)
    finally:
        await city.close()


FOREIGN_LEAVES = {
    "to a node": f"{ROOT}/{node_id(KITA).hex()}/{node_id(HQ).hex()}",
    "to ourselves": f"{ROOT}/{node_id(KITA).hex()}/{node_id(NISHINARI).hex()}",
    "all": f"{ROOT}/{node_id(KITA).hex()}/all",
    "state": f"{ROOT}/{node_id(KITA).hex()}/state",
    "deeper": f"{ROOT}/{node_id(NISHINARI).hex()}/all/more",
    "no leaf": f"{ROOT}/{node_id(NISHINARI).hex()}",
    "another network": f"meshrelay/1/{'0' * 32}/{node_id(NISHINARI).hex()}/all",
    "elsewhere": "mayor/orders",
}


@pytest.mark.parametrize("leaf", FOREIGN_LEAVES)
async def test_a_node_cannot_write_anothers_leaf(city: MqttWorld, leaf: str) -> None:
    hq = await city.start(HQ)

    async with raw(city, NISHINARI) as nishinari:
        with pytest.raises(PublishRefusedError) as refused:
            await nishinari.publish_acked(FOREIGN_LEAVES[leaf], b"forged", retain=True)
        assert refused.value.code == mqtt.NOT_AUTHORISED

    assert not hq.ear.frames and not hq.ear.broadcasts and not hq.refused


async def test_a_node_cannot_leave_a_will_under_another_name(city: MqttWorld) -> None:
    kita, hq = await pair(city)
    will = aiomqtt.Will(FOREIGN_LEAVES["state"], b'{"online": false, "boot": 9}', 1, True)

    with contextlib.suppress(aiomqtt.MqttError):  # the broker may not even take it in
        async with raw(city, NISHINARI, will):
            pass  # cut without a goodbye
    kita.ear.links[0].send(b"still here")
    await hq.ear.until(lambda ear: ear.frames)

    assert not hq.ear.downs


async def test_a_node_reads_what_is_for_it_and_for_everybody_and_nothing_else(
    city: MqttWorld,
) -> None:
    kita, hq = await pair(city)
    own = f"{ROOT}/{node_id(NISHINARI).hex()}"

    async with raw(city, NISHINARI) as nishinari:
        for pattern in ("#", "$SYS/#", f"{ROOT}/+/{node_id(HQ).hex()}", f"{ROOT}/#"):
            await nishinari.subscribe(pattern, qos=1)
        kita.ear.links[0].send(b"for hq alone")
        await hq.ear.until(lambda ear: ear.frames)
        await nishinari.publish_acked(f"{own}/{node_id(NISHINARI).hex()}", b"to myself")
        heard = set()
        async with asyncio.timeout(10):
            async for message in nishinari.messages:
                heard.add(str(message.topic).removeprefix(f"{ROOT}/"))
                if message.payload == b"to myself":
                    break

    leaves = {topic.partition("/")[2] for topic in heard}
    assert leaves == {"state", node_id(NISHINARI).hex()}


async def test_nobody_gets_in_without_a_certificate_of_the_network(
    city: MqttWorld, tmp_path: Path
) -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    foreign = CertificateAuthority(tmp_path / "foreign").node("kita", node_id(KITA).hex())
    strange = foreign.contexts().client
    for context in (bare, strange, None):
        if context is not None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client(
                "127.0.0.1", city.broker.port, tls_context=context, timeout=1
            ) as client:
                await client.publish(FOREIGN_LEAVES["state"], b"forged", qos=1)

    assert "New client connected" not in city.broker.logged()


async def test_a_node_cannot_take_anothers_client_id(city: MqttWorld) -> None:
    kita, _hq = await pair(city)
    names = re.findall(r"New client connected from \S+ as (\S+)", city.broker.logged())
    assert node_id(KITA).hex() in names, "the client id is bound to the certificate"

    client = AckingClient(
        "127.0.0.1",
        city.broker.port,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        identifier=node_id(KITA).hex(),
        tls_context=city.network.enrol(NISHINARI).contexts().client,
    )
    async with client.connection():
        await asyncio.sleep(0.2)

    assert not kita.ear.downs


async def test_a_refused_topic_is_parked_and_counted(city: MqttWorld) -> None:
    """The broker's ACL knows another network: every publish is refused with 135."""
    acl = city.network.directory / "acl"
    acl.write_text(acl.read_text().replace(NETWORK.hex(), "0" * 32))
    city.broker.signal(signal.SIGHUP)
    await asyncio.sleep(1.0)  # the broker reads its ACL anew
    kita = await city.start(KITA, peers=(HQ,), wait=False)

    await kita.refused_for("broker_not_authorised")
    await kita.refused_for("parked")
    refusals = kita.refused["broker_not_authorised"]
    await asyncio.sleep(1.0)

    assert kita.refused["broker_not_authorised"] - refusals <= 2, "refused again and again"
    assert not kita.ear.ups and not kita.task.done()


async def test_a_node_that_dies_is_taken_down_by_its_will(city: MqttWorld) -> None:
    kita, hq = await pair(city)

    async with raw(city, KITA):  # takes the connection over: the broker sends the will
        await hq.ear.until(lambda ear: ear.downs)

    assert [reason for _link, reason in hq.ear.downs] == ["peer offline"]
    await hq.ear.until(lambda ear: ear.links, 15.0)
    await kita.ear.until(lambda ear: ear.links, 15.0)


async def test_state_is_retained_and_tells_people(city: MqttWorld) -> None:
    facts = {"version": "0.1.0", "backlog": [0, 0, 0, 0], "ward": "北区"}
    kita = await city.start(KITA, state=lambda: dict(facts))

    async with raw(city, NISHINARI) as reader:
        await reader.subscribe(f"{ROOT}/+/state", qos=1)
        messages = aiter(reader.messages)
        first = await anext(messages)
        facts["backlog"] = [1, 0, 0, 0]
        assert isinstance(kita.bearer, MqttBearer)
        kita.bearer.publish_state()
        second = await anext(messages)
        await kita.stop()
        last = await anext(messages)

    said = [json.loads(bytes(message.payload)) for message in (first, second, last)]
    assert first.retain and [state["online"] for state in said] == [True, True, False]
    assert said[0]["ward"] == "北区" and said[1]["backlog"] == [1, 0, 0, 0]
    assert {state["boot"] for state in said} == {1}


async def test_a_late_will_of_our_own_past_is_overruled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a broker that does not bind client ids, the old will may come after our word."""
    monkeypatch.setattr(mqtt, "CONNECT_SECONDS_MAX", 0.5)
    async with plain_broker() as port:
        kita = plain_bearer(tmp_path, port, KITA)
        task = asyncio.create_task(kita.run())
        await eventually(lambda: kita.word == "connected", "connected")
        topic = f"{ROOT}/{node_id(KITA).hex()}/state"
        async with aiomqtt.Client("127.0.0.1", port) as ghost:
            await ghost.publish(topic, b'{"online": false, "boot": 0}', qos=1, retain=True)
            await ghost.subscribe(topic, qos=1)
            states = aiter(ghost.messages)
            async with asyncio.timeout(5):
                while not json.loads(bytes((await anext(states)).payload))["online"]:
                    pass
        await stopped(task)


async def test_a_broker_that_knows_only_3_1_1_serves_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_SECONDS_MAX", 0.5)
    async with plain_broker() as port:
        ears = {name: Ear() for name in (HQ, KITA)}
        bearers = {name: plain_bearer(tmp_path, port, name, ears[name]) for name in (HQ, KITA)}
        tasks = [asyncio.create_task(bearer.run()) for bearer in bearers.values()]
        await ears[KITA].until(lambda ear: ear.links, 20.0)
        await ears[HQ].until(lambda ear: ear.links, 20.0)
        ears[KITA].links[0].send(b"by 3.1.1")
        bearers[KITA].broadcast(b"to all")
        await ears[HQ].until(lambda ear: ear.frames and ear.broadcasts)

        assert not ears[KITA].broadcasts, "our own word came back and was taken"
        for task in tasks:
            await stopped(task)


def plain_bearer(directory: Path, port: int, name: str, ear: Ear | None = None) -> MqttBearer:
    network = Network(directory / name)
    for ward in (KITA, HQ):
        network.enrol(ward)
    return MqttBearer(
        network.doorman(name),
        ear or Ear(),
        "127.0.0.1",
        port,
        None,
        NETWORK,
        network.sealer(name),
        lambda: [node_id(HQ)],
        dict,
        boot=3,
    )


@contextlib.asynccontextmanager
async def plain_broker() -> AsyncIterator[int]:
    port = free_port()
    broker = Amqtt(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
        }
    )
    await broker.start()
    try:
        yield port
    finally:
        await broker.shutdown()


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

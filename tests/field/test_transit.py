"""What a broker learns and can do: real nodes, a real Mosquitto, and its operator."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Iterable
from pathlib import Path

import aiomqtt

from meshrelay.bearers.mqtt import NO_KEY, AckingClient
from meshrelay.cli.authority import pack_records, unpack_records
from meshrelay.core.frames import Entries, encode_frame
from meshrelay.core.records import TRANSIT
from tests.brokered import Brokered, brokered, spread
from tests.town import MAYOR, SATO, until

HQ, KITA, CHUO = "00", "01", "02"
WORDS = 20


def found(payload: bytes, marks: Iterable[bytes]) -> set[bytes]:
    """Which marks a payload shows to who looks for them, also in what is deflated in it."""
    shown = [payload]
    for start in range(len(payload)):
        try:
            shown.append(zlib.decompressobj(-15).decompress(payload[start:], 65_536))
        except zlib.error:
            continue
    return {mark for mark in marks if any(mark in each for each in shown)}


async def listen(client: AckingClient, heard: list[tuple[str, bytes]]) -> None:
    async for message in client.messages:
        assert isinstance(message.payload, bytes)
        heard.append((str(message.topic), message.payload))
        client.acknowledge(message)


async def talk(city: Brokered) -> list[bytes]:
    """20 marked words, said at 北区 and at HQ and shown at both; the words."""
    marks = [secrets.token_hex(8) for _ in range(WORDS)]
    sato, mayor = await city.town.log_in(KITA, SATO), await city.town.log_in(HQ, MAYOR)
    for number, mark in enumerate(marks):
        ward, seat = ((KITA, sato), (HQ, mayor))[number % 2]
        await city.town.say(ward, seat, f"{number} {mark}")
    for ward, seat in ((KITA, sato), (HQ, mayor)):
        await until(lambda ward=ward, seat=seat: len(city.town.room(ward, seat)) == WORDS)
    return [mark.encode() for mark in marks]


async def test_the_broker_finds_none_of_twenty_marked_words(tmp_path: Path) -> None:
    heard: list[tuple[str, bytes]] = []
    async with brokered(tmp_path) as city, city.operator() as operator:
        listening = asyncio.create_task(listen(operator, heard))
        marks = await talk(city)
        listening.cancel()
        store = city.nodes[KITA]._store.connection
        raw = store.execute("SELECT raw FROM entries WHERE instr(raw, ?)", (marks[0],)).get
        in_clear = encode_frame(Entries(city.network.network, [raw], [0], []))
    sealed = [payload for topic, payload in heard if not topic.endswith("/state")]

    assert found(b"\x01" + in_clear, marks) == {marks[0]}, "who looks would find it"
    assert len(sealed) > WORDS / 2
    assert not [payload for _, payload in heard if found(payload, marks)]
    names = [clerk.name.encode() for clerk in (SATO, MAYOR)]
    assert not [payload for _, payload in heard if found(payload, names)]


async def test_what_the_broker_alters_moves_or_repeats_is_refused_and_counted(
    tmp_path: Path,
) -> None:
    heard: list[tuple[str, bytes]] = []
    async with brokered(tmp_path, (HQ, KITA, CHUO)) as city, city.operator() as operator:
        listening = asyncio.create_task(listen(operator, heard))
        await talk(city)
        await until(lambda: len({node.status().digest for node in city.nodes.values()}) == 1)
        hq = city.nodes[HQ]
        await until(lambda: len(hq.status().links) == 2)
        before = hq.status()
        to_hq, other = city.topic(KITA, HQ), city.topic(CHUO, HQ)
        captured = [payload for topic, payload in heard if topic == to_hq][:15]
        for payload in captured:
            for altered in (
                payload[:-1],
                payload[:30],
                payload[:20] + bytes([payload[20] ^ 1]) + payload[21:],
                payload[:-1] + bytes([payload[-1] ^ 0x80]),
                b"\x01" + payload,
            ):
                await operator.publish_acked(to_hq, altered)
            await operator.publish_acked(other, payload)
            await operator.publish_acked(to_hq, payload)

        def counted() -> dict[str, int]:
            reasons = ("bad_seal", "payload_replayed", "unknown_transit_key")
            return {each: hq.status().refused.get(each, 0) for each in reasons}

        await until(lambda: sum(counted().values()) >= 7 * len(captured))
        listening.cancel()
        after, refused = hq.status(), counted()

    assert refused == {
        "bad_seal": 5 * len(captured),
        "payload_replayed": len(captured),
        "unknown_transit_key": len(captured),
    }
    assert (after.digest, after.entries, after.records, [each.up_ms for each in after.links]) == (
        before.digest, before.entries, before.records, [each.up_ms for each in before.links]
    )  # fmt: skip


async def test_what_is_published_in_clear_is_not_taken(tmp_path: Path) -> None:
    async with brokered(tmp_path) as city, city.operator() as operator:
        hq = city.nodes[HQ]
        await until(lambda: hq.status().links)
        frame = encode_frame(Entries(city.network.network, [], [], []))
        topics = (city.topic(KITA, HQ), f"{city.root}/{city.nodes[KITA].me.id}/all")
        for topic in topics:
            await operator.publish_acked(topic, b"\x01" + frame)

        await until(lambda: sum(hq.status().refused.get(each, 0) for each in ("bad_seal",)) == 2)


async def test_a_raised_generation_is_used_without_a_restart_and_locks_nobody_out(
    tmp_path: Path,
) -> None:
    """The new keys are at HQ alone; 北区 is linked, 中央区 is away while it happens."""
    async with brokered(tmp_path, (HQ, KITA, CHUO), start=(HQ, KITA)) as city:
        sato, mayor = await city.town.log_in(KITA, SATO), await city.town.log_in(HQ, MAYOR)
        await until(lambda: city.nodes[HQ].status().links)
        spread(city.nodes[HQ], city.transit_records(2))
        newest = lambda ward: city.nodes[ward]._mqtt._sealer.newest  # noqa: E731
        await until(lambda: newest(HQ) == 2)
        await until(lambda: newest(KITA) == 2)
        await city.town.say(KITA, sato, "新しい鍵で")
        await until(lambda: len(city.town.room(HQ, mayor)) == 1)

        await city.town.start(CHUO)
        assert newest(CHUO) == 1
        await until(lambda: newest(CHUO) == 2)
        late = await city.town.log_in(CHUO, SATO)
        await until(lambda: len(city.town.room(CHUO, late)) == 1)
        await city.town.say(CHUO, late, "中央区も")
        await until(lambda: len(city.town.room(HQ, mayor)) == 2)


async def test_an_archive_that_missed_the_rotation_is_brought_its_key_by_a_ward(
    tmp_path: Path,
) -> None:
    async with brokered(tmp_path) as city:
        await until(lambda: city.nodes[HQ].status().links)
        spread(city.nodes[KITA], city.transit_records(2))

        await until(lambda: city.nodes[HQ]._mqtt._sealer.newest == 2)  # type: ignore[union-attr]
        sato, mayor = await city.town.log_in(KITA, SATO), await city.town.log_in(HQ, MAYOR)
        await city.town.say(KITA, sato, "届きますか")
        await until(lambda: len(city.town.room(HQ, mayor)) == 1)


async def test_without_a_transit_key_nothing_is_published_and_the_node_says_what_to_do(
    tmp_path: Path,
) -> None:
    async with brokered(tmp_path, start=()) as city, city.operator() as operator:
        heard: list[tuple[str, bytes]] = []
        listening = asyncio.create_task(listen(operator, heard))
        enrolment = city.town.directory / KITA / "enrolment.cbor"
        records = unpack_records(enrolment.read_bytes(), "test")
        kept = [record for record in records if record.type != TRANSIT]
        enrolment.write_bytes(pack_records(kept))
        kita = await city.town.start(KITA)
        await until(lambda: kita.status().bearers["mqtt"] == NO_KEY)
        await asyncio.sleep(1.5)
        assert not heard and "転送鍵がありません" in NO_KEY and "node enrol" in NO_KEY

        spread(kita, [record for record in records if record.type == TRANSIT])
        await until(lambda: kita.status().bearers["mqtt"] == "connected")
        listening.cancel()


async def test_a_broker_that_says_it_was_for_us_is_not_believed(tmp_path: Path) -> None:
    """A payload for another, delivered under its own topic to us: the seal would open."""
    async with brokered(tmp_path, (HQ, KITA, CHUO)) as city, city.operator() as operator:
        await until(lambda: len(city.nodes[HQ].status().links) == 2)
        mqtt = city.nodes[CHUO]._mqtt
        assert mqtt is not None
        captured = asyncio.get_running_loop().create_future()

        async def first_for_hq() -> None:
            async for message in operator.messages:
                if str(message.topic) == city.topic(KITA, HQ) and not captured.done():
                    captured.set_result(message)
                operator.acknowledge(message)

        listening = asyncio.create_task(first_for_hq())
        await talk_once(city)
        message: aiomqtt.Message = await captured
        listening.cancel()
        mqtt._take(operator, message)

        assert mqtt.refused["bad_topic"] == 1


async def talk_once(city: Brokered) -> None:
    await city.town.say(KITA, await city.town.log_in(KITA, SATO), "本部へ")

"""Copies of MQTT packets: the same but for their id."""

from __future__ import annotations

import asyncio

from tests.lab.replay import packet_id, read_packet, with_id

# PUBLISH, QoS 1, topic "a/b", id 7, no properties, payload of 200 bytes: a length of two bytes.
BODY = b"\x00\x03a/b" + b"\x00\x07" + b"\x00" + b"x" * 200
PUBLISH = bytes([0x32, len(BODY) & 0x7F | 0x80, len(BODY) >> 7]) + BODY
PUBACK = b"\x40\x02\x80\x01"


async def test_packets_are_read_whole_and_one_by_one() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(PUBLISH + PUBACK)

    assert await read_packet(reader) == PUBLISH
    assert await read_packet(reader) == PUBACK


def test_the_id_is_found_behind_the_topic() -> None:
    assert (packet_id(PUBLISH), packet_id(PUBACK)) == (7, 0x8001)


def test_a_copy_differs_in_its_id_alone() -> None:
    copy = with_id(PUBLISH, 0x8001)

    assert packet_id(copy) == 0x8001
    assert with_id(copy, 7) == PUBLISH

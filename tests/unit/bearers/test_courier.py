"""The courier file: sealed blocks of which every whole one can be read, and no other."""

from __future__ import annotations

import io
import os
import tracemalloc
from itertools import pairwise

import pytest

from meshrelay.bearers import courier
from meshrelay.bearers.courier import (
    BLOCK_HEAD_BYTES,
    DAMAGE_MAX,
    FRAME,
    HEAD_BYTES,
    MAGIC,
    SEALED_BYTES_MAX,
    CourierReader,
    CourierWriter,
    file_name,
)
from meshrelay.core.book import RecordBook
from meshrelay.errors import FrameError
from meshrelay.node.identity import Box
from meshrelay.node.transit import TransitKeys
from tests.transit import box_of, seal_key
from tests.unit.core.city import KITA, NETWORK

WORDS = [f"{number}番の避難所を開けました".encode() * (number + 1) for number in range(8)]


def keys(*generations: int) -> TransitKeys:
    """A node that holds the keys of these generations, and has opened nothing yet."""
    book = RecordBook(NETWORK)
    for generation in generations:
        sealed = seal_key(box_of(KITA.public.hex())[0], generation)
        book.transit[KITA.public, generation] = sealed
    return TransitKeys(book, KITA.public, Box(box_of(KITA.public.hex())[1]))


def written(contents: list[bytes] = WORDS, generation: int = 1) -> bytes:
    file = io.BytesIO()
    writer = CourierWriter(file, keys(generation), NETWORK)
    for content in contents:
        writer.put(FRAME, content)
    writer.end()
    assert writer.bytes_written == len(file.getvalue())
    return file.getvalue()


def read(data: bytes, *generations: int) -> tuple[list[bytes], CourierReader]:
    reader = CourierReader(io.BytesIO(data), keys(*(generations or (1,))), NETWORK)
    return [block.content for block in reader], reader


def starts(data: bytes) -> list[int]:
    """Where each block begins, and where the last one ends."""
    found, at = [], HEAD_BYTES
    while at < len(data):
        found.append(at)
        at += BLOCK_HEAD_BYTES + int.from_bytes(data[at + 12 : at + 16], "big")
    return [*found, at]


def blocks(data: bytes) -> list[bytes]:
    places = starts(data)
    return [data[first:end] for first, end in pairwise(places)]


def test_what_was_written_is_read_and_nothing_is_missing() -> None:
    contents, reader = read(written())

    assert contents == WORDS
    assert reader.whole and not reader.damage


def test_a_file_cut_at_any_byte_gives_every_whole_block() -> None:
    data = written()
    ends = starts(data)[1:]
    for cut in range(HEAD_BYTES, len(data)):
        contents, reader = read(data[:cut])

        assert contents == WORDS[: sum(end <= cut for end in ends)]
        assert not reader.whole


@pytest.mark.parametrize("lost", range(8))
def test_a_lost_block_takes_no_other_with_it(lost: int) -> None:
    data = written()
    parts = blocks(data)
    del parts[lost]

    contents, reader = read(data[:HEAD_BYTES] + b"".join(parts))

    assert contents == WORDS[:lost] + WORDS[lost + 1 :]
    assert not reader.whole


@pytest.mark.parametrize("size", [1, 16, 100, 512])
def test_a_stick_that_lost_a_sector_loses_only_the_blocks_in_it(size: int) -> None:
    data = written()
    ends = starts(data)
    for at in range(HEAD_BYTES, len(data) - size, 97):
        damaged = data[:at] + bytes(size) + data[at + size :]
        # A sealed byte is zero now and then, and not lost with its sector.
        hit = {n for n in range(8) if _part(damaged, ends, n) != _part(data, ends, n)}
        contents, reader = read(damaged)

        assert contents == [words for n, words in enumerate(WORDS) if n not in hit]
        assert reader.whole == (damaged == data)


def _part(data: bytes, ends: list[int], n: int) -> bytes:
    return data[ends[n] : ends[n + 1]]


def test_blocks_that_were_swapped_or_doubled_are_noticed_and_read_once() -> None:
    data = written()
    head, parts = data[:HEAD_BYTES], blocks(data)

    swapped, one = read(head + b"".join([parts[0], parts[2], parts[1], *parts[3:]]))
    doubled, two = read(head + b"".join([parts[0], parts[0], *parts[1:]]))

    assert swapped == [WORDS[0], *WORDS[2:]] and doubled == WORDS
    assert not one.whole and not two.whole
    assert one.damage == two.damage == {"out_of_place": 1}


def test_a_block_of_another_file_opens_in_none() -> None:
    mine, other = written(), written([b"x" * len(each) for each in WORDS])
    parts = blocks(other)
    moved = mine[HEAD_BYTES : HEAD_BYTES + 8] + parts[1][8:]

    contents, reader = read(mine[:HEAD_BYTES] + b"".join([blocks(mine)[0], moved]))

    assert contents == WORDS[:1] and reader.damage["bad_seal"] == 1


def test_what_hangs_on_at_the_end_is_noticed() -> None:
    contents, reader = read(written() + b"\0")

    assert contents == WORDS and not reader.whole


def test_a_key_that_is_held_opens_and_one_that_is_not_does_not() -> None:
    data = written(generation=2)

    assert read(data, 1, 2)[0] == WORDS
    contents, reader = read(data, 1)
    assert contents == [] and set(reader.damage) == {"unknown_transit_key"}


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "not_a_courier_file"),
        (MAGIC, "not_a_courier_file"),
        (b"PK\3\4" + bytes(100), "not_a_courier_file"),
        (MAGIC + b"\2" + NETWORK[:8] + bytes(16), "unknown_version"),
        (MAGIC + b"\1" + bytes(8) + bytes(16), "foreign_network"),
    ],
)
def test_a_file_of_something_else_is_refused_by_its_head(head: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        read(head)

    assert refused.value.reason == reason


def test_random_bytes_hold_nothing() -> None:
    contents, reader = read(written()[:HEAD_BYTES] + os.urandom(300_000))

    assert contents == [] and not reader.whole


def test_a_hostile_file_costs_little_memory_and_an_end_of_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = 0
    one = keys(1)
    opened = one.open

    def count(payload: bytes, topic: str) -> object:
        nonlocal tried
        tried += 1
        return opened(payload, topic)

    monkeypatch.setattr(one, "open", count)
    head = written()[:HEAD_BYTES]
    marker = head[-16:-8]
    largest = marker + bytes(4) + SEALED_BYTES_MAX.to_bytes(4, "big")
    huge = marker + b"\xff" * 8
    file = io.BytesIO(head + (largest + huge) * 100_000)
    tracemalloc.start()

    reader = CourierReader(file, one, NETWORK)
    found = list(reader)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == [] and tried <= DAMAGE_MAX == reader.damage.total()
    assert peak < 2 * 1024 * 1024


def test_a_file_is_called_after_network_writer_and_time_and_fits_fat() -> None:
    name = file_name(NETWORK, KITA.public, 1_795_000_000_123)

    assert name == (
        f"meshrelay-{NETWORK.hex()[:8]}-{KITA.public.hex()[:8]}-20261118T110640123.courier"
    )
    assert not set(name) & set('<>:"/\\|?*')


def test_a_marker_across_two_looks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written()
    for look in range(9, 40):
        monkeypatch.setattr(courier, "_SCAN_BYTES", look)
        damaged = data[:HEAD_BYTES] + b"\0" + data[HEAD_BYTES + 1 :]

        assert read(damaged)[0] == WORDS[1:]

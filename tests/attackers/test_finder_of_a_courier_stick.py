"""The finder of a courier stick: has every byte of it, and as much time as they like."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from meshrelay.bearers.courier import HEAD_BYTES, CourierReader
from meshrelay.errors import FrameError
from meshrelay.node.identity import load_keys
from meshrelay.node.transit import TransitKeys
from tests.carried import opened, packed, received
from tests.field.test_transit import found
from tests.town import SATO, TANAKA, Town, build_town, running, until

WORDS = [f"秘密の言葉{number:02}" for number in range(6)]


class Stick(NamedTuple):
    """What was on it: one file from 北区 for 中央区, which nobody has read yet."""

    town: Town
    name: str
    data: bytes


@pytest.fixture
async def stick(tmp_path: Path) -> AsyncIterator[Stick]:
    async with running(build_town(tmp_path / "town", {"01": (), "02": ()})) as town:
        sato = await town.log_in("01", SATO)
        for text in WORDS:
            await town.say("01", sato, text)
        path, _ = await packed(town, "01", tmp_path, "02")
        yield Stick(town, path.name, path.read_bytes())


# can


async def test_the_finder_of_a_stick_can_see_sizes_and_names_of_files(stick: Stick) -> None:
    """The name tells the starts of network and node id, and when it was written."""
    node = stick.town.nodes["01"]

    _, network, writer, stamp = stick.name.removesuffix(".courier").split("-")

    assert node.network.id.startswith(network) and node.me.id.startswith(writer)
    assert stamp[8] == "T" and len(stick.data) > 4_000
    assert stick.data[19:27].hex() == node.network.id[:16]


async def test_the_finder_of_a_stick_can_count_its_blocks_and_keep_it_from_arriving(
    stick: Stick,
) -> None:
    marker = stick.data[HEAD_BYTES : HEAD_BYTES + 8]

    assert stick.data.count(marker) - 1 == len(opened(stick.town, stick.data)) + 1  # and the end
    assert not stick.town.room("02", await stick.town.log_in("02", TANAKA))


async def test_the_finder_of_a_stick_can_bring_it_late_and_twice_and_nothing_comes_twice(
    stick: Stick,
) -> None:
    first = await received(stick.town, "02", stick.data)
    second = await received(stick.town, "02", stick.data)

    assert (first.entries_new, second.entries_new) == (6, 0)
    tanaka = await stick.town.log_in("02", TANAKA)
    await until(lambda: len(stick.town.room("02", tanaka)) == 6)


# cannot


async def test_the_finder_of_a_stick_cannot_read_it(stick: Stick) -> None:
    """Neither words nor names nor numbers nor keys, not even packed."""
    keys = load_keys(stick.town.directory / "01")
    marks = [
        *(word.encode() for word in WORDS),
        *(each.encode() for each in (SATO.name, SATO.staff_id, SATO.kana, "北区", "避難所班")),
        keys.signer.public,
        stick.town.nodes["02"].machine.me,
        bytes.fromhex(stick.town.nodes["01"].network.id),
    ]

    assert not found(stick.data, marks)
    assert not found(stick.data[::-1], marks)


async def test_the_finder_of_a_stick_cannot_alter_a_byte_of_it_unnoticed(stick: Stick) -> None:
    """Every byte of the file is altered in turn; nothing false ever comes out of it."""
    true = {block.content for block in opened(stick.town, stick.data)}
    keys = load_keys(stick.town.directory / "02")
    book = stick.town.nodes["02"].machine.book

    for at in range(len(stick.data)):
        altered = bytearray(stick.data)
        altered[at] ^= 1 << at % 8
        sealer = TransitKeys(book, keys.signer.public, keys.box)
        try:
            reader = CourierReader(io.BytesIO(altered), sealer, keys.network)
            contents = {block.content for block in reader}
        except FrameError:
            assert at < HEAD_BYTES
            continue
        assert not reader.whole and contents <= true


async def test_the_finder_of_a_stick_cannot_add_swap_or_leave_out_a_block_unnoticed(
    stick: Stick,
) -> None:
    ends = [HEAD_BYTES, *(block.end for block in opened(stick.town, stick.data)), len(stick.data)]
    parts = [stick.data[a:b] for a, b in pairwise(ends)]
    head = stick.data[:HEAD_BYTES]
    last = len(parts) - 1
    changed = [
        [*parts[:1], parts[2], parts[1], *parts[3:]],
        [*parts[:2], parts[1], *parts[2:]],
        [*parts[:last], b"x" * 100, parts[last]],
        *([*parts[:n], *parts[n + 1 :]] for n in range(len(parts))),
    ]

    for other in changed:
        reading = await received(stick.town, "02", head + b"".join(other))
        assert not reading.whole
    assert (await received(stick.town, "02", stick.data)).whole


async def test_the_finder_of_a_stick_cannot_open_it_with_another_networks_node(
    stick: Stick, tmp_path: Path
) -> None:
    """They have a node of their own, and call the file one of its network."""
    async with running(build_town(tmp_path / "theirs", {"01": ()})) as theirs:
        own = bytes.fromhex(theirs.nodes["01"].network.id)[:8]
        renamed = stick.data[:19] + own + stick.data[27:]

        plain = await received(theirs, "01", stick.data)
        forged = await received(theirs, "01", renamed)

    assert (plain.code, forged.code) == ("foreign_network", "courier_unreadable")

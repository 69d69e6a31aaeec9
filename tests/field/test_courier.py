"""A courier walks between real nodes that never share a link."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from meshrelay.bearers.courier import FRAME, MANIFEST, CourierWriter
from meshrelay.core.clock import BY_PERSON, RESTORED
from meshrelay.core.codec import encode
from meshrelay.core.entry import LogId
from meshrelay.core.events import HeldEntry, Now
from meshrelay.core.records import (
    ROLE_HQ,
    IssuerCredential,
    Revocation,
    Transit,
    make_issuer,
    make_revocation,
    make_transit,
)
from meshrelay.node.cargo import Cargo
from meshrelay.node.couriers import incoming_of
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.identity import Keys, load_keys
from meshrelay.node.manifest import DIGESTS_BYTES, Manifest, pack_manifest
from meshrelay.node.transit import TransitKeys
from meshrelay.node.unpacking import unpack
from tests.carried import handed_out, opened, packed, received
from tests.town import SATO, SUZUKI, TANAKA, Town, build_town, running, until
from tests.transit import seal_key

HOUR_MS = 3_600_000


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """北区 and 中央区, each alone."""
    async with running(build_town(tmp_path / "town", {"01": (), "02": ()})) as made:
        yield made


def digest(town: Town, ward: str) -> bytes:
    return town.nodes[ward].machine.vector.digest()


def held(town: Town, ward: str) -> int:
    """How many entries stand in the logs of a ward."""
    return sum(line.height for line in town.nodes[ward].machine.vector.lines.values())


async def said(town: Town, count: int) -> None:
    sato = await town.log_in("01", SATO)
    for number in range(count):
        await town.say("01", sato, f"{number}番の避難所を開けました。毛布が足りません")


# there and back


async def test_a_courier_walks_there_and_back_and_the_second_trip_is_smaller(town: Town) -> None:
    sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
    for number in range(40):
        await town.say("01", sato, f"{number}番の避難所を開けました。毛布が足りません")
    for number in range(5):
        await town.say("02", tanaka, f"橋{number}は通れます")

    there = await handed_out(town, "01", sato, "02")
    first = await received(town, "02", there)
    back = await handed_out(town, "02", tanaka, "01")
    second = await received(town, "01", back)
    again = await handed_out(town, "01", sato, "02")
    third = await received(town, "02", again)

    assert (first.state, first.entries_new, first.whole) == ("done", 40, True)
    assert (second.state, second.entries_new, second.entries_known) == ("done", 5, 0)
    assert (third.state, third.entries_new, third.entries_known) == ("done", 0, 0)
    assert digest(town, "01") == digest(town, "02")
    assert len(back) < len(there) and len(again) < len(there) / 3
    await until(lambda: len(town.room("02", tanaka)) == 45)
    assert {m.trouble for m in town.room("02", tanaka)} == {None}


async def test_receipts_on_the_stick_say_which_wards_hold_a_message(town: Town) -> None:
    await said(town, 3)
    sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
    await received(town, "02", await handed_out(town, "01", sato, ""))

    await received(town, "01", await handed_out(town, "02", tanaka, ""))

    await until(lambda: [m.place for m in town.room("01", sato)] == ["wards"] * 3)
    word = next(w for w in town.nodes["01"].status().words if w.node.ward == "02")
    assert word.path == "courier"


async def test_who_has_read_comes_back_by_courier_with_the_log_in_that_proves_it(
    town: Town,
) -> None:
    await said(town, 1)
    sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
    await received(town, "02", await handed_out(town, "01", sato, "02"))
    await until(lambda: len(town.room("02", tanaka)) == 1)
    [message] = town.room("02", tanaka)
    held_before = held(town, "02")
    town.nodes["02"].mark_read(tanaka, [(message.author, message.message_id)])
    await until(lambda: held(town, "02") == held_before + 1)

    back = await received(town, "01", await handed_out(town, "02", tanaka, "01"))

    assert (back.entries_new, back.records_new) == (1, 1)
    await until(lambda: [m.read_n for m in town.room("01", sato)] == [1])


async def test_records_that_are_there_are_not_carried_again(town: Town, tmp_path: Path) -> None:
    await said(town, 1)
    sato = await town.log_in("01", SATO)
    _, before = await packed(town, "02", tmp_path, "01")
    await received(town, "02", await handed_out(town, "01", sato, "02"))

    _, after = await packed(town, "02", tmp_path, "01")
    _, elsewhere = await packed(town, "02", tmp_path)

    assert before.records > 5
    assert (after.records, after.entries) == (0, [0, 0, 0, 0])
    assert elsewhere.records == 0  # everybody is one other ward here


async def test_a_file_is_written_beside_a_node_that_runs_and_one_that_is_stopped(
    town: Town, tmp_path: Path
) -> None:
    await said(town, 2)

    beside, one = await packed(town, "01", tmp_path)
    await town.stop("01")
    alone, two = await packed(town, "01", tmp_path)

    assert one.entries == two.entries == [0, 2, 0, 0]
    assert one.size == beside.stat().st_size
    assert beside != alone and not list(tmp_path.glob("*.part"))
    assert (await received(town, "02", beside.read_bytes())).entries_new == 2
    assert (await received(town, "02", alone.read_bytes())).entries_known == 2
    word = next(w for w in town.nodes["02"].status().words if w.node.ward == "01")
    assert word.backlog == (0, 2, 0, 0) and word.disk_free_bytes


# damaged


async def test_a_file_cut_at_every_1000th_byte_gives_every_whole_entry(town: Town) -> None:
    await said(town, 300)
    data = await handed_out(town, "01", await town.log_in("01", SATO), "02")
    counts = whole_entries(town, data)
    assert len(data) > 40_000 and len(counts) > 8

    for cut in range(1000, len(data), 1000):
        reading = await received(town, "02", data[:cut])
        whole = sum(count for end, count in counts if end <= cut)

        assert reading.entries_new + reading.entries_known == whole == held(town, "02")
        assert reading.entries_refused == 0 and not reading.whole
    assert (await received(town, "02", data)).whole
    assert digest(town, "01") == digest(town, "02")


def whole_entries(town: Town, data: bytes) -> list[tuple[int, int]]:
    """(end of a block, entries in it)."""
    found = opened(town, data)
    return [
        (each.end, len(unpack(each.content, 0).entries)) for each in found if each.kind == FRAME
    ]


async def test_a_lost_block_of_a_log_leaves_the_rest_for_the_next_file(town: Town) -> None:
    await said(town, 200)
    sato = await town.log_in("01", SATO)
    data = await handed_out(town, "01", sato, "02")
    counts = whole_entries(town, data)
    hit = next(n for n, (_, count) in enumerate(counts) if count) + 1
    at = counts[hit - 1][0] + 40

    first = await received(town, "02", data[:at] + os.urandom(9) + data[at + 9 :])
    second = await received(town, "02", data)

    before, lost = counts[hit - 1][1], counts[hit][1]
    assert (first.entries_new, first.entries_refused) == (before, 200 - before - lost)
    assert (first.damaged_n, first.whole) == (1, False)
    assert (second.entries_known, second.entries_new) == (before, 200 - before)


async def test_a_file_read_twice_brings_nothing_twice(town: Town) -> None:
    await said(town, 7)
    data = await handed_out(town, "01", await town.log_in("01", SATO), "")
    await received(town, "02", data)
    change = town.nodes["02"].machine.vector.change

    again = await received(town, "02", data)

    assert (again.entries_new, again.entries_known, again.records_new) == (0, 7, 0)
    assert town.nodes["02"].machine.vector.change == change


async def test_a_file_that_came_while_the_node_was_down_is_read_at_its_start(town: Town) -> None:
    await said(town, 2)
    data = await handed_out(town, "01", await town.log_in("01", SATO), "")
    await town.stop("02")
    name = "0" * 32
    (incoming_of(town.directory / "02") / f"{name}.courier").write_bytes(data)

    node = await town.start("02")

    await until(lambda: held(town, "02") == 2)
    await until(lambda: not list(incoming_of(town.directory / "02").glob("*.courier")))
    reading = node.couriers.reading(name)
    assert reading is not None and reading.whole


# time


async def carried(town: Town, now: Now) -> HeldEntry:
    """北区's first entry as 中央区 stores it, from a file that was written at `now`."""
    await said(town, 1)
    keys, file = load_keys(town.directory / "01"), io.BytesIO()
    cargo = Cargo(town.directory / "01", keys)
    cargo.pack(file, "", now, {}, lambda done, total: None)
    cargo.close()
    await received(town, "02", file.getvalue())
    origin = town.nodes["01"].machine
    (entry,) = town.nodes["02"]._reader.read(LogId(origin.me, origin.incarnation, 1), 1, 1)
    return entry


def clock(town: Town, ago_ms: int, quality: int) -> Now:
    now = town.nodes["01"]._clock.now()
    return now._replace(pt_ms=now.pt_ms - ago_ms, quality=quality)


async def test_the_time_on_the_way_counts_by_two_good_clocks(town: Town) -> None:
    entry = await carried(town, clock(town, 6 * HOUR_MS, BY_PERSON))

    assert entry.age & 1 == 0
    assert 6 * 3600 <= entry.age >> 1 <= 6 * 3600 + 60


async def test_with_a_poor_clock_an_age_is_a_lower_bound(town: Town) -> None:
    entry = await carried(town, clock(town, 6 * HOUR_MS, RESTORED))

    assert entry.age & 1 == 1 and entry.age >> 1 <= 60


async def test_a_ward_hands_on_what_it_was_brought_and_ages_add_up(tmp_path: Path) -> None:
    """北区 → 中央区 → 西成区, six hours each way."""
    wards = {"01": (), "02": (), "03": ()}
    async with running(build_town(tmp_path / "three", wards)) as town:
        await carried(town, clock(town, 6 * HOUR_MS, BY_PERSON))
        suzuki, file = await town.log_in("03", SUZUKI), io.BytesIO()
        await town.nodes["02"]._driver.flush()
        cargo = Cargo(town.directory / "02", load_keys(town.directory / "02"))
        cargo.pack(file, "03", clock(town, 6 * HOUR_MS, BY_PERSON), {}, lambda done, total: None)
        cargo.close()

        reading = await received(town, "03", file.getvalue())

        assert (reading.node_name, reading.entries_new) == ("02の機器", 1)
        await until(lambda: len(town.room("03", suzuki)) == 1)
        assert town.room("03", suzuki)[0].trouble is None
        origin = town.nodes["01"].machine
        log = LogId(origin.me, origin.incarnation, 1)
        (entry,) = town.nodes["03"]._reader.read(log, 1, 1)
        assert 12 * 3600 <= entry.age >> 1 <= 12 * 3600 + 60 and entry.age & 1 == 0


# foreign, stale, hostile


async def refused(town: Town, data: bytes, ward: str = "02") -> str:
    """Why a file is refused, with both sentences and both next steps; nothing of it was taken."""
    before = digest(town, ward)
    reading = await received(town, ward, data)
    assert reading.state == "refused" and digest(town, ward) == before
    assert reading.ja and reading.en and reading.next_ja and reading.next_en
    assert town.nodes[ward].status().refused[reading.code] >= 1
    return reading.code


async def test_a_drills_file_is_refused_by_the_live_network(town: Town, tmp_path: Path) -> None:
    ours = await handed_out(town, "01", await town.log_in("01", SATO), "")
    async with running(build_town(tmp_path / "other", {"01": (), "02": ()})) as drill:
        await said(drill, 1)
        data = await handed_out(drill, "01", await drill.log_in("01", SATO), "")

    assert await refused(town, data) == "foreign_network"
    renamed = ours[:19] + ours[19:27] + data[27:]  # our network's name on the drill's blocks
    assert await refused(town, renamed) == "courier_unreadable"


@pytest.mark.parametrize("size", [0, 10, 43, 5_000])
async def test_random_bytes_and_what_is_cut_in_the_head_are_refused(town: Town, size: int) -> None:
    assert await refused(town, os.urandom(size)) == "not_a_courier_file"
    data = await handed_out(town, "01", await town.log_in("01", SATO), "")
    assert await refused(town, data[:43]) == "courier_cut"
    assert await refused(town, data[:43] + os.urandom(size)) in (
        "courier_cut",
        "courier_unreadable",
    )


async def test_a_raised_key_does_not_close_older_files_and_a_key_not_held_is_told(
    town: Town,
) -> None:
    await said(town, 2)
    sato = await town.log_in("01", SATO)
    old = await handed_out(town, "01", sato, "")
    await raise_key(town, "01")
    new = await handed_out(town, "01", sato, "")

    assert await refused(town, new) == "unknown_transit_key"
    await raise_key(town, "02")
    assert (await received(town, "02", old)).entries_new == 2
    assert (await received(town, "02", new)).entries_known == 2


async def raise_key(town: Town, ward: str) -> None:
    """A ward hears of generation 2, by the authority's word, with the keys for every node."""
    network = town.network()
    record, signer = network.speaker_for((ROLE_HQ,))
    assert isinstance(record.content, IssuerCredential)
    content = record.content._replace(serial=2, generation=2)
    raised = make_issuer(signer, network.network, content)
    keys = [
        make_transit(
            network.issuer,
            network.network,
            Transit(raised.id, node.key, 2, seal_key(node.box, 2)),
        )
        for node in network.book.nodes.values()
    ]
    await town.nodes[ward]._driver.submit([], [raised, *keys])


def insider(
    keys: Keys,
    town: Town,
    frames: list[bytes],
    change: Callable[[Manifest], Manifest] = lambda m: m,
) -> bytes:
    """A file by somebody who has a node's keys and obeys no rule."""
    book = town.nodes["01"].machine.book
    file = io.BytesIO()
    sealer = TransitKeys(book, keys.signer.public, keys.box)
    out = CourierWriter(file, sealer, keys.network)
    me = keys.signer.public
    manifest = Manifest(out.file_id, me, bytes(8), 0, 0, 0, "", bytes(DIGESTS_BYTES))
    greeting = NodeDoorman(book, me).greeting
    out.put(MANIFEST, pack_manifest(change(manifest), greeting, keys.signer, keys.network))
    for frame in frames:
        out.put(FRAME, frame)
    out.end()
    return file.getvalue()


async def test_a_writer_that_is_not_who_it_says_is_refused(town: Town) -> None:
    keys = load_keys(town.directory / "01")
    other = town.nodes["02"].machine.me

    named = insider(keys, town, [], lambda m: m._replace(writer=other))
    moved = insider(keys, town, [], lambda m: m._replace(file_id=bytes(16)))
    huge = insider(keys, town, [], lambda m: m._replace(change=2**63))

    for data in (named, moved, huge):
        assert await refused(town, data) == "courier_forged"
    assert (await received(town, "02", insider(keys, town, []))).node_name == "01の機器"


async def test_frames_of_nonsense_are_skipped_and_what_is_good_is_kept(town: Town) -> None:
    await said(town, 3)
    keys = load_keys(town.directory / "01")
    whole = await handed_out(town, "01", await town.log_in("01", SATO), "")
    good = [block.content for block in opened(town, whole) if block.kind == FRAME]
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(bytes(40_000_000)) + packer.flush()
    network = keys.network
    nonsense = [
        b"", b"\xff" * 1000, encode([5, bomb]), encode([4, network, bomb]),
        encode([6, [b"x" * 100] * 100]), encode([4, bytes(16), bomb]),
        encode([2, 0, 0, [], [], False]), encode([2**63 - 1]), encode([11, b"a photo, some day"]),
    ]  # fmt: skip

    reading = await received(town, "02", insider(keys, town, [*nonsense, *good, *nonsense]))

    assert (reading.state, reading.entries_new) == ("done", 3)
    assert not reading.whole and reading.damaged_n >= 8
    assert town.nodes["02"].status().ready


async def test_a_revoked_nodes_file_is_refused(town: Town) -> None:
    await said(town, 1)
    data = await handed_out(town, "01", await town.log_in("01", SATO), "")
    network = town.network()
    gone = Revocation(network.issuer_record.id, town.nodes["01"].machine.me, [])
    record = make_revocation(network.issuer, network.network, gone)
    await town.nodes["02"]._driver.submit([], [record])

    assert await refused(town, data) == "revoked"


async def test_a_link_or_a_pipe_where_files_come_in_is_not_opened(town: Town) -> None:
    incoming = incoming_of(town.directory / "02")
    os.mkfifo(incoming / f"{'1' * 32}.courier")
    (incoming / f"{'2' * 32}.courier").symlink_to("/dev/zero")
    await said(town, 1)

    reading = await received(
        town, "02", await handed_out(town, "01", await town.log_in("01", SATO), "")
    )

    assert reading.entries_new == 1

"""Photos between real nodes: hop by hop, over cuts and kills, and who may see them."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from meshrelay.bearers import lan
from meshrelay.core.events import Effect, Event, KeepPart, Now
from meshrelay.core.frames import Piece
from meshrelay.core.link import LinkState
from meshrelay.core.manifest import CHUNK_BYTES
from meshrelay.errors import RefusedError
from meshrelay.node.blobs import BlobEffect
from meshrelay.node.file_desk import FileState
from meshrelay.node.node import Node
from meshrelay.node.office import Seat
from tests.brokered import brokered
from tests.town import MAYOR, SATO, SUZUKI, TANAKA, Town, build_town, running, until, uuid7

HQ, KITA, CHUO, NISHINARI = "00", "01", "02", "03"
JPEG = b"\xff\xd8\xff\xe0" + random.Random("a photo").randbytes(300_000)


async def in_pieces(content: bytes, step: int = 50_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), step):
        yield content[at : at + step]


async def share(
    town: Town,
    ward: str,
    seat: Seat,
    content: bytes = JPEG,
    room: str = "all",
    name: str = "橋.jpg",
) -> str:
    """Upload a photo and post it; its id."""
    office = town.nodes[ward]
    kept = await office.files.keep(seat, "image/jpeg", in_pieces(content))
    body = {"blob": kept.blob, "name": name, "type": "image/jpeg", "text": "橋の様子"}
    await office.post(seat, "file", room, body, uuid7(), None)
    return kept.blob


def listed(town: Town, ward: str, seat: Seat, room: str = "all") -> list[FileState]:
    return town.nodes[ward].files.files(seat.person, room, None, 50)


async def arrives(town: Town, ward: str, seat: Seat, state: str, seconds: float = 20) -> FileState:
    """Wait until the only file of a room is in this state."""
    await until(lambda: [each.state for each in listed(town, ward, seat)] == [state], seconds)
    return listed(town, ward, seat)[0]


async def content(town: Town, ward: str, seat: Seat, blob: str) -> bytes:
    desk = town.nodes[ward].files
    found = desk.content(seat.person, blob)
    assert found is not None
    parts = [await desk.part(blob, part) for part in range(1, found.parts + 1)]
    return b"".join(part or b"" for part in parts)


async def test_a_photo_reaches_the_archive_by_itself_and_a_ward_on_demand(tmp_path: Path) -> None:
    peers = {HQ: (), KITA: (HQ,), CHUO: (HQ,)}
    async with running(build_town(tmp_path, peers)) as town:
        sato, tanaka = await town.log_in(KITA, SATO), await town.log_in(CHUO, TANAKA)
        mayor = await town.log_in(HQ, MAYOR)
        blob = await share(town, KITA, sato)
        assert listed(town, KITA, sato)[0].state == "here"
        await arrives(town, HQ, mayor, "here")
        there = await arrives(town, CHUO, tanaka, "held")
        await until(lambda: listed(town, CHUO, tanaka)[0].archive)
        assert there.here_n == 0 and there.size == len(JPEG)
        assert not town.nodes[CHUO].files.content(tanaka.person, blob)
        town.nodes[CHUO].files.fetch(tanaka.person, blob)
        await arrives(town, CHUO, tanaka, "here")

        assert await content(town, CHUO, tanaka, blob) == JPEG
        assert await content(town, HQ, mayor, blob) == JPEG
        await until(lambda: KITA in listed(town, CHUO, tanaka)[0].wards)


async def test_a_ward_behind_a_ward_gets_it_hop_by_hop(tmp_path: Path) -> None:
    peers = {KITA: (), CHUO: (KITA,), NISHINARI: (CHUO,)}
    async with running(build_town(tmp_path, peers)) as town:
        sato, suzuki = await town.log_in(KITA, SATO), await town.log_in(NISHINARI, SUZUKI)
        blob = await share(town, KITA, sato)
        state = await arrives(town, NISHINARI, suzuki, "held")
        assert state.wards == (KITA,)
        town.nodes[NISHINARI].files.fetch(suzuki.person, blob)
        await arrives(town, NISHINARI, suzuki, "here")

        assert await content(town, NISHINARI, suzuki, blob) == JPEG


async def test_a_photo_survives_restarts_of_both_ends_and_goes_on_where_it_was(
    tmp_path: Path,
) -> None:
    async with running(build_town(tmp_path, {KITA: (), CHUO: (KITA,)})) as town:
        sato, tanaka = await town.log_in(KITA, SATO), await town.log_in(CHUO, TANAKA)
        blob = await share(town, KITA, sato)
        await arrives(town, CHUO, tanaka, "held")
        store = town.nodes[CHUO]._blobs.store
        source = town.nodes[KITA]._blobs.store
        key = bytes.fromhex(blob)
        for part in range(8):  # what came before a kill
            data = source.part(key, part)
            assert data is not None
            store.keep(key, part, data)
        await town.stop(CHUO)
        await town.stop(KITA)
        await town.start(KITA)
        await town.start(CHUO)
        tanaka = await town.log_in(CHUO, TANAKA)
        await arrives(town, CHUO, tanaka, "held")
        before = sum(link.traffic[0] for link in town.nodes[CHUO]._driver.links.values())
        town.nodes[CHUO].files.fetch(tanaka.person, blob)
        await arrives(town, CHUO, tanaka, "here")
        came = sum(link.traffic[0] for link in town.nodes[CHUO]._driver.links.values()) - before

        assert await content(town, CHUO, tanaka, blob) == JPEG
        assert came < len(JPEG) - 6 * CHUNK_BYTES


async def test_a_corrupt_chunk_is_never_sent_and_is_fetched_again(tmp_path: Path) -> None:
    peers = {HQ: (), KITA: (HQ,)}
    async with running(build_town(tmp_path, peers)) as town:
        sato, mayor = await town.log_in(KITA, SATO), await town.log_in(HQ, MAYOR)
        blob = await share(town, KITA, sato)
        await arrives(town, HQ, mayor, "here")
        path = tmp_path / KITA / "blobs" / blob[:2] / blob
        with path.open("r+b") as file:
            file.seek(5 * CHUNK_BYTES)
            file.write(os.urandom(9))
        desk = town.nodes[KITA].files
        assert await desk.part(blob, 6) is None
        await arrives(town, KITA, sato, "here")

        assert await content(town, KITA, sato, blob) == JPEG
        assert town.nodes[KITA].status().refused["blob_corrupt"] == 1


async def test_only_members_of_a_room_that_names_a_file_may_have_it(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {KITA: ()})) as town:
        sato, tanaka = await town.log_in(KITA, SATO), await town.log_in(KITA, TANAKA)
        desk = town.nodes[KITA].files
        kept = await desk.keep(sato, "image/jpeg", in_pieces(JPEG))
        for someone in (sato, tanaka):
            assert code_of(lambda who=someone: desk.content(who.person, kept.blob)) == "no_file"  # type: ignore[misc]
        blob = await share(town, KITA, sato, room="ward:01")

        assert desk.content(sato.person, blob) is not None
        for call in (desk.content, desk.fetch, desk.thumbnail):
            assert code_of(lambda ask=call: ask(tanaka.person, blob)) == "not_member"  # type: ignore[misc]
        assert code_of(lambda: desk.files(tanaka.person, "ward:01", None, 9)) == "not_member"
        for name in ("../../etc/passwd", "", "zz" * 32, blob.upper(), blob + "0"):
            assert code_of(lambda it=name: desk.content(sato.person, it)) == "no_file"  # type: ignore[misc]


def code_of(call: object) -> str:
    with pytest.raises(RefusedError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.ja and caught.value.next_ja and caught.value.next_en
    return caught.value.code


CUTS = 20
THREE_MB = b"\xff\xd8\xff\xe0" + random.Random("three megabytes").randbytes(3_000_000)


class Saw:
    """Cuts the link of a node after every so many chunks; counts what pieces brought."""

    def __init__(self, node: Node, every: int) -> None:
        self.cuts = self.chunks = self.piece_bytes = 0
        self._node = node
        self._every = every
        seeking, desk = node.machine.seeking, node._blobs
        self._received, self._carry_out = seeking.piece_received, desk.carry_out
        seeking.piece_received = self.received  # type: ignore[method-assign]
        desk.carry_out = self.carry_out  # type: ignore[method-assign]

    def received(self, link: LinkState, piece: Piece, now: Now) -> Iterator[Effect]:
        self.piece_bytes += len(piece.data)
        return self._received(link, piece, now)

    def carry_out(self, effect: BlobEffect) -> Event | None:
        if isinstance(effect, KeepPart):
            self.chunks += 1
            if self.chunks % self._every == 0 and self.cuts < CUTS:
                self.cuts += 1
                for each in list(self._node._driver.links.values()):
                    each.link._connection.abort()  # type: ignore[attr-defined]
        return self._carry_out(effect)


async def test_a_photo_goes_on_within_one_chunk_after_each_of_twenty_cuts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan, "DIAL_CONFIGURED_CAP_S", 0.3)  # these links are cut on purpose
    async with running(build_town(tmp_path, {KITA: (), CHUO: (KITA,)})) as town:
        sato, tanaka = await town.log_in(KITA, SATO), await town.log_in(CHUO, TANAKA)
        blob = await share(town, KITA, sato, THREE_MB)
        await arrives(town, CHUO, tanaka, "held")
        saw = Saw(town.nodes[CHUO], every=len(THREE_MB) // CHUNK_BYTES // (CUTS + 2))
        town.nodes[CHUO].files.fetch(tanaka.person, blob)
        await arrives(town, CHUO, tanaka, "here", 60)

        assert saw.cuts == CUTS
        assert await content(town, CHUO, tanaka, blob) == THREE_MB
        assert saw.chunks == len(THREE_MB) // CHUNK_BYTES + 2
        manifest_bytes = 8_000
        assert saw.piece_bytes <= len(THREE_MB) + manifest_bytes + CUTS * CHUNK_BYTES


async def test_a_photo_comes_through_the_broker_too(tmp_path: Path) -> None:
    async with brokered(tmp_path) as city:
        sato, mayor = await city.town.log_in(KITA, SATO), await city.town.log_in(HQ, MAYOR)
        await until(lambda: city.nodes[KITA].status().links, 30)
        blob = await share(city.town, KITA, sato)
        await arrives(city.town, HQ, mayor, "here", 40)

        assert await content(city.town, HQ, mayor, blob) == JPEG
        assert {link.bearer for link in city.nodes[HQ].status().links} == {"mqtt"}

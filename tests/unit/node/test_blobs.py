"""Space for photos: what may be dropped, on whose word, and who is told."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshrelay.core import have
from meshrelay.core.vector import Vector
from meshrelay.errors import RefusedError
from meshrelay.node import blobs as node_blobs
from meshrelay.node.blobs import Blobs
from meshrelay.node.node import Node
from tests.field.test_blobs import in_pieces, share
from tests.town import MAYOR, SATO, Town, build_town, running, until, uuid7
from tests.unit.desk.test_file import png

HQ, KITA, CHUO = "00", "01", "02"
MB = 1_000_000
QUOTA = 30 * MB  # 80 % less the largest file: people are refused above 15.6 MB
FOUR_MB = 4 * MB


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """北区 alone, with a small quota; 本部 is enrolled and does not run."""
    made = build_town(tmp_path, {KITA: (), HQ: (KITA,), CHUO: (KITA,)})
    try:
        await made.start(KITA)
        blobs_of(made)._bytes_max = QUOTA
        yield made
    finally:
        for ward in list(made.nodes):
            await made.stop(ward)
        made.witnesses.cleanup()


def blobs_of(town: Town, ward: str = KITA) -> Blobs:
    return town.nodes[ward]._blobs


def content(number: int, size: int = FOUR_MB) -> bytes:
    return b"\xff\xd8\xff" + bytes([number]) * (size - 3)


async def filled(town: Town, count: int) -> list[bytes]:
    """So many photos of 4 MB shared at 北区."""
    seat = await town.log_in(KITA, SATO)
    return [
        bytes.fromhex(await share(town, KITA, seat, content(number))) for number in range(count)
    ]


def key_of(node: Node, ward: str) -> bytes:
    nodes = node.machine.book.nodes
    return next(key for key, known in nodes.items() if known.ward == ward)


def say(town: Town, ward: str, named: list[bytes], incarnation: bytes = b"day one.") -> None:
    """A signed word of another ward's node, as the machine hands it on."""
    node, signer = town.nodes[KITA], key_of(town.nodes[KITA], ward)
    word = have.Have(
        b"", signer, incarnation, 1, [], 1, bytes(16), 0, [], node.now_ms(), bytes(8), {}, {}, named
    )
    node.machine.receipts.take(word, Vector())
    for effect in node.machine.seeking.stated(word):
        node._driver._carry_out(effect)


async def refused_upload(town: Town) -> RefusedError:
    seat = await town.log_in(KITA, SATO)
    with pytest.raises(RefusedError) as caught:
        await town.nodes[KITA].files.keep(seat, "image/jpeg", in_pieces(content(99)))
    return caught.value


async def test_people_are_refused_at_the_share_and_told_in_both_languages(town: Town) -> None:
    kept = await filled(town, 4)
    error = await refused_upload(town)

    assert (error.code, error.status) == ("blobs_full", 507)
    assert error.ja and error.en and error.next_ja and error.next_en
    assert all(blobs_of(town).is_here(blob) for blob in kept)
    assert town.nodes[KITA].status().evicted == {"blob": 0}
    assert list((town.directory / KITA / "blobs").glob("*.upload")) == []


async def test_what_an_archive_says_it_holds_makes_room_the_oldest_first(town: Town) -> None:
    first, second, third, fourth = await filled(town, 4)
    say(town, HQ, [second, third])
    seat = await town.log_in(KITA, SATO)
    await share(town, KITA, seat, content(99))

    assert not blobs_of(town).is_here(second)
    assert all(blobs_of(town).is_here(blob) for blob in (first, third, fourth))
    assert town.nodes[KITA].status().evicted == {"blob": 1}
    assert blobs_of(town).store.kept(second) is None
    assert not town.nodes[KITA].machine.seeking.coming(second)
    (state,) = [f for f in town.nodes[KITA].files.files(seat.person, "all", None, 9)
                if f.blob == second.hex()]  # fmt: skip
    assert (state.state, state.archive) == ("held", True)


async def test_an_expired_one_goes_before_an_older_one(town: Town) -> None:
    first, second, *_ = await filled(town, 4)
    say(town, HQ, [first, second])
    blobs_of(town)._is_expired = lambda blob: blob == second
    seat = await town.log_in(KITA, SATO)
    await share(town, KITA, seat, content(99))

    assert blobs_of(town).is_here(first) and not blobs_of(town).is_here(second)


async def test_no_ward_permits_dropping_and_no_past_incarnation_of_an_archive(town: Town) -> None:
    kept = await filled(town, 4)
    say(town, CHUO, kept)
    say(town, HQ, kept, b"day one.")
    heir = have.Have(
        b"", key_of(town.nodes[KITA], HQ), b"day two.", 2, [b"day one."], 1, bytes(16), 0, [],
        town.nodes[KITA].now_ms() + 1, bytes(8), {}, {}, [],
    )  # fmt: skip
    town.nodes[KITA].machine.receipts.take(heir, Vector())

    assert (await refused_upload(town)).code == "blobs_full"
    assert all(blobs_of(town).is_here(blob) for blob in kept)


async def test_an_upload_that_nobody_posted_is_dropped_after_a_while(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = await town.log_in(KITA, SATO)
    kept = await town.nodes[KITA].files.keep(seat, "image/jpeg", in_pieces(content(1)))
    blob = await share(town, KITA, seat, content(2))
    blobs_of(town)._tidied_s -= node_blobs.TIDY_S
    blobs_of(town).tidy()
    assert blobs_of(town).is_here(bytes.fromhex(kept.blob))
    await town.stop(KITA)
    await town.start(KITA)
    assert blobs_of(town).is_here(bytes.fromhex(kept.blob))
    monkeypatch.setattr(node_blobs, "UNPOSTED_S", 0.0)
    blobs_of(town)._tidied_s -= node_blobs.TIDY_S
    blobs_of(town).tidy()

    assert not blobs_of(town).is_here(bytes.fromhex(kept.blob))
    assert blobs_of(town).is_here(bytes.fromhex(blob))


async def test_an_archive_drops_nothing_and_takes_no_more_than_its_quota(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {HQ: (), KITA: (HQ,)})) as both:
        blobs_of(both, HQ)._bytes_max = 12 * MB
        sato, mayor = await both.log_in(KITA, SATO), await both.log_in(HQ, MAYOR)
        for number in range(4):
            await share(both, KITA, sato, content(number))
        await until(lambda: len(both.nodes[HQ].files.files(mayor.person, "all", None, 9)) == 4)
        await until(lambda: blobs_of(both, HQ).used >= FOUR_MB)
        await until(lambda: not blobs_of(both, HQ)._busy)

        assert blobs_of(both, HQ).used < 12 * MB
        (trouble,) = both.nodes[HQ].status().trouble
        assert "12 MB がいっぱいです" in trouble and "blobs_mb" in trouble
        assert both.nodes[KITA].status().trouble == ()
        assert both.nodes[HQ].status().evicted == {"blob": 0}


TOO_LARGE = 8 * 2**20 + 1
UPLOADS = [
    ("text/html", 100, "file_type"),
    ("image/svg+xml", 100, "file_type"),
    ("image/jpeg", 0, "file_empty"),
    ("image/jpeg", TOO_LARGE, "file_too_large"),
]


async def test_an_upload_is_refused_by_name_and_leaves_nothing(town: Town) -> None:
    seat = await town.log_in(KITA, SATO)
    for media_type, size, code in UPLOADS:
        with pytest.raises(RefusedError) as caught:
            await town.nodes[KITA].files.keep(seat, media_type, in_pieces(bytes(size)))
        assert caught.value.code == code
    assert [path for path in (town.directory / KITA / "blobs").rglob("*") if path.is_file()] == []


CHANGES: list[tuple[dict[str, object], str]] = [
    ({"blob": "00" * 32}, "no_file"),
    ({"blob": "../x"}, "no_file"),
    ({"blob": None}, "no_file"),
    ({"type": "text/html"}, "file_type"),
    ({"name": " "}, "file_name"),
    ({"name": "n" * 200}, "file_name"),
    ({"name": "\ud800"}, "file_name"),
    ({"text": 5}, "file_name"),
    ({"text": "字" * 4_001}, "too_long"),
    ({"thumbnail": "bm8gcGljdHVyZQ=="}, "thumbnail"),
    ({"thumbnail": "?"}, "thumbnail"),
    ({"thumbnail": "/9j/" + "AAAA" * 3_000}, "thumbnail"),
    ({"text": "字" * 4_000, "thumbnail": b64encode(png(9, 9, 8_000)).decode()}, "too_long"),
]


async def test_a_file_message_is_refused_by_name(town: Town) -> None:
    seat = await town.log_in(KITA, SATO)
    office = town.nodes[KITA]
    kept = await office.files.keep(seat, "image/jpeg", in_pieces(content(1, 100)))
    body = {"blob": kept.blob, "name": "橋.jpg", "type": "image/jpeg", "text": "橋"}
    for change, code in CHANGES:
        with pytest.raises(RefusedError) as caught:
            await office.post(seat, "file", "all", body | change, uuid7(), None)
        assert caught.value.code == code, change
    assert office.files.files(seat.person, "all", None, 9) == []

"""Photos between machines: part by part, below all text, and only what verifies."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from meshrelay.core.blobs import PIECE_BYTES_MIN, SEEKS_MAX
from meshrelay.core.codec import decode, encode
from meshrelay.core.events import (
    BlobAsked,
    BlobDenied,
    BlobKept,
    BlobLost,
    BlobQuestion,
    BlobRefused,
    BlobsStated,
    BlobUnwanted,
    BlobWanted,
    KeepPart,
    Received,
)
from meshrelay.core.frames import Entries, Frame, Haves, Lacks, Piece, Seek, encode_frame
from meshrelay.core.have import read_have
from meshrelay.core.link import LEASE_MS
from meshrelay.core.manifest import CHUNK_BYTES, MANIFEST_BIT, parts_of
from meshrelay.core.seeking import FORWARD, KEEP, LACKS_MS, ON_DEMAND, SAID_MS, WINDOW_PARTS
from meshrelay.core.signing import hash32, payload_of
from tests.unit.core.city import (
    CHUO,
    HQ,
    KITA,
    NETWORK,
    NISHINARI,
    RECORDS,
    City,
    Station,
    log_of,
    note,
    two_wards,
)
from tests.unit.core.test_manifest import cut, manifest_of

PHOTO = bytes(n * n % 253 for n in range(5 * CHUNK_BYTES + 777))
MANIFEST_RAW = manifest_of(PHOTO).raw
BLOB = hash32(MANIFEST_RAW)
PARTS = dict(enumerate([MANIFEST_RAW, *cut(PHOTO)]))
GREETED_MS = 1_000


def wanted(level: int = ON_DEMAND, said: list[bytes] | None = None, blob: bytes = BLOB) -> (
    BlobWanted
):  # fmt: skip
    return BlobWanted(blob, level, None, 0, said or [])


def puts(station: Station, news: bool = False) -> None:
    """The photo is on this station's disk."""
    station.blobs[BLOB] = dict(PARTS)
    station.feed(BlobKept(BLOB, news))


def greeted(*stations: Station, apart: bool = False) -> City:
    """Joined in a row (or all apart), everybody's HAVE heard."""
    city = City(*stations)
    for here, there in pairwise(stations):
        if not apart:
            city.join(here, there)
    city.deliver()
    city.pass_ms(GREETED_MS)
    return city


def wards(*signers: object) -> list[Station]:
    return [Station(signer, RECORDS) for signer in signers]  # type: ignore[arg-type]


def has_photo(station: Station) -> bool:
    return station.blobs.get(BLOB) == PARTS and BLOB in station.machine.blobs.held


def stated_by(station: Station) -> list[list[bytes]]:
    """What each HAVE of this station that a city saw named."""
    assert station.city is not None
    haves = [read_have(raw) for f in station.city.frames(Haves, station) for raw in f.raws]  # type: ignore[union-attr]
    return [have.blobs or [] for have in haves if have.signer == station.signer.public]


def test_a_photo_that_a_peer_said_it_holds_comes_whole_and_verified() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    puts(kita)
    chuo.feed(wanted(said=[KITA.public]))
    city.deliver()

    assert has_photo(chuo)
    assert chuo.closed() == kita.closed() == []


def test_nothing_is_sought_of_a_peer_whose_software_knows_no_blobs() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = City(kita, chuo)
    city.lost = lambda *each: isinstance(each[2], Haves)
    _, link = city.join(kita, chuo)
    city.pass_ms(GREETED_MS)
    (have, *_) = [raw for frame in city.frames(Haves, kita) for raw in frame.raws]  # type: ignore[union-attr]
    earlier = KITA.sign1(
        encode(decode(payload_of(have), 9_999)[:11]), b"meshrelay/have/1" + NETWORK
    )
    chuo.feed(Received(link, encode_frame(Haves([earlier]))))
    known = chuo.machine.receipts.newest(KITA.public)
    assert known is not None and known.blobs is None
    chuo.feed(wanted(said=[KITA.public]))
    city.pass_ms(SAID_MS * 2)

    assert city.frames(Seek) == []


def test_who_did_not_say_so_is_asked_only_after_a_while() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    puts(kita)
    chuo.feed(wanted())
    city.pass_ms(SAID_MS - 500)
    assert city.frames(Seek) == []
    city.pass_ms(1_500)

    assert has_photo(chuo)


def test_an_archive_is_asked_at_once() -> None:
    hq, chuo = wards(HQ, CHUO)
    city = greeted(hq, chuo)
    puts(hq)
    chuo.feed(wanted())
    city.deliver()

    assert has_photo(chuo)


def test_a_new_blob_is_named_in_the_next_two_haves_and_is_then_fetched_by_who_waits() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    chuo.feed(wanted(KEEP))
    puts(kita, news=True)
    city.pass_ms(2_500)

    assert has_photo(chuo)
    assert any(isinstance(each, BlobsStated) and each.blobs == [BLOB] for each in chuo.effects)
    city.pass_ms(130_000)
    assert sum(BLOB in named for named in stated_by(kita)) >= 2
    assert stated_by(kita)[-1] == []


def test_who_is_asked_for_nothing_of_it_names_it_again() -> None:
    hq, chuo = wards(HQ, CHUO)
    city = greeted(hq, chuo)
    puts(hq)
    chuo.feed(BlobQuestion(BLOB))
    city.pass_ms(1_000)

    assert any(isinstance(each, BlobsStated) and each.blobs == [BLOB] for each in chuo.effects)
    assert not chuo.machine.seeking.coming(BLOB)


def test_never_more_than_a_window_of_parts_is_sought() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    content = bytes(80 * CHUNK_BYTES)
    raw = manifest_of(content).raw
    kita.blobs[hash32(raw)] = dict(enumerate([raw, *cut(content)]))
    kita.feed(BlobKept(hash32(raw), False))
    under_way = most = 0
    chuo.feed(wanted(said=[KITA.public], blob=hash32(raw)))
    seen = 0
    while chuo.machine.seeking.coming(hash32(raw)):
        end, data = city._queue.pop(0)
        city._ends[end][0].feed(Received(end, data))
        for _, _, frame in city.seen[seen:]:
            if isinstance(frame, Seek):
                under_way += len(list(parts_of(frame.parts)))
        seen = len(city.seen)
        kept = sum(isinstance(each, KeepPart) for each in chuo.effects)
        most = max(most, under_way - kept)

    assert chuo.blobs[hash32(raw)] == kita.blobs[hash32(raw)]
    assert WINDOW_PARTS // 2 < most <= WINDOW_PARTS


def test_pieces_are_as_small_as_the_grant_and_text_goes_before_them() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    puts(kita)
    chuo.feed(wanted(said=[KITA.public]))
    while not city.frames(Piece, kita):
        end, data = city._queue.pop(0)
        city._ends[end][0].feed(Received(end, data))
    kita.say(note("避難指示", 0))
    city.deliver()
    order = [type(f) for s, _, f in city.seen if s is kita and isinstance(f, Piece | Entries)]

    assert has_photo(chuo) and chuo.height(log_of(KITA, 0)) == 1
    assert order.index(Entries) < 4 < order.count(Piece)
    sizes = [len(piece.data) for piece in city.frames(Piece, kita)]  # type: ignore[union-attr]
    assert min(sizes[:4]) <= PIECE_BYTES_MIN * 2


def test_a_cut_costs_the_chunk_that_was_under_way() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    puts(kita)
    chuo.feed(wanted(said=[KITA.public]))
    came = 0
    for link in (1, 3, 5, 7):
        while sum(isinstance(each, KeepPart) for each in chuo.effects) < came + 1:
            end, data = city._queue.pop(0)
            city._ends[end][0].feed(Received(end, data))
        came = sum(isinstance(each, KeepPart) for each in chuo.effects)
        city.cut(link)
        city.join(kita, chuo)
    city.deliver()

    assert has_photo(chuo)
    assert sum(isinstance(each, KeepPart) for each in chuo.effects) == len(PARTS)


def test_what_was_here_before_a_restart_is_not_sought_again() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    puts(kita)
    chuo.feed(BlobWanted(BLOB, ON_DEMAND, MANIFEST_RAW, 0b111110, [KITA.public]))
    city.deliver()

    assert [
        part for each in chuo.effects if isinstance(each, KeepPart) for part in [each.part]
    ] == [6]
    assert [seek.parts for seek in city.frames(Seek, chuo)] == [1 << 6]  # type: ignore[union-attr]


def test_a_lost_piece_is_sought_again_after_a_lease() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    puts(kita)
    pieces: list[Frame] = []

    def third_is_lost(_: Station, __: Station, frame: Frame) -> bool:
        if isinstance(frame, Piece):
            pieces.append(frame)
        return isinstance(frame, Piece) and len(pieces) in (3, 9)

    city.lost = third_is_lost
    chuo.feed(wanted(said=[KITA.public]))
    city.pass_ms(1_000)
    assert not has_photo(chuo)
    city.pass_ms(2 * LEASE_MS)

    assert has_photo(chuo)


def test_a_peer_that_lacks_it_says_so_and_another_is_asked() -> None:
    kita, chuo, hq = wards(KITA, CHUO, HQ)
    city = City(kita, chuo, hq)
    city.join(chuo, kita)
    city.join(chuo, hq)
    city.pass_ms(GREETED_MS)
    puts(hq)
    chuo.feed(wanted(said=[KITA.public]))
    city.deliver()

    assert BlobDenied(KITA.public, BLOB) in chuo.effects
    assert [each for each in kita.effects if isinstance(each, BlobAsked)] == [BlobAsked(BLOB)]
    assert has_photo(chuo)


def test_a_ward_behind_a_ward_gets_it_hop_by_hop() -> None:
    hq, kita, chuo = wards(HQ, KITA, CHUO)
    city = greeted(hq, kita, chuo)
    puts(hq)
    chuo.feed(wanted())
    city.pass_ms(SAID_MS + 1_000)
    assert [each for each in kita.effects if isinstance(each, BlobAsked)] == [BlobAsked(BLOB)]
    kita.feed(wanted(FORWARD))
    city.deliver()

    assert has_photo(kita) and has_photo(chuo)


def test_what_nobody_waits_for_any_more_is_not_passed_on() -> None:
    hq, kita, chuo = wards(HQ, KITA, CHUO)
    city = greeted(hq, kita, chuo)
    chuo.feed(wanted())
    city.pass_ms(SAID_MS + 1_000)
    kita.feed(wanted(FORWARD))
    city.deliver()
    assert kita.machine.seeking.coming(BLOB)
    chuo.feed(BlobUnwanted(BLOB))
    city.deliver()

    assert not kita.machine.seeking.coming(BLOB)
    puts(hq, news=True)
    city.pass_ms(LACKS_MS + 5_000)
    assert BLOB not in kita.blobs and BLOB not in chuo.blobs


def test_the_link_of_who_waited_takes_the_want_with_it() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    chuo.feed(wanted(said=[KITA.public]))
    city.deliver()
    kita.feed(wanted(FORWARD))
    city.cut(1)

    assert not kita.machine.seeking.coming(BLOB)


def lie(city: City, liar: Station, number: int, piece: Piece) -> None:
    there, end = city._ends[number][1:]
    assert city._ends[number][0] is liar
    there.feed(Received(end, encode_frame(piece)))


@pytest.mark.parametrize(
    "piece",
    [
        Piece(BLOB, 0, 0, 40, bytes(40)),
        Piece(BLOB, 0, 0, len(MANIFEST_RAW), MANIFEST_RAW[:-1] + b"!"),
    ],
    ids=["another manifest", "one byte"],
)
def test_who_sends_another_manifest_loses_the_link_and_is_not_asked_again(piece: Piece) -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    chuo.feed(wanted(said=[KITA.public]))
    lie(city, kita, 1, piece)

    assert chuo.closed() == ["wrong_piece"]
    city.join(kita, chuo)
    city.seen.clear()
    city.pass_ms(LACKS_MS * 2)
    assert city.frames(Seek, chuo) == []
    assert chuo.machine.seeking.coming(BLOB)


@pytest.mark.parametrize(
    "piece",
    [
        Piece(BLOB, 1, 0, CHUNK_BYTES, bytes(CHUNK_BYTES)),
        Piece(BLOB, 1, 0, 9, bytes(9)),
        Piece(BLOB, 6, 0, CHUNK_BYTES, bytes(5)),
    ],
    ids=["other bytes", "too short", "too long"],
)
def test_who_sends_another_chunk_loses_the_link_and_nothing_of_it_is_kept(piece: Piece) -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    chuo.feed(BlobWanted(BLOB, ON_DEMAND, MANIFEST_RAW, 0, [KITA.public]))
    lie(city, kita, 1, piece)

    assert chuo.closed() == ["wrong_piece"]
    assert not [each for each in chuo.effects if isinstance(each, KeepPart)]


def test_a_stray_piece_is_counted_and_its_sender_told() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    lie(city, kita, 1, Piece(BLOB, 1, 0, CHUNK_BYTES, b"x"))

    assert chuo.refused()[-1:] == ["stray_piece"] and chuo.closed() == []
    assert city.frames(Seek, chuo) == [Seek(BLOB, 0)]


def test_a_blob_whose_id_names_no_manifest_is_given_up_and_nobody_blamed() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    bad = b"no manifest at all"
    kita.blobs[hash32(bad)] = {0: bad}
    kita.feed(BlobKept(hash32(bad), False))
    chuo.feed(wanted(said=[KITA.public], blob=hash32(bad)))
    city.deliver()

    assert BlobRefused(hash32(bad)) in chuo.effects and chuo.closed() == []
    assert "bad_manifest" in chuo.refused()
    assert not chuo.machine.seeking.coming(hash32(bad))


def test_a_part_that_is_corrupt_there_is_told_as_lacking() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    puts(kita)
    del kita.blobs[BLOB][3]
    chuo.feed(wanted(said=[KITA.public]))
    city.deliver()
    assert city.frames(Lacks, kita) == [Lacks(BLOB)]
    kita.feed(BlobLost(BLOB))
    puts(kita, news=True)
    city.pass_ms(3_000)

    assert has_photo(chuo)


def test_a_link_seeks_so_many_blobs_at_a_time_and_no_more() -> None:
    kita, chuo = wards(KITA, CHUO)
    city = greeted(kita, chuo)
    for number in range(SEEKS_MAX + 5):
        frame = encode_frame(Seek(number.to_bytes(32, "big"), MANIFEST_BIT))
        kita.feed(Received(1, frame))

    assert sum(isinstance(each, BlobAsked) for each in kita.effects) == SEEKS_MAX
    assert len(city.frames(Lacks, kita)) == SEEKS_MAX + 5


def test_who_says_that_it_holds_it_and_sends_only_text_is_left_for_another() -> None:
    kita, chuo, hq = wards(KITA, CHUO, HQ)
    city = City(kita, chuo, hq)
    city.join(chuo, kita)
    city.join(chuo, hq)
    city.pass_ms(GREETED_MS)
    puts(kita)
    puts(hq)
    city.lost = lambda _, receiver, frame: receiver is kita and isinstance(frame, Seek)
    chuo.feed(wanted(said=[KITA.public]))
    for number in range(40):
        kita.say(note(f"第{number}報"))
        city.pass_ms(1_000)

    assert has_photo(chuo)


@pytest.mark.parametrize("seed", range(12))
def test_over_lines_that_lose_and_repeat_and_break_it_comes_whole_and_nothing_else(
    seed: int,
) -> None:
    dice = random.Random(seed)
    hq, kita, chuo, nishinari = stations = wards(HQ, KITA, CHUO, NISHINARI)
    city = City(*stations)
    pairs = [(hq, kita), (kita, chuo), (chuo, nishinari), (kita, nishinari)]
    links = {pair: city.join(*pair)[0] for pair in pairs}
    city.pass_ms(GREETED_MS)
    puts(dice.choice([hq, kita]), news=True)

    def loses(sender: Station, receiver: Station, frame: Frame) -> bool:
        if dice.random() < 0.1 and isinstance(frame, Piece | Seek | Lacks):
            city._queue.append(
                (city._ends[link_of(city, sender, receiver)][2], encode_frame(frame))
            )
        return dice.random() < 0.15 and isinstance(frame, Piece | Seek | Lacks)

    city.lost = loses
    nishinari.feed(wanted())
    for station in (hq, kita, chuo):
        station.feed(wanted(KEEP if station is hq else FORWARD))
    for _ in range(60):
        city.pass_ms(dice.randrange(1, 8) * 500)
        if dice.random() < 0.3:
            pair = dice.choice(pairs)
            city.cut(links[pair])
            links[pair] = city.join(*pair)[0]
    city.lost = lambda *_: False
    nishinari.feed(wanted())
    for _ in range(6):
        for station in (kita, chuo):  # whoever is asked passes it on
            if any(isinstance(each, BlobAsked) for each in station.effects[-400:]):
                station.feed(wanted(FORWARD))
        city.pass_ms(LACKS_MS // 2)

    assert has_photo(nishinari)
    for station in stations:
        assert station.blobs.get(BLOB, {}).items() <= PARTS.items()
        assert station.closed() == []


def link_of(city: City, sender: Station, receiver: Station) -> int:
    """The newest link between two."""
    ends = city._ends.items()
    return max(number for number, (a, b, _) in ends if a is sender and b is receiver)


def test_somebody_who_looks_goes_before_an_archive_that_keeps() -> None:
    kita, hq = wards(KITA, HQ)
    city = greeted(kita, hq)
    others = [bytes([number]) * 32 for number in range(1, 6)]
    hq.feed(wanted(KEEP, [KITA.public], others[0]))
    for blob in others[1:]:
        hq.feed(wanted(KEEP, [KITA.public], blob))
    hq.feed(wanted(ON_DEMAND, [KITA.public]))
    puts(kita)
    city.pass_ms(1_500)
    sought = list(dict.fromkeys(seek.blob for seek in city.frames(Seek, hq)))  # type: ignore[union-attr]

    assert has_photo(hq)
    assert sought.index(BLOB) == 1


def test_a_pressing_want_lifts_one_that_is_under_way() -> None:
    hq, nishinari = wards(HQ, NISHINARI)
    greeted(hq, nishinari)
    hq.feed(wanted(KEEP))
    hq.feed(wanted(ON_DEMAND))
    hq.feed(wanted(FORWARD))

    assert hq.machine.seeking.coming(BLOB)
    hq.feed(BlobUnwanted(BLOB))
    assert not hq.machine.seeking.coming(BLOB)


def test_progress_counts_bytes_that_verified() -> None:
    kita, chuo = wards(KITA, CHUO)
    greeted(kita, chuo, apart=True)
    progress = chuo.machine.seeking.progress

    assert progress(BLOB) is None
    chuo.feed(wanted())
    assert progress(BLOB) == (0, 0)
    chuo.feed(BlobUnwanted(BLOB))
    chuo.feed(BlobWanted(BLOB, ON_DEMAND, MANIFEST_RAW, 0b1000110, []))
    assert progress(BLOB) == (2 * CHUNK_BYTES + 777, len(PHOTO))


def test_two_wards_without_a_blob_send_not_one_frame_about_them() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.pass_ms(20_000)

    assert city.frames(Seek) == city.frames(Piece) == city.frames(Lacks) == []

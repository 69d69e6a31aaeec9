"""Floors: what is missing below a height, how a node jumps to it, and how it is filled again."""

from __future__ import annotations

from meshrelay.core.events import AskArchives, Damaged, Evict, Received, Room
from meshrelay.core.filling import FILL_AGAIN_MS, FILL_MS
from meshrelay.core.frames import Entries, Fill, encode_frame
from meshrelay.core.gaps import Gap
from meshrelay.core.have import read_have
from meshrelay.core.retention import FRESH_MS
from meshrelay.core.signing import hash32
from meshrelay.core.statements import HAVE_IDLE_MS
from tests.unit.core.city import (
    CHUO,
    GONE,
    HQ,
    KITA,
    NISHINARI,
    RECORDS,
    City,
    Station,
    batch,
    chain,
    log_of,
    note,
)

LOG = log_of(KITA)


def stations(*signers: object) -> list[Station]:
    return [Station(signer, RECORDS) for signer in signers]  # type: ignore[arg-type]


def evict(station: Station, upto: int, log: object = LOG) -> None:
    """Drop the first entries of a log, as the node does when there is little room."""
    raws = station.disk[log][:upto]  # type: ignore[index]
    size = sum(len(raw) for raw in raws)
    station.feed(Evict(log, upto, hash32(raws[-1]), size))  # type: ignore[arg-type]


def held(station: Station, log: object = LOG) -> list[int]:
    """The seqs that are on its disk."""
    rows = station.disk.get(log, [])  # type: ignore[call-overload]
    return [seq for seq, raw in enumerate(rows, 1) if raw != GONE]


def talk(station: Station, city: City, count: int) -> None:
    for number in range(count):
        station.say(note(f"{number}報"))
        city.pass_ms(1_000)


# Jumping


def test_below_every_connected_peers_floor_a_node_jumps() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    kita.say(*[note(f"{number}報") for number in range(20)])
    evict(kita, 12)
    city.join(kita, chuo)
    city.pass_ms(3_000)

    assert held(chuo) == list(range(13, 21))
    assert chuo.machine.vector.gaps[LOG] == (
        Gap(0, LOG.first_prev, 12, chuo.machine.vector.gaps[LOG][0].high_id, True),
    )
    assert kita.machine.vector.digest() == chuo.machine.vector.digest()
    kita.say(note("その後"))
    city.pass_ms(1_000)
    assert chuo.height(LOG) == 21


def test_what_was_held_before_a_jump_stays() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    link, _ = city.join(kita, chuo)
    talk(kita, city, 5)
    city.cut(link)
    kita.say(*[note(f"留守{number}") for number in range(15)])
    evict(kita, 12)
    city.join(kita, chuo)
    city.pass_ms(3_000)

    assert held(chuo) == [*range(1, 6), *range(13, 21)]
    (gap,) = chuo.machine.vector.gaps[LOG]
    assert (gap.low, gap.high, gap.low_id) == (5, 12, hash32(chuo.disk[LOG][4]))


def test_who_holds_more_is_asked_before_anybody_jumps() -> None:
    kita, chuo, hq = stations(KITA, CHUO, HQ)
    city = City(kita, chuo, hq)
    link, _ = city.join(kita, hq)
    talk(kita, city, 20)
    city.cut(link)
    evict(kita, 12)
    city.join(kita, chuo)
    city.join(hq, chuo)
    city.pass_ms(30_000)

    assert held(chuo) == list(range(1, 21))
    assert LOG not in chuo.machine.vector.gaps


def test_who_announces_more_and_never_sends_it_is_not_waited_for_for_ever() -> None:
    kita, chuo, mute = stations(KITA, CHUO, NISHINARI)
    city = City(kita, chuo, mute)
    link, _ = city.join(kita, mute)
    talk(kita, city, 20)
    city.cut(link)
    evict(kita, 12)
    city.lost = lambda sender, _to, frame: sender is mute and isinstance(frame, Entries)
    city.join(mute, chuo)
    city.join(kita, chuo)
    city.pass_ms(90_000)

    assert held(chuo) == list(range(13, 21))


def test_a_jump_proves_the_chain_from_its_floor_on() -> None:
    """A peer that sends something else than the origin signed gets nowhere."""
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    kita.say(*[note(f"{number}報") for number in range(9)])
    evict(kita, 4)
    city.join(kita, chuo)
    city.deliver()
    forged = bytearray(kita.disk[LOG][4])
    forged[-1] ^= 1
    before = held(chuo)
    chuo.feed(Received(2, batch(bytes(forged))))

    assert chuo.closed() == ["bad_signature"]
    assert held(chuo) == before


# Filling


def jumped() -> tuple[City, Station, Station]:
    """中央区 has jumped over 北区's first 400 entries; 本部 has them all but no link yet."""
    kita, chuo, hq = stations(KITA, CHUO, HQ)
    city = City(kita, chuo, hq)
    link, _ = city.join(kita, hq)
    kita.say(*[note("内容" * 40 + str(number)) for number in range(450)])
    city.pass_ms(10_000)
    city.cut(link)
    evict(kita, 400)
    city.join(kita, chuo)
    city.pass_ms(10_000)
    assert held(chuo) == list(range(401, 451)) and held(hq) == list(range(1, 451))
    return city, chuo, hq


def test_a_gap_is_filled_by_a_peer_with_a_lower_floor() -> None:
    city, chuo, hq = jumped()
    city.join(chuo, hq)
    city.pass_ms(FILL_AGAIN_MS + 20_000)

    assert held(chuo) == list(range(1, 451))
    assert LOG not in chuo.machine.vector.gaps
    assert chuo.disk[LOG] == hq.disk[LOG]


def test_what_fills_a_gap_must_lead_to_what_is_held_above_it() -> None:
    city, chuo, hq = jumped()
    other = [entry.raw for entry in chain(KITA, 400, text="別")]
    link, _ = city.join(chuo, hq)
    chuo.feed(Received(link, batch(*other[395:])))

    assert held(chuo) == list(range(401, 451))
    assert "gap" in chuo.refused() and chuo.closed() == []


def test_of_another_branch_below_the_gap_nothing_is_taken() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    branch = chain(KITA, 3, text="別")
    link, _ = city.join(chuo, kita)
    city.deliver()
    chuo.feed(Received(link, batch(*[entry.raw for entry in branch])))
    assert held(chuo) == [1, 2, 3]
    ours = chain(KITA, 8)
    gap = Gap(3, branch[2].id, 6, ours[5].id, True)
    chuo.machine.vector.set_gaps(LOG, (gap,))
    chuo.feed(Received(link, batch(*[entry.raw for entry in ours[3:6]])))

    assert chuo.refused()[-1] == "fork"
    assert held(chuo) == [1, 2, 3]


def test_a_peer_that_lacks_it_too_is_asked_again_only_after_a_while() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    kita.say(*[note(f"{number}報") for number in range(9)])
    evict(kita, 4)
    city.join(kita, chuo)
    city.pass_ms(FILL_AGAIN_MS)

    assert len(city.frames(Fill, chuo)) <= 1 + FILL_AGAIN_MS // FILL_MS // 12


def test_a_fill_of_a_log_that_nobody_knows_answers_nothing() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    link, _ = city.join(chuo, kita)
    city.deliver()
    city.seen.clear()
    chuo.feed(Received(link, encode_frame(Fill(log_of(NISHINARI), 0, 1 << 62))))
    city.deliver()

    assert not city.frames(Entries, chuo)


# Damage


def test_a_damaged_row_is_fetched_again() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    city.join(kita, chuo)
    talk(kita, city, 9)
    rows = [*chuo.disk[LOG]]
    chuo.feed(Damaged(LOG, 4, hash32(rows[3]), 6, hash32(rows[5]), 100))
    assert held(chuo) == [1, 2, 3, 4, 7, 8, 9]
    city.pass_ms(3_000)

    assert chuo.disk[LOG] == rows
    assert LOG not in chuo.machine.vector.gaps


def test_a_damaged_newest_row_is_fetched_again_and_the_log_goes_on() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    city.join(kita, chuo)
    talk(kita, city, 9)
    rows = [*chuo.disk[LOG]]
    chuo.feed(Damaged(LOG, 8, hash32(rows[7]), 9, hash32(rows[8]), 100))
    talk(kita, city, 2)
    city.pass_ms(3_000)

    assert held(chuo) == list(range(1, 12))
    assert chuo.disk[LOG][:9] == rows


# Receipts


def test_a_receipt_does_not_cover_what_was_never_held() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    kita.say(*[note(f"{number}報") for number in range(20)])
    evict(kita, 12)
    city.join(kita, chuo)
    city.pass_ms(2 * HAVE_IDLE_MS)
    receipts = kita.machine.receipts

    assert receipts.has(CHUO.public, LOG, 13) and receipts.has(CHUO.public, LOG, 20)
    assert not receipts.has(CHUO.public, LOG, 12) and not receipts.has(CHUO.public, LOG, 1)


def test_what_was_received_and_then_evicted_stays_received() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    city.join(kita, chuo)
    talk(kita, city, 9)
    city.pass_ms(HAVE_IDLE_MS)
    evict(chuo, 5)
    city.pass_ms(2 * HAVE_IDLE_MS)

    assert all(kita.machine.receipts.has(CHUO.public, LOG, seq) for seq in range(1, 10))


def test_a_filled_hole_is_covered() -> None:
    city, chuo, hq = jumped()
    city.join(chuo, hq)
    city.pass_ms(FILL_AGAIN_MS + 20_000 + HAVE_IDLE_MS)

    assert all(hq.machine.receipts.has(CHUO.public, LOG, seq) for seq in (1, 200, 400, 450))


# Eviction


def may(station: Station, seq: int, expired: bool = False) -> bool:
    return station.machine.may_evict(LOG, seq, expired, station.now())


def with_archive() -> tuple[City, Station, Station, int]:
    """北区 and 本部 in sync over one link."""
    hq, kita = stations(HQ, KITA)
    city = City(hq, kita)
    link, _ = city.join(hq, kita)
    talk(kita, city, 9)
    city.pass_ms(HAVE_IDLE_MS)
    return city, kita, hq, link


def test_a_fresh_have_of_an_archive_permits_eviction() -> None:
    city, kita, _, _ = with_archive()
    kita.feed(AskArchives())
    city.deliver()

    assert may(kita, 9) and not may(kita, 10)


def test_an_archives_old_word_permits_nothing() -> None:
    city, kita, _, link = with_archive()
    kita.feed(AskArchives())
    city.deliver()
    city.cut(link)
    city.pass_ms(FRESH_MS + 1_000)

    assert kita.machine.receipts.covered(HQ.public, LOG) == 9
    assert not may(kita, 9)


def test_a_have_that_answers_no_question_of_ours_permits_nothing() -> None:
    """What a broker kept back and replays carries a nonce of long ago."""
    city, kita, hq, link = with_archive()
    kita.machine._state.fresh.clear()
    city.cut(link)
    _, there = city.join(hq, kita)
    old = kita.machine._state.nonce(city.ms, ago=7)
    have = hq.machine.statements._make(old, hq.now())
    kita.machine._state.fresh.clear()
    list(kita.machine.statements.received(have.raw, "mqtt", HQ.public,
                                          kita.machine.links[there], kita.now()))  # fmt: skip

    assert read_have(have.raw).nonce == old
    assert not may(kita, 9)


def test_the_word_of_ordinary_nodes_never_permits_eviction() -> None:
    """Three full islands would each evict on the other two's word."""
    kita, chuo, nishinari = stations(KITA, CHUO, NISHINARI)
    city = City(kita, chuo, nishinari)
    for a, b in ((kita, chuo), (chuo, nishinari), (kita, nishinari)):
        city.join(a, b)
    talk(kita, city, 9)
    city.pass_ms(HAVE_IDLE_MS)
    kita.feed(AskArchives())
    city.deliver()

    for ward in (kita, chuo, nishinari):
        assert not any(may(ward, seq) for seq in range(1, 10))


def test_an_expired_entry_of_our_own_that_nobody_else_holds_stays() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    kita.say(note("一"))

    assert not may(kita, 1, expired=True)
    city.join(kita, chuo)
    city.pass_ms(HAVE_IDLE_MS)
    assert may(kita, 1, expired=True) and may(chuo, 1, expired=True)


def test_an_archive_keeps_everything() -> None:
    _, _, hq, _ = with_archive()

    assert not may(hq, 1, expired=True) and not may(hq, 1)


# Back-pressure


def test_a_flood_ends_at_its_origins_quota_and_nobody_elses_words_do() -> None:
    kita, chuo, nishinari = stations(KITA, CHUO, NISHINARI)
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.join(nishinari, chuo)
    chuo.feed(Room(0, 1_000_000))
    for number in range(400):
        kita.say(note("氾濫" * 100 + str(number)))
    city.pass_ms(20_000)
    stopped = chuo.height(LOG)
    nishinari.say(note("助けて"))
    kita.say(note("緊急", 0))
    city.pass_ms(5_000)

    assert 0 < stopped < 150
    assert "quota" in chuo.refused() or stopped == chuo.height(LOG)
    assert chuo.closed() == []
    assert chuo.height(log_of(NISHINARI)) == 1 and chuo.height(log_of(KITA, 0)) == 1


def test_what_found_no_room_comes_when_there_is_room() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    city.join(kita, chuo)
    chuo.feed(Room(990_000, 1_000_000))
    kita.say(*[note(f"{number}報") for number in range(50)])
    city.pass_ms(30_000)
    assert chuo.height(LOG) == 0
    chuo.feed(Room(0, 1_000_000))
    city.pass_ms(45_000)

    assert chuo.height(LOG) == 50
    assert chuo.closed() == []


def test_a_full_store_takes_urgent_words_of_peers_longest() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    city.join(kita, chuo)
    chuo.feed(Room(940_000, 1_000_000))
    kita.say(note("急ぎ", 0), note("通常", 1), note("大", 3))
    city.pass_ms(20_000)

    assert chuo.height(log_of(KITA, 0)) == 1
    assert chuo.height(LOG) == chuo.height(log_of(KITA, 3)) == 0


def test_own_words_are_never_barred_by_the_machine() -> None:
    (kita,) = stations(KITA)
    kita.feed(Room(1_000_000, 1_000_000))
    kita.say(note("一"))

    assert kita.height(LOG) == 1


def test_a_damaged_row_of_a_foreign_log_changes_nothing() -> None:
    (kita,) = stations(KITA)
    kita.feed(Damaged(log_of(CHUO), 0, bytes(32), 1, bytes(32), 1))

    assert not kita.machine.vector.gaps

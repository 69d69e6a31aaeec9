"""The schedules that break weaker rules, by name. Nothing sleeps: time is an argument."""

from __future__ import annotations

from random import Random

import pytest

from meshrelay.core.announcing import HELLO_MS
from meshrelay.core.book import RecordBook
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import BULK, NORMAL, URGENT, Draft, LogId, read_entry
from meshrelay.core.events import EntriesRead, HeldEntry, Missing, ReadEntries, Received, Submit
from meshrelay.core.frames import (
    DONE_ALL,
    Entries,
    Frame,
    Hello,
    Lines,
    Records,
    Want,
    encode_frame,
)
from meshrelay.core.link import GRANT_BYTES_FIRST, LEASE_MS
from meshrelay.core.statements import HAVE_IDLE_MS
from meshrelay.core.sync import Machine, restore_vector
from meshrelay.core.vector import NO_CURSOR, Line
from tests.unit.core.city import (
    CHUO,
    HQ,
    KITA,
    LIFETIME_S,
    NETWORK,
    NISHINARI,
    RECORDS,
    RULES,
    City,
    Station,
    chain,
    log_of,
    note,
    person,
    two_wards,
)
from tests.unit.core.narrow import NarrowCity

KITA_LOG = log_of(KITA)


def noise(size: int, number: int, lane: int = NORMAL) -> Draft:
    """An entry that deflate cannot make smaller."""
    return Draft(lane, "note", LIFETIME_S, b"", Random(number).randbytes(size))


def sent_entries(city: City, receiver: Station) -> list[tuple[LogId, int]]:
    """(log, seq) of every entry sent to `receiver`, in order."""
    places = []
    for _, to, frame in city.seen:
        if to is receiver and isinstance(frame, Entries):
            places += [(entry.log, entry.seq) for entry in map(read_entry, frame.raws)]
    return places


def ratio(city: City, receiver: Station) -> float:
    """Entries received ÷ entries needed."""
    places = sent_entries(city, receiver)
    return len(places) / max(len(set(places)), 1)


def stations(*signers: object) -> list[Station]:
    return [Station(signer, RECORDS) for signer in signers]  # type: ignore[arg-type]


def test_mutual_following() -> None:
    """Two nodes that push everything to each other never send a log in a circle."""
    kita, chuo, nishinari = stations(KITA, CHUO, NISHINARI)
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.join(nishinari, kita)
    city.join(nishinari, chuo)
    city.deliver()
    for number in range(30):
        for ward in (kita, chuo, nishinari):
            ward.say(note(f"{number}報"))
        city.deliver()
        city.pass_ms(1_000)

    assert kita.height(log_of(CHUO)) == chuo.height(log_of(NISHINARI)) == 30
    for ward in (kita, chuo, nishinari):
        assert ratio(city, ward) <= 1.1


@pytest.mark.parametrize("lane", [URGENT, NORMAL])
def test_a_16_kib_entry_at_20_kbit_s(lane: int) -> None:
    """It takes 6.6 s, longer than a lease of lane 0; it is sent once all the same."""
    kita, chuo = stations(KITA, CHUO)
    city = NarrowCity(2_500, 100, kita, chuo)
    city.join(kita, chuo)
    city.pass_ms(2_000)
    for number in range(3):
        kita.say(noise(16_000, number, lane))
    city.pass_ms(40_000)

    assert chuo.height(log_of(KITA, lane)) == 3
    assert len(sent_entries(city, chuo)) == 3


def test_a_starved_lane() -> None:
    """Bulk behind a minute of talk is neither given up nor asked for again and again."""
    kita, chuo = stations(KITA, CHUO)
    kita.say(noise(3_000, 0, BULK))
    city = NarrowCity(2_500, 20, kita, chuo)
    kita.say(*[noise(1_000, number) for number in range(120)])
    city.join(kita, chuo)
    city.pass_ms(40_000)
    assert chuo.height(log_of(KITA, BULK)) == 0  # strictly by lane
    city.pass_ms(40_000)

    assert chuo.height(KITA_LOG) == 120 and chuo.height(log_of(KITA, BULK)) == 1
    assert ratio(city, chuo) == 1
    asked = [log for _, to, frame in city.seen if to is kita and isinstance(frame, Want)
             for log, _ in frame.logs]  # fmt: skip
    assert asked.count(log_of(KITA, BULK)) <= 1


def test_lost_bulk_is_asked_for_again_while_people_talk_now_and_then() -> None:
    """A word every 2 s does not fill the line: nothing waits behind it, the bulk was lost."""
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.pass_ms(HELLO_MS)
    city.lost = lambda sender, _to, frame: sender is kita and isinstance(frame, Entries)
    kita.say(note("写真", BULK))
    city.deliver()
    city.lost = lambda *_: False
    for number in range((HELLO_MS + LEASE_MS) // 2_000):
        kita.say(note(f"{number}報"))
        city.pass_ms(2_000)

    assert chuo.height(log_of(KITA, BULK)) == 1


def test_lost_bulk_is_asked_for_again_while_talk_is_lost_too() -> None:
    """Every 5 s a gap in the talk is asked past: that is no new question for the bulk."""
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.pass_ms(HELLO_MS)
    kita.say(note("おはよう"))
    city.deliver()
    city.lost = lambda sender, _to, frame: sender is kita and isinstance(frame, Entries)
    kita.say(note("写真", BULK))
    city.deliver()
    for number in range((HELLO_MS + LEASE_MS) // 5_000):
        kita.say(note(f"{number}報"))
        city.deliver()  # and is lost
        city.lost = lambda *_: False
        kita.say(note(f"{number}報の続き"))
        city.pass_ms(5_000)
        city.lost = lambda sender, _to, frame: sender is kita and isinstance(frame, Entries)

    assert chuo.height(log_of(KITA, BULK)) == 1


def test_a_liar_that_drips_one_entry_per_lease() -> None:
    """It has the log, moves it by one entry every 9 s, and so keeps its lease: others are asked."""
    entries = chain(NISHINARI, 300)
    kita, chuo = stations(KITA, CHUO)
    for entry in entries:
        for ward in (kita, chuo):
            ward.disk.setdefault(entry.log, []).append(entry.raw)
            ward.ages[entry.raw] = (0, 0)
    for ward in (kita, chuo):
        ward.machine.vector.advance(entries[0].log, 300, entries[-1].id)
        ward.machine.vector.forget_steps()
    (hq,) = stations(HQ)
    city = City(kita, chuo, hq)
    liar, _ = city.join(kita, hq)
    city.lost = lambda sender, _to, frame: sender is kita and isinstance(frame, Entries)
    city.deliver()
    city.join(chuo, hq)
    city.deliver()
    turn = 0
    while turn < 30 and hq.height(entries[0].log) < 300:
        turn += 1
        city.pass_ms(9_000)
        for entry in entries[hq.height(entries[0].log) :][:1]:
            frame = Entries(NETWORK, [entry.raw], [0], [])
            hq.feed(Received(liar + 1, encode_frame(frame)))

    assert hq.height(entries[0].log) == 300
    assert turn <= 4


def test_hello_ping_pong() -> None:
    """Two nodes that answer every greeting with one never talk faster than once in 10 s."""
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    kita.say(note("一"))
    city.seen.clear()
    city.pass_ms(10 * HELLO_MS)

    assert len(city.frames(Hello)) <= 2 * 11


def test_a_slow_archive() -> None:
    """Its disk takes 4 s a commit: the sender stops at the grant, nothing is sent twice."""
    hq, kita = stations(HQ, KITA)
    hq.commits_at_once = False
    kita.say(*[noise(4_000, number) for number in range(300)])
    city = City(hq, kita)
    city.join(hq, kita)
    for _ in range(60):
        city.pass_ms(4_000)
        hq.commit()

    assert hq.height(KITA_LOG) == 300
    assert ratio(city, hq) == 1
    city.pass_ms(HAVE_IDLE_MS)
    assert kita.machine.receipts.covered(HQ.public, KITA_LOG) == 300


def test_two_archives() -> None:
    """Both become complete, and what one gets from the other is not sent by the ward again."""
    second = Station(CHUO, RECORDS)
    hq, kita = stations(HQ, KITA)
    city = City(hq, second, kita)
    city.join(kita, hq)
    city.join(kita, second)
    city.join(hq, second)
    city.deliver()
    for number in range(50):
        kita.say(note(f"{number}報"))
        city.pass_ms(500)

    city.pass_ms(HAVE_IDLE_MS)
    assert hq.height(KITA_LOG) == second.height(KITA_LOG) == 50
    assert ratio(city, hq) <= 1.1 and ratio(city, second) <= 1.1
    assert kita.machine.receipts.covered(HQ.public, KITA_LOG) == 50
    assert kita.machine.receipts.covered(CHUO.public, KITA_LOG) == 50


def test_returning_nodes() -> None:
    """Links come back all at once; the archive asks each for just what is new there."""
    hq, kita, chuo, nishinari = stations(HQ, KITA, CHUO, NISHINARI)
    city = City(hq, kita, chuo, nishinari)
    links = [city.join(hq, ward)[0] for ward in (kita, chuo, nishinari)]
    city.pass_ms(HELLO_MS)
    for turn in range(20):
        for link in links:
            city.cut(link)
        for ward in (kita, chuo, nishinari):
            ward.say(note(f"{turn}報"))
        links = [city.join(hq, ward)[0] for ward in (kita, chuo, nishinari)]
        city.pass_ms(3_000)

    for ward in (kita, chuo, nishinari):
        assert hq.height(log_of(ward.signer)) == 20
        assert ratio(city, ward) <= 1.1
    assert ratio(city, hq) <= 1.1


def reborn(station: Station, incarnation: bytes, keep: int) -> Station:
    """The same node on an older copy of its disk: only its first `keep` changes are left."""
    old = station.machine
    fresh = Station.__new__(Station)
    fresh.__dict__.update(station.__dict__)
    lines = []
    change = 0
    for log, raws in station.disk.items():
        fresh.disk = {**fresh.disk, log: raws[:keep]}
        held = [read_entry(raw) for raw in raws[:keep]]
        if held:
            change += 1
            lines.append((Line(log, held[-1].seq, held[-1].id), len(RECORDS) + change))
    book = RecordBook(NETWORK)
    for record in RECORDS:
        book.add(record)
    records = [(record.id, number) for number, record in enumerate(RECORDS, 1)]
    vector = restore_vector(lines, records)
    past = [*old._state.past, (old.incarnation, vector.change)]
    fresh.machine = Machine(
        station.signer, book, RULES, incarnation, past, vector, HybridClock(),
        type(old.receipts)(), {}, b"nonce..2",
    )  # fmt: skip
    return fresh


def test_a_restored_archive() -> None:
    """本部 goes back aloud, no cursor skips what was lost, and the wards send it again."""
    hq, kita = stations(HQ, KITA)
    city = City(hq, kita)
    link, _ = city.join(hq, kita)
    for number in range(20):
        kita.say(note(f"{number}報"))
        city.pass_ms(1_000)
    city.pass_ms(HAVE_IDLE_MS)
    assert kita.machine.receipts.covered(HQ.public, KITA_LOG) == 20

    city.cut(link)
    restored = reborn(hq, b"day two.", 5)
    city = City(restored, kita)
    restored.city = kita.city = city
    city.lost = lambda sender, _to, frame: sender is kita and isinstance(frame, Entries)
    city.join(restored, kita)
    city.pass_ms(HAVE_IDLE_MS + HELLO_MS)
    assert kita.machine.receipts.covered(HQ.public, KITA_LOG) == 5  # told as lost

    city.lost = lambda *_: False
    city.pass_ms(2 * HELLO_MS)
    assert restored.height(KITA_LOG) == 20
    assert kita.machine.receipts.covered(HQ.public, KITA_LOG) == 20


def test_a_power_cut_does_not_make_a_cursor_forget() -> None:
    """A new incarnation of an undamaged store goes on where the old one was known."""
    hq, kita = stations(HQ, KITA)
    city = City(hq, kita)
    link, _ = city.join(hq, kita)
    kita.say(*[note(f"{number}報") for number in range(9)])
    city.pass_ms(2 * HELLO_MS)
    city.cut(link)
    again = reborn(kita, b"day two.", 9)
    again.say(note("停電の後"))
    city = City(hq, again)
    hq.city = again.city = city
    city.join(hq, again)
    city.pass_ms(1_000)

    told = [line for frame in city.frames(Lines, again) if isinstance(frame, Lines)
            for line in frame.lines]  # fmt: skip
    assert [line.log.incarnation for line in told] == [b"day two."]
    assert hq.height(log_of(KITA, incarnation=b"day two.")) == 1
    city.pass_ms(HELLO_MS)
    assert hq.machine.cursors[KITA.public] == (b"day two.", again.machine.vector.change)


def test_a_cursor_into_a_lost_future_does_not_skip_what_came_instead() -> None:
    """The peer knew change 29 of a store that was put back to 12 and grew to 40 again."""
    hq, kita = stations(HQ, KITA)
    city = City(hq, kita)
    link, _ = city.join(hq, kita)
    kita.say(*[note(f"{number}報") for number in range(3)])
    for number in range(20):
        kita.say(note(f"後{number}", URGENT))
    city.pass_ms(2 * HELLO_MS)
    city.cut(link)
    restored = reborn(kita, b"day two.", 2)
    for number in range(40):
        restored.say(note(f"新{number}", number % 2))
    city = City(hq, restored)
    hq.city = restored.city = city
    city.join(hq, restored)
    city.pass_ms(2 * HELLO_MS)

    for lane in (URGENT, NORMAL):
        assert hq.height(log_of(KITA, lane, b"day two.")) == 20
    assert restored.machine.vector.digest() == hq.machine.vector.digest()


# Narrow lines


@pytest.mark.parametrize("lane", [NORMAL, BULK])
def test_urgent_waits_at_most_a_grant_behind_saturated_bulk(lane: int) -> None:
    """128 kbit/s full of bulk: an urgent entry arrives within 1.5 s, in both directions."""
    kita, chuo = stations(KITA, CHUO)
    for ward in (kita, chuo):
        ward.say(*[noise(1_500, number, lane) for number in range(400)])
    city = NarrowCity(16_000, 20, kita, chuo)
    city.join(kita, chuo)
    city.pass_ms(5_000)
    waited = []
    for number in range(10):
        for here, there in ((kita, chuo), (chuo, kita)):
            before = there.height(log_of(here.signer, URGENT))
            here.say(note(f"避難{number}", URGENT))
            start = city.ms
            while there.height(log_of(here.signer, URGENT)) == before:
                city.pass_ms(10)
            waited.append(city.ms - start)
        city.pass_ms(370)

    assert chuo.height(log_of(KITA, lane)) < 400  # still saturated
    assert max(waited) <= 1_500


def test_urgent_waits_at_most_a_grant_behind_a_roster() -> None:
    """3,000 staff records over 64 kbit/s: background, whatever their number."""
    people = [person(f"{2_000 + number}", KITA, number + 1).staff for number in range(3_000)]
    kita, chuo = Station(KITA, [*RECORDS, *people]), Station(CHUO, RECORDS)
    city = NarrowCity(8_000, 20, kita, chuo)
    city.join(kita, chuo)
    city.pass_ms(8_000)
    kita.say(note("避難指示", URGENT))
    start = city.ms
    while chuo.height(log_of(KITA, URGENT)) == 0:
        city.pass_ms(10)
    assert city.ms - start <= 2_600  # 16 KiB at 8 kB/s

    for _ in range(30):
        city.pass_ms(10_000)
        if chuo.machine.vector.digest() == kita.machine.vector.digest():
            break
    assert chuo.machine.vector.digest() == kita.machine.vector.digest()
    assert city.carried <= 3_000 * 420


def test_the_grant_counts_what_is_under_way() -> None:
    """A new grant is not a second window: never more under way than the last one allows."""
    kita, chuo = stations(KITA, CHUO)
    kita.say(*[noise(1_500, number, BULK) for number in range(100)])
    city = NarrowCity(16_000, 20, kita, chuo)
    city.join(kita, chuo)
    most = 0
    for _ in range(600):
        city.pass_ms(10)
        most = max(most, sum(len(data) for *_, end, data in city._flying if end == 2))

    assert most <= 16 * 1024 + 2_000


def test_a_narrow_line_stays_full() -> None:
    kita, chuo = stations(KITA, CHUO)
    kita.say(*[noise(1_500, number, BULK) for number in range(100)])
    city = NarrowCity(16_000, 50, kita, chuo)
    city.join(kita, chuo)
    city.pass_ms(11_500)

    assert chuo.height(log_of(KITA, BULK)) == 100  # 168 kB in 11.5 s of 16 kB/s


# First contact


def test_an_interrupted_backlog_goes_on_where_it_stopped() -> None:
    """The receiver's last receipt is two seconds old: what came since is not sent again."""
    kita, chuo = stations(KITA, CHUO)
    kita.say(*[noise(1_500, number, BULK) for number in range(300)])
    city = NarrowCity(16_000, 20, kita, chuo)
    link, _ = city.join(kita, chuo)
    city.pass_ms(13_000)
    city.cut(link)
    city._flying.clear()
    city.seen.clear()
    city._free_at.clear()
    before = chuo.height(log_of(KITA, BULK))
    city.join(kita, chuo)
    start = city.ms
    while chuo.height(log_of(KITA, BULK)) == before:
        city.pass_ms(10)

    assert city.ms - start <= 450
    city.pass_ms(5_000)
    assert ratio(city, chuo) <= 1.1


def test_two_nearly_equal_cities_of_logs_meet_by_buckets() -> None:
    """2,160 logs on both sides, ten of them higher on one: a few kilobytes find them."""
    kita, chuo = stations(KITA, CHUO)
    for ward in (kita, chuo):
        for number in range(2_160):
            log = LogId(number.to_bytes(32, "big"), b"day one.", NORMAL)
            height = 2 if ward is kita and number < 10 else 1
            ward.machine.vector.advance(log, height, bytes([height]) * 32)
        ward.machine.vector.forget_steps()
    city = City(kita, chuo)
    city.join(kita, chuo)
    city.deliver()

    size = sum(
        len(encode_frame(frame))
        for *_, frame in city.seen
        if not isinstance(frame, Hello | Want | Entries)
    )
    assert set(chuo.machine.links[2].owed) >= {
        LogId(number.to_bytes(32, "big"), b"day one.", NORMAL) for number in range(10)
    }
    assert size <= 2 * 2_100 + 2 * 10 * 12 * 70


def test_a_lost_bucket_is_asked_for_again() -> None:
    people = [person(f"{2_000 + number}", KITA, number + 1).staff for number in range(100)]
    kita, chuo = Station(KITA, [*RECORDS, *people]), Station(CHUO, RECORDS)
    city = City(kita, chuo)
    dropped: list[Frame] = []

    def lose(_sender: Station, _to: Station, frame: Frame) -> bool:
        if type(frame).__name__ in ("Bucket", "Records") and len(dropped) < 5:
            dropped.append(frame)
            return True
        return False

    city.lost = lose
    city.join(kita, chuo)
    city.pass_ms(3 * LEASE_MS)

    assert dropped
    assert kita.machine.vector.digest() == chuo.machine.vector.digest()


def test_an_announced_record_is_asked_of_one_peer_only() -> None:
    people = [person(f"{2_000 + number}", KITA, number + 1).staff for number in range(60)]
    kita, chuo = (Station(signer, [*RECORDS, *people]) for signer in (KITA, CHUO))
    (hq,) = stations(HQ)
    city = City(kita, chuo, hq)
    city.join(kita, hq)
    city.join(chuo, hq)
    city.deliver()
    asked = [record for _, _, frame in city.seen if isinstance(frame, Want)
             for record in frame.records]  # fmt: skip

    assert hq.machine.vector.digest() == kita.machine.vector.digest()
    assert len(asked) <= 1.1 * len(set(asked))


def test_who_asked_for_a_record_in_vain_gets_it_when_it_comes() -> None:
    """A session that crawls one hop a minute would hide a message for minutes."""
    sato = person("1001", KITA)
    kita, chuo, nishinari = (
        Station(signer, [*RECORDS, *sato.records[:2]]) for signer in (KITA, CHUO, NISHINARI)
    )
    city = City(kita, chuo, nishinari)
    city.join(chuo, nishinari)
    city.deliver()
    nishinari.feed(Missing(sato.session.id))
    city.deliver()
    chuo.feed(Submit([], [sato.session], 9))
    city.deliver()

    assert sato.session.id in nishinari.machine.book


# Known age


def test_known_age_grows_hop_by_hop() -> None:
    """Held two minutes here and three there: five minutes at the third, and not less."""
    kita, chuo, nishinari = stations(KITA, CHUO, NISHINARI)
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.lost = lambda _s, _to, frame: not isinstance(frame, Hello)
    kita.say(note("六時間以内に"))
    city.pass_ms(120_000)
    city.lost = lambda *_: False
    city.pass_ms(HELLO_MS + LEASE_MS + 1_000)
    assert chuo.height(KITA_LOG) == 1
    city.pass_ms(180_000)
    city.join(chuo, nishinari)
    city.pass_ms(1_000)

    age, _ = nishinari.ages[nishinari.disk[KITA_LOG][0]]
    assert age & 1 == 0
    assert 300 <= age >> 1 <= 345


def test_a_reboot_without_a_clock_makes_a_known_age_a_lower_bound() -> None:
    kita, chuo = stations(KITA, CHUO)
    city = City(kita, chuo)
    kita.say(note("一"))
    kita.gap_ms = city.ms + 1  # the power was off after it was stored, nobody knows how long
    city.join(kita, chuo)
    city.deliver()

    age, _ = chuo.ages[chuo.disk[KITA_LOG][0]]
    assert age & 1 == 1


def test_ages_travel_with_the_entries_that_were_read() -> None:
    kita, chuo = stations(KITA, CHUO)
    kita.say(note("一"))
    city = City(kita, chuo)
    city.join(kita, chuo)
    entry = kita.disk[KITA_LOG][0]
    kita.machine.links[1].standing[KITA_LOG] = 1
    held = [HeldEntry(entry, 7 << 1, kita.now().seen_ms - 5_000)]
    city.seen.clear()
    kita.feed(EntriesRead(1, KITA_LOG, 1, held))

    (frame,) = city.frames(Entries, kita)
    assert isinstance(frame, Entries) and frame.ages == [12 << 1]


def test_a_first_want_forgets_what_the_last_life_had_under_way() -> None:
    hq, chuo = Station(HQ, RECORDS), Station(CHUO, RECORDS)
    city = City(hq, chuo)
    city.join(hq, chuo)
    city.deliver()

    (first,) = city.frames(Want, chuo)
    assert isinstance(first, Want) and first.done == DONE_ALL
    assert not any(isinstance(effect, ReadEntries) for effect in hq.effects)
    assert chuo.machine.cursors.get(HQ.public, NO_CURSOR).change > 0


def test_two_wards_that_owe_nothing_meet_without_a_want() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()

    assert city.frames(Want) == []
    assert chuo.machine.cursors.get(KITA.public, NO_CURSOR).change > 0


def test_records_that_were_lost_do_not_fill_the_grant_for_ever() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    roster = [person(f"{2000 + number}", KITA, number).staff for number in range(1, 20)]
    city.lost = lambda *sent: isinstance(sent[2], Records)
    kita.feed(Submit([], roster, 1))
    city.deliver()
    city.pass_ms(HELLO_MS + LEASE_MS // 2)
    city.lost = lambda *_: False
    city.pass_ms(2 * LEASE_MS)

    assert chuo.machine.vector.digest() == kita.machine.vector.digest()
    wants = [frame for frame in city.frames(Want, chuo) if isinstance(frame, Want)]
    assert any(want.records and want.done == DONE_ALL for want in wants)


def test_what_is_written_next_is_sent_under_the_grant_that_both_know() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()

    for number in range(40):
        kita.say(note(f"{number} " + "長" * 40))
    city.deliver()

    assert chuo.machine.vector.digest() == kita.machine.vector.digest()
    sizes = [len(encode_frame(frame)) for frame in city.frames(Entries, kita)]
    assert sum(sizes[:4]) < 2 * GRANT_BYTES_FIRST and city.frames(Want, chuo)


def test_a_card_issued_in_one_ward_is_known_in_the_third_within_a_second() -> None:
    kita, chuo, nishi = (Station(key, RECORDS) for key in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishi)
    city.join(kita, chuo)
    city.join(chuo, nishi)
    city.deliver()
    city.pass_ms(HELLO_MS // 2)

    card = person("2001", KITA).staff
    kita.feed(Submit([], [card], 1))
    city.pass_ms(1_000)

    assert card.id in nishi.machine.book

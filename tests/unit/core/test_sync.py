"""The sync machine by situation: every event goes through two or more real machines."""

from __future__ import annotations

from random import Random

import pytest

from meshrelay.core.announcing import ALL_LINES_MS, HELLO_GAP_MS, HELLO_MS
from meshrelay.core.codec import encode
from meshrelay.core.entry import BULK, NORMAL, URGENT, Draft, LogId, read_entry
from meshrelay.core.events import (
    AdoptTime,
    Committed,
    Covered,
    EntriesRead,
    Found,
    Heard,
    KeepHave,
    LinkDown,
    Missing,
    Received,
    Submit,
    Tick,
)
from meshrelay.core.fetching import MISSING_MS
from meshrelay.core.frames import (
    DONE_ALL,
    Bucket,
    Entries,
    Haves,
    Hello,
    Lines,
    Records,
    Want,
    encode_frame,
)
from meshrelay.core.have import NO_NONCE, make_have, read_have
from meshrelay.core.link import GRANT_BYTES_MIN, LEASE_MS, LEASES_FRUITLESS_MAX, SILENT_MS
from meshrelay.core.signing import Signer
from meshrelay.core.statements import (
    HAVE_CHANGE_MS,
    HAVE_IDLE_MS,
    PASS_ON_MS,
    TIME_ANSWER_MS_MAX,
)
from meshrelay.core.vector import NO_CURSOR, Cursor, Line
from meshrelay.errors import LocalProtocolError
from tests.unit.core.city import (
    CHUO,
    HQ,
    ISSUER_RECORD,
    KITA,
    LIFETIME_S,
    NETWORK,
    NISHINARI,
    PT_MS,
    RECORDS,
    TICK_MS,
    City,
    Station,
    batch,
    chain,
    log_of,
    node_record,
    note,
    person,
    said,
    two_wards,
)

KITA_LOG, KITA_URGENT = log_of(KITA), log_of(KITA, URGENT)


def in_step(a: Station, b: Station) -> bool:
    return a.machine.vector.digest() == b.machine.vector.digest()


def lanes_sent(city: City, sender: Station) -> list[int]:
    """The lane of each entry that `sender` sent, in order."""
    return [
        read_entry(raw).log.lane
        for frame in city.frames(Entries, sender)
        if isinstance(frame, Entries)
        for raw in frame.raws
    ]


# Greeting


def test_two_nodes_with_equal_digests_tell_no_lines() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()

    assert in_step(kita, chuo)
    assert len(city.frames(Hello)) == 2
    assert city.frames(Lines) == []


def test_equal_digests_move_the_cursor_to_the_peers_number() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()

    assert chuo.machine.cursors[KITA.public] == (b"day one.", kita.machine.vector.change)


def test_what_one_lacks_is_announced_asked_for_and_sent() -> None:
    city, kita, chuo = two_wards()
    kita.say(note("北区から"))
    city.join(kita, chuo)
    city.deliver()

    assert chuo.disk[KITA_LOG] == kita.disk[KITA_LOG]
    assert in_step(kita, chuo)


def test_both_sides_get_what_they_lack() -> None:
    city, kita, chuo = two_wards()
    kita.say(*[note(f"北{n}") for n in range(9)])
    chuo.say(*[note(f"中央{n}", URGENT) for n in range(7)])
    city.join(kita, chuo)
    city.deliver()

    assert in_step(kita, chuo)
    assert kita.refused() == chuo.refused() == []


def test_a_second_contact_tells_only_what_changed_since() -> None:
    city, kita, chuo = two_wards()
    kita.say(note("一"))
    chuo.say(note("二"))
    link, _ = city.join(kita, chuo)
    city.deliver()
    city.pass_ms(HELLO_MS)
    city.cut(link)
    kita.say(note("三", URGENT))
    city.seen.clear()
    city.join(kita, chuo)
    city.deliver()

    told = [frame for frame in city.frames(Lines, kita) if isinstance(frame, Lines)]
    assert [[line.log for line in frame.lines] for frame in told] == [[KITA_URGENT]]
    assert in_step(kita, chuo)


def test_a_greeting_never_goes_out_twice_in_a_second() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    greeted: list[int] = []
    for _ in range(4):
        before = len(city.frames(Hello, chuo))
        for _ in range(5):  # a peer that greets without end
            hello = encode_frame(Hello(1, b"other...", 5, b"d" * 16, NO_CURSOR, 1, b"word"))
            chuo.feed(Received(2, hello))
            chuo.feed(Tick())
        greeted.append(len(city.frames(Hello, chuo)) - before)
        city.ms += HELLO_GAP_MS - 1

    assert sum(greeted) <= 3
    assert all(count <= 1 for count in greeted)


def test_a_greeting_goes_out_every_thirty_seconds() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    city.pass_ms(5 * HELLO_MS)

    assert 5 <= len(city.frames(Hello, kita)) <= 7


def test_what_was_lost_is_noticed_at_the_next_greeting() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    city.lost = lambda *_: True
    kita.say(note("消えた"))
    city.deliver()
    city.lost = lambda *_: False
    assert chuo.height(KITA_LOG) == 0

    city.pass_ms(HELLO_MS + LEASE_MS)
    assert chuo.height(KITA_LOG) == 1


def test_a_lost_announcement_keeps_the_cursor_where_it_was() -> None:
    city, kita, chuo = two_wards()
    kita.say(note("一"))
    city.lost = lambda _sender, _receiver, frame: isinstance(frame, Lines)
    city.join(kita, chuo)
    city.deliver()

    assert KITA.public not in chuo.machine.cursors


def test_level_cursors_with_unequal_digests_tell_everything_but_rarely() -> None:
    """A peer that claims to know us to the end, and yet is not like us."""
    city, kita, chuo = two_wards()
    kita.say(note("一"))
    city.join(kita, chuo)
    city.pass_ms(2 * HELLO_MS)
    change = kita.machine.vector.change
    level = kita.machine.cursors[CHUO.public].change
    hello = encode_frame(
        Hello(1, b"day one.", level, b"d" * 16, Cursor(b"day one.", change), 1, b"word")
    )
    city.seen.clear()
    kita.feed(Received(1, hello))
    assert city.frames(Lines, kita) == []  # all lines went at link-up, moments ago

    city.ms += ALL_LINES_MS
    kita.feed(Received(1, hello))
    (lines,) = city.frames(Lines, kita)
    assert isinstance(lines, Lines) and (lines.after, lines.upto) == (0, change)
    kita.feed(Received(1, hello))
    assert len(city.frames(Lines, kita)) == 1


# Following


def test_what_is_followed_is_pushed_without_being_asked_for_again() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    kita.say(note("一"))
    city.deliver()
    city.seen.clear()
    kita.say(note("二"))
    city.deliver()

    assert chuo.height(KITA_LOG) == 2
    assert city.frames(Lines) == city.frames(Hello) == city.frames(Want) == []


def test_a_log_that_comes_twice_is_withdrawn_where_it_came_second() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    for pair in ((kita, chuo), (chuo, nishinari), (kita, nishinari)):
        city.join(*pair)
    city.deliver()
    for number in range(20):
        kita.say(note(f"{number}報"))
        city.deliver()

    assert chuo.height(KITA_LOG) == nishinari.height(KITA_LOG) == 20
    assert len(lanes_sent(city, kita)) == 40
    assert len(lanes_sent(city, chuo)) + len(lanes_sent(city, nishinari)) <= 1


def test_a_ward_behind_another_hears_of_a_new_log_with_the_next_tick() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.join(chuo, nishinari)
    city.deliver()
    kita.say(note("一"))
    kita.say(note("二"))
    city.deliver()
    city.pass_ms(TICK_MS)

    assert nishinari.height(KITA_LOG) == 2


def test_when_a_link_goes_its_logs_are_followed_elsewhere() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.join(chuo, nishinari)
    direct, _ = city.join(kita, nishinari)
    city.deliver()
    kita.say(note("一"))
    city.deliver()
    city.cut(direct)
    kita.say(note("二"))
    city.deliver()
    city.pass_ms(TICK_MS)

    assert nishinari.height(KITA_LOG) == 2


def test_a_silent_link_that_owes_loses_its_logs_at_once() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    kita.say(note("一"))
    first = City(kita, chuo)
    first.join(kita, chuo)
    first.deliver()
    first.cut(1)
    city = City(kita, chuo, nishinari)
    city.lost = lambda sender, receiver, frame: (
        (sender is kita or receiver is kita) and not isinstance(frame, Hello | Lines)
    )
    city.join(kita, nishinari)
    city.join(chuo, nishinari)
    city.deliver()
    assert nishinari.height(KITA_LOG) == 0

    city.pass_ms(SILENT_MS + 2 * TICK_MS)
    assert nishinari.height(KITA_LOG) == 1


def test_moving_to_another_peer_withdraws_from_the_first() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.join(chuo, nishinari)
    city.deliver()
    kita.say(note("一"))
    city.deliver()
    city.pass_ms(TICK_MS)
    city.join(kita, nishinari)  # the origin itself pushes its own logs
    city.deliver()
    city.seen.clear()
    kita.say(note("二"))
    city.deliver()

    withdrawn = [
        log
        for sender, receiver, frame in city.seen
        if isinstance(frame, Want) and sender is nishinari and receiver is chuo
        for log, first in frame.logs
        if first == 0
    ]
    assert KITA_LOG in withdrawn
    city.seen.clear()
    kita.say(note("三"))
    city.deliver()
    assert nishinari.height(KITA_LOG) == 3
    assert KITA_LOG.lane not in lanes_sent(city, chuo)


# Commits


def test_nothing_is_announced_or_sent_before_its_commit() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    kita.commits_at_once = False
    city.seen.clear()
    kita.say(note("未保存"), note("未保存", URGENT))
    city.pass_ms(2 * HELLO_MS)

    assert city.frames(Entries, kita) == city.frames(Lines, kita) == []
    assert not any(isinstance(frame, Entries) for frame in kita.broadcasts())
    kita.commit()
    city.deliver()
    assert chuo.height(KITA_LOG) == chuo.height(KITA_URGENT) == 1


def test_a_cursor_does_not_move_before_the_commit() -> None:
    city, kita, chuo = two_wards()
    kita.say(note("一"))
    chuo.commits_at_once = False
    city.join(kita, chuo)
    city.deliver()
    assert chuo.machine.acceptor.taken(KITA_LOG) == 1
    assert KITA.public not in chuo.machine.cursors

    city.pass_ms(HELLO_MS)
    assert KITA.public not in chuo.machine.cursors
    chuo.commit()
    assert chuo.machine.cursors[KITA.public].change == kita.machine.vector.change


def test_a_receipt_does_not_state_what_is_not_committed() -> None:
    city, kita, chuo = two_wards()
    kita.say(note("一"))
    chuo.commits_at_once = False
    city.join(kita, chuo)
    city.pass_ms(HAVE_IDLE_MS)
    assert kita.machine.receipts.covered(CHUO.public, KITA_LOG) == 0

    chuo.commit()
    city.pass_ms(HAVE_IDLE_MS)
    assert kita.machine.receipts.covered(CHUO.public, KITA_LOG) == 1


def test_a_failed_commit_puts_taken_back_and_the_entries_come_again() -> None:
    city, kita, chuo = two_wards()
    kita.say(note("一"))
    chuo.commits_at_once = False
    city.join(kita, chuo)
    city.deliver()
    assert chuo.machine.acceptor.taken(KITA_LOG) == 1
    chuo.lose_commits()
    assert chuo.machine.acceptor.taken(KITA_LOG) == 0

    chuo.commits_at_once = True
    city.pass_ms(LEASE_MS + TICK_MS)
    assert chuo.height(KITA_LOG) == 1


def test_a_commit_that_nobody_ordered_is_a_bug_of_ours() -> None:
    _, kita, _ = two_wards()

    with pytest.raises(LocalProtocolError):
        kita.feed(Committed(999))


def test_sending_proves_nothing_only_a_receipt_does() -> None:
    """Whatever a bearer acknowledges (PUBACK), the machine has no event for it."""
    city, kita, chuo = two_wards()
    city.lost = lambda sender, _receiver, frame: sender is chuo and isinstance(frame, Haves)
    city.join(kita, chuo)
    city.deliver()
    kita.say(note("一"))
    city.pass_ms(2 * HAVE_IDLE_MS)
    assert chuo.height(KITA_LOG) == 1
    assert kita.machine.receipts.covered(CHUO.public, KITA_LOG) == 0

    city.lost = lambda *_: False
    city.pass_ms(HAVE_IDLE_MS)
    assert kita.machine.receipts.covered(CHUO.public, KITA_LOG) == 1
    assert Covered(KITA_LOG, 0, 1) in kita.effects


# Lanes and grants


def long_note(number: int, lane: int = NORMAL) -> Draft:
    """900 bytes that deflate cannot make smaller."""
    return Draft(lane, "note", LIFETIME_S, b"", Random(number).randbytes(900))


def a_waiting_crowd() -> tuple[City, Station, Station]:
    """北区 has far more normal entries than one grant lets through, and no further grant."""
    city, kita, chuo = two_wards()
    kita.say(*[long_note(number) for number in range(60)])
    city.lost = lambda sender, _receiver, frame: (
        sender is chuo and isinstance(frame, Want) and not frame.logs and frame.done != DONE_ALL
    )
    city.join(kita, chuo)
    city.deliver()
    return city, kita, chuo


def test_a_grant_bounds_the_bytes_under_way() -> None:
    city, kita, chuo = a_waiting_crowd()
    sent = sum(
        len(raw)
        for frame in city.frames(Entries, kita)
        if isinstance(frame, Entries)
        for raw in frame.raws
    )

    assert 0 < chuo.height(KITA_LOG) < 60
    assert sent <= GRANT_BYTES_MIN + 2_000  # at most one entry above it


def test_urgent_is_sent_before_waiting_normal_entries() -> None:
    city, kita, chuo = a_waiting_crowd()
    kita.say(long_note(99, BULK))
    kita.say(note("避難指示", URGENT))
    before = len(lanes_sent(city, kita))
    city.lost = lambda *_: False
    city.pass_ms(HELLO_MS)

    lanes = lanes_sent(city, kita)[before:]
    assert lanes[0] == URGENT
    assert lanes == sorted(lanes)
    assert chuo.height(KITA_LOG) == 60


def test_a_new_grant_follows_when_half_is_used() -> None:
    city, kita, chuo = two_wards()
    kita.say(*[long_note(number) for number in range(60)])
    city.join(kita, chuo)
    city.deliver()

    assert chuo.height(KITA_LOG) == 60  # no time passed: grants alone paced it
    assert len([w for w in city.frames(Want, chuo) if isinstance(w, Want) and not w.logs]) >= 2


def test_a_withdrawn_log_is_sent_no_more() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    kita.feed(
        Received(1, encode_frame(Want(GRANT_BYTES_MIN, 0, NO_NONCE, [(KITA_LOG, 0)], [], [])))
    )
    kita.say(note("一"))

    assert city.frames(Entries, kita) == []


# Lies and losses


def announce(station: Station, link: int, log: LogId, height: int) -> None:
    line = Line(log, height, b"x" * 8)
    station.feed(Received(link, encode_frame(Lines(0, 0, [line], [], False))))


@pytest.mark.parametrize("height", [1 << 40, (1 << 63) - 1])
def test_a_lying_height_pins_nothing(height: int) -> None:
    """中央区 claims a height of 西成区's log that nobody ever wrote."""
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    log = log_of(NISHINARI)
    city.join(kita, chuo)
    city.join(kita, nishinari)
    city.deliver()
    announce(kita, 1, log, height)
    city.pass_ms(2 * LEASE_MS)
    nishinari.say(note("本当の第1報"))
    city.pass_ms((LEASES_FRUITLESS_MAX + 2) * LEASE_MS)

    assert kita.height(log) == 1
    nishinari.say(note("本当の第2報"))
    city.pass_ms(HELLO_MS)
    assert kita.height(log) == 2
    nishinari.say(note("本当の第3報"))  # followed again where it is written: pushed
    city.deliver()
    assert kita.height(log) == 3


def test_a_lie_is_forgotten_and_costs_no_traffic_for_ever() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    announce(kita, 1, log_of(NISHINARI), 1 << 40)
    city.pass_ms((LEASES_FRUITLESS_MAX + 2) * LEASE_MS)
    city.seen.clear()
    city.pass_ms(HELLO_MS)

    assert city.frames(Want, kita) == []


def test_a_gap_is_asked_for_again() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    kita.say(note("一"))
    city.deliver()
    city.lost = lambda *_: True
    kita.say(note("二"))
    city.lost = lambda *_: False
    city.ms += HELLO_GAP_MS
    kita.say(note("三"))
    city.deliver()

    assert chuo.refused() == ["gap"]
    assert chuo.height(KITA_LOG) == 3


def test_an_event_of_a_closed_link_says_nothing() -> None:
    city, kita, chuo = two_wards()
    link, _ = city.join(kita, chuo)
    city.deliver()
    city.cut(link)

    for event in (
        Received(link, b"late"), LinkDown(link), EntriesRead(link, KITA_LOG, 1, []),
        Found(KITA_LOG, 9, None),
    ):  # fmt: skip
        assert kita.feed(event) == []


def test_bytes_that_are_no_frame_close_the_link() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    chuo.feed(Received(2, b"noise"))

    assert chuo.closed() == ["malformed"]


# Credentials and sessions


def test_a_missing_credential_is_asked_for_and_then_its_entries() -> None:
    kita = Station(KITA, RECORDS)
    chuo = Station(CHUO, [ISSUER_RECORD, node_record(CHUO), node_record(KITA)])
    nishinari = Station(NISHINARI, RECORDS)
    nishinari.say(note("西成から"))
    city = City(kita, chuo, nishinari)
    city.join(nishinari, kita)
    city.deliver()
    city.lost = lambda _s, _r, frame: isinstance(frame, Lines) and bool(frame.records)
    city.join(kita, chuo)
    city.deliver()

    announce(chuo, 4, log_of(NISHINARI), 1)
    city.deliver()
    assert "no_credential" in chuo.refused()
    assert chuo.closed() == []
    assert chuo.height(log_of(NISHINARI)) == 1


def test_records_are_told_by_id_and_fetched_once() -> None:
    kita = Station(KITA, RECORDS)
    chuo = Station(CHUO, [ISSUER_RECORD, node_record(CHUO), node_record(KITA)])
    city = City(kita, chuo)
    city.join(kita, chuo)
    city.deliver()

    assert {record.id for record in RECORDS} <= set(chuo.machine.book.by_id)
    assert in_step(kita, chuo)


def test_a_new_node_credential_is_told_at_once() -> None:
    known = [ISSUER_RECORD, node_record(CHUO), node_record(KITA)]
    kita, chuo = Station(KITA, known), Station(CHUO, known)
    city = City(kita, chuo)
    city.join(kita, chuo)
    city.deliver()
    kita.feed(Submit([], [node_record(NISHINARI)], 2))
    city.deliver()

    assert NISHINARI.public in chuo.machine.book.nodes


def test_the_session_behind_an_entry_is_fetched() -> None:
    sato = person("1001", KITA)
    city, kita, chuo = two_wards()
    kita.feed(Submit([], sato.records, 2))
    city.join(kita, chuo)
    city.deliver()
    assert sato.session.id not in chuo.machine.book  # sessions travel by need only

    entry = said(sato, KITA, b"hello", incarnation=b"day zero")
    chuo.feed(Received(2, batch(entry.raw)))
    city.deliver()
    assert sato.session.id in chuo.machine.book


def test_a_missing_record_is_asked_for_again_with_longer_waits() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    city.seen.clear()
    kita.feed(Missing(b"s" * 32))
    city.pass_ms(30 * MISSING_MS)

    asked = [w for w in city.frames(Want, kita) if isinstance(w, Want) and w.records]
    assert 4 <= len(asked) <= 7


def test_a_forged_record_closes_the_link() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    forged = person("9999", KITA).staff.raw[:-1] + b"\x00"
    chuo.feed(Received(2, encode_frame(Records([forged]))))

    assert chuo.closed() == ["bad_signature"]


def test_a_record_of_a_later_version_is_left_alone() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    sato = person("1001", KITA)
    chuo.feed(Received(2, encode_frame(Records([encode([15, b"later"]), sato.staff.raw]))))

    assert chuo.refused() == ["unknown_record"] and chuo.closed() == []
    assert sato.staff.id in chuo.machine.book


# HAVE


def test_the_archive_answers_each_want_at_once_with_its_nonce() -> None:
    hq, kita = Station(HQ, RECORDS), Station(KITA, RECORDS)
    kita.say(note("一"))
    city = City(hq, kita)
    city.join(hq, kita)
    city.deliver()

    nonces = {
        read_have(raw).nonce
        for frame in city.frames(Haves, hq)
        if isinstance(frame, Haves)
        for raw in frame.raws
    }
    assert kita.machine._state.nonce(city.ms) in nonces


def test_others_answer_a_want_without_a_statement() -> None:
    city, kita, chuo = two_wards()
    kita.say(note("一"))
    city.join(kita, chuo)
    city.deliver()
    said = len(city.frames(Haves))
    chuo.feed(Received(2, encode_frame(Want(9_999, 0, b"a nonce.", [], [], []))))
    city.deliver()

    assert len(city.frames(Haves)) == said


def test_a_statement_goes_out_once_a_minute_when_nothing_changes() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.pass_ms(HAVE_IDLE_MS)
    city.seen.clear()
    city.pass_ms(3 * HAVE_IDLE_MS)

    haves = [read_have(f.raws[0]) for f in city.frames(Haves, kita) if isinstance(f, Haves)]
    own = [have for have in haves if have.signer == KITA.public]
    assert len(own) == 3
    assert [have.lines for have in own[1:]] == [[], []]


def test_changes_are_stated_no_faster_than_the_gap() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.pass_ms(HAVE_IDLE_MS)
    city.seen.clear()
    for _ in range(40):
        kita.say(note("速報"))
        city.pass_ms(TICK_MS)

    assert len(city.frames(Haves, kita)) <= 40 * TICK_MS // HAVE_CHANGE_MS + 1
    assert kita.machine.statements.have_gap_ms() == HAVE_CHANGE_MS


def test_statements_are_passed_on_but_never_back() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.join(chuo, nishinari)
    city.pass_ms(PASS_ON_MS + 4 * TICK_MS)

    assert nishinari.machine.receipts.newest(KITA.public) is not None
    assert nishinari.machine.statements.heard[KITA.public][2] == CHUO.public  # by whom
    back = [
        raw
        for sender, receiver, frame in city.seen
        if sender is chuo and receiver is kita and isinstance(frame, Haves)
        for raw in frame.raws
    ]
    assert all(read_have(raw).signer != KITA.public for raw in back)


def test_statements_are_kept_for_the_next_start() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.pass_ms(HAVE_IDLE_MS)

    assert {e.signer for e in kita.effects if isinstance(e, KeepHave)} == {CHUO.public}


def test_a_statement_with_a_bad_signature_closes_the_link_of_who_passed_it_on() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    forged = make_have(
        Signer(b"thief" * 6 + b".."), NETWORK, kita.machine.vector, b"day one.", [], 0, PT_MS,
        NO_NONCE, {},
    )  # fmt: skip
    claimed = forged.raw.replace(forged.signer, HQ.public)
    chuo.feed(Received(2, encode_frame(Haves([claimed]))))

    assert chuo.closed() == ["bad_signature"]
    assert chuo.machine.receipts.newest(HQ.public) is None


def test_our_own_statement_that_comes_back_teaches_nothing() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    own = make_have(KITA, NETWORK, kita.machine.vector, b"old self", [], 0, PT_MS, NO_NONCE, {})

    assert kita.feed(Received(1, encode_frame(Haves([own.raw])))) == []


# Broadcasts


def test_an_urgent_entry_of_our_own_is_broadcast_after_its_commit() -> None:
    _, kita, _ = two_wards()
    kita.commits_at_once = False
    kita.say(note("避難指示", URGENT), note("雑談", NORMAL))
    kita.effects.clear()

    kita.commit()
    (frame,) = kita.broadcasts()
    assert isinstance(frame, Entries) and frame.raws == kita.disk[KITA_URGENT]


def test_a_broadcast_entry_is_taken_without_a_link() -> None:
    _, _, chuo = two_wards()
    (entry,) = chain(KITA, 1, URGENT)
    chuo.feed(Heard(KITA.public, "mqtt", batch(entry.raw)))

    assert chuo.height(KITA_URGENT) == 1


@pytest.mark.parametrize("data", [b"noise", batch(network=b"other network id")])
def test_anybody_may_shout_nonsense_and_nothing_is_closed(data: bytes) -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    chuo.feed(Heard(KITA.public, "mqtt", data))

    assert len(chuo.refused()) == 1 and chuo.closed() == []


def test_where_broadcasts_reach_a_peer_its_link_carries_no_second_statement() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo, broadcasts=True)
    city.deliver()
    opening = len(city.frames(Haves))
    for _ in range(2 * HAVE_IDLE_MS // TICK_MS):
        for here, there in ((kita, chuo), (chuo, kita)):
            for each in here.broadcasts():
                there.feed(Heard(here.signer.public, "mqtt", encode_frame(each)))
            here.effects.clear()
        city.pass_ms(TICK_MS)

    assert len(city.frames(Haves)) == opening
    assert kita.machine.receipts.newest(CHUO.public) is not None


def test_a_frame_never_passes_its_limit_with_a_city_of_logs() -> None:
    """One thousand logs, told to a newcomer."""
    city, kita, chuo = two_wards()
    for number in range(1_000):
        kita.machine.vector.advance(
            LogId(number.to_bytes(32, "big"), b"day one.", number % 4), 1, b"h" * 32
        )
    city.join(kita, chuo)
    city.deliver()

    told = [frame for frame in city.frames(Bucket, kita) if isinstance(frame, Bucket)]
    assert sum(len(frame.lines) for frame in told) == 1_000
    assert len({frame.number for frame in told}) == len(told)


def test_lines_after_a_cursor_never_pass_the_limit_of_a_frame() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    city.cut(1)
    for number in range(1_000):
        kita.machine.vector.advance(
            LogId(number.to_bytes(32, "big"), b"day one.", number % 4), 1, b"h" * 32
        )
    kita.machine.vector.forget_steps()  # else the entries are pushed as well
    city.join(kita, chuo)
    city.deliver()

    lines = [frame for frame in city.frames(Lines, kita) if isinstance(frame, Lines)]
    assert sum(len(frame.lines) for frame in lines) == 1_000
    assert [frame.after for frame in lines[1:]] == [frame.upto for frame in lines[:-1]]


def test_a_new_link_brings_just_the_statements_that_are_missing() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    city.join(kita, chuo)
    city.pass_ms(HAVE_IDLE_MS)
    city.seen.clear()
    link, _ = city.join(chuo, nishinari)
    city.deliver()

    (brought,) = city.frames(Haves, chuo)
    assert isinstance(brought, Haves)
    assert {read_have(raw).signer for raw in brought.raws} == {CHUO.public, KITA.public}
    city.pass_ms(2 * HAVE_IDLE_MS)
    city.cut(link)
    city.seen.clear()
    city.join(chuo, nishinari)
    city.deliver()
    assert city.frames(Haves) == []


# Time from an archive


def asking_the_time(hq_quality: int, own_quality: int, *, late_ms: int = 0) -> Station:
    """北区 with a poor clock meets HQ."""
    hq, kita = Station(HQ, RECORDS), Station(KITA, RECORDS)
    hq.quality, kita.quality = hq_quality, own_quality
    hq.machine.statements.health = {2: hq_quality}
    city = City(hq, kita)
    city.join(hq, kita)
    city.deliver()
    city.pass_ms(HAVE_IDLE_MS)
    city.cut(1)
    kita.effects.clear()
    city.join(hq, kita)
    if late_ms:
        kept, city._queue = city._queue, []
        city.ms += 0
        haves = []
        for to, data in kept:
            city._ends[to][0].feed(Received(to, data))
        while city._queue:
            to, data = city._queue.pop(0)
            if data[1:2] == b"\x06" and city._ends[to][0] is kita:
                haves.append((to, data))
            else:
                city._ends[to][0].feed(Received(to, data))
        city.ms += late_ms
        for to, data in haves:
            city._ends[to][0].feed(Received(to, data))
    city.deliver()
    return kita


def test_a_poor_clock_is_set_by_an_archive_that_answers_now() -> None:
    kita = asking_the_time(4, 1)

    (adopted,) = {each.pt_ms for each in kita.effects if isinstance(each, AdoptTime)}
    assert adopted == kita.now().pt_ms


def test_a_good_clock_is_not_set_by_anybody() -> None:
    assert not any(isinstance(each, AdoptTime) for each in asking_the_time(4, 3).effects)


def test_an_archive_with_a_poor_clock_sets_none() -> None:
    for quality in (0, 1, 2):
        kita = asking_the_time(quality, 0)
        assert not any(isinstance(each, AdoptTime) for each in kita.effects)


def test_an_answer_that_was_long_on_its_way_sets_no_clock() -> None:
    kita = asking_the_time(4, 1, late_ms=TIME_ANSWER_MS_MAX + 1)
    assert not any(isinstance(each, AdoptTime) for each in kita.effects)


def test_an_ordinary_node_sets_no_clock() -> None:
    city, kita, chuo = two_wards()
    kita.quality = 1
    chuo.machine.statements.health = {2: 4}
    city.join(kita, chuo)
    city.pass_ms(HAVE_IDLE_MS)

    assert not any(isinstance(each, AdoptTime) for each in kita.effects)

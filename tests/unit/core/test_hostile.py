"""What hostile or unlucky peers once could do to the core: each test is a fault that was mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.core.codec import decode, encode
from meshrelay.core.entry import Draft, make_entry
from meshrelay.core.events import Heard, Received
from meshrelay.core.fetching import MISSING_MS
from meshrelay.core.frames import Lines, Records, Want, decode_frame, encode_frame
from meshrelay.core.link import LEASE_MS, LEASES_FRUITLESS_MAX
from meshrelay.core.records import read_record
from meshrelay.core.vector import Line
from meshrelay.errors import FrameError
from tests.unit.core.city import (
    CHUO,
    ISSUER_RECORD,
    KITA,
    NETWORK,
    NISHINARI,
    RECORDS,
    City,
    Station,
    batch,
    book_of,
    log_of,
    node_record,
    note,
    person,
    said,
    two_wards,
)


@pytest.mark.parametrize("kind", [[], {}])
def test_a_record_type_that_is_no_number_is_refused(kind: object) -> None:
    with pytest.raises(FrameError):
        read_record(encode([kind, b"x"]))


@pytest.mark.parametrize("kind", [[], {}])
def test_a_hostile_record_is_refused_and_does_not_stop_the_node(kind: object) -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    chuo.feed(Received(2, encode_frame(Records([encode([kind, b"x"])]))))
    assert len(chuo.refused()) == 1


def test_a_record_has_one_id() -> None:
    twin = encode([True, decode(ISSUER_RECORD.raw, 2000)[1]])
    with pytest.raises(FrameError):
        read_record(twin)


@pytest.mark.parametrize(
    "hexadecimal",
    [
        "f93c00",
        "fb3ff199999999999a",
        "f97e00",
        "f7",
        "e0",
        "f820",
        "a1616101",
        "a1f501",
        "a14001",
        "a18001",
    ],
)
def test_what_is_no_value_of_the_protocol_is_malformed(hexadecimal: str) -> None:
    with pytest.raises(FrameError):
        decode(bytes.fromhex(hexadecimal), 100)


@pytest.mark.parametrize("kind", ["f93c00", "f5"])
def test_a_frame_type_has_one_encoding(kind: str) -> None:
    body = encode([1, 1, b"i" * 8, 9, b"d" * 16, b"j" * 8, 3, 0, b"word"])
    with pytest.raises(FrameError):
        decode_frame(body[:1] + bytes.fromhex(kind) + body[2:])


def test_the_session_behind_a_broadcast_entry_is_fetched() -> None:
    sato = person("1001", KITA)
    city, kita, chuo = two_wards(*sato.records[:2])
    from meshrelay.core.events import Submit

    kita.feed(Submit([], [sato.session], 2))
    city.join(kita, chuo)
    city.deliver()
    entry = said(sato, KITA, b"evacuate", kind="order", lane=0, incarnation=b"day zero")
    chuo.feed(Heard(KITA.public, "mqtt", batch(entry.raw)))
    city.pass_ms(10 * MISSING_MS)
    assert sato.session.id in chuo.machine.book


def test_after_a_lie_the_log_is_followed_where_it_is_written() -> None:
    kita, chuo, nishinari = (Station(signer, RECORDS) for signer in (KITA, CHUO, NISHINARI))
    city = City(kita, chuo, nishinari)
    log = log_of(NISHINARI)
    city.join(kita, chuo)
    city.join(kita, nishinari)
    city.deliver()
    nishinari.say(note("本当の第1報"))
    city.deliver()
    assert kita.height(log) == 1
    kita.feed(Received(1, encode_frame(Lines(0, 0, [Line(log, 1 << 40, b"x" * 8)], [], False))))
    city.lost = lambda s, r, frame: type(frame).__name__ == "Hello" and nishinari in (s, r)
    city.pass_ms((LEASES_FRUITLESS_MAX + 2) * LEASE_MS)
    nishinari.say(note("本当の第2報"))
    city.deliver()
    assert kita.height(log) == 2


def test_equal_serials_give_the_same_book_in_any_order() -> None:
    one, two = node_record(KITA), node_record(KITA, name="別名")
    assert (
        book_of(ISSUER_RECORD, one, two).node_records
        == book_of(ISSUER_RECORD, two, one).node_records
    )
    first, second = person("1001", KITA, 1).staff, person("1001", KITA, 1, ("hq",)).staff
    assert (
        book_of(ISSUER_RECORD, first, second).staff_by_number
        == book_of(ISSUER_RECORD, second, first).staff_by_number
    )


# 既読 n/m shrinks and the one who has not read is no longer named
def test_a_frozen_roster_keeps_who_was_renewed_later() -> None:
    sato, suzuki = person("1001", KITA, 1).staff, person("1002", CHUO, 2).staff
    promoted = person("1001", KITA, 3, ("hq",)).staff
    book = book_of(ISSUER_RECORD, sato, suzuki, promoted)
    assert sorted(member.staff_id for member in book.members(2)) == ["1001", "1002"]


# and again at each start, because the entry comes back
def test_a_clock_beyond_the_year_6429_is_refused_before_the_disk() -> None:
    from meshrelay.core.entry import read_entry

    log = log_of(KITA)
    entry = make_entry(
        KITA, NETWORK, log, 1, log.first_prev, 1 << 63, 4, Draft(1, "note", 1, b"", b"")
    )
    with pytest.raises(FrameError):
        read_entry(entry.raw)


def test_a_hello_with_a_change_number_beyond_the_disks_is_refused() -> None:
    from meshrelay.core.frames import Hello
    from meshrelay.core.vector import Cursor

    frame = Hello(1, b"i" * 8, 1 << 63, b"d" * 16, Cursor(b"j" * 8, 0), 0, b"word")
    with pytest.raises(FrameError):
        decode_frame(encode_frame(frame))


def test_a_read_entry_about_a_seq_beyond_the_disks_is_refused() -> None:
    from meshrelay.desk.receipts import check

    body = encode(["all", [["1001", KITA.public, b"i" * 8, 1, [[1 << 63, 1 << 63]]]]])
    assert check(body, "") == "schema"


def test_a_damaged_read_model_is_begun_again(tmp_path: Path) -> None:
    from meshrelay.store.views import open_views

    (tmp_path / "views.db").write_bytes(b"torn by a power cut " * 400)
    assert open_views(tmp_path / "views.db", [b"i" * 8], 5, b"life").position() == (b"", 0)


def test_a_read_model_of_another_version_is_begun_again(tmp_path: Path) -> None:
    import apsw

    from meshrelay.store.views import open_views

    other = apsw.Connection(str(tmp_path / "views.db"))
    other.execute("CREATE TABLE old (x); PRAGMA user_version = 99")
    other.close()
    assert open_views(tmp_path / "views.db", [b"i" * 8], 5, b"life").position() == (b"", 0)


def test_a_silent_link_is_not_flooded_with_wants() -> None:
    city, kita, chuo = two_wards()
    city.join(kita, chuo)
    city.deliver()
    city.lost = lambda sender, _receiver, _frame: sender is kita
    chuo.feed(Received(2, encode_frame(Lines(0, 0, [Line(log_of(KITA), 5, b"x" * 8)], [], False))))
    city.pass_ms(4_000)
    city.seen.clear()
    city.pass_ms(20_000)
    assert len(city.frames(Want, chuo)) <= 5

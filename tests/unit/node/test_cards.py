"""Cards, PINs, temporary cards, notes and suspensions at two real nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nacl.public import Box as PageBox
from nacl.public import PrivateKey, PublicKey

from meshrelay.cli.nodedir import import_records
from meshrelay.cli.recordfile import pack_records
from meshrelay.core import claims
from meshrelay.core.records import StaffRevocation, make_staff_revocation
from meshrelay.core.signing import Signer
from meshrelay.errors import RefusedError
from meshrelay.node.office import Seat
from tests.town import PIN, Clerk, Town, build_town, running, until, uuid7

CLERK = Clerk("C101", "天満 さくら", "てんま さくら", "01", "避難所班", ())
REGISTRAR = Clerk("R101", "梅田 一郎", "うめだ いちろう", "01", "", ("registrar",))
OTHER = Clerk("R201", "難波 花子", "なんば はなこ", "02", "", ("registrar",))
MAYOR = Clerk("H001", "市長 松本", "まつもと", "00", "", ("hq",))
NEW_PIN = "864209"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    made = build_town(tmp_path, {"01": (), "02": ("01",)}, clerks=(MAYOR, CLERK, REGISTRAR, OTHER))
    async with running(made):
        yield made


def refused_as(code: str) -> pytest.RaisesExc[RefusedError]:
    return pytest.raises(RefusedError, check=lambda error: error.code == code)


async def test_a_changed_pin_opens_and_the_old_one_does_not(town: Town) -> None:
    kita = town.nodes["01"]
    seat = await town.log_in("01", CLERK)
    with refused_as("wrong_pin"):
        await kita.cards.change_pin(seat, CLERK.code, "999990", NEW_PIN, NEW_PIN)
    with refused_as("pin_too_simple"):
        await kita.cards.change_pin(seat, CLERK.code, PIN, "111111", "111111")
    await kita.cards.change_pin(seat, CLERK.code, PIN, NEW_PIN, NEW_PIN)

    with refused_as("wrong_pin"):
        await town.log_in("01", CLERK)
    again = await kita.log_in(CLERK.staff_id, CLERK.code, NEW_PIN)
    await town.say("01", again, "新しいPINで")
    chuo = town.nodes["02"]
    other = await town.log_in("02", OTHER)
    await until(lambda: any(not m.trouble for m in town.room("02", other)))
    await until(lambda: len(claims.live_bindings(chuo.machine.book, seat_staff(again))) == 1)
    with refused_as("wrong_pin"):
        await town.log_in("02", CLERK)


def seat_staff(seat: Seat) -> bytes:
    return seat.staff  # type: ignore[attr-defined, no-any-return]


async def test_a_forgotten_pin_is_chosen_anew_after_the_registrars_word(town: Town) -> None:
    kita = town.nodes["01"]
    registrar = await town.log_in("01", REGISTRAR)
    await kita.cards.reset_pin(registrar, CLERK.staff_id)

    with refused_as("choose_pin"):
        await town.log_in("01", CLERK)
    await kita.log_in(CLERK.staff_id, CLERK.code, NEW_PIN, NEW_PIN)
    assert [each.state for each in kita.cards.find(registrar, "てんま")] == ["in_use"]


async def test_a_registrar_has_rights_over_their_own_ward_and_not_over_hq(town: Town) -> None:
    kita, chuo = town.nodes["01"], town.nodes["02"]
    registrar, other = await town.log_in("01", REGISTRAR), await town.log_in("02", OTHER)
    clerk = await town.log_in("01", CLERK)

    with refused_as("no_right"):
        await chuo.cards.reset_pin(other, CLERK.staff_id)
    with refused_as("no_right"):
        await kita.cards.reset_pin(registrar, MAYOR.staff_id)
    with refused_as("no_right"):
        await kita.cards.reset_pin(clerk, CLERK.staff_id)
    with refused_as("no_right"):
        kita.cards.find(clerk, "")
    with refused_as("no_person"):
        await kita.cards.reset_pin(registrar, "nobody")
    assert {each.person.ward for each in kita.cards.find(registrar, "")} == {"01"}


@pytest.mark.parametrize("text", ["テンマ", "天満", "c101", "て ん ま", "ﾃﾝﾏ"])
async def test_people_are_found_by_kana_of_any_width(town: Town, text: str) -> None:
    registrar = await town.log_in("01", REGISTRAR)

    found = town.nodes["01"].cards.find(registrar, text)

    assert [each.person.staff_id for each in found] == [CLERK.staff_id]


async def test_a_temporary_card_speaks_in_every_ward_as_temporary(town: Town) -> None:
    kita = town.nodes["01"]
    registrar = await town.log_in("01", REGISTRAR)
    with refused_as("bad_name"):
        await kita.cards.issue_temporary(registrar, "  ", "", "")
    card = await kita.cards.issue_temporary(registrar, "応援  太郎", "おうえん", "")
    with refused_as("choose_pin"):
        await kita.log_in(card.staff_id, card.code, NEW_PIN)
    helper = await kita.log_in(card.staff_id, card.code, NEW_PIN, NEW_PIN)
    await town.say("01", helper, "応援に来ました")

    other = await town.log_in("02", OTHER)
    await until(lambda: town.room("02", other))
    (message,) = town.room("02", other)
    assert (message.author_name, message.trouble) == ("応援 太郎", None)
    assert [each.temporary for each in kita.cards.find(registrar, "おうえん")] == [True]
    assert message.members_n == 4  # of the roster: a temporary card is in no count


def troubles_of(town: Town, ward: str, seat: Seat) -> list[str | None]:
    return [message.trouble for message in town.room(ward, seat)]


async def test_a_revoked_persons_later_words_are_marked_and_earlier_ones_are_not(
    town: Town,
) -> None:
    kita, chuo = town.nodes["01"], town.nodes["02"]
    clerk, other = await town.log_in("01", CLERK), await town.log_in("02", OTHER)
    await town.say("01", clerk, "前")
    (line,) = [line for log, line in kita.machine.vector.lines.items() if log.lane == 1]
    await town.say("01", clerk, "後")
    await until(lambda: len(town.room("02", other)) == 2)
    network = town.network()
    content = StaffRevocation(network.issuer_record.id, seat_staff(clerk), [line])
    revocation = make_staff_revocation(network.issuer, network.network, content)
    await kita._driver.submit([], [revocation])

    await until(lambda: troubles_of(town, "01", clerk) == [None, "staff_revoked"])
    await until(lambda: troubles_of(town, "02", other) == [None, "staff_revoked"])
    with refused_as("card_revoked"):
        await town.say("01", clerk, "まだ")
    with refused_as("card_revoked"):
        await chuo.log_in(CLERK.staff_id, CLERK.code, PIN)


async def test_a_note_stands_in_the_room_with_who_took_it_down(town: Town) -> None:
    kita = town.nodes["01"]
    clerk, other = await town.log_in("01", CLERK), await town.log_in("02", OTHER)
    mid = uuid7()
    posted = await kita.post_note(clerk, "all", "3丁目で水漏れ", "walk_in", "近所の人", mid)
    assert await kita.post_note(
        clerk, "all", "3丁目で水漏れ", "walk_in", "近所の人", mid
    ) == posted  # fmt: skip
    with refused_as("id_taken"):
        await kita.post_note(clerk, "all", "別の内容", "walk_in", "近所の人", mid)
    with refused_as("bad_source"):
        await kita.post_note(clerk, "all", "水漏れ", "rumour", "", uuid7())

    await until(lambda: town.room("02", other))
    (note,) = town.room("02", other)
    assert (note.unsigned, note.taken_by) == ("walk_in", CLERK.name)
    assert (note.author_name, note.body, note.trouble) == (
        "近所の人",
        {"text": "3丁目で水漏れ"},
        None,
    )
    assert note.author == kita.me.id and not note.mine


async def test_two_registrars_hide_a_wards_words_until_one_takes_it_back(town: Town) -> None:
    kita, chuo = town.nodes["01"], town.nodes["02"]
    clerk, registrar = await town.log_in("01", CLERK), await town.log_in("02", OTHER)
    second = await kita.log_in(REGISTRAR.staff_id, REGISTRAR.code, PIN)
    await town.say("01", clerk, "北区から")
    await until(lambda: town.room("02", registrar))
    cursor = chuo.changes(registrar.person, None).cursor

    await chuo.cards.suspend(registrar, kita.me.id)
    assert town.room("02", registrar)  # one word is not enough
    await kita.cards.suspend(second, kita.me.id)

    await until(lambda: not town.room("02", registrar))
    assert chuo.changes(registrar.person, cursor).reset
    (state,) = [each for each in chuo.cards.nodes(registrar) if each.suspended]
    assert (state.node.id, set(state.said_by)) == (kita.me.id, {REGISTRAR.name, OTHER.name})
    with refused_as("no_node"):
        await chuo.cards.suspend(registrar, "00")
    await chuo.cards.lift(registrar, kita.me.id)
    assert [m.body["text"] for m in town.room("02", registrar)] == ["北区から"]


async def test_a_locked_screen_opens_with_the_pin_alone(town: Town) -> None:
    kita = town.nodes["01"]
    seat = await town.log_in("01", CLERK)
    await kita.reopen(seat, PIN)
    for _ in range(4):
        with refused_as("wrong_pin"):
            await kita.reopen(seat, "000001")
    with refused_as("wrong_pin"):
        await kita.reopen(seat, "000001")
    with refused_as("wait"):
        await kita.reopen(seat, PIN)


async def test_what_a_page_sealed_opens_here_and_nothing_altered_does(town: Town) -> None:
    kita = town.nodes["01"]
    page = PrivateKey.generate()
    box = PageBox(page, PublicKey(kita.seal_key))
    sealed = box.encrypt(b"card and pin")
    opened = kita.unseal(bytes(page.public_key), sealed.nonce, sealed.ciphertext)

    assert opened == b"card and pin"
    with refused_as("bad_seal"):
        kita.unseal(bytes(page.public_key), sealed.nonce, sealed.ciphertext[:-1] + b"?")
    with refused_as("bad_seal"):
        kita.unseal(b"short", sealed.nonce, sealed.ciphertext)


async def test_a_kill_in_the_middle_of_a_sweep_is_made_good_at_the_next_start(town: Town) -> None:
    kita = town.nodes["01"]
    clerk, registrar = await town.log_in("01", CLERK), await town.log_in("01", REGISTRAR)
    for number in range(3):
        await town.say("01", clerk, f"{number}")
    network = town.network()
    content = StaffRevocation(network.issuer_record.id, seat_staff(clerk), [])
    revocation = make_staff_revocation(network.issuer, network.network, content)
    kita._driver.sweeping.wake = lambda: None  # type: ignore[method-assign]
    await kita._driver.submit([], [revocation])
    assert troubles_of(town, "01", registrar) == [None, None, None]

    await town.stop("01")
    kita = await town.start("01")
    registrar = await town.log_in("01", REGISTRAR)
    await until(lambda: troubles_of(town, "01", registrar) == ["staff_revoked"] * 3)
    await town.stop("01")
    kita = await town.start("01")
    assert kita._reader.swept() == 1


@pytest.mark.parametrize("kind", ["mode", "instruction", "evacuation", "notice"])
async def test_an_order_is_refused_before_it_is_signed_by_who_may_not_give_it(
    town: Town, kind: str
) -> None:
    kita = town.nodes["01"]
    clerk = await town.log_in("01", CLERK)
    heights = dict(kita.machine.vector.lines)

    with refused_as("role"):
        await kita.post(clerk, kind, "all", {"text": "避難してください"}, uuid7(), None)

    assert kita.machine.vector.lines == heights


async def test_an_order_of_who_may_reaches_every_ward_with_its_kind(town: Town) -> None:
    kita = town.nodes["01"]
    mayor, other = await town.log_in("01", MAYOR), await town.log_in("02", OTHER)
    await kita.post(mayor, "evacuation", "all", {"text": "高台へ避難してください"}, uuid7(), None)

    await until(lambda: town.room("02", other))
    (order,) = town.room("02", other)
    assert (order.kind, order.trouble) == ("evacuation", None)
    assert {log.lane for log in kita.machine.vector.lines if log.origin == kita.machine.me} == {0}


async def test_records_brought_to_a_running_node_are_taken_in_and_a_damaged_file_is_not(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    kita = town.nodes["01"]
    clerk = await town.log_in("01", CLERK)
    network = town.network()
    content = StaffRevocation(network.issuer_record.id, seat_staff(clerk), [])
    revocation = make_staff_revocation(network.issuer, network.network, content)
    file = town.directory / "new.cbor"
    file.write_bytes(pack_records([*network.book, revocation]))
    import_records(town.directory / "01", file)

    await until(lambda: revocation.id in kita.machine.book)
    with refused_as("card_revoked"):
        await town.say("01", clerk, "まだ")
    (town.directory / "01" / "enrolment.cbor").write_bytes(b"noise")
    await until(lambda: "is not taken in" in caplog.text)


async def test_of_a_file_with_one_forged_record_none_is_taken_in(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    kita, clerk = town.nodes["01"], await town.log_in("01", CLERK)
    network = town.network()
    content = StaffRevocation(network.issuer_record.id, seat_staff(clerk), [])
    good = make_staff_revocation(network.issuer, network.network, content)
    forged = make_staff_revocation(Signer(b"f" * 32), network.network, content)
    enrolled = [*network.book, good, forged]
    (town.directory / "01" / "enrolment.cbor").write_bytes(pack_records(enrolled))

    await until(lambda: "is not taken in" in caplog.text)
    assert not {good.id, forged.id} & kita.machine.book.by_id.keys()


async def test_what_a_japanese_keyboard_types_full_width_is_understood(town: Town) -> None:
    wide = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})

    seat = await town.nodes["01"].log_in(
        CLERK.staff_id.translate(wide), CLERK.code.translate(wide), PIN
    )

    assert seat.person.staff_id == CLERK.staff_id


async def test_the_list_of_rooms_shows_the_newest_message(town: Town) -> None:
    clerk = await town.log_in("01", CLERK)
    for text in ("一", "二", "三"):
        await town.say("01", clerk, text)

    last = town.nodes["01"].rooms(clerk.person)[0].last

    assert last is not None and last.body == {"text": "三"}

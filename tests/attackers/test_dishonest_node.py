"""A dishonest enrolled node: its own keys, its users' log-ins, and software of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.core.entry import ENTRY_BYTES_MAX, Draft
from meshrelay.core.events import Effect, SendFrame
from meshrelay.core.frames import Entries, decode_frame
from meshrelay.core.records import (
    PROOF,
    SESSION,
    Record,
    Revocation,
    make_revocation,
    make_session,
)
from meshrelay.core.retention import ORIGIN_FULL, PEOPLE_FULL
from meshrelay.core.signing import Signer
from meshrelay.node import reading
from meshrelay.node.identity import open_session
from tests.attackers.rogue import LIFETIME_S, Rogue, place
from tests.town import MAYOR, SATO, TANAKA, Clerk, Town, build_town, running, until

MIB = 1024 * 1024
FLOOD = 1_000
PER_FRAME = 100
CHAIN = {"01": (), "02": ("01",), "00": ("02",)}


def hold_back(town: Town, ward: str) -> list[SendFrame]:
    """From now on this node keeps every entry that it should pass on."""
    driver = town.nodes[ward]._driver
    carry_out, kept = driver._carry_out, list[SendFrame]()

    def dishonest(effect: Effect) -> None:
        if isinstance(effect, SendFrame) and isinstance(decode_frame(effect.data), Entries):
            kept.append(effect)
        else:
            carry_out(effect)

    driver._carry_out = dishonest
    return kept


def session_at(rogue: Rogue, node: bytes, clerk: Clerk) -> Record:
    """The record of somebody's log-in at a node."""
    staff = rogue.kita.machine.book.staff_by_number[clerk.staff_id]
    sessions = (record for record in rogue.kita.machine.book if record.type == SESSION)
    return next(r for r in sessions if (r.content.origin, r.content.staff) == (node, staff))


# can


async def test_a_dishonest_node_can_drop_and_no_word_says_that_it_arrived(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, CHAIN, clerks=(MAYOR, SATO))) as town:
        sato, mayor = await town.log_in("01", SATO), await town.log_in("00", MAYOR)
        dropped = hold_back(town, "02")
        await town.say("01", sato, "堤防が切れました")
        await until(lambda: dropped)
        await until(lambda: [m.wards_n for m in town.room("01", sato)] == [1])

        (own,) = town.room("01", sato)
        assert (own.place, town.room("00", mayor)) == ("wards", [])
        # Any other path is enough; nobody has to know who dropped it.
        town.nodes["00"]._bearers[0].propose(("127.0.0.1", town.ports["01"]))
        await until(
            lambda: [m.body["text"] for m in town.room("00", mayor)] == ["堤防が切れました"]
        )
        await until(lambda: [m.place for m in town.room("01", sato)] == ["archive"])


async def test_a_dishonest_node_can_delay_and_what_comes_late_is_marked_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LATE_MS", 500)
    async with running(build_town(tmp_path, CHAIN, clerks=(MAYOR, SATO))) as town:
        sato, mayor = await town.log_in("01", SATO), await town.log_in("00", MAYOR)
        delayed = hold_back(town, "02")
        said_ms = town.nodes["01"].now_ms()
        await town.say("01", sato, "水が来ています")
        await until(lambda: delayed and town.nodes["00"].now_ms() - said_ms > 1_000)
        assert town.room("00", mayor) == []
        for frame in delayed:
            town.nodes["02"]._driver.links[frame.link].link.send(frame.data)

        await until(lambda: town.room("00", mayor))
        (shown,) = town.room("00", mayor)
        assert (shown.body["text"], shown.late) == ("水が来ています", True)
        assert abs(shown.created_ms - said_ms) < 500, "when it was said cannot be changed"


async def test_a_dishonest_node_can_flood_and_others_are_heard_all_the_same(rogue: Rogue) -> None:
    for first in range(0, FLOOD, PER_FRAME):
        numbers = range(first, first + PER_FRAME)
        rogue.write(*(rogue.unsigned(f"洪水 {number}", "C001") for number in numbers))
    await rogue.town.say("01", rogue.sato, "それでも届く")

    await until(lambda: "それでも届く" in rogue.words(), 5)
    await until(lambda: rogue.held() == FLOOD)


async def test_a_dishonest_node_can_flood_up_to_its_quota_and_refuses_nobody_here(
    tmp_path: Path,
) -> None:
    """It fills its quota and no more, whatever it sends; our people do not notice."""
    town = build_town(tmp_path, {"01": (), "02": ("01",)})
    path = town.directory / "01" / "node.toml"
    path.write_text(path.read_text("utf-8").replace("quota_mb = 4096", "quota_mb = 16"), "utf-8")
    async with running(town):
        kita, rogue = town.nodes["01"], town.nodes["02"]
        for lane in (0, 1, 2, 3):
            drafts = [Draft(lane, "note", 60, b"", b"flood" * 1_500) for _ in range(400)]
            await rogue._driver.submit(drafts, [])
        stock = kita.machine._state.stock
        shares = {lane: 16 * MIB * percent // 100 for lane, percent in ORIGIN_FULL.items()}
        for lane, share in shares.items():
            await until(
                lambda lane=lane, share=share: stock._bytes[rogue.machine.me, lane] >= share,  # type: ignore[misc]
                60,
            )
        sato = await town.log_in("01", SATO)
        await town.say("01", sato, "こちらは大丈夫です")
        await kita._driver.submit([Draft(0, "notice", 60, b"", b"x")], [])

        assert kita.status().refused["quota"] > 0
        for lane, share in shares.items():
            taken = stock._bytes[rogue.machine.me, lane]
            assert taken <= share + ENTRY_BYTES_MAX < 400 * 7_500
        assert kita.room.used * 100 < kita.room.quota * PEOPLE_FULL[1]


async def test_a_dishonest_node_can_write_unsigned_notes_and_they_stay_marked(
    rogue: Rogue,
) -> None:
    rogue.write(rogue.unsigned("市長から: 全員避難", SATO.staff_id))
    await until(rogue.room)

    (shown,) = rogue.room()
    assert (shown.body["text"], shown.unsigned) == ("市長から: 全員避難", "walk_in")
    assert shown.author == rogue.key.hex(), "nobody of the roster said it"
    assert shown.taken_by == SATO.name, "whom it names as the receptionist is only its word"
    assert not shown.mine


async def test_a_dishonest_node_can_fake_that_its_own_users_have_read(rogue: Rogue) -> None:
    await rogue.town.say("01", rogue.sato, "読みましたか")
    await until(rogue.room)
    log, seq = place(rogue.room()[0], rogue.town, "01")
    rogue.write(rogue.read_by(TANAKA.staff_id, rogue.seat.session.id, log, seq))

    await until(lambda: rogue.room()[0].read_n == 1)


async def test_a_dishonest_node_can_be_any_person_who_logs_in_there_until_it_is_revoked(
    rogue: Rogue,
) -> None:
    """It heard card code and PIN at the log-in: it needs nobody before its screen any more."""
    book, network = rogue.kita.machine.book, rogue.town.network()
    staff = book.staff_by_number[TANAKA.staff_id]
    opened = open_session(book, staff, TANAKA.code, TANAKA.pin, rogue.key, 99, new=False)
    assert opened is not None
    rogue.tell(opened.session)
    rogue.write(rogue.talk("田中です", opened.session, opened.signer))
    await until(lambda: rogue.words() == {"田中です": None})
    assert rogue.room()[0].author_name == TANAKA.name

    content = Revocation(network.issuer_record.id, rogue.key, [])
    await rogue.hears_of(make_revocation(network.issuer, network.network, content))
    await until(lambda: rogue.words() == {"田中です": "revoked"})


# cannot


async def test_a_dishonest_node_cannot_forge_anyone_who_never_logged_in_there(
    rogue: Rogue,
) -> None:
    """佐藤 is logged in at 北区; her records are on every node."""
    network = rogue.keys.network
    hers = session_at(rogue, rogue.kita.machine.me, SATO)
    ours = Signer(bytes(32))
    content = hers.content._replace(origin=rogue.key, key=ours.public)
    made = make_session(ours, network, content)
    rogue.write(
        rogue.talk("佐藤 1", hers),  # her session, 田中's signature
        rogue.talk("佐藤 2", hers, rogue.keys.signer),  # her session, the node's signature
        rogue.talk("佐藤 3", made, ours),  # a session of its own make
        rogue.talk("田中です"),
    )
    await until(lambda: "田中です" in rogue.words())
    rogue.tell(made)
    await until(lambda: rogue.kita.status().refused.get("bad_signature") == 1)

    assert rogue.held() == 4, "stored, without effect, and its log goes on"
    assert rogue.words() == {"田中です": None}


async def test_a_dishonest_node_cannot_say_that_somebody_has_read_who_was_never_there(
    rogue: Rogue,
) -> None:
    await rogue.town.log_in("01", MAYOR)
    hers = session_at(rogue, rogue.kita.machine.me, MAYOR)
    await rogue.town.say("01", rogue.sato, "誰が読みましたか")
    await until(rogue.room)
    log, seq = place(rogue.room()[0], rogue.town, "01")
    rogue.write(
        rogue.read_by(MAYOR.staff_id, hers.id, log, seq),
        rogue.read_by(MAYOR.staff_id, rogue.seat.session.id, log, seq),
        rogue.read_by(MAYOR.staff_id, bytes(32), log, seq),
        rogue.read_by(TANAKA.staff_id, rogue.seat.session.id, log, seq),
    )
    await until(lambda: rogue.room()[0].read_n)

    who = rogue.kita.who(rogue.sato.person, SATO.staff_id, rogue.room()[0].message_id)
    states = {reader.person.name: reader.state for reader in who.readers}
    assert states[TANAKA.name] == "read" and states[MAYOR.name] != "read"


async def test_a_dishonest_node_cannot_replay_or_stretch_an_order(rogue: Rogue) -> None:
    order = await rogue.order("西側へ避難")
    (shown,) = rogue.room()
    said = Draft(order.log.lane, order.kind, order.lifetime_s, order.author, b"")
    rogue.write(
        said,  # as if the mayor had said it in ward 02, just now
        said._replace(lifetime_s=order.lifetime_s + 86_400),
        said._replace(kind="mode"),
    )
    rogue.write(rogue.talk("以上"))
    await until(lambda: "以上" in rogue.words())

    assert rogue.held() == 4, "stored, and without effect"
    (again,) = (message for message in rogue.room() if message.kind != "talk")
    assert again == shown


async def test_a_dishonest_node_cannot_make_an_old_word_of_its_own_user_new(rogue: Rogue) -> None:
    """The author part fits its log a second time; the message is the one that it was."""
    words = rogue.talk("橋は通れます")
    rogue.write(words)
    await until(rogue.room)
    (first,) = rogue.room()
    rogue.write(words, rogue.talk("以上"))
    await until(lambda: "以上" in rogue.words())

    (again,) = (message for message in rogue.room() if message.body["text"] == "橋は通れます")
    assert (again.message_id, again.created_ms) == (first.message_id, first.created_ms)


async def test_a_dishonest_node_cannot_stretch_what_its_own_user_said(rogue: Rogue) -> None:
    short = rogue.talk("今だけ通れます", lifetime_s=60)
    rogue.write(short._replace(lifetime_s=LIFETIME_S), rogue.talk("以上"))
    await until(lambda: "以上" in rogue.words())
    assert rogue.words() == {"以上": None}
    rogue.write(short)

    await until(lambda: rogue.words() == {"以上": None, "今だけ通れます": None})


async def test_a_dishonest_node_cannot_rewrite_its_past_unnoticed(rogue: Rogue) -> None:
    (first,) = rogue.write(rogue.talk("10人います"))
    await until(lambda: rogue.words() == {"10人います": None})
    rogue.heads.clear()
    (second,) = rogue.write(rogue.talk("0人です"))

    await until(lambda: rogue.words() == {"10人います": "fork"})
    kept = next(each.content for each in rogue.kita.machine.book if each.type == PROOF)
    assert {kept.first.id, kept.second.id} == {first.id, second.id}, "both, for whoever asks"
    name = rogue.kita.machine.book.nodes[rogue.key].name
    assert any(name in trouble for trouble in rogue.kita.status().trouble)

"""What must be told at once: unread, effective, not expired orders of the rooms one may see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshrelay.core.entry import LIFETIME_S_MAX, URGENT
from meshrelay.node.office import Message, Seat
from meshrelay.node.reading import Reading
from meshrelay.node.urgent import Urgents
from tests.town import MAYOR, SATO, SUZUKI, TANAKA, Town, build_town, running, until, uuid7

KITA = "01"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with running(build_town(tmp_path, {KITA: ()})) as made:
        yield made


async def order(
    town: Town, seat: Seat, text: str, kind: str = "instruction", room: str = "all"
) -> str:
    mid = uuid7()
    await town.nodes[KITA].post(seat, kind, room, {"text": text}, mid, None)
    return mid


def urgent(town: Town, seat: Seat) -> list[str]:
    return [message.body["text"] for message in waiting(town, seat)]


def waiting(town: Town, seat: Seat) -> list[Message]:
    return town.nodes[KITA].urgent(seat.person)


async def test_an_order_waits_for_each_member_but_its_author_until_it_was_displayed(
    town: Town,
) -> None:
    mayor, sato = await town.log_in(KITA, MAYOR), await town.log_in(KITA, SATO)
    tanaka = await town.log_in(KITA, TANAKA)
    await town.say(KITA, mayor, "ふつうの連絡")
    await order(town, mayor, "参集")
    await order(town, mayor, "災害", "mode")
    before = [urgent(town, seat) for seat in (mayor, sato, tanaka)]
    newest = waiting(town, sato)[0]
    town.nodes[KITA].mark_read(sato, [(newest.author, newest.message_id)])
    await until(lambda: urgent(town, sato) == ["参集"])

    assert before == [[], ["災害", "参集"], ["災害", "参集"]]
    assert urgent(town, tanaka) == ["災害", "参集"]
    assert (newest.kind, newest.room, newest.author_name) == ("mode", "all", "市長 松本")


async def test_an_order_waits_only_for_those_who_may_see_its_room(town: Town) -> None:
    mayor, sato = await town.log_in(KITA, MAYOR), await town.log_in(KITA, SATO)
    suzuki = await town.log_in(KITA, SUZUKI)
    await order(town, mayor, "北区へ", room="ward:01")

    assert [urgent(town, seat) for seat in (sato, suzuki)] == [["北区へ"], []]


async def test_an_order_that_expired_wakes_nobody_and_leaves_the_wall(town: Town) -> None:
    mayor, sato = await town.log_in(KITA, MAYOR), await town.log_in(KITA, SATO)
    await order(town, mayor, "参集", "mode")
    node = town.nodes[KITA]
    now = node._clock.now()
    lifetime_ms = LIFETIME_S_MAX[URGENT] * 1000

    def at(pt_ms: int) -> Urgents:
        reading = Reading(node.machine, node._views, node._rooms, lambda: now._replace(pt_ms=pt_ms))
        return Urgents(node._views, reading, node._rooms, lambda: KITA)

    early, late = at(now.pt_ms + lifetime_ms - 60_000), at(now.pt_ms + lifetime_ms + 60_000)
    assert [m.body["text"] for m in early.of(sato.person)] == ["参集"]
    assert late.of(sato.person) == []
    assert early.wall().mode is not None
    assert (late.wall().mode, late.wall().newest) == (None, None)


async def test_the_stamp_changes_with_orders_only(town: Town) -> None:
    mayor = await town.log_in(KITA, MAYOR)
    node = town.nodes[KITA]
    stamps = [node.urgent_stamp]
    await town.say(KITA, mayor, "ふつうの連絡")
    stamps.append(node.urgent_stamp)
    await order(town, mayor, "参集")
    await until(lambda: node.urgent_stamp != stamps[0])
    stamps.append(node.urgent_stamp)
    await town.stop(KITA)
    stamps.append((await town.start(KITA)).urgent_stamp)

    assert stamps[:2] == ["", ""] and stamps[2] != "" and stamps[3] != ""


async def test_the_wall_shows_mode_and_newest_of_its_ward_and_no_text_of_a_smaller_room(
    town: Town,
) -> None:
    mayor = await town.log_in(KITA, MAYOR)
    node = town.nodes[KITA]
    quiet = node.wall()
    await order(town, mayor, "災害対策本部", "mode")
    await order(town, mayor, "西成区へ", room="ward:03")
    declared = node.wall()
    await order(town, mayor, "佐藤さんは北区へ", "mode", room="ward:01")
    smaller = node.wall()

    assert (quiet.mode, quiet.newest) == (None, None)
    assert declared.mode == declared.newest and declared.mode is not None
    assert (declared.mode.kind, declared.mode.text) == ("mode", "災害対策本部")
    assert smaller.mode == declared.mode
    assert smaller.newest is not None and smaller.newest.text is None
    assert smaller.newest.id > declared.mode.id

"""Three real nodes on the loopback: what one ward says is held, receipted and read in others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from meshrelay.core.records import SESSION
from meshrelay.core.verdict import WAITING
from meshrelay.errors import RefusedError
from meshrelay.node.office import Posted
from tests.town import MAYOR, SATO, SUZUKI, TANAKA, build_town, running, until, uuid7

CHAIN = {"01": (), "02": ("01",), "00": ("02",)}


async def test_a_message_is_shown_receipted_and_read_elsewhere(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, CHAIN)) as town:
        sato = await town.log_in("01", SATO)
        tanaka = await town.log_in("02", TANAKA)
        posted = await town.say("01", sato, "北区役所、全員無事です。")
        assert [m.place for m in town.room("01", sato)] == ["node"]

        await until(lambda: town.room("02", tanaka))
        (shown,) = town.room("02", tanaka)
        assert (shown.body, shown.author_name) == ({"text": "北区役所、全員無事です。"}, "佐藤")
        town.nodes["02"].mark_read(tanaka, [(shown.author, shown.message_id)])

        await until(lambda: town.room("01", sato)[0].place == "archive")
        await until(lambda: town.room("01", sato)[0].read_n == 1)
        await until(lambda: town.room("01", sato)[0].wards_n == 1)
        (own,) = town.room("01", sato)
        assert (own.wards_n, own.members_n, own.trouble) == (1, 3, None)
        who = town.nodes["01"].who(sato.person, posted.author, posted.message_id)
        states = {reader.person.name: reader.state for reader in who.readers}
        assert states == {"田中": "read", "市長 松本": "reached", "鈴木": "unreached"}


async def test_one_id_posted_at_two_nodes_is_shown_once_and_needs_no_check(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, CHAIN)) as town:
        here, there = await town.log_in("01", SATO), await town.log_in("02", SATO)
        message_id = uuid7()
        await town.say("01", here, "橋が通れません", mid=message_id)
        await town.say("02", there, "橋が通れません", mid=message_id)
        mayor = await town.log_in("00", MAYOR)

        await until(lambda: town.nodes["00"].status().entries >= 2)
        (shown,) = town.room("00", mayor)
        assert shown.trouble is None


async def test_the_same_id_with_other_content_needs_a_check(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, CHAIN)) as town:
        here, there = await town.log_in("01", SATO), await town.log_in("02", SATO)
        message_id = uuid7()
        await town.say("01", here, "死者 3", mid=message_id)
        await town.say("02", there, "死者 8", mid=message_id)
        with pytest.raises(RefusedError) as refused:
            await town.say("01", here, "死者 9", mid=message_id)
        assert refused.value.code == "id_taken"

        await until(lambda: [m.trouble for m in town.room("01", here)] == ["conflict"])
        (shown,) = town.room("01", here)
        assert {shown.body["text"], *shown.body["others"]} == {"死者 3", "死者 8"}


async def test_a_repeated_post_gets_the_same_answer_after_a_restart(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        sato = await town.log_in("01", SATO)
        message_id = uuid7()
        first = await town.say("01", sato, "水が足りません", mid=message_id)
        await town.stop("01")
        await town.start("01")
        again = await town.say(
            "01", await town.log_in("01", SATO), "水が足りません", mid=message_id
        )

        assert again == first


async def test_a_ward_that_was_down_catches_up_through_a_neighbour(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, CHAIN)) as town:
        sato = await town.log_in("01", SATO)
        await town.stop("00")
        for number in range(30):
            await town.say("01", sato, f"第{number}報")
        await until(lambda: town.nodes["02"].status().entries == 30)
        await town.stop("01")
        await town.start("00")

        await until(lambda: town.nodes["00"].status().entries == 30)


async def test_a_ward_enrolled_later_brings_the_roster_of_its_day(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {"01": (), "02": ("01",)})) as town:
        machine = town.nodes["02"].machine
        assert all(machine.vector.has_record(record.id) for record in machine.book)
        await town.stop("02")
        await town.start("02")

        restarted = town.nodes["02"].machine
        assert restarted.vector.digest() == machine.vector.digest()
        assert len(restarted.book.by_id) == len(machine.book.by_id)


async def test_a_post_that_nobody_waits_for_is_stored_once(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        sato = await town.log_in("01", SATO)
        message_id = uuid7()
        posts = [
            asyncio.create_task(town.say("01", sato, "一度だけ", mid=message_id)) for _ in range(5)
        ]
        await asyncio.sleep(0)
        posts[0].cancel()
        answers = await asyncio.gather(*posts, return_exceptions=True)

        assert len({answer.entry for answer in answers if isinstance(answer, Posted)}) == 1
        assert town.nodes["01"].status().entries == 1
        assert not town.nodes["01"].failed.done()


async def test_what_was_displayed_just_before_a_stop_is_read(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        sato, mayor = await town.log_in("01", SATO), await town.log_in("01", MAYOR)
        posted = await town.say("01", sato, "停止の直前")
        town.nodes["01"].mark_read(mayor, [(posted.author, posted.message_id)])
        await town.stop("01")
        await town.start("01")

        sato = await town.log_in("01", SATO)
        await until(lambda: [m.read_n for m in town.room("01", sato)] == [1])


async def test_parallel_guesses_at_a_pin_do_not_escape_the_wait(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        guesses = [town.nodes["01"].log_in(SATO.staff_id, SATO.code, f"{n:06}") for n in range(12)]
        answers = await asyncio.gather(*guesses, return_exceptions=True)
        codes = [answer.code for answer in answers if isinstance(answer, RefusedError)]

        assert sorted(codes) == ["wait"] * 7 + ["wrong_pin"] * 5


async def test_a_verdict_that_a_crash_left_waiting_is_judged_at_the_next_start(
    tmp_path: Path,
) -> None:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        sato = await town.log_in("01", SATO)
        await town.say("01", sato, "判定の前に止まりました")
        session = next(iter(town.nodes["01"].machine.book.by_id.values())).id
        for record in town.nodes["01"].machine.book:
            session = record.id if record.type == SESSION else session
        await town.stop("01")
        # As left by a kill after the record's commit and before the verdict's: still waiting.
        connection = apsw.Connection(str(tmp_path / "01" / "log.db"))
        connection.execute("UPDATE entries SET state=?, missing=?", (WAITING, session))
        connection.close()
        for left in (tmp_path / "01").glob("views.db*"):
            left.unlink()
        await town.start("01")
        again = await town.log_in("01", SATO)

        await until(lambda: town.room("01", again))


async def test_only_members_and_hq_see_a_room(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        sato, suzuki = await town.log_in("01", SATO), await town.log_in("01", SUZUKI)
        mayor = await town.log_in("01", MAYOR)
        await town.say("01", sato, "北区だけの話", room="ward:01")

        assert len(town.room("01", mayor, "ward:01")) == 1
        with pytest.raises(RefusedError) as refused:
            town.room("01", suzuki, "ward:01")
        assert (refused.value.code, refused.value.status) == ("not_member", 403)


async def test_a_wrong_pin_is_refused_and_then_has_to_wait(tmp_path: Path) -> None:
    async with running(build_town(tmp_path, {"01": ()})) as town:
        codes = []
        for _ in range(6):
            with pytest.raises(RefusedError) as refused:
                await town.nodes["01"].log_in(SATO.staff_id, SATO.code, "000000")
            codes.append(refused.value.code)

        assert codes == ["wrong_pin"] * 5 + ["wait"]


async def test_two_networks_run_in_one_process(tmp_path: Path) -> None:
    live = build_town(tmp_path / "live", {"01": ()}, "本番市")
    async with running(live):
        seat = await live.log_in("01", SATO)
        await live.say("01", seat, "本番です")
        drill = build_town(tmp_path / "drill", {"01": ()}, "訓練市")
        async with running(drill):
            other = await drill.log_in("01", SATO)
            await drill.say("01", other, "訓練です")

            assert [m.body["text"] for m in drill.room("01", other)] == ["訓練です"]
            assert [m.body["text"] for m in live.room("01", seat)] == ["本番です"]

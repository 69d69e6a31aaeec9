"""Stores that fill up: people are told in time, peers wait, and nothing that only we hold goes."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshrelay.core.entry import Draft
from meshrelay.core.events import EVICTED
from meshrelay.core.retention import PEERS_FULL, PEOPLE_FULL
from meshrelay.errors import RefusedError, StoreError
from meshrelay.node.office import Seat
from meshrelay.node.room import BALLAST_BYTES
from tests.town import SATO, TANAKA, Town, build_town, running, until

LONG = "避難所の状況です。" * 120  # 3 KB of text: a megabyte is some three hundred
MIB = 1024 * 1024


def give_quota(town: Town, ward: str, mib: int = 1) -> None:
    path = town.directory / ward / "node.toml"
    path.write_text(
        path.read_text("utf-8").replace("quota_mb = 4096", f"quota_mb = {mib}"), "utf-8"
    )


async def fill(town: Town, ward: str, seat: Seat, percent: int) -> int:
    """Write until the store is so full, or somebody is refused; returns how many were taken."""
    taken = 0
    while town.nodes[ward].room.used * 100 < town.nodes[ward].room.quota * percent:
        try:
            await town.say(ward, seat, f"第{taken}報 {LONG}")
        except RefusedError as refused:
            assert refused.code == "storage_full"
            break
        taken += 1
        town.nodes[ward]._keeping.measure()
    return taken


async def test_a_full_store_drops_what_hq_has_and_goes_on(tmp_path: Path) -> None:
    town = build_town(tmp_path, {"00": (), "01": ("00",)})
    give_quota(town, "01")
    async with running(town):
        kita, hq = town.nodes["01"], town.nodes["00"]
        sato = await town.log_in("01", SATO)
        for _ in range(3):
            await fill(town, "01", sato, 69)
            height = kita._reader.counted(EVICTED)
            await until(lambda: kita.machine.vector.digest() == hq.machine.vector.digest())
            for number in range(30):
                await town.say("01", sato, f"続報 {number} {LONG}")
            await until(lambda before=height: kita._reader.counted(EVICTED) > before, 30)  # type: ignore[misc]
            await until(lambda: kita.room.used * 100 < kita.room.quota * 70, 30)

        lines = kita.machine.vector.lines
        (own,) = [log for log in lines if log.origin == kita.machine.me and log.lane == 1]
        assert kita.machine.vector.floor(own) > 50
        await until(lambda: hq.machine.vector.height(own) == lines[own].height)
        assert not hq.machine.vector.gaps
        assert len(list(hq._reader.from_lowest(own))) == lines[own].height
        newest = town.room("01", sato)[-1]
        assert newest.body["text"].startswith("続報 29")
        assert len(town.room("01", sato)) < 200
        wal = town.directory / "01" / "log.db-wal"
        assert wal.stat().st_size <= 4 * MIB


async def test_an_island_without_hq_loses_nothing_and_says_who_is_refused(tmp_path: Path) -> None:
    town = build_town(tmp_path, {"01": (), "02": ("01",), "03": ("02",)})
    for ward in ("01", "02", "03"):
        give_quota(town, ward)
    async with running(town):
        kita, chuo = town.nodes["01"], town.nodes["02"]
        sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
        accepted = await fill(town, "01", sato, 101)
        with pytest.raises(RefusedError) as refused:
            await town.say("01", sato, "もう一つ")
        await town.say("02", tanaka, "中央区にはまだ空きがあります")

        assert refused.value.code == "storage_full" and refused.value.status == 507
        assert "緊急の連絡はまだ送れます" in refused.value.next_ja
        assert kita.room.used * 100 >= kita.room.quota * PEOPLE_FULL[1]
        assert kita.room.used < kita.room.quota
        assert any("% of the store is used" in sentence for sentence in kita.status().trouble)
        assert kita.status().refused["storage_full"] >= 1
        await asyncio.sleep(4)  # several rounds of making room
        (own,) = [log for log in kita.machine.vector.lines if log.origin == kita.machine.me
                  and log.lane == 1]  # fmt: skip
        assert [seq for seq, _ in kita._reader.from_lowest(own)] == list(range(1, accepted + 1))
        for node in town.nodes.values():
            status = node.status().store
            assert status is not None and status.evicted == 0
            assert not node.machine.vector.gaps
        assert chuo.room.used * 100 <= chuo.room.quota * (PEERS_FULL[1] + 5)
        # What people are refused, the node still takes in the urgent lane.
        draft = Draft(0, "notice", 60, b"", b"x")
        (entry,) = await kita._driver.submit([draft], [])
        assert entry.log.lane == 0


async def test_a_damaged_row_is_kept_aside_and_fetched_from_a_peer(tmp_path: Path) -> None:
    town = build_town(tmp_path, {"01": (), "02": ("01",)})
    async with running(town):
        kita, chuo = town.nodes["01"], town.nodes["02"]
        sato = await town.log_in("01", SATO)
        for number in range(9):
            await town.say("01", sato, f"第{number}報")
        (log,) = [log for log in kita.machine.vector.lines if log.lane == 1]
        await until(lambda: chuo.machine.vector.height(log) == 9)
        good = [held.raw for _, held in chuo._reader.from_lowest(log)]
        bad = bytearray(good[4])
        bad[40] ^= 1
        await chuo._driver.written(
            lambda store: store.connection.execute("UPDATE entries SET raw=? WHERE raw=?",
                                                   (bytes(bad), good[4]))
        )  # fmt: skip
        await chuo._keeping._scrub_log(log)
        await until(lambda: chuo.status().store.damaged == 1)  # type: ignore[union-attr]
        await until(lambda: not chuo.machine.vector.gaps, 30)

        assert [held.raw for _, held in chuo._reader.from_lowest(log)] == good
        assert chuo.status().refused["damaged"] == 1
        assert kita.status().refused.get("damaged") is None


async def test_a_node_whose_newest_words_were_damaged_never_numbers_them_again(
    tmp_path: Path,
) -> None:
    """The witness is of this boot: only that the store was salvaged stops the old incarnation."""
    town = build_town(tmp_path, {"01": (), "02": ("01",)})
    async with running(town):
        kita, chuo = town.nodes["01"], town.nodes["02"]
        # One commit, one change: with a gap in it the salvaged store counts two.
        notes = [Draft(1, "note", 60, b"", f"第{number}報".encode()) for number in range(5)]
        await kita._driver.submit(notes, [])
        (log,) = [log for log in kita.machine.vector.lines if log.lane == 1]
        await until(lambda: chuo.machine.vector.height(log) == 5)
        await kita._driver.written(
            lambda store: store.connection.execute(
                "UPDATE entries SET raw=zeroblob(99) WHERE seq IN (3, 5)"
            )
        )
        await town.stop("01")
        again = await town.start("01")
        assert again.machine.incarnation != log.incarnation
        assert again._reader.counted("salvaged") == 1
        await town.say("01", await town.log_in("01", SATO), "直りました")
        await until(lambda: again.machine.vector.digest() == chuo.machine.vector.digest(), 60)

        assert again.machine.vector.height(log) == 5
        assert not again.machine.book.proofs and not chuo.machine.book.proofs


async def test_a_record_lost_from_the_store_comes_back_with_what_hangs_from_it(
    tmp_path: Path,
) -> None:
    """Salvage may lose one row of many: whose child stays must not keep the node from starting."""
    town = build_town(tmp_path, {"01": (), "02": ("01",)})
    async with running(town):
        kita, chuo = town.nodes["01"], town.nodes["02"]
        sato = await town.log_in("01", SATO)
        await town.say("01", sato, "はじめ")
        await until(lambda: chuo.machine.vector.digest() == kita.machine.vector.digest())
        staff = kita.machine.book.staff_by_number[SATO.staff_id]
        await chuo._driver.written(
            lambda store: store.connection.execute("DELETE FROM records WHERE id=?", (staff,))
        )
        await town.stop("02")
        again = await town.start("02")
        await until(lambda: again.machine.vector.digest() == kita.machine.vector.digest(), 60)

        assert again.machine.book.bindings[staff] == kita.machine.book.bindings[staff]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


async def test_a_disk_that_somebody_else_filled_refuses_in_time_and_starts_again(
    small_disk: Path,
) -> None:
    town = build_town(small_disk, {"01": ()})
    async with running(town):
        kita = town.nodes["01"]
        sato = await town.log_in("01", SATO)
        posted = await town.say("01", sato, "空きがあるうちに")
        ballast = small_disk / "01" / "ballast"
        ballast.write_bytes(bytes(BALLAST_BYTES))
        film = small_disk / "somebodys-film"
        with film.open("wb") as file, pytest.raises(OSError, match="space"):
            while True:
                file.write(bytes(MIB))
                file.flush()
        kita._keeping.measure()
        assert not ballast.exists()  # given back: what is refused must still be written down
        with pytest.raises(RefusedError) as refused:
            await town.say("01", sato, "満杯です")
        assert refused.value.code == "storage_full"

        await town.stop("01")
        await town.start("01")
        again = await town.log_in("01", SATO)
        assert [m.message_id for m in town.room("01", again)] == [posted.message_id]
        film.unlink()
        town.nodes["01"]._keeping.measure()
        await town.say("01", again, "空きができました")


async def test_a_commit_that_finds_the_disk_full_ends_the_node_and_loses_nothing(
    tmp_path: Path,
) -> None:
    """SQLite refuses at the hard limit: nobody is answered, and the next start goes on."""
    town = build_town(tmp_path, {"01": ()})
    async with running(town):
        kita = town.nodes["01"]
        sato = await town.log_in("01", SATO)
        await town.say("01", sato, "一")
        await kita._driver.written(lambda store: store.limit(1))
        posting = asyncio.create_task(town.say("01", sato, LONG * 3))
        failure = await asyncio.wait_for(kita.failed, 10)
        assert isinstance(failure, StoreError) and "full" in str(failure)
        assert not posting.done()
        posting.cancel()
        await town.stop("01")
        await town.start("01")
        again = await town.log_in("01", SATO)

        assert [m.body["text"] for m in town.room("01", again)] == ["一"]

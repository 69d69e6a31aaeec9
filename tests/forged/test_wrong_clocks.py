"""Real nodes beside one whose clock is wrong: nothing is lost, nobody else's time moves.

The wrong clock is libfaketime's, and its owner vouches for it ([clock] set_by_person): what a
node says of its own clock is only its word.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshrelay.core.clock import AHEAD_MS_MAX
from tests.bearer_exam import FAKETIME
from tests.forged.asked_node import AskedNode
from tests.town import SATO, TANAKA, Town, build_town, until

KITA, CHUO = "01", "02"
CLOCKS = {"1970": "@1970-01-02 03:04:05", "frozen": "2026-06-18 07:58:34", "+50 years": "+50y"}
DAY_MS = 86_400_000


class Wards:
    """北区 with a good clock, and 中央区's directory."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.open: list[AskedNode] = []

    async def start_chuo(self, clock: str = "") -> AskedNode:
        """Start 中央区 in a process of its own, by this clock."""
        assert FAKETIME, "libfaketime is not installed"
        fake = {
            "LD_PRELOAD": str(FAKETIME[0]),
            "FAKETIME": clock,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        node = await AskedNode.start(self.town.directory / CHUO, more=fake if clock else None)
        self.open.append(node)
        return node

    async def stop_chuo(self) -> None:
        await self.open.pop().stop()

    async def same(self, chuo: AskedNode) -> None:
        """Until both hold the same."""
        kita = self.town.nodes[KITA]
        await chuo.until(lambda status: bool(status["digest"] == kita.status().digest))

    def power_cut(self) -> None:
        for witness in Path(self.town.witnesses.name).iterdir():
            witness.unlink()


@pytest.fixture
async def wards(tmp_path: Path) -> AsyncIterator[Wards]:
    town = build_town(tmp_path, {KITA: (), CHUO: (KITA,)})
    made = Wards(town)
    try:
        await town.start(KITA)
        yield made
    finally:
        for node in made.open:
            await node.stop()
        for ward in list(town.nodes):
            await town.stop(ward)
        town.witnesses.cleanup()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("clock", CLOCKS)
async def test_a_node_with_a_wrong_clock_loses_nothing_and_drags_nobody(
    wards: Wards, clock: str
) -> None:
    chuo = await wards.start_chuo(CLOCKS[clock])
    assert abs((await chuo.ask())["now_ms"] - now_ms()) > DAY_MS, "the clock is not wrong"
    sato = await wards.town.log_in(KITA, SATO)
    for number in range(3):
        await chuo.say(TANAKA, f"中央区 {number}")
        await wards.town.say(KITA, sato, f"北区 {number}")
    await wards.same(chuo)

    posted = await wards.town.say(KITA, sato, "北区の最後")

    texts = [f"{ward} {number}" for ward in ("中央区", "北区") for number in range(3)]
    messages = await chuo.until_shown(TANAKA, *texts, "北区の最後")
    await until(lambda: len(wards.town.room(KITA, sato)) == 7)
    assert not [each for each in messages if each["trouble"] is not None]
    assert not [each for each in wards.town.room(KITA, sato) if each.trouble is not None]
    stamped = (await chuo.ask("states"))["stamped_ms"][posted.entry]
    assert abs(stamped - now_ms()) <= AHEAD_MS_MAX, "北区's time was dragged along"
    await until(lambda: wards.town.room(KITA, sato)[0].wards_n == 1)


@pytest.mark.parametrize("clock", CLOCKS)
async def test_a_node_whose_clock_is_wrong_at_every_start_goes_on(wards: Wards, clock: str) -> None:
    chuo = await wards.start_chuo(CLOCKS[clock])
    await chuo.say(TANAKA, "停電の前")
    await wards.same(chuo)
    await wards.stop_chuo()
    wards.power_cut()

    chuo = await wards.start_chuo(CLOCKS[clock])
    await chuo.say(TANAKA, "停電のあと")

    await wards.same(chuo)
    sato = await wards.town.log_in(KITA, SATO)
    await until(lambda: len(wards.town.room(KITA, sato)) == 2)  # pages follow the disk
    shown = {each.body["text"] for each in wards.town.room(KITA, sato)}
    assert shown == {"停電の前", "停電のあと"}


async def test_stamps_of_the_future_are_shown_as_uncertain(wards: Wards) -> None:
    chuo = await wards.start_chuo(CLOCKS["+50 years"])
    await chuo.say(TANAKA, "2076年から")
    sato = await wards.town.log_in(KITA, SATO)
    await wards.town.say(KITA, sato, "今から")

    await until(lambda: len(wards.town.room(KITA, sato)) == 2)

    uncertain = {each.body["text"]: each.clock_uncertain for each in wards.town.room(KITA, sato)}
    assert uncertain == {"2076年から": True, "今から": False}


async def test_a_clock_put_right_ends_what_the_wrong_one_stamped(wards: Wards) -> None:
    chuo = await wards.start_chuo(CLOCKS["+50 years"])
    await chuo.say(TANAKA, "2076年から")
    await wards.stop_chuo()
    wards.power_cut()

    chuo = await wards.start_chuo()
    entry = await chuo.say(TANAKA, "直しました")

    stamped = (await chuo.ask("states"))["stamped_ms"][entry]
    assert abs(stamped - now_ms()) <= AHEAD_MS_MAX
    await wards.same(chuo)

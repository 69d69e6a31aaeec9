"""Clocks that are decades wrong: links come up over lan and mqtt, and people log in.

北区 has a right clock and a cable to 中央区, whose clock is libfaketime's; HQ is reached by the
broker alone. Mosquitto itself does check dates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bearer_exam import FAKETIME
from tests.brokered import Brokered, brokered
from tests.field.test_clones import edit
from tests.forged.asked_node import AskedNode
from tests.town import MAYOR, SATO, TANAKA, until

HQ, KITA, CHUO = "00", "01", "02"
YEAR_MS = 31_556_952_000
YEARS = {
    "1970": "@1970-01-02 03:04:05",
    "2000": "@2000-01-01 00:00:00",
    "2045": "@2045-06-18 07:58:34",
}


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Brokered]:
    async with brokered(tmp_path, (HQ, KITA, CHUO), start=(HQ,)) as made:
        edit(made.town.directory / KITA, broker='""')
        edit(made.town.directory / CHUO, peers=f'["127.0.0.1:{made.town.ports[KITA]}"]')
        await made.town.start(KITA)
        yield made


@pytest.mark.parametrize("year", YEARS)
async def test_links_come_up_and_people_log_in_whatever_the_year(city: Brokered, year: str) -> None:
    assert FAKETIME, "libfaketime is not installed"
    fake = {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME": YEARS[year],
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    chuo = await AskedNode.start(city.town.directory / CHUO, more=fake)
    try:
        await chuo.until(lambda status: status["bearers"] == ["lan", "mqtt"])
        assert is_of(year, (await chuo.ask())["now_ms"]), "the clock is not wrong"
        await chuo.say(TANAKA, f"{year}年から")
        for ward, clerk in ((KITA, SATO), (HQ, MAYOR)):
            seat = await city.town.log_in(ward, clerk)
            await until(lambda ward=ward, seat=seat: len(city.town.room(ward, seat)) == 1)
    finally:
        await chuo.stop()


def is_of(year: str, now_ms: int) -> bool:
    """Whether this is a time of that year, or nearly."""
    return abs(1970 + now_ms / YEAR_MS - int(year)) < 1.5

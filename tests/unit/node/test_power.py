"""What a power cut leaves of the time: a lower bound, and nobody's word on the clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshrelay.core.clock import BY_PERSON, RESTORED
from meshrelay.node import clock
from tests.town import SATO, Town, build_town, running


def power_cut(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node's machine comes up again in another boot, with no time server."""
    boot = town.directory / "boot_id"
    boot.write_text(os.urandom(8).hex(), encoding="ascii")
    monkeypatch.setattr(clock, "_BOOT_ID", boot)
    monkeypatch.setattr(clock, "_SYNCHRONIZED", town.directory / "never")


async def test_after_a_power_cut_nobody_can_say_whether_a_message_is_still_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = build_town(tmp_path, {"01": ()}, clerks=(SATO,))
    power_cut(town, monkeypatch)
    async with running(town):
        sato = await town.log_in("01", SATO)
        await town.say("01", sato, "6時間だけ有効")
        assert town.nodes["01"].status().clock_quality == BY_PERSON
        assert [m.expiry for m in town.room("01", sato)] == ["valid"]
        await town.stop("01")
        await town.start("01")  # the same boot: nothing is lost
        assert [m.expiry for m in town.room("01", sato)] == ["valid"]

        await town.stop("01")
        power_cut(town, monkeypatch)
        await town.start("01")
        assert town.nodes["01"].status().clock_quality == RESTORED
        assert [m.expiry for m in town.room("01", sato)] == ["unsure"]

        await town.stop("01")
        os.utime(tmp_path / "01" / "node.toml")  # somebody set the clock and saved the file
        await town.start("01")
        assert [m.expiry for m in town.room("01", sato)] == ["valid"]
        after = await town.log_in("01", SATO)
        await town.say("01", after, "あとから")
        assert town.room("01", after)[-1].expiry == "valid"

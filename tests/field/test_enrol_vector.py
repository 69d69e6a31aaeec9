"""A lost card and a stolen node, struck off by command while two real nodes run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshrelay.cli.main import main
from meshrelay.node.identity import load_keys
from meshrelay.node.office import Seat
from tests.town import SATO, TANAKA, Town, build_town, running, until


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    result: dict[str, Any] = json.loads(out)
    return result


def town_of_two(directory: Path) -> Town:
    return build_town(directory, {"01": (), "02": ("01",)})


async def talk(town: Town) -> tuple[Seat, Seat]:
    """佐藤 writes in 北区, 田中 in 中央区, and both wards have both."""
    sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
    await town.say("01", sato, "開けました")
    await town.say("02", tanaka, "了解")
    await until(lambda: len(town.room("02", tanaka)) == len(town.room("01", sato)) == 2)
    return sato, tanaka


async def restart(town: Town, ward: str) -> None:
    await town.stop(ward)
    await town.start(ward)


async def test_what_a_person_wrote_before_the_vector_counts_and_what_came_later_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_of_two(tmp_path)
    net, vector, out = tmp_path / "network", tmp_path / "vector", tmp_path / "revoked"
    async with running(town):
        sato, tanaka = await talk(town)
        # Beside the running node, as an operator does.
        shown = run(capsys, "node", "vector", tmp_path / "02", "-o", vector)
        assert shown["writers"] == 2
        await town.say("01", sato, "カードを拾った人の言葉")
        await until(lambda: len(town.room("02", tanaka)) == 3)

        run(capsys, "staff", "revoke", net, SATO.staff_id, "--vector", vector, "-o", out)
        taken = run(capsys, "records", "import", tmp_path / "02", out)
        assert taken["added"] == 1
        await restart(town, "02")

        book = town.nodes["02"].machine.book
        await until(lambda: len(book.struck) == 1)
        (staff,) = book.struck
        assert book.staff[staff].staff_id == SATO.staff_id
        kita = load_keys(tmp_path / "01").signer.public
        lines = town.nodes["02"].machine.vector.lines.values()
        ends = [
            (book.staff_end(staff, line.log), line.height)
            for line in lines
            if line.log.origin == kita and book.staff_end(staff, line.log)
        ]
        assert any(end < height for end, height in ends)  # the ward's log itself goes on


async def test_the_vector_of_one_person_names_only_where_they_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_of_two(tmp_path)
    async with running(town):
        await talk(town)

    stopped, everybody, one = tmp_path / "02", tmp_path / "all", tmp_path / "one"
    lines = run(capsys, "node", "vector", stopped, "-o", everybody)["lines"]
    shown = run(capsys, "node", "vector", stopped, "--staff", SATO.staff_id, "-o", one)

    assert shown["writers"] == 1 and 1 <= shown["lines"] < lines
    assert main(["node", "vector", str(stopped), "--staff", "X", "-o", f"{one}2"]) == 2
    assert "knows nobody" in capsys.readouterr().err


async def test_what_a_node_said_before_the_vector_stays_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = town_of_two(tmp_path)
    net, vector, out = tmp_path / "network", tmp_path / "vector", tmp_path / "revoked"
    async with running(town):
        await talk(town)
        run(capsys, "node", "vector", tmp_path / "02", "-o", vector)
        await town.stop("01")  # stolen

        done = run(capsys, "issuer", "revoke", net, "01の機器", "--vector", vector, "-o", out)
        assert done["logs"] >= 1
        run(capsys, "records", "import", tmp_path / "02", out)
        await restart(town, "02")

        kita = load_keys(tmp_path / "01").signer.public
        assert set(town.nodes["02"].machine.book.revoked) == {kita}
        tanaka = await town.log_in("02", TANAKA)
        assert {m.body["text"]: m.trouble for m in town.room("02", tanaka)} == {
            "開けました": None,
            "了解": None,
        }

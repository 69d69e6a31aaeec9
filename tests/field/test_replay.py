"""The replay as a command: the shipped story holds, broken stories and broken builds do not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.field.demo_ports import port_base

SCENARIOS = Path(__file__).parents[1] / "scenarios"
REPLAY_SECONDS_MAX = 110


def replay(
    name: str, *command: str
) -> tuple[int, dict[str, Any], subprocess.CompletedProcess[str]]:
    done = subprocess.run(
        [
            *(command or (sys.executable, "-m", "meshrelay")),
            "demo",
            "--replay",
            str(SCENARIOS / name),
            "--json",
            "--port-base",
            str(port_base()),
        ],
        capture_output=True,
        text=True,
        timeout=REPLAY_SECONDS_MAX,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done


def explain(report: dict[str, Any]) -> list[Any]:
    odd: list[Any] = [row for row in report["expectations"] if not row["held"]]
    return [*odd, report["totals"], report["wall_s"]]


def test_the_citys_drill_holds_without_a_network() -> None:
    code, report, done = replay("osaka-2019.toml")

    assert code == 0, (explain(report), done.stderr)
    assert report["passed"] is True
    assert report["wall_s"] <= 60
    totals = report["totals"]
    assert totals["sent"] == totals["archived"] == len(report["messages"]) >= 40
    assert (totals["lost"], totals["duplicated"], totals["refused"]) == (0, 0, 0)
    assert set(report) == {
        "scenario", "passed", "wall_s", "messages", "expectations", "totals",
    }  # fmt: skip
    message = next(row for row in report["messages"] if row["id"] == "m19")
    assert set(message) == {
        "id", "author", "node", "room", "stored_ms", "other_node", "archive_ms", "read_by", "words",
    }  # fmt: skip
    assert (message["author"], message["node"], message["room"]) == ("midori", "nishinari", "all")
    assert message["stored_ms"] < message["other_node"]["ms"] < message["archive_ms"]
    assert [word for word, _ in message["words"]] == ["区の機器", "他の区", "本部"]
    assert "umeda" in {reader["person"] for reader in message["read_by"]}


def test_a_story_whose_expectation_fails_exits_1_and_says_which() -> None:
    code, report, _ = replay("broken-expectation.toml")

    assert code == 1
    held = {row["text"]: row["held"] for row in report["expectations"]}
    assert held["by 8 s: m1 shown at hq"] is False
    assert held["by 9 s: m3 word 他の区"] is True
    assert report["totals"]["lost"] == 3


@pytest.mark.parametrize(("name", "line"), [("broken-person.toml", 12), ("broken-toml.toml", 5)])
def test_a_story_that_cannot_be_read_exits_2_with_file_and_line(name: str, line: int) -> None:
    code, report, done = replay(name)

    assert code == 2
    assert f"{name}:{line}: " in report["error"]
    assert f"{name}:{line}: " in done.stderr


def test_a_build_that_drops_one_entry_is_found() -> None:
    wrapper = (sys.executable, "-m", "tests.field.dropping_demo")
    code, report, _ = replay("short.toml", *wrapper)

    assert code == 1
    assert report["passed"] is False
    assert report["totals"]["lost"] >= 1


def test_the_same_story_holds_with_the_build_that_drops_nothing() -> None:
    code, report, _ = replay("short.toml")

    assert code == 0, explain(report)

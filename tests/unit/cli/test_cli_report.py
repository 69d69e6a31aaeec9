"""The report: what counts as sent, lost, doubled and archived, from made-up pages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import msgspec

from meshrelay.cli.demo.driver import Driver
from meshrelay.cli.demo.layout import PLACES
from meshrelay.cli.demo.report import make_report, plain_lines
from meshrelay.cli.demo.scenario import Expectation, Fact
from meshrelay.cli.demo.town import Town
from meshrelay.node.office import Message
from tests.unit.cli.test_cli_sightings import POSTED, SCENARIO, message


def played(**changes: list[Message] | None) -> Driver:
    """A driver after a replay in which m1 was answered at kita; `changes` by place."""
    driver = Driver(cast(Town, SimpleNamespace(people=())), SCENARIO)
    sent = driver.seen.sent["m1"]
    sent.message_id = "id-1"
    driver.seen.note_answered(1_000, sent, "kita", POSTED)
    driver.seen.note_message(1_200, "chuo", sent, message("node", 0))
    driver.seen.note_message(1_500, "hq", sent, message("archive", 1))
    for place in PLACES:
        shown = changes.get(place.key, [message("archive", 1)])
        driver.final[place.key] = None if shown is None else {"all": shown}
    return driver


def totals(driver: Driver) -> tuple[int, int, int]:
    report = make_report(SCENARIO, driver, 1.0)
    counts = report["totals"]
    assert report["passed"] is (counts["lost"] == counts["duplicated"] == 0)
    return counts["sent"], counts["archived"], counts["lost"]


def test_a_message_on_every_page_is_not_lost() -> None:
    assert totals(played()) == (1, 1, 0)


def test_a_message_missing_on_one_page_is_lost() -> None:
    assert totals(played(nishinari=[])) == (1, 1, 1)
    assert totals(played(hq=[])) == (1, 0, 1)


def test_a_message_with_another_text_is_lost() -> None:
    altered = msgspec.structs.replace(message("node", 0), body={"text": "違う文"})

    assert totals(played(chuo=[altered])) == (1, 1, 1)


def test_a_page_that_does_not_answer_at_the_end_shows_nothing() -> None:
    assert totals(played(kita=None)) == (1, 1, 1)


def test_the_times_of_one_message_are_told() -> None:
    (row,) = make_report(SCENARIO, played(), 1.0)["messages"]

    assert row == {
        "id": "m1",
        "author": "sakura",
        "node": "kita",
        "room": "all",
        "stored_ms": 1_000,
        "other_node": {"node": "chuo", "ms": 1_200},
        "archive_ms": 1_500,
        "read_by": [],
        "words": [["区の機器", 1_000]],
    }


def test_what_was_never_seen_is_null_and_never_zero() -> None:
    driver = Driver(cast(Town, SimpleNamespace(people=())), SCENARIO)
    driver.final = {place.key: {"all": []} for place in PLACES}
    report = make_report(SCENARIO, driver, 1.0)

    (row,) = report["messages"]
    assert (row["node"], row["stored_ms"], row["other_node"], row["archive_ms"]) == (None,) * 4
    assert report["totals"]["sent"] == 0


def test_an_expectation_that_did_not_hold_is_told_with_its_time() -> None:
    shown = Fact("shown", "m1", place="chuo")
    expectations = (
        Expectation("m1 shown at chuo", shown, 0.0, 1.1, False),
        Expectation("m1 shown at chuo", shown, 0.0, 2.0, True),
    )
    scenario = type(SCENARIO)("one", SCENARIO.people, SCENARIO.steps, expectations, SCENARIO.end_s)
    report = make_report(scenario, played(), 1.0)

    assert report["passed"] is False
    assert report["expectations"] == [
        {"text": "by 1.1 s: m1 shown at chuo", "held": False, "seen": 1_200},
        {"text": "never 0-2 s: m1 shown at chuo", "held": False, "seen": 1_200},
    ]
    assert plain_lines(report)[2] == "  NOT HELD by 1.1 s: m1 shown at chuo  (seen: 1.2 s)"

"""The report of a replay: the JSON that the issue fixes, and the same in a few lines."""

from __future__ import annotations

from typing import Any

from meshrelay.cli.demo.driver import Driver
from meshrelay.cli.demo.scenario import Expectation, Fact, Scenario
from meshrelay.cli.demo.sightings import ARCHIVE, Sent, Sightings

WORD_ON_SCREEN = {"node": "区の機器", "wards": "他の区", "archive": "本部"}


def make_report(scenario: Scenario, driver: Driver, wall_s: float) -> dict[str, Any]:
    """Everything is taken from what the driver saw; times are ms since start, None = never."""
    seen = driver.seen
    answered = [sent for sent in seen.sent.values() if sent.posted is not None]
    expectations = [
        {
            "text": _sentence(expectation),
            "held": seen.holds(expectation),
            "seen": seen.seen_ms(expectation),
        }
        for expectation in scenario.expectations
    ]
    totals = {
        "sent": len(answered),
        "archived": sum(_in_archive(driver, sent) for sent in answered),
        "lost": sum(driver.missing(sent) for sent in answered),
        "duplicated": sum(Fact("twice", sent.id) in seen.first_ms for sent in answered),
        "refused": sum(driver.refused.values()),
    }
    return {
        "scenario": scenario.name,
        "passed": (
            all(row["held"] for row in expectations)
            and totals["lost"] == 0
            and totals["duplicated"] == 0
        ),
        "wall_s": round(wall_s, 1),
        "messages": [_message(seen, sent) for sent in seen.sent.values()],
        "expectations": expectations,
        "totals": totals,
    }


def _sentence(expectation: Expectation) -> str:
    if expectation.never:
        return f"never {expectation.after_s:g}-{expectation.by_s:g} s: {expectation.text}"
    return f"by {expectation.by_s:g} s: {expectation.text}"


def _in_archive(driver: Driver, sent: Sent) -> bool:
    rooms = driver.final.get(ARCHIVE) or {}
    return any(
        (message.author, message.message_id) == (sent.author, sent.message_id)
        for message in rooms.get(sent.room, [])
    )


def _message(seen: Sightings, sent: Sent) -> dict[str, Any]:
    other = seen.other_node(sent)
    return {
        "id": sent.id,
        "author": sent.author,
        "node": sent.node or None,
        "room": sent.room,
        "stored_ms": seen.first_ms.get(Fact("answered", sent.id)),
        "other_node": {"node": other[0], "ms": other[1]} if other else None,
        "archive_ms": seen.shown_ms(sent, ARCHIVE),
        "read_by": [
            {"person": fact.person, "ms": at_ms}
            for fact, at_ms in seen.first_ms.items()
            if fact.kind == "read" and fact.id == sent.id
        ],
        "words": [[WORD_ON_SCREEN[word], at_ms] for word, at_ms in seen.words(sent)],
    }


def plain_lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    totals = report["totals"]
    lines = [
        f"{report['scenario']}: {'held' if report['passed'] else 'NOT HELD'} "
        f"in {report['wall_s']} s",
        "  " + "  ".join(f"{name} {number}" for name, number in totals.items()),
    ]
    for row in report["expectations"]:
        mark = "held    " if row["held"] else "NOT HELD"
        at = "never" if row["seen"] is None else f"{row['seen'] / 1000:.1f} s"
        lines.append(f"  {mark} {row['text']}  (seen: {at})")
    return lines

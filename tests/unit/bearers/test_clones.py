"""One key in two processes: what proves it, and what does not."""

from __future__ import annotations

from collections import Counter

from meshrelay.bearers.clones import ALIVE_TWICE, BOOTS_MAX, LATE, TOLD_SECONDS, Clones
from tests.bearer_exam import node_id

KITA, CHUO = node_id("北区"), node_id("中央区")
CARD, COPY = b"boot-001", b"boot-002"


class Watch:
    """A registry and its clock."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.refused: Counter[str] = Counter()
        self.clones = Clones(lambda: self.now_s, self.refused)

    def met(self, boot: bytes, address: str = "", **more: float | bool) -> str:
        self.now_s += 1.0
        return self.clones.met(KITA, boot, address, **more)  # type: ignore[arg-type]


def test_a_node_that_restarts_all_day_is_no_clone() -> None:
    watch = Watch()
    for start in range(3 * BOOTS_MAX):
        assert watch.met(b"start%03d" % start, "10.0.0.5:7401") == ""

    assert watch.clones.told() == [] and not watch.refused


def test_two_living_processes_are_told_with_both_addresses() -> None:
    watch = Watch()
    watch.met(CARD, "10.0.0.5:7401")
    watch.met(COPY, "10.0.0.9:7401")

    assert watch.met(CARD, "10.0.0.5:50123") == ALIVE_TWICE
    assert watch.clones.told() == [(KITA, ("10.0.0.5:50123", "10.0.0.9:7401"))]
    assert watch.refused == {"clone": 1}


def test_a_greeting_that_was_under_way_when_the_process_died_proves_nothing() -> None:
    watch = Watch()
    watch.met(CARD)
    began_s = watch.now_s
    watch.met(COPY)

    assert watch.met(CARD, alive_s=began_s) == LATE
    assert watch.clones.told() == [] and not watch.refused


def test_the_alarm_stands_an_hour_after_both_were_last_met() -> None:
    watch = Watch()
    for boot in (CARD, COPY, CARD):
        watch.met(boot, boot.decode())
    watch.now_s += TOLD_SECONDS - 1.0
    assert watch.clones.told()

    watch.now_s += 1.0
    assert watch.clones.told() == []


def test_the_one_that_is_left_alone_is_the_node_again() -> None:
    watch = Watch()
    for boot in (CARD, COPY, CARD):
        watch.met(boot)
    watch.now_s += TOLD_SECONDS

    assert watch.met(CARD) == ""
    assert watch.met(CARD) == "" and watch.clones.told() == []


def test_a_clone_whose_link_stays_open_is_told_as_long_as_that() -> None:
    watch = Watch()
    for boot in (CARD, COPY, CARD):
        watch.met(boot)
    watch.now_s += 10 * TOLD_SECONDS

    assert watch.met(CARD, others_link=True) == ALIVE_TWICE
    assert watch.clones.told()


def test_what_is_known_of_addresses_is_not_forgotten_for_a_sighting_without() -> None:
    watch = Watch()
    watch.clones.own_key_at(CHUO, "10.0.0.9:7401", "10.0.0.5:7401")
    watch.clones.own_key_at(CHUO, "", "10.0.0.5")

    assert watch.clones.told() == [(CHUO, ("10.0.0.5:7401", "10.0.0.9:7401"))]

"""The lab's verdict finds what it is there to find."""

from __future__ import annotations

from tests.lab.ledger import Ledger, Page, Shown, unfinished, untrue

HQ, KITA, CHUO = "00", "01", "02"
KEY = ("C01", "m1")
ENTRY = "e1"
BRIDGE = Shown(*KEY, "橋が通れません", "archive", 1, KITA, None)


def promised() -> Ledger:
    ledger = Ledger()
    ledger.note(KEY, BRIDGE.text, ENTRY)
    return ledger


def everywhere(message: Shown) -> dict[str, Page | None]:
    return {HQ: [message], KITA: [message], CHUO: [message]}


def disks(**without: frozenset[str] | None) -> dict[str, frozenset[str] | None]:
    full: dict[str, frozenset[str] | None] = dict.fromkeys((HQ, KITA, CHUO), frozenset({ENTRY}))
    return full | {ward.removeprefix("ward"): held for ward, held in without.items()}


def test_a_city_that_shows_everything_once_is_whole() -> None:
    assert unfinished(promised(), everywhere(BRIDGE), "archive") == []


def test_an_answered_message_that_a_page_lacks_is_found() -> None:
    pages = everywhere(BRIDGE) | {CHUO: []}

    assert unfinished(promised(), pages, "archive") == ["02 lacks 1 of 1"]


def test_a_message_shown_twice_is_found() -> None:
    pages = everywhere(BRIDGE) | {CHUO: [BRIDGE, BRIDGE]}

    assert unfinished(promised(), pages, "archive") == ["02 shows 1 twice"]


def test_another_text_under_the_same_message_is_found() -> None:
    pages = everywhere(BRIDGE) | {CHUO: [BRIDGE._replace(text="橋は通れます")]}

    assert unfinished(promised(), pages, "archive") == ["02 shows another text for 1"]


def test_a_message_in_trouble_is_found() -> None:
    pages = everywhere(BRIDGE) | {CHUO: [BRIDGE._replace(trouble="conflict")]}

    assert unfinished(promised(), pages, "archive") == ["02 marks 1 as conflict"]


def test_a_message_that_has_not_reached_hq_is_found() -> None:
    pages = everywhere(BRIDGE) | {KITA: [BRIDGE._replace(place="wards")]}

    assert unfinished(promised(), pages, "archive") == ["01 shows 1 not yet as archive"]


def test_a_page_that_does_not_answer_is_no_good_news() -> None:
    assert unfinished(promised(), everywhere(BRIDGE) | {KITA: None}, "archive") == [
        "01 does not answer"
    ]


def test_true_receipts_are_left_alone() -> None:
    assert untrue(promised(), everywhere(BRIDGE), disks(), HQ) == []


def test_a_receipt_of_an_archive_without_the_entry_is_untrue() -> None:
    pages: dict[str, Page | None] = {KITA: [BRIDGE]}

    (found,) = untrue(promised(), pages, disks(ward00=frozenset()), HQ)
    assert "01 says the archive holds" in found


def test_a_ward_that_is_counted_and_does_not_hold_is_untrue() -> None:
    pages: dict[str, Page | None] = {KITA: [BRIDGE]}

    (found,) = untrue(promised(), pages, disks(ward02=frozenset()), HQ)
    assert "1 wards" in found and "0 may" in found


def test_the_ward_that_took_a_message_in_is_not_another_ward() -> None:
    pages: dict[str, Page | None] = {KITA: [BRIDGE._replace(place="wards", wards_n=2)]}

    assert len(untrue(promised(), pages, disks(), HQ)) == 1


def test_a_disk_that_cannot_be_read_disproves_nothing() -> None:
    assert untrue(promised(), everywhere(BRIDGE), disks(ward00=None, ward02=None), HQ) == []

"""The sync line says 本部まで届いています only on the archive's own, fresh, signed word."""

from __future__ import annotations

import pytest
from msgspec import structs

from meshrelay.web.syncline import ARCHIVE_AGE_MS_MAX, SyncLine, sync_line
from meshrelay.web.views import sync_words
from tests.office_fake import FakeOffice


@pytest.mark.parametrize(
    ("age_ms", "left_n", "state"),
    [
        (20_000, 0, "synced"),
        (20_000, 6, "sending"),
        (20_000, None, "unknown"),
        (ARCHIVE_AGE_MS_MAX + 1, 0, "cut"),
        (None, 0, "cut"),
        (-5_000, 0, "synced"),  # its clock is ahead of ours
    ],
)
def test_the_state_follows_the_newest_word(
    age_ms: int | None, left_n: int | None, state: str
) -> None:
    office = FakeOffice(archive_age_ms=age_ms, left_n=left_n)

    assert sync_line(office.status()).state == state


@pytest.mark.parametrize("left_n", [0, 6])
def test_without_any_link_the_line_says_so_at_once(left_n: int) -> None:
    status = FakeOffice(archive_age_ms=1_000, left_n=left_n).status()

    line = sync_line(structs.replace(status, links=()))

    assert (line.state, line.age_ms) == ("cut", 1_000)
    assert sync_words(line, "ja")[0].startswith("本部につながっていません。")


def test_at_hq_there_is_nothing_to_wait_for() -> None:
    status = FakeOffice(archive_age_ms=None).status()

    line = sync_line(structs.replace(status, node=structs.replace(status.node, archive=True)))

    assert line.state == "here"


def test_an_unknown_age_is_said_and_never_shown_as_a_number() -> None:
    assert sync_words(SyncLine("cut", 3, None), "ja")[1] == "本部の知らせ：まだありません"
    assert "47分前" in sync_words(SyncLine("cut", 3, 47 * 60_000), "ja")[1]


def test_what_is_left_is_counted_over_urgent_and_normal_lanes() -> None:
    assert "ものが4件あります" in sync_words(sync_line(FakeOffice(left_n=2).status()), "ja")[0]

"""Pages page through changes by number: many rows that change at once are all told."""

from __future__ import annotations

from pathlib import Path

from meshrelay.store.views import ViewReader, open_views

LOG = "origin:incarnation:1"


def test_every_row_that_receipts_reach_at_once_is_told_to_a_page(tmp_path: Path) -> None:
    views = open_views(tmp_path / "views.db", [b"i"], 0, b"life")
    with views.batch():
        for seq in range(1, 501):
            views.put("talk", f"row {seq}", "all", f"{seq:04}", {})
            views.carry(f"{LOG}:{seq}", "talk", f"row {seq}")
        views.reached(b"i", 500)
    reader = ViewReader(tmp_path / "views.db")
    cursor = reader.changed()
    with views.batch():
        views.touch_range(LOG, 0, 500)
        views.reached(b"i", 500)

    told: set[str] = set()
    while found := reader.changed_after("talk", cursor, 200):
        told |= {row.key for row in found}
        cursor = found[-1].changed
    assert len(told) == 500

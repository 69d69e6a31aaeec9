"""views.db: thrown away and rebuilt when it is not of this log; pages read what folds wrote."""

from __future__ import annotations

from pathlib import Path

from meshrelay.store.views import ViewReader, Views, open_views

LIFE, NEXT_LIFE = b"life one", b"life two"
DAY, OLD = b"day one.", b"day zero"


def folded(directory: Path, incarnation: bytes = DAY, arrival: int = 3) -> None:
    """A read model with one row, folded up to `arrival`."""
    views = Views(directory / "views.db")
    views.clear(LIFE)
    with views.batch():
        views.put("talk", "1001/m1", "all", "01", {"text": "こんにちは"})
        views.carry("log:1", "talk", "1001/m1")
        views.reached(incarnation, arrival)
    views.close()


def reopened(directory: Path, incarnations: list[bytes], newest: int) -> tuple[int, str]:
    """How many rows are left, and the life, after a start on this log."""
    open_views(directory / "views.db", incarnations, newest, NEXT_LIFE).close()
    reader = ViewReader(directory / "views.db")
    return reader.count("talk"), reader.life()


def test_a_read_model_of_this_log_is_kept(tmp_path: Path) -> None:
    folded(tmp_path)

    assert reopened(tmp_path, [DAY], 3) == (1, LIFE.hex())


def test_a_read_model_that_is_behind_is_kept(tmp_path: Path) -> None:
    folded(tmp_path, OLD)

    assert reopened(tmp_path, [OLD, DAY], 9) == (1, LIFE.hex())


def test_a_read_model_of_another_log_is_thrown_away(tmp_path: Path) -> None:
    folded(tmp_path, b"another.")

    assert reopened(tmp_path, [DAY], 3) == (0, NEXT_LIFE.hex())


def test_a_read_model_ahead_of_its_log_is_thrown_away(tmp_path: Path) -> None:
    folded(tmp_path, arrival=4)

    assert reopened(tmp_path, [DAY], 3) == (0, NEXT_LIFE.hex())


def test_an_empty_file_is_begun(tmp_path: Path) -> None:
    (tmp_path / "views.db").touch()

    assert reopened(tmp_path, [DAY], 3) == (0, NEXT_LIFE.hex())


def test_after_throwing_away_the_position_is_the_beginning(tmp_path: Path) -> None:
    folded(tmp_path, b"another.")
    views = open_views(tmp_path / "views.db", [DAY], 3, NEXT_LIFE)

    assert views.position() == (b"", 0)
    assert views.get("talk", "1001/m1") is None


def test_rows_and_position_are_committed_together(tmp_path: Path) -> None:
    folded(tmp_path)
    views = Views(tmp_path / "views.db")
    reader = ViewReader(tmp_path / "views.db")
    with views.batch():
        views.put("talk", "1001/m2", "all", "02", {})
        views.reached(DAY, 4)
        assert reader.count("talk") == 1

    assert reader.count("talk") == 2
    assert views.position() == (DAY, 4)


def rows_of(reader: ViewReader) -> list[str]:
    return [found.key for found in reader.newest("talk", "all", None, 9)]


def test_pages_read_a_group_newest_last_and_page_back(tmp_path: Path) -> None:
    views = Views(tmp_path / "views.db")
    with views.batch():
        for number in (2, 0, 3, 1):
            views.put("talk", f"m{number}", "all", f"{number:02}", {"n": number})
        views.put("talk", "elsewhere", "ward:01", "99", {})
    reader = ViewReader(tmp_path / "views.db")

    assert rows_of(reader) == ["m0", "m1", "m2", "m3"]
    assert [found.key for found in reader.newest("talk", "all", "02", 1)] == ["m1"]
    assert sorted(reader.keys("talk", "all")) == ["00", "01", "02", "03"]


def test_a_row_that_moves_leaves_its_old_group(tmp_path: Path) -> None:
    views = Views(tmp_path / "views.db")
    with views.batch():
        views.put("talk", "m0", "all", "00", {})
        views.put("talk", "m0", "ward:01", "00", {})
    reader = ViewReader(tmp_path / "views.db")

    assert rows_of(reader) == []
    assert [found.key for found in reader.group("talk", "ward:01")] == ["m0"]


def test_a_receipt_changes_the_rows_that_its_entries_carry(tmp_path: Path) -> None:
    views = Views(tmp_path / "views.db")
    with views.batch():
        for seq in range(1, 5):
            views.put("talk", f"m{seq}", "all", f"{seq:02}", {})
            views.carry(f"log:{seq}", "talk", f"m{seq}")
        views.reached(DAY, 4)
    reader = ViewReader(tmp_path / "views.db")
    before = reader.changed()
    with views.batch():
        views.touch_range("log", 1, 3)
        views.reached(DAY, 4)

    changed = reader.changed_after("talk", before, 9)
    assert [found.key for found in changed] == ["m2", "m3"]
    assert reader.changed() > before


def test_what_somebody_has_not_seen_is_counted_without_their_own(tmp_path: Path) -> None:
    views = Views(tmp_path / "views.db")
    with views.batch():
        for seq, author in enumerate(("1001", "1002", "1002"), 1):
            views.put("talk", f"{author}/m{seq}", "all", f"{seq:02}", {})
            views.carry(f"log:{seq}", "talk", f"{author}/m{seq}")
        views.put("read", "log:2:1001", "log:2", "1001", {})
    reader = ViewReader(tmp_path / "views.db")

    assert reader.unseen("talk", "all", "read", "1001", 99) == 1
    assert reader.unseen("talk", "all", "read", "1002", 99) == 1
    assert reader.unseen("talk", "all", "read", "1003", 99) == 3
    assert reader.unseen("talk", "all", "read", "1003", 2) == 2

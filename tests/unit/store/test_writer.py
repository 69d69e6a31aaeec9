"""The one writer: in order, in groups, and silent for ever after a disk failure."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import apsw
import pytest

from meshrelay.errors import StoreError
from meshrelay.store.sqlite import connect
from meshrelay.store.writer import Writer


class Desk:
    """A writer with notes of what it did."""

    def __init__(self, directory: Path) -> None:
        self.connection = connect(directory / "log.db", durable=True)
        self.connection.execute("CREATE TABLE said (number INTEGER PRIMARY KEY)")
        self.done: list[int] = []
        self.failures: list[StoreError] = []
        self.commits = 0
        self.now_s = 0.0
        self.fold_s = 0.0
        self.left = 0  # folds that the last commit leaves to do
        self.writer = Writer(self.connection, self._fold, self.failures.append, lambda: self.now_s)

    def _fold(self) -> bool:
        self.commits += 1
        self.now_s += self.fold_s
        self.left -= 1
        return self.left > 0

    def insert(self, number: int) -> None:
        self.connection.execute("INSERT INTO said VALUES (?)", (number,))

    def say(self, number: int) -> None:
        self.writer.put(partial(self.insert, number), partial(self.done.append, number))

    def said(self) -> list[int]:
        return [row[0] for row in self.connection.execute("SELECT number FROM said ORDER BY 1")]


def test_what_waits_is_one_commit_and_is_answered_in_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for number in range(100):
        desk.say(number)
    desk.writer.start()
    desk.writer.stop()

    assert desk.said() == desk.done == list(range(100))
    assert desk.commits <= 2


def test_under_load_folds_have_a_seventh_of_the_writers_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.fold_s = 0.1

    def insert(number: int) -> None:
        desk.insert(number)
        desk.now_s += 0.001

    for number in range(10_000):
        desk.writer.put(partial(insert, number))
    desk.writer.start()
    desk.writer.stop()

    folding_s = desk.commits * desk.fold_s
    assert desk.commits >= 5
    assert folding_s <= desk.now_s * 0.16 + 2 * desk.fold_s  # the first and the last at once


def test_what_is_left_to_fold_goes_on_when_nothing_else_is_asked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.left = 5
    level = threading.Event()
    fold = desk._fold

    def folded() -> bool:
        more = fold()
        if not more:
            level.set()
        return more

    writer = Writer(desk.connection, folded, desk.failures.append)
    writer.put(partial(desk.insert, 1))
    writer.start()

    assert level.wait(10)
    writer.stop()
    assert desk.commits == 5


def test_an_answer_comes_after_the_commit(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    seen: list[bool] = []
    desk.writer.put(
        partial(desk.insert, 1),
        lambda: seen.append(desk.connection.in_transaction),
    )
    desk.writer.start()
    desk.writer.stop()

    assert seen == [False]


def test_after_a_disk_failure_nothing_is_answered_or_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.say(1)
    desk.say(1)  # fails, and with it the whole commit
    desk.say(2)
    desk.writer.start()
    desk.writer.stop()

    assert desk.said() == desk.done == []
    assert [type(failure) for failure in desk.failures] == [StoreError]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_work_stops_the_node_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.writer.put(lambda: 1 // 0)  # type: ignore[arg-type]
    desk.writer.start()
    desk.writer.stop()

    assert [str(failure) for failure in desk.failures] == ["the writer ended"]


def test_the_writer_has_a_thread_of_its_own(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    names: list[str] = []
    desk.writer.put(lambda: names.append(threading.current_thread().name))
    desk.writer.start()
    desk.writer.stop()

    assert names == ["writer"]
    assert isinstance(desk.connection, apsw.Connection)

"""Commits and stores for tests of what is on disk."""

from __future__ import annotations

from pathlib import Path

from meshrelay.core.entry import Entry
from meshrelay.core.events import Commit, Taken
from meshrelay.core.records import Record
from meshrelay.core.vector import Line
from meshrelay.core.verdict import EFFECTIVE, Verdict
from meshrelay.store.log import LogStore
from meshrelay.store.sqlite import transaction

AT_MS = 1_790_000_000_000


def commit_of(
    entries: list[Entry], records: list[Record] | None = None, verdict: Verdict | None = None,
    *, age: int = 0, cuts: list[Line] | None = None, orphans: list[Taken] | None = None,
) -> Commit:  # fmt: skip
    taken = [Taken(entry, verdict or Verdict(EFFECTIVE), age) for entry in entries]
    return Commit(1, taken, records or [], None, None, cuts or [], orphans or [])


def write(store: LogStore, commit: Commit, at_ms: int = AT_MS, seen_ms: int = 0) -> int:
    """One FULL commit; returns the number of its first arrival."""
    with transaction(store.connection):
        return store.write(commit, at_ms, seen_ms)


def opened(directory: Path) -> LogStore:
    """The store of a directory, loaded as at a start."""
    store = LogStore(directory / "log.db")
    store.load()
    return store

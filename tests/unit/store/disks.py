"""Commits and stores for tests of what is on disk."""

from __future__ import annotations

from pathlib import Path

from meshrelay.core.entry import Entry
from meshrelay.core.events import Commit
from meshrelay.core.records import Record
from meshrelay.core.verdict import EFFECTIVE, Verdict
from meshrelay.store.log import LogStore
from meshrelay.store.sqlite import transaction

AT_MS = 1_790_000_000_000


def commit_of(
    entries: list[Entry], records: list[Record] | None = None, verdict: Verdict | None = None
) -> Commit:
    judged = [(entry, verdict or Verdict(EFFECTIVE)) for entry in entries]
    return Commit(1, judged, records or [], None, None)


def write(store: LogStore, commit: Commit, at_ms: int = AT_MS) -> None:
    """One FULL commit."""
    with transaction(store.connection):
        store.write(commit, at_ms)


def opened(directory: Path) -> LogStore:
    """The store of a directory, loaded as at a start."""
    store = LogStore(directory / "log.db")
    store.load()
    return store

"""Stores that are full before anything is measured, and waiting for what follows from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import Entry
from meshrelay.core.events import Commit, Taken
from meshrelay.core.records import Record
from meshrelay.core.verdict import EFFECTIVE, Verdict
from meshrelay.node.witness import Witness
from meshrelay.store.log import LogStore
from meshrelay.store.sqlite import transaction
from meshrelay.web.client import fetch_status
from tests.benchmarks.writing import AGE, Pen

REBUILD_S_MAX = 600.0
BATCH = 500
STARTED_MS = 1_780_000_000_000
# By a store that has seen nothing pass yet.
SEEN_MS = 0


def store_records(store: LogStore, records: Sequence[Record]) -> None:
    """Write the records, in one commit."""
    with transaction(store.connection):
        store.write(Commit(1, [], list(records), None, None), STARTED_MS, SEEN_MS)


def store_entries(store: LogStore, entries: Sequence[Entry]) -> None:
    """Write entries that are known to be good, in one commit."""
    taken = [Taken(entry, Verdict(EFFECTIVE), AGE) for entry in entries]
    with transaction(store.connection):
        store.write(Commit(1, taken, [], None, None), STARTED_MS, SEEN_MS)


def fill(path: Path, pens: Sequence[Pen], records: Sequence[Record], entries: int) -> int:
    """Write a store that holds `entries` entries of all pens, in turn; returns its change number.

    Its incarnation is that of the first pen.
    """
    store = LogStore(path)
    store.load()
    store.add_incarnation(pens[0].log.incarnation)
    clock = HybridClock()
    try:
        store_records(store, records)
        for start in range(0, entries, BATCH):
            pen = pens[start // BATCH % len(pens)]
            store_entries(store, pen.write(min(BATCH, entries - start), clock, STARTED_MS + start))
        return store.change
    finally:
        store.connection.close()


def prove(witnesses: Path, pen: Pen, change: int) -> None:
    """Leave the witness that lets the pen's node go on with the incarnation that was filled."""
    witness = Witness(witnesses, pen.network, pen.node.public)
    witness.write(pen.log.incarnation, change)
    witness.close()


async def rebuilt(url: str, entries: int) -> float:
    """Seconds until the views show every message."""
    began_s = time.perf_counter()
    async with asyncio.timeout(REBUILD_S_MAX):
        while True:
            if (await fetch_status(url)).messages >= entries:
                return time.perf_counter() - began_s
            await asyncio.sleep(0.5)

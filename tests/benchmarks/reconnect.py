"""A link that returns with nothing new: bytes and milliseconds from the end of TLS to level.

Two real nodes with real stores on a real lan link. The second figure is a month on: at
each of 24 nodes the power failed three times a day for 30 days, and each of the 2,160
incarnations wrote something. Bytes are all blocks of the link, greeting included, both
ways; the clock runs from the end of the TLS handshake until both have handled a HELLO
that shows what they hold themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from meshrelay.bearers.base import Doorman, Link, LinkEvents
from meshrelay.bearers.lan import LanBearer
from meshrelay.bearers.lan_link import LanLink
from meshrelay.core.clock import HybridClock
from meshrelay.core.entry import LogId
from meshrelay.core.records import Record
from meshrelay.node.node import Node
from meshrelay.store.log import LogStore
from tests.benchmarks.cities import ARCHIVE, build_city
from tests.benchmarks.figures import Figure, spread
from tests.benchmarks.filling import STARTED_MS, store_entries, store_records
from tests.benchmarks.writing import Pen, fetch_pens, town_directory
from tests.town import Clerk, Town, running, until

NODES = 24
STARTS = 30 * 3
ROUNDS = 5
BYTES_MAX = 600
MS_MAX = 50.0
# What the machines still say once they are level belongs to the reconnect.
QUIET_S = 1.0
LINK_S_MAX = 60.0
KITA = "01"
CLERK = Clerk("K001", "佐藤", "さとう", KITA, "", ("staff",))


class Tap:
    """Between a bearer and its node: notes when TLS ended, and when a frame had been handled."""

    def __init__(self, node: Node) -> None:
        (bearer,) = (each for each in node._bearers if isinstance(each, LanBearer))
        self._doorman: Doorman = bearer._doorman
        self._events: LinkEvents = bearer._events
        bearer._doorman = bearer._events = self
        self.link: LanLink | None = None
        self.tls_s = self.handled_s = 0.0

    @property
    def node_id(self) -> bytes:
        return self._doorman.node_id

    @property
    def greeting(self) -> bytes:
        return self._doorman.greeting

    @property
    def short_greeting(self) -> bytes:
        self.tls_s = time.perf_counter()  # the first thing that is asked for after TLS
        return self._doorman.short_greeting

    def recognise(self, short_greeting: bytes, tls_spki_sha256: bytes) -> bytes | None:
        return self._doorman.recognise(short_greeting, tls_spki_sha256)

    def admit(self, greeting: bytes, tls_spki_sha256: bytes | None) -> bytes:
        return self._doorman.admit(greeting, tls_spki_sha256)

    def bars(self, peer: bytes) -> str:
        return self._doorman.bars(peer)

    def notice(self, peer: bytes) -> bytes:
        return self._doorman.notice(peer)

    def key_for(self, peer: bytes, generation: int) -> bytes:
        return self._doorman.key_for(peer, generation)

    def up(self, link: Link) -> None:
        assert isinstance(link, LanLink)
        self.link, self.handled_s = link, 0.0
        self._events.up(link)

    def frame(self, link: Link, data: bytes, done: Callable[[], None]) -> None:
        self._events.frame(link, data, done)
        self.handled_s = self.handled_s or time.perf_counter()

    def heard(self, peer: bytes, data: bytes, done: Callable[[], None]) -> None:
        self._events.heard(peer, data, done)

    def down(self, link: Link, reason: str) -> None:
        self.link = None
        self._events.down(link, reason)

    def carried(self) -> int:
        """Bytes of blocks on the present link, both ways."""
        assert self.link is not None
        return self.link._connection.bytes_in + self.link._connection.bytes_out


@dataclass(frozen=True)
class Returned:
    """One way of having been away, several times."""

    bytes: list[float]
    ms: list[float]
    greetings: list[int]


def month(town: Town, pens: list[Pen], records: list[Record], starts: int) -> None:
    """Give HQ and 北区 the same logs: `starts` incarnations of every node, one entry each."""
    clock = HybridClock()
    with contextlib.ExitStack() as stack:
        stores = []
        for ward in (ARCHIVE, KITA):
            store = LogStore(town.directory / ward / "log.db")
            stack.callback(store.connection.close)
            store.load()
            store_records(store, records)
            stores.append(store)
        for life in range(starts):
            logs = [LogId(pen.node.public, secrets.token_bytes(8), 1) for pen in pens]
            entries = []
            for pen, log in zip(pens, logs, strict=True):
                once = replace(pen, log=log, height=0, head=b"")
                entries += once.write(1, clock, STARTED_MS + life)
            for store, log in zip(stores, logs, strict=False):  # HQ's and 北区's own come first
                store.add_incarnation(log.incarnation)
                store_entries(store, entries)


async def reconnects(work: Path, name: str, starts: int, rounds: int) -> Returned:
    """Build, fill, link, then cut and wait for the link, again and again."""
    directory = town_directory(work, name)
    wards = [f"{number:02d}" for number in range(NODES)]
    town, _ = build_city(directory / "city", wards, clerks=[CLERK], lan=True)
    pens, records = fetch_pens(town, [(ward, [CLERK]) for ward in wards])
    month(town, pens, records, starts)
    for ward in wards[2:]:
        del town.ports[ward]
    toml = town.directory / KITA / "node.toml"
    dialled = f'peers = ["127.0.0.1:{town.ports[ARCHIVE]}"]'
    toml.write_text(toml.read_text("utf-8").replace("peers = []", dialled), "utf-8")
    told = Returned([], [], [])
    async with running(town):
        taps = [Tap(town.nodes[ward]) for ward in (ARCHIVE, KITA)]
        told.greetings.extend(len(tap._doorman.short_greeting) for tap in taps)
        for turn in range(rounds + 1):
            await until(lambda: all(tap.link and tap.handled_s for tap in taps), LINK_S_MAX)
            level_s = max(tap.handled_s for tap in taps)
            await asyncio.sleep(QUIET_S)
            digests = {town.nodes[ward].status().digest for ward in (ARCHIVE, KITA)}
            if len(digests) != 1:
                raise AssertionError("the two stores are not level")
            if turn:  # the first contact is another figure
                told.bytes.append(taps[1].carried())
                told.ms.append((level_s - max(tap.tls_s for tap in taps)) * 1000)
            link = taps[1].link
            assert link is not None
            link.close("benchmark")
            await until(lambda: not any(tap.link for tap in taps), LINK_S_MAX)
    return told


async def measure(work: Path, starts: int = STARTS, rounds: int = ROUNDS) -> list[Figure]:
    """One incarnation a node, then a month of power cuts."""
    figures = []
    for name, count in (
        ("one incarnation a node", 1),
        (f"{starts * NODES:,} incarnations", starts),
    ):
        told = await reconnects(work, f"reconnect-{count}", count, rounds)
        figures += [
            Figure(f"nothing-new reconnect, {name}", statistics.median(told.bytes), "B",
                   limit=BYTES_MAX, detail={**spread(told.bytes), "greetings": told.greetings},
                   peer="Scuttlebutt 2,281 B, NIP-77 1,155 B"),
            Figure("  after TLS", statistics.median(told.ms), "ms", limit=MS_MAX,
                   detail=spread(told.ms)),
        ]  # fmt: skip
    return figures

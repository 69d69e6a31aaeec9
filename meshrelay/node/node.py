"""A running node: opens the store, wires machine, bearers and pages, and closes in order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from meshrelay.bearers import tls
from meshrelay.bearers.base import Bearer
from meshrelay.bearers.discovery import Discovery
from meshrelay.bearers.lan import LanBearer
from meshrelay.bearers.mqtt import MqttBearer
from meshrelay.core.book import RecordBook
from meshrelay.core.clock import TRUSTED, HybridClock
from meshrelay.core.entry import LANES, URGENT, LogId
from meshrelay.core.events import DAMAGED, EVICTED
from meshrelay.core.have import Receipts, read_have
from meshrelay.core.records import ROLE_ARCHIVE
from meshrelay.core.signing import hash32
from meshrelay.core.sync import Machine, restore_records, restore_vector
from meshrelay.desk import talk
from meshrelay.errors import ConfigError, RemoteProtocolError, StoreError, UnreadableError
from meshrelay.node import beginning
from meshrelay.node.alarms import link_alarms
from meshrelay.node.blobs import Blobs
from meshrelay.node.board_desk import BoardDesk
from meshrelay.node.boards import Boards
from meshrelay.node.card_desk import CardDesk
from meshrelay.node.cards import Cards
from meshrelay.node.clock import Clock, Hardware
from meshrelay.node.config import Config, address
from meshrelay.node.courier_desk import CourierDesk
from meshrelay.node.couriers import Couriers
from meshrelay.node.displayed import Displayed
from meshrelay.node.displays import FILE, Displays
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.driver import Driver
from meshrelay.node.enrolling import Enrolling
from meshrelay.node.file_desk import FileDesk
from meshrelay.node.files import Files
from meshrelay.node.folding import RULES, Folder
from meshrelay.node.health import VERSION, Health, troubles
from meshrelay.node.identity import Keys, fits_lock, random_bytes
from meshrelay.node.keeping import Keeping
from meshrelay.node.nightly import Nightly
from meshrelay.node.office import (
    Changes,
    LinkWord,
    Message,
    NetworkInfo,
    NodeInfo,
    Person,
    Posted,
    RoomView,
    Search,
    Seat,
    Status,
    StoreWord,
    Wall,
    Ward,
    WhoRead,
)
from meshrelay.node.posting import Posting, revoked_node
from meshrelay.node.reading import Reading
from meshrelay.node.room import MB, SLACK_BYTES, StoreRoom
from meshrelay.node.rooms import Rooms
from meshrelay.node.searching import Searching
from meshrelay.node.seats import OpenSeat, Turnstile, bad_seal, open_seat
from meshrelay.node.transit import TransitKeys
from meshrelay.node.urgent import Urgents
from meshrelay.node.witness import Witness
from meshrelay.store.opening import mark_damaged, open_store
from meshrelay.store.reader import LogReader
from meshrelay.store.views import ViewReader, open_views

log = logging.getLogger("meshrelay.node")

HEALTH_S = 1.0
STATE_S = 60.0
INCARNATION_BYTES = 8


class Node:
    """One node of one network; two can run in one process. Implements `office.Office`.

    Use as `async with Node(directory, config, keys) as node:`; `failed` is set when the
    disk fails: stop accepting, exit, restart.
    """

    def __init__(self, directory: Path, config: Config, keys: Keys) -> None:
        self._directory = directory
        self._is_open = False
        self._config = config
        path = directory / "log.db"
        self.room = StoreRoom(directory, config.storage.quota_mb * MB)
        self.room.open()
        beginning.note_lost(directory)
        self._store, loaded = open_store(path, keys.network)
        self._store.limit(config.storage.quota_mb * MB + SLACK_BYTES)
        self._starts = self._store.count_start()
        hardware = Hardware()
        vouched = self._is_vouched(hardware.boot)
        self._clock = Clock(vouched, loaded.mark, loaded.seen_ms, hardware)
        self._store.keep_mark(self._clock.mark())
        self._reader = LogReader(path, self._reader_failed)
        self._witness = Witness(Path(config.witness.dir), keys.network, keys.signer.public)
        book = restore_records(self._store.records(), keys.network)
        self._keys = keys
        self._me = keys.signer.public
        self._box = keys.box
        self._incarnations = loaded.incarnations
        folded = [incarnation for incarnation, _ in loaded.incarnations]
        began = self._begin_incarnation(loaded.change, book, loaded.is_salvaged)
        ids = {each: each for each in book.by_id}  # one object for each, not one more
        # What waits for a record that is lost from a damaged store is heard anew, with it.
        stored = self._store.record_changes()
        changes = ((ids[each], change) for each, change in stored if each in ids)
        vector = restore_vector(loaded.lines, changes, loaded.change, loaded.gaps)
        del ids
        own = [hlc for lg, hlc in loaded.head_hlc.items() if lg.origin == keys.signer.public]
        # A good clock ends what a bad one stamped; within one incarnation stamps only grow.
        fresh = self._clock.quality() >= TRUSTED and began
        newest_own = 0 if fresh else max(own, default=0)
        incarnations = [incarnation for incarnation, _ in self._incarnations]
        # (past incarnation, change number of the store when the next one began)
        past = [(each, ended) for (each, _), (_, ended) in pairwise(self._incarnations)]
        self.machine = Machine(
            keys.signer, book, RULES, incarnations[-1], past, vector,
            HybridClock(newest_own), self._restore_receipts(loaded.haves, vector),
            loaded.cursors, random_bytes(8), loaded.stock,
        )  # fmt: skip
        self._doorman = NodeDoorman(self._nodes_of(book), keys.signer.public, book)
        views = directory / "views.db"
        self._folder = Folder(
            open_views(views, folded, self._reader.newest_arrival(), random_bytes(8)),
            path, book, incarnations[-1], self._changed_in_writer,
        )  # fmt: skip
        self._views = ViewReader(views)
        self._rooms = Rooms(book, self._views)
        self._reading = Reading(self.machine, self._views, self._rooms, self._clock.now)
        self._searching = Searching(views, self._reading, self._rooms)
        self._urgents = Urgents(self._views, self._reading, self._rooms, lambda: self.me.ward)
        self.displays = Displays(directory / FILE, self.now_ms)
        self._head_hlc = loaded.head_hlc
        self._nightly = Nightly(directory, config.backup, keys, config.node.name, self._clock.now)
        self._wakes: set[Callable[[], None]] = set()
        self._seats: set[OpenSeat] = set()
        self._started_ms = self.now_ms()
        self._ready = False
        self._group: asyncio.TaskGroup | None = None
        self._bearers: list[Bearer] = []
        self._mqtt: MqttBearer | None = None

    def _is_vouched(self, boot: str) -> bool:
        """Whether somebody vouches for the clock in this boot (see ClockSection)."""
        path = self._directory / "node.toml"
        saved_ns = path.stat().st_mtime_ns if path.exists() else 0
        vouched = self._config.clock.set_by_person
        return vouched and self._store.is_vouched(boot, saved_ns)

    def _nodes_of(self, stored: RecordBook) -> RecordBook:
        """What the store and the enrolment say of nodes; the rest is heard at the start."""
        book = RecordBook(stored.network)
        try:
            for record in chain(stored, self._keys.records()):
                if record.lane == URGENT:
                    book.add(record)
        except RemoteProtocolError as error:
            raise ConfigError(f"{self._keys.enrolment}: {error}") from error
        return book

    def _begin_incarnation(self, change: int, book: RecordBook, is_salvaged: bool) -> bool:
        """Continue the last one only if the witness proves it; else draw anew (True).

        One of which a proof ended a log is over even so: nobody would take what comes after. Of a
        salvaged store the witness proves nothing: it counts changes, and these are others.
        """
        if self._incarnations and not is_salvaged:
            last, _ = self._incarnations[-1]
            forked = any(LogId(self._me, last, lane) in book.proofs for lane in LANES)
            if self._witness.proves(last, change) and not forked:
                return False
        over = self._witness.last()
        if over is not None and not is_salvaged and over not in dict(self._incarnations):
            # Of a log.db that is lost: named, so that others count what this store states.
            self._incarnations.append((over, self._store.add_incarnation(over)))
        drawn = random_bytes(INCARNATION_BYTES)
        self._incarnations.append((drawn, self._store.add_incarnation(drawn)))
        self._witness.write(drawn, change)
        return True

    def _restore_receipts(self, haves: list[bytes], vector: Any) -> Receipts:
        kept = Receipts()
        for raw in haves:
            kept.take(read_have(raw), vector)
        for lg, seq in kept.to_look_up:
            raw_entry = self._reader.at(lg, seq)
            if raw_entry is not None:
                kept.resolve(lg, seq, hash32(raw_entry))
        kept.to_look_up, kept.moved = [], []
        return kept

    # Life

    async def __aenter__(self) -> Node:
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[StoreError] = self._loop.create_future()
        self._is_open = True
        self._turnstile = Turnstile(self.machine.book, self.machine.me)
        self._driver = Driver(
            self.machine, self._store, self._reader, self._witness, self._clock,
            self._folder, self._own_log_ended, self._fail,
        )  # fmt: skip
        self._keeping = Keeping(self.machine, self._reader, self._driver, self._clock, self.room)
        self._driver.blobs = self._blobs = Blobs(
            self._directory, self.machine, self._views, self._config.storage.blobs_mb * 1_000_000,
            self._driver.step, lambda blob: self._files.is_expired(blob), self._wake, self._fail,
        )  # fmt: skip
        self._files = Files(self.machine, self._blobs, self._views, self._rooms, self._reading)
        self.files: FileDesk = self._files
        self._posting = Posting(
            self.machine, self._store, self._reader, self._driver, self._clock, self._rooms,
            self._reading, self.room, self._files, self.subscribe,
        )  # fmt: skip
        self.boards: BoardDesk = Boards(
            self._views, self._rooms, self._reading, self._files, self._posting
        )
        self._displayed = Displayed(self._reading, self._rooms, self._driver)
        self._driver.head_hlc = self._head_hlc
        self._driver.doorman = self._doorman
        self._health = Health(
            self.machine, self._reader, self._head_hlc, self._directory, self.now_ms,
            self._clock.quality,
        )  # fmt: skip
        self.cards: CardDesk = Cards(self._driver, self._turnstile, self._health)
        couriers = Couriers(
            self._directory, self._keys, self._driver, self._doorman, self._clock.now
        )
        self.couriers: CourierDesk = couriers
        self._driver.start()
        enrolling = Enrolling(self._directory, self._driver)
        await self._unless_failed(enrolling.take())
        if self.failed.done():
            raise self.failed.result()
        self._health.refresh()
        self._keeping.measure()
        self._blobs.open()
        self._driver.resume_waiting()
        self._bearers = self._make_bearers()
        self._driver.bearers = self._bearers
        self._blobs.follow()
        self._urgents.look()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._tasks = [
            self._group.create_task(work)
            for work in (
                self._driver.tick(),
                self._driver.sweeping.run(),
                self._keeping.run(),
                self._keeping.scrub(),
                enrolling.run(),
                couriers.run(),
                self._displayed.run(),
                self._watch_health(),
                self._nightly.run(),
                *(bearer.run() for bearer in self._bearers),
            )
        ]
        self._ready = True
        log.info("node ready entries=%d", self._reader.count())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ready = False
        for seat in list(self._seats):
            self.log_out(seat)
        await self._unless_failed(self._displayed.flush())
        for task in self._tasks:
            task.cancel()
        if self._group is not None:
            await self._group.__aexit__(None, None, None)
        self._blobs.close()
        self._driver.close()
        self._folder.close()
        self._views.close()
        self._reader.close()
        self._store.connection.close()
        self._witness.close()

    async def _unless_failed(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work`, but not for ever: a failed disk answers nobody."""
        task = self._loop.create_task(work)
        ends: list[asyncio.Future[Any]] = [task, self.failed]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        task.cancel()

    def _make_bearers(self) -> list[Bearer]:
        keys = self._directory / "keys"
        config = self._config
        made: list[Bearer] = []
        try:
            contexts = tls.contexts(keys / "tls.key", keys / "tls.crt", keys / "ca.crt")
        except OSError as error:
            raise ConfigError(f"{keys}: the TLS key or certificate cannot be used: {error}") from (
                error
            )
        if config.lan.listen or config.lan.peers:
            found = Discovery(self.machine.book.network, self.machine.me)
            made.append(
                LanBearer(
                    self._doorman,
                    self._driver,
                    contexts,
                    address(config.lan.listen) if config.lan.listen else None,
                    [address(peer) for peer in config.lan.peers],
                    self,
                    found if config.lan.zeroconf else None,
                )
            )
        if config.mqtt.broker:
            host, port = address(config.mqtt.broker)
            self._mqtt = MqttBearer(
                self._doorman,
                self._driver,
                host,
                port,
                contexts.client if config.mqtt.tls else None,
                self.machine.book.network,
                TransitKeys(self.machine.book, self.machine.me, self._box),
                self._archives,
                self._mqtt_state,
                boot=self._starts,
                username=config.mqtt.username,
                password=config.mqtt.password,
            )
            made.append(self._mqtt)
        return made

    def _archives(self) -> list[bytes]:
        nodes = self.machine.book.nodes
        return [
            key
            for key, node in nodes.items()
            if ROLE_ARCHIVE in node.roles and key != self.machine.me
        ]

    def _mqtt_state(self) -> dict[str, Any]:
        """The plain JSON for IT that is retained on the broker; no person in it."""
        word = next(w for w in self._health.words() if w.node.id == self.me.id)
        return {
            "name": self.me.name,
            "ward": self.me.ward,
            "version": VERSION,
            "clock_quality": self._clock.quality(),
            "backlog": list(word.backlog),
            "oldest_unsynced_ms": word.oldest_unsynced_ms,
            # Two digits: it is retained for people, and every change of it reaches every node.
            "disk_free_bytes": int(float(f"{word.disk_free_bytes or 0:.1e}")),
        }

    def _own_log_ended(self, ended: LogId) -> None:
        """Our own log has an end: start again under a new incarnation, unless we are revoked."""
        if ended.origin in self.machine.book.revoked:
            log.warning("this node is revoked lane=%d", ended.lane)
            return
        self._fail(
            StoreError(
                "another machine signs with this node's key: this start's logs are ended; "
                "start again, then enrol the node with a new key and revoke the old one"
            )
        )

    def _reader_failed(self, error: StoreError) -> None:
        """A page of log.db cannot be read: the next start puts together what still can be."""
        if isinstance(error, UnreadableError):
            mark_damaged(self._directory / "log.db")
        if self._is_open:  # else whoever starts the node is told by the exception
            self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: StoreError) -> None:
        log.critical("node stops error=%s", error)
        if isinstance(error, UnreadableError):
            mark_damaged(self._directory / "log.db")
        self._ready = False
        if not self.failed.done():
            self.failed.set_result(error)

    # bearers.base.AddressBook

    def last_good(self) -> list[tuple[str, int]]:
        return self._reader.addresses()

    def reached(self, host: str, port: int, peer: bytes) -> None:
        self._driver.write(lambda store: store.keep_address(host, port, peer))

    # Background work

    async def _watch_health(self) -> None:
        """Our own counts every second; IT's retained JSON at most once a minute, when changed."""
        said: dict[str, Any] = {}
        said_s = -STATE_S
        while True:
            self._health.refresh()
            self._blobs.tidy()
            if self._mqtt is not None and time.monotonic() - said_s >= STATE_S:
                state = self._mqtt_state()
                if state != said:
                    self._mqtt.publish_state()
                    said, said_s = state, time.monotonic()
            await asyncio.sleep(HEALTH_S)

    def _changed_in_writer(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._ready:  # a fold may end after the views are closed
            self._blobs.follow()
            self._urgents.look()
        for wake in list(self._wakes):
            wake()

    # Office

    @property
    def network(self) -> NetworkInfo:
        issuer = next(iter(self.machine.book.issuers.values()))
        return NetworkInfo(self.machine.book.network.hex(), issuer.network_name, issuer.drill)

    @property
    def me(self) -> NodeInfo:
        return self._health.info(self.machine.me)

    @property
    def wards(self) -> dict[str, Ward]:
        return self._rooms.wards()

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def status(self) -> Status:
        nodes = self.machine.book.nodes
        links = []
        for open_link in self._driver.links.values():
            peer = open_link.link.peer
            known = nodes.get(peer)
            links.append(
                LinkWord(
                    peer.hex(),
                    known.name if known else peer.hex()[:8],
                    known.ward if known else "",
                    open_link.link.bearer,
                    open_link.link.remote,
                    open_link.up_ms,
                    *open_link.traffic,
                )
            )
        refused = dict(self._driver.refused + self._blobs.refused)
        for bearer in self._bearers:
            for reason, count in bearer.refused.items():
                refused[reason] = refused.get(reason, 0) + count
        trouble = [str(self.failed.result())] if self.failed.done() else []
        trouble += troubles(self.machine.book, self.machine.me)
        trouble += beginning.troubles(self._directory, self.machine.book, self.machine.receipts)
        trouble += self._blobs.troubles()
        trouble += link_alarms(self.machine.book, self.machine.me, self._bearers)
        trouble += self.room.troubles()
        trouble += self._nightly.troubles()
        return Status(
            network=self.network,
            node=self.me,
            version=VERSION,
            ready=self._ready,
            trouble=tuple(trouble),
            now_ms=self.now_ms(),
            clock_quality=self._clock.quality(),
            started_ms=self._started_ms,
            incarnation=self.machine.incarnation.hex(),
            entries=sum(line.height for line in self.machine.vector.lines.values()),
            records=len(self.machine.book.by_id),
            messages=self._views.count(talk.NAME),
            sessions=len(self._seats),
            digest=self.machine.vector.digest().hex(),
            links=tuple(links),
            bearers={bearer.name: bearer.word for bearer in self._bearers},
            refused=refused,
            words=self._health.words(),
            revoked=self.machine.me in self.machine.book.revoked,
            store=StoreWord(
                self.room.used,
                self.room.quota,
                self._reader.counted(EVICTED),
                self._reader.counted(DAMAGED),
            ),
            evicted={"blob": self._blobs.evicted},
            blobs_bytes=self._blobs.used,
        )

    async def log_in(
        self, staff_id: str, card_code: str, pin: str, pin_again: str | None = None
    ) -> Seat:
        if self.machine.me in self.machine.book.revoked:
            raise revoked_node()
        opened, person = await self._turnstile.open(staff_id, card_code, pin, pin_again)
        await self._driver.submit([], opened.records)
        seat = OpenSeat(person, opened, self.machine.book.struck)
        self._seats.add(seat)
        return seat

    @property
    def seal_key(self) -> bytes:
        return self._box.public

    def unseal(self, page_key: bytes, nonce: bytes, sealed: bytes) -> bytes:
        opened = self._box.open(page_key, nonce, sealed)
        if opened is None:
            raise bad_seal()
        return opened

    async def reopen(self, seat: Seat, pin: str) -> None:
        taken = open_seat(seat)
        await self._turnstile.derive(
            taken.person.staff_id, lambda: True if fits_lock(taken.lock, pin) else None
        )

    def log_out(self, seat: Seat) -> None:
        if isinstance(seat, OpenSeat):
            seat.open = False
            self._seats.discard(seat)

    async def post(
        self,
        seat: Seat,
        kind: str,
        room: str,
        body: dict[str, Any],
        message_id: str,
        created_ms: int | None,
    ) -> Posted:
        return await self._posting.post(seat, kind, room, body, message_id, created_ms)

    async def post_note(
        self, seat: Seat, room: str, text: str, source: str, source_name: str, message_id: str
    ) -> Posted:
        return await self._posting.post_note(seat, room, text, source, source_name, message_id)

    def mark_read(self, seat: Seat, items: list[tuple[str, str]]) -> None:
        self._displayed.mark_read(seat, items)

    def rooms(self, person: Person) -> list[RoomView]:
        return self._reading.rooms(person)

    def room_view(self, person: Person, room: str) -> RoomView:
        return self._reading.room_view(person, room)

    def around(
        self, person: Person, room: str, author: str, message_id: str, limit: int
    ) -> list[Message]:
        return self._reading.around(person, room, author, message_id, limit)

    def own_last(self, person: Person) -> Message | None:
        return self._reading.own_last(person)

    def pinned(self, person: Person, room: str) -> list[Message]:
        return self._reading.pinned(person, room)

    async def people(self, text: str, limit: int) -> list[Person]:
        return await self._searching.people(text, limit)

    async def search(self, person: Person, query: str, room: str | None = None) -> Search:
        return await self._searching.search(person, query, room)

    def messages(
        self, person: Person, room: str, before: str | None = None, limit: int = 50
    ) -> list[Message]:
        return self._reading.messages(person, room, before, limit)

    def changes(self, person: Person, after: str | None) -> Changes:
        return self._reading.changes(person, after)

    def who(self, person: Person, author: str, message_id: str) -> WhoRead:
        return self._reading.who(person, author, message_id)

    def urgent(self, person: Person) -> list[Message]:
        return self._urgents.of(person)

    @property
    def urgent_stamp(self) -> str:
        return self._urgents.stamp

    def wall(self) -> Wall:
        return self._urgents.wall()

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        self._wakes.add(wake)
        return partial(self._wakes.discard, wake)

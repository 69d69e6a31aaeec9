"""A running node: opens the store, wires machine, bearers and pages, and closes in order."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from meshrelay.bearers import tls
from meshrelay.bearers.base import Bearer
from meshrelay.bearers.discovery import Discovery
from meshrelay.bearers.lan import LanBearer
from meshrelay.bearers.mqtt import MqttBearer
from meshrelay.core.clock import TRUSTED, HybridClock
from meshrelay.core.codec import encode
from meshrelay.core.entry import AuthorPart, Draft, Entry, LogId, sign_author_part
from meshrelay.core.have import Receipts, read_have
from meshrelay.core.records import ROLE_ARCHIVE, RecordBook
from meshrelay.core.signing import hash32
from meshrelay.core.sync import Machine, restore_records, restore_vector
from meshrelay.desk import receipts, talk
from meshrelay.errors import ConfigError, RemoteProtocolError, StoreError
from meshrelay.node.clock import Clock
from meshrelay.node.config import Config, address
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.driver import Driver
from meshrelay.node.folding import KINDS, RULES, Folder
from meshrelay.node.health import VERSION, Health
from meshrelay.node.identity import Keys, random_bytes
from meshrelay.node.office import (
    Changes,
    LinkWord,
    Message,
    NetworkInfo,
    NodeInfo,
    Person,
    Posted,
    RoomView,
    Seat,
    Status,
    Ward,
    WhoRead,
)
from meshrelay.node.posting import closed_seat, read_message_id, refuse_body, taken_id
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.node.seats import OpenSeat, Turnstile
from meshrelay.node.witness import Witness
from meshrelay.store.log import LogReader, LogStore
from meshrelay.store.views import ViewReader, open_views

log = logging.getLogger("meshrelay.node")

READ_FLUSH_S = 1.0
HEALTH_S = 1.0
STATE_S = 60.0
INCARNATION_BYTES = 8
# A node that rebuilds its views answers all the same, after this long.
SHOWN_TRIES_MAX = 10
SHOWN_TRY_S = 0.1


class Node:
    """One node of one network; two can run in one process. Implements `office.Office`.

    Use as `async with Node(directory, config, keys) as node:`; `failed` is set when the
    disk fails: stop accepting, exit, restart.
    """

    def __init__(self, directory: Path, config: Config, keys: Keys) -> None:
        self._directory = directory
        self._config = config
        self._clock = Clock(config.clock.set_by_person)
        path = directory / "log.db"
        self._store = LogStore(path)
        loaded = self._store.load()
        self._starts = self._store.count_start()
        self._reader = LogReader(path)
        self._witness = Witness(Path(config.witness.dir), keys.network, keys.signer.public)
        self._incarnations = loaded.incarnations
        began = self._begin_incarnation(loaded.change)
        book = restore_records([raw for _, _, raw, _ in loaded.records], keys.network)
        self._enrolment = keys.records
        lanes = [(i, lane, change) for i, lane, _, change in loaded.records if lane is not None]
        vector = restore_vector(loaded.lines, lanes)
        own = [hlc for lg, hlc in loaded.head_hlc.items() if lg.origin == keys.signer.public]
        # A good clock ends what a bad one stamped; within one incarnation stamps only grow.
        fresh = self._clock.quality() >= TRUSTED and began
        newest_own = 0 if fresh else max(own, default=0)
        self.machine = Machine(
            keys.signer, book, RULES, self._incarnations[-1], self._incarnations[:-1], vector,
            HybridClock(newest_own), self._restore_receipts(loaded.haves, vector),
            loaded.cursors, random_bytes(8),
        )  # fmt: skip
        self._doorman = NodeDoorman(self._enrolled(book), keys.signer.public)
        views = directory / "views.db"
        self._folder = Folder(
            open_views(views, self._incarnations, self._reader.newest_arrival(), random_bytes(8)),
            path, book, self._incarnations[-1], self._changed_in_writer,
        )  # fmt: skip
        self._views = ViewReader(views)
        self._rooms = Rooms(book)
        self._reading = Reading(self.machine, self._views, self._rooms, self.now_ms)
        self._head_hlc = loaded.head_hlc
        self._wakes: set[Callable[[], None]] = set()
        self._posting: dict[tuple[str, bytes], asyncio.Task[Posted]] = {}
        self._displayed: dict[str, receipts.Displayed] = {}
        self._seats: set[OpenSeat] = set()
        self._started_ms = self.now_ms()
        self._ready = False
        self._group: asyncio.TaskGroup | None = None
        self._bearers: list[Bearer] = []
        self._mqtt: MqttBearer | None = None

    def _enrolled(self, stored: RecordBook) -> RecordBook:
        """What the store and the enrolment say together; the sync machine hears it at start."""
        book = RecordBook(stored.network)
        try:
            for record in [*stored, *self._enrolment]:
                book.add(record)
        except RemoteProtocolError as error:
            raise ConfigError(f"{self._directory / 'enrolment.cbor'}: {error}") from error
        return book

    def _begin_incarnation(self, change: int) -> bool:
        """Continue the last one only if the witness proves it; else draw anew (True)."""
        if self._incarnations and self._witness.proves(self._incarnations[-1], change):
            return False
        self._incarnations.append(random_bytes(INCARNATION_BYTES))
        self._store.add_incarnation(self._incarnations[-1])
        self._witness.write(self._incarnations[-1], change)
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
        self._turnstile = Turnstile(self.machine.book, self.machine.me)
        self._driver = Driver(
            self.machine, self._store, self._reader, self._witness, self._clock,
            self._folder.run, self._covered, self._fail,
        )  # fmt: skip
        self._driver.head_hlc = self._head_hlc
        self._health = Health(
            self.machine, self._reader, self._head_hlc, self._directory, self.now_ms,
            self._clock.quality,
        )  # fmt: skip
        self._driver.start()
        await self._unless_failed(self._driver.submit([], self._enrolment))
        if self.failed.done():
            raise self.failed.result()
        self._health.refresh()
        self._driver.resume_waiting()
        self._bearers = self._make_bearers()
        self._driver.bearers = self._bearers
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._tasks = [
            self._group.create_task(work)
            for work in (
                self._driver.tick(),
                self._note_reads(),
                self._watch_health(),
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
        await self._unless_failed(self._flush_reads())
        for task in self._tasks:
            task.cancel()
        if self._group is not None:
            await self._group.__aexit__(None, None, None)
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
            "disk_free_bytes": word.disk_free_bytes,
        }

    def _fail(self, error: StoreError) -> None:
        log.critical("disk failed error=%s", error)
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
            if self._mqtt is not None and time.monotonic() - said_s >= STATE_S:
                state = self._mqtt_state()
                if state != said:
                    self._mqtt.publish_state()
                    said, said_s = state, time.monotonic()
            await asyncio.sleep(HEALTH_S)

    async def _note_reads(self) -> None:
        while True:
            await asyncio.sleep(READ_FLUSH_S)
            await self._flush_reads()

    async def _flush_reads(self) -> None:
        """One entry per room for what was displayed since the last one."""
        displayed, self._displayed = self._displayed, {}
        kind = KINDS[receipts.NAME]
        for room, triples in displayed.items():
            for start in range(0, len(triples), receipts.PER_ENTRY_MAX):
                part = triples[start : start + receipts.PER_ENTRY_MAX]
                body = receipts.encode_body(room, part)
                draft = Draft(kind.lane, kind.name, kind.lifetime_s, b"", body)
                await self._driver.submit([draft], [])

    def _covered(self, ranges: list[tuple[LogId, int, int]]) -> None:
        self._driver.write(lambda store: self._folder.covered(ranges))

    def _changed_in_writer(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
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
        refused = dict(self._driver.refused)
        for bearer in self._bearers:
            for reason, count in bearer.refused.items():
                refused[reason] = refused.get(reason, 0) + count
        trouble = [str(self.failed.result())] if self.failed.done() else []
        if self.machine.acceptor.forked:
            trouble.append("two different entries for one place in a log: a key may be stolen")
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
        )

    async def log_in(
        self, staff_id: str, card_code: str, pin: str, pin_again: str | None = None
    ) -> Seat:
        opened, person = await self._turnstile.open(staff_id, card_code, pin, pin_again)
        await self._driver.submit([], opened.records)
        seat = OpenSeat(person, opened.session, opened.signer)
        self._seats.add(seat)
        return seat

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
        if not isinstance(seat, OpenSeat) or not seat.open:
            raise closed_seat()
        message = read_message_id(message_id)
        encoded = refuse_body(kind, body)
        self._rooms.check(seat.person, room)
        content = hash32(encode([kind, room, encoded]))
        key = (seat.person.staff_id, message)
        while key in self._posting:  # a commit under way goes on, whoever waits for it
            await asyncio.wait([self._posting[key]])
        kept = self._reader.answer(*key)
        if kept is not None:
            if kept[0] != content:
                raise taken_id()
            return msgspec.json.decode(kept[1], type=Posted)
        storing = self._loop.create_task(
            self._store_message(seat, kind, room, encoded, key, content, created_ms)
        )
        self._posting[key] = storing
        storing.add_done_callback(lambda _: self._posting.pop(key))
        return await asyncio.shield(storing)

    async def _store_message(
        self,
        seat: OpenSeat,
        kind: str,
        room: str,
        body: bytes,
        key: tuple[str, bytes],
        content: bytes,
        created_ms: int | None,
    ) -> Posted:
        rule = KINDS[kind]
        now_ms = self.now_ms()
        # A page's clock is nobody's: it may only say how long its text waited in the outbox.
        created = min(created_ms, now_ms) if created_ms else now_ms
        part = AuthorPart(
            key[1], seat.session.id, created, self._clock.quality(),
            self.machine.book.roster_serial(), room, "", body,
        )  # fmt: skip
        author = sign_author_part(
            seat.signer, self.machine.book.network, self.machine.me, rule.lane, rule.lifetime_s,
            kind, part,
        )  # fmt: skip
        draft = Draft(rule.lane, kind, rule.lifetime_s, author, b"")
        answer: list[Posted] = []

        def beside(entry: Entry, at_ms: int) -> None:
            posted = Posted(key[0], str(uuid.UUID(bytes=key[1])), entry.id.hex(), room, at_ms, None)
            answer.append(posted)
            self._store.keep_answer(key[0], key[1], content, msgspec.json.encode(posted))

        await self._driver.submit([draft], [], beside)
        await self._until_shown(key)
        return answer[0]

    async def _until_shown(self, key: tuple[str, bytes]) -> None:
        """The commit is what counts; but whoever reloads the room should see the message."""
        author, message = key
        for _ in range(SHOWN_TRIES_MAX):
            if self._reading.find(author, message.hex()) is not None:
                return
            shown = asyncio.Event()
            self._wakes.add(shown.set)
            try:
                async with asyncio.timeout(SHOWN_TRY_S):
                    await shown.wait()
            except TimeoutError:
                continue
            finally:
                self._wakes.discard(shown.set)

    def mark_read(self, seat: Seat, items: list[tuple[str, str]]) -> None:
        if not isinstance(seat, OpenSeat) or not seat.open:
            raise closed_seat()
        person = seat.person
        for author, message_id in items:
            found = self._reading.find(author, message_id)
            if found is None or author == person.staff_id:
                continue
            message = self._reading.message(found, person)
            if message.read_by_me:
                continue
            self._rooms.check(person, message.room)
            place = self._reading.shown_at(found)
            waiting = self._displayed.setdefault(message.room, [])
            if (person.staff_id, *place) not in waiting:
                waiting.append((person.staff_id, *place))

    def rooms(self, person: Person) -> list[RoomView]:
        return self._reading.rooms(person)

    def messages(
        self, person: Person, room: str, before: str | None = None, limit: int = 50
    ) -> list[Message]:
        return self._reading.messages(person, room, before, limit)

    def changes(self, person: Person, after: str | None) -> Changes:
        return self._reading.changes(person, after)

    def who(self, person: Person, author: str, message_id: str) -> WhoRead:
        return self._reading.who(person, author, message_id)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        self._wakes.add(wake)
        return partial(self._wakes.discard, wake)

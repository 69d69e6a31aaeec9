"""What was on whose screen here: one `read` entry a room, once a second, only what is new."""

from __future__ import annotations

import asyncio

from meshrelay.core.entry import Draft
from meshrelay.desk import receipts
from meshrelay.node.driver import Driver
from meshrelay.node.folding import KINDS
from meshrelay.node.office import Seat
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.node.seats import open_seat

FLUSH_S = 1.0


class Displayed:
    """Collects what pages displayed and signs it as the node's word."""

    def __init__(self, reading: Reading, rooms: Rooms, driver: Driver) -> None:
        self._reading = reading
        self._rooms = rooms
        self._driver = driver
        self._waiting: dict[str, receipts.Displayed] = {}

    def mark_read(self, seat: Seat, items: list[tuple[str, str]]) -> None:
        """See Office.mark_read."""
        taken = open_seat(seat)
        person, who = taken.person, receipts.Who(taken.person.staff_id, taken.session.id)
        for author, message_id in items:
            found = self._reading.find(author, message_id)
            if found is None or author == person.staff_id:
                continue
            message = self._reading.message(found, person)
            if message.read_by_me:
                continue
            self._rooms.check(person, message.room)
            place = self._reading.shown_at(found)
            waiting = self._waiting.setdefault(message.room, [])
            if (who, *place) not in waiting:
                waiting.append((who, *place))

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what was displayed since the last time."""
        displayed, self._waiting = self._waiting, {}
        machine = self._driver.machine
        if machine.me in machine.book.revoked:
            return  # nobody would take it
        kind = KINDS[receipts.NAME]
        for room, triples in displayed.items():
            for start in range(0, len(triples), receipts.PER_ENTRY_MAX):
                part = triples[start : start + receipts.PER_ENTRY_MAX]
                body = receipts.encode_body(room, part)
                draft = Draft(kind.lane, kind.name, kind.lifetime_s, b"", body)
                await self._driver.submit([draft], [])

"""Ward 02's node in bad hands: its keys, and the log-ins that were open on it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

from meshrelay.core.entry import (
    AuthorPart,
    Draft,
    Entry,
    LogId,
    make_entry,
    read_entry,
    sign_author_part,
)
from meshrelay.core.frames import Records, encode_frame
from meshrelay.core.records import Record
from meshrelay.core.signing import Signer
from meshrelay.desk import note, receipts, talk
from meshrelay.node.office import Message, Seat
from meshrelay.node.seats import OpenSeat
from tests.field.test_bad_peer import INCARNATION, Stranger
from tests.town import MAYOR, SATO, TANAKA, Town, build_town, running, until, uuid7

LIFETIME_S = talk.KIND.lifetime_s


class Rogue(Stranger):
    """Speaks to 北区 as ward 02; `seat` is 田中's log-in, still open when the node was taken."""

    def __init__(self, town: Town, sato: Seat, seat: OpenSeat) -> None:
        super().__init__(town)
        self.town = town
        self.kita = town.nodes["01"]
        self.sato = sato
        self.seat = seat
        self.key = self.keys.signer.public
        self.heads: dict[int, tuple[int, bytes]] = {}

    async def stop(self) -> None:
        """Leave the cable."""
        self.task.cancel()
        await asyncio.wait([self.task])

    # What 北区 sees

    def room(self) -> list[Message]:
        """全庁 as 佐藤 reads it in 北区."""
        return self.town.room("01", self.sato)

    def words(self) -> dict[str, str | None]:
        """Text -> why it is 要確認 (None: it is not), as 佐藤 reads it."""
        return {message.body["text"]: message.trouble for message in self.room()}

    def held(self) -> int:
        """How many entries of ours 北区 has stored, whatever it thinks of them."""
        lines = self.kita.machine.vector.lines
        return sum(line.height for log, line in lines.items() if log.origin == self.key)

    async def hears_of(self, *records: Record) -> None:
        """Records reach 北区 by some other path."""
        await self.kita._driver.submit([], list(records))

    async def order(self, text: str) -> Entry:
        """市長 orders an evacuation at 北区; the entry, as everybody holds it."""
        mayor = await self.town.log_in("01", MAYOR)
        await self.kita.post(mayor, "evacuation", "all", {"text": text}, uuid7(), None)
        await until(lambda: text in self.words())
        (shown,) = (message for message in self.room() if message.body["text"] == text)
        raw = self.kita._reader.at(*place(shown, self.town, "01"))
        assert raw is not None
        return read_entry(raw)

    # What the rogue says

    def tell(self, *records: Record) -> None:
        """Send records."""
        self.send(encode_frame(Records([record.raw for record in records])))

    def make(self, draft: Draft) -> Entry:
        """The next entry of our log of that lane, not sent yet."""
        log = LogId(self.key, INCARNATION, draft.lane)
        seq, prev = self.heads.get(draft.lane, (0, log.first_prev))
        hlc = int(time.time() * 1000) << 16
        entry = make_entry(self.keys.signer, self.keys.network, log, seq + 1, prev, hlc, 4, draft)
        self.heads[draft.lane] = (entry.seq, entry.id)
        return entry

    def write(self, *drafts: Draft) -> list[Entry]:
        """Sign these as ward 02 and send them."""
        entries = [self.make(draft) for draft in drafts]
        self.say([entry.raw for entry in entries])
        return entries

    def talk(
        self,
        text: str,
        session: Record | None = None,
        signer: Signer | None = None,
        lifetime_s: int = LIFETIME_S,
    ) -> Draft:
        """A talk as whoever opened `session`, signed by `signer`: by default 田中, rightly."""
        part = AuthorPart(
            secrets.token_bytes(16), (session or self.seat.session).id, self.kita.now_ms(), 4,
            self.kita.machine.book.roster_serial(), "all", "", talk.encode_body(text),
        )  # fmt: skip
        author = sign_author_part(
            signer or self.seat.signer, self.keys.network, self.key, 1, lifetime_s, "talk", part
        )
        return Draft(1, "talk", lifetime_s, author, b"")

    def unsigned(self, text: str, taken_by: str) -> Draft:
        """A 署名なし note that `taken_by` is said to have taken down."""
        serial = self.kita.machine.book.roster_serial()
        said = note.Note(secrets.token_bytes(16), "all", text, "walk_in", "住民", taken_by, serial)
        return Draft(1, note.NAME, LIFETIME_S, b"", note.encode_body(said))

    def read_by(self, staff_id: str, session: bytes, log: LogId, seq: int) -> Draft:
        """The node's word that somebody has read an entry."""
        body = receipts.encode_body("all", [(receipts.Who(staff_id, session), log, seq)])
        return Draft(2, receipts.NAME, receipts.KIND.lifetime_s, b"", body)


def place(message: Message, town: Town, ward: str) -> tuple[LogId, int]:
    """Which entry carries a message, by the view of the node that took it in."""
    reading = town.nodes[ward]._reading
    found = reading.find(message.author, message.message_id)
    assert found is not None
    return reading.shown_at(found)


@contextlib.asynccontextmanager
async def captured(directory: Path) -> AsyncIterator[Rogue]:
    """北区 with 佐藤 before its page; ward 02's node was taken while 田中 was logged in."""
    town = build_town(directory, {"01": (), "02": ("01",)}, clerks=(MAYOR, SATO, TANAKA))
    async with running(town):
        sato, seat = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
        assert isinstance(seat, OpenSeat)
        await town.stop("02")
        rogue = Rogue(town, sato, seat)
        try:
            await until(lambda: rogue.link is not None)
            rogue.tell(seat.session)
            yield rogue
        finally:
            await rogue.stop()

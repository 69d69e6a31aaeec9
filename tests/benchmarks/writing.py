"""Entries as wards write them: real credentials, session and node signatures, hash chains."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshrelay.core.clock import BY_PERSON, HybridClock
from meshrelay.core.entry import AuthorPart, Draft, Entry, LogId, make_entry, sign_author_part
from meshrelay.core.frames import Entries, encode_frame
from meshrelay.core.records import Record, RecordBook
from meshrelay.core.signing import Signer
from meshrelay.desk import talk
from meshrelay.node.identity import load_keys, open_session
from tests.town import Clerk, Town

# stack.md: peers are compared at 300-byte messages; 100 Japanese characters are 300 bytes.
TEXT = "避難所の毛布と水が足りません。至急、区役所まで連絡してください。" * 4
TEXT_CHARS = 100


@dataclass
class Pen:
    """One clerk logged in at one node: writes that node's log of lane 1."""

    network: bytes
    node: Signer
    session: Signer
    session_record: Record
    log: LogId
    roster: int
    height: int = 0
    head: bytes = b""

    def write(self, count: int, clock: HybridClock, pt_ms: int) -> list[Entry]:
        """The next `count` entries of the log."""
        kind, written = talk.KIND, []
        for _ in range(count):
            self.height += 1
            text = f"第{self.height}報 {TEXT}"[:TEXT_CHARS]
            part = AuthorPart(
                secrets.token_bytes(16), self.session_record.id, pt_ms, BY_PERSON, self.roster,
                "all", "", talk.encode_body(text),
            )  # fmt: skip
            author = sign_author_part(
                self.session, self.network, self.node.public, kind.lane, kind.lifetime_s,
                kind.name, part,
            )  # fmt: skip
            draft = Draft(kind.lane, kind.name, kind.lifetime_s, author, b"")
            entry = make_entry(
                self.node, self.network, self.log, self.height, self.head or self.log.first_prev,
                clock.stamp(pt_ms), BY_PERSON, draft,
            )  # fmt: skip
            self.head = entry.id
            written.append(entry)
        return written


def fetch_pens(town: Town, who: Sequence[tuple[str, Clerk]]) -> tuple[list[Pen], list[Record]]:
    """A pen for each (ward, clerk), and every record that a reader of them needs."""
    wards = {ward: load_keys(town.directory / ward) for ward, _ in who}
    records = next(iter(wards.values())).records
    network = next(iter(wards.values())).network
    book = book_of(records, network)
    pens = []
    for ward, clerk in who:
        signer = wards[ward].signer
        staff = book.staff_by_number[clerk.staff_id]
        opened = open_session(book, staff, clerk.code, clerk.pin, signer.public, 1, False)
        if opened is None:
            raise AssertionError(f"the PIN of {clerk.staff_id} does not fit")
        log = LogId(signer.public, secrets.token_bytes(8), talk.KIND.lane)
        pens.append(Pen(network, signer, opened.signer, opened.session, log, book.roster_serial()))
        records = [*records, *opened.records]
    return pens, records


def book_of(records: Sequence[Record], network: bytes) -> RecordBook:
    """A book with all of them verified."""
    book = RecordBook(network)
    for record in records:
        book.add(record)
    return book


def frames_of(pens: Sequence[Pen], batch: int, batches: int, frame: int) -> list[list[bytes]]:
    """`batches` batches of `batch` entries, each as the frames that carry them.

    A frame carries `frame` entries of one log, as the sync machine sends them.
    """
    clock, pt_ms = HybridClock(), 1_780_000_000_000
    made = []
    turn = 0
    for _ in range(batches):
        carried = []
        for start in range(0, batch, frame):
            pen = pens[turn % len(pens)]
            turn += 1
            entries = pen.write(min(frame, batch - start), clock, pt_ms + turn)
            carried.append(encode_frame(Entries(pen.network, [entry.raw for entry in entries])))
        made.append(carried)
    return made


def town_directory(work: Path, name: str) -> Path:
    """A fresh directory below `work`."""
    directory = work / name
    directory.mkdir()
    return directory

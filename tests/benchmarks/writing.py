"""Entries as wards write them: real credentials, session and node signatures, hash chains."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshrelay.core.book import RecordBook
from meshrelay.core.clock import BY_PERSON, HybridClock
from meshrelay.core.entry import AuthorPart, Draft, Entry, LogId, make_entry, sign_author_part
from meshrelay.core.frames import Entries, encode_frame
from meshrelay.core.records import Record
from meshrelay.core.signing import Signer
from meshrelay.desk import talk
from meshrelay.node.identity import load_keys, open_session
from tests.benchmarks import phrases
from tests.town import Clerk, Town

# Seeds of what wards write: the same texts in every run.
BODIES_SEED = 20180618
# Just written: no time was seen to pass.
AGE = 0


@dataclass(frozen=True)
class Author:
    """One clerk's open session."""

    signer: Signer
    record: Record


@dataclass
class Pen:
    """Clerks logged in at one node: write that node's log of lane 1, in turn."""

    network: bytes
    node: Signer
    authors: Sequence[Author]
    log: LogId
    roster: int
    bodies: Iterator[bytes]
    height: int = 0
    head: bytes = b""

    def write(self, count: int, clock: HybridClock, pt_ms: int) -> list[Entry]:
        """The next `count` entries of the log."""
        kind, written = talk.KIND, []
        for _ in range(count):
            self.height += 1
            author = self.authors[self.height % len(self.authors)]
            part = AuthorPart(
                secrets.token_bytes(16), author.record.id, pt_ms, BY_PERSON, self.roster,
                "all", "", next(self.bodies),
            )  # fmt: skip
            signed = sign_author_part(
                author.signer, self.network, self.node.public, kind.lane, kind.lifetime_s,
                kind.name, part,
            )  # fmt: skip
            draft = Draft(kind.lane, kind.name, kind.lifetime_s, signed, b"")
            entry = make_entry(
                self.node, self.network, self.log, self.height, self.head or self.log.first_prev,
                clock.stamp(pt_ms), BY_PERSON, draft,
            )  # fmt: skip
            self.head = entry.id
            written.append(entry)
        return written


def fetch_pens(
    town: Town,
    who: Sequence[tuple[str, Sequence[Clerk]]],
    make_bodies: Callable[[int], Iterator[bytes]] = phrases.bodies,
) -> tuple[list[Pen], list[Record]]:
    """A pen for each ward and its clerks, and every record that a reader of them needs."""
    wards = {ward: load_keys(town.directory / ward) for ward, _ in who}
    keys = next(iter(wards.values()))
    records = list(keys.records())
    book = book_of(records, keys.network)
    pens = []
    for number, (ward, clerks) in enumerate(who):
        signer = wards[ward].signer
        authors = []
        for clerk in clerks:
            staff = book.staff_by_number[clerk.staff_id]
            opened = open_session(book, staff, clerk.code, clerk.pin, signer.public, 1, False)
            if opened is None:
                raise AssertionError(f"the PIN of {clerk.staff_id} does not fit")
            authors.append(Author(opened.signer, opened.session))
            records += opened.records
        log = LogId(signer.public, secrets.token_bytes(8), talk.KIND.lane)
        bodies = make_bodies(BODIES_SEED + number)
        pens.append(Pen(keys.network, signer, authors, log, book.roster_serial(), bodies))
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
            raws = [entry.raw for entry in entries]
            carried.append(encode_frame(Entries(pen.network, raws, [AGE] * len(raws), [])))
        made.append(carried)
    return made


def town_directory(work: Path, name: str) -> Path:
    """A fresh directory below `work`."""
    directory = work / name
    directory.mkdir()
    return directory

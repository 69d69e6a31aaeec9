"""What all parts of the sync machine share: one node's tables and open links."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from meshrelay.core.accept import Acceptor
from meshrelay.core.book import RecordBook
from meshrelay.core.entry import LogId
from meshrelay.core.events import SendFrame
from meshrelay.core.frames import BATCH_BYTES_MAX, NONCE_BYTES, Frame, encode_frame
from meshrelay.core.have import Receipts
from meshrelay.core.link import LinkState
from meshrelay.core.records import ROLE_ARCHIVE
from meshrelay.core.retention import Stock
from meshrelay.core.signing import Signer, hash32
from meshrelay.core.vector import NO_CURSOR, Cursor, Vector

# How long one nonce is asked with; an answer may carry it or the one before.
NONCE_MS = 10_000


@dataclass
class State:
    """The tables; each part of the machine changes only what its page says."""

    signer: Signer
    book: RecordBook
    vector: Vector
    acceptor: Acceptor
    receipts: Receipts
    incarnation: bytes
    past: list[tuple[bytes, int]]  # earlier incarnations, and the change where each ended
    secret: bytes
    cursors: dict[bytes, Cursor]
    links: dict[int, LinkState] = field(default_factory=dict)
    stock: Stock = field(default_factory=Stock)
    questions: int = 0
    # Archives that answered since the last question: incarnation of the store, and when.
    fresh: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)

    def nonce(self, mono_ms: int, ago: int = 0) -> bytes:
        """What an answer of now carries: another after each question and each NONCE_MS, so that
        no old one passes."""
        moment = (self.questions, mono_ms // NONCE_MS - ago)
        parts = [number.to_bytes(8, "big", signed=True) for number in moment]
        return hash32(self.secret, *parts)[:NONCE_BYTES]

    def bars(self, log: LogId) -> str | None:
        """Why nothing of this log is taken from peers now, None if it is."""
        own = log.origin == self.signer.public
        return None if own else self.stock.bars(log, log not in self.vector.lines)

    def is_archive(self, node: bytes) -> bool:
        """Whether a node keeps everything and answers each WANT with a HAVE."""
        known = self.book.nodes.get(node)
        return known is not None and ROLE_ARCHIVE in known.roles

    def knows_later_frames(self, node: bytes) -> bool:
        """Whether a node's software knows frames 11 to 14; an older one closes the link on them.

        It says so by naming blobs in its HAVEs, if only none.
        """
        newest = self.receipts.newest(node)
        return newest is not None and newest.blobs is not None

    def known_of_us(self, cursor: Cursor) -> int:
        """How far a peer's cursor knows this store; what it knew of a lost future does not count.

        An earlier incarnation of this store shares its history up to where it ended.
        """
        if cursor.incarnation == self.incarnation:
            return cursor.change if cursor.change <= self.vector.change else 0
        for incarnation, ended in self.past:
            if incarnation == cursor.incarnation:
                return min(cursor.change, ended)
        return 0

    def known(self, link: LinkState) -> int:
        """How far our cursor knows the peer's present store."""
        cursor = self.cursors.get(link.peer, NO_CURSOR)
        theirs = link.theirs.incarnation if link.theirs else None
        return cursor.change if cursor.incarnation == theirs else 0


def send(link: LinkState, frame: Frame) -> SendFrame:
    """The effect that puts a frame on a link."""
    return SendFrame(link.id, encode_frame(frame))


def batches(raws: list[bytes]) -> Iterator[list[bytes]]:
    """Cut a list of byte strings into frames' worth."""
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        if batch and size + len(raw) > BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
        batch.append(raw)
        size += len(raw)
    if batch:
        yield batch

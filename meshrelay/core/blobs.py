"""Blobs that are here, and sending them: below everything else that a link carries.

Part by part, each cut into pieces as small as the grant asks, so that an urgent text never waits
for a whole one. What is asked for and not here is sent should it come, as long as the link lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshrelay.core.events import BlobAsked, Effect, Now, PartRead, ReadPart
from meshrelay.core.frames import Lacks, Piece, Seek
from meshrelay.core.have import BLOBS_MAX
from meshrelay.core.link import LinkState
from meshrelay.core.manifest import parts_of
from meshrelay.core.seeking import Seeking
from meshrelay.core.state import send

# A piece is as small as the grant asks, but its header stays below 3 % of it.
PIECE_BYTES_MIN = 2 * 1024
# Blobs that one link may seek here at a time.
SEEKS_MAX = 16
# A new blob is named in so many HAVEs: a lost one is repeated by the next.
TELLINGS = 2


class Side:
    """What one link seeks here: parts by blob, and the part that is being cut into pieces."""

    def __init__(self) -> None:
        self.sought: dict[bytes, int] = {}
        self.loaded: tuple[bytes, int, bytes, int] | None = None  # blob, part, data, sent so far

    def forget(self, blob: bytes) -> None:
        self.sought.pop(blob, None)
        if self.loaded is not None and self.loaded[0] == blob:
            self.loaded = None


class Blobs:
    """What is here whole, what the next HAVEs name of it, and what each link seeks."""

    def __init__(self, held: set[bytes], seeking: Seeking) -> None:
        self.held = held
        self._seeking = seeking
        self._sides: dict[int, Side] = {}
        self._telling: dict[bytes, int] = {}

    # What is here

    def kept(self, blob: bytes, news: bool) -> None:
        """All of it is on disk."""
        self.held.add(blob)
        if news:
            self.tell(blob)

    def lost(self, blob: bytes) -> None:
        """It was evicted, or part of it is corrupt."""
        self.held.discard(blob)
        self._telling.pop(blob, None)

    def tell(self, blob: bytes) -> None:
        """Name it in the next HAVEs."""
        self._telling[blob] = TELLINGS

    @property
    def telling(self) -> list[bytes]:
        """The blobs that the next HAVE names."""
        return list(self._telling)[:BLOBS_MAX]

    def told(self, blobs: Iterable[bytes]) -> bool:
        """A HAVE named these; True if the next one has something to name."""
        for blob in blobs:
            self._telling[blob] -= 1
            if not self._telling[blob]:
                del self._telling[blob]
        return bool(self._telling)

    # Links

    def link_gone(self, link: int, now: Now) -> Iterator[Effect]:
        """What was sought there nobody seeks any more."""
        yield from self._seeking.link_gone(link, now)
        side = self._sides.pop(link, None)
        for blob in side.sought if side else ():
            yield from self._forward_no_more(blob)

    # Sending

    def sought(self, link: LinkState, seek: Seek) -> Iterator[Effect]:
        """A peer wants parts of a blob, or wants to know, or wants it no more."""
        side = self._sides.setdefault(link.id, Side())
        here = seek.blob in self.held
        if not seek.parts:
            side.forget(seek.blob)
            if here:
                self.tell(seek.blob)
            yield from self._forward_no_more(seek.blob)
        elif seek.blob in side.sought or len(side.sought) < SEEKS_MAX:
            side.sought[seek.blob] = side.sought.get(seek.blob, 0) | seek.parts
            if not here:
                yield BlobAsked(seek.blob)
        if not here:
            yield send(link, Lacks(seek.blob))

    def _forward_no_more(self, blob: bytes) -> Iterator[Effect]:
        """Nobody wants it passed on."""
        sought = any(blob in side.sought for side in self._sides.values())
        if self._seeking.is_forwarded(blob) and not sought:
            yield from self._seeking.unwanted(blob)

    def next_piece(self, link: LinkState) -> Piece | None:
        """The next bytes of the part that is read, as small as the grant asks."""
        side = self._sides.get(link.id)
        if side is None or side.loaded is None:
            return None
        blob, part, data, at = side.loaded
        upto = at + max(link.batch_bytes(), PIECE_BYTES_MIN)
        side.loaded = (blob, part, data, upto) if upto < len(data) else None
        return Piece(blob, part, at, len(data), data[at:upto])

    def next_read(self, link: LinkState) -> ReadPart | None:
        """The next part to read for this link."""
        side = self._sides.get(link.id)
        if side is None:
            return None
        for blob, parts in side.sought.items():
            if blob in self.held:
                part = next(parts_of(parts))
                side.sought[blob] = parts ^ 1 << part
                if not side.sought[blob]:
                    del side.sought[blob]
                return ReadPart(link.id, blob, part)
        return None

    def part_read(self, link: LinkState, event: PartRead) -> Iterator[Effect]:
        """A part is ready to be cut into pieces; or it is not here after all."""
        side = self._sides.setdefault(link.id, Side())
        if event.data:
            side.loaded = (event.blob, event.part, event.data, 0)
        else:
            side.sought.pop(event.blob, None)
            yield send(link, Lacks(event.blob))

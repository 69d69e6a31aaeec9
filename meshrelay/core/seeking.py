"""Asking for blobs: one of one peer at a time, a window of parts at a time.

First whom a HAVE named is asked, then an archive, then anybody. A peer that lacks a blob says so
and sends it should it come; one that sends other bytes than it should is not asked for it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from meshrelay.core.events import (
    BlobDenied,
    BlobRefused,
    BlobsStated,
    BlobWanted,
    Effect,
    KeepPart,
    Now,
    Refused,
)
from meshrelay.core.following import Following
from meshrelay.core.frames import Piece, Seek
from meshrelay.core.have import Have
from meshrelay.core.link import LEASE_MS, LEASES_FRUITLESS_MAX, LinkState
from meshrelay.core.manifest import (
    MANIFEST,
    MANIFEST_BIT,
    Manifest,
    first_parts,
    parts_of,
    read_manifest,
)
from meshrelay.core.signing import hash32
from meshrelay.core.state import State, send
from meshrelay.errors import FrameError

# Why a blob is wanted, most pressing first: somebody looks at its page, a peer asked for it,
# an archive keeps everything.
ON_DEMAND, FORWARD, KEEP = LEVELS = range(3)
# Under way or on its way to the disk, of one blob: 512 KiB.
WINDOW_PARTS = 32
# Who lacks a blob is asked again after this long, at once when its HAVE names it.
LACKS_MS = 60_000
# A HAVE soon says who holds a new blob; only then those are asked that did not say so.
SAID_MS = 3_000
LOOK_MS = 1_000
# Of the blobs wanted here, so many are looked at for one link at a time.
LOOKED_AT_MAX = 64


class Fetch:
    """One blob on its way here."""

    def __init__(self, wanted: BlobWanted, now_ms: int) -> None:
        self.blob = wanted.blob
        self.level = wanted.level
        self.manifest: Manifest | None = None
        self.missing = MANIFEST_BIT
        if wanted.manifest is not None:
            self.manifest = read_manifest(wanted.manifest)
            self.missing = self.manifest.all_chunks & ~wanted.held
        self.said = set(wanted.said)
        self.since_ms = now_ms
        self.link: int | None = None
        self.asked = 0  # parts under way
        self.writing = 0  # parts on their way to the disk
        self.moved_ms = now_ms
        self.came = 0
        self.fruitless = 0  # leases in a row in which nothing of it came
        self.part = MANIFEST
        self.buffer = bytearray()
        self.lacking: dict[int, int] = {}  # link -> when it may be asked again
        self.liars: set[bytes] = set()

    def begin(self, link: LinkState, now_ms: int) -> None:
        """Ask this link from now on."""
        self.link, self.asked, self.buffer = link.id, 0, bytearray()
        self.moved(link, now_ms)

    def moved(self, link: LinkState, now_ms: int) -> None:
        """Something of it came, or is asked for afresh: a new lease."""
        self.moved_ms, self.came, self.fruitless = now_ms, link.came, 0

    def leave(self) -> None:
        """Nobody is asked; what was under way is lost."""
        self.link, self.asked, self.buffer = None, 0, bytearray()

    def length_of(self, part: int) -> int | None:
        """How long a part must be; of the manifest nobody knows."""
        return self.manifest.chunk_bytes(part) if self.manifest and part else None


class Seeking:
    """What is wanted here; `held`: the blobs that are here whole."""

    def __init__(self, state: State, following: Following, held: Collection[bytes]) -> None:
        self._state = state
        self._following = following
        self._held = held
        self._fetches: tuple[dict[bytes, Fetch], ...] = tuple({} for _ in LEVELS)
        self._bringing: dict[int, bytes] = {}  # link -> blob that is asked there
        self._looked_ms = 0

    def wanted(self, event: BlobWanted, now: Now) -> Iterator[Effect]:
        """Fetch a blob; asked for again, the more pressing reason counts."""
        known = self._find(event.blob)
        if event.blob in self._held or (known is not None and known.level <= event.level):
            return
        if known is not None:
            del self._fetches[known.level][event.blob]
            known.level = event.level
            known.said.update(event.said)
        fetch = known or Fetch(event, now.mono_ms)
        self._fetches[event.level][event.blob] = fetch
        yield from self.look(now)

    def unwanted(self, blob: bytes) -> Iterator[Effect]:
        """Nobody wants it any more."""
        fetch = self._find(blob)
        if fetch is None:
            return
        del self._fetches[fetch.level][blob]
        asked = [fetch.link, *fetch.lacking]
        fetch.leave()
        for link in [self._state.links[each] for each in asked if each in self._state.links]:
            yield send(link, Seek(blob, 0))
        for number, brought in list(self._bringing.items()):
            if brought == blob:
                del self._bringing[number]

    def link_gone(self, link: int, now: Now) -> Iterator[Effect]:
        """What was asked there is asked elsewhere."""
        for fetches in self._fetches:
            for fetch in fetches.values():
                fetch.lacking.pop(link, None)
                if fetch.link == link:
                    fetch.leave()
        if self._bringing.pop(link, None) is not None:
            yield from self.look(now)

    def is_forwarded(self, blob: bytes) -> bool:
        """Whether it is wanted only to pass it on."""
        return blob in self._fetches[FORWARD]

    def ask_archives(self, blob: bytes) -> Iterator[Effect]:
        """Have the archives name it in their HAVEs, if they hold it."""
        for link in self._state.links.values():
            if self._state.is_archive(link.peer) and self._state.knows_later_frames(link.peer):
                yield send(link, Seek(blob, 0))

    def _find(self, blob: bytes) -> Fetch | None:
        return next((each[blob] for each in self._fetches if blob in each), None)

    def coming(self, blob: bytes, level: int = KEEP) -> bool:
        """Whether it is wanted and not here, for a reason as pressing as this."""
        fetch = self._find(blob)
        return fetch is not None and fetch.level <= level

    def look(self, now: Now) -> Iterator[Effect]:
        """Give every link that brings no blob the most pressing one that it may have."""
        for link in list(self._state.links.values()):
            if (
                link.id not in self._bringing
                and any(self._fetches)
                and self._state.knows_later_frames(link.peer)
            ):
                fetch = next(self._looked_at(link, now), None)
                if fetch is not None:
                    yield from self._ask(link, fetch, now)

    def _looked_at(self, link: LinkState, now: Now) -> Iterator[Fetch]:
        for fetches in self._fetches:
            for _ in range(min(len(fetches), LOOKED_AT_MAX)):
                blob = next(iter(fetches))
                fetch = fetches[blob] = fetches.pop(blob)  # the next look begins after it
                if fetch.link is None and self._may_have(fetch, link, now):
                    yield fetch

    def _may_have(self, fetch: Fetch, link: LinkState, now: Now) -> bool:
        if link.peer in fetch.liars or fetch.lacking.get(link.id, 0) > now.mono_ms:
            return False
        likely = link.peer in fetch.said or self._state.is_archive(link.peer)
        return likely or now.mono_ms - fetch.since_ms >= SAID_MS

    def _ask(self, link: LinkState, fetch: Fetch, now: Now) -> Iterator[Effect]:
        fetch.begin(link, now.mono_ms)
        fetch.lacking.pop(link.id, None)
        self._bringing[link.id] = fetch.blob
        yield from self._seek_more(link, fetch)

    def _seek_more(self, link: LinkState, fetch: Fetch) -> Iterator[Effect]:
        """Keep a window of parts under way."""
        under_way = fetch.asked.bit_count() + fetch.writing
        if under_way * 2 > WINDOW_PARTS:
            return
        parts = first_parts(fetch.missing & ~fetch.asked, WINDOW_PARTS - under_way)
        if parts:
            fetch.asked |= parts
            yield send(link, Seek(fetch.blob, parts))

    # Receiving

    def lacks_received(self, link: LinkState, blob: bytes, now: Now) -> Iterator[Effect]:
        """The peer has it not: ask another; should it come there, it is sent all the same."""
        yield BlobDenied(link.peer, blob)
        fetch = self._find(blob)
        if fetch is None:
            return
        fetch.said.discard(link.peer)
        fetch.lacking[link.id] = now.mono_ms + LACKS_MS
        if fetch.link == link.id:
            fetch.leave()
            del self._bringing[link.id]
            yield from self.look(now)

    def piece_received(self, link: LinkState, piece: Piece, now: Now) -> Iterator[Effect]:
        """Put a part together; verified it goes to the disk.

        Raises:
            FrameError: `wrong_piece`: no honest peer sends that.
        """
        fetch = self._find(piece.blob)
        if fetch is not None and fetch.link is None and link.id in fetch.lacking:
            fetch.begin(link, now.mono_ms)  # it lacked it, and has it now
            fetch.lacking.pop(link.id)
            self._bringing.setdefault(link.id, fetch.blob)
        if fetch is None or fetch.link != link.id:
            yield Refused("stray_piece", "")
            if piece.offset == 0:
                yield send(link, Seek(piece.blob, 0))
            return
        if piece.offset == 0:
            fetch.part, fetch.buffer = piece.part, bytearray()
        expected = (fetch.part, len(fetch.buffer))
        if (piece.part, piece.offset) != expected or not fetch.missing >> piece.part & 1:
            yield Refused("stray_piece", "")
            return
        try:
            yield from self._grown(link, fetch, piece, now)
        except FrameError:
            fetch.liars.add(link.peer)
            raise

    def _grown(self, link: LinkState, fetch: Fetch, piece: Piece, now: Now) -> Iterator[Effect]:
        if fetch.length_of(piece.part) not in (None, piece.whole):
            raise FrameError("wrong_piece", f"{piece.whole} bytes")
        fetch.moved(link, now.mono_ms)
        fetch.buffer += piece.data
        if len(fetch.buffer) < piece.whole:
            return
        data = bytes(fetch.buffer)
        fetch.buffer = bytearray()
        if piece.part == MANIFEST:
            yield from self._manifest_came(fetch, data)
        elif fetch.manifest is not None and fetch.manifest.fits(piece.part, data):
            fetch.missing &= ~(1 << piece.part)
            fetch.asked &= ~(1 << piece.part)
            yield self._keep(fetch, piece.part, data)
        else:
            raise FrameError("wrong_piece", f"part {piece.part}")
        if not fetch.missing:
            yield from self._came_whole(fetch, now)
        else:
            yield from self._seek_more(link, fetch)

    def _manifest_came(self, fetch: Fetch, raw: bytes) -> Iterator[Effect]:
        if hash32(raw) != fetch.blob:
            raise FrameError("wrong_piece", "manifest")
        try:
            fetch.manifest = read_manifest(raw)
        except FrameError as error:  # whoever named the blob made it so; the peer is honest
            yield Refused("bad_manifest", error.detail)
            yield from self.unwanted(fetch.blob)
            yield BlobRefused(fetch.blob)
            return
        fetch.missing, fetch.asked = fetch.manifest.all_chunks, 0
        yield self._keep(fetch, MANIFEST, raw)

    def _keep(self, fetch: Fetch, part: int, data: bytes) -> KeepPart:
        fetch.writing += 1
        return KeepPart(fetch.blob, part, data, not fetch.missing)

    def _came_whole(self, fetch: Fetch, now: Now) -> Iterator[Effect]:
        """Everything is on its way to the disk; whoever lacked it need not send it any more."""
        fetch.leave()
        yield from self.unwanted(fetch.blob)
        yield from self.look(now)

    def part_kept(self, blob: bytes) -> Iterator[Effect]:
        """A part is written: room for another."""
        fetch = self._find(blob)
        if fetch is not None:
            fetch.writing = max(fetch.writing - 1, 0)
            link = self._state.links.get(fetch.link or -1)
            if link is not None:
                yield from self._seek_more(link, fetch)

    # Time, and the word of others

    def stated(self, have: Have) -> Iterator[Effect]:
        """A verified HAVE names blobs that its signer holds."""
        if have.blobs:
            yield BlobsStated(have.signer, have.incarnation, have.blobs)
        links = [link.id for link in self._state.links.values() if link.peer == have.signer]
        for blob in have.blobs or ():
            fetch = self._find(blob)
            if fetch is not None:
                fetch.said.add(have.signer)
                for link in links:
                    fetch.lacking.pop(link, None)

    def tick(self, now: Now) -> Iterator[Effect]:
        """Ask again where nothing comes, and look for somebody else."""
        for number, blob in list(self._bringing.items()):
            fetch, link = self._find(blob), self._state.links[number]
            if fetch is None or fetch.link != number:
                del self._bringing[number]
            elif now.mono_ms - fetch.moved_ms >= LEASE_MS and fetch.asked:
                yield from self._expire(link, fetch, now)
        if now.mono_ms - self._looked_ms >= LOOK_MS:
            self._looked_ms = now.mono_ms
            yield from self.look(now)

    def _expire(self, link: LinkState, fetch: Fetch, now: Now) -> Iterator[Effect]:
        """Nothing of it came for a lease: text went first, or it was lost, or nobody sends it."""
        silent = link.came == fetch.came
        others = [each for each in self._state.links.values() if each is not link]
        others = [each for each in others if self._state.knows_later_frames(each.peer)]
        fetch.fruitless += 1
        if (silent or fetch.fruitless >= LEASES_FRUITLESS_MAX) and any(
            self._may_have(fetch, other, now) for other in others
        ):
            yield send(link, Seek(fetch.blob, 0))
            fetch.leave()
            fetch.lacking[link.id] = now.mono_ms + LACKS_MS
            del self._bringing[link.id]
            yield from self.look(now)
            return
        if silent:
            yield from self._following.want(link, [], [], [], now, True)
        fetch.moved_ms, fetch.came = now.mono_ms, link.came
        yield send(link, Seek(fetch.blob, fetch.asked))

    def progress(self, blob: bytes) -> tuple[int, int] | None:
        """(bytes here, bytes in all) of a blob on its way; (0, 0) before its manifest came."""
        fetch = self._find(blob)
        if fetch is None:
            return None
        if fetch.manifest is None:
            return 0, 0
        missing = sum(map(fetch.manifest.chunk_bytes, parts_of(fetch.missing)))
        return fetch.manifest.size - missing, fetch.manifest.size

"""Blobs at this node: what is fetched and why, what is dropped for space, and nothing else.

The sync machine asks and answers; here its effects become reads and writes. Whatever writes runs
in one thread of its own, in order: a sync of 8 MB must not hold up an urgent entry.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from meshrelay.core.entry import BULK, LIFETIME_S_MAX
from meshrelay.core.events import (
    BlobAsked,
    BlobDenied,
    BlobKept,
    BlobLost,
    BlobQuestion,
    BlobRefused,
    BlobsStated,
    BlobUnwanted,
    BlobWanted,
    Event,
    KeepPart,
    PartKept,
    PartRead,
    ReadPart,
)
from meshrelay.core.manifest import BLOB_BYTES_MAX
from meshrelay.core.records import ROLE_ARCHIVE
from meshrelay.core.seeking import FORWARD, KEEP, ON_DEMAND
from meshrelay.core.sync import Machine
from meshrelay.desk import file
from meshrelay.errors import RefusedError, StoreError
from meshrelay.store.blob_words import open_words
from meshrelay.store.blobs import BlobStore, Kept, Upload
from meshrelay.store.views import ViewReader

log = logging.getLogger("meshrelay.node")

BlobEffect = ReadPart | KeepPart | BlobAsked | BlobRefused | BlobsStated | BlobDenied
T = TypeVar("T")

# People are refused from here on, so that what others need to see still comes in.
FULL_FOR_PEOPLE, FULL = 0.8, 1.0
# Rows of the read model that an archive looks at in one go; archives asked for so many at a time.
ROWS_MAX = 200
QUESTIONS_MAX = 16
ASK_S = 60.0
# What was begun and not looked at again: the lifetime of an entry that names it.
BEGUN_S = LIFETIME_S_MAX[BULK]
# What was uploaded and never posted, effectively or not: its page was closed. A read model that
# is rebuilt at a start has caught up long before.
UNPOSTED_S = 3_600.0
TIDY_S = 60.0


class Blobs:
    """Call `open` before links come up and `close` when they are down.

    `is_expired(blob)`: every message that names it is over. `failed`: the disk failed.
    """

    def __init__(
        self, directory: Path, machine: Machine, views: ViewReader, bytes_max: int,
        step: Callable[[Event], object], is_expired: Callable[[bytes], bool],
        changed: Callable[[], None], failed: Callable[[StoreError], None],
    ) -> None:  # fmt: skip
        self.store = BlobStore(directory / "blobs")
        self.evicted = 0
        self.used = 0  # bytes of all that are here whole
        self.refused: Counter[str] = Counter()
        self._words = open_words(directory / "blobs.db")
        self._machine = machine
        self._views = views
        self._bytes_max = bytes_max
        self._step = step
        self._is_expired = is_expired
        self._changed = changed
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, "blobs")
        self._loop = asyncio.get_running_loop()
        self._held: dict[bytes, Kept] = {}
        self._busy: set[bytes] = set()  # being taken up or finished in the thread
        self._finishing: set[bytes] = set()  # of these, the ones of which all is here
        self._asked_s: dict[bytes, float] = {}  # when archives were last asked for their word
        self._nothing: set[bytes] = set()  # ids that are no manifest's
        self._loose: dict[bytes, float] = {}  # uploaded and, as far as known, not posted; since
        self._followed = ("", 0)
        self._tidied_s = time.monotonic()
        self._closed = False

    def open(self) -> None:
        """Tell the machine what is here."""
        self.store.forget_begun(time.time_ns() - BEGUN_S * 1_000_000_000)
        for blob, kept in self.store.held().items():
            self._add(blob, kept)
            self._step(BlobKept(blob, False))
            if not self._views.group(file.BY_BLOB, blob.hex()):
                self._loose[blob] = time.monotonic()

    def close(self) -> None:
        self._closed = True
        self._thread.shutdown()
        self._words.close()

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        return await self._loop.run_in_executor(self._thread, work, *args)

    def _soon(self, work: Callable[[], Event | None]) -> None:
        """Do it in the thread, then tell the machine."""
        future = self._loop.run_in_executor(self._thread, work)
        future.add_done_callback(self._done)

    def _done(self, future: asyncio.Future[Event | None]) -> None:
        if self._closed:
            return
        error = future.exception()
        if error is not None:
            failed = error if isinstance(error, StoreError) else StoreError(f"blobs: {error}")
            self._failed(failed)
            return
        event = future.result()
        if event is not None:
            self._step(event)

    # The machine's effects

    def carry_out(self, effect: BlobEffect) -> Event | None:
        """Do what the machine says; its answer, if there is one at once."""
        try:
            return self._carry_out(effect)
        except StoreError as error:
            self._failed(error)
            return None

    def _carry_out(self, effect: BlobEffect) -> Event | None:
        match effect:
            case ReadPart(link, blob, part):
                data = self.store.part(blob, part)
                if data is None:
                    self._spoiled(blob)
                return PartRead(link, blob, part, data)
            case KeepPart():
                self._keep(effect)
            case BlobAsked(blob):
                if self.rooms_of(blob) and self._has_room():
                    self._want(blob, FORWARD)
            case BlobRefused(blob):
                self._nothing.add(blob)
                self.store.drop(blob)
            case BlobsStated(signer, incarnation, blobs):
                self._words.note(signer, incarnation, blobs)
            case BlobDenied(node, blob):
                self._words.deny(node, blob)
        return None

    def _keep(self, effect: KeepPart) -> None:
        blob, part, data, last = effect
        if last:
            self._busy.add(blob)
            self._finishing.add(blob)

        def keep() -> Event | None:
            try:
                self.store.keep(blob, part, data)
                finished = last and self.store.finish(blob)
            except RefusedError as error:
                self._call(self._given_up, blob, error)
                return None
            if last:
                self._call(self._came, blob, finished)
            return PartKept(blob, part)

        self._soon(keep)

    def _call(self, work: Callable[..., None], *args: object) -> None:
        """From the thread: on the loop, before what comes after it."""
        self._loop.call_soon_threadsafe(self._unless_closed, work, *args)

    def _unless_closed(self, work: Callable[..., None], *args: object) -> None:
        if not self._closed:
            work(*args)

    def _given_up(self, blob: bytes, error: RefusedError) -> None:
        log.warning("blob given up blob=%s reason=%s", blob.hex()[:8], error.code)
        self.refused[error.code] += 1
        self._busy.discard(blob)
        self._finishing.discard(blob)
        self._step(BlobUnwanted(blob))

    def _came(self, blob: bytes, whole: bool) -> None:
        self._busy.discard(blob)
        self._finishing.discard(blob)
        if not whole:
            self._want(blob, ON_DEMAND)
            return
        kept = self.store.kept(blob)
        if kept is not None and blob not in self._held:
            self._add(blob, kept)
        self._step(BlobKept(blob, True))
        self._changed()
        self._make_room(0, FULL)

    def _add(self, blob: bytes, kept: Kept) -> None:
        self._held[blob] = kept
        self.used += kept.size

    def _remove(self, blob: bytes) -> bool:
        """It is not here whole any more; False if it was not."""
        kept = self._held.pop(blob, None)
        if kept is not None:
            self.used -= kept.size
            self._step(BlobLost(blob))
        return kept is not None

    def _spoiled(self, blob: bytes) -> None:
        """Part of it is corrupt: it is missing until it was fetched again."""
        if not self._remove(blob):
            return
        log.error("blob corrupt blob=%s", blob.hex()[:8])
        self.refused["blob_corrupt"] += 1
        self.store.spoiled(blob)
        self._want(blob, ON_DEMAND)
        self._changed()

    # Wanting

    def fetch(self, blob: bytes) -> None:
        """Somebody looks at it: get it here.

        Raises:
            RefusedError: `blobs_full` (507).
        """
        if blob in self._held or blob in self._busy:
            return
        if self._machine.seeking.coming(blob, ON_DEMAND):
            return
        if not self._has_room():
            raise blobs_full()
        self._want(blob, ON_DEMAND)

    def _want(self, blob: bytes, level: int) -> None:
        if blob in self._held or blob in self._busy or blob in self._nothing:
            return
        self._busy.add(blob)
        said = [signer for signer, _ in self.holders(blob)]

        def take_up() -> Event | None:
            begun = self.store.begun(blob)
            if begun is not None and begun.held == begun.manifest.all_chunks:
                self._call(self._came, blob, self.store.finish(blob))
                return None
            self._call(self._busy.discard, blob)
            raw, held = (begun.manifest.raw, begun.held) if begun else (None, 0)
            return BlobWanted(blob, level, raw, held, said)

        self._soon(take_up)

    def follow(self) -> None:
        """An archive keeps every blob that an effective entry names."""
        if not self._is_archive():
            return
        life = self._views.life()
        number = self._followed[1] if self._followed[0] == life else 0
        found = self._views.changed_after(file.BY_BLOB, number, ROWS_MAX)
        for each in found:
            if each.row["rooms"] and self._has_room():
                self._want(bytes.fromhex(each.group), KEEP)
        self._followed = (life, max([number, *(each.changed for each in found)]))
        if len(found) == ROWS_MAX:
            self._loop.call_soon(self.follow)

    def _is_archive(self) -> bool:
        known = self._machine.book.nodes.get(self._machine.me)
        return known is not None and ROLE_ARCHIVE in known.roles

    def troubles(self) -> list[str]:
        """Sentences for IT: an archive that cannot keep everything any more."""
        if not self._is_archive() or self.used + BLOB_BYTES_MAX <= self._bytes_max:
            return []
        return [
            f"写真・ファイルの置き場 {self._bytes_max // 1_000_000} MB がいっぱいです。新しいものを"
            "集めていません。node.toml の [storage] blobs_mb を増やし、起動し直してください / "
            f"the {self._bytes_max // 1_000_000} MB for photos and files are used up: new ones are "
            "not collected; raise [storage] blobs_mb in node.toml and start again"
        ]

    # What pages ask

    def is_here(self, blob: bytes) -> bool:
        """Whether all of it is here."""
        return blob in self._held

    def progress(self, blob: bytes) -> float | None:
        """Which share of it is here while it is fetched, 0 … 1; else None."""
        if blob in self._finishing:
            return 1.0
        here, size = self._machine.seeking.progress(blob) or (0, 0)
        if size:
            return here / size
        return 0.0 if blob in self._busy or self._machine.seeking.coming(blob) else None

    def ask_who_holds(self, blob: bytes) -> None:
        """Somebody here would like to know: a HAVE may have been missed."""
        now_s = time.monotonic()
        if now_s - self._asked_s.get(blob, -ASK_S) >= ASK_S:
            self._asked_s[blob] = now_s
            self._step(BlobQuestion(blob))

    def holders(self, blob: bytes) -> list[tuple[bytes, bytes]]:
        """(node, incarnation) of who said to hold it, under an incarnation that is not past."""
        present = self._machine.receipts.tips()
        return [word for word in self._words.holders(blob) if word in present]

    def rooms_of(self, blob: bytes) -> set[str]:
        """The rooms in which an effective entry names it."""
        found = self._views.group(file.BY_BLOB, blob.hex())
        return {room for each in found for room in each.row["rooms"]}

    async def read(self, blob: bytes, part: int) -> bytes | None:
        """One verified part for a page; None: it is corrupt, and fetched again."""
        data = await self._in_thread(self.store.part, blob, part)
        if data is None:
            self._spoiled(blob)
        return data

    # Uploads

    async def upload(self) -> Upload:
        """Begin to take in a file of somebody here.

        Raises:
            RefusedError: `blobs_full` (507): nothing can be dropped for it.
        """
        self._make_room(BLOB_BYTES_MAX, FULL_FOR_PEOPLE)
        if self.used + BLOB_BYTES_MAX > FULL_FOR_PEOPLE * self._bytes_max:
            raise blobs_full()
        return await self._in_thread(self.store.upload)

    async def write(self, upload: Upload, data: bytes) -> None:
        await self._in_thread(upload.write, data)

    async def finish(self, upload: Upload) -> bytes:
        """Its id: all of it is on disk, and the next HAVEs say so."""
        blob = await self._in_thread(upload.finish)
        self._step(BlobUnwanted(blob))
        self._came(blob, True)
        self._loose[blob] = time.monotonic()
        return blob

    async def abort(self, upload: Upload) -> None:
        await self._in_thread(upload.abort)

    def posted(self, blob: bytes) -> None:
        """A message names it: it is no loose upload any more."""
        self._loose.pop(blob, None)

    # Space

    def _has_room(self) -> bool:
        self._make_room(BLOB_BYTES_MAX, FULL)
        return self.used + BLOB_BYTES_MAX <= self._bytes_max

    def _make_room(self, size: int, share: float) -> None:
        """Room for `size` more below a share of all: drop what an archive says it holds.

        Expired ones first, then the oldest. Nobody else's word permits it.
        """
        excess = self.used + size - int(share * self._bytes_max)
        if excess <= 0 or self._is_archive():
            return
        oldest = sorted(self._held, key=lambda blob: self._held[blob].came_ns)
        unsaid = [blob for blob in oldest if not self._archived(blob)]
        for blob in unsaid[:QUESTIONS_MAX]:
            self.ask_who_holds(blob)
        lost = set(unsaid)
        can_go = [blob for blob in oldest if blob not in lost]
        for blob in sorted(can_go, key=lambda blob: not self._is_expired(blob)):
            if excess <= 0:
                return
            excess -= self._held[blob].size
            self._drop(blob)
            self.evicted += 1
            log.info("blob evicted blob=%s", blob.hex()[:8])

    def _archived(self, blob: bytes) -> bool:
        nodes = self._machine.book.nodes
        return any(
            signer in nodes and ROLE_ARCHIVE in nodes[signer].roles
            for signer, _ in self.holders(blob)
        )

    def _drop(self, blob: bytes) -> None:
        self._remove(blob)
        self.store.drop(blob)

    def tidy(self) -> None:
        """Now and then: space, and uploads that nobody posted."""
        now_s = time.monotonic()
        if now_s - self._tidied_s < TIDY_S:
            return
        self._tidied_s = now_s
        self._asked_s = {blob: at for blob, at in self._asked_s.items() if now_s - at < ASK_S}
        for blob, since_s in list(self._loose.items()):
            if now_s - since_s >= UNPOSTED_S:
                del self._loose[blob]
                named = self._views.group(file.BY_BLOB, blob.hex())
                if blob in self._held and not named:
                    self._drop(blob)
        self._make_room(0, FULL)


def blobs_full() -> RefusedError:
    """The share of the disk for photos and files is used up."""
    return RefusedError(
        "blobs_full",
        "この機器の写真・ファイルの置き場がいっぱいです。",
        "The space for photos and files on this machine is used up.",
        "文章で送ってください。本部に届いたものから順に場所が空きます。",
        "Send text. Space is freed as HQ's archive gets what is here.",
        507,
    )

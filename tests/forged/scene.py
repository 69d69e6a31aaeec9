"""中央区 as the victim: the real machine and the real store; the liar's keys and logs."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from meshrelay.core.accept import Prepared
from meshrelay.core.codec import encode
from meshrelay.core.entry import Entry, LogId, make_entry
from meshrelay.core.events import CloseLink, Commit, Effect, LinkDown, LinkUp, Received, SendFrame
from meshrelay.core.frames import FRAME_BYTES_MAX
from meshrelay.core.records import Record
from meshrelay.core.signing import Signer, hash32
from meshrelay.core.verdict import EFFECTIVE
from meshrelay.store.log import LogStore
from meshrelay.store.sqlite import transaction
from tests.unit.core.city import CHUO, KITA, NETWORK, PT_MS, RECORDS, City, Station, note

INCARNATION_BYTES = 8
# By number, as core/verdict.py counts them.
STATES = ("effective", "waiting", "unknown kind", "refused")


def link_fate() -> dict[str, bool]:
    """Whether a refusal closes the link, by name, as PROTOCOL.md section 4 says."""
    page = resources.files("meshrelay.core").joinpath("PROTOCOL.md").read_text("utf-8")
    section = page.split("\n## 4.")[1].split("\n## 5.")[0]
    fate: dict[str, bool] = {}
    for names, word in re.findall(r"^\| (`.*?) \|.*\| (closed|kept)\b[^|]*\|$", section, re.M):
        fate |= dict.fromkeys(re.findall(r"`(\w+)`", names), word == "closed")
    return fate


class Lonely(Station):
    """A station at the mercy of one link after the other; what it answers goes nowhere."""

    def __init__(self, signer: Signer, records: list[Record]) -> None:
        self.links = 0
        super().__init__(signer, records)
        City(self)

    def attacked(
        self, data: bytes, prepared: Prepared | None = None, peer: Signer = KITA
    ) -> tuple[list[str], list[str]]:
        """One frame on a link of its own: (reasons refused, reasons the link was closed for)."""
        self.links += 1
        self.feed(LinkUp(self.links, peer.public, "lan", False, False))
        self.effects.clear()
        self.feed(Received(self.links, data, prepared))
        refused, closed = self.refused(), self.closed()
        self.feed(LinkDown(self.links))
        self.effects.clear()
        return refused, closed

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, CloseLink):  # there is no cable to cut
            self.effects.append(effect)
        elif not isinstance(effect, SendFrame):
            super()._carry_out(effect)


class Victim(Lonely):
    """One whose commits also go to a real log.db."""

    def __init__(self, directory: Path, records: list[Record]) -> None:
        self.store = LogStore(directory / "log.db")
        self.store.load()
        super().__init__(CHUO, records)

    def commit(self) -> None:
        """Store for real what waits, then say so."""
        waiting: list[Commit] = list(self.waiting)
        if waiting:
            with transaction(self.store.connection):
                for each in waiting:
                    self.store.write(each, PT_MS, self.now().seen_ms)
        super().commit()

    def stored(self) -> int:
        """Entries that log.db holds."""
        return int(self.store.connection.execute("SELECT count(*) FROM entries").get)

    def stored_effective(self) -> int:
        """Entries that log.db holds as effective."""
        run = self.store.connection.execute
        return int(run("SELECT count(*) FROM entries WHERE state = ?", (EFFECTIVE,)).get)

    def verdicts(self) -> Iterator[tuple[bytes, tuple[str, str]]]:
        """Of every entry that log.db holds: id, state and reason."""
        rows = self.store.connection.execute("SELECT raw, state, reason FROM entries")
        for raw, state, reason in rows:
            yield hash32(raw), (STATES[state], reason)

    def close(self) -> None:
        self.store.connection.close()


class Liar:
    """Makes entries under any key, in logs of its own choosing."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def log(self, origin: Signer, lane: int | None = None) -> LogId:
        """A log that nobody has heard of."""
        lane = self.rng.randrange(4) if lane is None else lane
        return LogId(origin.public, self.rng.randbytes(INCARNATION_BYTES), lane)

    def entry(
        self, origin: Signer, log: LogId, seq: int = 1, prev: bytes | None = None,
        network: bytes = NETWORK,
    ) -> Entry:  # fmt: skip
        """A note as `origin` would sign it; other text each time."""
        hlc = PT_MS + self.rng.randrange(1_000_000) << 16
        draft = note(f"第{self.rng.getrandbits(64)}報", log.lane)
        return make_entry(origin, network, log, seq, prev or log.first_prev, hlc, 4, draft)

    def chain(self, origin: Signer, log: LogId, count: int) -> Iterator[Entry]:
        """The first entries of a log."""
        prev = log.first_prev
        for seq in range(1, count + 1):
            entry = self.entry(origin, log, seq, prev)
            prev = entry.id
            yield entry


def frame_of(*raws: bytes, network: bytes = NETWORK) -> bytes:
    """A batch of whole entries, each one out of chain: whatever they are, it can be written."""
    items = [raws[0], *([raw] for raw in raws[1:])]
    return loose_frame(4, network, deflate(encode([items, [0] * len(raws)])))


def records_frame(*raws: bytes) -> bytes:
    """Records, whatever they are."""
    return loose_frame(5, deflate(encode(list(raws))))


def loose_frame(*fields: Any) -> bytes:
    """A frame of these fields, of any types."""
    return encode(list(fields))


def deflate(plain: bytes) -> bytes:
    """RFC 1951, as in frames 4 and 5."""
    packer = zlib.compressobj(1, wbits=-15)
    return packer.compress(plain) + packer.flush()


def inflate(packed: bytes) -> bytes:
    """The other way, as far as a frame goes. Raises zlib.error."""
    return zlib.decompressobj(wbits=-15).decompress(packed, FRAME_BYTES_MAX)


__all__ = ["RECORDS", "Liar", "Victim", "frame_of", "link_fate"]

"""HAVE: a node's signed statement of what is on its disk. The only receipt.

A HAVE is no entry and in no digest, so it comes to rest. It says all of a store by
digest and the newest changes by lines; a reader counts a line only once it holds the
entry at that height itself and its id is the stated head.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_text, is_uint
from meshrelay.core.entry import INCARNATION_BYTES, LogId
from meshrelay.core.frames import FRAME_BYTES_MAX, LINES_MAX, NONCE_BYTES, read_line
from meshrelay.core.gaps import hole_of
from meshrelay.core.signing import ID_BYTES, KEY_BYTES, Signer, payload_of, verify1
from meshrelay.core.vector import DIGEST_BYTES, Line, Vector
from meshrelay.errors import FrameError

# A store names this many of its past incarnations, so that readers can order them.
PAST_MAX = 16
# Two incarnations that do not know each other are a clone; more are a flood.
WORDS_MAX = 4
NO_NONCE = bytes(NONCE_BYTES)
# Blobs that one statement names: 2 KiB, a fifth of a second of a 128 kbit/s line.
BLOBS_MAX = 64

_CONTEXT = b"meshrelay/have/1"


class Have(NamedTuple):
    """One signed statement.

    `holes`: log -> (low, high): of a stated line, what lies above `low` and up to `high` may
    never have been held. `number`: how many incarnations the store has had; `past`: the newest
    of them before this one. Number 0: a brief answer, which says nothing of incarnations.
    `since`: the lines are all that changed after this change number; 0 = the whole store (or
    its LINES_MAX newest lines). `health`: for the monitor, by small keys. `blobs`: some of those
    that are here whole, the newest and those asked about; None: of a software without blobs.
    """

    raw: bytes
    signer: bytes
    incarnation: bytes
    number: int
    past: list[bytes]
    change: int
    digest: bytes
    since: int
    lines: list[Line]
    stated_ms: int
    nonce: bytes
    health: dict[int, int | str | list[int]]
    holes: dict[LogId, tuple[int, int]]
    blobs: list[bytes] | None = None

    def supersedes(self, other: Have) -> bool:
        """Whether the other's incarnation is a past one of this store.

        Named, or older than the oldest that is named: a store that changed incarnation
        more than PAST_MAX times still ends its old words.
        """
        unnamed = 0 < other.number < self.number - len(self.past)
        return other.incarnation != self.incarnation and (other.incarnation in self.past or unnamed)

    @property
    def order(self) -> tuple[int, int]:
        """Newer statements of one incarnation compare greater."""
        return (self.change, self.stated_ms)


def make_have(
    signer: Signer,
    network: bytes,
    vector: Vector,
    incarnation: bytes,
    past: list[bytes],
    since: int,
    stated_ms: int,
    nonce: bytes,
    health: dict[int, int | str | list[int]],
    brief: bool = False,
    blobs: Iterable[bytes] = (),
) -> Have:
    """State what `vector` holds; the caller guarantees that it is on disk.

    `brief`: for a peer with an equal digest: neither lines nor past incarnations. Not while there
    are holes: whoever drops what we hold must know them.
    """
    holes = {log: hole for log, gaps in vector.gaps.items() if (hole := hole_of(gaps))}
    logs = [key for key, _ in vector.after(since) if isinstance(key, LogId)]
    logs = [*dict.fromkeys([*logs, *holes])][-LINES_MAX:]
    lines = [vector.lines[log] for log in logs]
    holes = {log: holes[log] for log in logs if log in holes}
    named, number = past[-PAST_MAX:], len(past) + 1
    if brief and not holes:
        lines, named, number = [], [], 0
    rows = [[*line.log, line.height, line.head, *holes.get(line.log, ())] for line in lines]
    digest, named_blobs = vector.digest(), list(blobs)
    payload = encode(
        [
            signer.public,
            incarnation,
            number,
            named,
            vector.change,
            digest,
            since,
            rows,
            stated_ms,
            nonce,
            health,
            named_blobs,
        ]
    )
    raw = signer.sign1(payload, _CONTEXT + network)
    return Have(
        raw, signer.public, incarnation, number, named, vector.change, digest, since, lines,
        stated_ms, nonce, health, holes, named_blobs,
    )  # fmt: skip


def read_have(raw: bytes) -> Have:
    """Parse a HAVE, NOT verified (see `check_have`). Raises FrameError `malformed`."""
    fields = decode(payload_of(raw), FRAME_BYTES_MAX)
    if type(fields) is not list or len(fields) < 11:
        raise FrameError("malformed", "have")
    signer, incarnation, number, past, change, digest, since, rows, *rest = fields[:11]
    stated_ms, nonce, health = rest
    if not (
        is_bytes(signer, KEY_BYTES)
        and is_bytes(incarnation, INCARNATION_BYTES)
        and is_uint(number)
        and type(past) is list
        and len(past) <= PAST_MAX
        and all(is_bytes(one, INCARNATION_BYTES) for one in past)
        and is_uint(change)
        and is_bytes(digest, DIGEST_BYTES)
        and is_uint(since)
        and type(rows) is list
        and len(rows) <= LINES_MAX
        and is_uint(stated_ms, 1 << 48)
        and is_bytes(nonce, NONCE_BYTES)
        and _is_health(health)
    ):
        raise FrameError("malformed", "have fields")
    lines, holes = [], {}
    for row in rows:
        line, hole = _stated(row)
        lines.append(line)
        if hole is not None:
            holes[line.log] = hole
    blobs = fields[11] if len(fields) > 11 else None
    if len(fields) > 11 and not _are_blobs(blobs):
        raise FrameError("malformed", "have blobs")
    return Have(
        raw, signer, incarnation, number, past, change, digest, since, lines, stated_ms, nonce,
        health, holes, blobs,
    )  # fmt: skip


def _stated(row: Any) -> tuple[Line, tuple[int, int] | None]:
    """A line, and the hole in it."""
    if type(row) is not list or len(row) != 7:
        return read_line(row), None
    low, high = row[5:]
    if not (is_uint(low) and is_uint(high) and low < high):
        raise FrameError("malformed", "hole")
    return read_line(row[:5]), (low, high)


def check_have(have: Have, network: bytes) -> None:
    """Verify the signer's signature. Raises SignatureError."""
    verify1(have.raw, have.signer, _CONTEXT + network)


def _are_blobs(value: object) -> bool:
    return (
        type(value) is list
        and len(value) <= BLOBS_MAX
        and all(is_bytes(blob, ID_BYTES) for blob in value)
    )


def _is_health(value: object) -> bool:
    return type(value) is dict and all(
        is_uint(key, 64)
        and (
            is_uint(item)
            or is_text(item, 40)
            or (type(item) is list and len(item) <= 8 and all(is_uint(one) for one in item))
        )
        for key, item in value.items()
    )


class _Word:
    """What one incarnation of one signer has stated so far."""

    def __init__(self, newest: Have) -> None:
        self.newest = newest
        self.still_newest: dict[bytes, Have] = {}  # raw -> HAVE that is the last word on some log
        self.covered: dict[LogId, int] = {}  # verified here against our own entries
        self.claims: dict[LogId, Line] = {}  # higher than what is verified so far
        self.holes: dict[LogId, tuple[int, int]] = {}


class Receipts:
    """Everything that HAVEs prove about other stores, seen from one store.

    `take` needs the caller's vector; a line below our own height must be looked up
    by the caller (`to_look_up`), a line above it waits until we get there.
    """

    def __init__(self) -> None:
        self._words: dict[bytes, dict[bytes, _Word]] = {}  # signer -> incarnation -> word
        self._waiting: dict[LogId, set[tuple[bytes, bytes]]] = {}  # claims above our height
        self.to_look_up: list[tuple[LogId, int]] = []
        self.moved: list[tuple[LogId, int, int]] = []  # (log, from, to) newly covered by someone

    def is_news(self, have: Have) -> bool:
        """Whether `take` would learn from it; check this before the signature."""
        words = self._words.get(have.signer, {})
        if any(word.newest.supersedes(have) for word in words.values()):
            return False
        word = words.get(have.incarnation)
        if have.number == 0:
            return word is not None
        return (
            word is None
            or have.order > word.newest.order
            or (have.raw not in word.still_newest and self._raises_claim(word, have))
        )

    @staticmethod
    def _raises_claim(word: _Word, have: Have) -> bool:
        return any(
            line.height > word.covered.get(line.log, 0)
            and (line.log not in word.claims or line.height > word.claims[line.log].height)
            for line in have.lines
        )

    def take(self, have: Have, ours: Vector) -> None:
        """Learn from a verified HAVE."""
        words = self._words.setdefault(have.signer, {})
        word = words.get(have.incarnation)
        if word is not None and have.number == 0:
            if have.digest == ours.digest():
                for line in ours.lines.values():
                    self._cover(word, line.log, line.height)
            return
        before: dict[LogId, int] = {}
        if word is None:
            before = {log: self.covered(have.signer, log) for log in ours.lines}
            word = words[have.incarnation] = _Word(have)
        elif have.order > word.newest.order:
            word.newest = have
        if word.newest is have:
            for line in have.lines:
                word.holes.pop(line.log, None)
            word.holes.update(have.holes)
        if have.since == 0 or have.digest == ours.digest():
            for old in [old for old, known in words.items() if have.supersedes(known.newest)]:
                del words[old]  # said by the holder itself: the old store is gone
        while len(words) > WORDS_MAX:
            del words[min(words, key=lambda each: words[each].newest.stated_ms)]
        word.still_newest[have.raw] = have
        if have.digest == ours.digest():
            for line in ours.lines.values():
                self._cover(word, line.log, line.height)
        else:
            for line in have.lines:
                self._claim(have, word, line, ours)
        self._forget_old_words(word)
        for log, height in before.items():
            now = self.covered(have.signer, log)
            if now < height:  # the holder lost it: the words under messages go back
                self.moved.append((log, now, height))

    def level(self, ours: Vector) -> None:
        """Our store moved: whoever stated last just what we hold now covers all of it."""
        digest = ours.digest()
        for words in self._words.values():
            for word in words.values():
                if word.newest.digest == digest:
                    for line in ours.lines.values():
                        self._cover(word, line.log, line.height)

    def _claim(self, have: Have, word: _Word, line: Line, ours: Vector) -> None:
        if line.height <= word.covered.get(line.log, 0):
            return
        claim = word.claims.get(line.log)
        if claim is not None and claim.height >= line.height:
            return
        held = ours.lines.get(line.log)
        if held is not None and held.height == line.height:
            if held.head == line.head:
                self._cover(word, line.log, line.height)
            return
        word.claims[line.log] = line
        if held is not None and held.height > line.height:
            self.to_look_up.append((line.log, line.height))
        self._waiting.setdefault(line.log, set()).add((have.signer, have.incarnation))

    def _cover(self, word: _Word, log: LogId, height: int) -> None:
        before = word.covered.get(log, 0)
        if height > before:
            word.covered[log] = height
            self.moved.append((log, before, height))
        claim = word.claims.get(log)
        if claim is not None and claim.height <= height:
            del word.claims[log]

    @staticmethod
    def _forget_old_words(word: _Word) -> None:
        newest: dict[LogId, tuple[tuple[int, int], bytes]] = {}
        for raw, have in word.still_newest.items():
            for line in have.lines:
                if line.log not in newest or have.order > newest[line.log][0]:
                    newest[line.log] = (have.order, raw)
        keep = {raw for _, raw in newest.values()} | {word.newest.raw}
        word.still_newest = {raw: have for raw, have in word.still_newest.items() if raw in keep}

    def resolve(self, log: LogId, seq: int, entry_id: bytes) -> None:
        """Tell that `entry_id` is what we hold at (log, seq): settles claims at that height."""
        for signer, incarnation in sorted(self._waiting.get(log, ())):
            word = self._words.get(signer, {}).get(incarnation)
            claim = word.claims.get(log) if word else None
            if word is None or claim is None:
                self._waiting[log].discard((signer, incarnation))
            elif claim.height == seq:
                self._waiting[log].discard((signer, incarnation))
                del word.claims[log]
                if claim.head == entry_id:
                    self._cover(word, log, seq)

    def awaits(self, log: LogId) -> bool:
        """Whether any claim on this log waits for our own entries."""
        return bool(self._waiting.get(log))

    def covered(self, signer: bytes, log: LogId) -> int:
        """Height up to which the signer's receipts cover `log`, 0 if none.

        Two incarnations of which neither is the other's past: only what both cover. A past
        one that was not replaced yet (no full statement came) still counts for its heir.
        """
        words = list(self._words.get(signer, {}).values())
        if len(words) < 2:
            return words[0].covered.get(log, 0) if words else 0
        tips = []
        for word in words:
            if not any(other.newest.supersedes(word.newest) for other in words):
                past = [old for old in words if word.newest.supersedes(old.newest)]
                tips.append(max(each.covered.get(log, 0) for each in (word, *past)))
        return min(tips, default=0)

    def has(self, signer: bytes, log: LogId, seq: int) -> bool:
        """Whether the signer's receipts cover this entry: below its height, and in no hole."""
        words = self._words.get(signer, {}).values()
        holes = [word.holes[log] for word in words if log in word.holes]
        return self.covered(signer, log) >= seq and not any(
            low < seq <= high for low, high in holes
        )

    def covered_by(self, signer: bytes, incarnation: bytes, log: LogId) -> int:
        """Height up to which this very store said it holds `log`, checked against ours; 0 if not.

        What its other incarnations said does not count: after a restore it may be gone.
        """
        word = self._words.get(signer, {}).get(incarnation)
        return word.covered.get(log, 0) if word else 0

    def signers(self) -> Iterable[bytes]:
        """Everybody who ever stated anything here."""
        return self._words.keys()

    def newest(self, signer: bytes) -> Have | None:
        """The signer's newest statement, by its own clock among incarnations."""
        words = self._words.get(signer)
        if not words:
            return None
        return max((word.newest for word in words.values()), key=lambda have: have.stated_ms)

    def tips(self) -> dict[tuple[bytes, bytes], int]:
        """(signer, incarnation) -> change number of its newest HAVE; past ones left out."""
        return {
            (signer, incarnation): word.newest.change
            for signer, words in self._words.items()
            for incarnation, word in words.items()
            if not any(other.newest.supersedes(word.newest) for other in words.values())
        }

    def kept(self, signer: bytes, incarnation: bytes) -> list[Have]:
        """The HAVEs of one store that are still the newest word on something."""
        return list(self._words[signer][incarnation].still_newest.values())

    def stated(self, signer: bytes, log: LogId) -> int:
        """Height the signer claims for a log, verified or not (for backlogs), 0 if none."""
        heights = [0]
        for word in self._words.get(signer, {}).values():
            claim = word.claims.get(log)
            heights += [word.covered.get(log, 0), claim.height if claim else 0]
        return max(heights)

    def logs_stated(self, signer: bytes) -> set[LogId]:
        """Every log on which the signer has said anything."""
        logs: set[LogId] = set()
        for word in self._words.get(signer, {}).values():
            logs.update(word.covered, word.claims)
        return logs

"""Stating: our own HAVEs, others' HAVEs, and passing them on."""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core.blobs import Blobs
from meshrelay.core.clock import TRUSTED
from meshrelay.core.entry import LogId
from meshrelay.core.events import (
    AdoptTime,
    Broadcast,
    Covered,
    Effect,
    KeepHave,
    LookUp,
    Now,
    Refused,
    SendFrame,
)
from meshrelay.core.fetching import Fetching
from meshrelay.core.frames import (
    LINES_MAX,
    NODE_PREFIX_BYTES,
    PUSH_ALL,
    WORDS_BYTES,
    Haves,
    Heard,
    encode_frame,
)
from meshrelay.core.have import NO_NONCE, Have, check_have, make_have, read_have
from meshrelay.core.link import LinkState
from meshrelay.core.seeking import Seeking
from meshrelay.core.signing import hash32
from meshrelay.core.state import State, batches, send

# One HAVE a minute when nothing changed; on change no faster than this, and slower the
# more nodes there are, so that receipts never take more than a trickle of a narrow line.
HAVE_IDLE_MS = 60_000
HAVE_CHANGE_MS = 2_000
HAVE_CHANGE_ARCHIVE_MS = 500
HAVE_CHANGE_PER_NODE_MS = 100
PASS_ON_MS = 500
# A thousand returning nodes ask an archive for log after log: not every WANT needs its own.
ANSWER_GAP_MS = 500
# A statement older than this when it comes is no clock to set ours by.
TIME_ANSWER_MS_MAX = 5_000
# Key of `health` under which a HAVE tells the quality of its signer's clock.
HEALTH_QUALITY = 2


class Statements:
    """Receipts in and out. `changed` is set by the machine when something was committed."""

    def __init__(self, state: State, fetching: Fetching, blobs: Blobs, seeking: Seeking) -> None:
        self._state = state
        self._fetching = fetching
        self._blobs = blobs
        self._seeking = seeking
        self.changed = True
        self.health: dict[int, int | str | list[int]] = {}
        self.heard: dict[bytes, tuple[int, str, bytes]] = {}  # signer -> pt_ms, bearer, first hop
        self._own: Have | None = None
        self._stated_ms: int | None = None
        self._since = [0, 0, 0]  # change numbers of our last three HAVEs
        self._levelled = 0
        self._to_pass: list[tuple[Have, int | None, bool]] = []
        self._passed_ms = 0

    def _words(self) -> dict[tuple[bytes, bytes], int]:
        words = self._state.receipts.tips()
        if self._own is not None:
            words[self._own.signer, self._own.incarnation] = self._own.change
        return words

    def words_digest(self) -> bytes:
        """What HELLO tells of the HAVEs kept here, so that links bring only what is missing."""
        words = sorted(self._words().items())
        parts = [key + number + change.to_bytes(8, "big") for (key, number), change in words]
        return hash32(*parts)[:WORDS_BYTES]

    def greeted(self, link: LinkState, words: bytes) -> Iterator[Effect]:
        """A peer keeps other HAVEs than we do: tell which ones are here."""
        if words != self.words_digest():
            rows = [
                (signer[:NODE_PREFIX_BYTES], incarnation, change)
                for (signer, incarnation), change in sorted(self._words().items())
            ]
            yield send(link, Heard(rows[:LINES_MAX]))

    def heard_of(self, link: LinkState, heard: Heard, now: Now) -> Iterator[Effect]:
        """Send the HAVEs that are newer here than there."""
        theirs = {(prefix, incarnation): change for prefix, incarnation, change in heard.words}
        newer: list[bytes] = []
        for (signer, incarnation), change in self._words().items():
            if signer == link.peer:
                continue
            known = theirs.get((signer[:NODE_PREFIX_BYTES], incarnation), -1)
            if change <= known:
                continue
            if signer == self._state.signer.public:  # all that the peer did not hear of
                newer.append(self._make(NO_NONCE, now, since=max(known, 0)).raw)
            else:
                newer += [have.raw for have in self._state.receipts.kept(signer, incarnation)]
        for raws in batches(newer):
            yield send(link, Haves(raws))

    def answer(self, link: LinkState, nonce: bytes, now: Now) -> Iterator[Effect]:
        """An archive answers a WANT with a fresh HAVE that carries its nonce, at once or soon."""
        if nonce == NO_NONCE or not self._state.is_archive(self._state.signer.public):
            return
        link.nonce = nonce
        yield from self.answer_due(link, now)

    def answer_due(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """Answer the newest nonce that waits, if it is time."""
        if link.nonce != NO_NONCE and now.mono_ms - link.answered_ms >= ANSWER_GAP_MS:
            nonce, link.nonce = link.nonce, NO_NONCE
            link.answered_ms = now.mono_ms
            theirs = link.theirs
            brief = theirs is not None and theirs.digest == self._state.vector.digest()
            yield send(link, Haves([self._make(nonce, now, brief).raw]))

    def received(
        self, raw: bytes, bearer: str, via: bytes, link: LinkState | None, now: Now
    ) -> Iterator[Effect]:
        """Learn from one HAVE and keep it for others, if it says anything new."""
        have = read_have(raw)
        if have.signer == self._state.signer.public:
            return
        if have.signer not in self._state.book.nodes:
            yield Refused("no_credential", have.signer.hex())
            if link is not None and have.signer not in self._fetching.missing:
                yield from self._fetching.need([have.signer], link, now)
            return
        if not self._state.receipts.is_news(have):
            return
        check_have(have, self._state.book.network)
        yield from self._set_clock(have, link, now)
        newest = self._state.receipts.newest(have.signer)
        self._state.receipts.take(have, self._state.vector)
        if link is not None and have.signer == link.peer and self._is_answer(have, now):
            self._state.fresh[have.signer] = (have.incarnation, now.mono_ms)
        yield from self._seeking.stated(have)
        if newest is None or have.stated_ms >= newest.stated_ms:
            self.heard[have.signer] = (now.pt_ms, bearer, via)
        if have.number:
            by_all = link.broadcasts if link is not None else bearer == "mqtt"
            self._to_pass.append((have, link.id if link else None, by_all))
            yield KeepHave(have.signer, raw)
        yield from self.moved()

    def _set_clock(self, have: Have, link: LinkState | None, now: Now) -> Iterator[Effect]:
        """A good clock of an archive that answers us right now ends a poor one of ours."""
        if (
            link is not None
            and now.quality < TRUSTED
            and have.signer == link.peer
            and self._is_answer(have, now)
            and self._state.is_archive(have.signer)
            and now.mono_ms - link.asked_ms <= TIME_ANSWER_MS_MAX
        ):
            quality = have.health.get(HEALTH_QUALITY, 0)
            if isinstance(quality, int) and quality >= TRUSTED:
                link.asked_ms -= TIME_ANSWER_MS_MAX  # one answer for one question
                yield AdoptTime(have.stated_ms)

    def _is_answer(self, have: Have, now: Now) -> bool:
        """Whether it carries the nonce that we ask with now, or asked with a moment ago."""
        return have.nonce in (self._state.nonce(now.mono_ms), self._state.nonce(now.mono_ms, 1))

    def moved(self) -> Iterator[Effect]:
        """What the receipts learned, as effects."""
        lookups, self._state.receipts.to_look_up = self._state.receipts.to_look_up, []
        for log, seq in lookups:
            yield LookUp(log, seq)
        moved, self._state.receipts.moved = self._state.receipts.moved, []
        for log, low, high in moved:
            yield Covered(log, low, high)

    def look_again(self) -> Iterator[Effect]:
        """Our store may have become what somebody stated before."""
        if self._levelled != self._state.vector.change:
            self._levelled = self._state.vector.change
            self._state.receipts.level(self._state.vector)
            yield from self.moved()

    def found(self, log: LogId, seq: int, entry_id: bytes | None) -> Iterator[Effect]:
        """An entry was looked up: settle the claim at its height."""
        if entry_id is not None:
            self._state.receipts.resolve(log, seq, entry_id)
            yield from self.moved()

    def have_gap_ms(self) -> int:
        """Shortest time between two HAVEs of ours."""
        if self._state.is_archive(self._state.signer.public):
            return HAVE_CHANGE_ARCHIVE_MS
        return max(HAVE_CHANGE_MS, len(self._state.book.nodes) * HAVE_CHANGE_PER_NODE_MS)

    def state_if_due(self, now: Now) -> Iterator[Effect]:
        """Our own HAVE: soon after a change, or once a minute."""
        since = now.mono_ms - self._stated_ms if self._stated_ms is not None else HAVE_IDLE_MS
        if since < (self.have_gap_ms() if self.changed else HAVE_IDLE_MS):
            return
        have = self._own = self._make(NO_NONCE, now)
        self._stated_ms = now.mono_ms
        self.changed = self._blobs.told(have.blobs or ())
        self._since = [*self._since[1:], self._state.vector.change]
        data = encode_frame(Haves([have.raw]))
        yield Broadcast(data)
        for link in self._state.links.values():
            if not link.broadcasts:
                yield SendFrame(link.id, data)

    def _make(self, nonce: bytes, now: Now, brief: bool = False, since: int | None = None) -> Have:
        """Lines since the last HAVE but one: a lost statement is repeated by the next."""
        since = self._since[-2] if since is None else min(since, self._since[-2])
        state = self._state
        health: dict[int, int | str | list[int]] = {HEALTH_QUALITY: now.quality}
        return make_have(
            state.signer, state.book.network, state.vector, state.incarnation,
            [incarnation for incarnation, _ in state.past], since, max(now.pt_ms, 0),
            nonce, health if brief else self.health, brief,
            () if brief else self._blobs.telling,
        )  # fmt: skip

    def pass_on(self, now: Now) -> Iterator[Effect]:
        """Others' news, to the peers that we push everything to; HELLO finds what is left."""
        if not self._to_pass or now.mono_ms - self._passed_ms < PASS_ON_MS:
            return
        self._passed_ms = now.mono_ms
        news, self._to_pass = self._to_pass, []
        newest = {have.raw: (have, source, broadcast) for have, source, broadcast in news}
        for link in self._state.links.values():
            if link.pushed != PUSH_ALL:
                continue
            raws = [
                have.raw
                for have, source, broadcast in newest.values()
                if source != link.id
                and have.signer != link.peer
                and not (broadcast and link.broadcasts)
            ]
            for part in batches(raws):
                yield send(link, Haves(part))

"""Stating: our own HAVEs, others' HAVEs, and passing them on."""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core.entry import LogId
from meshrelay.core.events import (
    Broadcast,
    Covered,
    Effect,
    KeepHave,
    LookUp,
    Now,
    Refused,
    SendFrame,
)
from meshrelay.core.following import Following
from meshrelay.core.frames import Haves, encode_frame
from meshrelay.core.have import NO_NONCE, Have, check_have, make_have, read_have
from meshrelay.core.link import LinkState
from meshrelay.core.state import State, batches, send

# One HAVE a minute when nothing changed; on change no faster than this, and slower the
# more nodes there are, so that receipts never take more than a trickle of a narrow line.
HAVE_IDLE_MS = 60_000
HAVE_CHANGE_MS = 2_000
HAVE_CHANGE_ARCHIVE_MS = 500
HAVE_CHANGE_PER_NODE_MS = 100
PASS_ON_MS = 500


class Statements:
    """Receipts in and out. `changed` is set by the machine when something was committed."""

    def __init__(self, state: State, following: Following) -> None:
        self._state = state
        self._following = following
        self.changed = True
        self.health: dict[int, int | str | list[int]] = {}
        self.heard: dict[bytes, tuple[int, str, bytes]] = {}  # signer -> pt_ms, bearer, first hop
        self._stated_ms: int | None = None
        self._since = [0, 0, 0]  # change numbers of our last three HAVEs
        self._to_pass: list[tuple[Have, int | None, bool]] = []
        self._passed_ms = 0

    def greet(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """A new link gets our own word and every HAVE that is still the newest on something."""
        kept = [have.raw for have in self._state.receipts.kept() if have.signer != link.peer]
        for raws in batches([self._make(NO_NONCE, now).raw, *kept]):
            yield send(link, Haves(raws))

    def answer(self, link: LinkState, nonce: bytes, now: Now) -> Iterator[Effect]:
        """An archive answers a WANT at once with a fresh HAVE that carries its nonce."""
        if self._state.is_archive and nonce != NO_NONCE:
            yield send(link, Haves([self._make(nonce, now).raw]))

    def received(
        self, raw: bytes, bearer: str, via: bytes, link: LinkState | None, now: Now
    ) -> Iterator[Effect]:
        """Learn from one HAVE and keep it for others, if it says anything new."""
        have = read_have(raw)
        if have.signer == self._state.signer.public:
            return
        if have.signer not in self._state.book.nodes:
            yield Refused("no_credential", have.signer.hex())
            if link is not None and have.signer not in self._following.missing:
                yield from self._following.want_records([have.signer], link, now)
            return
        if not self._state.receipts.is_news(have):
            return
        check_have(have, self._state.book.network)
        newest = self._state.receipts.newest(have.signer)
        self._state.receipts.take(have, self._state.vector)
        if newest is None or have.stated_ms >= newest.stated_ms:
            self.heard[have.signer] = (now.pt_ms, bearer, via)
        self._to_pass.append((have, link.id if link else None, link is None or link.broadcasts))
        yield KeepHave(have.signer, raw)
        yield from self.moved()

    def moved(self) -> Iterator[Effect]:
        """What the receipts learned, as effects."""
        lookups, self._state.receipts.to_look_up = self._state.receipts.to_look_up, []
        for log, seq in lookups:
            yield LookUp(log, seq)
        moved, self._state.receipts.moved = self._state.receipts.moved, []
        for log, low, high in moved:
            yield Covered(log, low, high)

    def found(self, log: LogId, seq: int, entry_id: bytes | None) -> Iterator[Effect]:
        """An entry was looked up: settle the claim at its height."""
        if entry_id is not None:
            self._state.receipts.resolve(log, seq, entry_id)
            yield from self.moved()

    def have_gap_ms(self) -> int:
        """Shortest time between two HAVEs of ours."""
        if self._state.is_archive:
            return HAVE_CHANGE_ARCHIVE_MS
        return max(HAVE_CHANGE_MS, len(self._state.book.nodes) * HAVE_CHANGE_PER_NODE_MS)

    def state_if_due(self, now: Now) -> Iterator[Effect]:
        """Our own HAVE: soon after a change, or once a minute."""
        since = now.mono_ms - self._stated_ms if self._stated_ms is not None else HAVE_IDLE_MS
        if since < (self.have_gap_ms() if self.changed else HAVE_IDLE_MS):
            return
        have = self._make(NO_NONCE, now)
        self._stated_ms = now.mono_ms
        self.changed = False
        self._since = [*self._since[1:], self._state.vector.change]
        data = encode_frame(Haves([have.raw]))
        yield Broadcast(data)
        for link in self._state.links.values():
            if not link.broadcasts:
                yield SendFrame(link.id, data)

    def _make(self, nonce: bytes, now: Now) -> Have:
        """Lines since the last HAVE but one: a lost statement is repeated by the next."""
        state = self._state
        return make_have(
            state.signer, state.book.network, state.vector, state.incarnation, state.past,
            self._since[-2], max(now.pt_ms, 0), nonce, self.health,
        )  # fmt: skip

    def pass_on(self, now: Now) -> Iterator[Effect]:
        """Others' news, to every link that cannot have it already."""
        if not self._to_pass or now.mono_ms - self._passed_ms < PASS_ON_MS:
            return
        self._passed_ms = now.mono_ms
        news, self._to_pass = self._to_pass, []
        newest = {have.raw: (have, source, broadcast) for have, source, broadcast in news}
        for link in self._state.links.values():
            raws = [
                have.raw
                for have, source, broadcast in newest.values()
                if source != link.id
                and have.signer != link.peer
                and not (broadcast and link.broadcasts)
            ]
            for part in batches(raws):
                yield send(link, Haves(part))

"""Links over a broker that may lose, repeat and delay: who is up, who is greeted when.

Sans I/O: time is a parameter, publishing a callable; mqtt.py does the rest. Payloads on
`meshrelay/1/{network}/{from}/{to}` and `/all` are sealed (base.Sealer); inside is one byte, then

    0  greeting: our boot nonce (8), the peer's while our link to it is up, else zeros (8),
       the length of our address (1), the address from which we reach the broker (text),
       the doorman's greeting
    1  frame
    2  goodbye: our boot nonce (8): we closed this link
    3  notice: a frame with records that say why there is no link, or that bring a transit key

A greeting that does not repeat our nonce comes from a peer that has no link to us, and is
answered; one that does is not, so that greetings come to rest. What we cannot open, for want
of its key, is answered by a greeting too: it shows which key we have, and the peer brings ours.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from meshrelay.bearers.base import (
    FRAME_BYTES_MAX,
    GREETING_BYTES_MAX,
    BarredError,
    Doorman,
    LinkEvents,
)
from meshrelay.bearers.clones import Clones
from meshrelay.errors import FrameError, LocalProtocolError, RemoteProtocolError

log = logging.getLogger(__name__)

GREETING, FRAME, GOODBYE, NOTICE = range(4)
NONCE_BYTES = 8
NO_NONCE = bytes(NONCE_BYTES)
# An archive that is up answers within one; a lost greeting costs one.
GREET_EVERY_S = 3.0
ANSWER_EVERY_S = 1.0
# Two missed HELLOs of the sync machine (30 s) and their way.
SILENT_S_MAX = 75.0
# No archive for so long: sync with other wards through the broker.
FALLBACK_AFTER_S = 60.0
FALLBACK_LINKS_MAX = 3
# What the node closed for a reason does not come back in the same breath.
CLOSED_S = 10.0
# A revocation may be long and a struck-off node patient; a key is wanted at once.
BARRED_EVERY_S = 60.0
KEY_EVERY_S = 5.0
ADDRESS_BYTES_MAX = 64
PEERS_MAX = 4096
STATE_BYTES_MAX = 16 * 1024


class State(msgspec.Struct, frozen=True):
    """What a retained `state` payload says; everything else in it is for people."""

    online: bool
    boot: int
    session: int = 0
    process: str = ""


@dataclass
class _Peer:
    state: State | None = None
    link: MqttLink | None = None
    nonce: bytes = NO_NONCE
    greeted_s: float = -1e9
    heard_s: float = -1e9
    deaf_until_s: float = -1e9
    told_s: float = -1e9
    owed: bool = False
    fallback: bool = False


class MqttLink:
    """An open datagram link; see `base.Link`."""

    bearer = "mqtt"
    lossy = True

    def __init__(self, peer: bytes, remote: str, contacts: Contacts) -> None:
        self._peer = peer
        self._remote = remote
        self._contacts = contacts
        self._closing = False
        self._ended = False
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def peer(self) -> bytes:
        return self._peer

    @property
    def remote(self) -> str:
        return self._remote

    @property
    def closing(self) -> bool:
        return self._closing

    def send(self, frame: bytes) -> None:
        """Queue one frame; it may be lost (see `lossy`).

        Raises:
            LocalProtocolError: the frame is empty or passes FRAME_BYTES_MAX.
        """
        if not 0 < len(frame) <= FRAME_BYTES_MAX:
            raise LocalProtocolError(f"a frame of {len(frame)} bytes on {self._remote}")
        if self._closing:
            return
        self.bytes_out += len(frame)
        self._contacts.publish(self._peer, bytes([FRAME]) + frame, None)

    def close(self, reason: str) -> None:
        """Close soon; `down` follows from the event loop, never from inside this call."""
        if self._closing:
            return
        self._closing = True
        asyncio.get_running_loop().call_soon(self._contacts.closed, self, reason)

    def end(self) -> bool:
        """Note the end; True the first time."""
        first = not self._ended
        self._closing = self._ended = True
        return first


class Contacts:
    """Every peer on one broker.

    Call `tick` about once a second and `lost` when the broker is gone. `publish(to, payload,
    generation)` seals with that generation's key, None: the newest; it must not block and
    may drop. `address` is what others may know us by at this broker.
    """

    def __init__(
        self,
        doorman: Doorman,
        events: LinkEvents,
        nonce: bytes,
        publish: Callable[[bytes, bytes, int | None], None],
        now_s: Callable[[], float],
        refused: Counter[str],
        clones: Clones,
        address: Callable[[], str],
    ) -> None:
        self._doorman = doorman
        self._events = events
        self._nonce = nonce
        self.publish = publish
        self._now_s = now_s
        self._refused = refused
        self._clones = clones
        self._address = address
        self._peers: dict[bytes, _Peer] = {}
        self._archive_s = now_s()

    def up_count(self) -> int:
        return sum(peer.link is not None for peer in self._peers.values())

    def started(self, archives: list[bytes]) -> None:
        """The broker took us in: greet every archive, whatever its state said."""
        self._archive_s = self._now_s()
        for peer_id in archives:
            if peer_id != self._doorman.node_id:
                self._greet(peer_id, self._peer(peer_id))

    def tick(self, archives: list[bytes]) -> None:
        """Greet who should be up, answer who waits, end what went silent."""
        now_s = self._now_s()
        own = self._doorman.node_id
        others = [peer_id for peer_id in archives if peer_id != own]
        for peer_id in others:
            peer = self._peer(peer_id)
            offline = peer.state is not None and not peer.state.online
            if peer.link is None and not offline and now_s - peer.greeted_s >= GREET_EVERY_S:
                self._greet(peer_id, peer)
        for peer_id, peer in list(self._peers.items()):
            if peer.link is not None and now_s - peer.heard_s > SILENT_S_MAX:
                self._down(peer, "silent")
            if peer.owed and now_s - peer.greeted_s >= ANSWER_EVERY_S:
                self._greet(peer_id, peer)
        if own not in archives:
            self._fall_back(set(others), now_s)

    def _fall_back(self, archives: set[bytes], now_s: float) -> None:
        """Up to three live nodes while no archive answers; let go of them when one does."""
        if any(self._peer(peer_id).link is not None for peer_id in archives):
            self._archive_s = now_s
            for peer in self._peers.values():
                if peer.fallback and peer.link is not None:
                    peer.link.close("an archive is back")
                peer.fallback = False
            return
        if now_s - self._archive_s < FALLBACK_AFTER_S:
            return
        own = int.from_bytes(self._doorman.node_id, "big")
        up = sum(p.link is not None for i, p in self._peers.items() if i not in archives)
        # By distance from our own id: every node chooses others, each the same ones again.
        live = sorted(
            (
                (int.from_bytes(peer_id, "big") ^ own, peer_id, peer)
                for peer_id, peer in self._peers.items()
                if peer_id not in archives
                and peer.state is not None
                and peer.state.online
                and not self._doorman.bars(peer_id)
            ),
            key=lambda item: item[0],
        )
        for _distance, peer_id, peer in live:
            if up >= FALLBACK_LINKS_MAX:
                return
            if peer.link is not None:
                continue
            up += 1
            if now_s - peer.greeted_s >= GREET_EVERY_S:
                peer.fallback = True
                self._greet(peer_id, peer)

    def message(
        self, peer_id: bytes, payload: bytes, done: Callable[[], None], behind: int | None = None
    ) -> None:
        """What a payload of the topic `{peer_id}/{us}` held; `done` is called sooner or later.

        `behind`: the generation of its key, if ours is newer.
        """
        peer = self._peer(peer_id)
        now_s = self._now_s()
        kind = payload[0] if payload else None
        if behind is not None:
            self._tell(peer_id, peer, self._doorman.key_for(peer_id, behind), behind, KEY_EVERY_S)
        try:
            if kind == FRAME:
                self._frame(peer_id, peer, payload[1:], done)
                return
            if kind == NOTICE:
                self._events.heard(peer_id, _frame_of(payload), done)
                return
            if kind == GREETING and now_s >= peer.deaf_until_s:
                self._greeting(peer_id, peer, payload[1:], now_s)
            elif kind == GOODBYE:
                if peer.link is not None and payload[1:] == peer.nonce:
                    self._down(peer, "closed by peer")
            elif kind != GREETING:
                raise FrameError("bad_payload", "unknown type")
        except RemoteProtocolError as error:
            self._count(error.reason, peer_id)
            if isinstance(error, BarredError):
                self._tell_why(peer_id, peer, behind)
            if peer.link is None:
                peer.deaf_until_s = now_s + ANSWER_EVERY_S
            else:
                self._dismiss(peer_id, peer, error.reason)
        done()

    def _frame(self, peer_id: bytes, peer: _Peer, data: bytes, done: Callable[[], None]) -> None:
        now_s = self._now_s()
        if peer.link is None or peer.link.closing:
            if now_s >= peer.deaf_until_s:
                self._answer(peer_id, peer, now_s)
            done()
            return
        if len(data) > FRAME_BYTES_MAX:
            raise FrameError("oversize_frame", f"{len(data)} bytes")
        if not data:
            raise FrameError("empty_frame")
        peer.heard_s = now_s
        peer.link.bytes_in += len(data)
        self._events.frame(peer.link, data, done)

    def _greeting(self, peer_id: bytes, peer: _Peer, block: bytes, now_s: float) -> None:
        nonce, echo = block[:NONCE_BYTES], block[NONCE_BYTES : 2 * NONCE_BYTES]
        address, greeting = _address_of(block[2 * NONCE_BYTES :])
        if len(greeting) > GREETING_BYTES_MAX:
            raise FrameError("oversize_greeting", f"{len(greeting)} bytes")
        if not greeting or nonce == NO_NONCE:
            raise FrameError("bad_preamble", "greeting")
        if self._doorman.admit(greeting, None) != peer_id:
            raise FrameError("wrong_topic", "the greeting is another node's")
        others_link = peer.link is not None and peer.nonce != nonce
        self._clones.met(peer_id, nonce, address, others_link=others_link)
        peer.heard_s = now_s
        if peer.link is not None and peer.nonce != nonce:
            self._down(peer, "restarted")
        peer.nonce = nonce
        fresh = peer.link is None
        link = peer.link = peer.link or MqttLink(peer_id, f"mqtt:{peer_id.hex()[:8]}", self)
        if echo != self._nonce:  # before `up`: the driver's first frame must find us known
            self._answer(peer_id, peer, now_s)
        if fresh:
            log.info("link open link=%s", link.remote)
            self._events.up(link)

    def unreadable(self, peer_id: bytes) -> None:
        """The peer seals with a key that we do not hold: let it see which one we have."""
        peer, now_s = self._peer(peer_id), self._now_s()
        if now_s >= peer.deaf_until_s:
            self._answer(peer_id, peer, now_s)

    def state(self, peer_id: bytes, payload: bytes) -> None:
        """A peer's retained `state`; an end that an older boot left behind says nothing."""
        try:
            if len(payload) > STATE_BYTES_MAX:
                raise FrameError("bad_state")
            state = msgspec.json.decode(payload, type=State)
        except (msgspec.DecodeError, FrameError):
            self._count("bad_state", peer_id)
            return
        peer = self._peer(peer_id)
        known = peer.state
        older = known is not None and (state.boot, state.session) < (known.boot, known.session)
        if older and not state.online:  # a restored store counts its boots anew, and is alive
            return
        peer.state = state
        if not state.online:
            self._down(peer, "peer offline")

    def parked(self, peer_id: bytes) -> None:
        """The broker refuses our topic to this peer; what we send there is not even tried."""
        self._down(self._peer(peer_id), "refused by the broker")

    def closed(self, link: MqttLink, reason: str) -> None:
        """The node closed the link: tell the peer and do not hear it for a while."""
        peer = self._peer(link.peer)
        if peer.link is not link:
            return
        self._dismiss(link.peer, peer, reason)

    def lost(self, reason: str) -> None:
        """The broker is gone, and every link with it."""
        for peer in list(self._peers.values()):
            self._down(peer, reason)
            peer.greeted_s = peer.deaf_until_s = -1e9
            peer.owed = False
            peer.state = None

    def _dismiss(self, peer_id: bytes, peer: _Peer, reason: str) -> None:
        self.publish(peer_id, bytes([GOODBYE]) + self._nonce, None)
        peer.deaf_until_s = self._now_s() + CLOSED_S
        peer.greeted_s = peer.deaf_until_s - GREET_EVERY_S
        self._down(peer, reason)

    def _answer(self, peer_id: bytes, peer: _Peer, now_s: float) -> None:
        peer.owed = True
        if now_s - peer.greeted_s >= ANSWER_EVERY_S:
            self._greet(peer_id, peer)

    def _greet(self, peer_id: bytes, peer: _Peer) -> None:
        peer.greeted_s = self._now_s()
        peer.owed = False
        if self._doorman.bars(peer_id):
            self._tell_why(peer_id, peer, None)
            return
        echo = peer.nonce if peer.link is not None else NO_NONCE
        address = self._address().encode()
        block = self._nonce + echo + bytes([len(address)]) + address + self._doorman.greeting
        self.publish(peer_id, bytes([GREETING]) + block, None)

    def _tell_why(self, peer_id: bytes, peer: _Peer, generation: int | None) -> None:
        notice = self._doorman.notice(peer_id)
        self._tell(peer_id, peer, notice, generation, BARRED_EVERY_S)

    def _tell(
        self, peer_id: bytes, peer: _Peer, notice: bytes, generation: int | None, every_s: float
    ) -> None:
        """Publish a notice, sealed so that the peer can open it; not again and again."""
        now_s = self._now_s()
        if notice and now_s - peer.told_s >= every_s:
            peer.told_s = now_s
            self.publish(peer_id, bytes([NOTICE]) + notice, generation)

    def _down(self, peer: _Peer, reason: str) -> None:
        link, peer.link = peer.link, None
        if link is not None and link.end():
            log.info("link closed link=%s reason=%s", link.remote, reason)
            self._events.down(link, reason)

    def _count(self, reason: str, peer_id: bytes) -> None:
        self._refused[reason] += 1
        log.debug("mqtt refused peer=%s reason=%s", peer_id.hex()[:8], reason)

    def _peer(self, peer_id: bytes) -> _Peer:
        peer = self._peers.get(peer_id)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:  # forget somebody who is not in contact
                idle = next((i for i, p in self._peers.items() if p.link is None), None)
                if idle is not None:
                    del self._peers[idle]
            peer = self._peers[peer_id] = _Peer()
        return peer


def _frame_of(payload: bytes) -> bytes:
    if not 1 < len(payload) <= 1 + FRAME_BYTES_MAX:
        raise FrameError("bad_payload", "notice")
    return payload[1:]


def _address_of(block: bytes) -> tuple[str, bytes]:
    """The address that a greeting shows (empty: not known there), and the rest of it."""
    end = 1 + (block[0] if block else 0)
    if len(block) < end or end > 1 + ADDRESS_BYTES_MAX:
        raise FrameError("bad_preamble", "greeting")
    address = block[1:end].decode("ascii", "replace")
    try:
        if address:
            ipaddress.ip_address(address)
    except ValueError:
        raise FrameError("bad_preamble", "address") from None
    return address, block[end:]

"""The one interface of every bearer: carry frames, know nothing of what they mean.

A bearer (a convergence-layer adapter, RFC 9171 section 1.2) opens links to admitted
peers and carries opaque frames. A stream link keeps order and loses nothing while
it is up; a datagram link may lose, repeat, delay and reorder. What frames mean is
the sync machine's business, who may open a link the `Doorman`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, Protocol

from meshrelay.errors import CredentialError

# A frame must pass AWS IoT's 128 KB and our broker's 128 KiB with room for topics.
FRAME_BYTES_MAX = 64 * 1024
# A greeting is two credentials; nothing else is read from a stranger (trust.md).
GREETING_BYTES_MAX = 4 * 1024
# Network id and record id: all that two nodes which know each other need to say.
SHORT_GREETING_BYTES_MAX = 64
# A stranger who does not greet in this time is a port scanner.
GREETING_SECONDS_MAX = 5.0
# One office behind one address has a handful of nodes, never more.
CONNECTIONS_PER_ADDRESS_MAX = 20
# Why a payload could not be opened, when the sender's key is newer than all of ours.
UNKNOWN_KEY = "unknown_transit_key"


class BarredError(CredentialError):
    """A node that was revoked or suspended asked for a link; it was told and refused."""

    def __init__(self, reason: str, peer: bytes) -> None:
        super().__init__(reason, peer.hex())
        self.peer = peer


class Clone(NamedTuple):
    """Two processes speak with one node's key. An address is empty where it is not known."""

    peer: bytes
    addresses: tuple[str, str]


class Link(Protocol):
    """An open path to one admitted peer."""

    @property
    def peer(self) -> bytes:
        """The peer's node id (32-byte Ed25519 public key)."""

    @property
    def bearer(self) -> str:
        """`lan` or `mqtt`."""

    @property
    def lossy(self) -> bool:
        """True for datagram links: frames may be lost, repeated, reordered."""

    @property
    def remote(self) -> str:
        """Address or topic for log lines and the monitor, never for decisions."""

    def send(self, frame: bytes) -> None:
        """Queue one frame of at most FRAME_BYTES_MAX bytes; never blocks.

        A frame queued on a link that has gone down is dropped silently: the
        `down` callback already told the driver.
        """

    def close(self, reason: str) -> None:
        """Close the link; `down` follows exactly once."""


class LinkEvents(Protocol):
    """What the driver hears; all calls come on the event loop's thread."""

    def up(self, link: Link) -> None:
        """The peer was admitted; frames may be sent from now on."""

    def frame(self, link: Link, data: bytes, done: Callable[[], None]) -> None:
        """One frame came. The driver calls `done` once its content is on disk or dropped.

        An mqtt link sends PUBACK only then; a stream link ignores it.
        """

    def heard(self, peer: bytes, data: bytes, done: Callable[[], None]) -> None:
        """A frame by a node we have no link to: a broadcast (mqtt `all`), or a notice to us.

        `peer` is what the topic claims; nothing but signatures inside can be believed.
        """

    def down(self, link: Link, reason: str) -> None:
        """The link ended; exactly once for each `up`."""


class Doorman(Protocol):
    """Who may open a link: the node's judgement, handed to every bearer."""

    @property
    def node_id(self) -> bytes:
        """Our own node id."""

    @property
    def greeting(self) -> bytes:
        """What we show who does not know us: credentials, at most GREETING_BYTES_MAX bytes."""

    @property
    def short_greeting(self) -> bytes:
        """What names those credentials, at most SHORT_GREETING_BYTES_MAX bytes."""

    def recognise(self, short_greeting: bytes, tls_spki_sha256: bytes) -> bytes | None:
        """The peer's node id (32 bytes) if what it names is held here, else None: ask it.

        Only for bearers on which the peer proved its TLS key: a name alone proves nothing.

        Raises:
            BarredError: send `notice`, close, count by `reason`.
            CredentialError, FrameError: close, count by `reason`.
        """

    def admit(self, greeting: bytes, tls_spki_sha256: bytes | None) -> bytes:
        """Judge a peer's greeting and return its node id (32 bytes).

        `tls_spki_sha256` is SHA-256 of the SubjectPublicKeyInfo of the certificate
        that the peer proved to hold, or None where the bearer has no such proof
        (mqtt: content is signed, the broker's ACL binds topics).

        Raises:
            BarredError: send `notice`, close, count by `reason`.
            CredentialError, SignatureError, FrameError: close, count by `reason`.
        """

    def bars(self, peer: bytes) -> str:
        """Why this node may have no link now: `revoked`, `suspended`; empty: it may."""

    def notice(self, peer: bytes) -> bytes:
        """A frame that tells a barred node why, for it to verify; empty: nothing to tell."""

    def key_for(self, peer: bytes, generation: int) -> bytes:
        """A frame with the peer's transit key, if ours is newer than `generation`; else empty."""


class Opened(NamedTuple):
    """What a sealed payload held, and the generation of the key it was sealed with."""

    data: bytes
    generation: int


class Sealer(Protocol):
    """Keeps what a third party carries (a broker) to the nodes of the network."""

    @property
    def newest(self) -> int | None:
        """Generation of the newest key we hold; None: no key, nothing may be published."""

    def seal(self, data: bytes, topic: str, generation: int | None = None) -> bytes:
        """Hide `data`, which can be opened under this topic only; costs at most 48 bytes.

        With the newest key, unless an older generation is named: only for what tells a node
        that it is behind.
        """

    def open(self, payload: bytes, topic: str) -> Opened:
        """What was sealed, by whichever node of the network.

        Raises:
            FrameError: `unknown_transit_key`, `bad_seal` (altered, truncated, of another topic
                or in clear) or `payload_replayed`: count and drop it; a broker can do all that.
        """


class AddressBook(Protocol):
    """Where peers were last reached; survives restarts (kept in log.db)."""

    def last_good(self) -> list[tuple[str, int]]:
        """(host, port) pairs, newest first."""

    def reached(self, host: str, port: int, peer: bytes) -> None:
        """A link to `peer` came up at this address."""


class Bearer(Protocol):
    """A way to carry frames. `refused` counts what was turned away, by reason."""

    name: str
    refused: Counter[str]

    async def run(self) -> None:
        """Keep links open until cancelled; heals by itself, never raises BearerError out."""

    def broadcast(self, frame: bytes) -> None:
        """Publish to everybody where the bearer can (mqtt `all`); elsewhere do nothing."""

    @property
    def word(self) -> str:
        """One short phrase for status and doctor: `connected`, `refused: ...`."""

    @property
    def clones(self) -> list[Clone]:
        """Keys that were met in two living processes within the last hour."""

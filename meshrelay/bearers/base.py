"""The one interface of every bearer: carry frames, know nothing of what they mean.

A bearer (a convergence-layer adapter, RFC 9171 section 1.2) opens links to admitted
peers and carries opaque frames. A stream link keeps order and loses nothing while
it is up; a datagram link may lose, repeat, delay and reorder. What frames mean is
the sync machine's business, who may open a link the `Doorman`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

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
        """A frame addressed to everybody (mqtt `all` topic) by a node we need no link to.

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
            CredentialError, FrameError: close, count by `reason`.
        """

    def admit(self, greeting: bytes, tls_spki_sha256: bytes | None) -> bytes:
        """Judge a peer's greeting and return its node id (32 bytes).

        `tls_spki_sha256` is SHA-256 of the SubjectPublicKeyInfo of the certificate
        that the peer proved to hold, or None where the bearer has no such proof
        (mqtt: content is signed, the broker's ACL binds topics).

        Raises:
            CredentialError, SignatureError, FrameError: close, count by `reason`.
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
        """One short English phrase for status and doctor: `connected`, `refused: ...`."""

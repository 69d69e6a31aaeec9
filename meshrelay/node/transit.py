"""The transit keys of this node: what a broker carries is sealed with them.

A payload is: generation of the key (4 bytes, big-endian), nonce (24, random), and
XChaCha20-Poly1305-IETF of the content (16 more). The topic is bound to it, so that nobody can
pass on what was meant for others. A broker learns sizes and node ids.
"""

from __future__ import annotations

import logging
import secrets

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_ABYTES,
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError

from meshrelay.bearers.base import UNKNOWN_KEY, Opened
from meshrelay.core.book import RecordBook
from meshrelay.errors import FrameError, LocalProtocolError
from meshrelay.node.identity import Box

log = logging.getLogger("meshrelay.node")

CONTEXT = b"meshrelay/transit/1"
GENERATION_BYTES = 4
NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
HEAD_BYTES = GENERATION_BYTES + NONCE_BYTES
SEAL_BYTES = HEAD_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES
# A broker that repeats: at least so many payloads back it is noticed. What is older is only
# what a lossy link may do anyway: bring a thing twice.
REMEMBERED_MIN = 16_384


class TransitKeys:
    """Implements `bearers.base.Sealer`; follows the live book, so that a raised generation is
    used without a restart."""

    def __init__(self, book: RecordBook, node: bytes, box: Box) -> None:
        self._book = book
        self._node = node
        self._box = box
        self._keys: dict[int, bytes] = {}
        self._looked_at = 0
        self._seen: set[bytes] = set()
        self._seen_before: set[bytes] = set()

    @property
    def newest(self) -> int | None:
        self._look()
        return max(self._keys, default=None)

    def seal(self, data: bytes, topic: str, generation: int | None = None) -> bytes:
        """See `Sealer.seal`.

        Raises:
            LocalProtocolError: that key is not here; ask `newest` first.
        """
        chosen = self.newest if generation is None else generation
        if chosen is None or chosen not in self._keys:
            raise LocalProtocolError(f"sealing without a transit key of generation {chosen}")
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(
            data, self._aad(topic), nonce, self._keys[chosen]
        )
        return chosen.to_bytes(GENERATION_BYTES, "big") + nonce + sealed

    def open(self, payload: bytes, topic: str) -> Opened:
        """See `Sealer.open`."""
        if len(payload) < SEAL_BYTES:
            raise FrameError("bad_seal", f"{len(payload)} bytes")
        generation = int.from_bytes(payload[:GENERATION_BYTES], "big")
        nonce = payload[GENERATION_BYTES:HEAD_BYTES]
        self._look()
        key = self._keys.get(generation)
        if key is None:
            raise FrameError(UNKNOWN_KEY, f"generation {generation}")
        try:
            data = crypto_aead_xchacha20poly1305_ietf_decrypt(
                payload[HEAD_BYTES:], self._aad(topic), nonce, key
            )
        except CryptoError:
            raise FrameError("bad_seal", "altered, or of another topic") from None
        if nonce in self._seen or nonce in self._seen_before:
            raise FrameError("payload_replayed")
        self._remember(nonce)
        return Opened(data, generation)

    def _aad(self, topic: str) -> bytes:
        return CONTEXT + self._book.network + topic.encode()

    def _remember(self, nonce: bytes) -> None:
        if len(self._seen) >= REMEMBERED_MIN:
            self._seen, self._seen_before = set(), self._seen
        self._seen.add(nonce)

    def _look(self) -> None:
        """Open what was sealed to us since the last look."""
        if len(self._book.transit) == self._looked_at:
            return
        self._looked_at = len(self._book.transit)
        for (node, generation), sealed in self._book.transit.items():
            if node == self._node and generation not in self._keys:
                key = self._box.open_sealed(sealed)
                if key is None:
                    log.warning("transit key cannot be opened generation=%d", generation)
                else:
                    self._keys[generation] = key


def transit_keys(book: RecordBook) -> RecordBook:
    """The sealed keys of a book as they are now, for a thread that must not look at the book."""
    copied = RecordBook(book.network)
    copied.transit = dict(book.transit)
    return copied

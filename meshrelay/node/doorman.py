"""Who may open a link: a greeting shows the records that prove a node, or names them.

No generation is asked for: a ward that missed a rotation must not be locked out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshrelay.bearers.base import GREETING_BYTES_MAX, SHORT_GREETING_BYTES_MAX, BarredError
from meshrelay.core import claims
from meshrelay.core.book import RecordBook
from meshrelay.core.codec import decode, encode, is_bytes
from meshrelay.core.frames import Records, encode_frame
from meshrelay.core.records import (
    REVOKED,
    Content,
    NodeCredential,
    Revocation,
    Suspension,
    Transit,
    read_record,
)
from meshrelay.core.signing import ID_BYTES, NETWORK_ID_BYTES
from meshrelay.core.state import batches
from meshrelay.errors import ConfigError, CredentialError, FrameError


class NodeDoorman:
    """Judges greetings by the records alone; no clock, no list of addresses.

    `book` holds our own credential; `known` is the live book in which peers are recognised
    and barred, `book` itself unless given. What a greeting shows is verified against neither,
    so that it adds nothing to the store.
    """

    def __init__(self, book: RecordBook, node_id: bytes, known: RecordBook | None = None) -> None:
        self._network = book.network
        self._enrolled = book
        self._known = book if known is None else known
        self.node_id = node_id
        self._shown: tuple[bytes, bytes] | None = None  # record id, greeting
        self._frames: dict[tuple[bytes, str, int], bytes] = {}
        if node_id not in book.nodes:
            raise ConfigError(
                "the enrolment holds no credential for this node's key; "
                "enrol again with `meshrelay node enrol`"
            )

    @property
    def greeting(self) -> bytes:
        """Our newest credential and what it hangs from, parents first."""
        book, own = self._own()
        if self._shown is None or self._shown[0] != own:
            chain = [book.by_id[each].raw for each in book.needed_for(self.node_id, None)]
            self._shown = own, encode([self._network, chain])
        return self._shown[1]

    @property
    def short_greeting(self) -> bytes:
        return encode([self._network, self._own()[1]])

    def _own(self) -> tuple[RecordBook, bytes]:
        book = self._known if self.node_id in self._known.nodes else self._enrolled
        return book, book.node_records[self.node_id]

    def recognise(self, short_greeting: bytes, tls_spki_sha256: bytes) -> bytes | None:
        """The peer's node id, if we hold the record it names and that names its TLS key."""
        record_id = self._second(short_greeting, SHORT_GREETING_BYTES_MAX)
        if not is_bytes(record_id, ID_BYTES):
            raise FrameError("malformed", "short greeting")
        record = self._known.by_id.get(record_id)
        if record is None:
            return None
        if not isinstance(record.content, NodeCredential):
            raise CredentialError("no_credential", "a record of another type")
        return self._let_in(record.content, tls_spki_sha256)

    def admit(self, greeting: bytes, tls_spki_sha256: bytes | None) -> bytes:
        """The peer's node id, if its credential is of this network and names its TLS key."""
        raws = self._second(greeting, GREETING_BYTES_MAX)
        if type(raws) is not list or any(type(raw) is not bytes for raw in raws):
            raise FrameError("malformed", "greeting")
        shown = RecordBook(self._network)
        node: NodeCredential | None = None
        for raw in raws:
            for record in shown.add(read_record(raw)):
                if isinstance(record.content, NodeCredential):
                    node = record.content
        if node is None:
            raise CredentialError("no_credential", "greeting without a node credential")
        return self._let_in(node, tls_spki_sha256)

    def _let_in(self, node: NodeCredential, tls_spki_sha256: bytes | None) -> bytes:
        if tls_spki_sha256 is not None and tls_spki_sha256 != node.tls_spki_sha256:
            raise CredentialError("wrong_tls_key", node.key.hex())
        reason = self.bars(node.key)
        if reason:
            raise BarredError(reason, node.key)
        return node.key

    def _second(self, greeting: bytes, bytes_max: int) -> Any:
        """What follows the network id, which must be ours; later versions only append."""
        fields = decode(greeting, bytes_max)
        if type(fields) is not list or len(fields) < 2 or not is_bytes(fields[0], NETWORK_ID_BYTES):
            raise FrameError("malformed", "greeting")
        if fields[0] != self._network:
            raise CredentialError("foreign_network", fields[0].hex())
        return fields[1]

    def bars(self, peer: bytes) -> str:
        return claims.bars(self._known, peer)

    def notice(self, peer: bytes) -> bytes:
        """The revocation or the suspensions of this node, with what they hang from."""
        reason = self.bars(peer)
        said = self._known.suspensions.get(peer, [])
        newest = max((each.number for each in said), default=0)

        def tells(content: Content) -> bool:
            match content:
                case Revocation(key=key):
                    return reason == REVOKED and key == peer
                case Suspension(node=node, number=number):
                    return reason == claims.SUSPENDED and (node, number) == (peer, newest)
            return False

        if not reason:
            return b""
        words = len(said) + len(self._known.revoked.get(peer, []))
        return self._frame((peer, reason, words), tells)

    def key_for(self, peer: bytes, generation: int) -> bytes:
        newest = max((each for node, each in self._known.transit if node == peer), default=0)

        def brings(content: Content) -> bool:
            return isinstance(content, Transit) and content[1:3] == (peer, newest)

        if newest <= generation or self.bars(peer):
            return b""
        return self._frame((peer, "transit", newest), brings)

    def _frame(self, asked: tuple[bytes, str, int], wanted: Callable[[Content], bool]) -> bytes:
        """A frame with as many of these records as fit, parents first; made once."""
        if asked not in self._frames:
            found = [record.id for record in self._known if wanted(record.content)]
            raws = [self._known.by_id[each].raw for each in self._known.chain_of(found)]
            self._frames[asked] = encode_frame(Records(next(batches(raws), [])))
        return self._frames[asked]

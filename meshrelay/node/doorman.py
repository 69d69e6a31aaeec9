"""Who may open a link: a greeting shows the records that prove a node, or names them."""

from __future__ import annotations

from typing import Any

from meshrelay.bearers.base import GREETING_BYTES_MAX, SHORT_GREETING_BYTES_MAX
from meshrelay.core.book import RecordBook
from meshrelay.core.codec import decode, encode, is_bytes
from meshrelay.core.records import NodeCredential, read_record
from meshrelay.core.signing import ID_BYTES, NETWORK_ID_BYTES
from meshrelay.errors import ConfigError, CredentialError, FrameError


class NodeDoorman:
    """Judges greetings by the records alone; no clock, no list of addresses.

    `book` holds our own credential; `known` is the live book in which peers are recognised,
    `book` itself unless given. What a greeting shows is verified against neither, so that
    it adds nothing to the store.
    """

    def __init__(self, book: RecordBook, node_id: bytes, known: RecordBook | None = None) -> None:
        self._network = book.network
        self._known = book if known is None else known
        self.node_id = node_id
        if node_id not in book.nodes:
            raise ConfigError(
                "the enrolment holds no credential for this node's key; "
                "enrol again with `meshrelay node enrol`"
            )
        issuer = book.nodes[node_id].issuer
        own = book.node_records[node_id]
        self.greeting = encode([book.network, [book.by_id[issuer].raw, book.by_id[own].raw]])
        self.short_greeting = encode([book.network, own])

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
        return _fitting(record.content, tls_spki_sha256)

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
        return _fitting(node, tls_spki_sha256)

    def _second(self, greeting: bytes, bytes_max: int) -> Any:
        """What follows the network id, which must be ours; later versions only append."""
        fields = decode(greeting, bytes_max)
        if type(fields) is not list or len(fields) < 2 or not is_bytes(fields[0], NETWORK_ID_BYTES):
            raise FrameError("malformed", "greeting")
        if fields[0] != self._network:
            raise CredentialError("foreign_network", fields[0].hex())
        return fields[1]


def _fitting(node: NodeCredential, tls_spki_sha256: bytes | None) -> bytes:
    if tls_spki_sha256 is not None and tls_spki_sha256 != node.tls_spki_sha256:
        raise CredentialError("wrong_tls_key", node.key.hex())
    return node.key

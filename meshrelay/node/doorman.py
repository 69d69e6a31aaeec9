"""Who may open a link: greeting = network id and the records that prove a node."""

from __future__ import annotations

from meshrelay.bearers.base import GREETING_BYTES_MAX
from meshrelay.core.codec import decode, encode, is_bytes
from meshrelay.core.records import NodeCredential, RecordBook, read_record
from meshrelay.core.signing import NETWORK_ID_BYTES
from meshrelay.errors import ConfigError, CredentialError, FrameError


class NodeDoorman:
    """Judges greetings by the records alone; no clock, no list of addresses.

    Verifies against a book of its own, so that a greeting adds nothing to the store.
    """

    def __init__(self, book: RecordBook, node_id: bytes) -> None:
        self._book = book
        self.node_id = node_id
        if node_id not in book.nodes:
            raise ConfigError(
                "the enrolment holds no credential for this node's key; "
                "enrol again with `meshrelay node enrol`"
            )
        issuer = book.nodes[node_id].issuer
        records = [book.by_id[issuer].raw, book.by_id[book.node_records[node_id]].raw]
        self.greeting = encode([book.network, records])

    def admit(self, greeting: bytes, tls_spki_sha256: bytes | None) -> bytes:
        """The peer's node id, if its credential is of this network and names its TLS key."""
        fields = decode(greeting, GREETING_BYTES_MAX)
        if not (
            type(fields) is list
            and len(fields) >= 2
            and is_bytes(fields[0], NETWORK_ID_BYTES)
            and type(fields[1]) is list
            and all(type(raw) is bytes for raw in fields[1])
        ):
            raise FrameError("malformed", "greeting")
        if fields[0] != self._book.network:
            raise CredentialError("foreign_network", fields[0].hex())
        shown = RecordBook(self._book.network)
        node: NodeCredential | None = None
        for raw in fields[1]:
            for record in shown.add(read_record(raw)):
                if isinstance(record.content, NodeCredential):
                    node = record.content
        if node is None:
            raise CredentialError("no_credential", "greeting without a node credential")
        if tls_spki_sha256 is not None and tls_spki_sha256 != node.tls_spki_sha256:
            raise CredentialError("wrong_tls_key", node.key.hex())
        return node.key

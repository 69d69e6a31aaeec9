"""Transit keys for networks that tests build: what the issuer's command seals to each node."""

from __future__ import annotations

from hashlib import blake2b

from nacl.bindings import crypto_box_seal, crypto_scalarmult_base

from meshrelay.cli.authority import Authority
from meshrelay.core.records import Transit, make_transit


def transit_key(generation: int) -> bytes:
    """The key that a test's network has in a generation."""
    return blake2b(b"transit %d" % generation, digest_size=32).digest()


def box_of(name: str) -> tuple[bytes, bytes]:
    """Public and secret box key of a node that has no directory."""
    secret = blake2b(name.encode(), digest_size=32).digest()
    return crypto_scalarmult_base(secret), secret


def seal_key(box: bytes, generation: int) -> bytes:
    return crypto_box_seal(transit_key(generation), box)


def give_transit_keys(network: Authority) -> None:
    """Seal the present generation's key to every node that has none of it yet."""
    book, generation = network.book, network.generation
    network.add(
        [
            make_transit(
                network.issuer,
                network.network,
                Transit(
                    network.issuer_record.id, node.key, generation, seal_key(node.box, generation)
                ),
            )
            for node in book.nodes.values()
            if (node.key, generation) not in book.transit
        ]
    )

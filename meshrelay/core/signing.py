"""COSE_Sign1 (RFC 9052 section 4.2) in one fixed profile: EdDSA, nothing optional.

Stored form is the untagged array [protected {1: -8}, {}, payload, signature]; the
signature covers `external_aad` = context string, network id and what the caller
binds besides. One door to NaCl for everything that verifies.
"""

from __future__ import annotations

from hashlib import blake2b

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from meshrelay.core.codec import bstr_head
from meshrelay.errors import FrameError, SignatureError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
ID_BYTES = 32
NETWORK_ID_BYTES = 16

_HEAD = b"\x84\x43\xa1\x01\x27\xa0"  # array(4), protected << {1: -8} >>, {}
_TAIL = b"\x58\x40"  # bytes(64)
_STRUCTURE = b"\x84\x6aSignature1\x43\xa1\x01\x27"  # ["Signature1", << {1: -8} >>, ...
_END = len(_TAIL) + SIGNATURE_BYTES


def hash32(*parts: bytes) -> bytes:
    """BLAKE2b-256 (RFC 7693) of the concatenation: entry ids, record ids, digests."""
    return blake2b(b"".join(parts), digest_size=ID_BYTES).digest()


def network_id(authority: bytes) -> bytes:
    """BLAKE2b-128 of the authority's public key: the name of a network."""
    return blake2b(authority, digest_size=NETWORK_ID_BYTES).digest()


class Signer:
    """An Ed25519 key that can sign (RFC 8032; deterministic)."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: bytes) -> None:
        self.public, self._secret = crypto_sign_seed_keypair(seed)

    def sign1(self, payload: bytes, aad: bytes) -> bytes:
        """COSE_Sign1 over `payload` with `aad` as external_aad."""
        body = bstr_head(len(payload)) + payload
        signed = crypto_sign(_STRUCTURE + bstr_head(len(aad)) + aad + body, self._secret)
        return _HEAD + body + _TAIL + signed[:SIGNATURE_BYTES]


def payload_of(cose: bytes) -> bytes:
    """The payload of a COSE_Sign1 in our profile, NOT verified.

    Raises:
        FrameError: `malformed`: any other encoding, header or length.
    """
    end = len(cose) - _END
    start = len(_HEAD)
    if end <= start or not cose.startswith(_HEAD) or cose[end : end + 2] != _TAIL:
        raise FrameError("malformed", "not a COSE_Sign1 of this profile")
    first = cose[start]
    if first == 0x59:  # a byte string whose length takes two bytes, and needs them
        good = cose[start + 1] > 0 and end - start - 3 == cose[start + 1] << 8 | cose[start + 2]
        start += 3
    else:
        start += 1 if first < 0x58 else {0x58: 2, 0x5A: 5}.get(first, end)
        good = cose[len(_HEAD) : start] == bstr_head(max(end - start, 0))
    if not good:
        raise FrameError("malformed", "payload is not one byte string")
    return cose[start:end]


def check1(cose: bytes, public: bytes, aad: bytes) -> None:
    """Verify the signature of a COSE_Sign1 whose payload was read by `payload_of`.

    Raises:
        SignatureError: `bad_signature`: another key, context or network, or altered bytes.
    """
    signed = b"".join(
        (cose[-SIGNATURE_BYTES:], _STRUCTURE, bstr_head(len(aad)), aad, cose[len(_HEAD) : -_END])
    )
    try:
        crypto_sign_open(signed, public)
    except (BadSignatureError, ValueError, TypeError):
        raise SignatureError("bad_signature") from None


def verify1(cose: bytes, public: bytes, aad: bytes) -> bytes:
    """Verify a COSE_Sign1 of our profile and return its payload.

    Raises:
        FrameError: `malformed`.
        SignatureError: `bad_signature`.
    """
    payload = payload_of(cose)
    check1(cose, public, aad)
    return payload

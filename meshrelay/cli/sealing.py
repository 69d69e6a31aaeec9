"""Secrets at rest and on their way: passphrases, sealed boxes, one-time tokens.

The command line's door to NaCl; everything here is a libsodium construction as it is.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import NamedTuple

from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from meshrelay.core.signing import KEY_BYTES

# libsodium's "moderate": about a second on a laptop, out of reach for guessing in bulk.
PASSES = 3
MEMORY_KIB = 256 * 1024
SALT_BYTES = argon2id.SALTBYTES
# What a file may ask of this machine: no more than libsodium's "sensitive", with room.
PASSES_MAX, MEMORY_KIB_MAX = 16, 1024 * 1024
# A token lives ten minutes and allows five tries, so less memory is enough.
TOKEN_MEMORY_KIB = 64 * 1024


class Wrapped(NamedTuple):
    """A secret under a passphrase: Argon2id (RFC 9106), then XSalsa20-Poly1305."""

    passes: int
    memory_kib: int
    salt: bytes
    sealed: bytes


def wrap(secret: bytes, passphrase: str) -> Wrapped:
    """Put a secret under a passphrase; the parameters are kept beside it."""
    salt = secrets.token_bytes(SALT_BYTES)
    key = _stretch(passphrase, salt, PASSES, MEMORY_KIB)
    return Wrapped(PASSES, MEMORY_KIB, salt, bytes(SecretBox(key).encrypt(secret)))


def unwrap(wrapped: Wrapped, passphrase: str) -> bytes | None:
    """The secret; None when the passphrase does not fit or the file was altered."""
    key = _stretch(passphrase, wrapped.salt, wrapped.passes, wrapped.memory_kib)
    return unseal(key, wrapped.sealed)


def token_key(token: str, salt: bytes) -> bytes:
    """What both ends of an enrolment on the LAN make of the spoken token."""
    return _stretch(token, salt, PASSES, TOKEN_MEMORY_KIB)


def one_way(key: bytes, direction: bytes) -> bytes:
    """A key for one direction, so that nobody is sent back their own words."""
    return blake2b(direction, key=key, digest_size=KEY_BYTES).digest()


def seal(key: bytes, data: bytes) -> bytes:
    """XSalsa20-Poly1305 with a random nonce in front."""
    return bytes(SecretBox(key).encrypt(data))


def unseal(key: bytes, sealed: bytes) -> bytes | None:
    """What `seal` put in; None when the key is another or a bit was changed."""
    try:
        return SecretBox(key).decrypt(sealed)
    except CryptoError:
        return None


def seal_to(box: bytes, secret: bytes) -> bytes:
    """A sealed box that only the holder of this X25519 key opens."""
    return bytes(SealedBox(PublicKey(box)).encrypt(secret))


def _stretch(passphrase: str, salt: bytes, passes: int, memory_kib: int) -> bytes:
    return argon2id.kdf(
        KEY_BYTES, passphrase.encode(), salt, opslimit=passes, memlimit=memory_kib * 1024
    )

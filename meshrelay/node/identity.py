"""Keys: the node's own, and what a card and a PIN turn into. The node's door to NaCl."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from nacl.bindings import crypto_box_open, crypto_box_seal_open, crypto_scalarmult_base
from nacl.exceptions import CryptoError, InvalidkeyError
from nacl.pwhash import argon2id

from meshrelay.core import claims
from meshrelay.core.book import RecordBook
from meshrelay.core.codec import decode_strings
from meshrelay.core.records import (
    REVOCATION_BYTES_MAX,
    Binding,
    Record,
    Session,
    StaffCredential,
    make_binding,
    make_session,
    network_of,
    read_record,
)
from meshrelay.core.signing import KEY_BYTES, Signer
from meshrelay.errors import ConfigError, RemoteProtocolError

CARD_BYTES = 10
PIN_CHARS_MIN = 6
PIN_CHARS_MIN_HQ = 10
# trust.md: 32 MiB, 3 passes, about 0.1 s here; the parameters are versioned in the binding.
ARGON2_VERSION = 1
ARGON2_KIB = 32 * 1024
ARGON2_PASSES = 3
# Of a locked screen: tried at this node only, and it guards no key.
LOCK_KIB = 8 * 1024

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32
_CHECK = _ALPHABET + "*~$=U"


class Box:
    """The node's box key (X25519): opens what is sealed to this node."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.public = box_public(secret)

    def open(self, sender: bytes, nonce: bytes, sealed: bytes) -> bytes | None:
        """A NaCl crypto_box of `sender`; None: not for this key, or altered."""
        try:
            return crypto_box_open(sealed, nonce, sender, self._secret)
        except (CryptoError, ValueError):
            return None

    def open_sealed(self, sealed: bytes) -> bytes | None:
        """What somebody sealed to this key without a name (crypto_box_seal); None: as `open`."""
        try:
            return crypto_box_seal_open(sealed, self.public, self._secret)
        except (CryptoError, ValueError):
            return None


def binding_of(book: RecordBook, staff: bytes, author: Signer) -> bytes | None:
    """The binding in force that names this author key."""
    for binding_id in claims.live_bindings(book, staff):
        known = book.by_id[binding_id].content
        if isinstance(known, Binding) and known.author == author.public:
            return binding_id
    return None


def change_pin(
    book: RecordBook, staff: bytes, code_text: str, pin: str, new_pin: str
) -> Record | None:
    """A binding to a new PIN, signed with the author key of the old one; about 0.2 s.

    Runs in a thread. None: the old PIN does not fit a binding in force.
    """
    staff_id = book.staff[staff].staff_id
    author = Signer(author_seed(code_text, pin, book.network, staff_id))
    before = binding_of(book, staff, author)
    if before is None:
        return None
    known = book.by_id[before].content
    assert isinstance(known, Binding)
    seed = author_seed(code_text, new_pin, book.network, staff_id)
    return bind(book.network, staff, seed, known.number + 1, before, author)


class Keys(NamedTuple):
    """What a node's directory holds."""

    signer: Signer
    box: Box
    network: bytes
    enrolment: Path

    def records(self) -> Iterator[Record]:
        """The records of its enrolment, NOT verified. One at a time: it may be a city's roster.

        Raises:
            ConfigError: not enrolled, or the file is damaged.
        """
        path = self.enrolment
        try:
            with path.open("rb") as file:
                for raw in decode_strings(file.read, REVOCATION_BYTES_MAX):
                    yield read_record(raw)
        except OSError as error:
            raise ConfigError(f"{path}: not enrolled yet; run `meshrelay node enrol`") from error
        except RemoteProtocolError as error:
            raise ConfigError(f"{path}: is damaged; enrol again: {error}") from error


def load_keys(directory: Path) -> Keys:
    """Read a node's key, and the network that its enrolment names.

    Raises:
        ConfigError: not enrolled, or a file is damaged.
    """
    seed, box = (_read_key(directory / "keys" / name) for name in ("node.key", "box.key"))
    path = directory / "enrolment.cbor"
    keys = Keys(Signer(seed), Box(box), b"", path)
    networks = [each for record in keys.records() if (each := network_of([record])) is not None]
    if not networks:
        raise ConfigError(f"{path}: no issuer credential in it; enrol again")
    return keys._replace(network=networks[0])


def _read_key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
        if len(key) != KEY_BYTES:
            raise ValueError("length")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: expected 64 hex digits; run `meshrelay node request` in a new directory"
        ) from error
    return key


def box_public(secret: bytes) -> bytes:
    """The X25519 public key of a 32-byte secret (RFC 7748)."""
    return crypto_scalarmult_base(secret)


def random_bytes(length: int) -> bytes:
    """From the operating system."""
    return secrets.token_bytes(length)


# Cards


def card_text(code: bytes) -> str:
    """80 bits as they are printed: four groups of four, then the check symbol."""
    number = int.from_bytes(code, "big")
    digits = "".join(_ALPHABET[number >> shift & 31] for shift in range(75, -1, -5))
    groups = [digits[start : start + 4] for start in range(0, 16, 4)]
    return "-".join([*groups, _CHECK[number % 37]])


def card_code(text: str) -> bytes:
    """The 10 bytes behind a typed card code; spaces, hyphens, case and width do not matter.

    Raises:
        ValueError: length, a symbol, or the check symbol is wrong: a typing error.
    """
    symbols = unicodedata.normalize("NFKC", text).upper().replace("-", "").replace(" ", "")
    symbols = symbols.translate(str.maketrans("OIL", "011"))
    if len(symbols) != 17 or any(symbol not in _ALPHABET for symbol in symbols[:16]):
        raise ValueError("a card code has 16 symbols and a check symbol")
    number = 0
    for symbol in symbols[:16]:
        number = number << 5 | _ALPHABET.index(symbol)
    if symbols[16] != _CHECK[number % 37]:
        raise ValueError("the check symbol does not fit")
    return number.to_bytes(CARD_BYTES, "big")


def card_signer(code_text: str, network: bytes, staff_id: str) -> Signer:
    """The card key: BLAKE2b(key = code, network id and staff id); made in an instant."""
    code = card_code(code_text)
    return Signer(blake2b(network + staff_id.encode(), key=code, digest_size=32).digest())


def author_seed(code_text: str, pin: str, network: bytes, staff_id: str) -> bytes:
    """Argon2id (RFC 9106) of card code and PIN; about 0.1 s and 32 MiB."""
    salt = blake2b(network + staff_id.encode(), digest_size=16).digest()
    secret = card_code(code_text) + pin.encode()
    return argon2id.kdf(KEY_BYTES, secret, salt, opslimit=ARGON2_PASSES, memlimit=ARGON2_KIB * 1024)


def box_public_of(author_seed: bytes) -> bytes:
    """The box key that belongs to an author key: for what is sealed to a person."""
    return box_public(blake2b(b"box", key=author_seed, digest_size=KEY_BYTES).digest())


def make_person_binding(
    network: bytes,
    staff: Record,
    code_text: str,
    pin: str,
    issuer: tuple[bytes, Signer] | None = None,
) -> Record:
    """The binding that a first log-in with this PIN makes, in whatever ward.

    `issuer`: the credential and key of who binds the card when it is issued, in person.
    """
    content = staff.content
    if not isinstance(content, StaffCredential):
        raise TypeError("not a staff credential")
    seed = author_seed(code_text, pin, network, content.staff_id)
    by, outer = issuer or (b"", card_signer(code_text, network, content.staff_id))
    return bind(network, staff.id, seed, 0, by, outer)


def bind(
    network: bytes, staff: bytes, seed: bytes, number: int, by: bytes, outer: Signer
) -> Record:
    """The binding of the author key of `seed`; `by` and `outer` as core.records.Binding says."""
    author = Signer(seed)
    binding = Binding(
        staff, author.public, box_public_of(seed), ARGON2_VERSION, ARGON2_KIB, ARGON2_PASSES,
        number, by,
    )  # fmt: skip
    return make_binding(outer, author, network, binding)


class Opened(NamedTuple):
    """A log-in: records to publish, the session key, and what reopens a locked screen."""

    records: list[Record]
    session: Record
    signer: Signer
    lock: bytes


def open_session(
    book: RecordBook, staff: bytes, code_text: str, pin: str, origin: bytes, number: int, new: bool
) -> Opened | None:
    """Derive the author key, sign a session record, forget the author key.

    Runs in a thread; reads `book` only. None: the PIN does not fit a binding in force.
    `new`: no binding is in force; one is made with this PIN.
    """
    person = book.staff[staff]
    seed = author_seed(code_text, pin, book.network, person.staff_id)
    author = Signer(seed)
    records: list[Record] = []
    if new:
        card = card_signer(code_text, book.network, person.staff_id)
        reset = claims.reset_of(book, staff)
        binding = bind(book.network, staff, seed, 0, reset or b"", card)
        records.append(binding)
        binding_id = binding.id
    else:
        found = binding_of(book, staff, author)
        if found is None:
            return None
        binding_id = found
    session = Signer(random_bytes(KEY_BYTES))
    content = Session(binding_id, staff, origin, session.public, number)
    record = make_session(author, book.network, content)
    return Opened([*records, record], record, session, lock_of(pin))


def lock_of(pin: str) -> bytes:
    """What a seat keeps to know its PIN again; without the card code it opens nothing else."""
    return argon2id.str(pin.encode(), opslimit=ARGON2_PASSES, memlimit=LOCK_KIB * 1024)


def fits_lock(lock: bytes, pin: str) -> bool:
    """Whether this is the PIN of the log-in; about 30 ms."""
    try:
        return argon2id.verify(lock, pin.encode())
    except InvalidkeyError:
        return False

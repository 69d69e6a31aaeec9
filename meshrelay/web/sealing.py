"""Card and PIN as a log-in page seals them: nobody who only listens learns or replays them.

The page seals to the node's X25519 key (NaCl crypto_box, a fresh key pair each time) and
puts a challenge of this node into the box, which is good once and for two minutes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from meshrelay.node.office import Office
from meshrelay.web import problems

# Typing comes before sealing: only the way to the node counts.
CHALLENGE_S_MAX = 120.0
# Used challenges kept until they are too old anyway; log-ins are limited per address.
USED_MAX = 20_000
_TIME_BYTES = 8
_RANDOM_BYTES = 16
_TAG_BYTES = 16


class SealTicket(Struct, frozen=True):
    """The key to seal to (base64) and a challenge to put into the box, good once."""

    key: str
    challenge: str


class Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    """A NaCl crypto_box from the page's fresh key to the node's; all three base64."""

    page_key: str
    nonce: str
    box: str


class SealedBody(Struct, frozen=True, forbid_unknown_fields=True):
    """In place of a plain body. In the box: JSON {"challenge": …, "fields": the plain body}."""

    sealed: Sealed


class _Inner(Struct, frozen=True, forbid_unknown_fields=True):
    challenge: str
    fields: msgspec.Raw


class Seals:
    """Gives out challenges and opens what was sealed. A challenge needs no memory until used."""

    def __init__(self, office: Office, clock: Callable[[], float] = time.monotonic) -> None:
        self._office = office
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._used: dict[str, float] = {}

    def ticket(self) -> SealTicket:
        """For one request of one page."""
        issued = int(self._clock() * 1000).to_bytes(_TIME_BYTES, "big")
        drawn = issued + secrets.token_bytes(_RANDOM_BYTES)
        challenge = base64.b64encode(drawn + self._tag(drawn)).decode()
        return SealTicket(base64.b64encode(self._office.seal_key).decode(), challenge)

    def open(self, sealed: Sealed) -> bytes:
        """The JSON of the plain body; its challenge is used up whatever comes of it.

        Raises:
            RefusedError: `bad_seal` (400), `stale_seal` (409: replayed or too old).
        """
        raw = self._office.unseal(
            _bytes_of(sealed.page_key), _bytes_of(sealed.nonce), _bytes_of(sealed.box)
        )
        try:
            inner = msgspec.json.decode(raw, type=_Inner)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise problems.bad_seal() from error
        self._use(inner.challenge)
        return bytes(inner.fields)

    def _use(self, challenge: str) -> None:
        drawn = _bytes_of(challenge)
        drawn, tag = drawn[:-_TAG_BYTES], drawn[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(drawn)):
            raise problems.stale_seal()  # of another node, or from before a restart
        now_s = self._clock()
        age_s = now_s - int.from_bytes(drawn[:_TIME_BYTES], "big") / 1000
        while self._used:  # a dict keeps order: the oldest use comes first
            oldest = next(iter(self._used))
            if now_s - self._used[oldest] <= CHALLENGE_S_MAX:
                break
            del self._used[oldest]
        if age_s > CHALLENGE_S_MAX or challenge in self._used or len(self._used) >= USED_MAX:
            raise problems.stale_seal()
        self._used[challenge] = now_s

    def _tag(self, drawn: bytes) -> bytes:
        return hmac.digest(self._secret, drawn, "sha256")[:_TAG_BYTES]


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise problems.bad_seal() from error


def opened_body(raw: bytes, seals: Seals) -> bytes:
    """The plain JSON of a request body that may be sealed; what is no JSON stays as it is."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw
    if fields.keys() != {"sealed"}:
        return raw
    try:
        sealed = msgspec.json.decode(raw, type=SealedBody).sealed
    except msgspec.ValidationError as error:
        raise problems.bad_seal() from error
    return seals.open(sealed)

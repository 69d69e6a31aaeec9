"""Enrolment on the LAN: one node, one token, ten minutes.

    issuer -> node    HELLO, salt (16 bytes)
    node -> issuer    length, secretbox(request)
    issuer -> node    length, secretbox(answer)

Both keys come of Argon2id(token, salt), one for each direction, so that each end knows that
the other was told the token; 64 random bits and five tries leave nothing to guess.
"""

from __future__ import annotations

import re
import secrets
import socket
import struct
import time
from collections.abc import Callable

from meshrelay.cli import sealing
from meshrelay.cli.enrolment import REQUEST_BYTES_MAX
from meshrelay.cli.words import proquint
from meshrelay.errors import ConfigError, RefusedError

PORT_DEFAULT = 7411
TOKEN_WORDS = 4
MINUTES_MAX = 10
WRONG_MAX = 5
# A thousand nodes' credentials are half a megabyte.
ANSWER_BYTES_MAX = 16 * 1024 * 1024
# Whoever connects holds the others up no longer than this; a slow Pi stretches the token first.
PEER_SECONDS_MAX = 10.0
# The issuer stretches the token, signs, and may be serving another.
FETCH_SECONDS_MAX = 60.0
_HELLO = b"meshrelay enrol 1\n"
_HEAD = struct.Struct(">I")
_REQUEST, _ANSWER = b"request", b"answer"


def new_token() -> str:
    """64 random bits as four words."""
    return " ".join(proquint(secrets.randbits(16)) for _ in range(TOKEN_WORDS))


def spoken(token: str) -> str:
    """A typed token as both ends spell it: case and what stands between words do not matter."""
    return " ".join(re.findall(r"[a-z]+", token.lower()))


def serve_one(
    listener: socket.socket,
    token: str,
    admit: Callable[[bytes], bytes],
    seconds_max: float,
    told: Callable[[str], None] = lambda _: None,
) -> str:
    """Wait for the one node that knows the token and hand it its answer; returns its address.

    `told` is called with a sentence on each wrong try.

    Raises:
        RefusedError: nobody came in time, or too many wrong tokens were tried.
        ConfigError: the node's request is none (`admit` says why); the token is used up.
    """
    salt = secrets.token_bytes(sealing.SALT_BYTES)
    key = sealing.token_key(spoken(token), salt)
    deadline, wrong = time.monotonic() + seconds_max, 0
    while (left_s := deadline - time.monotonic()) > 0:
        listener.settimeout(left_s)
        try:
            peer, address = listener.accept()
        except TimeoutError:
            break
        with peer:
            request = _heard(peer, salt, key)
            if request:
                _send(peer, sealing.seal(sealing.one_way(key, _ANSWER), admit(request)))
                return str(address[0])
            if request is None:
                wrong += 1
                told(f"{address[0]}: wrong words, {WRONG_MAX - wrong} more tries")
        if wrong >= WRONG_MAX:
            raise RefusedError(
                "too_many_tries",
                "合言葉が5回違いました。受付を終わりました。",
                f"{WRONG_MAX} tries with a wrong token; nobody was admitted and the token is void.",
                "もう一度 issuer listen を実行してください。",
                "Run `meshrelay issuer listen` again.",
            )
    raise RefusedError(
        "nobody_came",
        "時間内に機器からの申請がありませんでした。",
        "No node came in time; the token is void.",
        "もう一度 issuer listen を実行してください。",
        "Run `meshrelay issuer listen` again.",
    )


def _heard(peer: socket.socket, salt: bytes, key: bytes) -> bytes | None:
    """The request of somebody who knows the token; None: a wrong token, b"": said nothing."""
    try:
        deadline = time.monotonic() + PEER_SECONDS_MAX
        peer.settimeout(PEER_SECONDS_MAX)
        peer.sendall(_HELLO + salt)
        sealed = _receive(peer, REQUEST_BYTES_MAX + 64, deadline)
    except (OSError, EOFError):
        return b""  # gone before it said anything: no try
    return sealing.unseal(sealing.one_way(key, _REQUEST), sealed)


def fetch(host: str, port: int, token: str, request: bytes) -> bytes:
    """Hand a request to an issuer that listens and get the answer.

    Raises:
        RefusedError: the issuer does not answer, or the token is not the one it shows.
    """
    try:
        with socket.create_connection((host, port), PEER_SECONDS_MAX) as peer:
            deadline = time.monotonic() + FETCH_SECONDS_MAX
            hello = _exactly(peer, len(_HELLO) + sealing.SALT_BYTES, deadline)
            if not hello.startswith(_HELLO):
                raise ConfigError(f"{host}:{port} is not a `meshrelay issuer listen`")
            key = sealing.token_key(spoken(token), hello[len(_HELLO) :])
            _send(peer, sealing.seal(sealing.one_way(key, _REQUEST), request))
            sealed = _receive(peer, ANSWER_BYTES_MAX, deadline)
    except EOFError as error:
        raise _wrong_token() from error
    except OSError as error:
        raise RefusedError(
            "issuer_silent",
            "登録用の端末が応答しません。",
            f"{host}:{port} does not answer ({error}).",
            "issuer listen の画面の住所を確かめてください。",
            "Compare the address with the one that `meshrelay issuer listen` shows.",
        ) from error
    answer = sealing.unseal(sealing.one_way(key, _ANSWER), sealed)
    if answer is None:
        raise _wrong_token()
    return answer


def _wrong_token() -> RefusedError:
    return RefusedError(
        "wrong_token",
        "合言葉が違うか、期限が切れています。",
        "The token is wrong or void.",
        "issuer listen の画面の4つの語を確かめてください。",
        "Compare the four words with those that `meshrelay issuer listen` shows.",
    )


def _send(peer: socket.socket, data: bytes) -> None:
    peer.sendall(_HEAD.pack(len(data)) + data)


def _receive(peer: socket.socket, bytes_max: int, deadline: float) -> bytes:
    (length,) = _HEAD.unpack(_exactly(peer, _HEAD.size, deadline))
    if length > bytes_max:
        raise OSError(f"{length} bytes announced, at most {bytes_max} expected")
    return _exactly(peer, length, deadline)


def _exactly(peer: socket.socket, length: int, deadline: float) -> bytes:
    """So many bytes by then, however slowly they drip. Raises OSError, EOFError."""
    data = bytearray()
    while len(data) < length:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("too slow")
        peer.settimeout(left_s)
        part = peer.recv(min(length - len(data), 65_536))
        if not part:
            raise EOFError("the other end closed")
        data += part
    return bytes(data)

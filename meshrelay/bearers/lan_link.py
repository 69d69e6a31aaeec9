"""One TCP connection between two nodes: blocks, the preamble, then frames.

On the wire, inside TLS 1.3, every block is a 4-byte big-endian length and its bytes:

    both ways             name     boot nonce (8) and the doorman's short greeting
    both ways             answer   1 byte: 1 I know you, 0 greet me in full
    who was asked         greeting the doorman's greeting
    larger id -> smaller  known    1 byte: a link is open here; 8 bytes: opens heard
    smaller id -> larger  verdict  1 byte: 1 open, 0 duplicate
    both ways             frames

Credentials are most of a greeting, and two nodes that met before hold each other's: a
reconnect names them only. Nothing else is read from a peer that was not admitted.

Who is barred (revoked, suspended) hears the byte 2 instead of an answer, `known` or verdict,
then a notice: the frame that says why. It is read only from a peer that was admitted here.

The node with the smaller id decides which of several connections is the link, because
two deciders could each keep the one that the other drops. `opens heard` tells it whether
the other end already knows of the link it opened last: a peer that has heard of it and
has it no longer lost it, and the new connection replaces it; one that has not yet heard
of it merely dialled at the same moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from meshrelay.bearers.base import (
    FRAME_BYTES_MAX,
    GREETING_BYTES_MAX,
    GREETING_SECONDS_MAX,
    SHORT_GREETING_BYTES_MAX,
    BarredError,
    Doorman,
)
from meshrelay.bearers.dial import CONNECT_SECONDS_MAX, connect
from meshrelay.bearers.discovery import Address
from meshrelay.bearers.tls import spki_sha256
from meshrelay.errors import CredentialError, FrameError, LocalProtocolError

LENGTH_BYTES = 4
NONCE_BYTES = 8
KNOWN_BYTES = 9
ASK, KNOWN, BARRED = b"\x00", b"\x01", b"\x02"
# Four full grants of the sync machine (1 MiB each): more is queued only for a peer that
# does not read.
QUEUE_BYTES_MAX = 4 * 1024 * 1024
# A path that swallowed bytes for so long is gone, though nobody closed it.
SILENT_CUT_SECONDS = 10
# Polite TLS goodbye; a dead path must not hold a shutdown up.
GOODBYE_SECONDS_MAX = 1.0


class NoticedError(CredentialError):
    """The peer refused our greeting, and told why in a notice."""

    def __init__(self, peer: bytes, notice: bytes) -> None:
        super().__init__("barred_by_peer", peer.hex())
        self.peer = peer
        self.notice = notice


@dataclass(frozen=True)
class Known:
    """What the larger node says about the pair before the smaller decides."""

    live: bool
    opens: int

    def encode(self) -> bytes:
        return bytes([self.live]) + self.opens.to_bytes(8, "big")

    @classmethod
    def decode(cls, block: bytes) -> Known:
        if len(block) != KNOWN_BYTES or block[0] > 1:
            raise FrameError("bad_preamble", "known")
        return cls(live=block[0] == 1, opens=int.from_bytes(block[1:], "big"))


class Connection:
    """A TLS connection after its handshake: writes and reads whole blocks."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.Transport) -> None:
        self._reader = reader
        self.transport = transport
        self.remote, self.remote_host = _names(transport.get_extra_info("peername"))
        _, self.local_host = _names(transport.get_extra_info("sockname"))
        self.bytes_in = 0
        self.bytes_out = 0
        raw = transport.get_extra_info("socket")
        if raw is not None:
            notice_silent_cuts(raw)

    @property
    def peer_certificate(self) -> bytes:
        """DER of the certificate that the peer proved to hold."""
        tls: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        if certificate is None:
            raise FrameError("tls", "no certificate")
        return certificate

    def write(self, block: bytes) -> None:
        """Queue one block; never blocks."""
        self.transport.write(len(block).to_bytes(LENGTH_BYTES, "big") + block)
        self.bytes_out += LENGTH_BYTES + len(block)

    async def read(self, bytes_max: int, what: str) -> bytes:
        """The next block.

        Raises:
            FrameError: `oversize_{what}` or `empty_{what}`, before any byte of it is read.
            asyncio.IncompleteReadError, OSError: the connection ended.
        """
        head = await self._reader.readexactly(LENGTH_BYTES)
        length = int.from_bytes(head, "big")
        if length > bytes_max:
            raise FrameError(f"oversize_{what}", f"{length} bytes")
        if length == 0:
            raise FrameError(f"empty_{what}")
        block = await self._reader.readexactly(length)
        self.bytes_in += LENGTH_BYTES + length
        return block

    def queued_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()


class LanLink:
    """An open link over TCP; see `base.Link`."""

    bearer = "lan"
    lossy = False

    def __init__(
        self, connection: Connection, peer: bytes, ended: Callable[[LanLink, str], None]
    ) -> None:
        self._connection = connection
        self._peer = peer
        self._on_ended = ended
        self._closing = False
        self.ended = asyncio.Event()

    @property
    def peer(self) -> bytes:
        return self._peer

    @property
    def remote(self) -> str:
        return self._connection.remote

    @property
    def bytes_in(self) -> int:
        return self._connection.bytes_in

    @property
    def bytes_out(self) -> int:
        return self._connection.bytes_out

    def send(self, frame: bytes) -> None:
        """Queue one frame; a peer that does not read loses its link (`slow`).

        Raises:
            LocalProtocolError: the frame is empty or passes FRAME_BYTES_MAX.
        """
        if not 0 < len(frame) <= FRAME_BYTES_MAX:
            raise LocalProtocolError(f"a frame of {len(frame)} bytes on {self.remote}")
        if self._closing:
            return
        self._connection.write(frame)
        if self._connection.queued_bytes() > QUEUE_BYTES_MAX:
            self.close("slow")

    def close(self, reason: str) -> None:
        """Close soon; `down` follows from the event loop, never from inside this call."""
        if self._closing:
            return
        self._closing = True
        asyncio.get_running_loop().call_soon(self.finish, reason)

    def finish(self, reason: str) -> None:
        """End the link now; only the first call counts."""
        self._closing = True
        if self.ended.is_set():
            return
        self.ended.set()
        if reason == "slow":
            self._connection.abort()
        else:
            self._connection.close()
        self._on_ended(self, reason)

    async def frames(self, take: Callable[[LanLink, bytes], None]) -> None:
        """Hand every frame to `take` until the link ends; nothing comes after its end."""
        while True:
            frame = await self._connection.read(FRAME_BYTES_MAX, "frame")
            if self._closing:
                return
            take(self, frame)


class StreamProtocol(asyncio.StreamReaderProtocol):
    """asyncio's own, with the reader at hand."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=FRAME_BYTES_MAX)
        super().__init__(self.reader)


async def greet(connection: Connection, nonce: bytes, doorman: Doorman) -> tuple[bytes, bytes]:
    """Let both ends learn who the other is: (its node id, its boot nonce).

    Raises:
        NoticedError: the peer bars us.
        RemoteProtocolError: refused by the doorman, or no greeting.
        asyncio.IncompleteReadError, OSError: the connection ended.
    """
    spki = spki_sha256(connection.peer_certificate)
    connection.write(nonce + doorman.short_greeting)
    name = await connection.read(NONCE_BYTES + SHORT_GREETING_BYTES_MAX, "greeting")
    if len(name) <= NONCE_BYTES:
        raise FrameError("bad_preamble", "greeting")
    try:
        peer = doorman.recognise(name[NONCE_BYTES:], spki)
        connection.write(ASK if peer is None else KNOWN)
        answer = await read_step(connection, 1, peer)
        if answer == ASK:
            connection.write(doorman.greeting)
        elif answer != KNOWN:
            raise FrameError("bad_preamble", "answer")
        if peer is None:
            peer = doorman.admit(await connection.read(GREETING_BYTES_MAX, "greeting"), spki)
    except BarredError as barred:
        await _send_away(connection, doorman.notice(barred.peer))
        raise
    return peer, name[:NONCE_BYTES]


async def read_step(connection: Connection, bytes_max: int, peer: bytes | None) -> bytes:
    """The next block of the preamble; `peer`: who was admitted, None if nobody yet.

    Raises:
        NoticedError: it says instead that we are barred.
    """
    block = await connection.read(bytes_max, "preamble")
    if block != BARRED:
        return block
    if peer is None:
        raise CredentialError("barred_by_peer", "by somebody we do not know")
    raise NoticedError(peer, await connection.read(FRAME_BYTES_MAX, "notice"))


async def _send_away(connection: Connection, notice: bytes) -> None:
    """Say why before closing; what the peer said meanwhile is read, or TCP would reset."""
    if not notice:
        return
    connection.write(BARRED)
    connection.write(notice)
    with contextlib.suppress(asyncio.IncompleteReadError, OSError, FrameError):
        await connection.read(GREETING_BYTES_MAX, "greeting")


async def bind(listen: Address) -> list[socket.socket]:
    """Listening sockets for every address that `listen` resolves to."""
    loop = asyncio.get_running_loop()
    host, port = listen
    found = await loop.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    with contextlib.ExitStack() as stack:
        listeners: list[socket.socket] = []
        for family, kind, proto, _canonical, address in dict.fromkeys(found):
            listener = stack.enter_context(socket.socket(family, kind, proto))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setblocking(False)
            if port == 0 and listeners:  # one port for both families
                address = (address[0], listeners[0].getsockname()[1], *address[2:])
            listener.bind(address)
            listener.listen(128)
            listeners.append(listener)
        stack.pop_all()
        return listeners


async def tls_accept(
    raw: socket.socket, context: ssl.SSLContext
) -> tuple[asyncio.Transport, StreamProtocol]:
    """Our half of the handshake with a caller; nothing of it is read before."""
    return await asyncio.get_running_loop().connect_accepted_socket(
        StreamProtocol,
        raw,
        ssl=context,
        ssl_handshake_timeout=GREETING_SECONDS_MAX,
        ssl_shutdown_timeout=GOODBYE_SECONDS_MAX,
    )


async def tls_connect(
    address: Address, context: ssl.SSLContext, hurry: bool
) -> tuple[asyncio.Transport, StreamProtocol]:
    """Connect and shake hands; no host name is sent or checked (a credential follows)."""
    raw = await connect(address, hurry)
    return await asyncio.get_running_loop().create_connection(
        StreamProtocol,
        sock=raw,
        ssl=context,
        server_hostname="",
        ssl_handshake_timeout=CONNECT_SECONDS_MAX,
        ssl_shutdown_timeout=GOODBYE_SECONDS_MAX,
    )


def notice_silent_cuts(raw: socket.socket) -> None:
    """Let the kernel end a connection whose path went silent (about 10 s).

    Covers both cases: unacknowledged bytes (TCP_USER_TIMEOUT, also a peer whose window
    stays shut) and an idle path (keepalive).
    """
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_CUT_SECONDS * 1000)


def _names(address: tuple[str, int] | None) -> tuple[str, str]:
    """An end of a connection with its port, and without."""
    if not address:
        return "unknown", "unknown"
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", host

"""Links over TCP on the office network: mutual TLS 1.3, credentials, then frames.

The wire and the rule for duplicate connections are described in lan_link.py. Addresses
come from the configuration, from mDNS and from the past; an address is only a place to
knock at, who answers is decided by the `Doorman`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from meshrelay.bearers.backoff import Backoff
from meshrelay.bearers.base import (
    CONNECTIONS_PER_ADDRESS_MAX,
    GREETING_SECONDS_MAX,
    AddressBook,
    Clone,
    Doorman,
    LinkEvents,
)
from meshrelay.bearers.clones import Clones
from meshrelay.bearers.dial import HURRY_PAUSE_S, HURRY_SECONDS
from meshrelay.bearers.discovery import Address, Discovery
from meshrelay.bearers.lan_link import (
    KNOWN_BYTES,
    NONCE_BYTES,
    Connection,
    Known,
    LanLink,
    NoticedError,
    bind,
    greet,
    read_step,
    tls_accept,
    tls_connect,
)
from meshrelay.bearers.tls import Contexts
from meshrelay.errors import CredentialError, FrameError, RemoteProtocolError

log = logging.getLogger(__name__)

# All wards of a big city twice over, from all addresses together.
CONNECTIONS_MAX = 512
# Configured, discovered and remembered addresses dialled at the same time.
ADDRESSES_MAX = 256
DIAL_BASE_S = 0.2
# An operator who plugs the cable in looks at the page for about this long.
DIAL_CONFIGURED_CAP_S = 10.0
# Two processes of one key must be known within a minute of both being there.
DIAL_PROPOSED_CAP_S = 45.0
# Where another process of a linked peer's key answered last, and may still live.
DIAL_OTHER_BOOT_CAP_S = 20.0
BIND_RETRY_CAP_S = 10.0
# A peer whose link ends sooner breaks the protocol or is broken: it is not dialled at once.
STEADY_S = 3.0
LAST_GOOD_MAX = 64


@dataclass
class _Pair:
    """What we share with one boot of one peer."""

    boot: bytes
    opens: int = 0
    link: LanLink | None = None

    def live(self) -> LanLink | None:
        return self.link if self.link is not None and not self.link.ended.is_set() else None


class LanBearer:
    """See `base.Bearer`; one instance a node and network.

    `listen` is (host, port) or None; port 0 takes a free one, `bound` tells which.
    `refused` counts what strangers and peers were refused for, by reason.
    """

    name = "lan"

    def __init__(
        self,
        doorman: Doorman,
        events: LinkEvents,
        contexts: Contexts,
        listen: Address | None,
        peers: Sequence[Address],
        addresses: AddressBook,
        discovery: Discovery | None = None,
    ) -> None:
        self._doorman = doorman
        self._events = events
        self._contexts = contexts
        self._listen = listen
        self._peers = tuple(peers)
        self._addresses = addresses
        self._discovery = discovery
        self._boot = secrets.token_bytes(NONCE_BYTES)
        self._pairs: dict[bytes, _Pair] = {}
        self._open: set[Connection] = set()
        self._from: Counter[str] = Counter()
        self._dialers: dict[Address, asyncio.Task[None]] = {}
        self._peer_at: dict[Address, bytes] = {}
        self._boot_at: dict[Address, bytes] = {}
        self._own: set[Address] = set()
        self._group: asyncio.TaskGroup | None = None
        self._trouble = ""
        self.refused: Counter[str] = Counter()
        self._clones = Clones(time.monotonic, self.refused)
        self.bound: Address | None = None
        self.ready = asyncio.Event()

    @property
    def word(self) -> str:
        if self._trouble:
            return f"refused: {self._trouble}"
        if any(pair.live() for pair in self._pairs.values()):
            return "connected"
        return "connecting" if self._dialers else "listening"

    @property
    def clones(self) -> list[Clone]:
        return self._clones.told()

    def broadcast(self, frame: bytes) -> None:
        """A stream link has no topic for everybody: the machine sends to each link."""

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for address in self._peers:
                    self._dial(address, DIAL_CONFIGURED_CAP_S)
                for address in self._addresses.last_good()[:LAST_GOOD_MAX]:
                    self._dial(address, DIAL_PROPOSED_CAP_S)
                if self._listen is not None:
                    group.create_task(self._serve(self._listen))
                else:
                    self.ready.set()
                try:
                    await asyncio.get_running_loop().create_future()  # until cancelled
                finally:
                    self._group = None  # whoever knocks from now on finds nobody
        finally:
            self._group = None
            self._dialers.clear()
            for pair in list(self._pairs.values()):
                if pair.link is not None:
                    pair.link.finish("stopping")
            for connection in list(self._open):
                connection.close()

    # Listening

    async def _serve(self, listen: Address) -> None:
        listeners = await self._bind(listen)
        async with contextlib.AsyncExitStack() as stack:
            for listener in listeners:
                stack.callback(listener.close)
            async with asyncio.TaskGroup() as group:
                for listener in listeners:
                    group.create_task(self._accept(listener))
                if self._discovery is not None and self.bound is not None:
                    group.create_task(
                        self._discovery.run(self.bound[1], self.propose, self.withdraw)
                    )

    async def _bind(self, listen: Address) -> list[socket.socket]:
        backoff = Backoff(DIAL_BASE_S, BIND_RETRY_CAP_S)
        while True:
            try:
                listeners = await bind(listen)
            except OSError as error:
                self._trouble = f"cannot listen on {listen[0]} port {listen[1]} ({error.strerror})"
                log.warning("lan cannot listen host=%s port=%d error=%s", *listen, error)
                await asyncio.sleep(backoff.next_s())
                continue
            self._trouble = ""
            self.bound = (listen[0], listeners[0].getsockname()[1])
            self.ready.set()
            return listeners

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                raw, name = await loop.sock_accept(listener)
            except OSError as error:  # no descriptor free, or the caller has gone again
                log.warning("lan accept failed error=%s", error)
                await asyncio.sleep(DIAL_BASE_S)
                continue
            host = str(name[0])
            if (
                self._from[host] >= CONNECTIONS_PER_ADDRESS_MAX
                or self._from.total() >= CONNECTIONS_MAX
                or self._group is None
            ):
                self._refuse("too_many_connections", host)
                raw.close()
                continue
            self._from[host] += 1
            self._group.create_task(self._welcome(raw, host))

    async def _welcome(self, raw: socket.socket, host: str) -> None:
        try:
            async with self._guarded(host, ours=False):
                async with asyncio.timeout(GREETING_SECONDS_MAX):
                    transport, protocol = await tls_accept(raw, self._contexts.server)
                    connection = Connection(protocol.reader, transport)
                await self._converse(connection, None)
        finally:
            self._from[host] -= 1
            if self._from[host] <= 0:
                del self._from[host]

    # Dialling

    def _dial(self, address: Address, cap_s: float) -> None:
        if self._group is None or address in self._dialers or address in self._own:
            return
        if len(self._dialers) >= ADDRESSES_MAX:
            self.refused["too_many_addresses"] += 1
            return
        self._dialers[address] = self._group.create_task(self._dialer(address, cap_s))

    def propose(self, address: Address) -> None:
        """Knock there too, until it is withdrawn; heard by mDNS or read in a HAVE."""
        self._own.discard(address)
        self._dial(address, DIAL_PROPOSED_CAP_S)

    def withdraw(self, address: Address) -> None:
        """mDNS no longer names it; an open link stays, and so does a configured address."""
        if address in self._peers or address in self._addresses.last_good()[:LAST_GOOD_MAX]:
            return
        peer = self._peer_at.get(address)
        pair = self._pairs.get(peer) if peer is not None else None
        if pair is not None and pair.live():
            return
        task = self._dialers.pop(address, None)
        if task is not None:
            task.cancel()

    async def _dialer(self, address: Address, cap_s: float) -> None:
        backoff = Backoff(DIAL_BASE_S, cap_s)
        lost_s = -HURRY_SECONDS
        try:
            while address not in self._own:
                since_s = time.monotonic()
                link = self._link_at(address)
                if link is not None:
                    await link.ended.wait()
                met = True if link else await self._knock(address, since_s - lost_s < HURRY_SECONDS)
                now_s = time.monotonic()
                if met and now_s - since_s >= STEADY_S:
                    backoff.reset()
                    lost_s = now_s
                elif met is False:  # it is there, but not for us: no hurry
                    lost_s = -HURRY_SECONDS
                hurry = now_s - lost_s < HURRY_SECONDS
                await asyncio.sleep(HURRY_PAUSE_S if hurry else self._wait_s(address, backoff))
            log.warning("lan address is our own host=%s port=%d", *address)
        finally:
            self._dialers.pop(address, None)

    def _pair_at(self, address: Address) -> _Pair | None:
        peer = self._peer_at.get(address)
        return self._pairs.get(peer) if peer is not None else None

    def _link_at(self, address: Address) -> LanLink | None:
        """The open link with the process that answers there, which makes knocking needless."""
        pair = self._pair_at(address)
        if pair is None or self._boot_at.get(address) != pair.boot:
            return None
        return pair.live()

    def _wait_s(self, address: Address, backoff: Backoff) -> float:
        pair = self._pair_at(address)
        doubtful = pair is not None and pair.live() is not None
        return min(backoff.next_s(), DIAL_OTHER_BOOT_CAP_S if doubtful else backoff.cap_s)

    async def _knock(self, address: Address, hurry: bool) -> bool | None:
        """Dial once and stay with the link to its end; whether a peer was met.

        None: nobody answered. False: somebody did, but there is no link.
        """
        remote = f"{address[0]}:{address[1]}"
        met = None
        async with self._guarded(remote, ours=True):
            transport, protocol = await tls_connect(address, self._contexts.client, hurry)
            met = False
            connection = Connection(protocol.reader, transport)
            return await self._converse(connection, address)
        return met

    # Both

    @contextlib.asynccontextmanager
    async def _guarded(self, remote: str, *, ours: bool) -> AsyncIterator[None]:
        """Every way in which a connection may fail before it is a link, by name."""
        try:
            yield
        except RemoteProtocolError as error:
            self._refuse(error.reason, remote)
        except TimeoutError:
            self._failed("silent", remote, ours)
        except ssl.SSLError as error:
            self._refuse("tls", remote)
            log.debug("lan handshake failed remote=%s error=%s", remote, error)
        except ConnectionAbortedError:  # asyncio's name for a TLS handshake that dragged on
            self._failed("silent", remote, ours)
        except (asyncio.IncompleteReadError, OSError) as error:
            self._failed("closed_early", remote, ours)
            log.debug("lan no link remote=%s error=%s", remote, error)

    def _failed(self, reason: str, remote: str, ours: bool) -> None:
        """An address where nobody answers is no refusal; a caller who says nothing is."""
        if not ours:
            self._refuse(reason, remote)

    def _refuse(self, reason: str, remote: str) -> None:
        self.refused[reason] += 1
        count = self.refused[reason]
        loud = count == 10 ** (len(str(count)) - 1)  # 1, 10, 100: strangers cannot fill the log
        log.log(
            logging.INFO if loud else logging.DEBUG,
            "connection refused remote=%s reason=%s count=%d",
            remote,
            reason,
            count,
        )

    async def _converse(self, connection: Connection, dialled: Address | None) -> bool:
        """From the end of the TLS handshake to the end of the connection."""
        alive_s = time.monotonic()
        self._open.add(connection)
        try:
            async with asyncio.timeout(GREETING_SECONDS_MAX):
                peer, boot = await greet(connection, self._boot, self._doorman)
                if dialled is not None:
                    self._peer_at[dialled], self._boot_at[dialled] = peer, boot
                if peer == self._doorman.node_id:
                    self._meet_ourselves(connection, boot, dialled)
                    return False
                there = connection.remote if dialled else connection.remote_host
                self._check_process(peer, boot, there, alive_s)
                link = await self._decide(connection, peer, boot)
            if link is None:
                log.debug("connection dropped remote=%s reason=duplicate", connection.remote)
                return True
            if dialled is not None:
                self._addresses.reached(*dialled, peer)
            await self._listen_to(link)
            return True
        except NoticedError as noticed:
            self._events.heard(noticed.peer, noticed.notice, _nothing)
            raise
        finally:
            self._open.discard(connection)
            connection.close()

    def _meet_ourselves(self, connection: Connection, boot: bytes, dialled: Address | None) -> None:
        if boot != self._boot:
            there = connection.remote if dialled else connection.remote_host
            self._clones.own_key_at(self._doorman.node_id, there, connection.local_host)
        elif dialled is not None:
            self._own.add(dialled)

    def _check_process(self, peer: bytes, boot: bytes, there: str, alive_s: float) -> None:
        """One link a key: while the newest process of it has one, an older gets none.

        Raises:
            CredentialError: `older_process`.
        """
        pair = self._pairs.get(peer)
        other = pair is not None and pair.boot != boot and pair.live() is not None
        known = self._clones.met(peer, boot, there, alive_s, other)
        if known and other:
            raise CredentialError("older_process", there)

    async def _decide(self, connection: Connection, peer: bytes, boot: bytes) -> LanLink | None:
        """The link that this connection became, or None for a duplicate."""
        if self._doorman.node_id < peer:
            known = Known.decode(await read_step(connection, KNOWN_BYTES, peer))
            pair = self._pairs.get(peer)
            if (
                pair is not None
                and pair.boot == boot
                and pair.live()
                and (known.live or known.opens != pair.opens)
            ):
                connection.write(b"\x00")
                return None
            connection.write(b"\x01")
        else:
            pair = self._pairs.get(peer)
            same = pair is not None and pair.boot == boot
            live = same and pair is not None and pair.live() is not None
            connection.write(Known(live, pair.opens if same and pair else 0).encode())
            verdict = await read_step(connection, 1, peer)
            if verdict == b"\x00":
                return None
            if verdict != b"\x01":
                raise FrameError("bad_preamble", "verdict")
        return self._up(connection, peer, boot)

    def _up(self, connection: Connection, peer: bytes, boot: bytes) -> LanLink:
        old = self._pairs.get(peer)
        link = LanLink(connection, peer, self._ended)
        self._pairs[peer] = _Pair(boot, 1 if old is None or old.boot != boot else old.opens + 1)
        if old is not None and old.link is not None:
            old.link.finish("replaced")
        self._pairs[peer].link = link
        log.info("link open link=lan:%s peer=%s", link.remote, peer.hex()[:8])
        self._events.up(link)
        return link

    async def _listen_to(self, link: LanLink) -> None:
        reason = "closed by peer"
        try:
            await link.frames(self._take)
        except RemoteProtocolError as error:
            self.refused[error.reason] += 1
            reason = error.reason
        except asyncio.IncompleteReadError:
            pass
        except TimeoutError:  # ETIMEDOUT, see notice_silent_cuts
            reason = "silent"
        except OSError as error:
            reason = f"connection lost ({error.strerror or type(error).__name__})"
        except asyncio.CancelledError:
            reason = "stopping"
            raise
        finally:
            link.finish(reason)

    def _take(self, link: LanLink, frame: bytes) -> None:
        self._events.frame(link, frame, _nothing)

    def _ended(self, link: LanLink, reason: str) -> None:
        log.info("link closed link=lan:%s reason=%s", link.remote, reason)
        self._events.down(link, reason)


def _nothing() -> None:
    """A stream has no PUBACK."""

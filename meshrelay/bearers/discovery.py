"""mDNS: who else is on this office network (RFC 6762, RFC 6763).

A hint and nothing more: anybody can announce anything, so a proposal is an address to
knock at and never decides who a peer is. mDNS ends at the building's router.

zeroconf does not notice an interface or address that appears after its start, so the
addresses are watched and the whole instance is made anew when they change.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable

import ifaddr
from zeroconf import Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger(__name__)

Address = tuple[str, int]

SERVICE = "_meshrelay._tcp.local."
VERSION = "1"
PREFIX_HEX = 8
# An instance name must be unique on the link: twice the prefix makes a clash a clone.
INSTANCE_HEX = 16
WATCH_SECONDS = 5.0
RESOLVE_MS_MAX = 3000
# A node has a handful of addresses; a liar may claim thousands.
ADDRESSES_PER_PEER_MAX = 8
PEERS_MAX = 64


class Discovery:
    """Announces this node and proposes the addresses of others of its network.

    `run` never raises for what the network does; it retries when no interface can be
    used yet. Proposals of one peer are withdrawn when its announcement goes, which for
    a crashed peer may take 19 minutes.
    """

    def __init__(self, network_id: bytes, node_id: bytes) -> None:
        self._network = network_id.hex()[:PREFIX_HEX]
        self._node = node_id.hex()
        self._found: dict[str, tuple[Address, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.word = "starting"

    async def run(
        self, port: int, propose: Callable[[Address], None], withdraw: Callable[[Address], None]
    ) -> None:
        """Announce `port` and browse until cancelled."""
        while True:
            addresses = own_addresses()
            try:
                async with self._announced(port, addresses, propose, withdraw):
                    self.word = "announced"
                    await _changed(addresses)
                log.info("mdns restarted reason=addresses changed")
            except (OSError, Error) as error:  # no interface up, or port 5353 held exclusively
                self.word = f"refused: {error}"
                log.warning("mdns failed error=%s", error)
                await asyncio.sleep(WATCH_SECONDS)

    @contextlib.asynccontextmanager
    async def _announced(
        self,
        port: int,
        addresses: frozenset[str],
        propose: Callable[[Address], None],
        withdraw: Callable[[Address], None],
    ) -> AsyncIterator[None]:
        six = any(":" in address for address in addresses)
        zero = AsyncZeroconf(
            interfaces=InterfaceChoice.All,
            ip_version=IPVersion.All if six else IPVersion.V4Only,
        )

        def changed(
            zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
        ) -> None:
            if state_change is ServiceStateChange.Removed:
                self._gone(name, withdraw)
                return
            task = asyncio.get_running_loop().create_task(
                self._resolve(zero, name, propose, withdraw)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        try:
            info = service_info(self._network, self._node, port, addresses)
            await (await zero.async_register_service(info, allow_name_change=True))
            browser = AsyncServiceBrowser(zero.zeroconf, SERVICE, handlers=[changed])
            try:
                yield
            finally:
                await browser.async_cancel()
        finally:
            for task in self._tasks:
                task.cancel()
            await zero.async_close()

    async def _resolve(
        self,
        zero: AsyncZeroconf,
        name: str,
        propose: Callable[[Address], None],
        withdraw: Callable[[Address], None],
    ) -> None:
        info = AsyncServiceInfo(SERVICE, name)
        if not await info.async_request(zero.zeroconf, RESOLVE_MS_MAX):
            return
        before = self._found.get(name, ())
        found = self.judge(name, info)
        for address in set(before) - set(found):
            withdraw(address)
        for address in found:
            propose(address)

    def judge(self, name: str, info: AsyncServiceInfo) -> tuple[Address, ...]:
        """The addresses worth knocking at; empty for other networks and for ourselves.

        Our own id at another machine's address is worth it: whoever answers may be a clone.
        """
        text = info.decoded_properties
        if text.get("v") != VERSION or text.get("n") != self._network or not info.port:
            return ()
        if name not in self._found and len(self._found) >= PEERS_MAX:
            return ()
        hosts = [host for host in info.parsed_scoped_addresses() if _usable(host)]
        if text.get("p") == self._node[:PREFIX_HEX]:
            own = {host.partition("%")[0] for host in own_addresses()}
            hosts = [host for host in hosts if host.partition("%")[0] not in own]
            if not hosts:
                return ()
        found = tuple((host, info.port) for host in hosts[:ADDRESSES_PER_PEER_MAX])
        self._found[name] = found
        return found

    def _gone(self, name: str, withdraw: Callable[[Address], None]) -> None:
        for address in self._found.pop(name, ()):
            withdraw(address)


def service_info(network: str, node: str, port: int, addresses: frozenset[str]) -> AsyncServiceInfo:
    """What this node announces: version, network prefix, node prefix, addresses."""
    instance = f"meshrelay-{node[:INSTANCE_HEX]}"
    return AsyncServiceInfo(
        SERVICE,
        f"{instance}.{SERVICE}",
        port=port,
        properties={"v": VERSION, "n": network, "p": node[:PREFIX_HEX]},
        server=f"{instance}.local.",
        parsed_addresses=sorted(address.partition("%")[0] for address in addresses),
    )


def own_addresses() -> frozenset[str]:
    """Addresses of this machine that others can reach; IPv6 link-local with its scope."""
    found: set[str] = set()
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            host = ip.ip if isinstance(ip.ip, str) else f"{ip.ip[0]}%{adapter.name}"
            if not ipaddress.ip_address(host).is_loopback:
                found.add(host)
    return frozenset(found)


async def _changed(before: frozenset[str]) -> None:
    """Return once the addresses are others; ifaddr can only be asked, it never tells."""
    now = before
    while now == before:
        await asyncio.sleep(WATCH_SECONDS)
        now = own_addresses()


def _usable(host: str) -> bool:
    address = ipaddress.ip_address(host)
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        return False
    # A link-local address without its scope leads nowhere.
    return not (address.version == 6 and address.is_link_local and "%" not in host)

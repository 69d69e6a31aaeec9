"""This machine's own addresses, to tell people what to type."""

from __future__ import annotations

import ifaddr


def own_addresses() -> set[str]:
    """Every address of every interface, IPv4 and IPv6."""
    found = set()
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            # An IPv6 address comes as (address, flow, scope).
            found.add(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
    return found


def first_own_address() -> str:
    """The address that a neighbour on the LAN most likely reaches, else the loopback's."""
    own = sorted(name for name in own_addresses() if ":" not in name)
    return next((name for name in own if not name.startswith("127.")), "127.0.0.1")


def shown(host: str, port: int) -> str:
    """`host:port` as it is typed into an address line."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

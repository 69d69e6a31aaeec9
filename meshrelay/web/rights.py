"""Where special rights may be used: over https, or at the node's own console.

trust.md: over plain http somebody on the LAN can read and alter pages; hq, instructor and
registrar may talk there as everybody, but not give orders, unless the network relaxes it.
"""

from __future__ import annotations

import ipaddress

from aiohttp import web
from msgspec import Struct

from meshrelay.core.records import ROLES_BOUND
from meshrelay.node.office import Person
from meshrelay.web import problems


class Policy(Struct, frozen=True):
    """What the operator decided for this node's pages.

    `https_port`: where the encrypted pages are, None if there are none. `address`: host:port
    under which phones reach the page, for links made at the console.
    """

    https_port: int | None = None
    rights_over_http: bool = False
    address: str = ""


def has_rights(person: Person) -> bool:
    """Whether the person has a role for which the way to the node matters."""
    return not ROLES_BOUND.isdisjoint(person.roles)


def is_wired(request: web.Request) -> bool:
    """Whether the browser runs on the node itself; what a header says of it proves nothing."""
    try:
        address = ipaddress.ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def may_use_rights(request: web.Request, policy: Policy) -> bool:
    """Whether this connection is good enough for orders and cards."""
    return request.secure or policy.rights_over_http or is_wired(request)


def check_rights(request: web.Request, person: Person, policy: Policy) -> None:
    """Refuse what needs a role over plain http; whether the role is there the node judges.

    Raises:
        RefusedError: `need_https` (403), with the address to open instead.
    """
    if has_rights(person) and not may_use_rights(request, policy):
        raise problems.need_https(https_address(request, policy))


def https_address(request: web.Request, policy: Policy) -> str:
    """The same page's host on the encrypted port, "" if there is none."""
    if policy.https_port is None or request.secure:
        return ""
    host = request.url.host or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if policy.https_port == 443 else f":{policy.https_port}"
    return f"https://{host}{port}/"


def link_base(request: web.Request, policy: Policy) -> str:
    """Scheme and host of a link for somebody else's device."""
    if is_wired(request) and policy.address:
        return f"http://{policy.address}"
    return f"{request.scheme}://{request.host}"

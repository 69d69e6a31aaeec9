"""How often somebody may ask: token buckets, kept in memory and bounded."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Hashable

from msgspec import Struct

# A person types; an outbox that waited a day empties in one burst. A stolen session cannot
# fill the disk faster than the lanes' quotas are evicted.
POSTS_BURST = 600
POSTS_PER_S = 10.0
# A ward's shift change at one shared PC or behind one router: 60 people within a minute. Each
# try costs 0.1 s of the node's one Argon2id at a time.
LOGINS_BURST = 90
LOGINS_PER_S = 1.0
# Made-up addresses must not fill memory.
KEYS_MAX = 10_000


class Limits(Struct, frozen=True):
    """What one session may post and one address may try. The node's own console is spared by
    default: who runs programs there can fill the disk without us."""

    posts_burst: int = POSTS_BURST
    posts_per_s: float = POSTS_PER_S
    logins_burst: int = LOGINS_BURST
    logins_per_s: float = LOGINS_PER_S
    spare_console: bool = True


class Buckets:
    """One token bucket for each key: `burst` at once, then `per_s` a second."""

    def __init__(
        self, burst: int, per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._left: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable) -> float:
        """0.0 and one token less, or the seconds until there is one."""
        now_s = self._clock()
        left, at_s = self._left.pop(key, (float(self._burst), now_s))
        left = min(self._burst, left + (now_s - at_s) * self._per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        if not wait_s:
            left -= 1
        self._left[key] = (left, now_s)
        if len(self._left) > KEYS_MAX:
            del self._left[next(iter(self._left))]  # a dict keeps order: the longest unheard
        return wait_s


def address_key(remote: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 host may use."""
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)

"""One key in two processes: a copied SD card, or a stolen key.

Every process draws a boot nonce and shows it in its greetings. A restart brings a new nonce
and the old one is never heard again; so a process that shows itself alive after another one
of its key was first met is one of two. Addresses are told, never judged.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from meshrelay.bearers.base import Clone

log = logging.getLogger(__name__)

# How long the alarm stands after both were last met.
TOLD_SECONDS = 3600.0
# A node that restarts all day long is remembered by its newest processes.
BOOTS_MAX = 8

ALIVE_TWICE, LATE = "clone", "late_greeting"


@dataclass
class _Process:
    address: str
    first_s: float
    last_s: float


class Clones:
    """The processes in which each key was met; `refused` counts sightings as `clone`."""

    def __init__(self, now_s: Callable[[], float], refused: Counter[str]) -> None:
        self._now_s = now_s
        self._refused = refused
        self._met: dict[bytes, dict[bytes, _Process]] = {}  # peer -> boot nonce, oldest first
        self._told: dict[bytes, tuple[Clone, float]] = {}

    def met(
        self, peer: bytes, boot: bytes, address: str = "", alive_s: float | None = None,
        others_link: bool = False,
    ) -> str:  # fmt: skip
        """Note a process of an admitted peer; returns "" for the newest one of its key.

        Else ALIVE_TWICE, or LATE if that does not prove that both live. `alive_s`: when it
        showed itself alive, if before now. `others_link`: the newest one's link is open.
        """
        now_s = self._now_s()
        known = self._met.setdefault(peer, {})
        process = known.get(boot)
        if process is None:
            known[boot] = _Process(address, now_s, now_s)
            if len(known) > BOOTS_MAX:
                del known[next(iter(known))]
            return ""
        process.last_s, process.address = now_s, address or process.address
        newest = next(reversed(known))
        if newest == boot:
            return ""
        other = known[newest]
        if not others_link and now_s - other.last_s > TOLD_SECONDS:
            del known[newest]  # it is gone, and this one has been alone since
            return self.met(peer, boot, address, alive_s)
        if (now_s if alive_s is None else alive_s) <= other.first_s:
            return LATE
        self._tell(peer, process.address, other.address)
        return ALIVE_TWICE

    def own_key_at(self, own: bytes, address: str, own_address: str) -> None:
        """Another process answered with our own node's key."""
        self._tell(own, address, own_address)

    def told(self) -> list[Clone]:
        """What stands, by node id."""
        now_s = self._now_s()
        self._told = {p: each for p, each in self._told.items() if now_s - each[1] < TOLD_SECONDS}
        return [self._told[peer][0] for peer in sorted(self._told)]

    def _tell(self, peer: bytes, one: str, other: str) -> None:
        self._refused[ALIVE_TWICE] += 1
        one, other = sorted((one, other))
        before = self._told.get(peer)
        known = before[0].addresses if before else ("", "")
        # A later sighting may know less: by the broker's word alone there is no address.
        addresses = known if all(known) and not one else (one, other)
        if before is None:
            log.warning("clone peer=%s addresses=%s,%s", peer.hex()[:8], one, other)
        self._told[peer] = Clone(peer, addresses), self._now_s()

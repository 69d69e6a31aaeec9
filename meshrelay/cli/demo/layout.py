"""Who is where in the demo: four places, a broker, seven cables, and their ports.

Everything here is data and pure functions; a scenario's words for places and
cables are resolved here and nowhere else.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from meshrelay.errors import ConfigError

HOST = "127.0.0.1"
PORT_BASE_DEFAULT = 8100
# A busy machine may have one or two demos running; ten bases are plenty to look at.
PORT_BASES_TRIED_MAX = 10
PORT_BASE_STEP = 100
# Ports at offsets 0..PORT_SPAN-1 of the base belong to the demo.
PORT_SPAN = 30
BROKER = "broker"


@dataclass(frozen=True)
class Place:
    """One node of the demo. `key` is its name in scenarios, `offset` its page's port."""

    key: str
    ward: str
    ward_name: str
    ward_name_en: str
    node_name: str
    archive: bool
    offset: int


PLACES = (
    Place("hq", "00", "本部", "HQ", "本部（市役所）", True, 0),
    Place("kita", "01", "北区", "Kita", "北区役所", False, 1),
    Place("chuo", "02", "中央区", "Chuo", "中央区役所", False, 2),
    Place("nishinari", "03", "西成区", "Nishinari", "西成区役所", False, 3),
)


@dataclass(frozen=True)
class CableSpec:
    """One cable: `near` dials, `far` (a place or the broker) is dialled."""

    name: str
    near: str
    far: str
    offset: int

    @property
    def wan(self) -> bool:
        return self.far == BROKER


CABLES = (
    CableSpec("wan:hq", "hq", BROKER, 11),
    CableSpec("wan:kita", "kita", BROKER, 12),
    CableSpec("wan:chuo", "chuo", BROKER, 13),
    CableSpec("wan:nishinari", "nishinari", BROKER, 14),
    CableSpec("lan:kita-chuo", "kita", "chuo", 15),
    CableSpec("lan:chuo-nishinari", "chuo", "nishinari", 16),
    CableSpec("lan:kita-nishinari", "kita", "nishinari", 17),
)

CONTROL_OFFSET = 9
BROKER_OFFSET = 10
LAN_OFFSET = 20

_PLACE_WORDS = {
    word: place for place in PLACES for word in (place.key, place.ward, place.ward_name)
}


def place_named(word: str) -> Place | None:
    """The place called `word`: its key, ward code or ward name."""
    return _PLACE_WORDS.get(word)


def process_named(word: str) -> str | None:
    """The process called `word`: a place's key, or the broker."""
    if word == BROKER:
        return BROKER
    place = place_named(word)
    return place.key if place else None


def cables_named(word: str) -> tuple[CableSpec, ...]:
    """The cables that `word` means; empty when it means none.

    `wan` all four cables to the broker, `lan` all three between wards, a place all
    of its own cables (to isolate it), otherwise one cable: `wan:kita`, `lan:kita-chuo`.
    """
    if word == "wan":
        return tuple(cable for cable in CABLES if cable.wan)
    if word == "lan":
        return tuple(cable for cable in CABLES if not cable.wan)
    place = place_named(word)
    if place:
        return tuple(cable for cable in CABLES if place.key in (cable.near, cable.far))
    kind, _, ends = word.partition(":")
    wanted = set()
    for end in ends.split("-"):
        place = place_named(end)
        if place is None:
            return ()
        wanted.add(place.key)
    if kind == "wan":
        wanted.add(BROKER)
    return tuple(
        cable
        for cable in CABLES
        if {cable.near, cable.far} == wanted and cable.name.startswith(kind + ":")
    )


def cable_label(cable: CableSpec) -> str:
    """How a person calls the cable, Japanese first."""
    near = _PLACE_WORDS[cable.near]
    if cable.wan:
        return f"{near.ward_name} — 回線（WAN）"
    far = _PLACE_WORDS[cable.far]
    return f"{near.ward_name} — {far.ward_name}（LAN）"


@dataclass(frozen=True)
class Ports:
    """Where everything listens, counted from one base."""

    base: int

    def page(self, place: Place) -> int:
        return self.base + place.offset

    def lan(self, key: str) -> int:
        return self.base + LAN_OFFSET + _PLACE_WORDS[key].offset

    def cable(self, cable: CableSpec) -> int:
        return self.base + cable.offset

    def cable_target(self, cable: CableSpec) -> int:
        return self.broker if cable.wan else self.lan(cable.far)

    @property
    def control(self) -> int:
        return self.base + CONTROL_OFFSET

    @property
    def broker(self) -> int:
        return self.base + BROKER_OFFSET

    def url(self, place: Place) -> str:
        return f"http://{HOST}:{self.page(place)}"

    def all(self) -> list[int]:
        return sorted(
            [self.page(place) for place in PLACES]
            + [self.lan(place.key) for place in PLACES if not place.archive]
            + [self.cable(cable) for cable in CABLES]
            + [self.control, self.broker]
        )


def port_taken(port: int) -> bool:
    """Whether something else listens on this port of the loopback address.

    Only a look: the port may be taken a moment later, so who binds it must still
    say so in one clear sentence.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
            raise
    return False


def free_ports(base: int) -> tuple[Ports, list[str]]:
    """The first free base at or above `base`, and a sentence for each taken one.

    Raises:
        ConfigError: every base that was tried has a taken port, or `base` is out of range.
    """
    notes: list[str] = []
    for attempt in range(PORT_BASES_TRIED_MAX):
        ports = Ports(base + attempt * PORT_BASE_STEP)
        if not 1024 <= ports.base <= 65535 - PORT_SPAN:
            raise ConfigError(
                f"--port-base {ports.base}: expected a number from 1024 to {65535 - PORT_SPAN}"
            )
        taken = [port for port in ports.all() if port_taken(port)]
        if not taken:
            return ports, notes
        following = ports.base + PORT_BASE_STEP
        notes.append(f"port {taken[0]} is taken; trying --port-base {following} instead")
    raise ConfigError(
        f"--port-base {base}: no free range found; the last try failed because "
        f"port {taken[0]} is taken"
    )

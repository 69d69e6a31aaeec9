"""Liars: enrolled nodes that speak badly. The machine inside is honest, its mouth is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshrelay.core.codec import encode
from meshrelay.core.entry import Draft, LogId, make_entry
from meshrelay.core.frames import (
    Entries,
    Haves,
    Hello,
    Lines,
    decode_frame,
    encode_frame,
)
from meshrelay.core.have import NO_NONCE, make_have
from meshrelay.core.signing import hash32
from meshrelay.core.vector import Cursor, Line, Vector
from tests.sim.people import NETWORK

if TYPE_CHECKING:
    from tests.sim.ward import Ward

HEIGHT = (1 << 63) - 1
DRIP_MS = 9_000  # just within a lease
BREACH_MS = 7_000
HELLO, LINES, WANT, ENTRIES, RECORDS, HAVES = range(1, 7)


class Lie:
    """What comes out of a liar's mouth; the plain one says what its machine says."""

    def opened(self, ward: Ward, link: int) -> None:
        """A link came up."""

    def sends(self, ward: Ward, link: int, data: bytes) -> list[bytes]:
        """What goes out instead of this frame."""
        return [data]


class Heights(Lie):
    """Announces heights of 2^63 - 1, of real logs and of logs that do not exist."""

    def sends(self, ward: Ward, link: int, data: bytes) -> list[bytes]:
        if data[1] != HELLO or ward.machine is None:
            return [data]
        logs = list(ward.machine.vector.lines)[:20]
        logs += [log._replace(incarnation=b"nowhere.") for log in logs[:4]]
        logs.append(LogId(b"n" * 32, b"stranger", 0))
        lines = [Line(log, HEIGHT, hash32(b"nothing")) for log in logs]
        return [data, encode_frame(Lines(0, 0, lines, [hash32(b"no record")], False))]


class Drip(Lie):
    """Gives one entry at a time, just before the lease ends."""

    def sends(self, ward: Ward, link: int, data: bytes) -> list[bytes]:
        frame = decode_frame(data)
        if not isinstance(frame, Entries):
            return [data]
        drop = encode_frame(frame._replace(raws=frame.raws[:1], ages=frame.ages[:1]))
        ward.world.after(DRIP_MS, lambda: ward.world.cables.send(link, drop))
        return []


class Cursors(Lie):
    """Says that its store is far ahead, and that it knows all of ours."""

    def sends(self, ward: Ward, link: int, data: bytes) -> list[bytes]:
        frame = decode_frame(data)
        if not isinstance(frame, Hello):
            return [data]
        peer = ward.links.get(link)
        incarnation = peer.disk.incarnations[-1][0] if peer else bytes(8)
        return [
            encode_frame(
                frame._replace(change=frame.change + 10_000, cursor=Cursor(incarnation, 1_000_000))
            )
        ]


class Mute(Lie):
    """Announces everything and answers a WANT with nothing."""

    def sends(self, ward: Ward, link: int, data: bytes) -> list[bytes]:
        return [] if data[1] in (ENTRIES, RECORDS) else [data]


class Boasts(Lie):
    """Signs statements that it holds everything up to 2^63 - 1."""

    def sends(self, ward: Ward, link: int, data: bytes) -> list[bytes]:
        if data[1] != HAVES or ward.machine is None:
            return [data]
        boast = Vector()
        for log in ward.machine.vector.lines:
            boast.advance(log, HEIGHT, hash32(b"head"))
        have = make_have(
            ward.signer, NETWORK, boast, ward.machine.incarnation, [], 0, 1 << 47, NO_NONCE, {}
        )
        return [encode_frame(Haves([have.raw])), data]


class Breaches(Lie):
    """Sends what closes a link: malformed, foreign, forged, oversize, unknown, too much."""

    def __init__(self) -> None:
        self._next = 0

    def opened(self, ward: Ward, link: int) -> None:
        ward.world.after(BREACH_MS, lambda: self._breach(ward, link))

    def _breach(self, ward: Ward, link: int) -> None:
        if link not in ward.links:
            return
        self._next += 1
        log = LogId(ward.signer.public, b"breaches", 1)
        draft = Draft(1, "note", 60, b"", b"forged")
        good = make_entry(ward.signer, NETWORK, log, 1, log.first_prev, 0, 0, draft)
        forged = good.raw[:-1] + bytes([good.raw[-1] ^ 1])
        frames = [
            b"\x9f\x01\x02",
            encode_frame(Entries(b"other" + bytes(11), [good.raw], [0], [])),
            encode_frame(Entries(NETWORK, [forged], [0], [])),
            encode_frame(Entries(NETWORK, [bytes(20_000)], [0], [])),
            encode_frame(Entries(NETWORK, [bytes(60_000), bytes(60_000)], [0, 0], [])),
            encode([4, NETWORK, b"not deflated"]),
            encode([77, 1, 2, 3]),
            encode([1, "one"]),
        ]
        ward.world.cables.send(link, frames[self._next % len(frames)])


LIES: dict[str, type[Lie]] = {
    "heights": Heights,
    "drip": Drip,
    "cursor": Cursors,
    "mute": Mute,
    "breaches": Breaches,
    "boasts": Boasts,
}

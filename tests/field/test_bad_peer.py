"""An enrolled node that misbehaves, over real TLS: refused by name, counted; the node stays up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from meshrelay.bearers import tls
from meshrelay.bearers.base import Link
from meshrelay.bearers.lan import LanBearer
from meshrelay.core.codec import encode
from meshrelay.core.entry import Draft, Entry, LogId, make_entry
from meshrelay.core.frames import Entries, encode_frame
from meshrelay.core.signing import Signer
from meshrelay.desk import receipts
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.identity import load_keys
from tests.town import SATO, Town, build_town, running, until

INCARNATION = b"evil-one"


class Stranger:
    """Holds ward 02's keys and says whatever a test wants; implements LinkEvents."""

    def __init__(self, town: Town) -> None:
        directory = town.directory / "02"
        self.keys = load_keys(directory)
        self.link: Link | None = None
        self.ups = 0
        book = town.nodes["01"].machine.book
        keys = directory / "keys"
        self._bearer = LanBearer(
            NodeDoorman(book, self.keys.signer.public),
            self,
            tls.contexts(keys / "tls.key", keys / "tls.crt", keys / "ca.crt"),
            None,
            [("127.0.0.1", town.ports["01"])],
            self,
        )
        self.task = asyncio.create_task(self._bearer.run())

    def last_good(self) -> list[tuple[str, int]]:
        return []

    def reached(self, host: str, port: int, peer: bytes) -> None:
        pass

    def up(self, link: Link) -> None:
        self.link = link
        self.ups += 1

    def frame(self, link: Link, data: bytes, done: Callable[[], None]) -> None:
        done()

    def heard(self, peer: bytes, data: bytes, done: Callable[[], None]) -> None:
        done()

    def down(self, link: Link, reason: str) -> None:
        self.link = None

    def entry(self, seq: int, prev: bytes | None = None, network: bytes | None = None) -> Entry:
        """A node-signed read entry of ward 02."""
        log = LogId(self.keys.signer.public, INCARNATION, 2)
        draft = Draft(2, receipts.NAME, 3600, b"", receipts.encode_body("all", []))
        network = network or self.keys.network
        return make_entry(self.keys.signer, network, log, seq, prev or log.first_prev, 1, 4, draft)

    def say(self, raws: list[bytes], network: bytes | None = None) -> None:
        self.send(encode_frame(Entries(network or self.keys.network, raws, [0] * len(raws), [])))

    def send(self, data: bytes) -> None:
        assert self.link is not None
        self.link.send(data)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[Town, Stranger]]:
    town = build_town(tmp_path, {"01": (), "02": ()})
    async with running(town):
        await town.stop("02")
        stranger = Stranger(town)
        await until(lambda: stranger.link is not None)
        yield town, stranger
        stranger.task.cancel()
        await asyncio.wait([stranger.task])


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


CLOSING = {
    "malformed": lambda s: s.send(b"\xff\x00"),
    "oversize": lambda s: s.say([b"x" * 20_000]),
    "bad_signature": lambda s: s.say([flipped(s.entry(1).raw)]),
    "foreign_network": lambda s: s.say([s.entry(1).raw], b"another network!"),
    "unknown_frame": lambda s: s.send(encode([99])),
}


@pytest.mark.parametrize("reason", CLOSING)
async def test_what_cannot_be_trusted_closes_that_link(
    scene: tuple[Town, Stranger], reason: str
) -> None:
    town, stranger = scene
    CLOSING[reason](stranger)

    await until(lambda: town.nodes["01"].status().refused.get(reason) == 1)
    await until(lambda: stranger.link is None or stranger.ups > 1)
    await _still_at_work(town)


async def test_what_is_only_late_or_early_keeps_the_link(scene: tuple[Town, Stranger]) -> None:
    town, stranger = scene
    first = stranger.entry(1)
    stranger.say([first.raw])
    await until(lambda: town.nodes["01"].status().entries == 1)
    stranger.say([first.raw])
    stranger.say([stranger.entry(9, first.id).raw])

    refused = lambda: town.nodes["01"].status().refused  # noqa: E731
    await until(lambda: refused().get("replayed") == 1 and refused().get("gap") == 1)
    assert stranger.ups == 1
    assert town.nodes["01"].status().entries == 1
    await _still_at_work(town)


async def test_an_entry_signed_for_another_network_is_a_bad_signature(
    scene: tuple[Town, Stranger],
) -> None:
    town, stranger = scene
    stranger.say([stranger.entry(1, network=b"another network!").raw])

    await until(lambda: town.nodes["01"].status().refused.get("bad_signature") == 1)


async def test_an_entry_of_nobody_enrolled_is_not_stored(scene: tuple[Town, Stranger]) -> None:
    town, stranger = scene
    stranger.keys = stranger.keys._replace(signer=Signer(b"nobody" + bytes(26)))
    stranger.say([stranger.entry(1).raw])

    await until(lambda: town.nodes["01"].status().refused.get("no_credential") == 1)
    assert town.nodes["01"].status().entries == 0


async def test_a_second_entry_for_one_place_is_an_alarm_and_ends_the_log(
    scene: tuple[Town, Stranger],
) -> None:
    town, stranger = scene
    stranger.say([stranger.entry(1).raw])
    await until(lambda: town.nodes["01"].status().entries == 1)
    log = LogId(stranger.keys.signer.public, INCARNATION, 2)
    draft = Draft(2, receipts.NAME, 7200, b"", receipts.encode_body("all", []))
    other = make_entry(
        stranger.keys.signer, stranger.keys.network, log, 1, log.first_prev, 1, 4, draft
    )
    stranger.say([other.raw])

    await until(lambda: town.nodes["01"].status().trouble)
    await until(lambda: town.nodes["01"].status().entries == 0)  # nobody's word above the end


async def _still_at_work(town: Town) -> None:
    seat = await town.log_in("01", SATO)
    await town.say("01", seat, "まだ動いています")
    assert [m.body["text"] for m in town.room("01", seat)] == ["まだ動いています"]

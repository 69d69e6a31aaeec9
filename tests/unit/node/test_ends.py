"""A stolen key, seen from real nodes: both texts are kept, and the owner starts anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.cli import authority
from meshrelay.core.entry import AuthorPart, Draft, Entry, make_entry, read_entry, sign_author_part
from meshrelay.core.frames import Records, encode_frame
from meshrelay.core.records import (
    Record,
    Revocation,
    make_orphan,
    make_proof,
    make_revocation,
)
from meshrelay.desk import talk
from meshrelay.errors import RefusedError
from meshrelay.node.identity import load_keys
from meshrelay.node.node import Node
from meshrelay.node.office import Message, Seat
from meshrelay.node.seats import OpenSeat
from tests.town import SATO, TANAKA, Town, build_town, running, until, uuid7


def two_wards(directory: Path) -> Town:
    return build_town(directory, {"01": (), "02": ("01",)}, clerks=(SATO, TANAKA))


def spread(node: Node, records: list[Record]) -> None:
    """The records come to `node` by a broadcast of somebody's."""
    frame = encode_frame(Records([record.raw for record in records]))
    node._driver.heard(bytes(32), frame, lambda: None)


def own_entry(node: Node) -> Entry:
    """The node's own first entry of talk."""
    log = next(
        log for log in node.machine.vector.lines if (log.origin, log.lane) == (node.machine.me, 1)
    )
    raw = node._reader.at(log, 1)
    assert raw is not None
    return read_entry(raw)


def forged(town: Town, seat: Seat, ours: Entry, text: str) -> Entry:
    """What a thief of 北区's key and of an open session writes in the place of `ours`."""
    assert isinstance(seat, OpenSeat)
    keys = load_keys(town.directory / "01")
    body = talk.encode_body(text)
    part = AuthorPart(
        bytes.fromhex(uuid7().replace("-", "")), seat.session.id, 1_790_000_000_000, 4,
        town.nodes["01"].machine.book.roster_serial(), "all", "", body,
    )  # fmt: skip
    author = sign_author_part(
        seat.signer, keys.network, ours.log.origin, 1, ours.lifetime_s, "talk", part
    )
    draft = Draft(1, "talk", ours.lifetime_s, author, b"")
    return make_entry(keys.signer, keys.network, ours.log, 1, ours.prev, ours.hlc + 9, 4, draft)


def words(messages: list[Message]) -> dict[str, str | None]:
    return {message.body["text"]: message.trouble for message in messages}


async def test_after_a_fork_both_texts_are_shown_and_the_owner_starts_anew(tmp_path: Path) -> None:
    town = two_wards(tmp_path)
    async with running(town):
        sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
        await town.say("01", sato, "本物")
        await until(lambda: words(town.room("02", tanaka)) == {"本物": None})
        kita = town.nodes["01"]
        ours = own_entry(kita)
        theirs = forged(town, sato, ours, "偽物")
        spread(town.nodes["02"], [make_proof(ours, theirs), make_orphan(theirs)])
        both = {"本物": "fork", "偽物": "fork"}
        await until(lambda: words(town.room("02", tanaka)) == both)
        await until(kita.failed.done)

        assert "start again" in str(kita.failed.result())
        await town.stop("01")
        again = await town.start("01")
        sato = await town.log_in("01", SATO)
        assert again.machine.incarnation != kita.machine.incarnation
        await until(lambda: words(town.room("01", sato)) == both)
        assert any("01の機器" in each and "revoke" in each for each in again.status().trouble)
        await town.say("01", sato, "続き")
        await until(lambda: words(town.room("02", tanaka)) == both | {"続き": None})
        message = next(m for m in town.room("02", tanaka) if m.body["text"] == "偽物")
        assert (message.place, message.wards_n, message.read_n) == ("node", 0, 0)


async def test_a_message_through_a_revoked_node_keeps_its_text_and_the_node_takes_no_more(
    tmp_path: Path,
) -> None:
    town = two_wards(tmp_path)
    async with running(town):
        sato, tanaka = await town.log_in("01", SATO), await town.log_in("02", TANAKA)
        await town.say("01", sato, "開けました")
        await until(lambda: words(town.room("02", tanaka)) == {"開けました": None})
        kita = town.nodes["01"]
        network = authority.load(tmp_path / "network")
        key = kita.machine.me
        content = Revocation(next(iter(kita.machine.book.issuers)), key, [])
        spread(
            town.nodes["02"], [make_revocation(network.issuer, kita.machine.book.network, content)]
        )
        for ward, seat in (("01", sato), ("02", tanaka)):
            await until(
                lambda ward=ward, seat=seat: (
                    words(town.room(ward, seat)) == {"開けました": "revoked"}
                )
            )

        assert not kita.failed.done()
        assert any("is revoked" in each for each in kita.status().trouble)
        with pytest.raises(RefusedError) as refused:
            await town.say("01", sato, "もう一つ")
        assert refused.value.code == "node_revoked"
        # What is read of an orphan is known for oneself and told nobody else.
        (message,) = town.room("02", tanaka)
        town.nodes["02"].mark_read(tanaka, [(message.author, message.message_id)])
        await until(lambda: town.room("02", tanaka)[0].read_by_me)
        assert town.room("02", tanaka)[0].read_n == 0
        assert town.nodes["02"].rooms(tanaka.person)[0].unread_n == 0

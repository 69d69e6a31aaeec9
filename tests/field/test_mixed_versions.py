"""Nodes of a later version on both sides of an older one: nothing blocks, nothing is lost.

北区 (older) stands between 中央区 and 西成区, which are processes of a later version
(tests/forged/later_node.py); 本部 is an older archive behind 北区.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import apsw
import pytest

from meshrelay.core import records
from meshrelay.core.announcing import HELLO_MS
from meshrelay.core.entry import URGENT
from meshrelay.core.frames import Want
from meshrelay.core.signing import hash32
from meshrelay.core.verdict import EFFECTIVE, UNKNOWN_KIND
from meshrelay.node import folding
from tests.forged.asked_node import WHOLE_SECONDS_MAX, AskedNode
from tests.forged.later_node import LATER_RECORD, TRIAGE, TRIAGE_KIND, TRIAGE_RULE, later_record
from tests.town import SATO, SUZUKI, TANAKA, Town, build_town, until
from tests.unit.core import city as city_keys
from tests.unit.core.city import note, two_wards

LATER = "tests.forged.later_node"
KITA, CHUO, NISHINARI, HQ = "01", "02", "03", "00"
# Twice over two paths; and a record of a type that is to come.
HARMLESS = {"replayed", "unknown_record"}


class Street:
    """北区 in the middle, with everybody who dials it."""

    def __init__(self, town: Town, chuo: AskedNode, nishinari: AskedNode) -> None:
        self.town = town
        self.chuo = chuo
        self.nishinari = nishinari
        ids = {ward.ward: key for key, ward in town.nodes[KITA].machine.book.nodes.items()}
        self.chuo_id, self.hq = ids[CHUO], ids[HQ]

    def state(self, entry: str) -> int | None:
        """The state of an entry in 北区's store, None if it is not there."""
        path = self.town.directory / KITA / "log.db"
        store = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        with contextlib.closing(store):
            rows = store.execute("SELECT state, raw FROM entries")
            return next((state for state, raw in rows if hash32(raw).hex() == entry), None)

    async def all_hold_the_same(self) -> None:
        """Until both later nodes, 北区 and 本部 have one digest."""
        kita, hq = (self.town.nodes[ward] for ward in (KITA, HQ))
        async with asyncio.timeout(WHOLE_SECONDS_MAX):
            while True:
                words = {kita.status().digest, hq.status().digest}
                words |= {(await later.ask())["digest"] for later in (self.chuo, self.nishinari)}
                if len(words) == 1:
                    return
                await asyncio.sleep(0.1)

    def nothing_is_wrong(self) -> None:
        """No link of 北区 was ever closed for what came over it."""
        status = self.town.nodes[KITA].status()
        assert len(status.links) == 3
        assert not set(status.refused) - HARMLESS and not status.trouble


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    peers = {KITA: (), CHUO: (KITA,), NISHINARI: (KITA,), HQ: (KITA,)}
    town = build_town(tmp_path, peers)
    try:
        for ward in (KITA, HQ):
            await town.start(ward)
        chuo = await AskedNode.start(tmp_path / CHUO, LATER)
        nishinari = await AskedNode.start(tmp_path / NISHINARI, LATER)
        await until(lambda: len(town.nodes[KITA].status().links) == 3)
        yield Street(town, chuo, nishinari)
        await chuo.stop()
        await nishinari.stop()
    finally:
        for ward in list(town.nodes):
            await town.stop(ward)
        town.witnesses.cleanup()


async def test_a_later_nodes_talk_is_shown_and_receipted_on_both_sides_of_an_older_one(
    street: Street,
) -> None:
    """Longer envelope, author part, body and frames: what is known of them is read."""
    entry = await street.chuo.say(TANAKA, "橋が通れません")

    await street.nishinari.until_shown(SUZUKI, "橋が通れません")
    sato = await street.town.log_in(KITA, SATO)
    (shown,) = street.town.room(KITA, sato)
    assert (shown.body["text"], shown.trouble) == ("橋が通れません", None)
    assert street.state(entry) == EFFECTIVE
    await street.chuo.until(
        lambda room: [each["place"] for each in room["messages"]] == ["archive"],
        do="room",
        clerk=asdict(TANAKA),
    )
    street.nothing_is_wrong()


async def test_an_older_nodes_words_reach_later_ones(street: Street) -> None:
    sato = await street.town.log_in(KITA, SATO)
    await street.town.say(KITA, sato, "避難所を開きました")

    for later, clerk in ((street.chuo, TANAKA), (street.nishinari, SUZUKI)):
        await later.until_shown(clerk, "避難所を開きました")
    await until(lambda: street.town.room(KITA, sato)[0].wards_n == 2)
    street.nothing_is_wrong()


async def test_a_kind_that_an_older_node_does_not_know_goes_through_it_and_stops_no_log(
    street: Street,
) -> None:
    triage = await street.chuo.say(TANAKA, "赤 3 黄 8", TRIAGE)
    await street.chuo.say(TANAKA, "続報です")
    back = await street.nishinari.say(SUZUKI, "赤 1", TRIAGE)

    await street.all_hold_the_same()

    await until(lambda: {street.state(entry) for entry in (triage, back)} == {UNKNOWN_KIND})
    await street.nishinari.until(
        lambda answer: answer["states"][triage] == answer["states"][back] == EFFECTIVE,
        do="states",
    )
    await street.nishinari.until_shown(SUZUKI, "続報です")
    covered = street.town.nodes[KITA].machine.receipts
    (log,) = {log for log in covered.logs_stated(street.hq) if log.origin == street.chuo_id}
    await until(lambda: covered.covered(street.hq, log) == 2)
    street.nothing_is_wrong()


async def test_an_entry_of_an_unknown_kind_becomes_effective_after_the_upgrade(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    triage = await street.chuo.say(TANAKA, "赤 3 黄 8", TRIAGE)
    await street.all_hold_the_same()
    await until(lambda: street.state(triage) == UNKNOWN_KIND)
    await street.town.stop(KITA)

    monkeypatch.setitem(folding.KINDS, TRIAGE, TRIAGE_KIND)
    monkeypatch.setitem(folding.RULES, TRIAGE, TRIAGE_RULE)
    await street.town.start(KITA)

    await until(lambda: street.state(triage) == EFFECTIVE)


async def test_a_record_of_an_unknown_type_blocks_nothing(street: Street) -> None:
    record = (await street.chuo.ask("record"))["record"]
    kita = street.town.nodes[KITA]
    await until(lambda: kita.status().refused.get("unknown_record"))

    await street.chuo.say(TANAKA, "記録のあとの言葉")

    await street.nishinari.until_shown(SUZUKI, "記録のあとの言葉")
    assert record in (await street.chuo.ask())["records"]
    assert bytes.fromhex(record) not in kita.machine.book
    street.nothing_is_wrong()


def test_the_cursor_passes_a_record_that_can_never_be_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else every contact would begin from the day before the upgrade, for ever."""
    monkeypatch.setitem(records.RECORD_LANE, LATER_RECORD, URGENT)  # the sender knows it
    city, kita, chuo = two_wards()
    record = later_record(city_keys.KITA, city_keys.NETWORK)
    kita.machine.book.by_id[record.id] = record
    kita.machine.vector.add_record(record.id)
    kita.say(note("記録のあとの言葉"))
    city.join(kita, chuo)
    city.deliver()
    city.pass_ms(2 * HELLO_MS)

    assert "unknown_record" in chuo.refused()
    assert chuo.machine.cursors[kita.signer.public].change == kita.machine.vector.change
    wants = [frame for frame in city.frames(Want, chuo) if isinstance(frame, Want)]
    asked = [want for want in wants if record.id in want.records]
    assert len(asked) == 1, "what is refused for good is not asked for again"

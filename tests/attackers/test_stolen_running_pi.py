"""A stolen running Pi: its disk, its memory, and the log-ins that were open on it."""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core.records import Record, Revocation, make_revocation
from meshrelay.core.vector import Line
from tests.attackers.rogue import Rogue, place
from tests.town import TANAKA, until


def revocation(rogue: Rogue) -> Record:
    """The issuer's word as soon as the theft is told: what 北区 holds of it stays."""
    network, lines = rogue.town.network(), rogue.kita.machine.vector.lines
    ends = [Line(log, at.height, at.head) for log, at in lines.items() if log.origin == rogue.key]
    content = Revocation(network.issuer_record.id, rogue.key, ends)
    return make_revocation(network.issuer, network.network, content)


def disk(rogue: Rogue) -> Iterator[bytes]:
    """Every file on its SD card."""
    for path in (rogue.town.directory / "02").rglob("*"):
        if path.is_file():
            yield path.read_bytes()


# can


async def test_a_stolen_running_pi_can_speak_in_the_sessions_open_on_it(rogue: Rogue) -> None:
    rogue.write(rogue.talk("田中です。全員無事です"))

    await until(lambda: rogue.words() == {"田中です。全員無事です": None})
    assert rogue.room()[0].author_name == TANAKA.name


async def test_a_stolen_running_pi_can_be_read_what_all_staff_read(rogue: Rogue) -> None:
    await rogue.town.say("01", rogue.sato, "名簿は3階の金庫です")
    await rogue.stop()
    chuo = await rogue.town.start("02")
    await until(lambda: chuo.status().entries == 1)
    await rogue.town.stop("02")

    assert any("名簿は3階の金庫です".encode() in data for data in disk(rogue))


# cannot


async def test_a_stolen_running_pi_cannot_do_anything_once_the_revocation_arrives(
    rogue: Rogue,
) -> None:
    await rogue.town.say("01", rogue.sato, "避難所は開いています")
    rogue.write(rogue.talk("盗まれる前"))
    await until(lambda: len(rogue.words()) == 2)
    record = revocation(rogue)
    log, seq = place(rogue.room()[0], rogue.town, "01")
    rogue.write(
        rogue.talk("盗まれた後"),
        rogue.unsigned("盗まれた後の記録", TANAKA.staff_id),
        rogue.read_by(TANAKA.staff_id, rogue.seat.session.id, log, seq),
    )
    await until(lambda: len(rogue.words()) == 4 and rogue.room()[0].read_n == 1)
    await rogue.hears_of(record)

    left = {
        "避難所は開いています": None,
        "盗まれる前": None,
        "盗まれた後": "revoked",
        "盗まれた後の記録": "revoked",
    }
    await until(lambda: rogue.words() == left)
    await until(lambda: rogue.room()[0].read_n == 0)
    await until(lambda: rogue.link is None, 1)
    await until(lambda: rogue.kita.status().refused.get("revoked", 0) >= 2)
    assert rogue.link is None and not rogue.kita.status().links, "it knocks, and stays outside"


async def test_a_stolen_running_pi_cannot_give_away_a_card_or_a_pin(rogue: Rogue) -> None:
    """It speaks in open sessions only: what opens others was never kept."""
    code = TANAKA.code.replace("-", "")
    secrets = [TANAKA.code.encode(), code.encode(), code[:16].encode(), TANAKA.pin.encode()]
    contents = list(disk(rogue))

    assert contents and not any(secret in data for secret in secrets for data in contents)

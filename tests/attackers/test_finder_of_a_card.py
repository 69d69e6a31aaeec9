"""The finder of a lost card, and the thief of a Pi that is off: rows of the README's table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshrelay.cli.cards import new_card_code, staff_record
from meshrelay.core.signing import Signer
from meshrelay.errors import RefusedError
from meshrelay.node.identity import author_seed, load_keys
from meshrelay.node.seats import TRIES_FREE
from tests.town import SATO, Clerk, Town, build_town, running

REGISTRAR = Clerk("R101", "梅田 一郎", "うめだ いちろう", "01", "", ("registrar",))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    made = build_town(tmp_path, {"01": ()}, clerks=(SATO,))
    async with running(made):
        yield made


async def refused(town: Town, clerk: Clerk, pin: str, again: str | None = None) -> str:
    """Why that card and PIN open nothing."""
    with pytest.raises(RefusedError) as caught:
        await town.nodes["01"].log_in(clerk.staff_id, clerk.code, pin, again)
    return caught.value.code


# can


async def test_the_finder_of_a_card_can_try_pins_at_a_node_until_it_makes_them_wait(
    town: Town,
) -> None:
    codes = [await refused(town, SATO, f"80246{number}") for number in range(TRIES_FREE + 2)]

    assert codes == ["wrong_pin"] * TRIES_FREE + ["wait"] * 2


async def test_the_finder_of_a_card_can_with_the_staff_records_try_pins_on_their_own_computer(
    town: Town,
) -> None:
    """Nothing but time is in the way: hence six characters, and lost cards are revoked."""
    book = town.nodes["01"].machine.book
    (binding,) = book.bindings[book.staff_by_number[SATO.staff_id]]
    known = book.by_id[binding].content
    found = next(
        pin for pin in ("135788", "135789", "135790")
        if Signer(author_seed(SATO.code, pin, book.network, SATO.staff_id)).public == known.author
    )  # fmt: skip

    assert found == SATO.pin


# cannot


async def test_the_finder_of_a_card_cannot_choose_a_new_pin_for_it(town: Town) -> None:
    assert await refused(town, SATO, "864209", "864209") == "wrong_pin"


async def test_the_finder_of_a_card_with_special_rights_cannot_use_it_first(town: Town) -> None:
    network = town.network()
    REGISTRAR.code = new_card_code()
    record = staff_record(network, network.next_staff_serial(), REGISTRAR.code, REGISTRAR)
    await town.nodes["01"]._driver.submit([], [record])

    assert await refused(town, REGISTRAR, "864209", "864209") == "not_bound"


async def test_a_thief_of_a_pi_that_is_off_can_use_its_key_and_cannot_write_in_a_persons_name(
    town: Town,
) -> None:
    seat = await town.log_in("01", SATO)
    await town.say("01", seat, "名簿は3階です")
    await town.stop("01")
    disk = [path.read_bytes() for path in (town.directory / "01").rglob("*") if path.is_file()]

    assert load_keys(town.directory / "01").signer.public
    assert any("名簿は3階です".encode() in data for data in disk)
    secret = seat.signer._secret[:32]  # type: ignore[attr-defined]
    assert not any(secret in data or secret.hex().encode() in data for data in disk)

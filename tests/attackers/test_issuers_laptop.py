"""The issuer's laptop in bad hands: issuer key and TLS CA, but not the authority's key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from meshrelay.cli.authority import Authority
from meshrelay.cli.cards import new_card_code
from meshrelay.core.records import (
    NO_BINDING,
    SESSION,
    Binding,
    IssuerCredential,
    NodeCredential,
    Record,
    Ruling,
    Session,
    StaffCredential,
    StaffRevocation,
    make_binding,
    make_issuer,
    make_node,
    make_ruling,
    make_session,
    make_staff,
    make_staff_revocation,
)
from meshrelay.core.signing import KEY_BYTES, Signer
from meshrelay.errors import CredentialError, RemoteProtocolError, SignatureError
from meshrelay.node.identity import card_signer
from meshrelay.node.node import Node
from meshrelay.node.office import Seat
from tests.town import MAYOR, SATO, TANAKA, Clerk, Town, build_town, running, until

THIEF = Signer(b"the thief's own key".ljust(KEY_BYTES, b"."))


class Laptop(NamedTuple):
    """What was on it, and the town that it speaks to; 北区 and 中央区 are linked."""

    town: Town
    issuer: Signer
    network: Authority

    @property
    def record(self) -> bytes:
        """The id of the issuer credential."""
        return self.network.issuer_record.id

    @property
    def kita(self) -> Node:
        return self.town.nodes["01"]

    def staff(self, *roles: str, of: str = "X001", code: str = "") -> Record:
        """A staff credential as the laptop can sign it."""
        number = self.kita.machine.book.roster_serial() + 1
        code = code or new_card_code()
        content = StaffCredential(
            self.record, card_signer(code, self.network.network, of).public, of, "怪しい人",
            "あやしいひと", "01", "", list(roles), number, self.network.generation,
        )  # fmt: skip
        return make_staff(self.issuer, self.network.network, content)

    def binding(self, staff: bytes) -> Record:
        """A PIN of the thief's for that card, bound in the issuer's name."""
        content = Binding(staff, THIEF.public, bytes(KEY_BYTES), 1, 32_768, 3, 0, self.record)
        return make_binding(self.issuer, THIEF, self.network.network, content)

    def session(self, binding: Record, staff: bytes) -> Record:
        """A log-in with the thief's author key."""
        content = Session(binding.id, staff, self.kita.machine.me, THIEF.public, 1)
        return make_session(THIEF, self.network.network, content)

    def revocation(self, clerk: Clerk) -> Record:
        """All that somebody said is to count for nothing."""
        staff = self.kita.machine.book.staff_by_number[clerk.staff_id]
        content = StaffRevocation(self.record, staff, [])
        return make_staff_revocation(self.issuer, self.network.network, content)

    async def publish(self, *records: Record) -> None:
        """The laptop is on the office network: 北区 takes what verifies."""
        await self.kita._driver.submit([], list(records))

    def refused(self, record: Record) -> type[RemoteProtocolError]:
        """Why no node takes it."""
        with pytest.raises((CredentialError, SignatureError)) as caught:
            self.town.nodes["02"].machine.book.add(record)
        return caught.type


@pytest.fixture
async def laptop(tmp_path: Path) -> AsyncIterator[Laptop]:
    town = build_town(tmp_path, {"01": (), "02": ("01",)}, clerks=(MAYOR, SATO, TANAKA))
    async with running(town):
        network = town.network()
        yield Laptop(town, network.issuer, network)


async def everywhere(laptop: Laptop, record: Record) -> None:
    """Wait until both wards hold it."""
    await until(lambda: all(record.id in n.machine.book for n in laptop.town.nodes.values()))


# can


async def test_the_issuers_laptop_can_issue_ordinary_credentials_visible_to_all(
    laptop: Laptop,
) -> None:
    code = new_card_code()
    person = laptop.staff("staff", of="X001", code=code)
    content = NodeCredential(
        laptop.record, THIEF.public, bytes(KEY_BYTES), bytes(KEY_BYTES), [], "03", "西成区",
        "Nishinari", "怪しい機器", 77, laptop.network.generation,
    )  # fmt: skip
    node = make_node(laptop.issuer, laptop.network.network, content)
    await laptop.publish(person, node)
    await everywhere(laptop, person)
    await everywhere(laptop, node)

    seat = await laptop.town.nodes["02"].log_in("X001", code, "864209", "864209")
    assert seat.person.name == "怪しい人", "in every ward, under a name that all can see"
    for each in laptop.town.nodes.values():
        assert "怪しい機器" in {word.node.name for word in each.status().words}


async def test_the_issuers_laptop_can_issue_a_second_card_in_a_name_and_all_can_see_that_it_did(
    laptop: Laptop,
) -> None:
    """As it does for a lost card: then it has that person's card, in a record of its own."""
    code = new_card_code()
    card = laptop.staff("staff", of=SATO.staff_id, code=code)
    await laptop.publish(card)
    await everywhere(laptop, card)

    await laptop.kita.log_in(SATO.staff_id, code, "864209", "864209")
    for node in laptop.town.nodes.values():
        named = [each for each in node.machine.book.staff.values() if each.staff_id == "K001"]
        assert sorted(each.serial for each in named) == [2, 4], "both, on every node"


async def test_the_issuers_laptop_can_revoke_anyone(laptop: Laptop) -> None:
    sato = await laptop.town.log_in("01", SATO)
    await laptop.town.say("01", sato, "佐藤です")
    await laptop.publish(laptop.revocation(SATO))

    await until(lambda: troubles(laptop, sato) == {"佐藤です": "staff_revoked"})


# cannot


async def test_the_issuers_laptop_cannot_revoke_hq(laptop: Laptop) -> None:
    mayor = await laptop.town.log_in("01", MAYOR)
    await laptop.town.say("01", mayor, "市長です")

    assert laptop.refused(laptop.revocation(MAYOR)) is SignatureError
    await until(lambda: troubles(laptop, mayor) == {"市長です": None})


async def test_the_issuers_laptop_cannot_mint_hq(laptop: Laptop) -> None:
    book, network = laptop.kita.machine.book, laptop.network.network
    mayor = book.staff_by_number[MAYOR.staff_id]
    made = book.issuers[laptop.record]
    itself = made._replace(authority=laptop.issuer.public)
    raised = IssuerCredential(*made)._replace(generation=9)

    assert laptop.refused(laptop.staff("hq")) is SignatureError
    assert laptop.refused(laptop.staff("staff", "hq")) is SignatureError
    assert laptop.refused(laptop.binding(mayor)) is SignatureError
    anew = Ruling(laptop.record, mayor, NO_BINDING, 1)
    assert laptop.refused(make_ruling(laptop.issuer, network, anew)) is CredentialError
    assert laptop.refused(make_issuer(laptop.issuer, network, itself)) is CredentialError
    assert laptop.refused(make_issuer(laptop.issuer, network, raised)) is SignatureError


async def test_the_issuers_laptop_cannot_sign_as_existing_staff(laptop: Laptop) -> None:
    """Neither in a session of theirs nor in one opened under their binding."""
    book, network = laptop.kita.machine.book, laptop.network.network
    await laptop.town.log_in("01", SATO)
    hers = next(record for record in book if record.type == SESSION)
    assert isinstance(hers.content, Session)
    stolen = hers.content._replace(key=THIEF.public, number=2)

    assert laptop.refused(make_session(laptop.issuer, network, stolen)) is SignatureError
    assert laptop.refused(make_session(THIEF, network, stolen)) is SignatureError


async def test_the_issuers_laptop_cannot_bind_a_persons_card_anew(laptop: Laptop) -> None:
    staff = laptop.kita.machine.book.staff_by_number[SATO.staff_id]

    assert laptop.refused(laptop.binding(staff)) is CredentialError


async def test_the_issuers_laptop_cannot_rule_on_a_persons_card(laptop: Laptop) -> None:
    staff = laptop.kita.machine.book.staff_by_number[SATO.staff_id]
    anew = Ruling(laptop.record, staff, NO_BINDING, 1)
    network = laptop.network.network

    assert laptop.refused(make_ruling(laptop.issuer, network, anew)) is CredentialError


def troubles(laptop: Laptop, seat: Seat) -> dict[str, str | None]:
    """Text -> why it is 要確認, in 北区."""
    return {m.body["text"]: m.trouble for m in laptop.town.room("01", seat)}

"""Cards and PINs at this node: what `card_desk.CardDesk` promises, as records.

Each right is checked here, before anything is signed, so that the person is told; what is
signed is judged again by every node (core/entitlement.py).
"""

from __future__ import annotations

import secrets
import unicodedata

from meshrelay.core import claims
from meshrelay.core.book import RecordBook
from meshrelay.core.records import (
    NAME_CHARS_MAX,
    NO_BINDING,
    ROLE_HQ,
    ROLE_REGISTRAR,
    ROLE_TEMPORARY,
    Record,
    Ruling,
    StaffCredential,
    Suspension,
    TemporaryCredential,
    make_ruling,
    make_suspension,
    make_temporary,
)
from meshrelay.core.signing import KEY_BYTES, Signer
from meshrelay.errors import RefusedError
from meshrelay.node.card_desk import CardHolder, NodeState, TemporaryCard
from meshrelay.node.driver import Driver
from meshrelay.node.health import Health
from meshrelay.node.identity import (
    CARD_BYTES,
    author_seed,
    binding_of,
    card_signer,
    card_text,
    change_pin,
    random_bytes,
)
from meshrelay.node.office import Person, Seat
from meshrelay.node.seats import (
    OpenSeat,
    Turnstile,
    check_new_pin,
    open_seat,
    same_pin,
    to_person,
)

FOUND_MAX = 200
# Of a temporary card's number: two registrars who cannot hear each other draw apart.
_SYMBOLS, _SYMBOLS_N = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 5
_TO_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


class Cards:
    """Implements `card_desk.CardDesk` for one node."""

    def __init__(self, driver: Driver, turnstile: Turnstile, health: Health) -> None:
        self._driver = driver
        self._turnstile = turnstile
        self._health = health
        self._book: RecordBook = driver.machine.book

    # Everybody

    async def change_pin(
        self, seat: Seat, card_code: str, pin: str, new_pin: str, new_pin_again: str
    ) -> None:
        """See CardDesk."""
        taken = open_seat(seat)
        staff = self._turnstile.card_of(taken.person.staff_id, card_code)
        check_new_pin(self._book.staff[staff], new_pin, new_pin_again)
        if new_pin == pin:
            raise same_pin()
        binding = await self._turnstile.derive(
            taken.person.staff_id, lambda: change_pin(self._book, staff, card_code, pin, new_pin)
        )
        await self._submit(binding)

    # Registrars

    def find(self, seat: Seat, text: str, limit: int = 50) -> list[CardHolder]:
        """See CardDesk."""
        person = self._in_charge(seat)
        wanted = _folded(text)
        everywhere = ROLE_HQ in person.roles
        found = []
        for staff in self._book.staff_by_number.values():
            each = self._book.staff[staff]
            if not everywhere and each.ward != person.ward:
                continue
            if wanted in _folded(f"{each.staff_id} {each.name} {each.kana}"):
                found.append((each.kana, each.staff_id, staff, each))
        found.sort()
        return [
            CardHolder(to_person(each), self._state(staff), ROLE_TEMPORARY in each.roles)
            for _, _, staff, each in found[: max(1, min(limit, FOUND_MAX))]
        ]

    def _state(self, staff: bytes) -> str:
        if staff in self._book.struck:
            return "revoked"
        if not claims.live_bindings(self._book, staff):
            return "unused"
        return "conflict" if claims.has_conflict(self._book, staff) else "in_use"

    async def reset_pin(self, seat: Seat, staff_id: str) -> None:
        """See CardDesk."""
        taken, staff, _ = self._to_rule_on(seat, staff_id)
        await self._rule(taken, staff, NO_BINDING)

    async def settle(self, seat: Seat, staff_id: str, card_code: str, pin: str) -> None:
        """See CardDesk."""
        taken, staff, person = self._to_rule_on(seat, staff_id)
        self._turnstile.card_of(staff_id, card_code)

        def claim() -> bytes | None:
            seed = author_seed(card_code, pin, self._book.network, person.staff_id)
            return binding_of(self._book, staff, Signer(seed))

        await self._rule(taken, staff, await self._turnstile.derive(staff_id, claim))

    def _to_rule_on(self, seat: Seat, staff_id: str) -> tuple[OpenSeat, bytes, StaffCredential]:
        taken = open_seat(seat)
        me = self._in_charge(seat, (ROLE_REGISTRAR,))
        staff = self._book.staff_by_number.get(staff_id.strip())
        if staff is None:
            raise _no_person()
        person = self._book.staff[staff]
        if person.ward != me.ward:
            raise no_right("他の区の職員です。", "This is another ward's member of staff.")
        if ROLE_HQ in person.roles:
            raise _hq_card()
        return taken, staff, person

    async def _rule(self, taken: OpenSeat, staff: bytes, binding: bytes) -> None:
        number = claims.next_ruling(self._book, staff)
        ruling = Ruling(taken.session.id, staff, binding, number)
        await self._submit(make_ruling(taken.signer, self._book.network, ruling))

    async def issue_temporary(self, seat: Seat, name: str, kana: str, unit: str) -> TemporaryCard:
        """See CardDesk."""
        taken = open_seat(seat)
        me = self._in_charge(seat, (ROLE_REGISTRAR,))
        texts = [" ".join(text.split()) for text in (name, kana, unit)]
        if not texts[0] or any(len(t) > NAME_CHARS_MAX or not t.isprintable() for t in texts):
            raise _bad_name()
        drawn = "".join(secrets.choice(_SYMBOLS) for _ in range(_SYMBOLS_N))
        staff_id = f"T{me.ward}-{drawn}"
        code = card_text(random_bytes(CARD_BYTES))
        card = card_signer(code, self._book.network, staff_id).public
        content = TemporaryCredential(
            taken.session.id, card, staff_id, texts[0], texts[1], me.ward, texts[2], 1
        )
        await self._submit(make_temporary(taken.signer, self._book.network, content))
        return TemporaryCard(staff_id, texts[0], me.ward, code)

    # Nodes

    def nodes(self, seat: Seat) -> list[NodeState]:
        """See CardDesk."""
        self._in_charge(seat)
        states = []
        for key in self._book.nodes:
            last = claims.last_round(self._book, key)
            said = last.said if last is not None and not last.lifted else frozenset()
            states.append(
                NodeState(
                    self._health.info(key),
                    claims.is_suspended(self._book, key),
                    key in self._book.revoked,
                    tuple(sorted(self._name(who) for who in said)),
                )
            )
        return sorted(states, key=lambda state: (state.node.ward, state.node.name))

    def _name(self, who: str) -> str:
        staff = self._book.staff_by_number.get(who)
        return "情報システム担当" if staff is None else self._book.staff[staff].name

    async def suspend(self, seat: Seat, node: str) -> None:
        """See CardDesk."""
        taken, key = self._to_suspend(seat, node)
        last = claims.last_round(self._book, key)
        number = 1 if last is None else last.number + last.lifted
        await self._say(taken, key, number, False)

    async def lift(self, seat: Seat, node: str) -> None:
        """See CardDesk."""
        taken, key = self._to_suspend(seat, node)
        last = claims.last_round(self._book, key)
        if last is None or last.lifted:
            return
        if taken.person.staff_id not in last.said:
            raise no_right(
                "停止を求めた本人か、情報システム担当だけが解除できます。",
                "Only those who asked for it, or the issuer, can lift a suspension.",
            )
        await self._say(taken, key, last.number, True)

    def _to_suspend(self, seat: Seat, node: str) -> tuple[OpenSeat, bytes]:
        taken = open_seat(seat)
        self._in_charge(seat, (ROLE_REGISTRAR,))
        try:
            key = bytes.fromhex(node)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES or key not in self._book.nodes:
            raise _no_node()
        if not claims.may_be_suspended(self._book, key):
            raise _not_suspendable()
        return taken, key

    async def _say(self, taken: OpenSeat, node: bytes, number: int, lifted: bool) -> None:
        said = Suspension(taken.session.id, node, number, lifted)
        await self._submit(make_suspension(taken.signer, self._book.network, said))

    # Both

    def _in_charge(self, seat: Seat, roles: tuple[str, ...] = (ROLE_REGISTRAR, ROLE_HQ)) -> Person:
        taken = open_seat(seat)
        if not set(roles) & set(taken.person.roles) or taken.revoked:
            raise no_right("登録担当者の権限がありません。", "You have no registrar's rights.")
        return taken.person

    async def _submit(self, record: Record) -> None:
        await self._driver.submit([], [record])


def _folded(text: str) -> str:
    """For search: width, case, spaces and the two kana do not matter."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_TO_HIRAGANA)
    return "".join(plain.split())


def no_right(why: str, why_en: str) -> RefusedError:
    """Somebody asked for what their role does not allow."""
    return RefusedError(
        "no_right",
        why,
        why_en,
        "できる人に頼むか、情報システム担当に相談してください。",
        "Ask somebody who may, or ask IT.",
        403,
    )


def _no_person() -> RefusedError:
    return RefusedError(
        "no_person",
        "この職員番号は名簿にありません。",
        "This staff number is not in the roster.",
        "氏名かふりがなで探し直してください。",
        "Search by name or kana.",
        404,
    )


def _hq_card() -> RefusedError:
    return RefusedError(
        "hq_card",
        "本部長権限のカードは、ここでは変更できません。",
        "A card with hq rights cannot be changed here.",
        "情報システム担当が新しいカードを発行します。",
        "IT issues a new card with the authority's key.",
        403,
    )


def _bad_name() -> RefusedError:
    return RefusedError(
        "bad_name",
        f"氏名を入力してください({NAME_CHARS_MAX}文字まで)。",
        f"A name is needed, of at most {NAME_CHARS_MAX} characters.",
        "氏名とふりがなを確かめて、もう一度入力してください。",
        "Check name and kana, and type them again.",
        400,
    )


def _no_node() -> RefusedError:
    return RefusedError(
        "no_node",
        "この機器は登録されていません。",
        "No such node is enrolled.",
        "一覧から選び直してください。",
        "Choose one from the list.",
        404,
    )


def _not_suspendable() -> RefusedError:
    return RefusedError(
        "not_suspendable",
        "本部の機器は停止できません。",
        "Archives and HQ's nodes cannot be suspended.",
        "情報システム担当に連絡してください。",
        "Tell IT.",
        403,
    )

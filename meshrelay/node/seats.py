"""Log-in: a card and a PIN open a seat; five wrong tries, then waits that double."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import Callable, Container
from typing import TypeVar

from meshrelay.core import claims
from meshrelay.core.book import RecordBook
from meshrelay.core.records import ROLE_HQ, ROLES_BOUND, Session, StaffCredential
from meshrelay.errors import RefusedError
from meshrelay.node.identity import (
    PIN_CHARS_MIN,
    PIN_CHARS_MIN_HQ,
    Opened,
    card_code,
    card_signer,
    open_session,
)
from meshrelay.node.office import Person, Seat

TRIES_FREE = 5
WAIT_S_FIRST = 15.0
WAIT_S_MAX = 15 * 60.0
# Try counters of made-up numbers must not fill memory.
TRIES_KEPT_MAX = 10_000
_RUNS = "01234567890123456789"

T = TypeVar("T")


class OpenSeat:
    """One person logged in at this node: holds the session key, never stored."""

    def __init__(self, person: Person, opened: Opened, struck: Container[bytes]) -> None:
        self.person = person
        self._struck = struck
        self.session = opened.session
        self.signer = opened.signer
        self.lock = opened.lock
        self.open = True

    @property
    def staff(self) -> bytes:
        """The id of the staff record that the session names."""
        content = self.session.content
        assert isinstance(content, Session)
        return content.staff

    @property
    def revoked(self) -> bool:
        """Whether the person's credential was revoked since."""
        return self.staff in self._struck


def open_seat(seat: Seat) -> OpenSeat:
    """The seat, if somebody sits in it. Raises RefusedError `seat_closed`."""
    if not isinstance(seat, OpenSeat) or not seat.open:
        raise closed_seat()
    return seat


def closed_seat() -> RefusedError:
    """The person is not logged in here any more."""
    return RefusedError(
        "seat_closed",
        "ログインが終わっています。",
        "You are logged out.",
        "もう一度ログインしてください。書いたものは残っています。",
        "Log in again. What you wrote is kept.",
        401,
    )


class _Tries:
    def __init__(self) -> None:
        self.wrong = 0
        self.free_at_s = 0.0


def _typed(text: str) -> str:
    """A Japanese keyboard types full-width digits and letters."""
    return unicodedata.normalize("NFKC", text).strip()


def to_person(staff: StaffCredential) -> Person:
    """The roster's word on somebody, for pages."""
    return Person(
        staff.staff_id, staff.name, staff.kana, staff.ward, staff.unit, tuple(staff.roles)
    )


class Turnstile:
    """Checks cards and PINs, one Argon2id at a time, off the event loop."""

    def __init__(self, book: RecordBook, origin: bytes) -> None:
        self._book = book
        self._origin = origin
        self._tries: dict[str, _Tries] = {}
        self._one_at_a_time = asyncio.Lock()
        self._number = 0

    async def open(
        self, staff_id: str, code: str, pin: str, pin_again: str | None
    ) -> tuple[Opened, Person]:
        """Derive and sign what a log-in needs. Raises RefusedError (see Office.log_in)."""
        staff = self.card_of(staff_id, code)
        person = self._book.staff[staff]
        new = not claims.live_bindings(self._book, staff)
        if new:
            if not ROLES_BOUND.isdisjoint(person.roles) and not claims.reset_of(self._book, staff):
                raise _not_bound()
            check_new_pin(person, pin, pin_again)
        self._number += 1
        number = self._number
        opened = await self.derive(
            staff_id,
            lambda: open_session(self._book, staff, code, pin, self._origin, number, new),
        )
        return opened, to_person(person)

    def card_of(self, staff_id: str, code: str) -> bytes:
        """The staff record of a card.

        Raises RefusedError `card_typo`, `unknown_card`, `card_revoked`.
        """
        try:
            card_code(code)
        except ValueError:
            raise _card_typo() from None
        staff_id = _typed(staff_id)
        staff = self._book.staff_by_number.get(staff_id)
        if staff is not None and self._card_fits(staff, staff_id, code):
            if staff in self._book.struck:
                raise card_revoked()
            return staff
        older = (each for each in self._book.struck if self._book.staff[each].staff_id == staff_id)
        if any(self._card_fits(each, staff_id, code) for each in older):
            raise card_revoked()
        raise _unknown_card()

    async def derive(self, staff_id: str, work: Callable[[], T | None]) -> T:
        """Run Argon2id work in a thread, one at a time; None from it is a wrong PIN.

        Raises RefusedError `wait` or `wrong_pin`.
        """
        tries = self._tries_of(_typed(staff_id))
        async with self._one_at_a_time:
            left_s = tries.free_at_s - time.monotonic()
            if left_s > 0:
                raise _wait(left_s)
            found = await asyncio.get_running_loop().run_in_executor(None, work)
            if found is None:
                self._count_wrong(tries)
        if found is None:
            raise _wrong_pin(TRIES_FREE - tries.wrong)
        tries.wrong = 0
        return found

    def _card_fits(self, staff: bytes, staff_id: str, code: str) -> bool:
        try:
            signer = card_signer(code, self._book.network, staff_id)
        except ValueError:
            return False
        return signer.public == self._book.staff[staff].card

    def _tries_of(self, staff_id: str) -> _Tries:
        if len(self._tries) >= TRIES_KEPT_MAX:
            self._tries.clear()
        return self._tries.setdefault(staff_id, _Tries())

    @staticmethod
    def _count_wrong(tries: _Tries) -> None:
        tries.wrong += 1
        if tries.wrong >= TRIES_FREE:
            wait_s = min(WAIT_S_FIRST * 2 ** (tries.wrong - TRIES_FREE), WAIT_S_MAX)
            tries.free_at_s = time.monotonic() + wait_s


def pin_chars_min(person: StaffCredential) -> int:
    """The least length of somebody's PIN."""
    return PIN_CHARS_MIN_HQ if ROLE_HQ in person.roles else PIN_CHARS_MIN


def check_new_pin(person: StaffCredential, pin: str, pin_again: str | None) -> None:
    """Refuse a PIN that was not typed twice alike, is short, or is a run."""
    least = pin_chars_min(person)
    if pin_again is None:
        raise RefusedError(
            "choose_pin",
            "このカードは初めて使われます。PINを決めてください。",
            "This card is used for the first time. Choose a PIN.",
            f"{least}文字以上のPINを2回入力してください。",
            f"Type a PIN of at least {least} characters twice.",
            409,
        )
    if pin != pin_again:
        raise RefusedError(
            "pin_mismatch",
            "2つのPINが違います。",
            "The two PINs differ.",
            "もう一度、同じPINを2回入力してください。",
            "Type the same PIN twice.",
            400,
        )
    if len(set(pin)) == 1 or pin in _RUNS or pin in _RUNS[::-1]:
        raise RefusedError(
            "pin_too_simple",
            "並びやくり返しだけのPINは使えません。",
            "A PIN of a run or of one repeated character cannot be used.",
            "ほかの人が思いつかないPINを決めてください。",
            "Choose a PIN that others would not guess.",
            400,
        )
    if len(pin) < least:
        raise RefusedError(
            "pin_too_short",
            f"PINが短すぎます（{least}文字以上）。",
            f"The PIN is too short (at least {least} characters).",
            "もっと長いPINを決めてください。",
            "Choose a longer PIN.",
            400,
        )


def same_pin() -> RefusedError:
    """A PIN was to be changed into itself."""
    return RefusedError(
        "same_pin",
        "新しいPINが、いまのPINと同じです。",
        "The new PIN is the present one.",
        "別のPINを決めてください。",
        "Choose another one.",
        400,
    )


def _card_typo() -> RefusedError:
    return RefusedError(
        "card_typo",
        "カード番号に打ちまちがいがあります。",
        "The card code has a typing error.",
        "カードを見て、最後の記号（*~$= のこともあります）まで入れてください。",
        "Look at the card and type it up to the last sign, which may be one of *~$=.",
        401,
    )


def _unknown_card() -> RefusedError:
    return RefusedError(
        "unknown_card",
        "この職員番号とカード番号の組は名簿にありません。",
        "This staff number and card code are not in the roster.",
        "番号を確かめて、もう一度入力してください。新しいカードは、名簿がこの機器に届くと使えます。"
        "分からないときは登録担当者へ。",
        "Check both and type them again. A new card works once the roster has arrived at this "
        "machine. Or ask your registrar.",
        401,
    )


def card_revoked() -> RefusedError:
    """The person's credential was revoked; what they wrote before keeps its effect."""
    return RefusedError(
        "card_revoked",
        "このカードは失効しています。",
        "This card was revoked.",
        "新しいカードを登録担当者から受け取ってください。",
        "Get a new card from your registrar.",
        401,
    )


def bad_seal() -> RefusedError:
    """What a page sealed does not open with this node's key."""
    return RefusedError(
        "bad_seal",
        "ログインの内容を読み取れませんでした。",
        "What the page sealed could not be opened.",
        "ページを読み込み直して、もう一度入力してください。",
        "Reload the page and type it again.",
        400,
    )


def _not_bound() -> RefusedError:
    return RefusedError(
        "not_bound",
        "権限のあるカードですが、発行時のPIN登録がまだです。",
        "This card has special rights and no PIN was chosen for it when it was issued.",
        "情報システム担当の窓口で、本人がPINを登録してください。",
        "Choose the PIN in person where the card was issued.",
        403,
    )


def _wait(seconds: float) -> RefusedError:
    whole = int(seconds) + 1
    return RefusedError(
        "wait",
        f"PINの間違いが続いたため、あと{whole}秒お待ちください。",
        f"Too many wrong PINs; wait {whole} seconds.",
        "待ってからもう一度試すか、登録担当者に相談してください。",
        "Wait and try again, or ask your registrar.",
        429,
    )


def _wrong_pin(left: int) -> RefusedError:
    more_ja = f"あと{left}回試せます。" if left > 0 else "しばらく待ってから試せます。"
    more_en = f"{left} tries are left." if left > 0 else "You can try again after a wait."
    return RefusedError(
        "wrong_pin",
        "PINが違います。",
        "The PIN is wrong.",
        f"もう一度入力してください。{more_ja}忘れたときは、区の登録担当者に言ってください。",
        f"Type it again. {more_en} Forgotten? Tell your ward's registrar.",
        401,
    )

"""What is in force among records that speak of the same card or node: bindings, rulings,
suspensions. Asked of a `RecordBook`; equal books answer alike.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.book import RecordBook
from meshrelay.core.records import NO_BINDING, ROLE_ARCHIVE, Binding, Ruling

# 本部 in the ward list (design, words).
HQ_WARD = "00"
# Stands for any issuer among those who suspend; no staff id has a colon.
ISSUER = "issuer:"


class Round(NamedTuple):
    """The last round of words on suspending one node: staff ids of who said so (and ISSUER),
    and whether one of them, or an issuer, has lifted it."""

    number: int
    said: frozenset[str]
    lifted: bool


def last_round(book: RecordBook, node: bytes) -> Round | None:
    """The round with the highest number; None: nobody ever asked. A registrar whose own
    credential was revoked is not counted."""
    records = book.suspensions.get(node)
    if not records:
        return None
    newest = max(each.number for each in records)
    said, lifters = (
        frozenset(
            who
            for each in records
            if (each.number, each.lifted) == (newest, lifts) and (who := _who(book, each.by))
        )
        for lifts in (False, True)
    )
    return Round(newest, said, ISSUER in lifters or not said.isdisjoint(lifters))


def may_be_suspended(book: RecordBook, node: bytes) -> bool:
    """A ward's node; not an archive, nor one of HQ's."""
    known = book.nodes.get(node)
    return known is not None and known.ward != HQ_WARD and ROLE_ARCHIVE not in known.roles


def is_suspended(book: RecordBook, node: bytes) -> bool:
    """Whether two registrars, or an issuer, suspended it and none of them lifted it since."""
    last = last_round(book, node)
    if last is None or last.lifted or not may_be_suspended(book, node):
        return False
    return len(last.said) > 1 or ISSUER in last.said


def _who(book: RecordBook, by: bytes) -> str:
    """Whose word it is; empty: a registrar's who was revoked."""
    if by in book.issuers:
        return ISSUER
    session = book.session(by)
    assert session is not None  # verified when it was taken
    return "" if session.staff in book.struck else book.staff[session.staff].staff_id


def next_ruling(book: RecordBook, staff: bytes) -> int:
    """The number of a ruling that is to be in force."""
    rulings = book.rulings.get(staff, ())
    return max((_ruling_number(book, each) for each in rulings), default=0) + 1


def live_bindings(book: RecordBook, staff: bytes) -> list[bytes]:
    """Bindings that open a log-in: no later one is known, and no ruling is against them.

    More than one: a conflict, until a registrar settles it.
    """
    rulings = _rulings_in_force(book, staff)
    known = [each for each in book.bindings.get(staff, ()) if _agrees(book, each, rulings)]
    replaced = {_binding(book, each).by for each in known}
    return sorted(each for each in known if each not in replaced)


def _rulings_in_force(book: RecordBook, staff: bytes) -> list[bytes]:
    rulings = book.rulings.get(staff, ())
    newest = max((_ruling_number(book, each) for each in rulings), default=0)
    return [each for each in rulings if _ruling_number(book, each) == newest]


def _ruling_number(book: RecordBook, record: bytes) -> int:
    content = book.by_id[record].content
    assert isinstance(content, Ruling)
    return content.number


def _binding(book: RecordBook, record: bytes) -> Binding:
    content = book.by_id[record].content
    assert isinstance(content, Binding)
    return content


def reset_of(book: RecordBook, staff: bytes) -> bytes | None:
    """The ruling by which this card may be bound anew, if that is what is in force."""
    rulings = _rulings_in_force(book, staff)
    return min((each for each in rulings if not _chooses(book, each)), default=None)


def _agrees(book: RecordBook, binding: bytes, rulings: list[bytes]) -> bool:
    """Whether a binding, or one that it was made from, is what one of these says."""
    if not rulings:
        return True
    allowed = {getattr(book.by_id[each].content, "binding", None) for each in rulings}
    while True:
        by = _binding(book, binding).by
        if binding in allowed or by in rulings:
            return True
        if not by or not isinstance(book.by_id[by].content, Binding):
            return False
        binding = by


def has_conflict(book: RecordBook, staff: bytes) -> bool:
    """Whether two bindings claim one card: log-in goes on, words are marked (trust.md)."""
    return len({_binding(book, each).author for each in live_bindings(book, staff)}) > 1


def is_doubtful(book: RecordBook, session: bytes) -> bool:
    """Whether a session's words are not surely its person's: its card is claimed twice, or
    a registrar settled that the other claim is the person's."""
    content = book.session(session)
    if content is None:
        return False
    rulings = _rulings_in_force(book, content.staff)
    chosen = [each for each in rulings if _chooses(book, each)]
    return has_conflict(book, content.staff) or not _agrees(book, content.binding, chosen)


def _chooses(book: RecordBook, ruling: bytes) -> bool:
    content = book.by_id[ruling].content
    return isinstance(content, Ruling) and content.binding != NO_BINDING

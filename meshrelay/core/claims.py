"""What is in force among records that speak of the same card or node: bindings, rulings,
suspensions. Asked of a `RecordBook`; equal books answer alike.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.book import RecordBook
from meshrelay.core.records import NO_BINDING, REVOKED, ROLE_ARCHIVE, Binding, Ruling

# 本部 in the ward list (design, words).
HQ_WARD = "00"
SUSPENDED = "suspended"
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


def bars(book: RecordBook, node: bytes) -> str:
    """Why nobody has a link with a node: REVOKED, SUSPENDED, or "" if that is not so."""
    if node in book.revoked:
        return REVOKED
    return SUSPENDED if is_suspended(book, node) else ""


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
    return max((_ruling(book, each).number for each in rulings), default=0) + 1


def live_bindings(book: RecordBook, staff: bytes) -> list[bytes]:
    """Bindings that open a log-in: no later one is known, and no ruling is against them.

    More than one: a conflict, until a registrar settles it.
    """
    rulings = _rulings_in_force(book, staff)
    return _heads(book, [b for b in book.bindings.get(staff, ()) if _agrees(book, b, rulings)])


def _heads(book: RecordBook, bindings: list[bytes]) -> list[bytes]:
    """Those that no other was made from."""
    replaced = {_binding(book, each).by for each in bindings}
    return sorted(each for each in bindings if each not in replaced)


def _rulings_in_force(book: RecordBook, staff: bytes) -> list[bytes]:
    return _newest(book, book.rulings.get(staff, []))


def _newest(book: RecordBook, rulings: list[bytes]) -> list[bytes]:
    newest = max((_ruling(book, each).number for each in rulings), default=0)
    return [each for each in rulings if _ruling(book, each).number == newest]


def _ruling(book: RecordBook, record: bytes) -> Ruling:
    content = book.by_id[record].content
    assert isinstance(content, Ruling)
    return content


def _binding(book: RecordBook, record: bytes) -> Binding:
    content = book.by_id[record].content
    assert isinstance(content, Binding)
    return content


def _reset_before(book: RecordBook, binding: bytes) -> bytes:
    """The ruling by which a binding, or the first of those it was made from, was made; b"" is
    the card's first use, or its issue."""
    while True:
        by = _binding(book, binding).by
        if not by:
            return by
        content = book.by_id[by].content
        if not isinstance(content, Binding):
            return by if isinstance(content, Ruling) else b""
        binding = by


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
    return _is_split(book, live_bindings(book, staff))


def _is_split(book: RecordBook, heads: list[bytes]) -> bool:
    """Whether they are of different people, as far as PINs can tell."""
    return len({_binding(book, each).author for each in heads}) > 1


def is_doubtful(book: RecordBook, session: bytes) -> bool:
    """Whether a session's words are not surely its person's: its card was claimed twice at
    that time, and no registrar settled that this claim is the person's.

    A PIN that was forgotten since settles nothing: what was doubtful before it stays so.
    """
    content = book.session(session)
    if content is None:
        return False
    began = _reset_before(book, content.binding)
    together = [
        each for each in book.bindings.get(content.staff, ()) if _reset_before(book, each) == began
    ]
    choices = [
        each
        for each in book.rulings.get(content.staff, ())
        if _ruling(book, each).binding in together
    ]
    if choices:
        return not _agrees(book, content.binding, _newest(book, choices))
    return _is_split(book, _heads(book, together))


def _chooses(book: RecordBook, ruling: bytes) -> bool:
    return _ruling(book, ruling).binding != NO_BINDING

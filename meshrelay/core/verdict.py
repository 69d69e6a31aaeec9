"""Level B of acceptance: what a stored entry may do. Pure: entry, records, software.

A verdict never stops a log. It is judged again when a record or a software version
arrives; no clock takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from meshrelay.core.book import RecordBook
from meshrelay.core.entry import AuthorPart, Entry, author_aad, read_author_part
from meshrelay.core.records import STAFF_REVOKED, StaffCredential
from meshrelay.core.signing import check1
from meshrelay.errors import FrameError, SignatureError

EFFECTIVE, WAITING, UNKNOWN_KIND, REFUSED = range(4)


# Refusals that say that the named person did not write this here: nobody's words.
NOT_THEIRS = frozenset({"author_signature", "session_of_another_node"})


class Verdict(NamedTuple):
    """What an entry may do; `reason` names why not, `missing` the record it waits for."""

    state: int
    reason: str = ""
    missing: bytes | None = None
    part: AuthorPart | None = None
    person: StaffCredential | None = None


class Rule(NamedTuple):
    """What level B asks of one kind. `check` returns a reason to refuse the body, or None.

    `by_node`: the node speaks for itself (no author part), otherwise a person must. `of_whom`:
    (staff id, session) of people that a node speaks of; they must have logged in at it.
    """

    lanes: frozenset[int]
    by_node: bool
    roles: frozenset[str]
    check: Callable[[bytes, str], str | None]
    of_whom: Callable[[bytes], Collection[tuple[str, bytes]]] = lambda body: ()


class Authorship(NamedTuple):
    """What can be said of an author part before any rule: what costs time, on any thread.

    `good`: its signature under the session's key; None: the session is not here.
    """

    part: AuthorPart | None
    good: bool | None
    reason: str = ""


def authorship(entry: Entry, book: RecordBook) -> Authorship | None:
    """Parse and verify the author part of `entry`; None when the node speaks for itself."""
    if not entry.author:
        return None
    try:
        part = read_author_part(entry.author)
    except FrameError as error:
        return Authorship(None, False, f"author_{error.reason}")
    session = book.session(part.session)
    if session is None:
        return Authorship(part, None)
    aad = author_aad(book.network, entry.log.origin, entry.log.lane, entry.lifetime_s, entry.kind)
    try:
        check1(entry.author, session.key, aad)
    except SignatureError:
        return Authorship(part, False, "author_signature")
    return Authorship(part, True)


class Judge:
    """Applies the rules of every known kind."""

    def __init__(self, book: RecordBook, rules: Mapping[str, Rule]) -> None:
        self._book = book
        self._rules = rules

    def __call__(self, entry: Entry, known: Authorship | None = None) -> Verdict:
        """The verdict on an entry whose own signature is already verified.

        `known`: its `authorship`, when it was found before.
        """
        if known is None or known.good is None:
            known = authorship(entry, self._book)
        if known is None:
            return self._by_node(entry)
        part = known.part
        if part is None:
            return Verdict(REFUSED, known.reason)
        if known.good is None:
            return Verdict(WAITING, "session", part.session, part)
        if not known.good:
            return Verdict(REFUSED, known.reason)
        session = self._book.session(part.session)
        assert session is not None  # its key has just verified the author part
        person = self._book.staff[session.staff]
        if session.origin != entry.log.origin:
            return Verdict(REFUSED, "session_of_another_node", None, part, person)
        if self._book.is_above_end(entry):
            return Verdict(REFUSED, self._book.why_ended(entry.log), None, part, person)
        end = self._book.staff_end(session.staff, entry.log)
        if end is not None and entry.seq > end:
            return Verdict(REFUSED, STAFF_REVOKED, None, part, person)
        rule = self._rules.get(entry.kind)
        if rule is None:
            return Verdict(UNKNOWN_KIND, entry.kind, None, part, person)
        return Verdict(*self._apply(rule, entry, part, person), part, person)

    def _apply(
        self, rule: Rule, entry: Entry, part: AuthorPart, person: StaffCredential
    ) -> tuple[int, str, None]:
        if rule.by_node:
            return REFUSED, "not_a_persons_kind", None
        if entry.log.lane not in rule.lanes:
            return REFUSED, "lane", None
        if rule.roles and rule.roles.isdisjoint(person.roles):
            return REFUSED, "role", None
        reason = rule.check(part.body, part.audience)
        return (REFUSED, reason, None) if reason else (EFFECTIVE, "", None)

    def _by_node(self, entry: Entry) -> Verdict:
        rule = self._rules.get(entry.kind)
        if rule is None:
            return Verdict(UNKNOWN_KIND, entry.kind)
        if not rule.by_node:
            return Verdict(REFUSED, "unsigned")
        if entry.log.lane not in rule.lanes:
            return Verdict(REFUSED, "lane")
        reason = rule.check(entry.body, "")
        if reason:
            return Verdict(REFUSED, reason)
        for staff_id, session_id in rule.of_whom(entry.body):
            session = self._book.session(session_id)
            if session is None:
                return Verdict(WAITING, "session", session_id)
            if session.origin != entry.log.origin:
                return Verdict(REFUSED, "session_of_another_node")
            if self._book.staff[session.staff].staff_id != staff_id:
                return Verdict(REFUSED, "session_of_another_person")
        return Verdict(EFFECTIVE)

"""Level B of acceptance: what a stored entry may do. Pure: entry, records, software.

A verdict never stops a log. It is judged again when a record or a software version
arrives; no clock takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from meshrelay.core.entry import AuthorPart, Entry, author_aad, read_author_part
from meshrelay.core.records import RecordBook, StaffCredential
from meshrelay.core.signing import verify1
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

    `by_node`: the node speaks for itself (no author part), otherwise a person must.
    """

    lanes: frozenset[int]
    by_node: bool
    roles: frozenset[str]
    check: Callable[[bytes, str], str | None]


class Judge:
    """Applies the rules of every known kind."""

    def __init__(self, book: RecordBook, rules: Mapping[str, Rule]) -> None:
        self._book = book
        self._rules = rules

    def __call__(self, entry: Entry) -> Verdict:
        """The verdict on an entry whose own signature is already verified."""
        if not entry.author:
            return self._by_node(entry)
        try:
            part = read_author_part(entry.author)
        except FrameError as error:
            return Verdict(REFUSED, f"author_{error.reason}")
        session = self._book.session(part.session)
        if session is None:
            return Verdict(WAITING, "session", part.session, part)
        aad = author_aad(
            self._book.network, entry.log.origin, entry.log.lane, entry.lifetime_s, entry.kind
        )
        try:
            verify1(entry.author, session.key, aad)
        except (FrameError, SignatureError):
            return Verdict(REFUSED, "author_signature")
        person = self._book.staff[session.staff]
        if session.origin != entry.log.origin:
            return Verdict(REFUSED, "session_of_another_node", None, part, person)
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
        return Verdict(REFUSED, reason) if reason else Verdict(EFFECTIVE)

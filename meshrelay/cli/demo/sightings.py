"""What the driver saw, and when: the evidence of a replay. Pure; times are ms since start."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshrelay.cli.demo.layout import PLACES
from meshrelay.cli.demo.scenario import Expectation, Fact, Scenario
from meshrelay.node.office import Message, Posted, WhoRead

# A page is asked every POLL_SECONDS; a word seen in one poll may be true of a node whose
# turn comes only then, or whose read model is a commit behind. Not more than this.
SHOWN_SLACK_MS = 1_000

WORD_ORDER = ("node", "wards", "archive")
WARDS_BY_KEY = {place.key: place.ward for place in PLACES}
ARCHIVE = next(place.key for place in PLACES if place.archive)


@dataclass
class Sent:
    """One message of the scenario. Empty `posted` means that no node has answered 201."""

    id: str
    message_id: str
    author: str
    room: str
    text: str
    created_ms: int = 0  # clock when it was first pressed send
    node: str = ""
    posted: Posted | None = None
    taken_by: list[str] = field(default_factory=list)  # every node that answered 201


class Sightings:
    """First sighting of every fact, and when a page could not be asked."""

    def __init__(self) -> None:
        self.first_ms: dict[Fact, int] = {}
        self.blind: dict[str, list[tuple[int, int]]] = {place.key: [] for place in PLACES}
        self.sent: dict[str, Sent] = {}

    def note(self, at_ms: int, fact: Fact) -> None:
        self.first_ms.setdefault(fact, at_ms)

    def note_answered(self, at_ms: int, sent: Sent, node: str, posted: Posted) -> None:
        """A node answered 201: from now on the message must never be lost."""
        if sent.posted is None:
            sent.posted = posted
            sent.node = node
        sent.taken_by.append(node)
        self.note(at_ms, Fact("answered", sent.id))
        if posted.trouble is not None:
            self.note(at_ms, Fact("trouble", sent.id))
        self._word(at_ms, sent, node, "node")

    def note_message(self, at_ms: int, place: str, sent: Sent, message: Message) -> None:
        """A page shows the message."""
        self.note(at_ms, Fact("shown", sent.id, place=place))
        if message.trouble is not None:
            self.note(at_ms, Fact("trouble", sent.id))
        if message.wards_n > 0:
            self._word(at_ms, sent, place, "wards")
        if message.place == "archive":
            self._word(at_ms, sent, place, "archive")

    def _word(self, at_ms: int, sent: Sent, place: str, word: str) -> None:
        self.note(at_ms, Fact("word", sent.id, place=place, word=word))
        if place == sent.node:
            self.note(at_ms, Fact("word", sent.id, word=word))

    def note_who(self, at_ms: int, sent: Sent, who: WhoRead) -> None:
        for reader in who.readers:
            if reader.state == "read":
                self.note(at_ms, Fact("read", sent.id, person=reader.person.staff_id))

    def note_blind(self, place: str, from_ms: int, to_ms: int) -> None:
        """The page of `place` could not be seen in this span."""
        self.blind[place].append((from_ms, to_ms))

    def shown_ms(self, sent: Sent, place: str) -> int | None:
        return self.first_ms.get(Fact("shown", sent.id, place=place))

    def other_node(self, sent: Sent) -> tuple[str, int] | None:
        """The first node of another ward that showed it."""
        seen = [
            (at_ms, place)
            for place in WARDS_BY_KEY
            if place not in (sent.node, ARCHIVE)
            and (at_ms := self.shown_ms(sent, place)) is not None
        ]
        return (min(seen)[1], min(seen)[0]) if seen else None

    def words(self, sent: Sent) -> list[tuple[str, int]]:
        """The delivery words at the sender's node, as they came."""
        found = [
            (at_ms, word)
            for word in WORD_ORDER
            if (at_ms := self.first_ms.get(Fact("word", sent.id, word=word))) is not None
        ]
        return [(word, at_ms) for at_ms, word in sorted(found, key=lambda pair: pair[0])]

    def _early_ms(self, sent: Sent, word: str) -> int | None:
        """When the word was shown although no node that it speaks of showed the message.

        None when that never happened, or when one of those nodes could not be asked
        meanwhile (a node may commit, state it and be killed before its page is seen).
        """
        word_ms = self.first_ms.get(Fact("word", sent.id, word=word))
        answered_ms = self.first_ms.get(Fact("answered", sent.id))
        if word_ms is None or answered_ms is None:
            return None
        holders = (
            [ARCHIVE]
            if word == "archive"
            else [key for key in WARDS_BY_KEY if key not in (sent.node, ARCHIVE)]
        )
        latest_ms = word_ms + SHOWN_SLACK_MS
        for place in holders:
            shown_ms = self.shown_ms(sent, place)
            if place in sent.taken_by or (shown_ms is not None and shown_ms <= latest_ms):
                return None
            if any(start <= latest_ms and end >= answered_ms for start, end in self.blind[place]):
                return None
        return word_ms

    def seen_ms(self, expectation: Expectation) -> int | None:
        """First sighting that matters: for `never`, the first one inside the window."""
        fact = expectation.fact
        ids = [fact.id] if fact.id else list(self.sent)
        times = []
        for message in ids:
            if fact.kind == "early":
                at_ms = self._early_ms(self.sent[message], fact.word)
            else:
                at_ms = self.first_ms.get(
                    Fact(fact.kind, message, fact.place, fact.word, fact.person)
                )
            if at_ms is None:
                continue
            if not expectation.never or _inside(expectation, at_ms):
                times.append(at_ms)
        return min(times, default=None)

    def holds(self, expectation: Expectation) -> bool:
        at_ms = self.seen_ms(expectation)
        if expectation.never:
            return at_ms is None
        return at_ms is not None and at_ms <= expectation.by_s * 1000


def _inside(expectation: Expectation, at_ms: int) -> bool:
    return expectation.after_s * 1000 < at_ms <= expectation.by_s * 1000


def sent_messages(scenario: Scenario, message_ids: dict[str, str]) -> dict[str, Sent]:
    """The messages that the scenario sends, by their id in it."""
    found: dict[str, Sent] = {}
    for step in scenario.steps:
        if step.do == "send" and step.id not in found:
            found[step.id] = Sent(step.id, message_ids[step.id], step.person, step.room, step.text)
    return found

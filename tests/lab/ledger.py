"""What people were promised, what pages show, and where the two differ.

Everything here is a pure comparison: the lab's verdict must be testable without a lab.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from meshrelay.node.office import Message

Key = tuple[str, str]


class Shown(NamedTuple):
    """One message as one page shows it."""

    author: str
    message_id: str
    text: str
    place: str
    wards_n: int
    origin_ward: str
    trouble: str | None

    @property
    def key(self) -> Key:
        return self.author, self.message_id


Page = list[Shown]
# Entry ids by ward; None where the disk could not be read.
Disks = Mapping[str, frozenset[str] | None]


def shown(messages: list[Message]) -> Page:
    """A room's messages, as far as the lab compares them."""
    return [
        Shown(
            m.author, m.message_id, str(m.body.get("text")), m.place, m.wards_n, m.origin_ward,
            m.trouble,
        )
        for m in messages
    ]  # fmt: skip


@dataclass
class Ledger:
    """Every message that a node answered with 201: its text, and the entry that it named."""

    answered: dict[Key, str] = field(default_factory=dict)
    entries: dict[Key, str] = field(default_factory=dict)

    def note(self, key: Key, text: str, entry: str) -> None:
        self.answered[key] = text
        self.entries[key] = entry


def unfinished(ledger: Ledger, pages: dict[str, Page | None], place: str) -> list[str]:
    """What still keeps the city from being whole, as sentences; empty when it is.

    Whole: each page shows every answered message once, with its text, without trouble, and
    `place` under it. A page that does not answer (None) shows nothing.
    """
    found = []
    for ward, page in pages.items():
        if page is None:
            found.append(f"{ward} does not answer")
            continue
        texts = {message.key: message for message in page}
        absent = [key for key in ledger.answered if key not in texts]
        if absent:
            found.append(f"{ward} lacks {len(absent)} of {len(ledger.answered)}")
        other = [key for key, text in ledger.answered.items() if key in texts
                 and texts[key].text != text]  # fmt: skip
        if other:
            found.append(f"{ward} shows another text for {len(other)}")
        twice = [key for key, times in Counter(m.key for m in page).items() if times > 1]
        if twice:
            found.append(f"{ward} shows {len(twice)} twice")
        troubled = [m for m in page if m.trouble is not None]
        if troubled:
            found.append(f"{ward} marks {len(troubled)} as {troubled[0].trouble}")
        not_there = [key for key in ledger.answered if key in texts and texts[key].place != place]
        if not_there:
            found.append(f"{ward} shows {len(not_there)} not yet as {place}")
    return found


def untrue(ledger: Ledger, pages: dict[str, Page | None], disks: Disks, hq: str) -> list[str]:
    """Receipts on `pages` that the disks, read afterwards, disprove (I10).

    A receipt speaks of a disk: an entry may be held before its page can show it. Disks only
    grow, and one that could not be read disproves nothing.
    """
    found = []
    for ward, page in pages.items():
        for message in page or ():
            entry = ledger.entries.get(message.key)
            if entry is None:
                continue
            at_hq = disks.get(hq)
            if message.place == "archive" and at_hq is not None and entry not in at_hq:
                found.append(f"{ward} says the archive holds {message.text!r}: it does not")
            others = [disks[other] for other in disks if other not in (hq, message.origin_ward)]
            holding = sum(disk is None or entry in disk for disk in others)
            if message.wards_n > holding:
                found.append(
                    f"{ward} says {message.wards_n} wards hold {message.text!r}: {holding} may"
                )
    return found

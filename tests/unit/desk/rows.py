"""A read model in memory for folds, and items to fold."""

from __future__ import annotations

from copy import deepcopy

from meshrelay.core.entry import Draft, Entry, LogId, make_entry, read_author_part
from meshrelay.core.verdict import EFFECTIVE, REFUSED
from meshrelay.desk import receipts
from meshrelay.desk.kind import Item, Row
from tests.unit.core.city import KITA, LIFETIME_S, NETWORK, PT_MS, Person, log_of

SESSION = b"s" * 32


class MemoryRows:
    """`desk.kind.Rows`, with notes of what was carried and touched."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[str, str, Row]] = {}
        self.carriers: dict[str, set[tuple[str, str]]] = {}
        self.touched: list[str] = []

    def get(self, kind: str, key: str) -> Row | None:
        found = self.rows.get((kind, key))
        return deepcopy(found[2]) if found else None

    def put(self, kind: str, key: str, group: str, sort: str, row: Row) -> None:
        self.rows[(kind, key)] = (group, sort, deepcopy(row))

    def drop(self, kind: str, key: str) -> None:
        self.rows.pop((kind, key), None)

    def carry(self, place: str, kind: str, key: str) -> None:
        self.carriers.setdefault(place, set()).add((kind, key))

    def touch(self, place: str) -> None:
        self.touched.append(place)


def item(
    entry: Entry, who: Person | None = None, state: int = EFFECTIVE, reason: str = "",
    arrived_ms: int = PT_MS, ended: bool = False,
) -> Item:  # fmt: skip
    """A stored entry as a fold sees it."""
    part = read_author_part(entry.author) if entry.author else None
    content = who.staff.content if who else None
    return Item(entry, state, reason, part, content, arrived_ms, 0, 0, ended)  # type: ignore[arg-type]


def ended(entry: Entry, who: Person | None = None, reason: str = "fork") -> Item:
    """The same above an end of its log."""
    return item(entry, who, REFUSED, reason, ended=True)


def shown(*triples: tuple[str, LogId, int], seq: int = 1, at_ms: int = PT_MS) -> Entry:
    """北区's node: these people had these entries on their screens."""
    log = log_of(KITA, 2)
    seen = [(receipts.Who(person, SESSION), log, seq) for person, log, seq in triples]
    body = receipts.encode_body("all", seen)
    draft = Draft(2, receipts.NAME, LIFETIME_S, b"", body)
    return make_entry(KITA, NETWORK, log, seq, log.first_prev, at_ms << 16, 4, draft)

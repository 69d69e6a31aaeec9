"""mode, instruction, evacuation, notice: words with effect, from people who may.

Who may is judged at level B by the credential that the session names, at every node. Here an
order is a message of its room in the urgent lane, and besides a row that lists it as urgent in
its room; what else it sets in motion comes with the desk. Body as `talk`: {1: text}.
"""

from __future__ import annotations

from functools import partial

from meshrelay.core.entry import LIFETIME_S_MAX, URGENT
from meshrelay.core.records import ROLE_HQ, ROLE_INSTRUCTOR
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk
from meshrelay.desk.kind import Item, Kind, Row, Rows

# The rows that list orders by room; those of their messages are among the room's.
LIST = "urgent"
MODE = "mode"
ROLES = {
    MODE: frozenset({ROLE_HQ}),
    "instruction": frozenset({ROLE_HQ, ROLE_INSTRUCTOR}),
    "evacuation": frozenset({ROLE_HQ}),
    "notice": frozenset({ROLE_HQ}),
}


def fold(name: str, rows: Rows, item: Item) -> None:
    """A row among the room's messages, with its kind, and one that lists it as urgent."""
    talk.fold(rows, item, {"kind": name})
    if item.part is None or item.person is None:
        return
    key = f"{item.person.staff_id}/{item.part.message_id.hex()}"
    row = rows.get(talk.NAME, key)
    if row is None:
        return
    best = order_of(row)
    if best is None:
        rows.drop(LIST, key)
    else:
        rows.put(LIST, key, best["room"], talk.sort_key(best), {"kind": best["kind"]})


def order_of(row: Row) -> Row | None:
    """The best effective copy of a message that is an order; None if none is.

    Not the shown copy: its author may have signed plain talk under the same id.
    """
    orders = [
        copy
        for copy in row["copies"].values()
        if not copy["refused"] and copy.get("kind", talk.NAME) in ROLES
    ]
    return talk.shown({"copies": dict(enumerate(orders))}) if orders else None


KINDS = tuple(
    Kind(
        name,
        Rule(frozenset({URGENT}), False, roles, talk.check),
        URGENT,
        LIFETIME_S_MAX[URGENT],
        partial(fold, name),
    )
    for name, roles in ROLES.items()
)

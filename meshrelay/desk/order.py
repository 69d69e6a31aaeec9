"""mode, instruction, evacuation, notice: words with effect, from people who may.

Who may is judged at level B by the credential that the session names, at every node. Here an
order is a message of its room in the urgent lane; what it sets in motion comes with the desk.
Body as `talk`: {1: text}.
"""

from __future__ import annotations

from functools import partial

from meshrelay.core.entry import LIFETIME_S_MAX, URGENT
from meshrelay.core.records import ROLE_HQ, ROLE_INSTRUCTOR
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk
from meshrelay.desk.kind import Item, Kind, Rows

ROLES = {
    "mode": frozenset({ROLE_HQ}),
    "instruction": frozenset({ROLE_HQ, ROLE_INSTRUCTOR}),
    "evacuation": frozenset({ROLE_HQ}),
    "notice": frozenset({ROLE_HQ}),
}


def fold(name: str, rows: Rows, item: Item) -> None:
    """A row among the room's messages, with its kind."""
    talk.fold(rows, item, {"kind": name})


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

"""What a new list changes: who comes, whose data differ, who left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshrelay.cli.roster import RosterRow
from meshrelay.core.records import ROLE_HQ, ROLES_BOUND, StaffCredential

NAMES_SHOWN_MAX = 20


class Change(NamedTuple):
    """Somebody whose credential says something else than the list."""

    record: bytes
    old: StaffCredential
    row: RosterRow


class Plan(NamedTuple):
    """What an import would do. `left`: record id and credential of each."""

    added: list[RosterRow]
    changed: list[Change]
    left: list[tuple[bytes, StaffCredential]]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.left)

    def issues(self) -> list[RosterRow]:
        """Everybody who gets a new credential, in the order of the list."""
        rows = [*self.added, *(change.row for change in self.changed)]
        return sorted(rows, key=lambda row: row.line)

    def to_bind(self) -> list[RosterRow]:
        """Those who must choose their PIN in person before their card opens anything."""
        return [row for row in self.issues() if not ROLES_BOUND.isdisjoint(row.roles)]

    def needs_authority(self) -> list[str]:
        """Staff numbers about whom only the authority may speak."""
        rows = [row.staff_id for row in self.issues() if ROLE_HQ in row.roles]
        before = [each.old.staff_id for each in self.changed if ROLE_HQ in each.old.roles]
        left = [person.staff_id for _, person in self.left if ROLE_HQ in person.roles]
        return list(dict.fromkeys([*rows, *before, *left]))


def compare(
    rows: Iterable[RosterRow], people: dict[str, tuple[bytes, StaffCredential]], keep_others: bool
) -> Plan:
    """The list against those who hold a card. `keep_others`: who is not in it stays."""
    added, changed, unchanged = [], [], 0
    seen: set[str] = set()
    for row in rows:
        seen.add(row.staff_id)
        known = people.get(row.staff_id)
        if known is None:
            added.append(row)
        elif _said(known[1]) != (row.name, row.kana, row.ward, row.unit, row.roles):
            changed.append(Change(*known, row))
        else:
            unchanged += 1
    left = [] if keep_others else [each for number, each in people.items() if number not in seen]
    return Plan(added, changed, left, unchanged)


def _said(old: StaffCredential) -> tuple[str, str, str, str, tuple[str, ...]]:
    return old.name, old.kana, old.ward, old.unit, tuple(old.roles)


def describe(plan: Plan) -> list[str]:
    """Counts and the first names of each sort, for somebody who is about to agree."""
    lines: list[str] = []
    for word, names in (
        ("added 追加", [f"{row.staff_id} {row.name} ({row.ward})" for row in plan.added]),
        ("changed 変更", [_what_changed(change) for change in plan.changed]),
        ("left 退職", [f"{p.staff_id} {p.name} ({p.ward})" for _, p in plan.left]),
    ):
        if names:
            lines.append(f"{word}: {len(names)}")
            lines += [f"  {name}" for name in names[:NAMES_SHOWN_MAX]]
            if len(names) > NAMES_SHOWN_MAX:
                lines.append(f"  ... and {len(names) - NAMES_SHOWN_MAX} more")
    lines.append(f"unchanged 変更なし: {plan.unchanged}")
    return lines


def _what_changed(change: Change) -> str:
    old, row = change.old, change.row
    pairs = (
        (old.name, row.name),
        (old.kana, row.kana),
        (old.ward, row.ward),
        (old.unit, row.unit),
        (" ".join(old.roles), " ".join(row.roles)),
    )
    what = ", ".join(f"{was or '-'} → {now or '-'}" for was, now in pairs if was != now)
    return f"{row.staff_id} {row.name}: {what}"

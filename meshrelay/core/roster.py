"""Records by id, with the staff of a whole city in little memory.

30,000 staff credentials are most of what a node holds. They are kept as the bytes they came
in and read again whenever somebody asks: as objects they would cost 20 MB more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from meshrelay.core.records import RECORD_LANE, STAFF, Record, StaffCredential, reread_staff


class Shelf(MutableMapping[bytes, Record]):
    """Verified records by id, in the order in which they came."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Record | bytes] = {}
        self.staff_n = 0

    def __getitem__(self, record_id: bytes) -> Record:
        kept = self._kept[record_id]
        if isinstance(kept, bytes):
            return Record(kept, record_id, STAFF, reread_staff(kept))
        return kept

    def __setitem__(self, record_id: bytes, record: Record) -> None:
        is_staff = record.type == STAFF
        self.staff_n += is_staff and record_id not in self._kept
        self._kept[record_id] = record.raw if is_staff else record

    def __delitem__(self, record_id: bytes) -> None:
        self.staff_n -= isinstance(self._kept.pop(record_id), bytes)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._kept

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def lane(self, record_id: bytes) -> int:
        """The lane that a record travels by; of what has none the first."""
        kept = self._kept[record_id]
        return (RECORD_LANE[STAFF] if isinstance(kept, bytes) else kept.lane) or 0

    def staff(self) -> Iterator[bytes]:
        """Ids of all staff credentials."""
        return (record_id for record_id, kept in self._kept.items() if isinstance(kept, bytes))

    def staff_raw(self, record_id: bytes) -> bytes:
        """The bytes of a staff credential. Raises KeyError if this is none."""
        kept = self._kept[record_id]
        if isinstance(kept, bytes):
            return kept
        raise KeyError(record_id)


class Roster(Mapping[bytes, StaffCredential]):
    """Who holds a card, by record id: the staff of a shelf, and temporary cards."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._temporary: dict[bytes, StaffCredential] = {}

    def lend(self, record_id: bytes, person: StaffCredential) -> None:
        """Somebody holds a temporary card."""
        self._temporary[record_id] = person

    def __getitem__(self, record_id: bytes) -> StaffCredential:
        person = self._temporary.get(record_id)
        return person or reread_staff(self._shelf.staff_raw(record_id))

    def __iter__(self) -> Iterator[bytes]:
        yield from self._shelf.staff()
        yield from self._temporary

    def __len__(self) -> int:
        return self._shelf.staff_n + len(self._temporary)

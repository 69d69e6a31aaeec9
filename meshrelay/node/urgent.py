"""What must be told at once: orders that somebody has not opened yet, and what a wall shows."""

from __future__ import annotations

from collections.abc import Callable

from meshrelay.desk import order, receipts, talk
from meshrelay.desk.kind import Row
from meshrelay.node.office import Message, Person, Wall, WallItem
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import ALL, Rooms
from meshrelay.store.views import Found, ViewReader

# Of each room the newest: a badge counts the rest.
LOOKED_AT = 50
CHANGES_MAX = 200
EXPIRED = "expired"


class Urgents:
    """Reads the rows that desk/order.py lists; quick, on the event loop."""

    def __init__(
        self, views: ViewReader, reading: Reading, rooms: Rooms, ward: Callable[[], str]
    ) -> None:
        self._views = views
        self._reading = reading
        self._rooms = rooms
        self._ward = ward
        self._seen = 0

    @property
    def stamp(self) -> str:
        """See Office.urgent_stamp."""
        return str(self._seen) if self._seen else ""

    def look(self) -> None:
        """Notice what folds listed since the last time; call it when the read model changed."""
        while found := self._views.changed_after(order.LIST, self._seen, CHANGES_MAX):
            self._seen = found[-1].changed

    def of(self, person: Person) -> list[Message]:
        """See Office.urgent."""
        found = [
            self._reading.message(each, person)
            for each in self._listed(self._rooms.visible_to(person))
            if not self._is_read(each.row, person)
        ]
        found.sort(key=lambda message: message.sort, reverse=True)
        return [message for message in found if message.expiry != EXPIRED]

    def wall(self) -> Wall:
        """See Office.wall."""
        items = []
        for each in self._listed(self._rooms.of_ward(self._ward())):
            copy = order.order_of(each.row)
            if copy is not None and (expiry := self._reading.expiry(copy)) != EXPIRED:
                items.append(_item(each.row, copy, expiry))
        items.sort(key=lambda item: item.id)
        modes = [item for item in items if item.kind == order.MODE and item.text is not None]
        return Wall(modes[-1] if modes else None, items[-1] if items else None)

    def _listed(self, rooms: list[str]) -> list[Found]:
        """The messages of the newest orders of some rooms, none that is hidden."""
        found = [
            self._views.get(talk.NAME, each.key)
            for room in rooms
            for each in self._views.newest(order.LIST, room, None, LOOKED_AT)
        ]
        return [each for each in found if each and not self._reading.is_hidden(each.row)]

    def _is_read(self, row: Row, person: Person) -> bool:
        """Whether it was displayed to the person, or is their own; cheap, for there may be many."""
        if row["author"] == person.staff_id:
            return True
        places = [copy["place"] for copy in talk.same_copies(row)]
        return any(self._views.get(receipts.NAME, f"{at}:{person.staff_id}") for at in places)


def _item(row: Row, copy: Row, expiry: str) -> WallItem:
    """No name, and the text only if it was written to everybody."""
    return WallItem(
        talk.sort_key(copy),
        copy["kind"],
        copy["text"] if copy["room"] == ALL else None,
        copy["created"],
        expiry,
        talk.trouble(row) is not None,
    )

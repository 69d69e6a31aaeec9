"""Search over every message that this node holds and its reader may see."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from pathlib import Path

from meshrelay.core.records import StaffCredential
from meshrelay.desk import talk
from meshrelay.desk.kind import Row
from meshrelay.errors import RefusedError
from meshrelay.node.office import Person, Search
from meshrelay.node.reading import Reading
from meshrelay.node.rooms import Rooms
from meshrelay.node.seats import to_person
from meshrelay.store.views import Found, ViewReader

HITS_MAX = 50
QUERY_CHARS_MAX = 100
# Whoever asks for a word that stands nowhere in a million messages waits this long, no longer.
SEARCH_S_MAX = 3.0
PAGE = 100


class Searching:
    """Looks through the read model in a thread of its own; the loop only draws what was found."""

    def __init__(self, path: Path, reading: Reading, rooms: Rooms) -> None:
        self._path = path
        self._reading = reading
        self._rooms = rooms

    async def search(self, person: Person, query: str, room: str | None) -> Search:
        """See Office.search."""
        words = plain(query).split()
        if not words or len(query) > QUERY_CHARS_MAX:
            raise _no_query()
        if room is not None:
            self._rooms.check(person, room)
        among = [room] if room is not None else self._rooms.visible_to(person)
        loop = asyncio.get_running_loop()
        found, whole = await loop.run_in_executor(None, self._look, among, query.split(), words)
        visible = [each for each in found if not self._reading.is_hidden(each.row)]
        messages = [self._reading.message(each, person) for each in visible]
        shown = tuple(
            each for each in messages if all(word in words_of(each.body) for word in words)
        )
        return Search(shown[:HITS_MAX], whole and len(shown) <= HITS_MAX)

    async def people(self, text: str, limit: int) -> list[Person]:
        """See Office.people."""
        sought, records = "".join(plain(text).split()), self._rooms.everybody()
        if not sought:
            raise _no_query()

        def find() -> list[Person]:
            people = (self._rooms.person(record) for record in records)
            found = [to_person(each) for each in people if sought in _called(each)]
            return sorted(found, key=lambda each: (each.ward, each.kana, each.staff_id))[:limit]

        return await asyncio.get_running_loop().run_in_executor(None, find)

    def _look(
        self, rooms: list[str], typed: list[str], words: list[str]
    ) -> tuple[list[Found], bool]:
        """(Rows of these rooms with every word, newest first; whether all were looked at)."""
        needles = spellings(max(typed, key=len))
        until_s = time.monotonic() + SEARCH_S_MAX
        reader = ViewReader(self._path)
        hits: list[Found] = []
        try:
            for room in rooms:
                before, left = "~", HITS_MAX + 1
                while left > 0:
                    if time.monotonic() > until_s:
                        return _newest(hits), False
                    page = reader.containing(talk.NAME, room, needles, before, PAGE)
                    good = [row for row in page if _has(row.row, words)][:left]
                    hits += good
                    left -= len(good)
                    if len(page) < PAGE:
                        break
                    before = page[-1].sort
        finally:
            reader.close()
        return _newest(hits), True


def _called(person: StaffCredential) -> str:
    words = plain(f"{person.staff_id}\t{person.name}\t{person.kana}\t{person.unit}")
    return "".join(words.split(" "))


def _newest(hits: list[Found]) -> list[Found]:
    return sorted(hits, key=lambda each: each.sort, reverse=True)[: HITS_MAX + 1]


def plain(text: str) -> str:
    """Text as it is compared: full-width and half-width, large and small letters are the same."""
    return unicodedata.normalize("NFKC", text).casefold()


def spellings(word: str) -> list[bytes]:
    """How somebody may have typed a word: as here, in the other width, small, large."""
    plainer = unicodedata.normalize("NFKC", word)
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in plainer)
    forms = {word, plainer, wide}
    forms |= {each.lower() for each in forms} | {each.upper() for each in forms}
    forms |= {each.title() for each in forms}
    return sorted(form.encode("utf-8", "ignore") for form in forms)


def _has(row: Row, words: list[str]) -> bool:
    copy = talk.shown(row)
    return _holds(words_of(copy), words)


def _holds(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)


def words_of(body: Row) -> str:
    """What of a message is searched, after corrections: nothing of what was withdrawn."""
    file = body.get("file")
    name = str(file["name"]) if isinstance(file, dict) else ""
    return plain(f"{body.get('text', '')} {name}")


def _no_query() -> RefusedError:
    return RefusedError(
        "no_query",
        "さがす言葉がないか、長すぎます。",
        "There is nothing to search for, or it is too long.",
        f"言葉を{QUERY_CHARS_MAX}文字までで入れてください。",
        f"Type at most {QUERY_CHARS_MAX} characters.",
        400,
    )

"""Asking for records: the needed ones at once and of everybody, the announced ones by windows.

A record is needed when an entry, a statement or another record waits for it. Announced ones
are asked of the announcer, a window at a time, so that a roster never fills a narrow line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from meshrelay.core.entry import LogId
from meshrelay.core.events import Effect, Now
from meshrelay.core.following import Following
from meshrelay.core.frames import RECORD_IDS_MAX
from meshrelay.core.link import LEASE_MS, LinkState
from meshrelay.core.records import NodeCredential, Record
from meshrelay.core.state import State

MISSING_MS = 3_000
MISSING_MS_MAX = 60_000
# Of so many links at a time: a hub of thirty finds the one that has it in some minutes.
MISSING_LINKS = 4
# Beyond this, ids are asked for once and again when they are needed again.
MISSING_MAX = 50_000
# Announced ids and buckets under way on one link; refilled when half has come.
WINDOW_RECORDS = 128
WINDOW_BUCKETS = 16
# Records of later versions that are remembered as such.
GIVEN_UP_MAX = 50_000


class Fetching:
    """What this node asks of others, record by record."""

    def __init__(self, state: State, following: Following) -> None:
        self._state = state
        self._following = following
        self._turn = 0
        self._asked: dict[bytes, int] = {}  # announced record id -> link where it is asked
        self._given_up: dict[bytes, None] = {}
        self.missing: dict[bytes, tuple[int, int]] = {}  # needed id -> next ask, interval

    # Needed

    def need(self, ids: list[bytes], link: LinkState | None, now: Now) -> Iterator[Effect]:
        """Ask for records now, and again until they come."""
        for record_id in ids[: max(MISSING_MAX - len(self.missing), 0)]:
            self.missing.setdefault(record_id, (now.mono_ms + MISSING_MS, MISSING_MS))
        link = link or next(iter(self._state.links.values()), None)
        if link is not None:
            yield from self._following.want(link, [], ids, [], now)

    def logs_of(self, records: Iterable[Record], now: Now) -> Iterator[Effect]:
        """Entries that were dropped for want of their origin's credential: ask again."""
        contents = [record.content for record in records]
        origins = {content.key for content in contents if isinstance(content, NodeCredential)}
        for link in list(self._state.links.values()) if origins else ():
            logs: list[LogId] = [log for log in link.owed if log.origin in origins]
            logs = [log for log in logs if self._following.brings(log, link)]
            if logs:
                yield from self._following.follow_on(link, logs, now, afresh=True)

    def contact(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """A peer answered its first HELLO: contact ends every back-off."""
        for record, (_, interval) in self.missing.items():
            self.missing[record] = (now.mono_ms + MISSING_MS, min(interval, MISSING_MS))
        ids = list(self.missing)[:RECORD_IDS_MAX]
        if ids or link.lossy or self._state.is_archive(link.peer):  # whose HAVE answers a WANT
            yield from self._following.want(link, [], ids, [], now, True)

    def ask_again(self, now: Now) -> Iterator[Effect]:
        """Missing records are asked of a few links after the others, at growing intervals."""
        due = [record for record, (at, _) in self.missing.items() if at <= now.mono_ms]
        del due[RECORD_IDS_MAX:]
        ids = []
        for record in due:
            if record in self._state.book or record in self._state.book.nodes:
                del self.missing[record]
                continue
            interval = min(self.missing[record][1] * 2, MISSING_MS_MAX)
            self.missing[record] = (now.mono_ms + interval, interval)
            ids.append(record)
        quiet_ms = now.mono_ms - MISSING_MS  # a link that is bringing records is not asked twice
        links = [link for link in self._state.links.values() if link.records_ms < quiet_ms]
        for _ in range(min(len(links), MISSING_LINKS) if ids else 0):
            self._turn += 1
            yield from self._following.want(links[self._turn % len(links)], [], ids, [], now)

    # Announced

    def announced(self, link: LinkState, ids: list[bytes], now: Now) -> Iterator[Effect]:
        """These records are there."""
        is_here = self._state.vector.has_record
        news = [each for each in ids if not is_here(each) and each not in self._given_up]
        link.owed_records.update(dict.fromkeys(news))
        yield from self.fill(link, now)

    def announced_buckets(self, link: LinkState, numbers: list[int], now: Now) -> Iterator[Effect]:
        """These buckets differ there."""
        link.owed_buckets.update(dict.fromkeys(numbers))
        yield from self.fill(link, now)

    def fill(self, link: LinkState, now: Now, afresh: bool = False) -> Iterator[Effect]:
        """Keep a window of announced records and buckets under way on this link.

        `afresh`: what was under way is given up for lost; else it would fill the grant for ever.
        """
        link.asking &= link.owed_records.keys()
        link.asking_buckets &= link.owed_buckets.keys()
        buckets: list[int] = []
        if len(link.asking_buckets) * 2 <= WINDOW_BUCKETS and link.owed_buckets:
            free = [number for number in link.owed_buckets if number not in link.asking_buckets]
            buckets = free[: WINDOW_BUCKETS - len(link.asking_buckets)]
        ids: list[bytes] = []
        if len(link.asking) * 2 <= WINDOW_RECORDS and link.owed_records:
            ids = self._next_ids(link, WINDOW_RECORDS - len(link.asking))
        if not ids and not buckets:
            return
        if not link.asking and not link.asking_buckets:
            link.records_ms = now.mono_ms
        link.asking.update(ids)
        link.asking_buckets.update(buckets)
        self._asked.update(dict.fromkeys(ids, link.id))
        yield from self._following.want(link, [], ids, buckets, now, afresh)

    def _next_ids(self, link: LinkState, room: int) -> list[bytes]:
        """Announced ids that are asked nowhere; looked-at ones go to the end of the queue."""
        ids: list[bytes] = []
        for _ in range(min(len(link.owed_records), 2 * WINDOW_RECORDS)):
            record = next(iter(link.owed_records))
            link.owed_records[record] = link.owed_records.pop(record)
            elsewhere = self._state.links.get(self._asked.get(record, -1))
            if record in self._state.book or record in link.asking:
                continue
            if elsewhere is not None and elsewhere is not link and record in elsewhere.asking:
                continue
            ids.append(record)
            if len(ids) >= room:
                break
        return ids

    def came(self, link: LinkState, now: Now) -> None:
        """Records or a bucket came: the window's lease is renewed."""
        link.records_ms = now.mono_ms

    def stored(self, ids: list[bytes]) -> None:
        """These records are on disk."""
        for record in ids:
            self._asked.pop(record, None)
        _give_back(self._asked)
        for link in self._state.links.values():
            for record in ids:
                link.owed_records.pop(record, None)
            _give_back(link.owed_records)

    def give_up(self, record: bytes) -> None:
        """This software cannot hold that record: no cursor waits for it, nobody is asked again."""
        self.missing.pop(record, None)
        self.stored([record])
        if len(self._given_up) < GIVEN_UP_MAX:
            self._given_up[record] = None

    def expire(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """A window that nothing came into for a lease is asked for once more, or elsewhere."""
        if not link.owed_records and not link.owed_buckets:
            return
        lost = now.mono_ms - link.records_ms >= LEASE_MS
        if lost:
            link.asking.clear()
            link.asking_buckets.clear()
        yield from self.fill(link, now, lost)


def _give_back(table: dict[bytes, Any]) -> None:
    """An emptied table keeps the room of the roster that it held, until it is cleared."""
    if not table:
        table.clear()

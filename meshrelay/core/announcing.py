"""Greeting and announcing: what each side holds, told by digest, by change and by bucket.

A HELLO says where we are and how far we know the peer. Unequal digests are followed by what
changed after the peer's cursor; on first contact bucket digests find the difference. A cursor
moves only when everything announced below it is held.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshrelay.core.entry import LogId
from meshrelay.core.events import Effect, KeepCursor, Now
from meshrelay.core.fetching import Fetching
from meshrelay.core.filling import Filling
from meshrelay.core.following import Following
from meshrelay.core.forks import Forks
from meshrelay.core.frames import (
    HEAD_BYTES,
    LINES_MAX,
    VERSION,
    Bucket,
    Buckets,
    Hello,
    Lines,
)
from meshrelay.core.link import LinkState
from meshrelay.core.serving import Serving
from meshrelay.core.state import State, send
from meshrelay.core.statements import Statements
from meshrelay.core.vector import NO_CURSOR, Cursor, Line

HELLO_MS = 30_000
HELLO_GAP_MS = 1_000
# On a datagram link one side is up first; what it says then is lost on the other.
HELLO_UNHEARD_MS = 3_000
# A greeting is answered by one of ours only when ours is older than any round trip.
HELLO_ANSWER_MS = 10_000
ALL_LINES_MS = 600_000
# Beyond this many changes at once, bucket digests find the difference in fewer bytes.
LINES_DIRECT_MAX = 64


class Announcing:
    """Both sides' HELLO, Lines and buckets; the cursors."""

    def __init__(
        self,
        state: State,
        following: Following,
        fetching: Fetching,
        serving: Serving,
        statements: Statements,
        forks: Forks,
        filling: Filling,
    ) -> None:
        self._state = state
        self._following = following
        self._fetching = fetching
        self._serving = serving
        self._statements = statements
        self._forks = forks
        self._filling = filling

    def hello(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """Greet, unless that was done a moment ago."""
        if now.mono_ms - link.hello_ms < HELLO_GAP_MS:
            return
        link.hello_ms = now.mono_ms
        link.hello_soon = False
        cursor = self._state.cursors.get(link.peer, NO_CURSOR)
        vector, words = self._state.vector, self._statements.words_digest()
        yield send(
            link,
            Hello(
                VERSION,
                self._state.incarnation,
                vector.change,
                vector.digest(),
                cursor,
                link.push,
                words,
            ),
        )

    def hello_received(self, link: LinkState, hello: Hello, now: Now) -> Iterator[Effect]:
        """Greet, unless a moment ago."""
        first = link.theirs is None or link.theirs.incarnation != hello.incarnation
        link.theirs = hello
        link.pushed = hello.push
        if first:
            link.owed.clear()
            link.owed_records.clear()
            link.owed_buckets.clear()
            link.mark = self._state.known(link)
            link.bridge = self._state.cursors.get(link.peer, NO_CURSOR).change
        if now.mono_ms - link.hello_ms > HELLO_ANSWER_MS:
            yield from self.hello(link, now)
        if hello.digest == self._state.vector.digest():
            yield from self._following.owes_nothing(link, now)
            link.mark = hello.change
            yield from self.settle(link)
        else:
            yield from self._tell_lines(link, hello, now)
            for log in self._forks.suspected():
                yield from self._forks.locate(log, link, now)
        yield from self._statements.greeted(link, hello.words)
        if first:
            yield from self._fetching.contact(link, now)
            yield from self._following.follow_owed(link, now)
        yield from self._serving.pump(link)

    def _tell_lines(self, link: LinkState, hello: Hello, now: Now) -> Iterator[Effect]:
        """Send what changed after the peer's cursor; when both are level, everything, rarely."""
        after = self._state.known_of_us(hello.cursor)
        if after == self._state.vector.change:
            explained = hello.change != self._state.known(link)
            if explained or now.mono_ms - link.all_lines_ms < ALL_LINES_MS:
                return
            after = 0
        everything = after == 0
        if everything:
            link.all_lines_ms = now.mono_ms
        changed = self._state.vector.after(after)
        if everything and len(changed) > LINES_DIRECT_MAX:
            yield send(
                link, Buckets(self._state.vector.change, self._state.vector.bucket_digests())
            )
            return
        pushed = not everything and self._serving.push_after(link, after)
        for start in range(0, len(changed), LINES_MAX):
            part = changed[start : start + LINES_MAX]
            upto = part[-1][1] if start + LINES_MAX < len(changed) else self._state.vector.change
            lines = [self._state.vector.lines[key] for key, _ in part if isinstance(key, LogId)]
            if not everything:
                known = self._serving.known_there
                lines = [line for line in lines if line.height > known(link, line.log)]
            lines.sort(key=lambda line: line.log.lane)
            records = [key for key, _ in part if not isinstance(key, LogId)]
            records.sort(key=self._state.book.by_id.lane)
            yield send(link, Lines(after, upto, lines, records, pushed))
            after = upto

    def lines_received(self, link: LinkState, frame: Lines, now: Now) -> Iterator[Effect]:
        """The peer says where it is: tell what it lacks, move the cursor."""
        # A new incarnation of a known store goes on from where the old one was known.
        bridged = link.mark == 0 < frame.after <= link.bridge
        if frame.after <= link.mark < frame.upto or bridged:
            link.mark = frame.upto
        yield from self._owe(link, frame.lines, frame.pushed, now)
        if frame.after == frame.upto == 0:
            yield from self._following.offered(link, [line.log for line in frame.lines], now)
        for line in frame.lines:
            if line.floor:
                yield from self._filling.floor_told(link, line, now)
            else:
                link.floors.pop(line.log, None)
        yield from self._fetching.announced(link, frame.records, now)
        yield from self.settle(link)

    def _owe(self, link: LinkState, lines: list[Line], pushed: bool, now: Now) -> Iterator[Effect]:
        """Note what the peer holds and we do not, and ask for it."""
        logs = []
        for line in lines:
            log = line.log
            held = self._state.vector.lines.get(log)
            end = self._state.book.end_of(log)
            height = min(line.height, end.height) if end else line.height
            if end is None and held is not None and held.height == line.height:
                if held.head[:HEAD_BYTES] != line.head:
                    yield from self._forks.locate(log, link, now)
            # Owed until held, not just taken: a crash in between must not find the cursor moved.
            elif height > self._state.vector.height(log):
                link.owed[log] = height
                if height > self._state.acceptor.taken(log):
                    logs.append(log)
        yield from self._following.announced(link, logs, pushed, now)

    def buckets_received(self, link: LinkState, frame: Buckets, now: Now) -> Iterator[Effect]:
        """The peer's whole store as digests: ask for the buckets that differ."""
        ours = self._state.vector.bucket_digests()
        differ = [number for number, theirs in enumerate(frame.digests) if theirs != ours[number]]
        link.mark = max(link.mark, frame.upto)
        yield from self._fetching.announced_buckets(link, differ, now)
        yield from self.settle(link)

    def bucket_received(self, link: LinkState, frame: Bucket, now: Now) -> Iterator[Effect]:
        """What changed there: ask for what we lack."""
        link.owed_buckets.pop(frame.number, None)
        self._fetching.came(link, now)
        yield from self._owe(link, frame.lines, False, now)
        yield from self._fetching.announced(link, frame.records, now)
        yield from self.settle(link)

    def settle(self, link: LinkState) -> Iterator[Effect]:
        """Move the cursor once everything announced below it is held."""
        if link.theirs is None or link.owed or link.owed_records or link.owed_buckets:
            return
        link.settled = link.mark
        cursor = Cursor(link.theirs.incarnation, link.mark)
        if link.mark and self._state.cursors.get(link.peer) != cursor:
            self._state.cursors[link.peer] = cursor
            yield KeepCursor(link.peer, cursor)

    def offer(self, link: LinkState) -> Iterator[Effect]:
        """New logs of others, and a few new records, that came since the last tick."""
        if link.offers or link.record_offers:
            records = list(link.record_offers)
            link.record_offers.clear()
            lines = [
                self._state.vector.lines[log]
                for log in link.offers
                if log in self._state.vector.lines
            ]
            link.offers.clear()
            for start in range(0, max(len(lines), 1), LINES_MAX):
                yield send(link, Lines(0, 0, lines[start : start + LINES_MAX], records, False))
                records = []

    def hello_due(self, link: LinkState, now: Now) -> bool:
        """Every 30 s, so that whatever was lost is noticed; sooner until a lossy link answers.

        At once when what we ask to be pushed has changed.
        """
        unheard = link.lossy and link.theirs is None
        return link.hello_soon or now.mono_ms - link.hello_ms >= (
            HELLO_UNHEARD_MS if unheard else HELLO_MS
        )

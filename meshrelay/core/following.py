"""Asking: which link each log is followed on, with leases, and which records are missing.

One announcing peer per log. A lease is renewed while the log moves or a higher lane
uses the link; otherwise another announcer is asked. Nobody floods, so nothing is pruned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshrelay.core.entry import LogId
from meshrelay.core.events import Effect, Now
from meshrelay.core.frames import LINES_MAX, RECORD_IDS_MAX, Want
from meshrelay.core.have import NO_NONCE
from meshrelay.core.link import LEASES_FRUITLESS_MAX, SILENT_MS, Lease, LinkState
from meshrelay.core.records import NodeCredential, Record
from meshrelay.core.state import State, send

REWANT_GAP_MS = 1_000
MISSING_MS = 3_000
MISSING_MS_MAX = 60_000
# Beyond this, ids are asked for once and again when they are announced again.
MISSING_MAX = 50_000


class Following:
    """What this node asks of others."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._on: dict[LogId, int] = {}  # log -> link on which we follow it
        self._live: dict[bytes, bytes] = {}  # origin -> incarnation that moved last
        self._asked_ms: dict[LogId, int] = {}
        self._turn = 0
        self.missing: dict[bytes, tuple[int, int]] = {}  # record id -> next ask, interval
        for log in state.vector.lines:
            self._live[log.origin] = log.incarnation

    def moved(self, log: LogId) -> None:
        """An entry of `log` was committed: its incarnation is the living one."""
        self._live[log.origin] = log.incarnation

    def follows(self, log: LogId, link: LinkState) -> bool:
        """Whether `log` is followed on `link`, or nowhere."""
        return self._on.get(log, link.id) == link.id

    def link_gone(self, gone: LinkState, now: Now) -> Iterator[Effect]:
        """Follow elsewhere what was followed there."""
        for log in gone.leases:
            if self._on.get(log) == gone.id:
                del self._on[log]
        for other in self._state.links.values():
            yield from self.follow_here(other, now)

    def ask_past_gap(self, log: LogId, link: LinkState, now: Now) -> Iterator[Effect]:
        """An entry came whose predecessor is missing: ask from our height, not too often."""
        if now.mono_ms - self._asked_ms.get(log, -REWANT_GAP_MS) >= REWANT_GAP_MS:
            self._asked_ms[log] = now.mono_ms
            yield from self.follow_on(link, [log], now)

    def should_move(self, log: LogId, link: LinkState) -> bool:
        """Whether to follow `log` on `link`, which announced it, instead of where we do."""
        current = self._state.links.get(self._on.get(log, -1))
        return current is None or (current is not link and log not in current.owed)

    def follow_here(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """Follow on `link` every living log nobody else serves, and its owner's own logs."""
        if link.theirs is None:
            return
        logs = [
            log
            for log in self._state.vector.lines
            if self._live.get(log.origin) == log.incarnation
            and log.origin not in (self._state.signer.public, link.peer)
            and log not in self._on
        ]
        logs += [log for log in link.owed if log not in self._on]
        for lane in range(4):
            own = LogId(link.peer, link.theirs.incarnation, lane)
            current = self._state.links.get(self._on.get(own, -1))
            if current is None or current.peer != link.peer:
                logs.append(own)
        if logs:
            yield from self.follow_on(link, list(dict.fromkeys(logs)), now)

    def follow_on(self, link: LinkState, logs: Iterable[LogId], now: Now) -> Iterator[Effect]:
        """Ask `link` for these logs from our height on, and withdraw them elsewhere."""
        wanted = []
        withdrawn: dict[int, list[tuple[LogId, int]]] = {}
        for log in logs:
            old = self._on.get(log)
            if old is not None and old != link.id and old in self._state.links:
                self._state.links[old].leases.pop(log, None)
                withdrawn.setdefault(old, []).append((log, 0))
            self._on[log] = link.id
            link.leases[log] = Lease(log.lane, now.mono_ms)
            wanted.append((log, self._state.acceptor.taken(log) + 1))
        for old, items in withdrawn.items():
            yield from self.want(self._state.links[old], items, [], now)
        yield from self.want(link, wanted, [], now)

    def want(
        self, link: LinkState, logs: list[tuple[LogId, int]], records: list[bytes], now: Now
    ) -> Iterator[Effect]:
        """One WANT for the link, with a fresh grant; cut into frames when long."""
        nonce = self._state.nonce if logs else NO_NONCE
        grant = link.next_grant(now.mono_ms)
        while True:
            yield send(link, Want(grant, nonce, logs[:LINES_MAX], records[:RECORD_IDS_MAX]))
            logs, records = logs[LINES_MAX:], records[RECORD_IDS_MAX:]
            if not logs and not records:
                return

    def want_records(self, ids: list[bytes], link: LinkState | None, now: Now) -> Iterator[Effect]:
        """Ask for records now, and again until they come."""
        for record_id in ids[: max(MISSING_MAX - len(self.missing), 0)]:
            self.missing.setdefault(record_id, (now.mono_ms + MISSING_MS, MISSING_MS))
        link = link or next(iter(self._state.links.values()), None)
        if link is not None:
            yield from self.want(link, [], ids, now)

    def ask_for_logs_of(self, records: list[Record], now: Now) -> Iterator[Effect]:
        """Entries that were dropped for want of their origin's credential: ask again."""
        contents = [record.content for record in records]
        origins = {content.key for content in contents if isinstance(content, NodeCredential)}
        for link in list(self._state.links.values()) if origins else ():
            logs = [log for log in link.owed if log.origin in origins]
            logs = [log for log in logs if self.follows(log, link)]
            if logs:
                yield from self.follow_on(link, logs, now)

    def repeat_once(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """On a lossy link, say once more what we follow: the first WANT may have come too soon."""
        if link.repeat_ms is not None and now.mono_ms >= link.repeat_ms:
            link.repeat_ms = None
            logs = [(log, self._state.acceptor.taken(log) + 1) for log in link.leases]
            if logs:
                yield from self.want(link, logs, [], now)

    def expire_leases(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """Leases that moved nothing: another announcer, the same again, or give up."""
        if not link.owed:
            return
        again: list[LogId] = []
        for log in list(link.owed):
            if self._state.vector.height(log) >= link.owed[log]:
                del link.owed[log]
                continue
            lease = link.leases.get(log)
            if lease is None or self._on.get(log) != link.id:
                if self.should_move(log, link):
                    again.append(log)
                continue
            links = self._state.links.values()
            other = next((each for each in links if each is not link and log in each.owed), None)
            silent = now.mono_ms - link.heard_ms >= SILENT_MS
            if now.mono_ms < lease.until_ms and not (silent and other):
                continue
            if self._state.acceptor.taken(log) >= link.owed[log] or link.higher_lane_moved(
                log.lane, now.mono_ms - SILENT_MS
            ):
                lease.renew(log.lane, now.mono_ms)
                continue
            lease.fruitless += 1
            lease.renew(log.lane, now.mono_ms)
            if other is not None:
                yield from self.follow_on(other, [log], now)
            elif lease.fruitless > LEASES_FRUITLESS_MAX and not silent:
                # A claimed height is only a request; a lie pins nothing. Nor does it move the
                # cursor: the next HELLO brings it again.
                del link.owed[log], link.leases[log], self._on[log]
                link.mark = self._state.known(link)
                yield from self._back_to_owner([log], link, now)
            else:
                again.append(log)
        if again:
            fruitless = {log: link.leases[log].fruitless for log in again if log in link.leases}
            yield from self.follow_on(link, again, now)
            for log, count in fruitless.items():
                link.leases[log].fruitless = count

    def owes_nothing(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """The peer holds just what we hold: what it announced beyond that is forgotten."""
        logs = [log for log in link.owed if self._on.get(log) == link.id]
        link.owed.clear()
        link.owed_records.clear()
        yield from self._back_to_owner(logs, link, now)

    def _back_to_owner(self, logs: list[LogId], link: LinkState, now: Now) -> Iterator[Effect]:
        """A lie may have taken a log from the link of the node that writes it."""
        for other in list(self._state.links.values()):
            own = [log for log in logs if log.origin == other.peer != link.peer]
            if own:
                yield from self.follow_on(other, own, now)

    def contact(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """A peer answered its first HELLO: contact ends every back-off."""
        for record, (_, interval) in self.missing.items():
            self.missing[record] = (now.mono_ms + MISSING_MS, min(interval, MISSING_MS))
        if self.missing:
            yield from self.want(link, [], list(self.missing)[:RECORD_IDS_MAX], now)

    def ask_again(self, now: Now) -> Iterator[Effect]:
        """Missing records are asked of one link after the other, at growing intervals."""
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
        if ids and links:
            self._turn += 1
            yield from self.want(links[self._turn % len(links)], [], ids, now)

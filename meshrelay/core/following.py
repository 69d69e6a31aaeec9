"""Asking for logs: on which link each one is brought to us, with leases.

One link pushes whatever is new there; every other pushes just what its peer writes itself.
A log that comes twice is withdrawn where it came second, one that is announced elsewhere is
asked for there. A lease is renewed while the log moves or a higher lane uses the link;
otherwise another announcer is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshrelay.core.entry import LogId
from meshrelay.core.events import Effect, Now
from meshrelay.core.frames import DONE_ALL, LINES_MAX, PUSH_ALL, RECORD_IDS_MAX, Want
from meshrelay.core.have import NO_NONCE
from meshrelay.core.link import LEASE_MS, LEASES_FRUITLESS_MAX, SILENT_MS, Lease, LinkState
from meshrelay.core.state import State, send

REWANT_GAP_MS = 400


class Following:
    """What this node asks of others, log by log."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._on: dict[LogId, int] = {}  # log -> link that brings it
        self._asked_ms: dict[LogId, int] = {}
        self._push: int | None = None

    def link_up(self, link: LinkState) -> None:
        """The first link pushes everything."""
        if self._push is None:
            self._push, link.push = link.id, PUSH_ALL

    def link_gone(self, gone: LinkState, now: Now) -> Iterator[Effect]:
        """Ask elsewhere for what was brought there."""
        lost = [log for log in gone.leases if self._on.get(log) == gone.id]
        for log in lost:
            del self._on[log]
        if self._push == gone.id:
            self._push = None
            heir = self._heir()
            if heir is not None:
                self._push, heir.push, heir.hello_soon = heir.id, PUSH_ALL, True
        for link in list(self._state.links.values()):
            yield from self.follow_owed(link, now)
        push = self._state.links.get(self._push or -1)
        if push is not None:
            again = [log for log in lost if log in push.refused and log not in self._on]
            if again:
                yield from self.follow_on(push, again, now)

    def put_back(self) -> None:
        """What moved did not reach the disk."""
        for link in self._state.links.values():
            for lease in link.leases.values():
                lease.moved = False

    def _heir(self) -> LinkState | None:
        """The next link to push everything: an archive's if there is one."""
        links = list(self._state.links.values())
        archives = [link for link in links if self._state.is_archive(link.peer)]
        return next(iter(archives or links), None)

    def brings(self, log: LogId, link: LinkState) -> bool:
        """Whether `log` comes over `link`, or nowhere yet."""
        return self._on.get(log, link.id) == link.id

    def offered(self, link: LinkState, logs: list[LogId], now: Now) -> Iterator[Effect]:
        """News of logs: unless asked for, they are not pushed here."""
        unled = [log for log in logs if log not in self._on]
        link.refused.update(log for log in logs if self._on.get(log, link.id) != link.id)
        if unled:
            yield from self.follow_on(link, unled, now)

    def follow_owed(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """Ask here for what was announced here and nobody brings."""
        logs = [log for log in link.owed if log not in self._on]
        if logs:
            yield from self.follow_on(link, logs, now)

    def ask_past_gap(self, log: LogId, link: LinkState, now: Now) -> Iterator[Effect]:
        """An entry came whose predecessor is missing: ask from our height, not too often."""
        if now.mono_ms - self._asked_ms.get(log, -REWANT_GAP_MS) >= REWANT_GAP_MS:
            self._asked_ms[log] = now.mono_ms
            yield from self.follow_on(link, [log], now, afresh=True)

    def announced(self, link: LinkState, logs: list[LogId], pushed: bool, now: Now) -> Iterator[
        Effect
    ]:  # fmt: skip
        """These logs are higher there; `pushed`: they come by themselves."""
        moves: list[LogId] = []
        unwanted: list[LogId] = []
        begun: list[tuple[LogId, int]] = []
        for log in logs:
            current = self._state.links.get(self._on.get(log, -1))
            if current is link:
                continue
            serves = current is not None and log in current.owed
            if pushed and log not in link.refused:
                if serves:
                    unwanted.append(log)
                else:
                    self._brought(log, link, now)
                    taken = self._state.acceptor.taken(log)
                    if 0 < taken < link.owed[log] - 1:
                        begun.append((log, taken + 1))
            elif not serves:
                moves.append(log)
        if unwanted:
            yield from self._withdraw(link, unwanted, now)
        if begun:  # they may not know how far we came
            yield from self.want(link, begun, [], [], now)
        if moves:
            yield from self.follow_on(link, moves, now)

    def _brought(self, log: LogId, link: LinkState, now: Now) -> None:
        old = self._state.links.get(self._on.get(log, -1))
        if old is not None:
            old.leases.pop(log, None)
        self._on[log] = link.id
        link.leases.setdefault(log, Lease(log.lane, link.came, now.mono_ms))

    def took(self, log: LogId, link: LinkState, now: Now) -> None:
        """An entry of `log` came first over `link`."""
        if self._on.get(log) != link.id:
            self._brought(log, link, now)
        link.took(log, now.mono_ms)

    def came_twice(self, log: LogId, link: LinkState, now: Now) -> Iterator[Effect]:
        """An entry that is here already: not from here, unless its origin is the peer."""
        current = self._state.links.get(self._on.get(log, -1))
        if current is None or current is link or log in link.refused:
            return
        if log.origin == link.peer and log.origin != current.peer:
            self._brought(log, link, now)
            current, link = link, current
            if log in link.refused:
                return
        yield from self._withdraw(link, [log], now)

    def _withdraw(self, link: LinkState, logs: list[LogId], now: Now) -> Iterator[Effect]:
        link.refused.update(logs)
        yield from self.want(link, [(log, 0) for log in logs], [], [], now)

    def follow_on(
        self, link: LinkState, logs: Iterable[LogId], now: Now, afresh: bool = False
    ) -> Iterator[Effect]:
        """Ask `link` for these logs from our height on, and withdraw them elsewhere.

        `afresh`: what was sent from there is lost; else the sender never goes back for it.
        """
        wanted = []
        withdrawn: dict[int, list[LogId]] = {}
        for log in logs:
            if self._state.bars(log):
                continue  # still owed: asked for again when there is room
            old = self._state.links.get(self._on.get(log, -1))
            if old is not None and old is not link:
                withdrawn.setdefault(old.id, []).append(log)
                old.leases.pop(log, None)
            afresh = afresh or old is link
            self._on[log] = link.id
            link.leases[log] = Lease(log.lane, link.came, now.mono_ms)
            link.refused.discard(log)
            wanted.append((log, self._state.acceptor.taken(log) + 1))
        for number, items in withdrawn.items():
            yield from self._withdraw(self._state.links[number], items, now)
        yield from self.want(link, wanted, [], [], now, afresh)

    def want(
        self,
        link: LinkState,
        logs: list[tuple[LogId, int]],
        records: list[bytes],
        buckets: list[int],
        now: Now,
        afresh: bool = False,
        question: bool = False,
    ) -> Iterator[Effect]:
        """One WANT for the link, with a grant; cut into frames when long.

        `afresh`: what was under way is given up for lost. `question`: an archive answers it
        with a HAVE in any case.
        """
        nonce = NO_NONCE
        if afresh or question or any(first for _, first in logs):
            nonce = self._state.nonce(now.mono_ms)
            link.asked_ms = now.mono_ms
        for log, first in logs:
            if first and log in link.leases:
                link.leases[log].asked_ms = now.mono_ms
        grant, done = link.next_grant(now.mono_ms)
        done = DONE_ALL if afresh else done
        while True:
            part, ids = logs[:LINES_MAX], records[:RECORD_IDS_MAX]
            yield send(link, Want(grant, done, nonce, part, ids, buckets))
            logs, records, buckets, done = logs[LINES_MAX:], records[RECORD_IDS_MAX:], [], 0
            if not logs and not records:
                return

    def bar(self, log: LogId, link: LinkState, now: Now) -> Iterator[Effect]:
        """There is no room for this log: it is not to be sent here until it is asked for."""
        if self._on.get(log) == link.id:
            del self._on[log]
        link.leases.pop(log, None)
        if log not in link.refused:
            yield from self._withdraw(link, [log], now)

    def say_again(self, link: LinkState, now: Now) -> Iterator[Effect]:
        """On a lossy link, say what we want once more: a WANT may be lost without a trace."""
        if link.repeat_ms is not None and now.mono_ms >= link.repeat_ms:
            link.repeat_ms = None
            if max(link.lane_ms) > now.mono_ms - SILENT_MS:
                return
            logs = [(log, self._state.acceptor.taken(log) + 1) for log in link.leases]
            yield from self.want(link, logs, [], [], now, True)

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
                current = self._state.links.get(self._on.get(log, -1))
                if current is None or log not in current.owed:
                    again.append(log)
                continue
            links = self._state.links.values()
            other = next((each for each in links if each is not link and log in each.owed), None)
            silent = now.mono_ms - link.heard_ms >= SILENT_MS
            # An urgent entry is soon asked of another; of the same peer only after a slow line.
            until_ms = lease.until_ms if other else max(lease.until_ms, lease.asked_ms + LEASE_MS)
            if now.mono_ms < until_ms and not (silent and other):
                continue
            slow = lease.is_slow(link.came)
            drips = other is not None and slow
            if (
                (lease.moved and not drips)
                or self._state.acceptor.taken(log) >= link.owed[log]
                # A higher lane's word now and then keeps nobody waiting: what was sent is lost.
                or (not slow and link.higher_lane_moved(log.lane, lease.began_ms))
            ):
                lease.renew(link.came, now.mono_ms)
                continue
            lease.fruitless += 1
            lease.renew(link.came, now.mono_ms)
            if other is not None:
                yield from self.follow_on(other, [log], now)
            elif lease.fruitless > LEASES_FRUITLESS_MAX and not silent:
                # A claimed height is only a request; a lie pins nothing. Nor does it move the
                # cursor: the next HELLO brings it again.
                del link.owed[log], link.leases[log], self._on[log]
                link.mark = self._state.known(link)
                yield from self._back([log], link, now)
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
        link.owed_buckets.clear()
        yield from self._back(logs, link, now)

    def _back(self, logs: list[LogId], link: LinkState, now: Now) -> Iterator[Effect]:
        """A lie may have taken a log from the link of the node that writes it."""
        for other in list(self._state.links.values()):
            if other is link:
                continue
            again = [
                log
                for log in logs
                if log in other.refused and (log.origin == other.peer or other.id == self._push)
            ]
            if again:
                yield from self.follow_on(other, again, now)

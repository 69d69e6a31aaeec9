"""What each ward's newest signed word amounts to: a pure fold from `Status` to rows.

Everything here is either known by a signed word or `None`. `None` is shown as 不明
and never becomes 0: a ward that says nothing is the one that is hit hardest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from meshrelay.node.office import LaneWord, NodeWord, Status, Ward

# pages.md: "24区中22区が15分以内に同期". HAVEs are due once a minute (protocol.md), so
# a ward past this has missed about fifteen of them.
IN_SYNC_MS_MAX = 15 * 60 * 1000
# No entry is older than the product. A clock below this is a Pi that woke in 1970:
# its stamps cannot be compared with ours, so what rests on them is unknown.
CLOCK_FLOOR_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
LANES = (0, 1, 2, 3)
# Lanes that synced-up-to speaks of (design/README.md, word table).
SYNC_LANES = (0, 1)


class State(StrEnum):
    """How a ward stands; exactly one holds."""

    IN_SYNC = "in_sync"  # the archive holds all of it up to at most 15 minutes ago
    LATE = "late"  # it speaks, but what the archive holds ends earlier
    SILENT = "silent"  # its newest word is older than 15 minutes
    UNKNOWN = "unknown"  # never heard, or nothing is known of what the archive holds
    SUSPENDED = "suspended"  # none of its nodes may have links, for now
    REVOKED = "revoked"  # nobody takes what any of its nodes writes, ever


class LaneCount(Struct, frozen=True):
    """Entries of one ward in one lane: stated by its nodes, held by the archive."""

    stated: int | None
    archived: int | None

    @property
    def backlog(self) -> int | None:
        """Entries that the archive lacks; None if either side is unknown.

        The archive may be ahead of the ward's last statement; that is 0, not less.
        """
        if self.stated is None or self.archived is None:
            return None
        return max(0, self.stated - self.archived)


class WardRow(Struct, frozen=True):
    """One ward (HQ included) by the newest word of each of its nodes.

    Times are ms since 1970. `oldest_unsynced_ms` is None both when nothing waits and
    when it is unknown: `waiting` tells which.
    """

    code: str
    name: str
    name_en: str
    archive: bool
    state: State
    synced_up_to_ms: int | None
    lanes: tuple[LaneCount, ...]
    oldest_unsynced_ms: int | None
    word_ms: int | None
    path: str | None
    via: str | None
    clock_quality: int | None
    disk_free_bytes: int | None
    versions: tuple[str, ...]
    refused: dict[str, int] | None
    nodes_n: int
    nodes_heard_n: int

    @property
    def waiting(self) -> int | None:
        """Entries of lanes 0 and 1 that the archive lacks; None = unknown."""
        return _sum(self.lanes[lane].backlog for lane in SYNC_LANES)


class Tally(Struct, frozen=True):
    """All wards at one moment, in the order of their codes."""

    now_ms: int
    rows: tuple[WardRow, ...]

    def having(self, state: State) -> tuple[WardRow, ...]:
        """The rows in one state."""
        return tuple(row for row in self.rows if row.state is state)

    def ranked(self) -> tuple[WardRow, ...]:
        """Rows as people must read them: silent first (the hardest hit report least)."""
        order = (
            State.SILENT, State.UNKNOWN, State.LATE, State.SUSPENDED, State.REVOKED, State.IN_SYNC
        )  # fmt: skip
        return tuple(row for state in order for row in self.having(state))

    def age_ms(self, at_ms: int | None) -> int | None:
        """How long ago `at_ms` was, never negative; None stays None."""
        return None if at_ms is None else max(0, self.now_ms - at_ms)


def tally(status: Status, wards: Mapping[str, Ward]) -> Tally:
    """Fold the newest word of every enrolled node into one row a ward.

    A ward without an enrolled node has no row. The result does not depend on the
    order of `status.words`.
    """
    by_ward: dict[str, list[NodeWord]] = {}
    for word in status.words:
        by_ward.setdefault(word.node.ward, []).append(word)
    return Tally(
        now_ms=status.now_ms,
        rows=tuple(
            _row(wards.get(code) or Ward(code=code, name=code, name_en=code), words, status.now_ms)
            for code, words in sorted(by_ward.items())
        ),
    )


def said_ms(word: NodeWord, now_ms: int) -> int | None:
    """When a node's newest word was said, by our clock as far as that can be known.

    A word that came directly was said when we heard it, whatever the ward's clock
    shows. One that was passed on may have waited on the way: then the earlier of
    both clocks, so that an old word never looks new. Never later than now.
    """
    if word.stated_ms is None:
        return None
    if word.heard_ms is None:
        return min(word.stated_ms, now_ms)
    if word.via is None or word.stated_ms < CLOCK_FLOOR_MS:
        return min(word.heard_ms, now_ms)
    return min(word.stated_ms, word.heard_ms, now_ms)


def synced_up_to_ms(word: NodeWord, now_ms: int) -> int | None:
    """Clock up to which the archive holds every lane 0 and 1 entry of one node.

    A lower bound, so that the page never says more than the signed words do. Where
    the archive holds all that was stated, it is the moment of the statement. Where
    a lane lags, it is the newest archived entry, or just before the oldest unsynced
    one if the node's own count of what waits agrees with the archive's word (after
    an archive was restored it does not).
    """
    said = said_ms(word, now_ms)
    if said is None:
        return None
    bounds = [said]
    lanes = {lane.lane: lane for lane in word.lanes}
    for number in SYNC_LANES:
        lane = lanes.get(number)
        if lane is None or lane.stated is None or lane.archived is None:
            return None
        if lane.archived < lane.stated:
            bound = _lagging_bound(lane, word)
            if bound is None:
                return None
            bounds.append(bound)
    return min(bounds)


def _lagging_bound(lane: LaneWord, word: NodeWord) -> int | None:
    known = [] if lane.archived_up_to_ms is None else [lane.archived_up_to_ms]
    own = word.backlog[lane.lane] if lane.lane < len(word.backlog) else None
    agrees = own is not None and own >= (lane.stated or 0) - (lane.archived or 0)
    if agrees and word.oldest_unsynced_ms is not None:
        known.append(word.oldest_unsynced_ms - 1)
    known = [ms for ms in known if ms >= CLOCK_FLOOR_MS]
    return max(known, default=None)


def _row(ward: Ward, words: list[NodeWord], now_ms: int) -> WardRow:
    # A machine that was taken out says nothing of its ward while another one is in its place.
    words = [word for word in words if not word.barred] or words
    heard = [word for word in words if word.stated_ms is not None]
    newest = max(heard, key=lambda word: (said_ms(word, now_ms) or 0, word.node.id), default=None)
    synced = [synced_up_to_ms(word, now_ms) for word in words]
    lanes = tuple(_lane(words, lane) for lane in LANES)
    word_ms = None if newest is None else said_ms(newest, now_ms)
    synced_ms = _least(synced, all_needed=True)
    waiting = _sum(lanes[lane].backlog for lane in SYNC_LANES)
    return WardRow(
        code=ward.code,
        name=ward.name,
        name_en=ward.name_en,
        archive=any(word.node.archive for word in words),
        state=_barred(words) or _state(synced_ms, word_ms, now_ms),
        synced_up_to_ms=synced_ms,
        lanes=lanes,
        oldest_unsynced_ms=_oldest(heard) if waiting != 0 else None,
        word_ms=word_ms,
        path=None if newest is None else newest.path,
        via=None if newest is None else newest.via,
        clock_quality=_least([word.clock_quality for word in heard]),
        disk_free_bytes=_least([word.disk_free_bytes for word in heard]),
        versions=tuple(sorted({word.version for word in heard if word.version is not None})),
        refused=_refused(heard) if heard else None,
        nodes_n=len(words),
        nodes_heard_n=len(heard),
    )


def _barred(words: list[NodeWord]) -> State | None:
    if not all(word.barred for word in words):
        return None
    suspended = any(word.barred == State.SUSPENDED for word in words)
    return State.SUSPENDED if suspended else State.REVOKED


def _state(synced_ms: int | None, word_ms: int | None, now_ms: int) -> State:
    if word_ms is None:
        return State.UNKNOWN
    if now_ms - word_ms > IN_SYNC_MS_MAX:
        return State.SILENT
    if synced_ms is None:
        return State.UNKNOWN
    return State.IN_SYNC if now_ms - synced_ms <= IN_SYNC_MS_MAX else State.LATE


def _lane(words: list[NodeWord], number: int) -> LaneCount:
    # archived counts what covers the statement only: one node's surplus at the archive
    # must not hide what another node of the same ward still owes.
    stated: list[int | None] = []
    archived: list[int | None] = []
    for word in words:
        lane = next((lane for lane in word.lanes if lane.lane == number), None)
        mine = lane.stated if lane is not None and word.stated_ms is not None else None
        held = lane.archived if lane is not None else None
        stated.append(mine)
        archived.append(held if held is None or mine is None else min(held, mine))
    return LaneCount(stated=_sum(stated), archived=_sum(archived))


def _oldest(heard: list[NodeWord]) -> int | None:
    known = [
        word.oldest_unsynced_ms
        for word in heard
        if word.oldest_unsynced_ms is not None and word.oldest_unsynced_ms >= CLOCK_FLOOR_MS
    ]
    return min(known, default=None)


def _refused(heard: list[NodeWord]) -> dict[str, int]:
    causes: dict[str, int] = {}
    for word in heard:
        for cause, count in word.refused.items():
            causes[cause] = causes.get(cause, 0) + count
    return dict(sorted(causes.items(), key=lambda item: (-item[1], item[0])))


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _least(values: list[int | None], *, all_needed: bool = False) -> int | None:
    known = [value for value in values if value is not None]
    if not known or (all_needed and len(known) < len(values)):
        return None
    return min(known)

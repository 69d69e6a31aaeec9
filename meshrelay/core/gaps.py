"""Gaps: what a log lacks below its height.

A gap opens when a peer holds nothing lower than its own floor (a *jump*), when rows were
evicted for space, or when a stored row no longer verifies. Both ends of a gap are known by
id, so that what fills it is proven: the hash chain leads from its upper end downwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from meshrelay.core.codec import decode, encode, is_bytes, is_uint
from meshrelay.core.signing import ID_BYTES
from meshrelay.errors import FrameError

# A log in so many pieces is no log; the lower ones are joined to one gap.
GAPS_MAX = 64
_BYTES_MAX = 16 * 1024


class Gap(NamedTuple):
    """Entries low+1 … high are not held; the ids of `low` and `high` are known.

    `wanted`: they were never held here or were damaged, and are fetched when somebody has
    them; else they were evicted.
    """

    low: int
    low_id: bytes
    high: int
    high_id: bytes
    wanted: bool


Gaps = tuple[Gap, ...]


def floor_of(gaps: Gaps) -> int:
    """Seq above which nothing is missing, 0 when nothing is."""
    return gaps[-1].high if gaps else 0


def hole_of(gaps: Gaps) -> tuple[int, int] | None:
    """(low, high): what may never have been held here lies above `low` and up to `high`."""
    wanted = [gap for gap in gaps if gap.wanted]
    return (wanted[0].low, wanted[-1].high) if wanted else None


def lacks(gaps: Gaps, seq: int) -> bool:
    """Whether `seq` lies in a gap."""
    return any(gap.low < seq <= gap.high for gap in gaps)


def to_fill(gaps: Gaps) -> Gap | None:
    """The gap to be filled next, from its upper end down: the highest that is wanted."""
    return next((gap for gap in reversed(gaps) if gap.wanted), None)


def opened(gaps: Gaps, gap: Gap) -> Gaps:
    """One gap more; those of its sort that touch it become one with it."""
    apart = []
    for old in gaps:
        if old.wanted != gap.wanted or old.high < gap.low or old.low > gap.high:
            apart.append(old)
        else:
            gap = _joined(*sorted([old, gap]))
    found = sorted([*apart, gap])
    while len(found) > GAPS_MAX:
        found[:2] = [_joined(*found[:2])]
    return tuple(found)


def _joined(lower: Gap, upper: Gap) -> Gap:
    """One gap over both and what lies between them."""
    return lower._replace(
        high=upper.high, high_id=upper.high_id, wanted=lower.wanted or upper.wanted
    )


def evicted(gaps: Gaps, upto: int, upto_id: bytes, first_prev: bytes) -> Gaps:
    """Everything up to `upto` was dropped; a gap that it reaches is given up with it."""
    above = [gap for gap in gaps if gap.high > upto]
    if above and above[0].low <= upto:
        upto, upto_id = above[0].high, above[0].high_id
        del above[0]
    return (Gap(0, first_prev, upto, upto_id, wanted=False), *above)


def filled(gaps: Gaps, first: int, prev: bytes) -> Gaps | None:
    """The gap `to_fill` is filled from `first` up, whose `prev` is this; None: another branch."""
    gap = to_fill(gaps)
    if gap is None or not gap.low < first <= gap.high:
        return None
    rest = tuple(each for each in gaps if each is not gap)
    if first > gap.low + 1:
        return tuple(sorted((*rest, gap._replace(high=first - 1, high_id=prev))))
    return rest if prev == gap.low_id else None


def cut(gaps: Gaps, height: int, head: bytes) -> Gaps:
    """The log goes back to `height`."""
    return tuple(
        gap if gap.high <= height else gap._replace(high=height, high_id=head)
        for gap in gaps
        if gap.low < height
    )


def pack(gaps: Gaps) -> bytes | None:
    """The bytes that a store keeps; None: no gap."""
    return encode([list(gap) for gap in gaps]) if gaps else None


def unpack(data: bytes | None) -> Gaps:
    """What `pack` made. Raises FrameError `malformed`."""
    if data is None:
        return ()
    rows = decode(data, _BYTES_MAX)
    if type(rows) is not list or not all(_is_gap(row) for row in rows):
        raise FrameError("malformed", "gaps")
    return tuple(Gap(*row) for row in rows)


def _is_gap(row: Any) -> bool:
    return (
        type(row) is list
        and len(row) == len(Gap._fields)
        and is_uint(row[0])
        and is_bytes(row[1], ID_BYTES)
        and is_uint(row[2])
        and is_bytes(row[3], ID_BYTES)
        and type(row[4]) is bool
    )

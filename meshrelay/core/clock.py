"""Hybrid logical clock (Kulkarni et al. 2014) with a clamp, and clock quality.

A stamp is 48 bits of milliseconds since 1970 UTC and 16 bits of counter. `pt` is
the node's physical estimate: boot clock plus offset, never stepped back by a peer.
"""

from __future__ import annotations

# A remote stamp further ahead of *pt* than this is stored but never adopted: were the
# clamp relative to our own HLC, small steps would ratchet it to any time.
AHEAD_MS_MAX = 60_000
COUNTER_BITS = 16
_MS_MAX = (1 << 48) - 1

# Quality of a clock: its own word, in every entry; pages say so when below TRUSTED.
UNKNOWN, RESTORED, FROM_ARCHIVE, BY_PERSON, NTP = range(5)
TRUSTED = BY_PERSON


def ms_of(hlc: int) -> int:
    """Milliseconds since 1970 UTC of a stamp."""
    return hlc >> COUNTER_BITS


class HybridClock:
    """Stamps that grow along every chain of cause, close to physical time."""

    def __init__(self, newest: int = 0) -> None:
        self._newest = newest

    def stamp(self, pt_ms: int) -> int:
        """The next stamp for an entry of our own."""
        at_least = min(max(pt_ms, 0), _MS_MAX) << COUNTER_BITS
        self._newest = max(self._newest + 1, at_least)
        return self._newest

    def observe(self, remote: int, pt_ms: int) -> None:
        """Follow a remote stamp, unless it is more than AHEAD_MS_MAX ahead of pt."""
        if ms_of(remote) <= pt_ms + AHEAD_MS_MAX:
            self._newest = max(self._newest, remote)


def age_now(age: int, stored_seen_ms: int, now_seen_ms: int, gap_ms: int) -> int:
    """Known age of a stored entry now (bundle age, RFC 9171 section 4.4.2).

    An age is whole seconds that holders saw pass since creation, times 2, plus 1 when a span
    that nobody saw lies in it: then it is only a lower bound. `stored_seen_ms`: Now.seen_ms
    when the entry came with `age`.
    """
    seconds = (age >> 1) + max(now_seen_ms - stored_seen_ms, 0) // 1_000
    return seconds << 1 | (age & 1) | (stored_seen_ms < gap_ms)


VALID, EXPIRED, UNSURE = range(3)


def validity(
    created_ms: int, created_quality: int, lifetime_s: int, now_ms: int, now_quality: int, age: int
) -> int:
    """Whether an entry's lifetime is past; a word for pages, never a reason to drop.

    EXPIRED by two clocks of quality >= TRUSTED, or when its known age exceeds the lifetime.
    UNSURE (要確認) when neither clocks nor an unbroken age can say: after two days without
    power a six-hour order is never VALID.
    """
    if age >> 1 >= lifetime_s:
        return EXPIRED
    if created_quality >= TRUSTED and now_quality >= TRUSTED:
        return EXPIRED if now_ms >= created_ms + lifetime_s * 1_000 else VALID
    return UNSURE if age & 1 else VALID


def is_uncertain(hlc: int, quality: int, pt_ms: int) -> bool:
    """True when a page must show 時刻不確か beside the time of an entry."""
    return quality < TRUSTED or ms_of(hlc) > pt_ms + AHEAD_MS_MAX

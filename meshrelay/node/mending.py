"""Stored rows that do not verify any more: which they are, and where they end."""

from __future__ import annotations

from meshrelay.core.entry import LogId, check_entry, prev_of, read_entry
from meshrelay.core.events import Damaged
from meshrelay.core.signing import hash32
from meshrelay.errors import RemoteProtocolError
from meshrelay.store.reader import LogReader


def extent(reader: LogReader, network: bytes, log: LogId, seq: int) -> Damaged | None:
    """Around `seq`, where the chain breaks: the rows that are not what their origin signed.

    None: nothing is wrong here any more.
    """

    def good(at: int) -> bytes | None:
        raw = reader.at(log, at)
        return raw if raw is not None and _is_sound(raw, network, log, at) else None

    bad = seq if good(seq) is None else seq + 1
    height, head = reader.line(log)
    if bad > height or reader.at(log, bad) is None or good(bad) is not None:
        return None
    low, high = bad - 1, bad
    while low > 0 and reader.at(log, low) is not None and good(low) is None:
        low -= 1
    while high < height and reader.at(log, high + 1) is not None and good(high + 1) is None:
        high += 1
    below, above = good(low), good(high + 1)
    low_id = hash32(below) if below else reader.gap_id(log, low) if low else log.first_prev
    high_id = prev_of(above) if above else head if high == height else reader.gap_id(log, high)
    if low_id is None or high_id is None:
        return None
    size = sum(len(reader.at(log, at) or b"") for at in range(low + 1, high + 1))
    return Damaged(log, low, low_id, high, high_id, size)


def _is_sound(raw: bytes, network: bytes, log: LogId, seq: int) -> bool:
    try:
        entry = read_entry(raw)
        check_entry(entry, network)
    except RemoteProtocolError:
        return False
    return (entry.log, entry.seq) == (log, seq)

"""The queue before the broker."""

from __future__ import annotations

from collections import Counter

from meshrelay.bearers.mqtt_queue import MESSAGE_OVERHEAD_BYTES, OutQueue


async def test_bulk_for_one_ward_does_not_stand_before_another() -> None:
    queue = OutQueue(Counter(), lambda: 0.0)
    for number in range(3):
        queue.put("kita", b"bulk %d" % number)
    queue.put("chuo", b"order")

    got = [await queue.get() for _ in range(4)]

    assert got == [
        ("kita", b"bulk 0"),
        ("chuo", b"order"),
        ("kita", b"bulk 1"),
        ("kita", b"bulk 2"),
    ]


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    refused: Counter[str] = Counter()
    queue = OutQueue(refused, lambda: 0.0, bytes_max=2 * (MESSAGE_OVERHEAD_BYTES + 10))
    for _ in range(3):
        queue.put("kita", bytes(10))
    assert refused == {"queue_full": 1}

    await queue.get()
    queue.put("kita", bytes(10))
    queue.clear()
    queue.put("kita", bytes(10))
    queue.put("kita", bytes(10))
    assert refused == {"queue_full": 1}


async def test_a_parked_destination_takes_nothing_until_its_time() -> None:
    now_s = [100.0]
    refused: Counter[str] = Counter()
    queue = OutQueue(refused, lambda: now_s[0])
    queue.put("kita", b"waiting")
    queue.park("kita", 60.0)
    queue.put("kita", b"refused")
    queue.put("chuo", b"passes")
    assert await queue.get() == ("chuo", b"passes")
    queue.clear()
    assert queue.parked("kita") and refused == {"parked": 1}

    now_s[0] = 160.0
    queue.put("kita", b"again")
    assert await queue.get() == ("kita", b"again")

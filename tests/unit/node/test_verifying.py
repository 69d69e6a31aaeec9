"""Frames of a link come in order, links take turns, and nothing comes after a drop."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

from meshrelay.core.accept import Prepared
from meshrelay.node.verifying import AT_ONCE_BYTES_MAX, WORKERS, Verifying
from tests.town import until

HELLO = b"\x86\x01"


def entries(name: str, size: int = AT_ONCE_BYTES_MAX + 1) -> bytes:
    """What looks like a batch of entries."""
    return b"\x84\x04" + name.encode().ljust(size, b".")


def name_of(data: bytes) -> str:
    return data[2:].rstrip(b".").decode()


class Hall:
    """A `Verifying` whose preparing waits until the test lets it go on."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.delivered: list[tuple[int, str]] = []
        self.done: list[str] = []
        self.broken = 0
        self.gates: dict[str, threading.Event] = {}
        self.verifying = Verifying(self._prepare, self._deliver, self._broken)

    def _prepare(self, data: bytes) -> Prepared:
        name = name_of(data)
        self.started.append(name)
        if name in self.gates:
            assert self.gates[name].wait(10)
        return Prepared(name.encode(), [], None)

    def _deliver(self, link: int, data: bytes, prepared: Prepared | None, done: Any) -> None:
        assert prepared is None or prepared.network == name_of(data).encode()
        self.delivered.append((link, name_of(data)))
        done()

    def _broken(self) -> None:
        self.broken += 1

    def put(self, link: int, data: bytes) -> None:
        self.verifying.put(link, data, partial(self.done.append, name_of(data)))

    def hold(self, *names: str) -> None:
        self.gates |= {name: threading.Event() for name in names}

    def let(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()


async def test_a_frame_never_overtakes_another_of_its_link() -> None:
    hall = Hall()
    hall.hold("a")
    hall.put(1, entries("a"))
    hall.put(1, entries("b"))
    hall.put(1, HELLO + b"c")
    hall.put(1, entries("d", 4))  # small, but others stand before it
    await until(lambda: "d" in hall.started)
    assert hall.delivered == []

    hall.let("a")
    await until(lambda: len(hall.delivered) == 4)
    hall.verifying.close()
    assert hall.delivered == [(1, "a"), (1, "b"), (1, "c"), (1, "d")]
    assert hall.done == ["a", "b", "c", "d"]


async def test_an_urgent_frame_waits_for_one_frame_a_link_not_for_their_queues() -> None:
    hall = Hall()
    bulk = [f"bulk {number}" for number in range(10)]
    hall.hold(*bulk)
    for name in bulk:
        hall.put(1, entries(name))
    hall.put(2, entries("urgent"))
    hall.let("bulk 0", "bulk 1")  # those under way; then link 1 has one turn more
    await until(lambda: (2, "urgent") in hall.delivered)

    assert hall.started.index("urgent") <= WORKERS + 1
    hall.let(*bulk)
    await until(lambda: len(hall.delivered) == 11)
    hall.verifying.close()


async def test_a_small_frame_with_nothing_before_it_is_delivered_at_once() -> None:
    hall = Hall()
    hall.put(1, entries("one", 100))
    hall.put(1, HELLO + b"two")

    assert hall.delivered == [(1, "one"), (1, "two")]
    assert hall.started == []
    hall.verifying.close()


async def test_after_a_drop_nothing_of_the_link_is_delivered_and_all_is_done() -> None:
    hall = Hall()
    under_way = [f"under way {number}" for number in range(WORKERS)]
    hall.hold(*under_way)
    for name in (*under_way, "waiting"):
        hall.put(1, entries(name))
    hall.verifying.drop(1)
    assert hall.done == [*under_way, "waiting"]

    hall.put(2, entries("other"))
    hall.let(*under_way)
    await until(lambda: hall.delivered)
    hall.verifying.close()
    assert hall.delivered == [(2, "other")]
    assert "waiting" not in hall.started


async def test_closing_drops_what_waits() -> None:
    hall = Hall()
    hall.hold("a")
    hall.put(1, entries("a"))
    hall.put(1, entries("b"))
    hall.let("a")
    hall.verifying.close()

    await asyncio.sleep(0)
    assert hall.delivered == []
    assert hall.done == ["a", "b"]


async def test_a_bug_while_verifying_is_not_silent() -> None:
    told: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: told.append(context["exception"])
    )
    hall = Hall()
    hall.verifying._prepare = lambda data: 1 // 0  # type: ignore[assignment,return-value]
    hall.put(1, entries("a"))
    await until(lambda: hall.broken)
    hall.verifying.close()

    assert [type(error) for error in told] == [ZeroDivisionError]

"""`unshare -n python -m tests.benchmarks.cuts DIR 20 60`: how soon after a silent cut work goes on.

In this namespace there is only a loopback. A ward and a bridge's edge reach their broker and
centre at an address of their own; a cut drops every packet from and to it, as a dead uplink
does: nobody is told. In the middle of the cut both are given one message; the clock runs
from the return of the path until it is at the archive, or at the centre's subscriber.
Prints JSON: [{cut_s, meshrelay_s, bridge_s}].
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path

import msgspec

from meshrelay.web.client import StaffClient, fetch_status
from tests.benchmarks import phrases
from tests.benchmarks.bridge import Bridge, Counter, publish
from tests.benchmarks.cities import ARCHIVE, build_city
from tests.benchmarks.drain import CLERKS, KITA
from tests.benchmarks.peer import Back
from tests.benchmarks.wards import Wards
from tests.benchmarks.writing import BODIES_SEED
from tests.town import uuid7

FAR = "127.0.0.2"
RETURN_S_MAX = 120.0
SETTLE_S = 5.0
POLL_S = 0.02
_TABLE = "inet meshrelay_cut"


def run(*words: str) -> None:
    subprocess.run(words, check=True)


def cut() -> None:
    """Swallow what goes to or comes from the far address."""
    run("nft", "add", "table", *_TABLE.split())
    run("nft", "add", "chain", *_TABLE.split(), "in", "{ type filter hook input priority 0; }")
    for side in ("saddr", "daddr"):
        run("nft", "add", "rule", *_TABLE.split(), "in", "ip", side, FAR, "drop")


def heal() -> None:
    run("nft", "delete", "table", *_TABLE.split())


class Both:
    """A ward and an edge, and what has arrived from them."""

    def __init__(self, wards: Wards, bridge: Bridge, page: StaffClient, counter: Counter) -> None:
        self._wards, self._bridge, self._page, self._counter = wards, bridge, page, counter
        self._sent = 0

    async def send(self) -> None:
        """One more message from each."""
        bodies = phrases.bodies(BODIES_SEED + self._sent)
        text = next(islice(bodies, 1)).decode(errors="ignore")[4:]
        self._sent += 1
        await self._page.post(uuid7(), "all", text)
        # A publisher of its own each time: number 0 always; the counter starts anew.
        self._counter.numbers.clear()
        await asyncio.to_thread(publish, self._bridge.edge_port, [next(bodies)])

    async def archived(self) -> bool:
        return (await fetch_status(self._wards.urls[ARCHIVE])).messages >= self._sent

    async def at_centre(self) -> bool:
        return bool(self._counter.numbers)

    async def arrived_s(self) -> tuple[float, float]:
        """Seconds until the newest message of each arrived."""
        since_s = time.monotonic()
        return await asyncio.gather(_until(self.archived, since_s), _until(self.at_centre, since_s))


async def _until(condition: Callable[[], Awaitable[bool]], since_s: float) -> float:
    async with asyncio.timeout(RETURN_S_MAX):
        while True:
            if await condition():
                return time.monotonic() - since_s
            await asyncio.sleep(POLL_S)


async def measure(directory: Path, lengths_s: list[int]) -> list[Back]:
    """One cut after the other."""
    town, broker = build_city(directory / "city", [ARCHIVE, KITA], clerks=CLERKS[:1], far=FAR)
    bridge = Bridge(directory, every_change=True, centre_host=FAR, listen="0.0.0.0")
    backs = []
    async with Wards(town) as wards:
        try:
            await broker.start()
            await wards.start(ARCHIVE)
            await wards.start(KITA)
            await bridge.start_centre()
            await bridge.start_edge()
            counter = Counter(bridge.centre_port)
            await counter.open()
            clerk = CLERKS[0]
            async with StaffClient(wards.urls[KITA]) as page:
                await page.log_in(clerk.staff_id, clerk.code, clerk.pin)
                both = Both(wards, bridge, page, counter)
                await both.send()
                await both.arrived_s()
                for length_s in lengths_s:
                    await asyncio.sleep(SETTLE_S)
                    cut()
                    await asyncio.sleep(length_s / 2)
                    await both.send()
                    await asyncio.sleep(length_s / 2)
                    heal()
                    backs.append(Back(length_s, *await both.arrived_s()))
            counter.close()
        finally:
            await bridge.stop()
            await broker.stop()
    return backs


def main() -> int:
    """Raise the loopback, measure, print."""
    run("ip", "link", "set", "lo", "up")
    lengths_s = [int(word) for word in sys.argv[2:]]
    backs = asyncio.run(measure(Path(sys.argv[1]), lengths_s))
    print(msgspec.json.encode(backs).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

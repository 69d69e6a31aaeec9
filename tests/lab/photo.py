"""`photo`: a photo of 3 MB behind urgent texts on a narrow line, and over kills of its receiver.

HQ and one ward, whose cable carries 128 kbit/s. A photo flows up to HQ; while it does, urgent
texts are submitted at seeded moments and each is timed to the disk of the other side, as in
`urgent`. Then, on a line eight times as wide, another photo flows and its receiver is killed again
and again: of what pieces brought, no more than one chunk may have to come twice each time.

Times are only comparable within one run. A photo that does not fill the line proves nothing.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from meshrelay.cli.node_toml import NodeToml
from meshrelay.core.entry import URGENT
from meshrelay.core.manifest import CHUNK_BYTES
from tests.lab.city import HQ, City, city
from tests.lab.net import LabError
from tests.lab.urgent import (
    FULL_MIN,
    HELD_S_MAX,
    LINK_S_MAX,
    POLL_S,
    URGENT_BODY_BYTES,
    URGENT_MS_MAX,
    WARD,
    Instrument,
)

PHOTO_BYTES = 3_000_000
FLOWING_BYTES = 3 * CHUNK_BYTES
PAUSE_S_MIN, PAUSE_S_MAX = 0.9, 1.7
# While it is killed it should be busy: so many chunks come between two kills.
CHUNKS_BETWEEN = 8
WIDER = 8
GOES_ON_S_MAX, WHOLE_S_MAX = 60.0, 300.0

Say = Callable[[str], None]


@dataclass
class Row:
    """One run, measured."""

    kbit: int
    seed: int
    full: float = 0.0
    urgent_ms: list[int] = field(default_factory=list)
    lost_bytes: list[int] = field(default_factory=list)
    back_ms: list[int] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return (
            self.full >= FULL_MIN
            and max(self.urgent_ms) <= URGENT_MS_MAX
            and max(self.lost_bytes, default=0) <= CHUNK_BYTES
        )

    def figures(self) -> dict[str, object]:
        """For JSON: what was measured, beside what it should be."""
        return asdict(self) | {
            "worst_ms": max(self.urgent_ms),
            "median_ms": round(statistics.median(self.urgent_ms)),
            "urgent_ms_max": URGENT_MS_MAX,
            "worst_lost_bytes": max(self.lost_bytes, default=0),
            "lost_bytes_max": CHUNK_BYTES,
            "good": self.good,
        }

    def line(self) -> str:
        return (
            f"{'ok' if self.good else 'MISSED'}: {len(self.urgent_ms)} urgent texts before a photo "
            f"of {PHOTO_BYTES / 1e6:g} MB at {self.kbit} kbit/s, line {self.full:.0%} full: worst "
            f"{max(self.urgent_ms)} ms, median {statistics.median(self.urgent_ms):.0f} ms (at most "
            f"{URGENT_MS_MAX}); after {len(self.lost_bytes)} kills at most "
            f"{max(self.lost_bytes, default=0)} bytes came twice (at most {CHUNK_BYTES}), "
            f"seed {self.seed}"
        )


async def run(
    seed: int, probes: int, kbit: int, cuts: int, say: Say, keep: Path | None = None
) -> Row:
    """Both halves, in one laboratory."""
    row = Row(kbit, seed)

    def bearing(plain: NodeToml) -> NodeToml:
        return replace(plain, broker="")

    async with city(2, bearing, keep) as town, AsyncExitStack() as stack:
        ends = {ward: Instrument(office) for ward, office in town.offices.items()}
        for instrument in ends.values():
            stack.push_async_callback(instrument.stop)
            await instrument.start()
        source, sink = ends[WARD], ends[HQ]
        await _linked(source, sink)
        await _behind(row, town, source, sink, probes)
        await _killed(row, town, source, sink, cuts)
    say(row.line())
    return row


async def _linked(*ends: Instrument) -> None:
    await _until(lambda: all(end.links for end in ends), LINK_S_MAX, "no link")


async def _until(condition: Callable[[], object], seconds: float, what: str) -> None:
    end_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end_s:
            raise LabError(f"{what} after {seconds:.0f} s")
        await asyncio.sleep(POLL_S)


async def _behind(row: Row, town: City, source: Instrument, sink: Instrument, probes: int) -> None:
    dice = random.Random(f"{row.seed} photo")
    town.offices[WARD].host.limit(row.kbit, row.kbit)
    sink.want(await source.photo(PHOTO_BYTES))
    await _until(lambda: sink.blob[0] >= FLOWING_BYTES, HELD_S_MAX, "no photo flows")
    before, began_s = sink.blob[1], time.monotonic()
    full_s = 0.0
    for number in range(1, probes + 1):
        await asyncio.sleep(dice.uniform(PAUSE_S_MIN, PAUSE_S_MAX))
        at_s = await source.submit(URGENT, URGENT_BODY_BYTES)
        held_s = await sink.holds(URGENT, number, HELD_S_MAX)
        row.urgent_ms.append(round(1000 * (held_s - at_s)))
        if sink.blob[0] < PHOTO_BYTES:
            full_s = time.monotonic() - began_s
            row.full = (sink.blob[1] - before) * 8 / (row.kbit * 1000 * full_s)
    await _until(lambda: sink.blob[0] == PHOTO_BYTES, WHOLE_S_MAX, "the photo is not whole")


async def _again(sink: Instrument, blob: str) -> None:
    """Kill it and start it; somebody opens the page of the photo again."""
    await sink.kill()
    await sink.start()
    await _linked(sink)
    sink.want(blob)


async def _killed(row: Row, town: City, source: Instrument, sink: Instrument, cuts: int) -> None:
    town.offices[WARD].host.limit(row.kbit * WIDER, row.kbit * WIDER)
    blob = await source.photo(PHOTO_BYTES)
    await _again(sink, blob)
    came = 0  # bytes that pieces brought to all the killed ones, less what came twice
    for _ in range(cuts):
        await _until(
            lambda: sink.blob[1] >= CHUNKS_BETWEEN * CHUNK_BYTES, GOES_ON_S_MAX, "nothing flows"
        )
        came += sink.blob[1]
        killed_s = time.monotonic()
        await _again(sink, blob)
        await _until(lambda: sink.blob[0] > 0, GOES_ON_S_MAX, "nothing is here")
        row.lost_bytes.append(max(came - sink.blob[0], 0))
        came = sink.blob[0] - sink.blob[1]
        await _until(lambda: sink.blob[1] > 0, GOES_ON_S_MAX, "it does not go on")
        row.back_ms.append(round(1000 * (time.monotonic() - killed_s)))
    await _until(lambda: sink.blob[0] == PHOTO_BYTES, WHOLE_S_MAX, "the photo is not whole")

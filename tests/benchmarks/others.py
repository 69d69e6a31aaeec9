"""Figures of the simulator and the laboratory: run as they are, told beside their targets."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.figures import Figure

URGENT_S_MAX = 1.5
BACK_S_MAX = 1.0
LOST_KIB_MAX = 16.0
SIMULATED = 1_000


class Row(msgspec.Struct):
    """One bearer and direction of `python -m tests.lab urgent`."""

    bearer: str
    direction: str
    kbit: int
    cut_s: float
    urgent_ms: list[int]
    back_ms: list[int]
    full: float


async def told(work: Path, name: str, *words: str) -> bytes:
    """Run `python -m WORDS --json FILE`; what it wrote, whatever it thinks of its figures."""
    path = (work / f"{name}.json").resolve()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, "--json", str(path), stdout=sys.stderr
    )
    code = await process.wait()
    if not path.exists():
        raise AssertionError(f"python -m {' '.join(words)} ended with {code} and told nothing")
    return path.read_bytes()


async def urgent(work: Path) -> list[Figure]:
    """Urgent behind saturated bulk, and the first second after an outage."""
    return urgent_figures(await told(work, "urgent", "tests.lab", "urgent"))


def urgent_figures(document: bytes) -> list[Figure]:
    """What `python -m tests.lab urgent --json` wrote, as figures."""
    figures = []
    for row in msgspec.json.decode(document, type=list[Row]):
        where = f"{row.bearer}, {row.direction}"
        detail = {"urgent_ms": row.urgent_ms, "line_full": round(row.full, 2)}
        figures += [
            Figure(f"urgent behind bulk at {row.kbit} kbit/s, {where}, worst",
                   max(row.urgent_ms) / 1000, "s", limit=URGENT_S_MAX, detail=detail),
            Figure(f"  back to work after a cut of {row.cut_s:g} s", max(row.back_ms) / 1000, "s",
                   limit=BACK_S_MAX, detail={"back_ms": row.back_ms}),
        ]  # fmt: skip
    return figures


class PhotoRow(msgspec.Struct):
    """What `python -m tests.lab photo` measured."""

    kbit: int
    urgent_ms: list[int]
    lost_bytes: list[int]
    full: float


async def photo(work: Path) -> list[Figure]:
    """A photo of 3 MB behind urgent texts, and over kills of its receiver."""
    return photo_figures(await told(work, "photo", "tests.lab", "photo"))


def photo_figures(document: bytes) -> list[Figure]:
    """What `python -m tests.lab photo --json` wrote, as figures."""
    row = msgspec.json.decode(document, type=PhotoRow)
    detail = {"urgent_ms": row.urgent_ms, "line_full": round(row.full, 2)}
    return [
        Figure(f"{len(row.urgent_ms)} urgent texts before a photo of 3 MB at {row.kbit} kbit/s, "
               "worst", max(row.urgent_ms) / 1000, "s", limit=URGENT_S_MAX, detail=detail),
        Figure(f"  came twice after each of {len(row.lost_bytes)} kills, worst",
               max(row.lost_bytes, default=0) / 1024, "KiB", limit=LOST_KIB_MAX,
               detail={"lost_bytes": row.lost_bytes}),
    ]  # fmt: skip


async def thousand(work: Path, nodes: int = SIMULATED) -> list[Figure]:
    """A city of 1,000 nodes returns after an outage, in the simulator."""
    words = ("tests.sim", "--nodes", str(nodes))
    scale: dict[str, Any] = msgspec.json.decode(await told(work, "thousand", *words))["scale"]
    return [
        Figure(f"{nodes:,} simulated nodes: {name.replace('_', ' ')}", float(value), "")
        for name, value in scale.items()
        if isinstance(value, int | float) and name != "nodes"
    ]

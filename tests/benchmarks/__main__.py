"""`python -m tests.benchmarks`: measure, print one table, write JSON."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.benchmarks import (
    accept,
    drain,
    frames,
    idle,
    others,
    page,
    peer,
    phones,
    ready,
    reconnect,
    roster,
    send,
    traffic,
    wear,
)
from tests.benchmarks.figures import Figure, show

Measure = Callable[[Path], Awaitable[list[Figure]]]
MEASURES: dict[str, tuple[Measure, str]] = {
    "accept": (accept.measure, "V, and accepted entries as a fraction of V (30 s)"),
    "drain": (drain.measure, "100,000 entries through a broker to the archive (2 min)"),
    "peer": (peer.measure, "Mosquitto as a bridge and meshrelay, beside each other (4 min)"),
    "bytes": (frames.measure, "HELLO, one entry, a healed partition, frame by frame (10 s)"),
    "reconnect": (reconnect.measure, "a link returns with nothing new, also a month on (1 min)"),
    "traffic": (traffic.measure, "24 nodes: idle over mqtt, and in vain on a LAN mesh (4 min)"),
    "urgent": (others.urgent, "urgent behind bulk, back to work: tests.lab (4 min)"),
    "photo": (others.photo, "3 MB behind 100 urgent texts, over 20 kills: tests.lab (6 min)"),
    "thousand": (others.thousand, "1,000 simulated nodes return: tests.sim (4 min)"),
    "roster": (roster.measure, "30,000 staff: cards, a fresh node, 60 log-ins in a minute (3 min)"),
    "send": (send.measure, "press send → shown on another ward's page (1 min)"),
    "idle": (idle.measure, "memory of a node at rest (1.5 min)"),
    "ready": (ready.measure, "start with 100,000 entries in the store (2 min)"),
    "wear": (wear.measure, "bytes written to the card for an entry (10 s)"),
    "million": (wear.million, "start, memory and a page with 1,000,000 entries (8 min)"),
    "phones": (phones.measure, "500 phones on one node: how soon all of them know (1.5 min)"),
    "page": (page.measure, "bytes of a cold room page, requests that leave (10 s)"),
}

_ABOUT = """Measure this machine and meshrelay on it: one table, and JSON for comparison.

Timings are for comparison within one run: nothing here is a test, and a busy machine
makes slow figures. Rows without a target are told, not judged."""


def _epilog() -> str:
    names = "\n".join(f"  {name:9} {about}" for name, (_, about) in MEASURES.items())
    return f"""names:
{names}

examples:
  make bench
  make bench ARGS='--only accept --only page'
  python -m tests.benchmarks --json before.json

The stores are made below the folder of the JSON file, on that disk: a folder on a
tmpfs would make FULL commits free, and the figures false.

exit codes: 0 every target held, 1 one was missed, 2 wrong use"""


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=_ABOUT,
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--json", metavar="FILE", type=Path, default=Path("build/bench.json"),
        help="where the figures are written (default: %(default)s)",
    )  # fmt: skip
    made.add_argument(
        "--only", metavar="NAME", action="append", choices=[*MEASURES],
        help="measure only this; may be repeated",
    )  # fmt: skip
    return made


async def measure(names: Sequence[str], work: Path) -> list[Figure]:
    """The figures of these measurements, one after the other: they must not disturb each other."""
    figures: list[Figure] = []
    for name in names:
        print(f"{name}: {MEASURES[name][1]} ...", file=sys.stderr, flush=True)
        measured = await MEASURES[name][0](work)
        for figure in measured:
            print(f"  {figure.line()}", file=sys.stderr, flush=True)
        figures += measured
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code says whether every target held."""
    args = parser().parse_args(argv)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=args.json.parent)).resolve()
    began_s = time.monotonic()
    try:
        figures = asyncio.run(measure(args.only or [*MEASURES], work))
    finally:
        shutil.rmtree(work)
    show(figures, time.monotonic() - began_s, args.json)
    return 1 if any(figure.held is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())

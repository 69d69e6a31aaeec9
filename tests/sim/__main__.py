"""`python -m tests.sim`: storms over simulated cities, planted faults, figures, a big city."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.sim import figures, scale
from tests.sim.options import options_of
from tests.sim.runs import find_faults, run_seeds
from tests.sim.worker import Outcome

STORM = range(10_000)
FAULT_SEEDS = range(200)
FOUND_MAX = 5  # told in full

_ABOUT = """Live through storms over simulated cities and check the invariants of the design.

A seed decides everything: the city, its cables, clocks, disks, liars, what breaks when
and what people say. After each storm and after the calm the invariants I1 I2 I3 I4 I5 I6
I8 I10 are checked (tests/sim/invariants.py, one function each). A failing seed is told
with all that it decides, and with the line that repeats it."""

_EPILOG = """examples:
  python -m tests.sim --seeds 0..300 --both-hash-seeds
                                     each seed twice, under PYTHONHASHSEED 0 and 1; the
                                     digests of all effects must be equal
  python -m tests.sim --seeds 79     one seed again
  python -m tests.sim --faults       ten planted faults: which seed found each; then the
                                     correct build on the same seeds
  python -m tests.sim --storm        10,000 seeds (20 to 40 minutes on two cores)
  python -m tests.sim --nodes 1000   a thousand nodes return with new entries
  python -m tests.sim --write-baseline   renew tests/sim/baseline.json

exit codes: 0 all held, 1 something was found, 2 wrong use"""


def seeds_of(text: str) -> range:
    """`A..B` (B not included) or one seed."""
    first, dots, end = text.partition("..")
    try:
        return range(int(first), int(end) if dots else int(first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a seed or FROM..TO") from None


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.sim",
        description=_ABOUT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--seeds", metavar="A..B", type=seeds_of, help="live through these (default: 0..100)")
    add("--jobs", metavar="N", type=int, default=2, help="processes (default: %(default)s)")
    add("--both-hash-seeds", action="store_true",
        help="each seed under two PYTHONHASHSEEDs, with equal traces")  # fmt: skip
    add("--faults", action="store_true", help="find every planted fault")
    add("--storm", action="store_true", help=f"{len(STORM):,} seeds")
    add("--nodes", metavar="N", type=int, help="N nodes return after an outage")
    add("--write-baseline", action="store_true", help="renew the figures to compare with")
    add("--json", metavar="FILE", type=Path, help="write what was measured")
    return made


@contextmanager
def progress(console: Console, title: str, total: int) -> Iterator[Callable[[object], None]]:
    """A bar that is advanced by calling what it gives."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda _: bar.advance(task)


def storms(console: Console, seeds: range, args: argparse.Namespace) -> list[Outcome]:
    """Seeds, a line for each that found something, and one line for all."""
    began = time.monotonic()
    with progress(console, "seeds", len(seeds)) as told:
        outcomes = run_seeds(seeds, args.jobs, args.both_hash_seeds, told)
    for number, each in enumerate(each for each in outcomes if each.found):
        if number < FOUND_MAX:
            again = f"{' --both-hash-seeds' if args.both_hash_seeds else ''} --seeds {each.seed}"
            console.print(f"FOUND {each.found}", markup=False, highlight=False)
            console.print(f"  {options_of(each.seed)}", markup=False, highlight=False)
            console.print(f"  again: python -m tests.sim{again}", markup=False, highlight=False)
    found = sum(bool(each.found) for each in outcomes)
    twice = (
        " twice, under PYTHONHASHSEED 0 and 1, with equal traces" if args.both_hash_seeds else ""
    )
    console.print(
        f"{len(outcomes)} seeds ({seeds.start}..{seeds.stop}){twice}: {found} found something; "
        f"{sum(each.entries for each in outcomes):,} entries, "
        f"{sum(each.frames for each in outcomes):,} frames, "
        f"{time.monotonic() - began:.0f} s",
        highlight=False,
    )
    return outcomes


def faults(console: Console, seeds: range, jobs: int) -> list[dict[str, Any]]:
    """The table of planted faults, then the correct build on the same seeds."""
    with progress(console, "faults", 10) as told:
        findings = find_faults(seeds, jobs, told=told)
    rows = [
        [f.fault.__name__, "–" if f.seed is None else str(f.seed), f.sentence] for f in findings
    ]
    figures.table(console, "Planted faults", ["fault", "seed", "found by"], rows)
    return [
        {"fault": f.fault.__name__, "about": f.fault.__doc__, "seed": f.seed, "found": f.sentence}
        for f in findings
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was asked for; the exit code says whether all held."""
    args = parser().parse_args(argv)
    console = Console(soft_wrap=True)
    done: dict[str, Any] = {}
    good = True
    if args.nodes:
        measured = scale.measure(args.nodes)
        good = measured.entries == measured.held_by_each
        done["scale"] = measured._asdict()
        figures.pairs(console, f"{args.nodes} nodes return", done["scale"])
    elif args.write_baseline:
        figures.write_baseline(args.jobs)
    else:
        default = range(100) if not args.faults else FAULT_SEEDS
        seeds = STORM if args.storm else args.seeds or default
        if args.faults:
            done["faults"] = faults(console, seeds, args.jobs)
            good = all(each["seed"] is not None for each in done["faults"])
            console.print("The correct build on the same seeds:")
        outcomes = storms(console, seeds, args)
        done["seeds"] = [each._asdict() for each in outcomes]
        good = good and not any(each.found for each in outcomes)
    if not args.nodes and (len(done.get("seeds", ())) > 1 or args.write_baseline):
        done["converge"] = figures.compare(console, args.jobs)
    if args.json is not None:
        args.json.write_text(json.dumps(done, ensure_ascii=False, indent=1), "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

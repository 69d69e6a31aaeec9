"""`python -m tests.disk`: power cuts, full and failing disks, flipped bits, one table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from tests.disk import cuts, dropped, faults, flips, nodes
from tests.forged.row import Row, show


class Kind(NamedTuple):
    """A row, and how many cases a CI run and a long run have. `cuts`: `--cuts` counts them."""

    run: Callable[[int, int, int], Row]
    cases: int
    cases_long: int
    cuts: bool = False


def _alone(run: Callable[[int, int], Row]) -> Callable[[int, int, int], Row]:
    return lambda cases, seed, jobs: run(cases, seed)


KINDS = {
    "cuts": Kind(cuts.run, 300, 10_000, cuts=True),
    "cuts-normal": Kind(cuts.run_normal, 60, 600),
    "full": Kind(_alone(faults.run_full), 100, 2_000),
    **{
        f"eio-{what}": Kind(_alone(partial(faults.run_failing, what=what)), 100, 2_000)
        for what in faults.CODES
    },
    "eio-sync": Kind(_alone(faults.run_syncs), 100, 2_000),
    "dropped": Kind(_alone(dropped.run), 100, 2_000),
    "nodes": Kind(_alone(nodes.run), 4, 40),
    "flips": Kind(_alone(flips.run), 500, 20_000),
}

_EPILOG = """examples:
  python -m tests.disk --long --jobs 2                  the figures of a long run
  python -m tests.disk --only cuts --cuts 10000 --jobs 2
  python -m tests.disk --only cuts --seed 17 --cuts 1   the world of one seed again
  python -m tests.disk --only eio-sync --cases 100 --json

exit codes: 0 every row held, 1 one did not, 2 wrong use"""


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.disk",
        description="Run the real store and its writer on a disk that fails.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--long", action="store_true", help="the long run's figures, not CI's")
    made.add_argument("--cuts", type=int, help="how many power cuts")
    made.add_argument("--cases", type=int, help="how many of every other kind")
    made.add_argument("--seed", type=int, default=0, help="the first one (default: %(default)s)")
    made.add_argument("--jobs", type=int, default=1, help="processes for power cuts")
    made.add_argument("--only", choices=[*KINDS], action="append", help="this; may be repeated")
    made.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows; the exit code says whether all held."""
    args = parser().parse_args(argv)
    rows = []
    for name in args.only or KINDS:
        kind = KINDS[name]
        asked = args.cuts if kind.cuts else args.cases
        began_s = time.monotonic()
        row = kind.run(
            asked or (kind.cases_long if args.long else kind.cases), args.seed, args.jobs
        )
        row.wall_s = time.monotonic() - began_s
        rows.append(row)
    return 0 if show(rows, "meshrelay on failing disks", args.json) else 1


if __name__ == "__main__":
    sys.exit(main())

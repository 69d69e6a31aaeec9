"""`python -m tests.forged`: every row with a liar in it, one table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.forged import ended, fuzz, powerless, refused
from tests.forged.row import Row, show

Run = Callable[[int, int, Path], Row]
# Malformed frames are cheap: ten for each of the others.
ROWS: dict[str, tuple[Run, int]] = {
    "refused": (refused.run, 1),
    "powerless": (powerless.run, 1),
    "ended": (ended.run, 1),
    "malformed": (fuzz.run, 10),
    **{name: (partial(refused.run, only=name), 1) for name in refused.GROUPS},
    **{name: (partial(powerless.run, only=name), 1) for name in powerless.GROUPS},
}

_EPILOG = """examples:
  python -m tests.forged --cases 10000 --seed 1
  python -m tests.forged --only malformed --cases 500 --seed 7 --json
  python -m tests.forged --only revoked --only out_of_role --only replayed_part

exit codes: 0 every row held, 1 one did not, 2 wrong use"""


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.forged",
        description="Put forged, powerless and malformed frames to the real machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--cases", type=int, default=10_000, help="a row; malformed frames: ten times"
    )
    made.add_argument("--seed", type=int, default=1, help="of every choice (default: %(default)s)")
    made.add_argument("--only", choices=[*ROWS], action="append", help="this row; may be repeated")
    made.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows; the exit code says whether all held."""
    args = parser().parse_args(argv)
    rows = []
    for name in args.only or ROWS:
        run, times = ROWS[name]
        with tempfile.TemporaryDirectory(prefix="forged-") as directory:
            began_s = time.monotonic()
            row = run(args.cases * times, args.seed, Path(directory))
            row.wall_s = time.monotonic() - began_s
        rows.append(row)
    return 0 if show(rows, "meshrelay against liars", args.json) else 1


if __name__ == "__main__":
    sys.exit(main())

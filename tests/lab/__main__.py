"""`python -m tests.lab`: run one of the laboratory's runs and say what came of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.lab import brokers, hosts, photo, urgent
from tests.lab.net import missing


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    made = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    runs = made.add_subparsers(dest="run", required=True, metavar="RUN")
    one = runs.add_parser("hosts", help="zeroconf, loss, rate, delay, split, clocks, kills (3 min)",
                          description=hosts.__doc__,
                          formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    one.add_argument("--nodes", type=int, default=5, help="HQ among them (default: %(default)s)")
    one.add_argument("--minutes", type=float, default=2.0, help="of storm (default: %(default)s)")
    two = runs.add_parser("brokers", help="the broker fails in five ways (5 min)",
                          description=brokers.__doc__,
                          formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    two.add_argument("--case", action="append", choices=brokers.CASES, help="only this one")
    three = runs.add_parser("urgent", help="urgent behind bulk, back to work (4 min)",
                            description=urgent.__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    three.add_argument("--bearer", action="append", choices=urgent.BEARERS, help="only this one")
    three.add_argument("--direction", action="append", choices=urgent.DIRECTIONS,
                       help="only this one")  # fmt: skip
    three.add_argument("--probes", type=int, default=12, help="(default: %(default)s)")
    three.add_argument("--kbit", type=int, default=128, help="of the cable (default: %(default)s)")
    three.add_argument("--cut", type=float, default=20.0, help="seconds (default: %(default)s)")
    three.add_argument("--cuts", type=int, default=1, help="how many (default: %(default)s)")
    four = runs.add_parser("photo", help="a photo behind urgent texts, over kills (6 min)",
                           description=photo.__doc__,
                           formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    four.add_argument("--probes", type=int, default=100, help="texts (default: %(default)s)")
    four.add_argument("--kbit", type=int, default=128, help="of the cable (default: %(default)s)")
    four.add_argument("--cuts", type=int, default=20, help="kills (default: %(default)s)")
    for each in runs.choices.values():
        each.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
        each.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
        each.add_argument("--keep", metavar="DIR", type=Path, help="copy stores and logs there")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    lacks = missing()
    if lacks:
        print(f"the laboratory needs {', '.join(lacks)}", file=sys.stderr)
        return 2
    good, figures = asyncio.run(RUNS[args.run](args))
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(figures, ensure_ascii=False, indent=1)
        args.json.write_text(text + "\n", "utf-8")
    return 0 if good else 1


async def _hosts(args: argparse.Namespace) -> tuple[bool, object]:
    report = await hosts.run(args.seed, args.nodes, args.minutes, _say, args.keep)
    for line in report.lines():
        _say(line)
    return report.good, asdict(report)


async def _brokers(args: argparse.Namespace) -> tuple[bool, object]:
    cases = await brokers.run(args.seed, tuple(args.case or brokers.CASES), _say, args.keep)
    return all(case.good for case in cases), [asdict(case) for case in cases]


async def _urgent(args: argparse.Namespace) -> tuple[bool, object]:
    bearers = tuple(args.bearer or urgent.BEARERS)
    directions = tuple(args.direction or urgent.DIRECTIONS)
    rows = await urgent.run(
        args.seed, bearers, directions, args.probes, args.kbit, args.cut, args.cuts, _say, args.keep
    )
    return all(row.good for row in rows), [row.figures() for row in rows]


async def _photo(args: argparse.Namespace) -> tuple[bool, object]:
    row = await photo.run(args.seed, args.probes, args.kbit, args.cuts, _say, args.keep)
    return row.good, row.figures()


def _say(line: str) -> None:
    print(line, flush=True)


RUNS = {"hosts": _hosts, "brokers": _brokers, "urgent": _urgent, "photo": _photo}

if __name__ == "__main__":
    sys.exit(main())

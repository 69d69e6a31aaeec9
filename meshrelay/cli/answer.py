"""How a command is declared and how it answers: lines for people, JSON with --json."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

# argparse keeps the class of what add_subparsers returns to itself.
Groups = Any
_T = TypeVar("_T")
Run = Callable[[argparse.Namespace], int]


def group(groups: Groups, name: str, about: str) -> Groups:
    """A first word, such as `network`; its commands are added to what is returned."""
    sub = groups.add_parser(name, help=about, description=about)
    return sub.add_subparsers(metavar="COMMAND", required=True)


def command(
    groups: Groups, name: str, about: str, example: str, run: Run
) -> argparse.ArgumentParser:
    """A command with --json and a --help that ends in an example."""
    sub: argparse.ArgumentParser = groups.add_parser(
        name,
        help=about.splitlines()[0],
        description=about,
        epilog=f"example:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.add_argument("--json", action="store_true", help="answer in JSON")
    sub.set_defaults(run=run)
    return sub


def count(number: int, one: str, many: str = "") -> str:
    """`1 record`, `2 records`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def say(args: argparse.Namespace, result: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Print the answer once, in the form that was asked for."""
    if args.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        print("\n".join(lines))


def agrees(lines: Sequence[str]) -> bool:
    """Show what is about to be done and ask; nobody at the terminal is a no."""
    print("\n".join(lines), file=sys.stderr)
    if not sys.stdin.isatty():
        return False
    print("続けますか / go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes", "はい")


def progress(items: Sequence[_T], what: str, args: argparse.Namespace) -> Iterable[_T]:
    """The same items, with a bar while somebody watches."""
    from rich.console import Console
    from rich.progress import track

    hidden = args.json or not sys.stderr.isatty()
    console = Console(stderr=True)
    return track(items, what, console=console, disable=hidden, transient=True)


@contextmanager
def bar(args: argparse.Namespace, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar while somebody watches; call what is given with how much is done, of how much."""
    from rich.console import Console
    from rich.progress import Progress

    hidden = args.json or not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), disable=hidden, transient=True) as drawn:
        task = drawn.add_task(what)
        yield lambda done, total: drawn.update(task, completed=done, total=total)

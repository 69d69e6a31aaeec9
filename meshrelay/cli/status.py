"""`meshrelay status`."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.errors import BearerError, RefusedError

if TYPE_CHECKING:
    from meshrelay.node.office import NodeWord, Status

URL_DEFAULT = "http://127.0.0.1:8101"

_ABOUT = """Ask a running node how it is. Exit 0 when it is ready, 1 when not.

Needs no log-in and tells of no person."""

_EXAMPLE = f"""  meshrelay status
  meshrelay status {URL_DEFAULT} --json"""


def register(groups: answer.Groups) -> None:
    """Add the command to the command line."""
    status = answer.command(groups, "status", _ABOUT, _EXAMPLE, run_status)
    status.add_argument("url", metavar="URL", nargs="?", default=URL_DEFAULT)


def run_status(args: argparse.Namespace) -> int:
    import msgspec

    from meshrelay.web.client import fetch_status

    try:
        status = asyncio.run(fetch_status(args.url))
    except BearerError as error:
        raise RefusedError(
            "unreachable",
            "機器が応答しません。",
            f"{error}; it may be down, or the address wrong.",
            "",
            "",
        ) from error
    answer.say(args, msgspec.to_builtins(status), _lines(status))
    return 0 if status.ready else 1


def _lines(status: Status) -> list[str]:
    drill = " [drill]" if status.network.drill else ""
    lines = [
        f"{status.node.name} (ward {status.node.ward}) of {status.network.name}{drill}",
        f"  {'ready' if status.ready else 'NOT READY'}, version {status.version}, "
        f"{status.messages} messages, {status.entries} entries, {status.records} records",
    ]
    lines += [f"  trouble: {sentence}" for sentence in status.trouble]
    lines += [f"  bearer {name}: {word}" for name, word in sorted(status.bearers.items())]
    lines += [
        f"  link {link.bearer} to {link.peer_name}: {link.bytes_in} B in, {link.bytes_out} B out"
        for link in status.links
    ]
    lines += [f"  {_word(word, status.now_ms)}" for word in status.words]
    lines += [f"  refused {reason}: {count}" for reason, count in sorted(status.refused.items())]
    return lines


def _word(word: NodeWord, now_ms: int) -> str:
    if word.stated_ms is None:
        return f"{word.node.name}: nothing heard yet"
    age_s = max(0, now_ms - word.stated_ms) // 1000
    missing = [
        lane.stated - lane.archived
        for lane in word.lanes
        if lane.stated is not None and lane.archived is not None
    ]
    behind = f"{sum(missing)} entries not in the archive" if missing else "archive unknown"
    return f"{word.node.name}: stated {age_s} s ago by {word.path or 'unknown path'}, {behind}"

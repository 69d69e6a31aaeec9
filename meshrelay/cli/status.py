"""`meshrelay status`."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshrelay.cli import answer
from meshrelay.errors import BearerError, ConfigError, RefusedError

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

    _check_url(args.url)
    try:
        status = asyncio.run(fetch_status(args.url))
    except BearerError as error:
        # A path that failed has its cause; an answer that is none of ours has none or this one.
        if error.__cause__ is None or isinstance(error.__cause__, msgspec.DecodeError):
            raise _stranger(args.url) from error
        raise RefusedError(
            "unreachable",
            "機器が応答しません。",
            _silence(args.url, error),
            "",
            "",
        ) from error
    except RefusedError as error:
        if error.code == "unknown":  # an error page in JSON that is no problem document of ours
            raise _stranger(args.url) from error
        raise
    answer.say(args, msgspec.to_builtins(status), _lines(status))
    return 0 if status.ready else 1


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if good:
        return
    if "://" not in url:
        raise ConfigError(f"{url}: write http:// in front: meshrelay status http://{url}")
    raise ConfigError(f"{url}: expected an address such as {URL_DEFAULT}")


def _silence(url: str, error: BearerError) -> str:
    # What the system says of a path is for programmers; the rest is worth reading.
    said = f"{url} does not answer" if isinstance(error.__cause__, OSError) else str(error)
    return f"{said}; it may be down, or the address wrong."


def _stranger(url: str) -> RefusedError:
    return RefusedError(
        "not_a_node",
        "meshrelay の機器ではないものが応答しました。",
        f"{url} answers, but it is not a meshrelay node; check the address and the port.",
        "",
        "",
    )


MIB = 1024 * 1024


def _lines(status: Status) -> list[str]:
    drill = " [drill]" if status.network.drill else ""
    lines = [
        f"{status.node.name} (ward {status.node.ward}) of {status.network.name}{drill}",
        f"  {'ready' if status.ready else 'NOT READY'}, version {status.version}, "
        f"{answer.count(status.messages, 'message')}, "
        f"{answer.count(status.entries, 'entry', 'entries')}, "
        f"{answer.count(status.records, 'record')}",
    ]
    if status.store is not None:
        store = status.store
        lines.append(
            f"  store: {store.used_bytes / MIB:.1f} of {store.quota_bytes / MIB:.0f} MiB, "
            f"{store.evicted} dropped for space, {store.damaged} found damaged, ever"
        )
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
        return f"{word.node.name}: nothing heard yet (each node speaks once a minute)"
    age_s = max(0, now_ms - word.stated_ms) // 1000
    missing = [
        lane.stated - lane.archived
        for lane in word.lanes
        if lane.stated is not None and lane.archived is not None
    ]
    behind = (
        f"{answer.count(sum(missing), 'entry', 'entries')} not in the archive"
        if missing
        else "archive unknown"
    )
    return f"{word.node.name}: stated {age_s} s ago by {word.path or 'unknown path'}, {behind}"

"""`meshrelay archive backup`, `verify` and `restore`."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshrelay.cli import answer
from meshrelay.cli.places import check_node_dir
from meshrelay.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from meshrelay.node.backup import Copy, Tell
    from meshrelay.store.copying import Loss

_BACKUP_ABOUT = """Copy a node to a USB stick; the node may be running.

Everything that it holds at this moment, never its keys. The copy is read back from the stick
before an older one is removed; the two newest stay. With [backup] dir in node.toml the node
does this every night by itself. The stick is not encrypted: keep it under lock and key."""
_BACKUP_EXAMPLE = "  meshrelay archive backup /media/backup --from /var/lib/meshrelay/node"

_VERIFY_ABOUT = """Read every copy on a stick and say which are good. Exit 1 if one is not.

Each entry must be the one that its successor names, and every byte what its node signed; each
photo and file what its name says."""
_VERIFY_EXAMPLE = "  meshrelay archive verify /media/backup"

_RESTORE_ABOUT = """Put the newest copy of a stick into the directory of a stopped node.

DIR is the stick, one node's folder on it, or one copy-... in there. The copy is verified first.
NODEDIR keeps its keys, or is new and enrolled: then it starts with the old node's history. It
refuses while the node runs, and when the node holds what the copy lacks, unless --force says
that this may go; other nodes bring back what they have."""
_RESTORE_EXAMPLE = "  meshrelay archive restore /media/backup --into /var/lib/meshrelay/node"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "archive", "copies of a node on a stick")
    backup = answer.command(commands, "backup", _BACKUP_ABOUT, _BACKUP_EXAMPLE, run_backup)
    backup.add_argument("directory", metavar="DIR", type=Path, help="on the stick; must be there")
    backup.add_argument(
        "--from", dest="node", metavar="NODEDIR", type=Path, required=True, help="the node"
    )
    verify = answer.command(commands, "verify", _VERIFY_ABOUT, _VERIFY_EXAMPLE, run_verify)
    verify.add_argument("directory", metavar="DIR", type=Path)
    restore = answer.command(commands, "restore", _RESTORE_ABOUT, _RESTORE_EXAMPLE, run_restore)
    restore.add_argument("directory", metavar="DIR", type=Path)
    restore.add_argument(
        "--into", dest="node", metavar="NODEDIR", type=Path, required=True, help="a stopped node"
    )
    restore.add_argument(
        "--force",
        action="store_true",
        help="although the node holds what the copy lacks, or a revoked node made it",
    )


def run_backup(args: argparse.Namespace) -> int:
    from meshrelay.node.backup import make_copy
    from meshrelay.node.clock import Clock
    from meshrelay.node.config import load
    from meshrelay.node.identity import load_keys

    check_node_dir(args.node)
    _check_user(args.node)
    keys = load_keys(args.node)
    if not (args.node / "log.db").exists():
        raise ConfigError(f"{args.node} never ran: there is nothing to copy yet")
    name = load(args.node / "node.toml").node.name
    now = Clock(set_by_person=False).now()
    with _bar(args) as tell:
        made = make_copy(args.node, args.directory, keys, name, now, tell)
    same = args.directory.stat().st_dev == args.node.stat().st_dev
    warning = [f"WARNING: {args.directory} is on the node's own disk and is lost with it"]
    answer.say(
        args,
        {**_copy(made.copy), "blobs": made.blobs, "removed": made.removed, "same_disk": same},
        [
            _line(made.copy),
            f"{answer.count(made.blobs, 'photo or file', 'photos and files')} beside it, "
            f"{answer.count(made.removed, 'older copy', 'older copies')} removed",
            *(warning if same else []),
        ],
    )
    return 0


def run_verify(args: argparse.Namespace) -> int:
    from meshrelay.node.backup import damaged_blobs, paths_in, read_copy, verify_copy
    from meshrelay.node.restoring import check_maker

    stick: Path = args.directory
    folders = [stick, *sorted(stick.glob("meshrelay-*"))]
    paths = [each for folder in folders for each in paths_in(folder)]
    if not paths and (stick / "copy.cbor").exists():
        paths = [stick]
    if not paths:
        raise ConfigError(f"{stick}: holds no copy; expected what `archive backup` made")
    rows: list[dict[str, Any]] = []
    lines = []
    for path in paths:
        try:
            copy = read_copy(path)
            with _bar(args) as tell:
                verify_copy(copy, tell)
            check_maker(copy, path / "log.db")
        except RefusedError as error:
            rows.append({"copy": str(path), "good": False, "why": error.en})
            lines.append(f"NOT GOOD  {error.ja} / {error.en}")
        else:
            rows.append({**_copy(copy), "good": True})
            lines.append(f"good  {_line(copy)}")
    photos, damaged = 0, []
    for folder in dict.fromkeys(path.parent for path in paths):
        with _bar(args) as tell:
            count, bad = damaged_blobs(folder, tell)
        photos += count
        damaged += [str(path) for path in bad]
    lines += [f"good  {answer.count(photos - len(damaged), 'photo or file', 'photos and files')}"]
    lines += [
        f"NOT GOOD  壊れた写真・ファイルです。消すと、次の控えに入ります / damaged photo or file: "
        f"delete it, and the next backup copies it again: {path}"
        for path in damaged
    ]
    answer.say(args, {"copies": rows, "blobs": photos, "blobs_damaged": damaged}, lines)
    return 0 if all(row["good"] for row in rows) and not damaged else 1


def run_restore(args: argparse.Namespace) -> int:
    from meshrelay.cli.keyfiles import check_key_files
    from meshrelay.node.identity import load_keys
    from meshrelay.node.restoring import choose, restore

    check_node_dir(args.node)
    _check_user(args.node)
    check_key_files(args.node)
    keys = load_keys(args.node)
    copy = choose(args.directory, keys.signer.public)
    with _bar(args) as tell:
        done = restore(copy, args.node, keys, args.force, tell)
    own = copy.node == keys.signer.public
    wal = Path(f"{done.kept}-wal")
    files = f"{done.kept} and {wal.name}" if wal.exists() else done.kept
    kept = [f"what was there is kept: {files}; remove it when all is well"]
    answer.say(
        args,
        {
            **_copy(copy),
            "own": own,
            "blobs": done.blobs,
            "lost": done.loss._asdict() if done.loss is not None else None,
            "kept": str(done.kept) if done.kept else None,
        },
        [
            _line(copy),
            "made by this node" if own else "made by another node: this one keeps its own name",
            *_losses(done.loss),
            *(kept if done.kept else []),
            "start the node: the others bring what came after the copy",
        ],
    )
    return 0


def _check_user(directory: Path) -> None:
    """What another user writes, on the stick or into the directory, is locked to the node."""
    owner = directory.stat().st_uid
    if owner == os.geteuid():
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"#{owner}"
    raise ConfigError(
        f"{directory} belongs to {name}: run this as that user: "
        f"sudo -u {name} meshrelay archive ..."
    )


def _losses(loss: Loss | None) -> list[str]:
    if loss is None:
        return ["what was there could not be read"]
    if not any(loss):
        return []
    return [
        f"not in the copy: {answer.count(loss.entries, 'entry', 'entries')} ({loss.own} written "
        f"here), {answer.count(loss.records, 'record')}; they come back where another node has them"
    ]


def _copy(copy: Copy) -> dict[str, Any]:
    stamp = copy.stamp
    return {
        "copy": str(copy.path),
        "node": copy.node.hex(),
        "name": stamp.name,
        "network": stamp.network.hex(),
        "made_ms": stamp.made_ms,
        "clock_quality": stamp.quality,
        "entries": stamp.entries,
        "records": stamp.records,
        "bytes": stamp.log_bytes,
    }


def _line(copy: Copy) -> str:
    from meshrelay.core.clock import FROM_ARCHIVE

    stamp = copy.stamp
    when = datetime.fromtimestamp(stamp.made_ms / 1000).strftime("%Y-%m-%d %H:%M")
    unsure = "" if stamp.quality >= FROM_ARCHIVE else " (by a clock that nobody vouches for)"
    return (
        f"{stamp.name}, {when}{unsure}: {answer.count(stamp.entries, 'entry', 'entries')}, "
        f"{answer.count(stamp.records, 'record')}, {stamp.log_bytes / 1e6:.1f} MB: {copy.path}"
    )


@contextmanager
def _bar(args: argparse.Namespace) -> Iterator[Tell]:
    """A bar for each step while somebody watches."""
    from rich.console import Console
    from rich.progress import Progress

    hidden = args.json or not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), disable=hidden, transient=True) as progress:
        bar = progress.add_task("")

        def tell(what: str, done: int, total: int) -> None:
            progress.update(bar, description=what, completed=done, total=total)

        yield tell

"""`meshrelay courier write`, `read` and `status`."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.cli.places import check_node_dir
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli.courierfile import Shown
    from meshrelay.node.courier_desk import Reading
    from meshrelay.node.identity import Keys

# Where firmware_notes puts a node.
NODE_DEFAULT = Path("/var/lib/meshrelay/node")

_WRITE_ABOUT = """Write a courier file: what this node holds, sealed, for somebody to carry.

DIR is a mounted USB stick. The node may be running or stopped. With --to, what that ward or
node is known to hold is left out; a file that came back from there tells what that is."""

_WRITE_EXAMPLE = """  meshrelay courier write /media/usb
  meshrelay courier write /media/usb --to 03"""

_NO_CONTENT = (
    "写真・ファイルの中身は入っていません。回線が戻ると届きます / of photos and files only names "
    "and small pictures are in it; their content comes when a line is back"
)

_READ_ABOUT = """Take courier files in: all of a stick's, or one. The node must be running.

A file may be read twice, and a half-copied one too: every whole entry counts, once."""

_READ_EXAMPLE = """  meshrelay courier read /media/usb
  meshrelay courier read /media/usb/meshrelay-0a1b2c3d-4e5f6071-20261123T005308123.courier"""

_STATUS_ABOUT = """Show what courier files a stick carries; nothing is taken in."""

_STATUS_EXAMPLE = "  meshrelay courier status /media/usb"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "courier", "carry messages by hand, on a USB stick")
    write = answer.command(commands, "write", _WRITE_ABOUT, _WRITE_EXAMPLE, run_write)
    write.add_argument("directory", metavar="DIR", type=Path, help="the stick")
    write.add_argument(
        "--to", metavar="WARD|NODE", default="", help="a ward's code or name, or a node's name"
    )
    read = answer.command(commands, "read", _READ_ABOUT, _READ_EXAMPLE, run_read)
    read.add_argument("source", metavar="DIR|FILE", type=Path, help="the stick, or one file")
    status = answer.command(commands, "status", _STATUS_ABOUT, _STATUS_EXAMPLE, run_status)
    status.add_argument("directory", metavar="DIR", type=Path, help="the stick")
    for command in (write, read, status):
        command.add_argument(
            "--node",
            metavar="NODEDIR",
            type=Path,
            default=NODE_DEFAULT,
            help=f"this machine's node (default: {NODE_DEFAULT})",
        )


def _keys(node: Path) -> Keys:
    from meshrelay.cli.keyfiles import check_key_files
    from meshrelay.node.identity import load_keys

    if node == NODE_DEFAULT and not node.exists():
        raise ConfigError(f"{node} is not there; name this machine's node with --node NODEDIR")
    check_node_dir(node)
    check_key_files(node)
    return load_keys(node)


def run_write(args: argparse.Namespace) -> int:
    from meshrelay.cli import courierfile
    from meshrelay.core.entry import BULK
    from meshrelay.node.cargo import Cargo

    keys = _keys(args.node)
    courierfile.check_directory(args.directory)
    with closing(Cargo(args.node, keys)) as cargo:
        names = [cargo.book.nodes[each].name for each in cargo.destinations(args.to)]
        with answer.bar(args, "writing") as told:
            path, packed = courierfile.write(cargo, args.node, keys, args.directory, args.to, told)
    entries = sum(packed.entries)
    whom = ", ".join(names) if args.to else "everybody"
    answer.say(
        args,
        {
            "file": str(path),
            "to": args.to,
            "nodes": names,
            "size": packed.size,
            "entries": packed.entries,
            "records": packed.records,
        },
        [
            f"{path}: {packed.size} bytes for {whom}",
            f"{answer.count(entries, 'entry', 'entries')} ({courierfile.lanes(packed.entries)}), "
            f"{answer.count(packed.records, 'record')}",
            *([_NO_CONTENT] if packed.entries[BULK] else []),
            "at the next ward: meshrelay courier read DIR, or the page 伝令",
        ],
    )
    return 0


def run_read(args: argparse.Namespace) -> int:
    from msgspec import to_builtins

    from meshrelay.cli import courierfile

    keys = _keys(args.node)
    files = courierfile.files_in(args.source, keys)
    courierfile.check_running(args.node)
    readings: list[tuple[Path, Reading]] = []
    for number, path in enumerate(files, 1):
        with answer.bar(args, f"file {number} of {len(files)}") as told:
            readings.append((path, courierfile.hand_over(path, args.node, keys.network, told)))
    answer.say(
        args,
        {"files": [{"file": str(path), **to_builtins(each)} for path, each in readings]},
        [line for path, each in readings for line in _taken(path, each)],
    )
    return 0 if all(each.state == "done" for _, each in readings) else 1


def _taken(path: Path, reading: Reading) -> list[str]:
    from meshrelay.cli import courierfile

    if reading.state == "refused":
        return [
            f"{path.name}: {reading.ja} {reading.next_ja} / {reading.en} {reading.next_en}",
        ]
    who = f"{reading.node_name} (ward {reading.ward})" if reading.node_name else "unknown"
    lines = [
        f"{path.name}: written by {who}, {courierfile.when(reading.written_ms, reading.passed_ms)}",
        f"  {answer.count(reading.entries_new, 'entry', 'entries')} new, "
        f"{reading.entries_known} already here, {reading.entries_refused} refused; "
        f"{answer.count(reading.records_new, 'record')} new",
    ]
    if not reading.whole:
        lines.append(
            "  切れているか、傷んでいます。読めた分は取り込みました / cut or damaged: what is "
            "whole was taken. Copy it once more, or fetch another"
        )
    return lines


def run_status(args: argparse.Namespace) -> int:
    from meshrelay.cli import courierfile
    from meshrelay.node.cargo import Cargo

    keys = _keys(args.node)
    courierfile.check_directory(args.directory)
    with closing(Cargo(args.node, keys)) as cargo:
        paths = courierfile.names_in(args.directory)
        shown = [
            courierfile.show(path, cargo, keys) for path in answer.progress(paths, "reading", args)
        ]
    lines = [line for each in shown for line in _described(each)]
    answer.say(
        args,
        {"files": [each._asdict() for each in shown]},
        lines or [f"no courier file in {args.directory}"],
    )
    return 0


def _described(shown: Shown) -> list[str]:
    from meshrelay.cli import courierfile

    if shown.error:
        return [f"{shown.file}: {shown.error}"]
    state = "whole" if shown.whole else "cut or damaged"
    whom = f"{shown.to_ward} (ward {shown.to})" if shown.to_ward else shown.to or "everybody"
    new = f"{shown.new} not here yet" if shown.new else "all of it is here already"
    return [
        f"{shown.file}: {shown.size} bytes, {state}",
        f"  written by {shown.node or 'unknown'} (ward {shown.ward or 'unknown'}), "
        f"{courierfile.when(shown.written_ms, None, known=True)}, for {whom}",
        f"  {answer.count(sum(shown.entries), 'entry', 'entries')} "
        f"({courierfile.lanes(shown.entries)}), {new}",
    ]

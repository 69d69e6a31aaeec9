"""`meshrelay records import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from meshrelay.cli import answer

_ABOUT = """Give an enrolled node records that were issued after its enrolment.

Credentials, cards, revocations: whatever `staff` and `issuer` commands wrote. A node that runs
takes them in within seconds. One node is enough: it passes them on."""
_EXAMPLE = "  meshrelay records import /var/lib/meshrelay/node staff.cbor"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "records", "credentials and other records")
    take = answer.command(commands, "import", _ABOUT, _EXAMPLE, run_import)
    take.add_argument("directory", metavar="DIR", type=Path)
    take.add_argument(
        "file", metavar="FILE", type=Path, help="made by `staff import`, `issuer revoke` etc."
    )


def run_import(args: argparse.Namespace) -> int:
    from meshrelay.cli.nodedir import import_records, is_running

    added, known = import_records(args.directory, args.file)
    runs = is_running(args.directory)
    taken = (
        "the node runs and takes them in within seconds"
        if runs
        else "the node takes them in when it starts"
    )
    nothing = f"nothing new in {args.file}: all of its {answer.count(known, 'record')} were here"
    answer.say(
        args,
        {"added": added, "known": known, "running": runs},
        [f"{answer.count(added, 'record')} added", taken] if added else [nothing],
    )
    return 0

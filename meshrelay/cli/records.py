"""`meshrelay records import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from meshrelay.cli import answer

_ABOUT = """Give an enrolled node records that were issued after its enrolment.

The node takes them in at its next start; one node is enough: it passes them on."""
_EXAMPLE = "  meshrelay records import /var/lib/meshrelay/node cards/records.cbor"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "records", "credentials and other records")
    take = answer.command(commands, "import", _ABOUT, _EXAMPLE, run_import)
    take.add_argument("directory", metavar="DIR", type=Path)
    take.add_argument("file", metavar="FILE", type=Path, help="made by `staff import`")


def run_import(args: argparse.Namespace) -> int:
    from meshrelay.cli.nodedir import import_records

    added, known = import_records(args.directory, args.file)
    answer.say(
        args,
        {"added": added, "known": known},
        [
            f"{answer.count(added, 'record')} added, {known} already there",
            "restart the node so that it takes them in: sudo systemctl restart meshrelay",
        ],
    )
    return 0

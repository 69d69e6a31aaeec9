"""`meshrelay config check`."""

from __future__ import annotations

import argparse
from pathlib import Path

from meshrelay.cli import answer

_ABOUT = """Read a node's configuration and keys as `node run` would, and start nothing.

Exit 0 when the node could start now; else 2 and what to do next."""
_EXAMPLE = "  meshrelay config check /var/lib/meshrelay/node"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "config", "check a configuration")
    check = answer.command(commands, "check", _ABOUT, _EXAMPLE, run_check)
    check.add_argument("directory", metavar="DIR", type=Path)


def run_check(args: argparse.Namespace) -> int:
    from meshrelay.cli.keyfiles import check_records, read_node_dir

    config, keys = read_node_dir(args.directory)
    check_records(args.directory, keys)
    path = args.directory / "node.toml"
    answer.say(
        args,
        {"file": str(path), "ok": True, "name": config.node.name, "ward": config.node.ward},
        [f"{path}: good ({config.node.name}, ward {config.node.ward})"],
    )
    return 0

"""`meshrelay network create`."""

from __future__ import annotations

import argparse
from pathlib import Path

from meshrelay.cli import answer

_ABOUT = """Make a new network: its authority, its issuer and its TLS CA.

NETDIR then holds the secrets that decide who may join. Keep it off the nodes; keep
authority.key off line. A drill network is another network with its own NETDIR."""

_EXAMPLE = """  meshrelay network create osaka --name 大阪市
  meshrelay network create osaka-drill --name 大阪市訓練 --drill"""


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "network", "make a network")
    create = answer.command(commands, "create", _ABOUT, _EXAMPLE, run_create)
    create.add_argument("directory", metavar="NETDIR", type=Path, help="a new directory")
    create.add_argument("--name", required=True, help="what people call it, e.g. 大阪市")
    create.add_argument("--drill", action="store_true", help="a network for drills (訓練)")


def run_create(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority

    made = authority.create(args.directory, args.name, args.drill)
    kind = "drill network" if made.drill else "network"
    answer.say(
        args,
        {
            "network": made.network.hex(),
            "name": made.name,
            "drill": made.drill,
            "directory": str(args.directory),
        },
        [
            f"{kind} {made.name} {made.network.hex()}",
            f"secrets in {args.directory}: keep them off the nodes",
        ],
    )
    return 0

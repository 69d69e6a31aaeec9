"""`meshrelay network create`."""

from __future__ import annotations

import argparse
from pathlib import Path

from meshrelay.cli import answer, passphrase

_ABOUT = """Make a new network in one go: its authority, its issuer and its TLS CA.

The short road. NETDIR is the issuer's directory; keep it off the nodes. The authority is
made in NETDIR/authority, or with --authority on a removable medium, under a passphrase:
move it to two USB sticks that lie in two places. `authority create` and `issuer create` make
the two on two machines. A drill network is another network with its own NETDIR."""

_EXAMPLE = """  meshrelay network create osaka --name 大阪市 --authority /media/usb/osaka
  meshrelay network create osaka --name 大阪市
  meshrelay network create osaka-drill --name 大阪市訓練 --drill"""


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "network", "make a network")
    create = answer.command(commands, "create", _ABOUT, _EXAMPLE, run_create)
    create.add_argument("directory", metavar="NETDIR", type=Path, help="a new directory")
    create.add_argument("--name", required=True, help="what people call it, e.g. 大阪市")
    create.add_argument("--drill", action="store_true", help="a network for drills (訓練)")
    create.add_argument(
        "--authority", metavar="AUTHDIR", type=Path, help="a new directory for the authority"
    )
    passphrase.add_new(create)


def run_create(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, files

    files.check_new(args.directory)
    beside = args.authority or args.directory / authority.AUTHORITY_DIRECTORY
    files.check_new(beside)
    said = passphrase.new(args, "the authority")
    made = authority.create(args.directory, args.name, args.drill, said, args.authority)
    kind = "drill network" if made.drill else "network"
    bare = "its key is NOT wrapped; whoever copies it owns the network"
    answer.say(
        args,
        {
            "network": made.network.hex(),
            "name": made.name,
            "drill": made.drill,
            "directory": str(args.directory),
            "authority": str(beside),
        },
        [
            f"{kind} {made.name} {made.network.hex()}",
            f"secrets in {args.directory}: keep them off the nodes, and a copy in a safe",
            f"authority in {beside}: {bare if said is None else 'wrapped with your passphrase'}",
            *_next_steps(beside, is_apart=args.authority is not None),
        ],
    )
    return 0


def _next_steps(beside: Path, is_apart: bool) -> list[str]:
    second = f"meshrelay authority successor {beside} /media/usb2/authority"
    if is_apart:
        return [f"make a second stick: {second}", "keep the two in two places, not in the laptop"]
    return [
        f"now move the authority to two USB sticks: {second} makes the second, "
        f"then move {beside} itself to the first"
    ]

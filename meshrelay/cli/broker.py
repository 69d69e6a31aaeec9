"""`meshrelay broker make` and `run`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from meshrelay.cli import answer

PORT_DEFAULT = 8883

_ABOUT = """Write a directory from which Mosquitto runs as the network's central broker.

Issues a certificate from the network's CA and writes broker.key (0600), broker.crt,
ca.crt, mosquitto.conf and acl. Only nodes with a certificate of this network get in, and
each writes under its own name alone. mosquitto.conf names the files by full path: make
DIR at the path where it will lie on the broker's machine, and copy it there."""

_EXAMPLE = """  meshrelay broker make osaka --host broker.example --port 8883 -o broker
  meshrelay broker make osaka --host broker.example --host 192.0.2.10 -o broker"""

_RUN_ABOUT = """Run Mosquitto from a directory that `broker make` wrote, until Ctrl-C.

This process becomes Mosquitto. As a service: ExecStart=meshrelay broker run DIR."""
_RUN_EXAMPLE = "  meshrelay broker run /srv/meshrelay-broker"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "broker", "the central MQTT broker")
    make = answer.command(commands, "make", _ABOUT, _EXAMPLE, run_make)
    make.add_argument("directory", metavar="NETDIR", type=Path)
    make.add_argument(
        "--host",
        metavar="NAME-OR-IP",
        action="append",
        required=True,
        help="where nodes reach it; may be given again for a second name",
    )
    make.add_argument("--port", metavar="N", type=int, default=PORT_DEFAULT, help="%(default)s")
    make.add_argument(
        "--user",
        metavar="NAME",
        default="",
        help="who Mosquitto becomes when root starts it (default: mosquitto)",
    )
    make.add_argument(
        "-o", "--output", metavar="DIR", type=Path, required=True, help="a new directory"
    )
    run = answer.command(commands, "run", _RUN_ABOUT, _RUN_EXAMPLE, run_broker)
    run.add_argument("directory", metavar="DIR", type=Path, help="made by `broker make`")


def run_broker(args: argparse.Namespace) -> int:
    from meshrelay.cli.brokerdir import run_command

    command = run_command(args.directory)
    answer.say(args, {"run": command}, [" ".join(command)])
    sys.stdout.flush()
    os.execv(command[0], command)


def run_make(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority
    from meshrelay.cli.brokerdir import make_broker_dir

    network = authority.load(args.directory)
    made = make_broker_dir(args.output, network, args.host, args.port, user=args.user)
    host = f"[{args.host[0]}]" if ":" in args.host[0] else args.host[0]
    address = f"{host}:{args.port}"
    start = f"meshrelay broker run {made.conf.parent}"
    owner = args.user or "mosquitto"
    answer.say(
        args,
        {
            "directory": str(made.conf.parent),
            "conf": str(made.conf),
            "acl": str(made.acl),
            "start": start,
            "broker": address,
        },
        [
            f"broker of {network.name} in {made.conf.parent}; broker.key in it is secret",
            f"start it: {start}",
            f"as a service, first: sudo chown -R {owner}: {made.conf.parent}",
            "in each node's node.toml, then restart the node:",
            "  [mqtt]",
            f'  broker = "{address}"',
        ],
    )
    return 0

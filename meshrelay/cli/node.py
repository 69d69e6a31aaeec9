"""`meshrelay node request`, `enrol` and `run`."""

from __future__ import annotations

import argparse
from pathlib import Path

from meshrelay.cli import answer
from meshrelay.cli.places import check_node_dir

_REQUEST_ABOUT = """Make a new node directory: its keys, its configuration and its request.

The keys are made here, on the device, and never leave it. Carry DIR/request.cbor to
the issuer and read the six words out to them."""

_REQUEST_EXAMPLE = "  meshrelay node request /var/lib/meshrelay/node --name 北区役所"

_ENROL_ABOUT = """Take in the issuer's answer; the node may then run.

The answer is checked against this node's own keys first. Compare the network id with
the one that the issuer told you."""

_ENROL_EXAMPLE = "  meshrelay node enrol /var/lib/meshrelay/node answer.cbor"

_RUN_ABOUT = """Run a node until SIGTERM or Ctrl-C.

Serves the staff page, the monitor, /metrics, /livez and /readyz at [web] listen."""

_RUN_EXAMPLE = "  meshrelay node run /var/lib/meshrelay/node"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "node", "set up and run a node")
    request = answer.command(commands, "request", _REQUEST_ABOUT, _REQUEST_EXAMPLE, run_request)
    request.add_argument("directory", metavar="DIR", type=Path, help="a new directory")
    request.add_argument("--name", required=True, help="what people call it, e.g. 北区役所")
    enrol = answer.command(commands, "enrol", _ENROL_ABOUT, _ENROL_EXAMPLE, run_enrol)
    enrol.add_argument("directory", metavar="DIR", type=Path)
    enrol.add_argument("answer", metavar="FILE", type=Path, help="made by `issuer sign`")
    run = answer.command(commands, "run", _RUN_ABOUT, _RUN_EXAMPLE, run_node)
    run.add_argument("directory", metavar="DIR", type=Path)


def run_request(args: argparse.Namespace) -> int:
    from meshrelay.cli.node_toml import NodeToml
    from meshrelay.cli.nodedir import make_node_dir
    from meshrelay.cli.words import six_words

    request = make_node_dir(args.directory, NodeToml(args.name))
    words = six_words(request)
    path = args.directory / "request.cbor"
    answer.say(
        args,
        {"directory": str(args.directory), "request": str(path), "words": words},
        [
            f"request: {path}",
            f"six words: {words}",
            f"carry {path} to the issuer, whose next command is `meshrelay issuer sign`",
        ],
    )
    return 0


def run_enrol(args: argparse.Namespace) -> int:
    from meshrelay.cli.enrolment import read_answer_file
    from meshrelay.cli.nodedir import enrol_node_dir

    check_node_dir(args.directory)
    taken = enrol_node_dir(args.directory, read_answer_file(args.answer), str(args.answer))
    issuer = next(iter(taken.book.issuers.values()))
    network = taken.book.network.hex()
    answer.say(
        args,
        {
            "network": network,
            "name": issuer.network_name,
            "drill": issuer.drill,
            "ward": taken.ward,
            "records": len(taken.records),
        },
        [
            f"enrolled in {issuer.network_name}{' (drill)' if issuer.drill else ''}",
            f"network {network}, ward {taken.ward}, {answer.count(len(taken.records), 'record')}",
        ],
    )
    return 0


def run_node(args: argparse.Namespace) -> int:
    from meshrelay.cli.serve import serve_node

    check_node_dir(args.directory)
    return serve_node(args.directory)

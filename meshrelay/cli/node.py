"""`meshrelay node request`, `enrol`, `vector` and `run`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from meshrelay.cli import answer
from meshrelay.cli.frugal import be_frugal
from meshrelay.cli.places import check_node_dir
from meshrelay.errors import ConfigError

_REQUEST_ABOUT = """Make a new node directory: its keys, its configuration and its request.

The keys are made here, on the device, and never leave it. Carry DIR/request.cbor to the
issuer, or photograph the QR code and bring its text; read the six words out to them. The
same command once more shows the same request again."""

_REQUEST_EXAMPLE = "  meshrelay node request /var/lib/meshrelay/node --name 北区役所"

_ENROL_ABOUT = """Take in the issuer's answer; the node may then run.

FILE came back on a stick; or fetch it over the LAN with the address and the four words
that `meshrelay issuer listen` shows. The answer is checked against this node's own keys
first. Compare the network id with the one that the issuer told you."""

_ENROL_EXAMPLE = """  meshrelay node enrol /var/lib/meshrelay/node answer.cbor
  meshrelay node enrol /var/lib/meshrelay/node --from 192.0.2.10:7411 \\
      --token "lusab babad gutih tugad" """

_VECTOR_ABOUT = """Write up to where this node holds every log, signed by it.

For `issuer revoke`, `staff revoke` and `staff import`: what was said until then keeps its
effect. The node may be running or stopped; nothing is changed. Take it at a node you trust
that holds much: HQ's."""

_VECTOR_EXAMPLE = """  meshrelay node vector /var/lib/meshrelay/node -o vector.cbor
  meshrelay node vector /var/lib/meshrelay/node --staff 10102 -o vector.cbor"""

_RUN_ABOUT = """Run a node until SIGTERM or Ctrl-C.

Serves the staff page, the monitor, /metrics, /livez and /readyz at [web] listen. On another
machine than last time it asks first: --moved says that this is the node now."""

_RUN_EXAMPLE = "  meshrelay node run /var/lib/meshrelay/node"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "node", "set up and run a node")
    request = answer.command(commands, "request", _REQUEST_ABOUT, _REQUEST_EXAMPLE, run_request)
    request.add_argument("directory", metavar="DIR", type=Path, help="a new directory")
    request.add_argument("--name", required=True, help="what people call it, e.g. 北区役所")
    enrol = answer.command(commands, "enrol", _ENROL_ABOUT, _ENROL_EXAMPLE.rstrip(), run_enrol)
    enrol.add_argument("directory", metavar="DIR", type=Path)
    enrol.add_argument("answer", metavar="FILE", type=Path, nargs="?", help="made by `issuer sign`")
    enrol.add_argument("--from", dest="source", metavar="HOST:PORT", help="of `issuer listen`")
    enrol.add_argument("--token", metavar="WORDS", help="the four words; asked for if left out")
    vector = answer.command(commands, "vector", _VECTOR_ABOUT, _VECTOR_EXAMPLE, run_vector)
    vector.add_argument("directory", metavar="DIR", type=Path)
    vector.add_argument("--staff", metavar="ID", help="only where this person wrote")
    vector.add_argument("-o", "--output", metavar="FILE", type=Path, required=True)
    run = answer.command(commands, "run", _RUN_ABOUT, _RUN_EXAMPLE, run_node)
    run.add_argument("directory", metavar="DIR", type=Path)
    run.add_argument(
        "--moved", action="store_true", help="this machine is the node now, no other is"
    )


def run_request(args: argparse.Namespace) -> int:
    from meshrelay.cli import qr
    from meshrelay.cli.enrolment import request_text
    from meshrelay.cli.node_toml import NodeToml
    from meshrelay.cli.nodedir import kept_request, make_node_dir
    from meshrelay.cli.words import six_words

    path = args.directory / "request.cbor"
    known = kept_request(args.directory, args.name)
    request = known or make_node_dir(args.directory, NodeToml(args.name))
    words = six_words(request)
    text = request_text(request)
    drawn: list[str] = []
    if sys.stdout.isatty() and not args.json:
        code = qr.in_terminal(text)
        wide = f"no QR code: the terminal has fewer than {qr.columns_for(text)} columns"
        drawn = [code or wide]
    answer.say(
        args,
        {"directory": str(args.directory), "request": str(path), "words": words, "text": text},
        [
            *drawn,
            f"request: {path}",
            f"six words: {words}",
            f"carry {path} to the issuer, whose next command is `meshrelay issuer sign`",
            f"or over the LAN: meshrelay node enrol {args.directory} --from HOST:PORT",
        ],
    )
    return 0


def run_enrol(args: argparse.Namespace) -> int:
    from meshrelay.cli.nodedir import enrol_node_dir

    check_node_dir(args.directory)
    if (args.answer is None) == (args.source is None):
        raise ConfigError("expected the issuer's FILE, or --from HOST:PORT and --token, not both")
    if args.answer is not None:
        from meshrelay.cli.enrolment import read_answer_file

        data, where = read_answer_file(args.answer), str(args.answer)
    else:
        data, where = _fetch(args), args.source
    taken = enrol_node_dir(args.directory, data, where)
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


def _fetch(args: argparse.Namespace) -> bytes:
    from meshrelay.cli import files, listening
    from meshrelay.node.config import address

    try:
        host, port = address(args.source)
    except ValueError as error:
        raise ConfigError(f"--from {args.source}: expected HOST:PORT") from error
    token = args.token
    if token is None and sys.stdin.isatty():
        token = input("four words: ")
    if token is None:
        raise ConfigError("--token: expected the four words that `meshrelay issuer listen` shows")
    path = args.directory / "request.cbor"
    request = files.read(path, "what `meshrelay node request` wrote")
    return listening.fetch(host, port, token, request)


def run_vector(args: argparse.Namespace) -> int:
    from meshrelay.cli import files, vectorfile
    from meshrelay.cli.keyfiles import check_key_files
    from meshrelay.core.records import StaffCredential
    from meshrelay.node.identity import load_keys

    check_node_dir(args.directory)
    check_key_files(args.directory)
    keys = load_keys(args.directory)
    database = args.directory / "log.db"
    if not database.exists():
        raise ConfigError(f"{database} is not there: this node never ran and holds nothing")
    files.check_absent(args.output)
    held = vectorfile.read_store(database, keys.signer.public)
    if args.staff is not None:
        known = [
            each.id
            for each in vectorfile.records_of(database)
            if isinstance(each.content, StaffCredential) and each.content.staff_id == args.staff
        ]
        if not known:
            raise ConfigError(f"--staff {args.staff}: this node knows nobody with that number")
        held = vectorfile.only(held, known)
    files.write_new(args.output, vectorfile.pack(held, keys.signer, keys.network))
    answer.say(
        args,
        {"lines": len(held.lines), "writers": len(held.writers), "output": str(args.output)},
        [
            f"{answer.count(len(held.lines), 'log')} of "
            f"{answer.count(len({line.log.origin for line in held.lines}), 'node')}, written in by "
            f"{answer.count(len(held.writers), 'person', 'people')}: {args.output}",
            "carry it to the issuer: --vector FILE",
        ],
    )
    return 0


def run_node(args: argparse.Namespace) -> int:
    be_frugal()
    from meshrelay.cli.serve import serve_node

    check_node_dir(args.directory)
    return serve_node(args.directory, args.moved)

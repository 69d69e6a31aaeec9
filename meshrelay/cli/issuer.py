"""`meshrelay issuer sign`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli.authority import Authority, WardNames

_ABOUT = """Admit a node: check its request and write the file that enrols it.

Compare the six words with those that the node's screen showed before you carry the
answer back. The first node of a ward needs the ward's name; it is remembered."""

_EXAMPLE = """  meshrelay issuer sign osaka request.cbor --ward 01 --ward-name 北区 \\
      --ward-name-en Kita -o answer.cbor
  meshrelay issuer sign osaka hq.cbor --ward 00 --role archive -o hq-answer.cbor"""


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "issuer", "admit nodes")
    sign = answer.command(commands, "sign", _ABOUT, _EXAMPLE, run_sign)
    sign.add_argument("directory", metavar="NETDIR", type=Path)
    sign.add_argument("request", metavar="REQUEST", type=Path, help="made by `node request`")
    sign.add_argument("--ward", required=True, help="two digits; 00 is 本部")
    sign.add_argument("--ward-name", help="Japanese name of the ward, e.g. 北区")
    sign.add_argument("--ward-name-en", help="English name of the ward, e.g. Kita")
    sign.add_argument("--role", choices=("node", "archive"), default="node")
    sign.add_argument("-o", "--output", metavar="FILE", type=Path, required=True)


def run_sign(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, enrolment, files
    from meshrelay.cli.words import six_words

    opened = authority.load(args.directory)
    data = files.read(args.request, "a file made by `meshrelay node request`")
    request = enrolment.read_request(data, str(args.request))
    ward = _ward(opened, args)
    if args.output.exists():
        raise ConfigError(f"{args.output} exists already; it is not overwritten")
    record, answered = enrolment.sign_request(opened, request, ward, args.role == "archive")
    files.write_new(args.output, answered)
    role = "an archive" if args.role == "archive" else "a node"
    answer.say(
        args,
        {
            "node": request.node.hex(),
            "name": request.name,
            "ward": ward.code,
            "role": args.role,
            "credential": record.id.hex(),
            "words": six_words(data),
            "output": str(args.output),
        },
        [
            f"{request.name} is {role} of {ward.name} ({ward.code})",
            f"six words of its request: {six_words(data)}",
            f"carry {args.output} to the node and run: meshrelay node enrol DIR FILE",
        ],
    )
    return 0


def _ward(opened: Authority, args: argparse.Namespace) -> WardNames:
    from meshrelay.cli.authority import WardNames

    if not re.fullmatch(r"\d\d", args.ward):
        raise ConfigError(f"--ward {args.ward}: expected two digits, e.g. 01")
    known = opened.wards.get(args.ward)
    if known is None and not args.ward_name:
        raise ConfigError(
            f"--ward {args.ward}: no such ward yet; name it with --ward-name and --ward-name-en"
        )
    if known is not None and args.ward_name in (None, known.name):
        return known
    if known is not None:
        raise ConfigError(f"--ward {args.ward} is {known.name} already, not {args.ward_name}")
    ward = WardNames(args.ward, args.ward_name, args.ward_name_en or args.ward_name)
    opened.name_ward(ward)
    return ward

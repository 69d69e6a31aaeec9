"""`meshrelay authority create`, `issue`, `raise`, `successor` and `passphrase`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer, passphrase
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.core.records import Record

_CREATE_ABOUT = """Make the authority of a new network, on a removable medium.

Its key decides who may be an issuer and who has role hq; without it a network cannot be
carried on. It is wrapped with a passphrase (Argon2id). Make a second stick with
`authority successor`, keep the two in two places, and never overwrite either."""
_CREATE_EXAMPLE = """  meshrelay authority create /media/usb/osaka --name 大阪市
  meshrelay authority create /media/usb/drill --name 大阪市訓練 --drill"""

_ISSUE_ABOUT = """Sign an issuer: it may then admit nodes and staff.

FROM is the issuer-request.cbor that `issuer create` wrote, or the issuer's directory
itself when both are on one machine; then no file is needed. Compare the six words."""
_ISSUE_EXAMPLE = """  meshrelay authority issue /media/usb/osaka issuer-request.cbor -o issuer.cbor
  meshrelay authority issue /media/usb/osaka osaka"""

_RAISE_ABOUT = """Begin a new generation: a new credential for the issuer, one number higher.

When a transit key may have leaked or many nodes were lost. Afterwards `issuer renew`
makes new credentials and transit keys for every node that was not revoked; links know
the new generation once both ends hold it, and no log stops."""
_RAISE_EXAMPLE = """  meshrelay authority raise /media/usb/osaka osaka
  meshrelay authority raise /media/usb/osaka issuer-request.cbor -o issuer.cbor"""

_SUCCESSOR_ABOUT = """Make a second authority of the same network, with a key of its own.

It may do whatever the first may. The network keeps its id. Use it as the second stick;
after a loss of the first, carry on with it."""
_SUCCESSOR_EXAMPLE = "  meshrelay authority successor /media/usb1/osaka /media/usb2/osaka"

_PASSPHRASE_ABOUT = """Change the passphrase of an authority's key; the key stays the same."""
_PASSPHRASE_EXAMPLE = "  meshrelay authority passphrase /media/usb/osaka"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "authority", "the key above the issuer, off line")
    create = answer.command(commands, "create", _CREATE_ABOUT, _CREATE_EXAMPLE, run_create)
    create.add_argument("directory", metavar="AUTHDIR", type=Path, help="a new directory")
    create.add_argument("--name", required=True, help="what people call the network, e.g. 大阪市")
    create.add_argument("--drill", action="store_true", help="a network for drills (訓練)")
    passphrase.add_new(create)
    for name, about, example, raised in (
        ("issue", _ISSUE_ABOUT, _ISSUE_EXAMPLE, False),
        ("raise", _RAISE_ABOUT, _RAISE_EXAMPLE, True),
    ):
        issue = answer.command(commands, name, about, example, run_issue)
        issue.set_defaults(raised=raised)
        issue.add_argument("directory", metavar="AUTHDIR", type=Path)
        issue.add_argument("source", metavar="FROM", type=Path, help="request file or NETDIR")
        issue.add_argument("-o", "--output", metavar="FILE", type=Path, help="for a request file")
        passphrase.add_known(issue)
    succeed = answer.command(
        commands, "successor", _SUCCESSOR_ABOUT, _SUCCESSOR_EXAMPLE, run_successor
    )
    succeed.add_argument("directory", metavar="AUTHDIR", type=Path)
    succeed.add_argument("new", metavar="NEWDIR", type=Path, help="a new directory")
    succeed.add_argument(
        "--old-passphrase-file", metavar="FILE", type=Path, help="passphrase of AUTHDIR"
    )
    passphrase.add_new(succeed)
    change = answer.command(
        commands, "passphrase", _PASSPHRASE_ABOUT, _PASSPHRASE_EXAMPLE, run_passphrase
    )
    change.add_argument("directory", metavar="AUTHDIR", type=Path)
    change.add_argument(
        "--old-passphrase-file", metavar="FILE", type=Path, help="passphrase until now"
    )
    passphrase.add_new(change)


def run_create(args: argparse.Namespace) -> int:
    from meshrelay.cli import authdir, files

    files.check_new(args.directory)
    said = passphrase.new(args, str(args.directory))
    made = authdir.create(args.directory, args.name, args.drill, said)
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
            f"authority of {kind} {made.name} {made.network.hex()}",
            f"a second stick: meshrelay authority successor {args.directory} NEWDIR",
            "next, on the issuer's laptop: meshrelay issuer create NETDIR",
        ],
    )
    return 0


def run_issue(args: argparse.Namespace) -> int:
    from meshrelay.cli import authdir, authority, files, mounting
    from meshrelay.cli.issuer_request import REQUEST_FILE, read_request
    from meshrelay.cli.recordfile import pack_records
    from meshrelay.cli.words import six_words

    here = args.source.is_dir()
    path = args.source / REQUEST_FILE if here else args.source
    if not here and args.output is None:
        raise ConfigError("-o FILE: expected where to write the answer to this request")
    if args.output is not None:
        files.check_absent(args.output)
    data = files.read(path, f"an {REQUEST_FILE}, or the directory it is in")
    issuer, known = read_request(data, str(path))
    stick, signer = mounting.unlock(args.directory, args.passphrase_file)
    issued = authdir.issue(stick, signer, issuer, known, args.raised)
    if args.output is not None:
        files.write_new(args.output, pack_records(issued))
    if here:
        authority.accept(args.source, issued, str(args.directory))
    result, lines = _issued(args, issued[-1], six_words(data))
    answer.say(args, result, lines)
    return 0


def _issued(
    args: argparse.Namespace, record: Record, words: str
) -> tuple[dict[str, object], list[str]]:
    from meshrelay.core.records import IssuerCredential

    content = record.content
    assert isinstance(content, IssuerCredential)
    result: dict[str, object] = {
        "issuer": content.key.hex(),
        "serial": content.serial,
        "generation": content.generation,
        "words": words,
        "output": str(args.output) if args.output else None,
    }
    renew = "meshrelay issuer renew NETDIR -o renewed.cbor"
    lines = [
        f"issuer {content.serial} of {content.network_name}, generation {content.generation}",
        f"six words of its request: {words}",
    ]
    if args.output is not None:
        lines.append(f"carry {args.output} to the issuer: meshrelay issuer accept NETDIR FILE")
    if args.raised:
        lines.append(f"then new credentials for the nodes: {renew}")
    return result, lines


def run_successor(args: argparse.Namespace) -> int:
    from meshrelay.cli import authdir, files, mounting

    files.check_new(args.new)
    stick, signer = mounting.unlock(args.directory, args.old_passphrase_file)
    said = passphrase.new(args, str(args.new))
    made = authdir.succeed(stick, signer, args.new, said)
    answer.say(
        args,
        {"network": made.network.hex(), "public": made.public.hex(), "directory": str(args.new)},
        [
            f"{args.new} is a second authority of {made.name}, with a key of its own",
            "keep the two sticks in two places",
        ],
    )
    return 0


def run_passphrase(args: argparse.Namespace) -> int:
    from meshrelay.cli import authdir

    stick, where = authdir.read(args.directory), str(args.directory)
    old = passphrase.known(args.old_passphrase_file, where) if stick.is_wrapped else ""
    authdir.rewrap(stick, old, lambda: passphrase.new(args, where))
    answer.say(
        args,
        {"directory": str(args.directory), "wrapped": stick.is_wrapped},
        [f"{args.directory}: the passphrase was changed"],
    )
    return 0

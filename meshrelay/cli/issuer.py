"""`meshrelay issuer create`, `accept`, `sign`, `listen`, `renew`, `nodes` and `records`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from meshrelay.cli import answer, issuer_listen, issuer_revoke, mounting, passphrase
from meshrelay.cli.admitting import add_ward, admitted, admitted_line, ward_of

_CREATE_ABOUT = """Make an issuer's directory, apart from the authority.

Makes the issuer's key and the key of the TLS CA, and NETDIR/issuer-request.cbor for the
authority to sign; with --authority that happens at once. `network create` makes both in
one go."""
_CREATE_EXAMPLE = """  meshrelay issuer create osaka
  meshrelay issuer create osaka --authority /media/usb/osaka"""

_ACCEPT_ABOUT = "Take in what `authority issue` or `authority raise` wrote for this issuer."
_ACCEPT_EXAMPLE = "  meshrelay issuer accept osaka issuer.cbor"

_SIGN_ABOUT = """Admit a node: check its request and write the file that enrols it.

REQUEST is the node's request.cbor, a file with the text of its QR code, or - to type or
scan that text here. At a terminal it shows six words and asks whether the node's screen shows
the same (`node request` again shows them again); in a script compare them before you carry
the answer back. The first node of a ward needs the ward's name; it is remembered."""
_SIGN_EXAMPLE = """  meshrelay issuer sign osaka request.cbor --ward 01 --ward-name 北区 \\
      --ward-name-en Kita -o answer.cbor
  meshrelay issuer sign osaka hq.cbor --ward 00 --role archive -o hq-answer.cbor"""

_COMPARE = "機器の画面の6語と同じですか / does the node's screen show the same six words?"
_DIFFER = (
    "取り消しました。何も発行していません。",
    "Not agreed; nothing was signed.",
    "6語が違えば、その機器のファイルではありません。機器でもう一度表示して比べてください。",
    "If the words differ, this is not that node's request: show it again there and compare.",
)

_RENEW_ABOUT = """After a new generation: new credentials and transit keys for all nodes.

Nodes that were revoked get none and fall behind. Carry FILE to one node of the network
(`records import`); the others get it from there. No node needs to be enrolled again."""
_RENEW_EXAMPLE = "  meshrelay issuer renew osaka -o renewed.cbor"

_REKEY_ABOUT = """After the laptop was stolen: a new issuer key, in a new generation.

Restore the copy of NETDIR on another laptop first. Nodes, staff and the CA stay; afterwards
`issuer renew` makes new credentials and transit keys for every node."""
_REKEY_EXAMPLE = "  meshrelay issuer rekey osaka --authority /media/usb1/authority"

_NODES_ABOUT = "List the nodes of the network: id, ward, name, and whether each may speak."
_NODES_EXAMPLE = "  meshrelay issuer nodes osaka"

_RECORDS_ABOUT = """Write everything that was issued into one file, to carry to a node.

It holds nothing secret. One node is enough (`records import`): it passes the records on."""
_RECORDS_EXAMPLE = "  meshrelay issuer records osaka -o records.cbor"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "issuer", "admit nodes, revoke and suspend them")
    create = answer.command(commands, "create", _CREATE_ABOUT, _CREATE_EXAMPLE, run_create)
    create.add_argument("directory", metavar="NETDIR", type=Path, help="a new directory")
    mounting.add_option(create, "to have it sign at once")
    accept = answer.command(commands, "accept", _ACCEPT_ABOUT, _ACCEPT_EXAMPLE, run_accept)
    accept.add_argument("directory", metavar="NETDIR", type=Path)
    accept.add_argument("file", metavar="FILE", type=Path, help="made by `authority issue`")
    sign = answer.command(commands, "sign", _SIGN_ABOUT, _SIGN_EXAMPLE, run_sign)
    sign.add_argument("directory", metavar="NETDIR", type=Path)
    sign.add_argument("request", metavar="REQUEST", help="made by `node request`; - reads text")
    add_ward(sign)
    sign.add_argument("-o", "--output", metavar="FILE", type=Path, required=True)
    issuer_listen.register(commands)
    renew = answer.command(commands, "renew", _RENEW_ABOUT, _RENEW_EXAMPLE, run_renew)
    renew.add_argument("directory", metavar="NETDIR", type=Path)
    renew.add_argument("-o", "--output", metavar="FILE", type=Path, required=True)
    rekey = answer.command(commands, "rekey", _REKEY_ABOUT, _REKEY_EXAMPLE, run_rekey)
    rekey.add_argument("directory", metavar="NETDIR", type=Path)
    rekey.add_argument("--authority", metavar="AUTHDIR", type=Path, required=True)
    passphrase.add_known(rekey)
    nodes = answer.command(commands, "nodes", _NODES_ABOUT, _NODES_EXAMPLE, run_nodes)
    nodes.add_argument("directory", metavar="NETDIR", type=Path)
    records = answer.command(commands, "records", _RECORDS_ABOUT, _RECORDS_EXAMPLE, run_records)
    records.add_argument("directory", metavar="NETDIR", type=Path)
    records.add_argument("-o", "--output", metavar="FILE", type=Path, required=True)
    issuer_revoke.register(commands)


def run_create(args: argparse.Namespace) -> int:
    from meshrelay.cli import authdir, authority, files
    from meshrelay.cli.issuer_request import REQUEST_FILE, read_request
    from meshrelay.cli.words import six_words

    files.check_new(args.directory)
    unlocked = None
    if args.authority is not None:
        unlocked = mounting.unlock(args.authority, args.passphrase_file)
    request = authority.create_issuer(args.directory)
    path = args.directory / REQUEST_FILE
    words = six_words(request)
    result = {"directory": str(args.directory), "request": str(path), "words": words}
    lines = [
        f"secrets in {args.directory}: keep it off the nodes, and a copy of it in a safe",
        f"six words of its request: {words}",
    ]
    if unlocked is None:
        lines.append(f"carry {path} to the authority: meshrelay authority issue AUTHDIR FILE")
    else:
        stick, signer = unlocked
        issuer, known = read_request(request, str(path))
        issued = authdir.issue(stick, signer, issuer, known, raised=False)
        made = authority.accept(args.directory, issued, str(args.authority))
        result["network"] = made.network.hex()
        lines.append(f"issuer of {made.name} {made.network.hex()}")
    answer.say(args, result, lines)
    return 0


def run_accept(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, files
    from meshrelay.cli.recordfile import unpack_records

    data = files.read(args.file, "a file made by `meshrelay authority issue`")
    expected = "a file made by `meshrelay authority issue`"
    records = unpack_records(data, str(args.file), expected)
    made = authority.accept(args.directory, records, str(args.file))
    answer.say(
        args,
        {"network": made.network.hex(), "name": made.name, "generation": made.generation},
        [f"issuer of {made.name} {made.network.hex()}, generation {made.generation}"],
    )
    return 0


def run_sign(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, enrolment, files
    from meshrelay.cli.words import six_words
    from meshrelay.errors import RefusedError

    opened = authority.load(args.directory)
    data = _request_data(args.request)
    request = enrolment.read_request(data, args.request)
    ward = ward_of(opened, args)
    files.check_absent(args.output)
    words = six_words(data)
    if sys.stdin.isatty() and args.request != "-" and not args.json:
        same = answer.agrees([f"six words of {request.name}: {words}", _COMPARE])
        if not same:
            raise RefusedError("words_differ", *_DIFFER)
    record, answered = enrolment.sign_request(opened, request, ward, args.role == "archive")
    files.write_new(args.output, answered)
    answer.say(
        args,
        {
            **admitted(request, ward, args.role, record),
            "words": words,
            "output": str(args.output),
        },
        [
            admitted_line(request, ward, args.role),
            f"six words of its request: {words}",
            f"carry {args.output} to the node and run: meshrelay node enrol DIR FILE",
        ],
    )
    return 0


def _request_data(where: str) -> bytes:
    from meshrelay.cli import enrolment, files

    if where == "-":
        return enrolment.request_bytes(input().encode())
    data = files.read(Path(where), "a file made by `meshrelay node request`")
    return enrolment.request_bytes(data)


def run_renew(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, enrolment, files
    from meshrelay.cli.issuer_request import authority_records
    from meshrelay.cli.recordfile import pack_records, with_parents

    opened = authority.load(args.directory)
    files.check_absent(args.output)
    new = enrolment.renew(opened)
    if new:
        opened.add(new)
    keys = opened.transit_for(n for n in opened.book.nodes if n not in opened.book.revoked)
    opened.add(keys)
    current = enrolment.of_generation(opened)
    heads = authority_records(opened.records)
    files.write_new(args.output, pack_records(with_parents(opened.book, [*heads, *current])))
    answer.say(
        args,
        {"generation": opened.generation, "renewed": len(new), "output": str(args.output)},
        [
            f"generation {opened.generation}: {answer.count(len(new), 'node')} renewed",
            f"next, at one node: meshrelay records import DIR {args.output}",
        ],
    )
    return 0


def run_rekey(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority

    opened = authority.load(args.directory)
    renewed = authority.rekey(opened, *mounting.unlock(args.authority, args.passphrase_file))
    answer.say(
        args,
        {"issuer": renewed.issuer.public.hex(), "generation": renewed.generation},
        [
            f"new issuer key, generation {renewed.generation}",
            f"next: meshrelay issuer renew {args.directory} -o renewed.cbor",
        ],
    )
    return 0


def run_nodes(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority
    from meshrelay.core.claims import is_suspended

    book = authority.load(args.directory).book
    rows = [
        {
            "node": key.hex(),
            "ward": node.ward,
            "name": node.name,
            "roles": node.roles,
            "generation": node.generation,
            "state": "revoked"
            if key in book.revoked
            else "suspended"
            if is_suspended(book, key)
            else "good",
        }
        for key, node in sorted(book.nodes.items(), key=lambda item: (item[1].ward, item[1].serial))
    ]
    lines = [
        f"{row['ward']}  {str(row['node'])[:16]}  {row['state']:<9}  "
        f"generation {row['generation']}  {row['name']}"
        for row in rows
    ]
    answer.say(args, {"nodes": rows}, lines or ["no node was admitted yet"])
    return 0


def run_records(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, files
    from meshrelay.cli.recordfile import pack_records

    opened = authority.load(args.directory)
    files.write_new(args.output, pack_records(opened.records))
    answer.say(
        args,
        {"records": len(opened.records), "output": str(args.output)},
        [
            f"{answer.count(len(opened.records), 'record')} in {args.output}",
            f"next, at one node: meshrelay records import DIR {args.output}",
        ],
    )
    return 0

"""`meshrelay issuer revoke`, `suspend` and `lift`: what is done about a node."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli.authority import Authority
    from meshrelay.core.records import Record

_REVOKE_ABOUT = """Strike a node off: stolen, sold, or turned dishonest. It cannot be undone.

Its logs end where VECTOR says (`node vector` at a node you trust, HQ's best): what it said
until then stays good, what comes later has no effect. Without a vector nothing that it ever
said would count; say so with --from-nothing if that is what you mean."""
_REVOKE_EXAMPLE = """  meshrelay issuer revoke osaka 北区役所 --vector vector.cbor -o revoked.cbor
  meshrelay issuer revoke osaka 3f9a1c02 --from-nothing -o revoked.cbor"""

_SUSPEND_ABOUT = """Close the links with a node and hide it, until it is lifted; ends nothing.

For a node that went missing for an hour. Two registrars can do the same on the staff page.
HQ's nodes and archives cannot be suspended."""
_SUSPEND_EXAMPLE = "  meshrelay issuer suspend osaka 北区役所 -o suspended.cbor"

_LIFT_ABOUT = "End the suspension of a node."
_LIFT_EXAMPLE = "  meshrelay issuer lift osaka 北区役所 -o lifted.cbor"

# Fewer hex digits of a key are a slip of the hand, not a name.
PREFIX_MIN = 8
# The highest number is in force. Registrars count on by one, and what they said since does
# not come back to this directory; nobody suspends a node a thousand times in between.
ROUNDS_AHEAD = 1_000


def register(commands: answer.Groups) -> None:
    """Add the commands to the group `issuer`."""
    revoke = answer.command(commands, "revoke", _REVOKE_ABOUT, _REVOKE_EXAMPLE, run_revoke)
    _add_node(revoke)
    add_vector(revoke)
    for name, about, example, lifted in (
        ("suspend", _SUSPEND_ABOUT, _SUSPEND_EXAMPLE, False),
        ("lift", _LIFT_ABOUT, _LIFT_EXAMPLE, True),
    ):
        command = answer.command(commands, name, about, example, run_suspend)
        command.set_defaults(lifted=lifted)
        _add_node(command)


def _add_node(command: argparse.ArgumentParser) -> None:
    command.add_argument("directory", metavar="NETDIR", type=Path)
    command.add_argument(
        "node", metavar="NODE", help="its name, or the first digits of its id (`issuer nodes`)"
    )
    add_output(command)


def add_output(command: argparse.ArgumentParser) -> None:
    """Where the records go that a node must be told of."""
    command.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="the new records, to carry to a node"
    )


def add_vector(command: argparse.ArgumentParser) -> None:
    """Up to where the words of whoever is revoked count."""
    command.add_argument(
        "--vector", metavar="FILE", type=Path, help="made by `node vector` at a node you trust"
    )
    command.add_argument(
        "--from-nothing",
        action="store_true",
        help="nothing that they ever said counts; instead of --vector",
    )


def run_revoke(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority
    from meshrelay.cli.vectorfile import vector_for
    from meshrelay.core.records import Revocation, make_revocation

    opened = authority.load(args.directory)
    node = find_node(opened, args.node)
    if node in opened.book.revoked:
        raise ConfigError(f"{args.node} was revoked already")
    vector = vector_for(opened, args, f"revoking {args.node}", not_by=node)
    lines = [line for line in vector.lines if line.log.origin == node]
    content = Revocation(opened.issuer_record.id, node, lines)
    record = make_revocation(opened.issuer, opened.network, content)
    name = opened.book.nodes[node].name
    publish(
        args,
        opened,
        [record],
        {"node": node.hex(), "name": name, "logs": len(lines)},
        [f"{name} ({node.hex()[:16]}) is revoked; {answer.count(len(lines), 'log')} of it end"],
    )
    return 0


def run_suspend(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority
    from meshrelay.core.claims import HQ_WARD
    from meshrelay.core.records import ROLE_ARCHIVE, Suspension, make_suspension

    opened = authority.load(args.directory)
    node = find_node(opened, args.node)
    known = opened.book.nodes[node]
    if known.ward == HQ_WARD or ROLE_ARCHIVE in known.roles:
        raise ConfigError(f"{known.name} is HQ's or an archive and cannot be suspended; revoke it")
    said = opened.book.suspensions.get(node, [])
    number = max((each.number for each in said), default=0) + ROUNDS_AHEAD
    content = Suspension(opened.issuer_record.id, node, number, args.lifted)
    record = make_suspension(opened.issuer, opened.network, content)
    word = "not suspended any more" if args.lifted else "suspended"
    publish(
        args,
        opened,
        [record],
        {"node": node.hex(), "name": known.name, "suspended": not args.lifted},
        [f"{known.name} ({node.hex()[:16]}) is {word}"],
    )
    return 0


def find_node(opened: Authority, text: str) -> bytes:
    """The node of this name or in the ward of this name, or whose id begins so.

    Raises:
        ConfigError: none, or several.
    """
    wanted = text.lower()
    is_prefix = len(wanted) >= PREFIX_MIN and all(each in "0123456789abcdef" for each in wanted)
    found = [
        key
        for key, node in opened.book.nodes.items()
        if text in (node.name, node.ward_name, node.ward_name_en)
        or (is_prefix and key.hex().startswith(wanted))
    ]
    if len(found) == 1:
        return found[0]
    problem = f"{len(found)} nodes are called so" if found else "no such node"
    raise ConfigError(
        f"{text}: {problem}; expected the name of a node or of its ward, or at least {PREFIX_MIN} "
        f"digits of an id from `meshrelay issuer nodes {opened.directory}`"
    )


def publish(
    args: argparse.Namespace,
    opened: Authority,
    new: list[Record],
    result: dict[str, object],
    lines: list[str],
) -> None:
    """Keep new records, write them out if that was asked for, and say what comes next."""
    from meshrelay.cli import files
    from meshrelay.cli.recordfile import pack_records, with_parents

    if args.output is not None:
        files.check_absent(args.output)
    opened.add(new)
    if args.output is not None:
        files.write_new(args.output, pack_records(with_parents(opened.book, new)))
    output = str(args.output) if args.output else None
    carry = output or f"FILE (of `meshrelay issuer records {opened.directory} -o FILE`)"
    answer.say(
        args,
        {**result, "records": output},
        [*lines, f"in force where it is known; at one node: meshrelay records import DIR {carry}"],
    )

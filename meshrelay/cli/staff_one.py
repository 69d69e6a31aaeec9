"""`meshrelay staff find`, `bind`, `reissue` and `revoke`: one person at a time."""

from __future__ import annotations

import argparse
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer, mounting, passphrase
from meshrelay.cli.issuer_revoke import add_output, add_vector, publish
from meshrelay.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from meshrelay.cli.authority import Authority
    from meshrelay.core.records import StaffCredential

_FIND_ABOUT = """Find people by number, name or kana; hiragana and katakana are alike."""
_FIND_EXAMPLE = """  meshrelay staff find osaka うめだ
  meshrelay staff find osaka 101"""

_BIND_ABOUT = """Let a person with special rights choose the PIN of their card, here, in person.

hq, instructor and registrar cards open nothing before: who holds an unbound card would be
the person. 6 characters at least, for hq 10. Other people choose their PIN themselves at
their first log-in. A forgotten PIN of a bound card: `staff reissue`."""
_BIND_EXAMPLE = """  meshrelay staff bind osaka 10101 -o bound.cbor
  meshrelay staff bind osaka 10001 --authority /media/usb/osaka -o bound.cbor"""

_REISSUE_ABOUT = """Give a person a new card: the old one was lost, or its PIN was seen.

The old credential is revoked: what it wrote up to the vector keeps its effect, and nothing
opens with it any more once a node has heard of it. Print the new card with
`staff cards --staff ID`."""
_REISSUE_EXAMPLE = "  meshrelay staff reissue osaka 10102 --vector vector.cbor -o reissued.cbor"

_REVOKE_ABOUT = """Revoke a person's credential; they hold none afterwards.

What they wrote up to the vector keeps its effect; later words are shown 失効後."""
_REVOKE_EXAMPLE = "  meshrelay staff revoke osaka 10102 --vector vector.cbor -o revoked.cbor"

FOUND_MAX = 50


def register(commands: answer.Groups) -> None:
    """Add the commands to the group `staff`."""
    find = answer.command(commands, "find", _FIND_ABOUT, _FIND_EXAMPLE, run_find)
    find.add_argument("directory", metavar="NETDIR", type=Path)
    find.add_argument("text", metavar="TEXT")
    bind = answer.command(commands, "bind", _BIND_ABOUT, _BIND_EXAMPLE, run_bind)
    _add_person(bind)
    bind.add_argument(
        "--pin-file", metavar="FILE", type=Path, help="read the PIN from its first line"
    )
    for name, about, example, run in (
        ("reissue", _REISSUE_ABOUT, _REISSUE_EXAMPLE, run_reissue),
        ("revoke", _REVOKE_ABOUT, _REVOKE_EXAMPLE, run_revoke),
    ):
        command = answer.command(commands, name, about, example, run)
        _add_person(command)
        add_vector(command)


def _add_person(command: argparse.ArgumentParser) -> None:
    command.add_argument("directory", metavar="NETDIR", type=Path)
    command.add_argument("staff_id", metavar="ID", help="staff number (`staff find`)")
    add_output(command)
    mounting.add_option(command)


def run_find(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority

    network = authority.load(args.directory)
    wanted = folded(args.text)
    found = [
        (record, person)
        for number, (record, person) in sorted(network.people().items())
        if number.startswith(args.text)
        or wanted in folded(person.name)
        or wanted in folded(person.kana)
    ]
    rows = [
        {
            "staff_id": person.staff_id,
            "name": person.name,
            "kana": person.kana,
            "ward": person.ward,
            "unit": person.unit,
            "roles": person.roles,
            "serial": person.serial,
            "bound_here": bool(network.book.bindings.get(record)),
        }
        for record, person in found[:FOUND_MAX]
    ]
    lines = [
        f"{row['staff_id']}  {row['ward']}  {row['name']}  {row['kana']}  {row['unit']}  "
        f"{' '.join(person.roles)}"
        for row, (_, person) in zip(rows, found, strict=False)
    ]
    more = len(found) - len(rows)
    lines += [f"... and {more} more"] if more > 0 else []
    answer.say(args, {"found": len(found), "people": rows}, lines or ["nobody"])
    return 0 if found else 1


def folded(text: str) -> str:
    """Width, case, spaces and the kind of kana do not matter."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    hiragana = (chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in plain if not c.isspace())
    return "".join(hiragana)


def run_bind(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority
    from meshrelay.cli.cardfile import read_codes
    from meshrelay.cli.cards import bind_card
    from meshrelay.core.records import ROLE_HQ
    from meshrelay.node.seats import pin_chars_min

    network = authority.load(args.directory)
    record, person = _person(network, args.staff_id)
    code = read_codes(network.directory).get(person.card)
    if code is None:
        raise ConfigError(
            f"{args.staff_id}: the code of this card is not in cards.secret; "
            f"make a new card: meshrelay staff reissue {args.directory} {args.staff_id}"
        )
    if network.book.bindings.get(record):
        raise ConfigError(
            f"{args.staff_id} chose a PIN here already; if it was forgotten, make a new card: "
            f"meshrelay staff reissue {args.directory} {args.staff_id}"
        )
    if ROLE_HQ in person.roles:
        mounting.need(network, args, f"{args.staff_id} has role hq")
    pin = passphrase.chosen(
        args.pin_file,
        f"{person.name}: new PIN ({pin_chars_min(person)} characters or more)",
        "--pin-file FILE",
        lambda chosen: check_pin(chosen, person),
    )
    publish(
        args,
        network,
        [bind_card(network, network.book.by_id[record], code, pin)],
        {"staff_id": args.staff_id, "name": person.name},
        [f"{args.staff_id} {person.name}: the card is bound to this PIN"],
    )
    return 0


def check_pin(pin: str, person: StaffCredential) -> None:
    """The rules of the log-in page, for a PIN that is chosen here.

    Raises:
        ConfigError: too short or too simple.
    """
    from meshrelay.node.seats import check_new_pin

    try:
        check_new_pin(person, pin, pin)
    except RefusedError as error:
        raise ConfigError(f"{error.en} {error.next_en}") from error


def run_reissue(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority
    from meshrelay.cli.cardfile import forget_codes, keep_codes, read_codes
    from meshrelay.cli.cards import new_card_code, staff_record, strike
    from meshrelay.cli.vectorfile import vector_for
    from meshrelay.core.records import ROLE_HQ, ROLES_BOUND, StaffCredential

    network = authority.load(args.directory)
    record, person = _person(network, args.staff_id)
    vector = vector_for(network, args, f"revoking the card of {args.staff_id}")
    if ROLE_HQ in person.roles:
        mounting.need(network, args, f"{args.staff_id} has role hq")
    code = new_card_code()
    new = staff_record(network, network.next_staff_serial(), code, person)
    assert isinstance(new.content, StaffCredential)
    codes = read_codes(network.directory) | {new.content.card: code}
    keep_codes(network.directory, codes)
    bound = not ROLES_BOUND.isdisjoint(person.roles)
    publish(
        args,
        network,
        [strike(network, record, vector.written_by(record)), new],
        {"staff_id": args.staff_id, "name": person.name, "unbound": bound},
        [
            f"{args.staff_id} {person.name}: the old card is revoked, a new one issued",
            f"print it: meshrelay staff cards {args.directory} --staff {args.staff_id} "
            "--address HOST:PORT -o card.html",
            *([f"PIN: meshrelay staff bind {args.directory} {args.staff_id}"] if bound else []),
        ],
    )
    forget_codes(network, codes)
    return 0


def run_revoke(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority
    from meshrelay.cli.cardfile import forget_codes, read_codes
    from meshrelay.cli.cards import strike
    from meshrelay.cli.vectorfile import vector_for
    from meshrelay.core.records import ROLE_HQ

    network = authority.load(args.directory)
    record, person = _person(network, args.staff_id)
    vector = vector_for(network, args, f"revoking {args.staff_id}")
    if ROLE_HQ in person.roles:
        mounting.need(network, args, f"{args.staff_id} has role hq")
    lines = vector.written_by(record)
    publish(
        args,
        network,
        [strike(network, record, lines)],
        {"staff_id": args.staff_id, "name": person.name, "logs": len(lines)},
        [f"{args.staff_id} {person.name} is revoked; their words in {len(lines)} logs stay good"],
    )
    forget_codes(network, read_codes(network.directory))
    return 0


def _person(network: Authority, staff_id: str) -> tuple[bytes, StaffCredential]:
    found = network.people().get(staff_id)
    if found is None:
        raise ConfigError(
            f"{staff_id}: nobody with this number holds a card; "
            f"look with `meshrelay staff find {network.directory} TEXT`"
        )
    return found

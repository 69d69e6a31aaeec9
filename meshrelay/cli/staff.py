"""`meshrelay staff import`; the rest of the group is in `staff_cards` and `staff_one`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer, mounting, staff_cards, staff_one
from meshrelay.cli.issuer_revoke import add_output, add_vector
from meshrelay.errors import RefusedError

if TYPE_CHECKING:
    from meshrelay.cli.authority import Authority
    from meshrelay.cli.roster_diff import Plan
    from meshrelay.cli.vectorfile import HeldVector
    from meshrelay.core.records import Record

_ABOUT = """Issue credentials and cards for the whole list of people; again each month.

Reads a CSV file with the headings staff_id, name, kana, ward, unit, roles (or 職員番号,
氏名, かな, 区, 所属, 権限). When one row is bad, nothing is issued and every bad row is named.

The list is compared with who holds a card: people who were added get one; of those who
changed (name, ward, unit, roles) the old credential ends and a new one begins, for the same
card; who is not in the list any more has left and is revoked. Changes and leavers are shown
and asked about, and need a vector (`node vector`), so that what they wrote until now keeps
its effect. Card codes are kept in NETDIR/cards.secret (0600), to print cards from:
`staff cards`. Rows with role hq take the authority's stick."""

_EXAMPLE = """  meshrelay staff import osaka staff.csv -o staff.cbor
  meshrelay staff import osaka staff.csv --dry-run
  meshrelay staff import osaka staff.csv --vector vector.cbor \\
      --authority /media/usb/osaka -o staff.cbor"""


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "staff", "people and their cards")
    take = answer.command(commands, "import", _ABOUT, _EXAMPLE, run_import)
    take.add_argument("directory", metavar="NETDIR", type=Path)
    take.add_argument("csv", metavar="CSV", type=Path)
    take.add_argument("--dry-run", action="store_true", help="show what would be done")
    take.add_argument("--yes", action="store_true", help="do not ask")
    take.add_argument(
        "--keep-others", action="store_true", help="who is not in the list has not left"
    )
    take.add_argument("--new-cards", action="store_true", help="who changed gets a new card too")
    add_output(take)
    add_vector(take)
    mounting.add_option(take)
    staff_cards.register(commands)
    staff_one.register(commands)


def run_import(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, files
    from meshrelay.cli.roster import read_roster
    from meshrelay.cli.roster_diff import compare, describe

    if args.output is not None:
        files.check_absent(args.output)
    network = authority.load(args.directory)
    rows = read_roster(args.csv, set(network.wards))
    plan = compare(rows, network.people(), args.keep_others)
    counts = {
        "added": len(plan.added),
        "changed": len(plan.changed),
        "left": len(plan.left),
        "unchanged": plan.unchanged,
    }
    lines = describe(plan)
    if args.dry_run or plan.is_empty:
        about = "nothing to do" if plan.is_empty else "dry run: nothing was done"
        answer.say(args, {**counts, "done": False, "records": None}, [*lines, about])
        return 0
    vector = _vector(network, args, plan)
    needing = plan.needs_authority()
    if needing:
        mounting.need(network, args, f"role hq ({', '.join(needing[:5])})")
    _agree(args, plan, lines)
    began_s = time.monotonic()
    new = _carry_out(network, args, plan, vector)
    if args.output is not None:
        _write(args.output, network, new)
    seconds = time.monotonic() - began_s
    _tell(args, network, plan, counts, len(plan.issues()) / seconds)
    return 0


def _vector(network: Authority, args: argparse.Namespace, plan: Plan) -> HeldVector:
    from meshrelay.cli.vectorfile import HeldVector, vector_for

    if not (plan.changed or plan.left):
        return HeldVector(b"", [], {})
    what = f"ending {len(plan.changed)} changed and {len(plan.left)} left credentials"
    return vector_for(network, args, f"{what} (if others are just not in this file: --keep-others)")


def _agree(args: argparse.Namespace, plan: Plan, lines: list[str]) -> None:
    """People who only come harm nobody; what ends something is asked about."""
    if args.yes or not (plan.changed or plan.left):
        return
    if not answer.agrees(lines):
        raise RefusedError(
            "not_agreed",
            "取り消しました。何も変わっていません。",
            "Not agreed; nothing was done.",
            "よければ --yes を付けてください。",
            "Give --yes if it is right.",
        )


def _carry_out(
    network: Authority, args: argparse.Namespace, plan: Plan, vector: HeldVector
) -> list[Record]:
    """Issue and revoke, all or nothing: the list of records is written once, at the end."""
    from meshrelay.cli.cardfile import forget_codes, keep_codes, read_codes
    from meshrelay.cli.cards import credential, new_card_code, staff_record, strike

    same_card = {} if args.new_cards else {c.row.staff_id: c.old.card for c in plan.changed}
    codes = read_codes(network.directory)
    ended = [change.record for change in plan.changed] + [record for record, _ in plan.left]
    new = [strike(network, record, vector.written_by(record)) for record in ended]
    rows = plan.issues()
    first = network.next_staff_serial()
    for number, row in enumerate(answer.progress(rows, "cards", args)):
        if row.staff_id in same_card:
            record = credential(network, first + number, same_card[row.staff_id], row)
        else:
            code = new_card_code()
            record = staff_record(network, first + number, code, row)
            codes[_card_of(record)] = code
        new.append(record)
    keep_codes(network.directory, codes)  # first: a card nobody knows the code of is lost
    network.add(new)
    forget_codes(network, codes)
    return new


def _card_of(record: Record) -> bytes:
    from meshrelay.core.records import StaffCredential

    assert isinstance(record.content, StaffCredential)
    return record.content.card


def _write(path: Path, network: Authority, new: list[Record]) -> None:
    from meshrelay.cli import files
    from meshrelay.cli.recordfile import pack_records, with_parents

    files.write_new(path, pack_records(with_parents(network.book, new)))


def _tell(
    args: argparse.Namespace,
    network: Authority,
    plan: Plan,
    counts: dict[str, int],
    rows_per_s: float,
) -> None:
    unbound = [row.staff_id for row in plan.to_bind()]
    lines = [
        f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.left)} left, "
        f"{plan.unchanged} unchanged ({rows_per_s:.0f} rows/s)",
    ]
    if plan.changed:
        lines.append("who changed chooses their PIN again at the next log-in, with the same card")
    if unbound:
        shown = ", ".join(unbound[:20]) + (" ..." if len(unbound) > 20 else "")
        lines.append(
            f"special rights, PIN to be chosen here in person: {shown} "
            f"(meshrelay staff bind {args.directory} ID)"
        )
    lines.append(
        f"print cards: meshrelay staff cards {args.directory} --address WARD=HOST:PORT -o cards"
    )
    if unbound or not args.output:
        when = "after the last bind" if unbound else "next"
        lines.append(f"{when}: meshrelay issuer records {args.directory} -o records.cbor")
    carry = "records.cbor" if unbound or not args.output else args.output
    lines.append(f"then, at one node: meshrelay records import DIR {carry}")
    answer.say(
        args,
        {
            **counts,
            "done": True,
            "unbound": unbound,
            "records": str(args.output) if args.output else None,
            "rows_per_s": round(rows_per_s),
        },
        lines,
    )

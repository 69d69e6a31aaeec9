"""`meshrelay staff import`."""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli.authority import Authority
    from meshrelay.cli.roster import RosterRow
    from meshrelay.core.records import Record

_ABOUT = """Issue credentials and cards for a list of people.

Reads a CSV file with the headings staff_id, name, kana, ward, unit, roles (or 職員番号,
氏名, かな, 区, 所属, 権限). When one row is bad, nothing is issued and every bad row is
named. Writes records.cbor, for `records import` at one node, and cards.csv, which is
secret: whoever has a card code that nobody used yet is that person. People who have a
card already and are unchanged are left alone."""

_EXAMPLE = "  meshrelay staff import osaka staff.csv -o cards"


def register(groups: answer.Groups) -> None:
    """Add the group to the command line."""
    commands = answer.group(groups, "staff", "people and their cards")
    take = answer.command(commands, "import", _ABOUT, _EXAMPLE, run_import)
    take.add_argument("directory", metavar="NETDIR", type=Path)
    take.add_argument("csv", metavar="CSV", type=Path)
    take.add_argument("-o", "--output", metavar="DIR", type=Path, required=True)


def run_import(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, files
    from meshrelay.cli.roster import read_roster

    network = authority.load(args.directory)
    rows = read_roster(args.csv, set(network.wards))
    new = _new_people(network, rows, args.csv)
    if not new:
        answer.say(
            args,
            {"issued": 0, "unchanged": len(rows), "records": None, "cards": None},
            [f"nothing to do: {answer.count(len(rows), 'person', 'people')}, cards unchanged"],
        )
        return 0
    files.make_directory(args.output)
    issued = _issue(network, new, quiet=args.json)
    records = [network.issuer_record, *(record for record, _ in issued)]
    files.write_new(args.output / "records.cbor", authority.pack_records(records))
    cards = _cards_csv([(row, code) for row, (_, code) in zip(new, issued, strict=True)])
    files.write_new(args.output / "cards.csv", cards, files.SECRET_MODE)
    try:
        network.add([record for record, _ in issued])
    except ConfigError:
        shutil.rmtree(args.output)  # cards that the network does not know must not be printed
        raise
    answer.say(
        args,
        {
            "issued": len(new),
            "unchanged": len(rows) - len(new),
            "records": str(args.output / "records.cbor"),
            "cards": str(args.output / "cards.csv"),
        },
        [
            f"{answer.count(len(new), 'card')} issued, "
            f"{answer.count(len(rows) - len(new), 'person', 'people')} unchanged",
            f"secret, print and delete: {args.output / 'cards.csv'}",
            f"next, at one node: meshrelay records import DIR {args.output / 'records.cbor'}",
        ],
    )
    return 0


def _new_people(network: Authority, rows: list[RosterRow], path: Path) -> list[RosterRow]:
    """Those who have no card yet.

    Raises:
        ConfigError: somebody's data changed; that needs a new card and is not built yet.
    """
    new, changed = [], []
    for row in rows:
        known = network.book.staff_by_number.get(row.staff_id)
        if known is None:
            new.append(row)
            continue
        old = network.book.staff[known]
        if (old.name, old.kana, old.ward, old.unit, tuple(old.roles)) != (
            row.name,
            row.kana,
            row.ward,
            row.unit,
            row.roles,
        ):
            changed.append(
                f"{path}:{row.line}: {row.staff_id} has a card with other data; "
                "changing an issued card is not built yet. Either leave "
                "the row as it was, or give the person a new staff number"
            )
    if changed:
        raise ConfigError("nothing was imported; bad rows:\n" + "\n".join(changed))
    return new


def _issue(network: Authority, rows: list[RosterRow], quiet: bool) -> list[tuple[Record, str]]:
    from rich.console import Console
    from rich.progress import track

    from meshrelay.cli.cards import new_card_code, staff_record

    console = Console(stderr=True)
    first = network.next_staff_serial()
    issued = []
    hidden = quiet or not sys.stderr.isatty()
    for number, row in enumerate(
        track(rows, "cards", console=console, disable=hidden, transient=True)
    ):
        code = new_card_code()
        record = staff_record(network, first + number, code, row)
        issued.append((record, code))
    return issued


def _cards_csv(cards: list[tuple[RosterRow, str]]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(["staff_id", "name", "kana", "ward", "unit", "card"])
    rows.writerows(
        [_cell(r.staff_id), _cell(r.name), _cell(r.kana), r.ward, _cell(r.unit), code]
        for r, code in cards
    )
    # Excel reads UTF-8 only with a byte order mark.
    return out.getvalue().encode("utf-8-sig")


def _cell(text: str) -> str:
    """Spreadsheets run a cell that starts with one of these as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text

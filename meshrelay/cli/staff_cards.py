"""`meshrelay staff cards`."""

from __future__ import annotations

import argparse
import csv
import io
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli.authority import Authority
    from meshrelay.cli.sheets import Card

_ABOUT = """Write cards to print: A4 sheets of ten, with name, number, card code and QR code.

OUT is a new directory with a file for each ward (and thousand people), or FILE.html for one
ward or person, or FILE.csv for a label printer. The files work off line in any browser and
are secret (0600): delete them when they are printed. The QR code opens the log-in page of
the ward's node: say its address once, for each ward or one for all; it is remembered."""
_EXAMPLE = """  meshrelay staff cards osaka --address 01=192.0.2.10:8101 \\
      --address 02=192.0.2.20:8101 -o cards
  meshrelay staff cards osaka --ward 01 -o kita.html
  meshrelay staff cards osaka --staff 10102 -o sakura.html"""

_ADDRESS = re.compile(r"(?:(?P<ward>\d\d)=)?(?P<base>(?:https?://)?[^\s/=#]+)\Z")
_COLUMNS = ("staff_id", "name", "kana", "ward", "unit", "card", "link")


def register(commands: answer.Groups) -> None:
    """Add the command to the group `staff`."""
    cards = answer.command(commands, "cards", _ABOUT, _EXAMPLE, run_cards)
    cards.add_argument("directory", metavar="NETDIR", type=Path)
    cards.add_argument("--ward", metavar="NN", help="only this ward's people")
    cards.add_argument("--staff", metavar="ID", help="only this person's card")
    cards.add_argument(
        "--address",
        metavar="[NN=]HOST:PORT",
        action="append",
        default=[],
        help="of the staff page; may be given again for other wards",
    )
    cards.add_argument("-o", "--output", metavar="OUT", type=Path, required=True)


def run_cards(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, files

    files.check_absent(args.output)
    network = authority.load(args.directory)
    _remember(network, args.address)
    by_ward = _cards_by_ward(network, args.ward, args.staff)
    number = sum(len(cards) for cards in by_ward.values())
    one_file = args.output.suffix in (".html", ".csv")
    if args.output.suffix == ".html" and len(by_ward) > 1:
        raise ConfigError(
            f"-o {args.output}: these are cards of {len(by_ward)} wards, one file each; expected "
            "a new directory, or --ward NN"
        )
    began_s = time.monotonic()
    if args.output.suffix == ".csv":
        table = _table(card for cards in by_ward.values() for card in cards)
        files.write_new(args.output, table, files.SECRET_MODE)
    else:
        _write_sheets(args, network, by_ward, one_file)
    rows_per_s = number / (time.monotonic() - began_s)
    written = [str(args.output)] if one_file else sorted(map(str, args.output.iterdir()))
    answer.say(
        args,
        {"cards": number, "files": written, "rows_per_s": round(rows_per_s)},
        [
            f"{answer.count(number, 'card')} ({rows_per_s:.0f} rows/s): {args.output}",
            "secret: print at 100 %, then delete",
        ],
    )
    return 0


def _remember(network: Authority, addresses: list[str]) -> None:
    from dataclasses import replace

    for each in addresses:
        found = _ADDRESS.match(each)
        if found is None:
            raise ConfigError(f"--address {each}: expected HOST:PORT or NN=HOST:PORT")
        if found["ward"] and found["ward"] not in network.wards:
            raise ConfigError(f"--address {each}: no ward {found['ward']} in this network")
        for code in [found["ward"]] if found["ward"] else list(network.wards):
            network.name_ward(replace(network.wards[code], address=found["base"]))


def _cards_by_ward(
    network: Authority, ward: str | None, staff_id: str | None
) -> dict[str, list[Card]]:
    """The cards that were asked for, each ward's in the order of kana and number.

    Raises:
        ConfigError: nobody fits, an address or a code is missing.
    """
    from meshrelay.cli.cardfile import read_codes
    from meshrelay.cli.sheets import Card

    people = [
        person
        for _, person in network.people().values()
        if ward in (None, person.ward) and staff_id in (None, person.staff_id)
    ]
    if not people:
        raise ConfigError("nobody with a card fits --ward and --staff")
    codes = read_codes(network.directory)
    by_ward: dict[str, list[Card]] = {}
    unknown = []
    for person in sorted(people, key=lambda each: (each.ward, each.kana, each.staff_id)):
        names = network.wards[person.ward]
        if not names.address:
            raise ConfigError(
                f"ward {person.ward}: where is its staff page? Give --address "
                f"{person.ward}=HOST:PORT (the QR code opens it), or --address HOST:PORT for all"
            )
        code = codes.get(person.card)
        if code is None:
            unknown.append(person.staff_id)
            continue
        base = names.address if "://" in names.address else f"http://{names.address}"
        by_ward.setdefault(person.ward, []).append(Card(person, code, names.name, base))
    if unknown:
        raise ConfigError(
            f"cards.secret lacks the codes of {len(unknown)} cards ({', '.join(unknown[:5])}): "
            "restore it from a copy, or make new cards with `meshrelay staff reissue`"
        )
    return by_ward


def _write_sheets(
    args: argparse.Namespace, network: Authority, by_ward: dict[str, list[Card]], one_file: bool
) -> None:
    from meshrelay.cli import files
    from meshrelay.cli.sheets import CARDS_PER_FILE, page

    if not one_file:
        files.make_directory(args.output)
    for ward, cards in by_ward.items():
        most = len(cards) if one_file else CARDS_PER_FILE
        for start in range(0, len(cards), most):
            part = f"-{start // most + 1}" if len(cards) > most else ""
            title = f"{network.name} 職員カード {ward}{part} {network.wards[ward].name}"
            bar = answer.progress(cards[start : start + most], f"cards {ward}{part}", args)
            text = page(network.name, network.drill, title, bar)
            path = args.output if one_file else args.output / f"cards-{ward}{part}.html"
            files.write_new(path, text.encode(), files.SECRET_MODE)


def _table(cards: Iterable[Card]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(_COLUMNS)
    for card in cards:
        p = card.person
        cells = [p.staff_id, p.name, p.kana, p.ward, p.unit, card.code, card.link]
        rows.writerow([_cell(text) for text in cells])
    # Excel reads UTF-8 only with a byte order mark.
    return out.getvalue().encode("utf-8-sig")


def _cell(text: str) -> str:
    """Spreadsheets run a cell that starts with one of these as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text

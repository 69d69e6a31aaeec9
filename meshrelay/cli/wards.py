"""The offices of a network and how they are called: NETDIR/wards.csv."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from meshrelay.cli import files
from meshrelay.errors import ConfigError

WARDS_FILE = "wards.csv"
_COLUMNS = ("code", "name", "name_en", "address")


@dataclass(frozen=True)
class WardNames:
    """How an office is called. `address`: where its staff page is, for the cards; may be empty."""

    code: str
    name: str
    name_en: str
    address: str = ""


HQ_WARD = WardNames("00", "本部", "HQ")


def wards_csv(wards: dict[str, WardNames]) -> bytes:
    """The file, in the order of codes."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerows([w.code, w.name, w.name_en, w.address] for _, w in sorted(wards.items()))
    return out.getvalue().encode()


def read_wards(directory: Path) -> dict[str, WardNames]:
    """Code -> ward.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    path = directory / WARDS_FILE
    try:
        text = files.read(path, "code,name,name_en").decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        return {
            row["code"]: WardNames(
                row["code"], row["name"], row["name_en"], row.get("address") or ""
            )
            for row in rows
        }
    except (UnicodeDecodeError, KeyError, csv.Error) as error:
        raise ConfigError(f"{path}: expected columns code,name,name_en") from error

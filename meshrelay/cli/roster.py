"""The personnel system's list: read strictly, every bad row named by its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meshrelay.cli import files
from meshrelay.core.records import NAME_CHARS_MAX, ROLES_MAX
from meshrelay.errors import ConfigError

COLUMNS = ("staff_id", "name", "kana", "ward", "unit", "roles")
# Headings as personnel systems write them.
HEADINGS = {
    "職員番号": "staff_id",
    "氏名": "name",
    "かな": "kana",
    "カナ": "kana",
    "区": "ward",
    "所属": "unit",
    "権限": "roles",
}
NEEDED = ("staff_id", "name", "ward")
ROLES = ("staff", "hq", "instructor", "registrar", "it")
# Bad rows shown at once; a wrong file has thousands.
BAD_ROWS_SHOWN_MAX = 20


@dataclass(frozen=True)
class RosterRow:
    """One person of the list, checked."""

    line: int
    staff_id: str
    name: str
    kana: str
    ward: str
    unit: str
    roles: tuple[str, ...]


def read_roster(path: Path, wards: set[str]) -> list[RosterRow]:
    """Every row of a staff list, or none.

    UTF-8 or, as Excel writes it in Japan, CP932; English or Japanese headings; `roles`
    separated by spaces, empty means staff.

    Raises:
        ConfigError: one line `FILE:LINE: what was expected` for each bad row.
    """
    rows = csv.reader(io.StringIO(_decoded(path), newline=""))
    try:
        heading = [HEADINGS.get(cell.strip(), cell.strip()) for cell in next(rows, [])]
        _check_heading(path, heading)
        found: list[RosterRow] = []
        bad: list[str] = []
        seen: dict[str, int] = {}
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            line = rows.line_num
            values = dict(zip(heading, (cell.strip() for cell in cells), strict=False))
            surplus = len(cells) - len(heading)
            problems = list(_problems(values, len(heading), surplus, wards, seen))
            if problems:
                bad.append(f"{path}:{line}: {'; '.join(problems)}")
                continue
            seen[values["staff_id"]] = line
            found.append(_row(line, values))
    except csv.Error as error:
        raise ConfigError(f"{path}:{rows.line_num}: not CSV: {error}") from error
    if bad:
        more = len(bad) - BAD_ROWS_SHOWN_MAX
        shown = bad[:BAD_ROWS_SHOWN_MAX] + ([f"... and {more} more"] if more > 0 else [])
        raise ConfigError("nothing was imported; bad rows:\n" + "\n".join(shown))
    if not found:
        raise ConfigError(f"{path}:1: expected at least one row below the headings")
    return found


def _decoded(path: Path) -> str:
    data = files.read(path, f"a CSV file with the columns {', '.join(COLUMNS)}")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigError(f"{path}: expected UTF-8 or CP932 text")


def _check_heading(path: Path, heading: list[str]) -> None:
    unknown = [name for name in heading if name not in COLUMNS]
    missing = [name for name in NEEDED if name not in heading]
    if unknown or missing or len(set(heading)) != len(heading):
        raise ConfigError(
            f"{path}:1: expected the headings {', '.join(COLUMNS)} once each "
            f"(kana, unit and roles may be left out); found {', '.join(heading) or 'none'}"
        )


def _problems(
    values: dict[str, str], headings: int, surplus: int, wards: set[str], seen: dict[str, int]
) -> Iterator[str]:
    if surplus:
        yield f"expected {headings} cells, as in the headings; found {headings + surplus}"
        return
    staff_id = values["staff_id"]
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,30}", staff_id):
        yield "staff_id: expected 1 to 30 ASCII letters, digits, - or _"
    if staff_id in seen:
        yield f"staff_id {staff_id} is in line {seen[staff_id]} already"
    if not values["name"]:
        yield "name: expected a name"
    for column, value in values.items():
        if len(value) > NAME_CHARS_MAX:
            yield f"{column}: expected at most {NAME_CHARS_MAX} characters"
        if not value.isprintable():
            yield f"{column}: expected no control characters"
    if values["ward"] not in wards:
        known = ", ".join(sorted(wards))
        yield f"ward {values['ward']!r}: expected one of {known} (or sign a node of it first)"
    roles = values.get("roles", "").split()
    wrong = [role for role in roles if role not in ROLES]
    if wrong or len(set(roles)) > ROLES_MAX:
        yield f"roles: expected words of {' '.join(ROLES)}, found {' '.join(roles)}"


def _row(line: int, values: dict[str, str]) -> RosterRow:
    roles = tuple(dict.fromkeys(["staff", *values.get("roles", "").split()]))
    return RosterRow(
        line,
        values["staff_id"],
        values["name"],
        values.get("kana", ""),
        values["ward"],
        values.get("unit", ""),
        roles,
    )

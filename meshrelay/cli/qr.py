"""QR codes, in the terminal and on paper."""

from __future__ import annotations

import io
import shutil
from itertools import groupby

import segno

QUIET_MODULES = 2  # what phones need around a code on a screen; paper cards have white around


def in_terminal(text: str) -> str | None:
    """A code in half blocks; None when the terminal is too narrow for it."""
    code = segno.make(text, error="l", micro=False)
    if needed_columns(code) > shutil.get_terminal_size().columns:
        return None
    out = io.StringIO()
    code.terminal(out, border=QUIET_MODULES, compact=True)
    return out.getvalue()


def columns_for(text: str) -> int:
    """How wide a terminal must be to show the code of `text`."""
    return needed_columns(segno.make(text, error="l", micro=False))


def needed_columns(code: segno.QRCode) -> int:
    return int(code.symbol_size(border=QUIET_MODULES)[0])


def svg_path(text: str) -> tuple[int, str]:
    """(modules a side, path data in units of a module) of a code for paper.

    A fixed mask: any is as valid as the best one, and finding that takes ten times as long.
    """
    code = segno.make(text, error="m", micro=False, mask=3, boost_error=False)
    drawn: list[str] = []
    for y, row in enumerate(code.matrix):
        x = 0
        for dark, cells in groupby(row):
            width = sum(1 for _ in cells)
            if dark & 1:
                drawn.append(f"M{x} {y}h{width}v1h-{width}z")
            x += width
    return len(code.matrix), "".join(drawn)

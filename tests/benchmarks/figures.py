"""A figure, its target, and how both are shown: one table, one JSON document."""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

LOG_CHARS = 132
AT_LEAST, AT_MOST = "≥", "≤"


@dataclass(frozen=True)
class Figure:
    """One measured number. Without `limit` it has no target and is only told.

    `peer`: what the comparable peer reached, as words; the run that measured it is named.
    """

    name: str
    value: float
    unit: str
    sense: str = AT_MOST
    limit: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    peer: str = ""

    @property
    def held(self) -> bool | None:
        """Whether the target is reached; None when there is none."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.sense == AT_LEAST else self.value <= self.limit

    @property
    def word(self) -> str:
        return {True: "pass", False: "FAIL", None: ""}[self.held]

    @property
    def target(self) -> str:
        return "" if self.limit is None else f"{self.sense} {_number(self.limit)} {self.unit}"

    def line(self) -> str:
        """The figure as a line of a log, told as soon as it is known."""
        target = f" ({self.target}: {self.word})" if self.target else ""
        return f"{self.name}: {_number(self.value)} {self.unit}{target}"


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile: a value that was really measured."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100) - 1, 0)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median and greatest of repeated measurements."""
    return {
        "least": round(min(values), 4),
        "median": round(statistics.median(values), 4),
        "greatest": round(max(values), 4),
        "n": len(values),
    }


def table(figures: Sequence[Figure]) -> Table:
    """The figures as a table for a terminal or a log."""
    shown = Table(title="meshrelay benchmarks", title_justify="left")
    shown.add_column("figure")
    shown.add_column("measured", justify="right")
    shown.add_column("target", justify="right")
    shown.add_column("")
    shown.add_column("peer")
    for figure in figures:
        style = {True: "green", False: "bold red", None: "dim"}[figure.held]
        measured = f"{_number(figure.value)} {figure.unit}"
        words = (figure.name, measured, figure.target, figure.word, figure.peer)
        shown.add_row(*words, style=style)
    return shown


def document(figures: Sequence[Figure], wall_s: float) -> dict[str, Any]:
    """The figures as JSON; `passed` is false when any target was missed."""
    return {
        "passed": all(figure.held is not False for figure in figures),
        "wall_s": round(wall_s, 1),
        "machine": machine(),
        "figures": [
            {
                "name": figure.name,
                "value": round(figure.value, 4),
                "unit": figure.unit,
                "target": figure.target or None,
                "held": figure.held,
                "peer": figure.peer or None,
                "detail": figure.detail,
            }
            for figure in figures
        ],
    }


def machine() -> dict[str, Any]:
    """What the figures were taken on, and how busy it was with other things."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processor": platform.machine(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def show(figures: Sequence[Figure], wall_s: float, path: Path) -> None:
    """Print the table and write the document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(document(figures, wall_s)), indent=2)
    path.write_bytes(text + b"\n")
    # A log is as wide as it needs to be; a terminal is as wide as it is.
    console = Console(width=None if sys.stdout.isatty() else LOG_CHARS)
    console.print(table(figures))
    missed = [figure.name for figure in figures if figure.held is False]
    console.print(f"missed: {', '.join(missed)}" if missed else "every target held")
    console.print(f"{wall_s:.0f} s; details in {path}", highlight=False)


def _number(value: float) -> str:
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"

"""One row of the proof: what was tried, what came of it, and how that is shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

# What a screen takes; all of them are in the JSON.
FAULTS_SHOWN_MAX = 5


@dataclass
class Row:
    """A kind of attack. It holds if there were cases and no fault."""

    name: str
    promise: str
    seed: int
    cases: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def held(self) -> bool:
        return self.cases > 0 and not self.faults

    def expect(self, true: bool, fault: str) -> None:
        """Note a fault unless it is so."""
        if not true:
            self.faults.append(fault)

    def document(self) -> dict[str, Any]:
        """The row as plain data."""
        return {
            "row": self.name,
            "promise": self.promise,
            "held": self.held,
            "seed": self.seed,
            "cases": self.cases,
            "counts": dict(sorted(self.counts.items())),
            "figures": {name: round(value, 3) for name, value in self.figures.items()},
            "faults": self.faults,
            "wall_s": round(self.wall_s, 1),
        }


def show(rows: Sequence[Row], title: str, as_json: bool) -> bool:
    """Print the rows as a table or as JSON; whether every one held."""
    held = all(row.held for row in rows)
    if as_json:
        documents = [row.document() for row in rows]
        print(json.dumps({"held": held, "rows": documents}, ensure_ascii=False, indent=2))
        return held
    table = Table(title=title, title_justify="left")
    for heading in ("row", "promise", "seed", "cases", "s", ""):
        table.add_column(heading, justify="left" if heading in ("row", "promise") else "right")
    for row in rows:
        word, style = ("pass", "green") if row.held else ("FAIL", "bold red")
        table.add_row(
            row.name, row.promise, str(row.seed), f"{row.cases:,}", f"{row.wall_s:.0f}", word,
            style=style,
        )  # fmt: skip
    console = Console(soft_wrap=True)
    console.print(table)
    for row in rows:
        counts = [f"{name} {count:,}" for name, count in sorted(row.counts.items())]
        counts += [f"{name} {value:,.3g}" for name, value in row.figures.items()]
        console.print(f"{row.name}: {', '.join(counts)}", markup=False, highlight=False)
        for fault in row.faults[:FAULTS_SHOWN_MAX]:
            console.print(f"  FAULT {fault}", markup=False, highlight=False)
        if len(row.faults) > FAULTS_SHOWN_MAX:
            console.print(f"  and {len(row.faults) - FAULTS_SHOWN_MAX} more")
    return held

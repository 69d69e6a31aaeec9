"""Rounds and bytes until all are equal, before and after a change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.sim.invariants import HELLO_ROUND_MS
from tests.sim.runs import run_seeds

BASELINE = Path(__file__).with_name("baseline.json")
SEEDS = range(1_000, 1_020)  # cities of every kind; fixed, so that two runs compare
KEYS = ("rounds_mean", "rounds_max", "calm_kb", "all_kb", "bytes_per_entry", "frames")


def table(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """A plain table."""
    made = Table(*columns, title=title, title_justify="left")
    for row in rows:
        made.add_row(*row)
    console.print(made, highlight=False)


def pairs(console: Console, title: str, values: dict[str, object]) -> None:
    """Names and values."""
    table(console, title, ["figure", "value"], [[k, f"{v:,}"] for k, v in values.items()])


def measure(jobs: int) -> dict[str, float]:
    """The figures of the fixed seeds on this code."""
    outcomes = run_seeds(SEEDS, jobs)
    rounds = [each.calm_ms / HELLO_ROUND_MS for each in outcomes]
    total = sum(each.bytes for each in outcomes)
    return dict(
        zip(
            KEYS,
            (
                round(sum(rounds) / len(rounds), 2),
                round(max(rounds), 2),
                sum(each.calm_bytes for each in outcomes) // 1_000,
                total // 1_000,
                total // max(sum(each.entries for each in outcomes), 1),
                sum(each.frames for each in outcomes),
            ),
            strict=True,
        )
    )


def write_baseline(jobs: int) -> None:
    """Today's figures become what later ones are compared with."""
    BASELINE.write_text(json.dumps(measure(jobs), indent=1) + "\n", "utf-8")


def compare(console: Console, jobs: int) -> dict[str, dict[str, float]]:
    """Print the figures beside those of the baseline."""
    before: dict[str, float] = json.loads(BASELINE.read_text("utf-8"))
    after = measure(jobs)
    rows = []
    for key in KEYS:
        ratio = after[key] / before[key] if before.get(key) else 1.0
        rows.append([key, f"{before.get(key, 0):,}", f"{after[key]:,}", f"{ratio:.2f}"])
    title = f"To converge, seeds {SEEDS.start}..{SEEDS.stop} (a round is 30 s)"
    table(console, title, ["figure", "before", "after", "ratio"], rows)
    return {"before": before, "after": after}

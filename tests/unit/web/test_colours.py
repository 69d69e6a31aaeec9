"""Contrast by WCAG 2.2: body text 7:1, everything else that is read 4.5:1, in both schemes."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = (files("meshrelay.web") / "static" / "page.css").read_text("utf-8")
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", part)) for part in (
    CSS.split("prefers-color-scheme: dark")[0],
    CSS.split("prefers-color-scheme: dark")[1].split("\n}\n")[0],
))  # fmt: skip

# (text, background, least ratio)
PAIRS = [
    ("ink", "bg", 7), ("ink", "paper", 7), ("ink", "talk", 7), ("ink", "mine", 7),
    ("soft", "bg", 7), ("soft", "paper", 7), ("soft", "talk", 7),
    ("alarm", "alarm-bg", 7), ("note", "note-bg", 7),
    ("accent", "paper", 4.5), ("accent", "talk", 4.5), ("accent", "bg", 4.5),
    ("alarm", "paper", 4.5), ("alarm", "talk", 4.5), ("alarm", "bg", 4.5),
    ("on-accent", "accent", 7), ("on-badge", "badge", 4.5),
]  # fmt: skip


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ratio(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_text_stands_out(scheme: str, text: str, ground: str, least: float) -> None:
    colours = LIGHT if scheme == "light" else {**LIGHT, **DARK}

    assert ratio(colours[text], colours[ground]) >= least


def test_both_schemes_define_every_colour() -> None:
    assert set(DARK) == set(LIGHT)


def test_motion_and_print_are_thought_of() -> None:
    assert "prefers-reduced-motion" in CSS and "@media print" in CSS and ":focus-visible" in CSS

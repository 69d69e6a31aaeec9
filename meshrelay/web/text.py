"""Names and words from elsewhere are hostile: what may reach a screen, in one function."""

from __future__ import annotations

import unicodedata

# A name longer than this is no name; a room header must not be pushed off the screen.
NAME_CHARS_MAX = 80

# Control, format (with all bidi controls: "Trojan Source", CVE-2021-42574), surrogate and
# private use. Unassigned (Cn) stays: next year's emoji is unassigned to this year's Python.
_HOSTILE = frozenset({"Cc", "Cf", "Cs", "Co"})
# Kept although category Cf: they shape Indic scripts and emoji families.
_JOINERS = frozenset("\u200c\u200d")


def clean(text: str, *, lines: bool = False, chars_max: int | None = None) -> str:
    """Drop bidi overrides, control and private-use characters and lone surrogates.

    With `lines` line feeds and tabs stay (message text), without it every run of
    white space becomes one space (names). This does not escape HTML: the template
    or the DOM does, always.
    """
    kept: list[str] = []
    for char in text.replace("\r\n", "\n").replace("\r", "\n"):
        if char in "\n\t":
            kept.append(char if lines else " ")
        elif char in "\u2028\u2029":
            kept.append("\n" if lines else " ")
        elif char in _JOINERS or unicodedata.category(char) not in _HOSTILE:
            kept.append(char)
    result = "".join(kept)
    if not lines:
        result = " ".join(result.split())
    if chars_max is not None and len(result) > chars_max:
        result = result[: chars_max - 1] + "…"
    return result


def clean_name(text: str) -> str:
    """A name of a person, ward, room or node as a page may show it."""
    return clean(text, chars_max=NAME_CHARS_MAX)

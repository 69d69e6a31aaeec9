"""Hostile names: nothing reaches a screen that turns, hides or breaks it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.web.text import NAME_CHARS_MAX, clean, clean_name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("佐藤 花子", "佐藤 花子"),
        ("佐藤\u202e子花", "佐藤子花"),
        ("\u2066市長\u2069", "市長"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("一行\n二行", "一行 二行"),
        ("  余白　です ", "余白 です"),
        ("\ud800x", "x"),
        ("家族👨\u200d👩\u200d👧", "家族👨\u200d👩\u200d👧"),
        ("\ufeff\u200bx\ue000", "x"),
    ],
)
def test_a_name_is_one_harmless_line(raw: str, shown: str) -> None:
    assert clean_name(raw) == shown


def test_a_text_keeps_its_lines() -> None:
    assert clean("一\r\n二\r三\u2028四\t五", lines=True) == "一\n二\n三\n四\t五"


def test_a_long_name_is_cut() -> None:
    assert len(clean_name("長" * 500)) == NAME_CHARS_MAX


@given(st.text())
def test_nothing_hostile_is_left(raw: str) -> None:
    for char in clean(raw, lines=True):
        kept = char in "\n\t\u200c\u200d"
        assert kept or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


@given(st.text())
def test_cleaning_twice_is_cleaning_once(raw: str) -> None:
    assert clean(clean(raw)) == clean(raw)

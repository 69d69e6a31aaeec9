"""PROTOCOL.md says what the code does: numbers, names and contexts are compared."""

from __future__ import annotations

import importlib
import re
from importlib import resources
from typing import Any

import pytest

from meshrelay.core import accept, entry, records, signing
from meshrelay.core.codec import encode

PAGE = resources.files("meshrelay.core").joinpath("PROTOCOL.md").read_text("utf-8")
CONSTANTS = [
    (module, name, value)
    for module, row in re.findall(r"^\| `([a-z_.]+)` \| ([A-Z][^|]*) \|$", PAGE, re.M)
    for name, value in re.findall(r"([A-Z][A-Z_]+) ([\d.]+)", row)
]
FLAT = " ".join(PAGE.split())


@pytest.mark.parametrize(("module", "name", "value"), CONSTANTS, ids=lambda part: str(part))
def test_a_constant_of_the_page_is_the_codes(module: str, name: str, value: str) -> None:
    package = "meshrelay" if module.partition(".")[0] in ("bearers", "desk") else "meshrelay.core"

    assert getattr(importlib.import_module(f"{package}.{module}"), name) == float(value)


@pytest.mark.parametrize(
    "module",
    ["codec", "entry", "records", "book", "vector", "frames", "have", "clock", "sync", "announcing",
     "following", "fetching", "serving", "forks", "link", "statements", "filling", "gaps",
     "retention", "state", "manifest", "blobs", "seeking"],
)  # fmt: skip
def test_no_timer_or_frame_limit_of_the_core_is_left_out(module: str) -> None:
    code = importlib.import_module(f"meshrelay.core.{module}")
    own = re.findall(r"^([A-Z][A-Z_]+) = ", resources.files("meshrelay.core")
                     .joinpath(f"{module}.py").read_text("utf-8"), re.M)  # fmt: skip
    listed = {name for where, name, _ in CONSTANTS if where == module}
    limits = {name for name in own if name.endswith(("_MS", "_MAX", "_MS_MAX", "_BYTES_MIN"))}
    unlisted = {"LIFETIME_S_MAX"}  # a table of its own

    assert limits - unlisted <= listed
    assert all(hasattr(code, name) for name in listed)


def test_the_page_lists_its_constants() -> None:
    assert len(CONSTANTS) >= 45


def test_the_contexts_are_the_codes() -> None:
    network = bytes(signing.NETWORK_ID_BYTES)
    aad = entry.author_aad(network, b"k" * 32, 1, 60, "talk")

    assert entry.entry_aad(network) == b"meshrelay/entry/1" + network
    assert aad == b"meshrelay/author/1" + network + encode([b"k" * 32, 1, 60, "talk"])
    for context in ("meshrelay/entry/1", "meshrelay/author/1", "meshrelay/have/1"):
        assert f'"{context}"' in PAGE


def test_record_fields_stand_on_the_page_in_their_order() -> None:
    shapes: tuple[Any, ...] = (
        records.IssuerCredential, records.NodeCredential, records.StaffCredential,
        records.Binding, records.Session, records.Successor, records.Suspension,
        records.Ruling, records.TemporaryCredential, records.Transit,
    )  # fmt: skip
    plain = "issuer|node|staff|binding|session|successor|suspension|ruling|temporary|transit"
    rows = re.findall(rf"^\| (\d+) (?:{plain}) \| ([^|]*) \|", PAGE, re.M)
    for shape, (number, elements) in zip(shapes, rows, strict=True):
        named = re.sub(r"\([^)]*\)", "", elements).replace(" ", "").split(",")
        assert tuple(named) == shape._fields, number


@pytest.mark.parametrize("shape", [entry.AuthorPart], ids=["author part"])
def test_the_author_part_stands_on_the_page_in_its_order(shape: type[entry.AuthorPart]) -> None:
    table = PAGE.partition("**Author part**")[2].partition("Kinds of this version")[0]

    assert tuple(re.findall(r"^\| \d+ \| (\w+) \|", table, re.M)) == shape._fields


def test_the_envelope_stands_on_the_page_in_its_order() -> None:
    table = PAGE.partition("## 2. Entry")[2].partition("Fields 0–2")[0]
    expected = (
        "origin", "incarnation", "lane", "seq", "prev", "hlc", "quality", "lifetime_s", "kind",
        "author", "body",
    )  # fmt: skip

    assert tuple(re.findall(r"^\| \d+ \| (\w+) \|", table, re.M)) == expected


def test_every_outcome_and_refusal_is_named() -> None:
    core = resources.files("meshrelay.core")
    reasons: set[str] = set()
    for module in (
        "accept",
        "codec",
        "entry",
        "frames",
        "records",
        "book",
        "signing",
        "sync",
        "announcing",
        "blobs",
        "seeking",
        "verdict",
    ):
        text = core.joinpath(f"{module}.py").read_text("utf-8")
        reasons |= set(re.findall(r'(?:FrameError|SignatureError|CredentialError)\("(\w+)"', text))
        reasons |= set(re.findall(r'(?:REFUSED, |Refused\()"(\w+)"', text))

    assert len(reasons) > 12
    assert {reason for reason in reasons if f"`{reason}`" not in FLAT} == set()
    assert len((accept.TAKEN, accept.HELD, accept.GAP, accept.NO_CREDENTIAL, accept.FORK,
                accept.OWN_LOG, accept.ENDED)) == 7  # fmt: skip

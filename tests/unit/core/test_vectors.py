"""Golden bytes: the code still makes them, still reads them, still refuses what it must."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meshrelay.core.book import RecordBook
from meshrelay.core.codec import decode
from meshrelay.core.entry import (
    LogId,
    author_aad,
    check_entry,
    entry_aad,
    read_author_part,
    read_entry,
)
from meshrelay.core.frames import decode_frame, encode_frame
from meshrelay.core.have import check_have, read_have
from meshrelay.core.records import read_record
from meshrelay.core.signing import hash32, verify1
from meshrelay.errors import RemoteProtocolError
from tests.vectors.make import HERE, build, render

FILES = sorted(path.name for path in HERE.glob("*.json"))


def load(name: str) -> Any:
    return json.loads((HERE / name).read_text("utf-8"))


NETWORK = bytes.fromhex(load("keys.json")["network"])


def raw_of(vector: dict[str, Any], key: str = "raw") -> bytes:
    return bytes.fromhex(vector[key])


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return build()


def test_every_file_is_made_and_every_made_file_is_kept(made: dict[str, Any]) -> None:
    assert sorted(made) == FILES


@pytest.mark.parametrize("name", FILES)
def test_the_code_still_makes_these_bytes(name: str, made: dict[str, Any]) -> None:
    assert render(made[name]) == (HERE / name).read_text("utf-8")


@pytest.mark.parametrize("vector", load("entries.json"), ids=lambda v: v["kind"])
def test_an_entry_of_the_vectors_reads_as_it_says(vector: dict[str, Any]) -> None:
    entry = read_entry(raw_of(vector))
    check_entry(entry, NETWORK)

    assert entry.id == raw_of(vector, "id") == hash32(entry.raw)
    assert entry.log.first_prev == raw_of(vector, "first_prev") == hash32(
        raw_of(vector, "log_cbor")
    )  # fmt: skip
    assert (entry.seq, entry.hlc, entry.quality, entry.lifetime_s, entry.kind) == tuple(
        vector[key] for key in ("seq", "hlc", "quality", "lifetime_s", "kind")
    )
    assert entry_aad(NETWORK) == raw_of(vector, "external_aad")
    if "author_part" in vector:
        aad = author_aad(NETWORK, entry.log.origin, entry.log.lane, entry.lifetime_s, entry.kind)
        assert aad == raw_of(vector, "author_external_aad")
        verify1(entry.author, raw_of(vector, "author_key"), aad)
        part = read_author_part(entry.author)
        assert part.summary == vector["author_part"]["summary"]


def test_the_entries_of_the_vectors_form_a_chain() -> None:
    first, second = (read_entry(raw_of(vector)) for vector in load("entries.json")[:2])

    assert second.prev == first.id
    assert LogId(*first.log) == second.log


def test_the_records_of_the_vectors_are_one_chain_of_trust() -> None:
    book = RecordBook(NETWORK)
    for vector in load("records.json"):
        record = read_record(raw_of(vector))
        assert book.add(record) == [record]
        assert record.id == raw_of(vector, "id")


@pytest.mark.parametrize("vector", load("frames.json"), ids=lambda v: v["name"])
def test_a_frame_of_the_vectors_is_read_and_written_again(vector: dict[str, Any]) -> None:
    frame = decode_frame(raw_of(vector))

    assert type(frame).__name__ == vector["name"]
    if vector["type"] not in (4, 5):  # deflated: libraries differ in how, not in what
        assert encode_frame(frame) == raw_of(vector)
    assert decode_frame(encode_frame(frame)) == frame
    assert decode(raw_of(vector), 65_536)[0] == vector["type"]


def test_the_statement_of_the_vectors_verifies_and_its_digest_is_of_its_lines() -> None:
    document = load("have.json")
    have = read_have(raw_of(document["have"]))
    check_have(have, NETWORK)

    assert have.digest == raw_of(document, "digest")
    assert have.change == document["change"]


READERS: dict[str, Any] = {
    "value": lambda raw: decode(raw, 65_536),
    "frame": decode_frame,
    "entry": lambda raw: check_entry(read_entry(raw), NETWORK),
    "record": lambda raw: known_records().add(read_record(raw)),
}


def known_records() -> RecordBook:
    book = RecordBook(NETWORK)
    book.add(read_record(raw_of(load("records.json")[0])))
    return book


@pytest.mark.parametrize("vector", load("refused.json"), ids=lambda v: f"{v['reader']} {v['what']}")
def test_what_must_be_refused_is_refused_under_its_name(vector: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        READERS[vector["reader"]](raw_of(vector))
    assert refused.value.reason == vector["reason"]

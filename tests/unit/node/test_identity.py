"""Cards, PINs and a node's own key: typing errors are noticed, nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.book import RecordBook
from meshrelay.core.codec import encode
from meshrelay.core.records import Binding, Session, StaffCredential, make_staff
from meshrelay.errors import ConfigError
from meshrelay.node.identity import (
    author_seed,
    card_code,
    card_signer,
    card_text,
    load_keys,
    make_person_binding,
    open_session,
)
from tests.unit.core.city import (
    HQ,
    ISSUER,
    ISSUER_RECORD,
    KITA,
    NETWORK,
    RECORDS,
    book_of,
    node_record,
    person,
)

CODES = st.binary(min_size=10, max_size=10)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE = card_text(bytes(range(10)))


@settings(deadline=None)
@given(CODES)
def test_a_printed_card_code_reads_back(code: bytes) -> None:
    text = card_text(code)

    assert card_code(text) == code
    assert [len(group) for group in text.split("-")] == [4, 4, 4, 4, 1]


@settings(deadline=None)
@given(CODES)
def test_case_spaces_hyphens_and_look_alikes_do_not_matter(code: bytes) -> None:
    text = card_text(code)
    body, check = text[:-1], text[-1]
    typed = body.lower().replace("-", " ").replace("0", "o").replace("1", "l") + check

    assert card_code(typed) == code


@settings(deadline=None)
@given(CODES, st.integers(0, 15), st.sampled_from(ALPHABET))
def test_the_check_symbol_notices_every_wrong_symbol(code: bytes, at: int, other: str) -> None:
    symbols = card_text(code).replace("-", "")
    wrong = symbols[:at] + other + symbols[at + 1 :]
    if wrong != symbols:
        with pytest.raises(ValueError, match="check symbol"):
            card_code(wrong)


@settings(deadline=None)
@given(CODES, st.integers(0, 14))
def test_the_check_symbol_notices_two_swapped_symbols(code: bytes, at: int) -> None:
    symbols = card_text(code).replace("-", "")
    swapped = symbols[:at] + symbols[at + 1] + symbols[at] + symbols[at + 2 :]
    if swapped != symbols:
        with pytest.raises(ValueError, match="check symbol"):
            card_code(swapped)


@pytest.mark.parametrize("text", ["", "ABCD", CODE[:-1], CODE + "0", "U" * 17, "あ" * 17])
def test_what_is_no_card_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="symbol"):
        card_code(text)


def test_a_card_key_is_of_one_network_and_one_person() -> None:
    keys = {
        card_signer(CODE, network, staff).public
        for network in (NETWORK, b"other network id")
        for staff in ("1001", "1002")
    }

    assert len(keys) == 4
    assert card_signer(CODE.lower(), NETWORK, "1001").public in keys


def test_the_author_key_needs_card_and_pin() -> None:
    other = card_text(b"other card")

    pairs = ((CODE, "1"), (CODE, "2"), (other, "1"))
    seeds = {author_seed(code, pin, NETWORK, "1001") for code, pin in pairs}

    assert len(seeds) == 3


STAFF = person("1001", KITA)._replace(card=card_signer(CODE, NETWORK, "1001"))


def enrolled() -> tuple[RecordBook, bytes]:
    """A book in which the printed card of somebody is unbound, and their record id."""
    content = STAFF.staff.content
    assert isinstance(content, StaffCredential)
    record = make_staff(ISSUER, NETWORK, content._replace(card=STAFF.card.public))
    return book_of(*RECORDS, record), record.id


def test_a_first_log_in_binds_and_a_second_needs_the_same_pin() -> None:
    book, staff = enrolled()
    first = open_session(book, staff, CODE, "246810", KITA.public, 1, new=True)
    assert first is not None
    binding, session = first.records
    for record in first.records:
        book.add(record)
    assert isinstance(binding.content, Binding) and isinstance(session.content, Session)
    assert session.content.key == first.signer.public
    assert session.content.origin == KITA.public

    again = open_session(book, staff, CODE, "246810", KITA.public, 2, new=False)
    assert again is not None and again.records == [again.session]
    assert again.signer.public != first.signer.public
    assert open_session(book, staff, CODE, "246811", KITA.public, 3, new=False) is None


def test_the_same_pin_gives_the_same_binding_in_every_ward() -> None:
    book, staff = enrolled()
    record = book.by_id[staff]

    assert make_person_binding(NETWORK, record, CODE, "246810") == make_person_binding(
        NETWORK, record, CODE.lower(), "246810"
    )


def node_dir(directory: Path, key: str = "04" * 32, records: bytes | None = None) -> Path:
    (directory / "keys").mkdir()
    (directory / "keys" / "node.key").write_text(key + "\n", "ascii")
    (directory / "keys" / "box.key").write_text("0b" * 32 + "\n", "ascii")
    raws = [ISSUER_RECORD.raw, node_record(HQ).raw]
    (directory / "enrolment.cbor").write_bytes(encode(raws) if records is None else records)
    return directory


def test_an_enrolled_directory_gives_key_network_and_records(tmp_path: Path) -> None:
    keys = load_keys(node_dir(tmp_path, "01" * 32))

    assert keys.signer.public == HQ.public
    assert keys.network == NETWORK
    assert [record.id for record in keys.records()] == [ISSUER_RECORD.id, node_record(HQ).id]


@pytest.mark.parametrize("name", ["node.key", "box.key"])
@pytest.mark.parametrize("key", ["", "04" * 31, "zz" * 32])
def test_a_damaged_key_is_named(tmp_path: Path, key: str, name: str) -> None:
    directory = node_dir(tmp_path)
    (directory / "keys" / name).write_text(key, "ascii")
    with pytest.raises(ConfigError, match=rf"{name}: expected 64 hex digits"):
        load_keys(directory)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (b"noise", "is damaged"),
        (encode(1), "is damaged"),
        (encode([b"noise"]), "is damaged"),
        (encode([]), "no issuer credential"),
        (encode([node_record(HQ).raw]), "no issuer credential"),
    ],
)
def test_a_damaged_enrolment_is_named(tmp_path: Path, records: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"enrolment\.cbor: .*{said}"):
        load_keys(node_dir(tmp_path, records=records))


def test_a_directory_that_is_not_enrolled_says_what_to_do(tmp_path: Path) -> None:
    node_dir(tmp_path)
    (tmp_path / "enrolment.cbor").unlink()

    with pytest.raises(ConfigError, match="meshrelay node enrol"):
        load_keys(tmp_path)

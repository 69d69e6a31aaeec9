"""One encoding per value: whatever else comes is refused, never read as something near it."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.codec import (
    DEPTH_MAX,
    bstr_head,
    decode,
    decode_strings,
    encode,
    is_bytes,
    is_text,
    is_uint,
)
from meshrelay.errors import FrameError

SIZE = 64 * 1024
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.binary(max_size=300)
    | st.text(max_size=40)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 300), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_what_is_encoded_is_read_back(value: object) -> None:
    assert decode(encode(value), SIZE) == value  # type: ignore[arg-type]


@settings(deadline=None)
@given(VALUES, st.data())
def test_an_altered_encoding_is_refused_or_is_the_one_encoding_of_something_else(
    value: object, data: st.DataObject
) -> None:
    good = encode(value)  # type: ignore[arg-type]
    at = data.draw(st.integers(0, len(good) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "add", "insert"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    flipped = bytes([good[at] ^ (1 << data.draw(st.integers(0, 7)))])
    bad = {
        "flip": good[:at] + flipped + good[at + 1 :],
        "cut": good[:at],
        "add": good + byte,
        "insert": good[:at] + byte + good[at:],
    }[how]
    try:
        other = decode(bad, SIZE)
    except FrameError as error:
        assert error.reason == "malformed"
    else:
        assert encode(other) == bad


@pytest.mark.parametrize(
    ("what", "hexadecimal"),
    [
        ("a date tag", "c074323032362d30312d30315430303a30303a30305a"),
        ("an epoch tag", "c101"),
        ("a bignum", "c249010000000000000000"),
        ("a tagged set", "d9010281 01".replace(" ", "")),
        ("a shared reference", "d81c80"),
        ("the self-described tag", "d9d9f700"),
        ("a tag nobody knows", "da000f424001"),
        ("a double where a half would do", "fb3ff8000000000000"),
        ("an indefinite array", "9f01ff"),
        ("an indefinite map", "bf0101ff"),
        ("an indefinite byte string", "5f4101ff"),
        ("an indefinite text", "7f6161ff"),
        ("a number in two bytes that fits one", "1801"),
        ("a number in nine bytes that fits five", "1b0000000000000001"),
        ("a length in two bytes that fits one", "580100"),
        ("keys out of order", "a202000100"),
        ("a key twice", "a201000101"),
        ("a byte after the end", "0100"),
        ("nothing", ""),
        ("half an array", "8201"),
        ("a lone break", "ff"),
        ("a text that is no UTF-8", "62c328"),
        ("a surrogate in a text", "63eda080"),
        ("a reserved length", "1c"),
    ],
)
def test_what_is_not_the_one_encoding_is_malformed(what: str, hexadecimal: str) -> None:
    with pytest.raises(FrameError) as refused:
        decode(bytes.fromhex(hexadecimal), SIZE)

    assert refused.value.reason == "malformed", what


def test_nesting_has_a_limit() -> None:
    deepest = b"\x81" * (DEPTH_MAX - 1) + b"\x00"

    assert encode(decode(deepest, SIZE)) == deepest
    with pytest.raises(FrameError, match="malformed"):
        decode(b"\x81" * (DEPTH_MAX + 1) + b"\x00", SIZE)


def test_a_claimed_length_costs_no_memory() -> None:
    for claim in ("5b7fffffffffffffff", "9b7fffffffffffffff", "bb7fffffffffffffff"):
        with pytest.raises(FrameError, match="malformed"):
            decode(bytes.fromhex(claim), SIZE)


def test_one_byte_above_the_limit_is_oversize() -> None:
    data = encode(bytes(100))

    assert decode(data, len(data)) == bytes(100)
    with pytest.raises(FrameError) as refused:
        decode(data, len(data) - 1)
    assert refused.value.reason == "oversize"


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 65_535, 65_536])
def test_a_byte_string_head_is_the_codecs(length: int) -> None:
    assert bstr_head(length) + bytes(length) == encode(bytes(length))


def test_a_truth_value_is_no_number() -> None:
    assert is_uint(1) and not is_uint(True) and not is_uint(-1) and not is_uint(4, 4)


def test_a_length_is_part_of_the_type() -> None:
    assert is_bytes(b"1234", 4) and not is_bytes(b"123", 4) and not is_bytes("1234", 4)
    assert is_text("区役所", 3) and not is_text("区役所", 2) and not is_text(b"123", 3)


def strings_in(data: bytes, each_max: int = 400) -> list[bytes]:
    return list(decode_strings(BytesIO(data).read, each_max))


STRINGS = st.lists(st.binary(max_size=400), max_size=300)


@settings(deadline=None)
@given(STRINGS)
def test_byte_strings_are_read_one_at_a_time_as_they_would_be_at_once(strings: list[bytes]) -> None:
    assert strings_in(encode(strings)) == strings  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=30), st.data())
def test_of_an_altered_list_of_byte_strings_both_readers_say_the_same(
    strings: list[bytes], data: st.DataObject
) -> None:
    good = encode(strings)  # type: ignore[arg-type]
    at = data.draw(st.integers(0, len(good) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    bad = data.draw(st.sampled_from([good[:at], good + byte, good[:at] + byte + good[at + 1 :]]))
    try:
        whole = decode(bad, SIZE)
        expected = whole if isinstance(whole, list) else None
        if expected is not None and not all(type(each) is bytes for each in expected):
            expected = None
    except FrameError:
        expected = None
    try:
        one_by_one = strings_in(bad)
    except FrameError:
        one_by_one = None
    assert one_by_one == expected


def test_byte_strings_have_a_limit() -> None:
    with pytest.raises(FrameError, match="oversize"):
        strings_in(encode([b"x" * 20, b"x" * 21]), 20)

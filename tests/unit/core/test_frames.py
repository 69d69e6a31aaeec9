"""Ten frames: what is sent comes back, what is not one of them is refused by name."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.codec import encode
from meshrelay.core.entry import ENTRY_BYTES_MAX, LogId
from meshrelay.core.frames import (
    BATCH_BYTES_MAX,
    FRAME_BYTES_MAX,
    LINES_MAX,
    LOCATE_MAX,
    RECORD_IDS_MAX,
    Bucket,
    Buckets,
    Entries,
    Fill,
    Frame,
    Haves,
    Heard,
    Hello,
    Lacks,
    Lines,
    Locate,
    Piece,
    Records,
    Seek,
    Want,
    decode_frame,
    encode_frame,
)
from meshrelay.core.manifest import PART_BYTES_MAX, PARTS_MAX
from meshrelay.core.vector import Cursor, Line
from meshrelay.errors import FrameError
from tests.unit.core.city import KITA, NETWORK, chain, log_of

UINTS = st.integers(0, (1 << 63) - 1)
IDS = st.binary(min_size=32, max_size=32)
EIGHT = st.binary(min_size=8, max_size=8)
LOGS = st.builds(LogId, IDS, EIGHT, st.integers(0, 3))
LINES = st.lists(st.builds(Line, LOGS, UINTS, EIGHT, st.just(0) | UINTS), max_size=5)
RAWS = st.lists(st.binary(max_size=100), max_size=5)
FRAMES = st.one_of(
    st.builds(
        Hello, UINTS, EIGHT, UINTS, st.binary(min_size=16, max_size=16),
        st.builds(Cursor, EIGHT, UINTS), st.integers(0, 2), st.binary(min_size=4, max_size=4),
    ),
    st.builds(
        Lines, UINTS, UINTS, LINES,
        st.lists(IDS, max_size=5), st.booleans(),
    ),
    st.builds(
        Want, UINTS, UINTS, EIGHT, st.lists(st.tuples(LOGS, UINTS), max_size=5),
        st.lists(IDS, max_size=5), st.lists(st.integers(0, 255), max_size=5),
    ),
    st.builds(Records, RAWS),
    st.builds(Haves, RAWS),
    st.builds(Buckets, UINTS, st.lists(EIGHT, min_size=256, max_size=256)),
    st.builds(Bucket, st.integers(0, 255), LINES, st.lists(IDS, max_size=5)),
    st.builds(Heard, st.lists(st.tuples(EIGHT, EIGHT, UINTS), max_size=5)),
    st.builds(Locate, LOGS, st.lists(st.tuples(UINTS, IDS), max_size=5)),
    st.builds(Fill, LOGS, UINTS, UINTS),
    st.builds(Seek, IDS, st.integers(0, (1 << PARTS_MAX) - 1)),
    st.builds(
        Piece, IDS, st.integers(0, PARTS_MAX - 1), st.integers(0, 100),
        st.integers(200, PART_BYTES_MAX), st.binary(min_size=1, max_size=100),
    ),
    st.builds(Lacks, IDS),
)  # fmt: skip
HELLO = Hello(1, b"i" * 8, 9, b"d" * 16, Cursor(b"j" * 8, 3), 2, b"word")


@settings(deadline=None)
@given(FRAMES)
def test_a_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_breaks_the_reader(data: bytes) -> None:
    try:
        decode_frame(data)
    except FrameError as error:
        assert error.reason in ("malformed", "unknown_frame")


@settings(deadline=None)
@given(FRAMES, st.data())
def test_an_altered_frame_is_refused_or_is_another_frame(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode_frame(frame))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        altered = decode_frame(bytes(raw))
        assert altered != frame or isinstance(frame, Records)  # deflated: padding bits are free
    except FrameError as error:
        assert error.reason in ("malformed", "unknown_frame", "oversize")


def test_a_batch_is_read_as_it_was_written() -> None:
    entries = chain(KITA, 3)
    frame = Entries(NETWORK, [entry.raw for entry in entries], [0, 7, 9], [])

    read = decode_frame(encode_frame(frame))
    assert read == frame._replace(ids=[entry.id for entry in entries])


def test_a_batch_says_the_id_of_the_entry_before_only_once() -> None:
    raws = [entry.raw for entry in chain(KITA, 50)]

    assert len(encode_frame(Entries(NETWORK, raws, [0] * 50, []))) < 50 * 100


def test_entries_out_of_chain_go_whole() -> None:
    first, _, third = chain(KITA, 3)
    frame = Entries(NETWORK, [first.raw, third.raw], [0, 0], [])

    read = decode_frame(encode_frame(frame))
    assert isinstance(read, Entries) and read.raws == frame.raws


def test_a_deflate_bomb_is_oversize_before_it_is_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(bytes(50_000_000)) + packer.flush()

    with pytest.raises(FrameError) as refused:
        decode_frame(encode([4, NETWORK, bomb[:60_000]]))
    assert refused.value.reason == "oversize"


@pytest.mark.parametrize("later", range(1, 14))
def test_elements_of_a_later_version_are_ignored(later: int) -> None:
    frames: list[Frame] = [
        HELLO, Lines(0, 0, [], [], False), Want(1, 2, b"n" * 8, [], [], []),
        Entries(NETWORK, [], [], []), Records([]), Haves([]), Buckets(1, [b"b" * 8] * 256),
        Bucket(1, [], []), Heard([]), Locate(log_of(KITA), []), Seek(b"b" * 32, 5),
        Piece(b"b" * 32, 1, 2, 9, b"bytes"), Lacks(b"b" * 32),
    ]  # fmt: skip
    frame = frames[later - 1]
    raw = encode_frame(frame)

    assert decode_frame(bytes([raw[0] + 1]) + raw[1:] + encode("later")) == frame


@pytest.mark.parametrize("fields", [[22], [0], [23, b""], ["1"], [None], [-1], [[1]], [{1: 1}]])
def test_another_type_is_an_unknown_frame(fields: list[Any]) -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(encode(fields))
    assert refused.value.reason == "unknown_frame"


def deflated(value: Any) -> bytes:
    packer = zlib.compressobj(1, wbits=-15)
    return packer.compress(encode(value)) + packer.flush()


@pytest.mark.parametrize(
    "value",
    [
        [], {}, 1, None, b"", [1], [1, 1, b"i" * 7, 9, b"d" * 16, b"j" * 8, 3, 0, b"word"],
        [1, True, b"i" * 8, 9, b"d" * 16, b"j" * 8, 3, 0, b"word"],
        [1, 1, b"i" * 8, 9, b"d" * 16, b"j" * 8, 3, 3, b"word"],
        [2, 0, 0, [], [b"short"], False], [2, 0, 0, [], [], 1], [2, 0, 0, None, [], False],
        [2, 0, 0, [[KITA.public, b"i" * 8, 4, 1, b"h" * 8]], [], False],
        [2, 0, 0, [[KITA.public, b"i" * 8, 1, 1, b"h" * 32]], [], False],
        [2, 0, 0, [[KITA.public, b"i" * 8, 1, 1]], [], False],
        [3, 0, 0, b"n" * 8, [[]], [], []], [3, -1, 0, b"n" * 8, [], [], []],
        [3, 0, 0, b"n" * 8, [], [], [256]], [4, b"net", b""], [4, NETWORK, ["text"]],
        [4, NETWORK, b"no deflate"], [4, NETWORK, deflated([[b"raw"]])],
        [4, NETWORK, deflated([[b"raw"], [0, 0]])], [4, NETWORK, deflated([[b"raw"], [-1]])],
        [4, NETWORK, deflated([["raw"], [0]])],
        [4, NETWORK, deflated([[b"raw", b"short"], [0, 0]])],
        [4, NETWORK, deflated([[], []]) + b"more"], [4, NETWORK, deflated([[], []])[:-1]],
        [5, b"raw"], [5, deflated([1])], [6, [1]], [7, 1, b"short"], [8, 256, [], []],
        [9, [[b"short", b"i" * 8, 1]]], [10, KITA.public, b"i" * 8, 1, [[1, b"short"]]],
    ],
)  # fmt: skip
def test_a_frame_with_a_wrong_field_is_malformed(value: Any) -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(encode(value))
    assert refused.value.reason == "malformed"


def test_a_frame_above_the_limit_is_oversize() -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(encode_frame(Haves([bytes(FRAME_BYTES_MAX)])))
    assert refused.value.reason == "oversize"


def test_a_greeting_takes_at_most_64_bytes() -> None:
    most = (1 << 63) - 1

    hello = Hello(1, b"i" * 8, most, b"d" * 16, Cursor(b"j" * 8, most), 2, b"word")

    assert len(encode_frame(hello)) <= 64


def test_the_fullest_frames_pass_the_limit() -> None:
    most = (1 << 63) - 1
    log = log_of(KITA)
    lines = [Line(log, most, b"h" * 32)] * LINES_MAX
    noise = [Random(lane).randbytes(ENTRY_BYTES_MAX) for lane in range(3)]
    full: list[Frame] = [
        Lines(most, most, lines, [], True),
        Lines(most, most, [], [b"r" * 32] * LINES_MAX, True),
        Want(
            most,
            most,
            b"n" * 8,
            [(log, most)] * LINES_MAX,
            [b"r" * 32] * RECORD_IDS_MAX,
            list(range(256)),
        ),
        Entries(NETWORK, noise[: BATCH_BYTES_MAX // ENTRY_BYTES_MAX], [(1 << 40) - 1] * 3, []),
        Records([Random(4).randbytes(BATCH_BYTES_MAX)]),
        Heard([(b"n" * 8, b"i" * 8, most)] * LINES_MAX),
        Locate(log, [(most, b"e" * 32)] * LOCATE_MAX),
    ]

    assert all(len(encode_frame(frame)) <= FRAME_BYTES_MAX for frame in full)


@pytest.mark.parametrize(
    "fields",
    [
        [11, b"b" * 31, b"\1"], [11, b"b" * 32, b"\1\0"], [11, b"b" * 32, bytes(65) + b"\1"],
        [11, b"b" * 32, bytes(64) + b"\2"], [11, b"b" * 32, 1], [11, b"b" * 32],
        [12, b"b" * 32, PARTS_MAX, 0, 9, b"x"], [12, b"b" * 32, 1, 9, 9, b"x"],
        [12, b"b" * 32, 1, 0, 9, b""], [12, b"b" * 32, 1, 5, 9, b"12345"],
        [12, b"b" * 32, 1, 0, PART_BYTES_MAX + 1, b"x"], [12, b"b" * 32, 1, -1, 9, b"x"],
        [12, b"b" * 32, True, 0, 9, b"x"], [12, b"b", 1, 0, 9, b"x"], [12, b"b" * 32, 1, 0, 9],
        [13, b"b" * 33], [13],
    ],
)  # fmt: skip
def test_a_malformed_frame_about_a_blob_is_refused(fields: list[Any]) -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(encode(fields))
    assert refused.value.reason == "malformed"

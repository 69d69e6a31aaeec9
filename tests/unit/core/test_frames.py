"""Six frames: what is sent comes back, what is not one of them is refused by name."""

from __future__ import annotations

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
    RECORD_IDS_MAX,
    Entries,
    Frame,
    Haves,
    Hello,
    Lines,
    Records,
    Want,
    decode_frame,
    encode_frame,
)
from meshrelay.core.vector import Cursor, Line
from meshrelay.errors import FrameError
from tests.unit.core.city import KITA, NETWORK, log_of

UINTS = st.integers(0, (1 << 63) - 1)
IDS = st.binary(min_size=32, max_size=32)
EIGHT = st.binary(min_size=8, max_size=8)
LOGS = st.builds(LogId, IDS, EIGHT, st.integers(0, 3))
RAWS = st.lists(st.binary(max_size=100), max_size=5)
FRAMES = st.one_of(
    st.builds(
        Hello, UINTS, EIGHT, UINTS, st.binary(min_size=16, max_size=16),
        st.builds(Cursor, EIGHT, UINTS),
    ),
    st.builds(
        Lines, UINTS, UINTS, st.lists(st.builds(Line, LOGS, UINTS, IDS), max_size=5),
        st.lists(IDS, max_size=5),
    ),
    st.builds(
        Want, UINTS, EIGHT, st.lists(st.tuples(LOGS, UINTS), max_size=5), st.lists(IDS, max_size=5)
    ),
    st.builds(Entries, st.binary(min_size=16, max_size=16), RAWS),
    st.builds(Records, RAWS),
    st.builds(Haves, RAWS),
)  # fmt: skip
HELLO = Hello(1, b"i" * 8, 9, b"d" * 16, Cursor(b"j" * 8, 3))


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
        assert decode_frame(bytes(raw)) != frame
    except FrameError as error:
        assert error.reason in ("malformed", "unknown_frame")


@pytest.mark.parametrize("later", [1, 2, 3, 4, 5, 6])
def test_elements_of_a_later_version_are_ignored(later: int) -> None:
    frames: list[Frame] = [
        HELLO, Lines(0, 0, [], []), Want(1, b"n" * 8, [], []), Entries(NETWORK, []), Records([]),
        Haves([]),
    ]  # fmt: skip
    frame = frames[later - 1]
    raw = encode_frame(frame)

    assert decode_frame(bytes([raw[0] + 1]) + raw[1:] + encode("later")) == frame


@pytest.mark.parametrize("fields", [[7], [0], [23, b""], ["1"], [None], [-1], [[1]], [{1: 1}]])
def test_another_type_is_an_unknown_frame(fields: list[Any]) -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(encode(fields))
    assert refused.value.reason == "unknown_frame"


@pytest.mark.parametrize(
    "value",
    [
        [], {}, 1, None, b"", [1], [1, 1, b"i" * 7, 9, b"d" * 16, b"j" * 8, 3],
        [1, True, b"i" * 8, 9, b"d" * 16, b"j" * 8, 3], [2, 0, 0, [], [b"short"]],
        [2, 0, 0, [[KITA.public, b"i" * 8, 4, 1, b"h" * 32]], []],
        [2, 0, 0, [[KITA.public, b"i" * 8, 1, 1]], []], [3, 0, b"n" * 8, [[]], []],
        [3, -1, b"n" * 8, [], []], [4, b"net", []], [4, NETWORK, ["text"]], [5, b"raw"], [6, [1]],
    ],
)  # fmt: skip
def test_a_frame_with_a_wrong_field_is_malformed(value: Any) -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(encode(value))
    assert refused.value.reason == "malformed"


def test_a_frame_above_the_limit_is_oversize() -> None:
    with pytest.raises(FrameError) as refused:
        decode_frame(encode_frame(Records([bytes(FRAME_BYTES_MAX)])))
    assert refused.value.reason == "oversize"


def test_a_greeting_takes_at_most_64_bytes() -> None:
    most = (1 << 63) - 1

    assert len(encode_frame(Hello(1, b"i" * 8, most, b"d" * 16, Cursor(b"j" * 8, most)))) <= 64


def test_the_fullest_frames_pass_the_limit() -> None:
    most = (1 << 63) - 1
    log = log_of(KITA)
    lines = [Line(log, most, b"h" * 32)] * LINES_MAX
    full: list[Frame] = [
        Lines(most, most, lines, []),
        Lines(most, most, [], [b"r" * 32] * LINES_MAX),
        Want(most, b"n" * 8, [(log, most)] * LINES_MAX, [b"r" * 32] * RECORD_IDS_MAX),
        Entries(NETWORK, [bytes(ENTRY_BYTES_MAX)] * (BATCH_BYTES_MAX // ENTRY_BYTES_MAX)),
    ]

    assert all(len(encode_frame(frame)) <= FRAME_BYTES_MAX for frame in full)

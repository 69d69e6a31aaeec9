"""Strict deterministic CBOR (RFC 8949 section 4.2): one encoding per value.

Maps use small integer keys only, where the length-first order of RFC 7049 and the
bytewise order of RFC 8949 agree. Tags, floats and indefinite lengths never occur.
"""

from __future__ import annotations

from typing import Any, Never

import cbor2

from meshrelay.errors import FrameError

# Deepest thing we send is a line in a list in a frame; 16 leaves room for new bodies.
DEPTH_MAX = 16

Value = None | bool | int | bytes | str | list[Any] | dict[int, Any]


_LEAVES = frozenset({bool, int, bytes, str})


def _no_tags(*_: object) -> Never:
    raise ValueError("tags are not part of the protocol")


# Every tag that cbor2 would turn into a Python object by itself.
_TAGS = dict.fromkeys(
    (*range(40), 100, 256, 258, 260, 261, 1004, 21097, 40009, 43000, 55799), _no_tags
)


def encode(value: Value) -> bytes:
    """The one encoding of `value`."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, bytes_max: int) -> Any:
    """Decode what `encode` made, and nothing else.

    The caller still checks types and lengths: a decoded value may be any mix of
    None, bool, int, bytes, str, list and dict.

    Raises:
        FrameError: `oversize`, or `malformed` for trailing bytes, a second
            encoding of the same value, tags, or anything that is not CBOR.
    """
    if len(data) > bytes_max:
        raise FrameError("oversize", f"{len(data)} bytes, at most {bytes_max}")
    try:
        value = cbor2.loads(
            data,
            tag_hook=_no_tags,
            semantic_decoders=_TAGS,
            max_depth=DEPTH_MAX,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
        same = cbor2.dumps(value, canonical=True) == data
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FrameError("malformed", str(error)[:120]) from None
    if not same:
        raise FrameError("malformed", "not the deterministic encoding")
    if not _is_value(value):
        raise FrameError("malformed", "a type that the protocol does not use")
    return value


def _is_value(value: Any) -> bool:
    """Only `Value`: cbor2 also reads floats, undefined, simple values and any map key."""
    kind = type(value)
    if kind is list:
        return all(map(_is_value, value))
    if kind is dict:
        return all(type(key) is int and _is_value(item) for key, item in value.items())
    return value is None or kind in _LEAVES


def bstr_head(length: int) -> bytes:
    """The head of a byte string of `length` bytes (RFC 8949 section 3, major type 2)."""
    if length < 24:
        return bytes((0x40 | length,))
    if length < 0x100:
        return bytes((0x58, length))
    if length < 0x10000:
        return b"\x59" + length.to_bytes(2, "big")
    return b"\x5a" + length.to_bytes(4, "big")


def is_uint(value: Any, below: int = 1 << 63) -> bool:
    """True for an integer (never a bool) in 0 <= value < below."""
    return type(value) is int and 0 <= value < below


def is_bytes(value: Any, length: int) -> bool:
    """True for a byte string of exactly `length` bytes."""
    return type(value) is bytes and len(value) == length


def is_text(value: Any, chars_max: int) -> bool:
    """True for a text of at most `chars_max` characters."""
    return type(value) is str and len(value) <= chars_max

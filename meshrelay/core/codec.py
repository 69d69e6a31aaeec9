"""Strict deterministic CBOR (RFC 8949 section 4.2): one encoding per value.

Maps use small integer keys only, where the length-first order of RFC 7049 and the
bytewise order of RFC 8949 agree. Tags, floats and indefinite lengths never occur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Never

import cbor2

from meshrelay.errors import FrameError

# Deepest thing we send is a line in a list in a frame; 16 leaves room for new bodies.
DEPTH_MAX = 16
# Twice the values of the fullest frame (a revocation of 900 lines): 64 KiB of empty lists would
# cost 30 ms.
ITEMS_MAX = 10_000

Value = None | bool | int | bytes | str | list[Any] | dict[int, Any]


_BYTES, _LIST = 2, 4  # major types
_LEAVES = frozenset({type(None), bool, int, bytes, str})


def _no_tags(*_: object) -> Never:
    raise ValueError("tags are not part of the protocol")


# Every tag that cbor2 would turn into a Python object by itself.
_TAGS = dict.fromkeys(
    (*range(40), 100, 256, 258, 260, 261, 1004, 21097, 40009, 43000, 55799), _no_tags
)


def encode(value: Value) -> bytes:
    """The one encoding of `value`."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, bytes_max: int, items_max: int = ITEMS_MAX) -> Any:
    """Decode what `encode` made, and nothing else.

    `items_max`: more for a file of our own than for what a peer sends.

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
        if _count(value, 0, items_max) > items_max:
            raise FrameError(
                "malformed",
                f"a type that the protocol does not use, or more than {items_max} values",
            )
        same = _size(value) == len(data)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FrameError("malformed", str(error)[:120]) from None
    if not same:
        raise FrameError("malformed", "not the deterministic encoding")
    return value


def decode_again(data: bytes) -> Any:
    """Decode what `decode` has accepted before, in a fifth of the time."""
    return cbor2.loads(data)


def decode_strings(read: Callable[[int], bytes], each_max: int) -> Iterator[bytes]:
    """The byte strings of a list that `encode` made, one at a time: together they may be many.

    `read(n)` gives the next n bytes, fewer only at the end. No string is longer than `each_max`.

    Raises:
        FrameError: `oversize`, or `malformed` as soon as something else is met.
    """
    for _ in range(_read_head(read, _LIST)):
        length = _read_head(read, _BYTES)
        if length > each_max:
            raise FrameError("oversize", f"{length} bytes, at most {each_max}")
        string = read(length)
        if len(string) < length:
            raise FrameError("malformed", "it ends too early")
        yield string
    if read(1):
        raise FrameError("malformed", "bytes after its end")


def _read_head(read: Callable[[int], bytes], major: int) -> int:
    """The argument of a head of this major type (RFC 8949 section 3)."""
    first = read(1) or b"\xff"
    short = first[0] & 31
    more = 1 << (short - 24) if 24 <= short < 28 else 0
    argument = int.from_bytes(read(more), "big") if more else short
    if first[0] >> 5 != major or short > 27 or _head_size(argument) != 1 + more:
        raise FrameError("malformed", "not the deterministic encoding of byte strings in a list")
    return argument


def _count(value: Any, count: int, items_max: int) -> int:
    """How many values there are, added to `count`; beyond `items_max` as soon as that is sure.

    Only `Value` counts as a value: cbor2 also reads floats, undefined, simple values and any
    map key, and one of these is as bad as too many.
    """
    kind = type(value)
    if kind is list or kind is dict:
        count += len(value)
        if kind is dict and not all(type(key) is int for key in value):
            return items_max + 1
        items = value.values() if kind is dict else value
        if _LEAVES.issuperset(map(type, items)):
            return count
        for item in items:
            if count > items_max:
                return count
            if type(item) not in _LEAVES:
                count = _count(item, count, items_max)
        return count
    return count if kind in _LEAVES else items_max + 1


def _size(value: Any) -> int:
    """Bytes of the deterministic encoding of a value that `_count` passed; negative: keys disagree.

    What is decoded without tags and indefinite lengths has that encoding exactly if it has its
    length: every longer head costs bytes. Cheaper than encoding again; lists of plain values,
    which are nearly all there are, are summed in one loop.
    """
    kind = type(value)
    if kind is dict:
        keys = list(value)
        if keys != sorted(keys) or (keys and keys[0] < 0):
            return -(1 << 32)
        return _head_size(len(keys)) + _size_of_all(keys) + _size_of_all(value.values())
    if kind is list:
        return _head_size(len(value)) + _size_of_all(value)
    return _size_of_all((value,))


def _size_of_all(values: Iterable[Any]) -> int:
    size = 0
    for value in values:
        kind = type(value)
        if kind is bytes:
            number = len(value)
            size += number
        elif kind is int:
            number = value if value >= 0 else -1 - value
        elif kind is str:
            number = len(value) if value.isascii() else len(value.encode())
            size += number
        elif kind is list or kind is dict:
            size += _size(value)
            continue
        else:
            number = 0
        size += 1 if number < 24 else _head_size(number)
    return size


def _head_size(number: int) -> int:
    if number < 24:
        return 1
    return 2 if number < 1 << 8 else 3 if number < 1 << 16 else 5 if number < 1 << 32 else 9


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

"""Damage that knows the format: values are changed inside their structure, then encoded.

A `Value` tree is damaged in one to three places, so that most of it still passes the
checks that come before the interesting one; only then, sometimes, the bytes themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import cbor2

Path = tuple[int, ...]

# Edges of every number of the protocol: lanes, types, lifetimes, clocks, heights, the disk's.
NUMBERS = (
    -(1 << 64), -(1 << 63), -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 23, 24, 255, 256, 400, 65_535,
    1 << 31, 1 << 32, (1 << 48) - 1, 1 << 48, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64,
    1 << 200,
)  # fmt: skip
# Lengths of nonces, ids, keys, signatures; and what is too long for anything.
LENGTHS = (0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 4_000, 16_385, 40_000)
TEXTS = ("", "a", "全", "all", "\x00", "é", "𩸽" * 141, "x" * 5_000, "\u202e", "ward:01")
BRANCH = 6
DEPTHS = (2, 15, 16, 17, 18, 200)


def strange_value(rng: random.Random) -> Any:
    """Any value that the codec can write, and some that it must not read."""
    match rng.randrange(9):
        case 0:
            return rng.choice(NUMBERS)
        case 1:
            return rng.randbytes(rng.choice(LENGTHS))
        case 2:
            return rng.choice(TEXTS)
        case 3:
            return rng.choice((None, True, False))
        case 4:
            return [strange_value(rng) for _ in range(rng.randrange(BRANCH))]
        case 5:
            return {rng.choice(NUMBERS): strange_value(rng) for _ in range(rng.randrange(3))}
        case 6:
            return rng.choice((0.0, 1.5, float("nan"), float("inf"), cbor2.undefined))
        case 7:
            return cbor2.CBORTag(rng.choice((0, 1, 2, 18, 24, 55_799)), strange_value(rng))
        case _:
            nested: Any = []
            for _ in range(rng.choice(DEPTHS)):
                nested = [nested]
            return nested


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a tree of lists."""
    yield path
    if type(value) is list:
        for at, item in enumerate(value):
            yield from places(item, (*path, at))


def damage(value: Any, rng: random.Random, donor: Any = None) -> Any:
    """A copy with one to three places damaged; `donor` lends parts of another structure."""
    damaged = [value]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        *above, at = (0, *rng.choice(list(places(damaged[0]))))
        damaged = _copy(damaged)
        parent: Any = damaged
        for step in above:
            parent = parent[step]
        parent[at] = _damaged(parent[at], rng, donor)
    return damaged[0]


def _copy(value: Any) -> Any:
    return [_copy(item) for item in value] if type(value) is list else value


def _damaged(value: Any, rng: random.Random, donor: Any) -> Any:
    if rng.random() < 0.25:
        return strange_value(rng)
    if donor is not None and rng.random() < 0.15:
        part = donor
        for step in rng.choice(list(places(donor))):
            part = part[step]
        return _copy(part)
    if type(value) is list:
        return _damaged_list(value, rng)
    if type(value) is bytes:
        return mangle(value, rng) if value else rng.randbytes(rng.choice(LENGTHS))
    if type(value) is int:
        return rng.choice((value + 1, value - 1, -value, value << 1, rng.choice(NUMBERS)))
    return strange_value(rng)


def _damaged_list(value: list[Any], rng: random.Random) -> list[Any]:
    at = rng.randrange(len(value) + 1)
    match rng.randrange(6):
        case 0:
            return value[:at]
        case 1:
            return value[:at] + value[at + 1 :]
        case 2:
            return [*value[:at], strange_value(rng), *value[at:]]
        case 3:
            return [*value, *value]
        case 4:
            return value[::-1]
        case _:
            return (value or [None]) * rng.choice((2, 399, 400, 401, 501, 2_000))


def mangle(data: bytes, rng: random.Random) -> bytes:
    """The same bytes with a few of them flipped, lost, repeated or put in."""
    mangled = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(mangled) + 1)
        until = min(len(mangled), at + rng.choice((1, 2, 8, 64)))
        match rng.randrange(6):
            case 0 if at < len(mangled):
                mangled[at] ^= 1 << rng.randrange(8)
            case 1:
                del mangled[at:until]
            case 2:
                mangled[at:at] = mangled[at:until]
            case 3:
                mangled[at:at] = rng.randbytes(rng.choice((1, 2, 9)))
            case 4:
                del mangled[at:]
            case _ if at < len(mangled):
                mangled[at] = rng.choice((0x00, 0x1B, 0x3B, 0x5F, 0x7F, 0x9F, 0xBF, 0xF7, 0xFF))
    return bytes(mangled)


def shrink(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """A shorter input that still fails: ever smaller pieces are left out (Zeller's ddmin)."""
    piece = max(len(data) // 2, 1)
    while True:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + piece :]
            if fails(shorter):
                data = shorter
            else:
                at += piece
        if piece == 1:
            return data
        piece = max(piece // 2, 1)

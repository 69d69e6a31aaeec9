"""What wards write in the first days: Japanese sentences of a ward's trade, all different.

Traffic is compressed on the wire, so a text that repeats itself would flatter every figure
of bytes: `ratio` tells what deflate makes of these texts alone, and `sealed_body` is the
other end, which nothing shortens.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.codec import encode
from meshrelay.desk import talk

# stack.md: peers are compared at 300-byte messages.
BODY_BYTES = 300

_VOCABULARY = Path(__file__).with_name("vocabulary.txt")


class Vocabulary(NamedTuple):
    """The words of vocabulary.txt by section."""

    towns: list[str]
    places: list[str]
    things: list[str]
    trades: list[str]
    states: list[str]
    ends: list[str]
    nouns: list[str]
    does: list[str]
    links: list[str]
    family: list[str]
    given: list[str]


def _read() -> Vocabulary:
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for line in _VOCABULARY.read_text("utf-8").splitlines():
        if line.startswith("["):
            words = sections[line.strip("[]")] = []
        elif not line.startswith("#"):
            words += line.split()
    return Vocabulary(**sections)


_WORDS = _read()


def text(number: int, dice: random.Random) -> str:
    """One message of the trade; `number` and the dice make it differ from every other."""
    pick = dice.choice
    parts = [f"第{number}報。"]
    while sum(len(part.encode()) for part in parts) < BODY_BYTES:
        town, place, thing = pick(_WORDS.towns), pick(_WORDS.places), pick(_WORDS.things)
        at = f"{dice.randrange(24)}時{dice.randrange(60)}分"
        kind = dice.randrange(8)
        if kind == 0:
            parts.append(f"{town}{place}に{thing}{dice.randrange(2, 900)}、{pick(_WORDS.ends)}。")
        elif kind == 1:
            parts.append(f"{at}、{town}{pick('一二三四五六')}丁目で{pick(_WORDS.states)}。")
        elif kind == 2:
            parts.append(f"{at}に{_name(dice)}{pick(_WORDS.trades)}が着任、{_clause(dice)}。")
        elif kind == 3:
            grown, young = dice.randrange(5, 700), dice.randrange(60)
            parts.append(f"{place}に{grown}名、乳幼児{young}名。")
        elif kind == 4:
            phone = f"06-{dice.randrange(6000, 7000)}-{dice.randrange(10000):04d}"
            parts.append(f"{_name(dice)}さん({phone})へ。")
        else:
            parts.append(f"{pick(_WORDS.links)}{_clause(dice)}、{_clause(dice)}。")
    return "".join(parts)


def _clause(dice: random.Random) -> str:
    return f"{dice.choice(_WORDS.nouns)}{dice.choice(_WORDS.nouns)}{dice.choice(_WORDS.does)}"


def _name(dice: random.Random) -> str:
    family, given = (dice.sample(kanji, 2) for kanji in (_WORDS.family, _WORDS.given))
    return "".join((*family, *given))


def body(number: int, dice: random.Random) -> bytes:
    """The body of a talk message, of 298 to 300 bytes."""
    room = BODY_BYTES - len(encode({1: ""})) - 2  # a text of 256 bytes or more has a longer head
    written = text(number, dice).encode()[:room].decode(errors="ignore")
    return talk.encode_body(written)


def sealed_body(number: int, dice: random.Random) -> bytes:
    """As many bytes that no compression shortens, as ciphertext or a photo's are.

    Still a talk message: what later versions append to a body is left alone.
    """
    head = f"第{number}報"
    room = BODY_BYTES - len(encode({1: head, 2: bytes(BODY_BYTES)})) + BODY_BYTES
    return encode({1: head, 2: dice.randbytes(room)})


def bodies(seed: int) -> Iterator[bytes]:
    """Endless bodies of the trade, numbered from 1."""
    dice = random.Random(seed)
    number = 0
    while True:
        number += 1
        yield body(number, dice)


def sealed_bodies(seed: int) -> Iterator[bytes]:
    """Endless bodies that cannot be compressed."""
    dice = random.Random(seed)
    number = 0
    while True:
        number += 1
        yield sealed_body(number, dice)


def ratio(seed: int, count: int = 150) -> float:
    """Deflated ÷ plain of a frame's worth of bodies."""
    made = bodies(seed)
    plain = b"".join(next(made) for _ in range(count))
    return len(zlib.compress(plain, 6)) / len(plain)

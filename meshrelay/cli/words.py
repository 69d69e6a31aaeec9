"""Six words for a file, so that two people can compare it over the phone.

Each word is a proquint (D. S. Wilkerson, arXiv:0901.4016): 16 bits as five letters,
consonants and vowels in turn, sayable in any language.
"""

from __future__ import annotations

from meshrelay.core.signing import hash32

WORDS = 6
_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


def six_words(data: bytes) -> str:
    """96 bits of the hash of `data`: enough that nobody can make another file for them."""
    digest = hash32(b"meshrelay/words/1", data)
    return " ".join(
        proquint(int.from_bytes(digest[2 * i : 2 * i + 2], "big")) for i in range(WORDS)
    )


def proquint(bits: int) -> str:
    """Five letters for 16 bits."""
    return (
        _CONSONANTS[bits >> 12]
        + _VOWELS[bits >> 10 & 3]
        + _CONSONANTS[bits >> 6 & 15]
        + _VOWELS[bits >> 4 & 3]
        + _CONSONANTS[bits & 15]
    )

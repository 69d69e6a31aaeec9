"""COSE_Sign1 in one profile: another key, context, network or byte does not verify."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.codec import decode, encode
from meshrelay.core.signing import SIGNATURE_BYTES, Signer, network_id, payload_of, verify1
from meshrelay.errors import FrameError, SignatureError

KITA, CHUO = Signer(b"k" * 32), Signer(b"c" * 32)
AAD = b"meshrelay/entry/1" + bytes(16)


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 16_000, 70_000])
def test_a_payload_of_any_length_comes_back(length: int) -> None:
    payload = bytes(length)

    assert verify1(KITA.sign1(payload, AAD), KITA.public, AAD) == payload


def test_the_bytes_are_an_untagged_cose_sign1() -> None:
    protected, unprotected, payload, signature = decode(KITA.sign1(b"x", AAD), 200)

    assert protected == encode({1: -8})
    assert unprotected == {}
    assert payload == b"x"
    assert len(signature) == SIGNATURE_BYTES


def test_signing_twice_gives_the_same_bytes() -> None:
    assert KITA.sign1(b"x", AAD) == KITA.sign1(b"x", AAD)


def test_another_key_does_not_verify() -> None:
    with pytest.raises(SignatureError, match="bad_signature"):
        verify1(KITA.sign1(b"x", AAD), CHUO.public, AAD)


def test_another_context_or_network_does_not_verify() -> None:
    cose = KITA.sign1(b"x", AAD)

    for other in (AAD[:-1] + b"\x01", b"meshrelay/author/1" + bytes(16), b"", AAD + b"\x00"):
        with pytest.raises(SignatureError):
            verify1(cose, KITA.public, other)


def test_context_and_payload_cannot_change_sides() -> None:
    with pytest.raises(SignatureError):
        verify1(KITA.sign1(b"network" + b"x", b"aad"), KITA.public, b"aad" + b"network")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 8 * 120 - 1))
def test_no_flipped_bit_verifies(bit: int) -> None:
    cose = bytearray(KITA.sign1(b"evacuate " * 4, AAD))
    bit %= 8 * len(cose)
    cose[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises((FrameError, SignatureError)):
        verify1(bytes(cose), KITA.public, AAD)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("tag 18", lambda cose: b"\xd2" + cose),
        ("nothing", lambda cose: b""),
        ("a header only", lambda cose: cose[:6]),
        ("cut", lambda cose: cose[:-1]),
        ("longer", lambda cose: cose + b"\x00"),
        ("an unprotected header", lambda cose: cose.replace(b"\x27\xa0", b"\x27\xa1\x04\x40", 1)),
        ("another algorithm", lambda cose: cose.replace(b"\xa1\x01\x27", b"\xa1\x01\x26", 1)),
        ("a payload head that is too long", lambda cose: cose[:6] + b"\x58\x01" + cose[7:]),
        ("a text as payload", lambda cose: cose[:6] + b"\x61" + cose[7:]),
    ],
)
def test_another_profile_is_malformed(what: str, change: object) -> None:
    cose = change(KITA.sign1(b"x", AAD))  # type: ignore[operator]

    with pytest.raises(FrameError) as refused:
        payload_of(cose)
    assert refused.value.reason == "malformed", what


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 33, bytes(32), b"\x01" + bytes(31)])
def test_no_odd_key_verifies_anything(key: bytes) -> None:
    with pytest.raises(SignatureError):
        verify1(KITA.sign1(b"x", AAD), key, AAD)


def test_a_network_is_named_by_its_authoritys_key() -> None:
    assert len(network_id(KITA.public)) == 16
    assert network_id(KITA.public) != network_id(CHUO.public)

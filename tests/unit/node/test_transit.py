"""The transit seal: who can open what, and what it costs."""

from __future__ import annotations

import pytest
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

from meshrelay.core.book import RecordBook
from meshrelay.errors import FrameError, LocalProtocolError
from meshrelay.node import transit
from meshrelay.node.identity import Box
from meshrelay.node.transit import TransitKeys
from tests.transit import box_of, seal_key, transit_key
from tests.unit.core.city import CHUO, KITA, NETWORK

TOPIC = f"meshrelay/1/{NETWORK.hex()}/from/to"
WORDS = "北区役所、全員無事です。".encode()
SEAL_BYTES_MAX = 48


def keys(*generations: int, signer: object = KITA, network: bytes = NETWORK) -> TransitKeys:
    """A node that holds the keys of these generations."""
    public = KITA.public if signer is KITA else CHUO.public
    book = RecordBook(network)
    for generation in generations:
        book.transit[public, generation] = seal_key(box_of(public.hex())[0], generation)
    return TransitKeys(book, public, Box(box_of(public.hex())[1]))


def refusal(of: TransitKeys, payload: bytes, topic: str = TOPIC) -> str:
    with pytest.raises(FrameError) as refused:
        of.open(payload, topic)
    return refused.value.reason


def test_every_node_of_the_network_opens_what_one_sealed() -> None:
    opened = keys(1, signer=CHUO).open(keys(1).seal(WORDS, TOPIC), TOPIC)

    assert opened == (WORDS, 1)


def test_the_seal_costs_at_most_48_bytes_a_publish() -> None:
    assert len(keys(1).seal(WORDS, TOPIC)) - len(WORDS) == transit.SEAL_BYTES <= SEAL_BYTES_MAX


def test_the_same_words_never_look_the_same() -> None:
    one = keys(1)
    assert len({one.seal(WORDS, TOPIC) for _ in range(100)}) == 100


def test_the_newest_key_seals_and_every_key_held_opens() -> None:
    behind, ahead = keys(1), keys(1, 2, signer=CHUO)

    assert ahead.newest == 2 and ahead.open(behind.seal(WORDS, TOPIC), TOPIC).generation == 1
    assert refusal(behind, ahead.seal(WORDS, TOPIC)) == "unknown_transit_key"
    assert behind.open(ahead.seal(WORDS, TOPIC, 1), TOPIC) == (WORDS, 1)


def test_the_bytes_are_those_of_the_protocol_page() -> None:
    """Built here from the page alone: generation, nonce, sealed under network id and topic."""
    nonce = bytes(range(24))
    aad = b"meshrelay/transit/1" + NETWORK + TOPIC.encode()
    sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(WORDS, aad, nonce, transit_key(1))

    assert keys(1).open(b"\x00\x00\x00\x01" + nonce + sealed, TOPIC) == (WORDS, 1)


def test_a_key_that_comes_later_is_used_at_once() -> None:
    book = RecordBook(NETWORK)
    node = TransitKeys(book, KITA.public, Box(box_of("kita")[1]))
    assert node.newest is None

    book.transit[KITA.public, 3] = seal_key(box_of("kita")[0], 3)
    assert node.newest == 3 and node.open(node.seal(WORDS, TOPIC), TOPIC) == (WORDS, 3)


def test_a_key_sealed_to_somebody_else_is_no_key() -> None:
    book = RecordBook(NETWORK)
    book.transit[CHUO.public, 1] = seal_key(box_of("kita")[0], 1)
    book.transit[KITA.public, 2] = seal_key(box_of("chuo")[0], 2)

    assert TransitKeys(book, KITA.public, Box(box_of("kita")[1])).newest is None


def test_without_a_key_nothing_is_sealed() -> None:
    for node, generation in ((keys(), None), (keys(1), 2)):
        with pytest.raises(LocalProtocolError):
            node.seal(WORDS, TOPIC, generation)


@pytest.mark.parametrize("at", [0, 3, 4, 27, 28, -17, -1])
def test_a_payload_with_one_bit_changed_is_refused(at: int) -> None:
    payload = bytearray(keys(1).seal(WORDS, TOPIC))
    payload[at] ^= 1

    expected = "unknown_transit_key" if 0 <= at < 4 else "bad_seal"
    assert refusal(keys(1), bytes(payload)) == expected


def test_a_payload_cut_anywhere_is_refused() -> None:
    payload, other = keys(1).seal(WORDS, TOPIC), keys(1)
    reasons = {refusal(other, payload[:length]) for length in range(len(payload))}

    assert reasons == {"bad_seal"}


def test_a_payload_is_bound_to_its_topic_and_its_network() -> None:
    payload = keys(1).seal(WORDS, TOPIC)

    assert refusal(keys(1), payload, TOPIC + "/all") == "bad_seal"
    assert refusal(keys(1, network=b"another network!"), payload) == "bad_seal"


def test_a_payload_that_comes_twice_is_refused_as_long_as_it_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transit, "REMEMBERED_MIN", 10)
    kita, chuo = keys(1), keys(1, signer=CHUO)
    first = kita.seal(WORDS, TOPIC)
    chuo.open(first, TOPIC)
    for _ in range(10):
        assert refusal(chuo, first) == "payload_replayed"
        chuo.open(kita.seal(WORDS, TOPIC), TOPIC)
    for _ in range(2 * 10):
        chuo.open(kita.seal(WORDS, TOPIC), TOPIC)

    assert len(chuo._seen) + len(chuo._seen_before) <= 2 * 10, "and no more than that"


def test_noise_does_not_push_out_what_is_remembered() -> None:
    kita, chuo = keys(1), keys(1, signer=CHUO)
    payload = kita.seal(WORDS, TOPIC)
    chuo.open(payload, TOPIC)
    for number in range(100):
        refusal(chuo, b"\0\0\0\1" + number.to_bytes(24, "big") + bytes(32))

    assert len(chuo._seen) == 1 and refusal(chuo, payload) == "payload_replayed"

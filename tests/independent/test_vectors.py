"""The golden vectors, read by the independent client's own reader."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import cbor2
import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from tests.independent.client import (
    AUTHOR_PART,
    SIGNED,
    Client,
    Signed,
    decode,
    encode,
    hash_of,
    payload_of,
    read_frame,
    unpack,
)

VECTORS = Path(__file__).parents[1] / "vectors"
unhex = bytes.fromhex


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


KEYS = load("keys")
NETWORK = unhex(KEYS["network"])
RECORDS = {unhex(each["id"]): unhex(each["raw"]) for each in load("records")}
ENTRIES = [Signed(unhex(each["raw"]), "entry") for each in load("entries")]
ENTRY_FIELDS = ("seq", "prev", "hlc", "quality", "lifetime_s", "kind", "author", "body")


def leaves(value: Any) -> str:
    """All that a structure holds, in order: what the vectors write as hex is compared as hex."""
    if isinstance(value, dict):
        return leaves([*value.values()])
    if isinstance(value, (list, tuple)):
        return "".join(map(leaves, value))
    return value.hex() if isinstance(value, bytes) else str(value)


# The client knows no proofs (type 7): their only refusal is not its own.
REFUSED = [each for each in load("refused") if each["what"] != "a proof of two equal entries"]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """The client with the issuer and a node of the vectors, and that node's key."""
    greeting = [raw for each in (1, 2) for raw in RECORDS.values() if decode(raw)[0] == each][:2]
    node = Signed(greeting[1]).fields[1]
    (seed,) = (each["seed"] for each in KEYS["ed25519"].values() if unhex(each["public"]) == node)
    (tmp_path / "node.key").write_text(seed, "ascii")
    return Client(tmp_path, greeting)


def full(client: Client) -> Client:
    """With all that the HAVE of the vectors states."""
    client.take([Signed(RECORDS[unhex(each)]) for each in load("have")["records"]])
    client.take(ENTRIES)
    return client


def test_hashes_and_signatures_are_made_alike(client: Client) -> None:
    for each in load("signing")["hash32"]:
        assert hash_of(unhex(each["of"])).hex() == each["is"]
    for each in load("signing")["sign1"]:
        client.key = SigningKey(unhex(each["seed"]))
        assert unhex(each["external_aad"]) == b"meshrelay/entry/1" + NETWORK
        assert client.sign("entry", unhex(each["payload"])).hex() == each["cose"]
        client.verify(unhex(each["cose"]), "entry", bytes(client.key.verify_key))
    assert client.network == NETWORK


def test_entries_say_the_same(client: Client) -> None:
    for each, entry in zip(load("entries"), ENTRIES, strict=True):
        assert entry.id.hex() == each["id"]
        assert leaves(entry.fields) == leaves([each["log"], *(str(each[n]) for n in ENTRY_FIELDS)])
        assert encode(entry.log).hex() == each["log_cbor"]
        assert hash_of(encode(entry.log)).hex() == each["first_prev"]
        assert payload_of(entry.raw).hex() == each["payload"]
        client.verify(entry.raw, "entry", entry.log[0])
        if author := entry.fields[9]:
            part = decode(payload_of(author), AUTHOR_PART)
            assert leaves(part) == leaves(each["author_part"])
            more = unhex(each["author_external_aad"]).removeprefix(b"meshrelay/author/1" + NETWORK)
            client.verify(author, "author", unhex(each["author_key"]), more)
    client.take([Signed(raw) for raw in RECORDS.values() if decode(raw)[0] in SIGNED])
    assert {client.authored(e) for e in ENTRIES if e.fields[9]} == {True}


def test_a_person_speaks_only_with_the_key_of_the_session(client: Client) -> None:
    client.take([Signed(raw) for raw in RECORDS.values() if decode(raw)[0] in SIGNED])
    for session in (each for each in client.known.values() if each.type == 5):
        session.fields[3] = client.me
    with pytest.raises(BadSignatureError):
        client.take(ENTRIES)


def test_a_line_of_a_have_is_a_receipt_if_its_head_is_ours(client: Client) -> None:
    heads = [client.append("read", encode(["all", []])).id for _ in range(3)]
    for height, head, receipt in ((1, heads[1], 0), (2, heads[1], 2), (1, heads[0], 2)):
        line = [*client.log, height, head]
        client.on_have([b"signer", b"", 1, [], 1, bytes(16), 0, [line]])
        assert client.receipts[b"signer"] == receipt


def test_values_nest_16_deep_at_most() -> None:
    decode(b"\x81" * 15 + b"\x80")
    with pytest.raises(ValueError, match="malformed"):
        decode(b"\x81" * 16 + b"\x80")


def test_records_say_the_same_and_their_chains_verify(client: Client) -> None:
    known = [each for each in load("records") if each["type"] in SIGNED]
    for each in known:
        record = Signed(unhex(each["raw"]))
        assert (record.type, record.id.hex()) == (each["type"], each["id"])
        assert leaves(record.fields) == leaves(each["content"])
    client.take([Signed(unhex(each["raw"])) for each in reversed(known)])  # parents last
    assert {each.id.hex() for each in client.known.values()} == {each["id"] for each in known}
    assert not client.waiting


def test_the_have_covers_what_it_states(client: Client) -> None:
    vector = load("have")
    have = Signed(unhex(vector["have"]["raw"]), "have")

    assert full(client).verified(have)
    others = ("raw", "health", "blobs")
    named = [value for name, value in vector["have"].items() if name not in others]
    assert leaves(have.fields[:10]) == leaves(named)
    assert leaves(have.fields[10]) == leaves(vector["have"]["health"])
    assert leaves(have.fields[11]) == leaves(vector["have"]["blobs"])
    blob = {name: unhex(value) for name, value in vector["blob"].items()}
    assert decode(blob["manifest"]) == [len(blob["content"]), hash_of(blob["content"])]
    assert hash_of(blob["manifest"]) == blob["id"]
    assert client.digest().hex() == vector["digest"]
    assert [leaves(client.head(e.log)) for e in ENTRIES[1:]] == [
        leaves([each["height"], each["head"]]) for each in vector["lines"]
    ]


# Nor any blob (types 11 to 13): who states none in its HAVEs is sent no frame about them.
FRAMES = [each for each in load("frames") if each["type"] <= 10]


@pytest.mark.parametrize("vector", FRAMES, ids=lambda vector: vector["name"])
def test_a_frame_says_the_same(vector: dict[str, Any]) -> None:
    kind, *fields = read_frame(unhex(vector["raw"]))
    for line in vector["fields"].get("lines", []):
        line["head"] = line["head"][:16]  # on the wire are its first 8 bytes
    if kind == 4:
        ages = cbor2.loads(zlib.decompress(fields[1], -15))[1]
        fields = [fields[0], [e.raw for e in unpack(fields[1])], ages]
    if kind == 5:
        fields = cbor2.loads(zlib.decompress(fields[0], -15))

    assert kind == vector["type"]
    assert leaves(fields) == leaves(vector["fields"])


def test_the_buckets_are_those_of_the_store(client: Client) -> None:
    (buckets,) = (each for each in load("frames") if each["name"] == "Buckets")

    assert [each.hex() for each in full(client).buckets()] == buckets["fields"]["digests"]


def read(client: Client, reader: str, raw: bytes) -> None:
    if reader in ("value", "frame"):
        decode(raw) if reader == "value" else read_frame(raw)
    else:
        client.take([Signed(raw, "entry" if reader == "entry" else "")])


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["what"])
def test_what_is_refused_is_refused_for_the_same_reason(
    client: Client, vector: dict[str, Any]
) -> None:
    with pytest.raises((ValueError, cbor2.CBORDecodeError, BadSignatureError)) as refused:
        read(full(client), vector["reader"], unhex(vector["raw"]))

    if isinstance(refused.value, BadSignatureError):
        reason = "bad_signature"
    elif isinstance(refused.value, cbor2.CBORDecodeError):
        reason = "malformed"
    else:
        reason = str(refused.value)
    assert reason == vector["reason"]

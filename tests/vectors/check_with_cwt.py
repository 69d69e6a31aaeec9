"""Verify our signatures with somebody else's COSE: run by `.venv-cwt/bin/python`.

Uses nothing of meshrelay: keys and bytes come from the golden vectors, each external_aad
is built here from the words of PROTOCOL.md. Our COSE_Sign1 is untagged; cwt wants tag 18
(0xd2). Exit 0: everything verifies and no flipped bit does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cbor2
import cwt
from cwt import COSE, COSEKey

HERE = Path(__file__).parent
TAG_18 = b"\xd2"
CONTEXTS = {
    1: b"issuer", 2: b"node", 3: b"staff", 4: b"binding", 5: b"session", 6: b"revocation",
    9: b"successor", 10: b"staff_revocation", 11: b"suspension", 12: b"ruling", 13: b"temporary",
    14: b"transit",
}  # fmt: skip
# cwt trusts what it decoded: a flipped bit may end in any of these.
REFUSALS = (cwt.CWTError, cbor2.CBORError, ValueError, TypeError, LookupError, AttributeError)

Signed = tuple[str, bytes, bytes, bytes]  # what, COSE_Sign1, public key, external_aad


def load(name: str):
    return json.loads((HERE / name).read_text("utf-8"))


def key_of(public: bytes):
    """OKP (1), curve Ed25519 (6), algorithm EdDSA (-8), key operation verify (2)."""
    return COSEKey.new({1: 1, 3: -8, 4: [2], -1: 6, -2: public})


def verify(cose: bytes, public: bytes, aad: bytes) -> bytes:
    return COSE.new().decode(TAG_18 + cose, key_of(public), external_aad=aad)


def entries(network: bytes, session: bytes) -> list[Signed]:
    """Each entry by its origin, each author part by the session key."""
    found = []
    for vector in load("entries.json"):
        raw = bytes.fromhex(vector["raw"])
        envelope = cbor2.loads(cbor2.loads(raw)[2])
        origin, _, lane, seq, *_ = envelope
        lifetime_s, kind, author = envelope[7], envelope[8], envelope[9]
        found.append((f"entry {kind} {seq}", raw, origin, b"meshrelay/entry/1" + network))
        if author:
            bound = cbor2.dumps([origin, lane, lifetime_s, kind], canonical=True)
            aad = b"meshrelay/author/1" + network + bound
            found.append((f"author part {kind} {seq}", author, session, aad))
    return found


def records(network: bytes) -> list[Signed]:
    """Each record under whoever must have signed it; a binding twice, one around the other."""
    found = []
    for vector in load("records.json"):
        kind, cose = cbor2.loads(bytes.fromhex(vector["raw"]))
        if "signers" not in vector:
            continue  # proofs and orphans are made of entries, which are checked above
        aad = b"meshrelay/record/" + CONTEXTS[kind] + b"/1" + network
        for signer in vector["signers"]:
            what = f"record {CONTEXTS[kind].decode()} by {signer[:8]}"
            found.append((what, cose, bytes.fromhex(signer), aad))
            cose = cbor2.loads(cose)[2]
    return found


def haves(network: bytes) -> list[Signed]:
    raw = bytes.fromhex(load("have.json")["have"]["raw"])
    return [("have", raw, cbor2.loads(cbor2.loads(raw)[2])[0], b"meshrelay/have/1" + network)]


def count_accepted(cose: bytes, public: bytes, aad: bytes) -> int:
    """How many of all single flipped bits still verify; must be none."""
    accepted = 0
    for bit in range(8 * len(cose)):
        altered = bytearray(cose)
        altered[bit // 8] ^= 1 << (bit % 8)
        try:
            verify(bytes(altered), public, aad)
        except REFUSALS:
            continue
        accepted += 1
    return accepted


def main() -> int:
    document = load("keys.json")
    network = bytes.fromhex(document["network"])
    keys = {name: bytes.fromhex(pair["public"]) for name, pair in document["ed25519"].items()}
    spoken = entries(network, keys["session"])
    everything = [*spoken, *records(network), *haves(network)]
    for what, cose, public, aad in everything:
        if verify(cose, public, aad) != cbor2.loads(cose)[2]:
            print(f"another payload: {what}")
            return 1
        for wrong in (aad[:-1] + bytes([aad[-1] ^ 1]), b""):
            try:
                verify(cose, public, wrong)
            except REFUSALS:
                continue
            print(f"verifies under another external_aad: {what}")
            return 1
    bits = 0
    for what, cose, public, aad in spoken:
        bits += 8 * len(cose)
        if accepted := count_accepted(cose, public, aad):
            print(f"{accepted} flipped bits still verify: {what}")
            return 1
    print(
        f"{len(everything)} signatures verify, {bits} flipped bits do not (cwt {cwt.__version__})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

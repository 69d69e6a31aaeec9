"""Forged, of another network, or out of its chain: nothing of it is stored, the node stays."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from meshrelay.core.codec import bstr_head, decode, encode
from meshrelay.core.entry import ENTRY_BYTES_MAX, Draft, entry_aad, make_entry
from meshrelay.core.records import (
    IssuerCredential,
    NodeCredential,
    Session,
    make_issuer,
    make_node,
    make_session,
)
from meshrelay.core.signing import SIGNATURE_BYTES, Signer, network_id, payload_of
from tests.forged.row import Row
from tests.forged.scene import RECORDS, Liar, Victim, frame_of, link_fate, records_frame
from tests.unit.core.city import CHUO, KITA, NETWORK, NISHINARI, node_record, person

SATO = person("1001", KITA)
NOBODY = Signer(b"nobody's key is on no list at all"[:32])
FOREIGN = b"another network!"
# Names that the frame or the record itself is refused by; the rest is PROTOCOL.md's table.
FRAME_FATE = {"not_entitled": True, "unknown_record": False}


class Forger(Liar):
    """One attack a method: the frame, and the names it may be refused by.

    KITA's key is real: whoever holds it can sign, but only as KITA and only in order.
    """

    def __init__(self, rng: random.Random, victim: Victim) -> None:
        super().__init__(rng)
        self.victim = victim
        self.held_log = self.log(KITA, 1)
        self.held = list(self.chain(KITA, self.held_log, 5))
        victim.attacked(frame_of(*(entry.raw for entry in self.held)))

    # Signatures

    def flipped_signature(self) -> tuple[bytes, set[str]]:
        raw = bytearray(self._fresh())
        raw[-1 - self.rng.randrange(SIGNATURE_BYTES)] ^= 1 << self.rng.randrange(8)
        return frame_of(bytes(raw)), {"bad_signature"}

    def altered_text(self) -> tuple[bytes, set[str]]:
        raw = self._fresh()
        at = raw.rindex("報".encode())
        return frame_of(raw[:at] + "嘘".encode() + raw[at + 3 :]), {"bad_signature"}

    def signed_by_another_node(self) -> tuple[bytes, set[str]]:
        return frame_of(self.entry(NISHINARI, self.log(KITA)).raw), {"bad_signature"}

    def signed_by_nobody(self) -> tuple[bytes, set[str]]:
        return frame_of(self.entry(NOBODY, self.log(KITA)).raw), {"bad_signature"}

    def of_nobody(self) -> tuple[bytes, set[str]]:
        return frame_of(self.entry(NOBODY, self.log(NOBODY)).raw), {"no_credential"}

    def signature_of_another_entry(self) -> tuple[bytes, set[str]]:
        raw = self._fresh()
        return frame_of(raw[:-SIGNATURE_BYTES] + self._fresh()[-SIGNATURE_BYTES:]), {
            "bad_signature"
        }

    def signed_in_another_context(self) -> tuple[bytes, set[str]]:
        context = self.rng.choice(["have", "author", "record/node", "record/session", "entry/2"])
        aad = f"meshrelay/{context}/1".encode() + NETWORK
        raw = KITA.sign1(payload_of(self._fresh()), aad)
        return frame_of(raw), {"bad_signature"}

    def signed_for_another_network(self) -> tuple[bytes, set[str]]:
        raw = self.entry(KITA, self.log(KITA), network=FOREIGN).raw
        return frame_of(raw), {"bad_signature"}

    def batch_of_another_network(self) -> tuple[bytes, set[str]]:
        network = self.rng.choice([FOREIGN, self.rng.randbytes(16)])
        raw = self.entry(KITA, self.log(KITA), network=network).raw
        return frame_of(raw, network=network), {"foreign_network"}

    # Chains

    def beyond_a_gap(self) -> tuple[bytes, set[str]]:
        seq = self.rng.choice([3, 7, 1 << 40, (1 << 63) - 1])
        raw = self.entry(KITA, self.log(KITA), seq, self.rng.randbytes(32)).raw
        return frame_of(raw), {"gap"}

    def first_with_a_wrong_prev(self) -> tuple[bytes, set[str]]:
        return frame_of(self.entry(KITA, self.log(KITA), 1, self.rng.randbytes(32)).raw), {
            "fork",
            "malformed",
        }

    def held_already(self) -> tuple[bytes, set[str]]:
        return frame_of(self.rng.choice(self.held).raw), {"replayed"}

    def batch_held_already(self) -> tuple[bytes, set[str]]:
        first = self.rng.randrange(len(self.held))
        return frame_of(*(entry.raw for entry in self.held[first:])), {"replayed"}

    def number_zero(self) -> tuple[bytes, set[str]]:
        return frame_of(self.entry(KITA, self.log(KITA), 0).raw), {"malformed"}

    def unsigned_second_branch(self) -> tuple[bytes, set[str]]:
        last = self.held[-1]
        raw = self.entry(NISHINARI, self.held_log, last.seq, last.prev).raw
        return frame_of(raw), {"bad_signature"}

    # Bytes

    def another_encoding(self) -> tuple[bytes, set[str]]:
        fields = encode(decode(payload_of(self._fresh()), ENTRY_BYTES_MAX))
        longer = b"\x98" + bytes([fields[0] & 31]) + fields[1:]  # the array's head in two bytes
        raw = KITA.sign1(longer, entry_aad(NETWORK))
        return frame_of(raw), {"malformed"}

    def second_payload_head(self) -> tuple[bytes, set[str]]:
        raw = self._fresh()
        payload = payload_of(raw)
        head = bstr_head(len(payload))
        longer = b"\x5a" + len(payload).to_bytes(4, "big")
        return frame_of(raw.replace(head + payload, longer + payload, 1)), {"malformed"}

    def oversize(self) -> tuple[bytes, set[str]]:
        log = self.log(KITA)
        body = bytes(ENTRY_BYTES_MAX + self.rng.randrange(20_000))
        draft = Draft(log.lane, "note", 60, b"", body)
        raw = make_entry(KITA, NETWORK, log, 1, log.first_prev, 1, 4, draft).raw
        return frame_of(raw), {"oversize"}

    # Records

    def forged_credential(self) -> tuple[bytes, set[str]]:
        content = node_record(KITA).content
        assert isinstance(content, NodeCredential)
        content = content._replace(key=NOBODY.public, serial=self.rng.randrange(1 << 31))
        return records_frame(make_node(NOBODY, NETWORK, content).raw), {"bad_signature"}

    def foreign_issuer(self) -> tuple[bytes, set[str]]:
        thief = Signer(self.rng.randbytes(32))
        issuer = IssuerCredential(thief.public, thief.public, 1, 1, "偽市", False)
        return records_frame(make_issuer(thief, NETWORK, issuer).raw), {"foreign_network"}

    def session_of_a_stranger(self) -> tuple[bytes, set[str]]:
        content = Session(SATO.binding.id, SATO.staff.id, KITA.public, NOBODY.public, 2)
        forged = make_session(Signer(self.rng.randbytes(32)), NETWORK, content)
        return records_frame(forged.raw), {"bad_signature"}

    def credential_by_no_issuer(self) -> tuple[bytes, set[str]]:
        content = node_record(KITA).content
        assert isinstance(content, NodeCredential)
        content = content._replace(issuer=SATO.staff.id, serial=self.rng.randrange(1 << 31))
        return records_frame(make_node(SATO.card, NETWORK, content).raw), {"not_entitled"}

    def _fresh(self) -> bytes:
        return self.entry(KITA, self.log(KITA)).raw


Attack = Callable[[Forger], tuple[bytes, set[str]]]
ATTACKS: dict[str, Attack] = {
    name: attack
    for name, attack in vars(Forger).items()
    if not name.startswith("_") and callable(attack)
}
# What is asked for by itself, so many times each (issue: forged, replayed, foreign).
GROUPS: dict[str, tuple[str, ...]] = {
    "forged": (
        "flipped_signature", "altered_text", "signed_by_another_node", "signed_by_nobody",
        "of_nobody", "signature_of_another_entry", "signed_in_another_context",
        "unsigned_second_branch", "forged_credential", "session_of_a_stranger",
        "credential_by_no_issuer",
    ),
    "replayed": ("held_already", "batch_held_already"),
    "foreign": ("signed_for_another_network", "batch_of_another_network", "foreign_issuer"),
}  # fmt: skip


def run(cases: int, seed: int, directory: Path, only: str = "") -> Row:
    """Each attack (of one group) in turn, on a link of its own; then an honest entry must
    still get in."""
    name = only or "forged, foreign, out of chain"
    row = Row(name, "0 stored, link as PROTOCOL.md, node stays", seed)
    assert network_id(NOBODY.public) != NETWORK
    fate = FRAME_FATE | link_fate()
    rng = random.Random(f"refused {seed}")
    victim = Victim(directory, [*RECORDS, *SATO.records])
    forger = Forger(rng, victim)
    honest = victim.stored()
    row.expect(honest == len(forger.held), "the honest beginning was not stored")
    records = len(victim.machine.book.by_id)
    names = GROUPS[only] if only else [*ATTACKS]
    for number in range(cases):
        name = names[number % len(names)]
        data, expected = ATTACKS[name](forger)
        refused, closed = victim.attacked(data)
        row.cases += 1
        row.counts[refused[0] if refused else "not refused"] += 1
        where = f"case {number} ({name})"
        row.expect(bool(refused) and set(refused) <= expected, f"{where}: refused {refused}")
        if refused:
            row.expect(closed == refused * fate.get(refused[0], False), f"{where}: closed {closed}")
    row.counts["stored"] = victim.stored() - honest
    row.expect(victim.stored() == honest, f"{victim.stored() - honest} forged entries stored")
    row.expect(len(victim.machine.book.by_id) == records, "a forged record was taken")
    last = forger.held[-1]
    victim.attacked(frame_of(forger.entry(KITA, forger.held_log, last.seq + 1, last.id).raw))
    victim.attacked(frame_of(forger.entry(NISHINARI, forger.log(NISHINARI)).raw))
    row.expect(victim.stored() == honest + 2, "an honest entry no longer gets in")
    row.expect(CHUO.public == victim.machine.me, "the victim is 中央区")
    victim.close()
    return row

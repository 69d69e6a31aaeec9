"""Revoked nodes and forked logs: what they sign above the end has no effect and moves no log.

西成区's key is stolen and revoked, 本部's node has forked one log; both go on signing, also for
people whose sessions are open on them. 北区's log goes on undisturbed beside them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.codec import encode
from meshrelay.core.entry import Entry, LogId, make_entry
from meshrelay.core.records import ORPHAN, Revocation, make_proof, make_revocation
from meshrelay.core.signing import Signer
from meshrelay.core.vector import Line
from tests.forged.powerless import HONEST_EVERY, POWERLESS, Pretender
from tests.forged.row import Row
from tests.forged.scene import RECORDS, Victim, frame_of, records_frame
from tests.unit.core.city import HQ, ISSUER, ISSUER_RECORD, KITA, NETWORK, NISHINARI, PT_MS, person

SATO = person("1001", KITA)
TANAKA = person("1003", NISHINARI, serial=2)
MAYOR = person("0001", HQ, serial=3, roles=("hq",))
PEOPLE = {NISHINARI.public: TANAKA, HQ.public: MAYOR, KITA.public: SATO}
HEIGHT, END = 5, 3


class Sent(NamedTuple):
    """An attack: the frame, the entry in it, and the reasons that its verdict may have."""

    frame: bytes
    entry: Entry
    reasons: set[str]


class Thief(Pretender):
    """Holds the node keys of 西成区 and 本部, and the sessions that were open there."""

    def __init__(self, rng: random.Random, victim: Victim) -> None:
        super().__init__(rng)
        self.victim = victim
        self.revoked = self._honest_log(NISHINARI)
        self.forked = self._honest_log(HQ)
        for entries in (self.revoked, self.forked):
            victim.attacked(frame_of(*(entry.raw for entry in entries)))

    def end(self) -> None:
        """The authority revokes one log at its END; a fork of the other is proved above it."""
        head = self.revoked[END - 1]
        line = Line(head.log, head.seq, head.id)
        revocation = Revocation(ISSUER_RECORD.id, NISHINARI.public, [line])
        self.victim.attacked(records_frame(make_revocation(ISSUER, NETWORK, revocation).raw))
        before, ours = self.forked[END - 1 : END + 1]
        theirs = self.words(HQ, before.log, before.seq + 1, before.id)
        self.victim.attacked(records_frame(make_proof(ours, theirs).raw))

    def words(self, origin: Signer, log: LogId, seq: int, prev: bytes) -> Entry:
        """Fresh words of whoever is logged in there, at that place."""
        written = self.said(PEOPLE[origin.public], "talk", 1, origin=origin)
        return make_entry(origin, NETWORK, log, seq, prev, PT_MS + seq << 16, 4, written.draft)

    def _honest_log(self, origin: Signer) -> list[Entry]:
        log, entries = self.log(origin, 1), list[Entry]()
        for seq in range(1, HEIGHT + 1):
            prev = entries[-1].id if entries else log.first_prev
            entries.append(self.words(origin, log, seq, prev))
        return entries

    # Attacks

    def revoked_log_goes_on(self) -> Sent:
        last = self.revoked[-1]
        entry = self.words(NISHINARI, last.log, HEIGHT + 1, last.id)
        return Sent(frame_of(entry.raw), entry, {"revoked"})

    def revoked_log_goes_on_from_its_end(self) -> Sent:
        last = self.revoked[END - 1]
        entry = self.words(NISHINARI, last.log, END + 1, last.id)
        return Sent(frame_of(entry.raw), entry, {"revoked"})

    def revoked_node_opens_another_log(self) -> Sent:
        log = self.log(NISHINARI, 1)
        entry = self.words(NISHINARI, log, 1, log.first_prev)
        return Sent(frame_of(entry.raw), entry, {"revoked"})

    def revoked_node_speaks_for_itself(self) -> Sent:
        entry = self.entry(NISHINARI, self.log(NISHINARI))
        return Sent(frame_of(entry.raw), entry, {"not stored"})

    def forked_log_goes_on(self) -> Sent:
        last = self.forked[-1]
        entry = self.words(HQ, last.log, HEIGHT + 1, last.id)
        return Sent(frame_of(entry.raw), entry, {"fork"})

    def forked_log_goes_on_from_its_end(self) -> Sent:
        last = self.forked[END - 1]
        entry = self.words(HQ, last.log, END + 1, last.id)
        return Sent(frame_of(entry.raw), entry, {"fork"})

    def handed_in_as_an_orphan(self) -> Sent:
        log = self.log(NISHINARI, 1)
        entry = self.words(NISHINARI, log, 1, log.first_prev)
        return Sent(records_frame(encode([ORPHAN, entry.raw])), entry, {"revoked"})

    def orphan_of_a_log_without_an_end(self) -> Sent:
        """Out of its place in an honest log: it has to come there, or not at all."""
        log = self.log(KITA, 1)
        entry = self.words(KITA, log, 7, self.rng.randbytes(32))
        return Sent(records_frame(encode([ORPHAN, entry.raw])), entry, {"not stored"})

    def orphan_of_nobody(self) -> Sent:
        nobody = Signer(self.rng.randbytes(32))
        log = self.log(nobody, 1)
        written = self.said(SATO, "talk", 1, origin=nobody)
        entry = make_entry(nobody, NETWORK, log, 1, log.first_prev, PT_MS << 16, 4, written.draft)
        return Sent(records_frame(encode([ORPHAN, entry.raw])), entry, {"not stored"})


Attack = Callable[[Thief], Sent]
_TOOLS = {"end", "words"}
ATTACKS: dict[str, Attack] = {
    name: attack
    for name, attack in vars(Thief).items()
    if not name.startswith("_") and name not in _TOOLS and callable(attack)
}


def run(cases: int, seed: int, directory: Path) -> Row:
    """Both logs end; then all attacks in turn, an honest entry of 北区 now and then."""
    row = Row("revoked, forked, orphaned", "0 effective, 0 logs moved or stopped", seed)
    people = [*SATO.records, *TANAKA.records, *MAYOR.records]
    victim = Victim(directory, [*RECORDS, *people])
    thief = Thief(random.Random(f"ended {seed}"), victim)
    row.expect(victim.stored_effective() == 2 * HEIGHT, "the honest beginning is not effective")
    thief.end()
    row.expect(victim.stored_effective() == 2 * END, "what stood above the ends is effective")
    names = [*ATTACKS]
    sent: list[tuple[str, Sent]] = []
    honest: list[Entry] = []
    for number in range(cases):
        name = names[number % len(names)]
        sent.append((name, ATTACKS[name](thief)))
        victim.attacked(sent[-1][1].frame, peer=NISHINARI)
        if number % HONEST_EVERY == 0:
            honest.append(thief.put(thief.said(SATO)))
            victim.attacked(frame_of(honest[-1].raw))
    row.cases = cases
    found = dict(victim.verdicts())
    for name, each in sent:
        state, reason = found.get(each.entry.id, ("not stored", "not stored"))
        row.counts[reason if state == "refused" else state] += 1
        row.expect(state in {*POWERLESS, "not stored"}, f"{name}: {state}")
        row.expect(reason in each.reasons, f"{name}: {state} {reason}")
    row.expect(
        all(found.get(entry.id, ("",))[0] == "effective" for entry in honest),
        "an honest entry is not effective",
    )
    row.expect(victim.height(honest[-1].log) == len(honest), "an honest log was stopped")
    for entries in (thief.revoked, thief.forked):
        height = victim.height(entries[0].log)
        row.expect(height == END, f"an ended log stands at {height}, not {END}")
    row.counts["effective"] = victim.stored_effective() - 2 * END - len(honest)
    row.expect(row.counts["effective"] == 0, f"{row.counts['effective']} effective")
    victim.close()
    return row

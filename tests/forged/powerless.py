"""Signed by a node of the network and in order, but not entitled: stored, and without effect.

Such entries must not stop their log: level B refuses what an entry may do, never its place.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.entry import (
    AuthorPart,
    Draft,
    Entry,
    LogId,
    make_entry,
    sign_author_part,
)
from meshrelay.core.records import StaffRevocation, make_staff_revocation
from meshrelay.core.signing import Signer
from meshrelay.desk import receipts
from tests.forged.row import Row
from tests.forged.scene import RECORDS, Liar, Victim, frame_of
from tests.unit.core.city import (
    AUTHORITY,
    ISSUER,
    ISSUER_RECORD,
    KITA,
    LIFETIME_S,
    NETWORK,
    NISHINARI,
    PT_MS,
    Person,
    person,
)

SATO = person("1001", KITA)
MAYOR = person("0001", NISHINARI, serial=2, roles=("hq",))
STRANGER = person("9999", KITA, serial=3)  # whose records nobody has
LEAVER = person("1004", KITA, serial=4, roles=("staff", "instructor"))
INSTRUCTOR = person("1005", KITA, serial=5, roles=("instructor",))
REGISTRAR = person("1006", KITA, serial=6, roles=("registrar",))
FORMER = person("0002", KITA, serial=7, roles=("hq",))  # the mayor before
REVOCATIONS = [
    make_staff_revocation(by, NETWORK, StaffRevocation(ISSUER_RECORD.id, who.staff.id, []))
    for by, who in ((ISSUER, LEAVER), (AUTHORITY, FORMER))
]
# An honest entry after so many, so that "effective" is not simply never counted.
HONEST_EVERY = 100
PER_FRAME = 25
TEXT = "全員に避難を命じます".encode()


class Written(NamedTuple):
    """What goes into the log of 北区 next."""

    lane: int
    kind: str
    lifetime_s: int
    author: bytes
    body: bytes

    @property
    def draft(self) -> Draft:
        return Draft(*self)


class Pretender(Liar):
    """Holds 北区's node key and what its people signed elsewhere, but nobody else's keys."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.logs = {lane: self.log(KITA, lane) for lane in range(4)}
        self.heads: dict[LogId, tuple[int, bytes]] = {}

    def put(self, written: Written) -> Entry:
        """The next entry of the log of that lane."""
        log = self.logs[written.lane]
        seq, prev = self.heads.get(log, (0, log.first_prev))
        hlc = PT_MS + seq << 16
        entry = make_entry(KITA, NETWORK, log, seq + 1, prev, hlc, 4, written.draft)
        self.heads[log] = (entry.seq, entry.id)
        return entry

    def said(
        self, who: Person, kind: str = "talk", lane: int = 1, *, origin: Signer = KITA,
        lifetime_s: int = LIFETIME_S, body: bytes = TEXT, key: Signer | None = None,
    ) -> Written:  # fmt: skip
        """What `who` signed, for exactly this envelope."""
        part = AuthorPart(self.rng.randbytes(16), who.session.id, PT_MS, 4, 1, "all", "要約", body)
        author = sign_author_part(
            key or who.signer, NETWORK, origin.public, lane, lifetime_s, kind, part
        )
        return Written(lane, kind, lifetime_s, author, b"")

    # Attacks: what comes back, and the state or reason that the verdict must have

    def out_of_role(self) -> tuple[Written, str]:
        who = self.rng.choice([SATO, INSTRUCTOR, REGISTRAR])
        return self.said(who, "order", 0), "role"

    def in_a_lane_of_its_own_choice(self) -> tuple[Written, str]:
        return self.said(SATO, "talk", self.rng.choice([0, 2, 3])), "lane"

    def replayed_from_another_origin(self) -> tuple[Written, str]:
        return self.said(SATO, origin=NISHINARI), "author_signature"

    def replayed_in_another_lane(self) -> tuple[Written, str]:
        lane = self.rng.choice([0, 2, 3])
        return self.said(SATO)._replace(lane=lane), "author_signature"

    def replayed_with_a_longer_life(self) -> tuple[Written, str]:
        longer = LIFETIME_S + 1 + self.rng.randrange(86_400)
        return self.said(SATO)._replace(lifetime_s=longer), "author_signature"

    def replayed_as_another_kind(self) -> tuple[Written, str]:
        talk = self.said(SATO, "talk", self.rng.choice([0, 1]))
        return talk._replace(kind="order"), "author_signature"

    def session_of_another_node(self) -> tuple[Written, str]:
        """The mayor logged in at 西成区; 北区 has got hold of that session key."""
        return self.said(MAYOR, "order", 0), "session_of_another_node"

    def session_key_of_somebody_else(self) -> tuple[Written, str]:
        return self.said(SATO, key=MAYOR.signer), "author_signature"

    def revoked_person(self) -> tuple[Written, str]:
        return self.said(LEAVER), "staff_revoked"

    def revoked_hq(self) -> tuple[Written, str]:
        return self.said(FORMER, "order", 0), "staff_revoked"

    def reader_who_was_never_there(self) -> tuple[Written, str]:
        """西成区's mayor is said to have read something at 北区."""
        return self._read("0001", MAYOR.session.id), "session_of_another_node"

    def reader_by_the_session_of_somebody_else(self) -> tuple[Written, str]:
        return self._read("0001", SATO.session.id), "session_of_another_person"

    def reader_of_a_session_that_nobody_knows(self) -> tuple[Written, str]:
        return self._read("1001", self.rng.randbytes(32)), "session"

    def _read(self, staff_id: str, session: bytes) -> Written:
        seq = 1 + self.rng.randrange(1 << 20)
        body = receipts.encode_body("all", [(receipts.Who(staff_id, session), self.logs[1], seq)])
        return Written(2, receipts.NAME, 60, b"", body)

    def session_that_nobody_knows(self) -> tuple[Written, str]:
        return self.said(STRANGER), "session"

    def kind_of_a_later_version(self) -> tuple[Written, str]:
        return self.said(SATO, "triage"), "triage"

    def kind_of_a_later_version_by_the_node(self) -> tuple[Written, str]:
        return Written(self.rng.randrange(4), "gauge", 60, b"", TEXT), "gauge"

    def person_as_a_node(self) -> tuple[Written, str]:
        return self.said(SATO, "note"), "not_a_persons_kind"

    def node_as_a_person(self) -> tuple[Written, str]:
        return Written(1, "talk", 60, b"", TEXT), "unsigned"

    def no_author_part(self) -> tuple[Written, str]:
        return Written(1, "talk", 60, self.rng.randbytes(90), b""), "author_malformed"

    def body_that_says_nothing(self) -> tuple[Written, str]:
        return self.said(SATO, body=b""), "empty"


Attack = Callable[[Pretender], tuple[Written, str]]
_TOOLS = {"put", "said"}
ATTACKS: dict[str, Attack] = {
    name: attack
    for name, attack in vars(Pretender).items()
    if not name.startswith("_") and name not in _TOOLS and callable(attack)
}
# What is asked for by itself, so many times each (issue: revoked, out of role, replayed).
GROUPS: dict[str, tuple[str, ...]] = {
    "revoked": ("revoked_person", "revoked_hq"),
    "out_of_role": ("out_of_role",),
    "replayed_part": (
        "replayed_from_another_origin", "replayed_in_another_lane", "replayed_with_a_longer_life",
        "replayed_as_another_kind",
    ),
    "readers": (
        "reader_who_was_never_there", "reader_by_the_session_of_somebody_else",
        "reader_of_a_session_that_nobody_knows",
    ),
}  # fmt: skip


def run(cases: int, seed: int, directory: Path, only: str = "") -> Row:
    """All attacks (of one group) in turn in four logs of 北区, an honest entry among them now
    and then."""
    row = Row(only or "out of role, replayed, unknown", "0 effective, 0 logs stopped", seed)
    rng = random.Random(f"powerless {seed}")
    people = (SATO, MAYOR, LEAVER, INSTRUCTOR, REGISTRAR, FORMER)
    known = [record for who in people for record in who.records]
    victim = Victim(directory, [*RECORDS, *known, *REVOCATIONS])
    pretender = Pretender(rng)
    names = GROUPS[only] if only else [*ATTACKS]
    expected: dict[bytes, tuple[str, str]] = {}
    honest: set[bytes] = set()
    number = 0
    while number < cases:
        batch: dict[int, list[bytes]] = {}
        for _ in range(min(PER_FRAME, cases - number)):
            name = names[number % len(names)]
            written, reason = ATTACKS[name](pretender)
            entry = pretender.put(written)
            expected[entry.id] = (name, reason)
            batch.setdefault(written.lane, []).append(entry.raw)
            number += 1
            if number % HONEST_EVERY == 0 or number == cases:
                good = pretender.put(pretender.said(SATO))
                honest.add(good.id)
                batch.setdefault(1, []).append(good.raw)
        for raws in batch.values():
            refused, closed = victim.attacked(frame_of(*raws))
            row.expect(not refused and not closed, f"a log was stopped: {refused} {closed}")
    row.cases = number
    _compare(row, victim, pretender, expected, honest)
    victim.close()
    return row


def _compare(
    row: Row,
    victim: Victim,
    pretender: Pretender,
    expected: dict[bytes, tuple[str, str]],
    honest: set[bytes],
) -> None:
    """What the store says of every entry, and how far the logs got."""
    verdicts = dict(victim.verdicts())
    for entry_id, (name, reason) in expected.items():
        found = verdicts.get(entry_id, ("not stored", ""))
        row.counts[f"{found[0]}: {found[1]}"] += 1
        row.expect(found[0] in POWERLESS and found[1] == reason, f"{name}: {found}")
    for entry_id in honest:
        found = verdicts.get(entry_id, ("not stored", ""))
        row.counts["honest, effective"] += found[0] == "effective"
        row.expect(found[0] == "effective", f"an honest entry: {found}")
    for log, (height, _) in pretender.heads.items():
        held = victim.height(log)
        row.expect(held == height, f"the log of lane {log.lane} stopped at {held} of {height}")
    row.counts["effective"] = victim.stored_effective() - len(honest)
    row.expect(row.counts["effective"] == 0, f"{row.counts['effective']} effective")


POWERLESS = {"waiting", "unknown kind", "refused"}

"""What must hold in every world: one function each, named as in the design.

I7 (bounded) and I9 (confidential) are about disks and sealed bodies: not here. Liars are
left out of everything that honest nodes must share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshrelay.core.clock import AHEAD_MS_MAX, EXPIRED, VALID, age_now, ms_of, validity
from meshrelay.core.entry import LogId
from meshrelay.core.events import CloseLink, Commit, Effect, Event, ReadEntries, Received, Refused
from meshrelay.core.gaps import lacks, to_fill
from meshrelay.core.serving import BULK_LANES, TEXT_LANES, URGENT_LANES
from meshrelay.core.verdict import WAITING
from tests.sim.disk import NOBODYS

if TYPE_CHECKING:
    from tests.sim.cables import Cable
    from tests.sim.ward import Ward
    from tests.sim.world import World

HELLO_ROUND_MS = 30_000
# Beyond diameter × 30 s: a lost WANT's lease, records asked at most a minute apart, transfer.
TRANSFER_MS = 90_000
# A liar may hold a log for its fruitless leases before the next announcer is asked.
LIARS_MS = 60_000
# The counter of a stamp may run over its millisecond.
STAMP_MS = 10
# What no clock sees: a frame on a stalled cable, and seconds cut off at each hop.
TRANSIT_S = 25
# On one cable, for each ward of the city: a hub tells each of what all the others wrote.
FRAMES_PER_S_MAX = 400
# Trusted clocks may be this far apart: set by hand, and a stamp that followed another's.
CLOCK_S = 160


class Broken(AssertionError):
    """An invariant does not hold."""


def no_flood(cable: Cable, now_ms: int) -> None:
    """Nobody asks and answers the same without end: a line without limits shows it at once."""
    if cable.second != now_ms // 1_000:
        cable.second, cable.frames = now_ms // 1_000, 0
    cable.frames += 1
    if cable.frames > FRAMES_PER_S_MAX * len(cable.a.world.wards):
        raise Broken(f"{cable.a.name} and {cable.b.name} flood each other")


def i1_accepted_survives(world: World) -> None:
    """Whatever was answered is on every honest disk after the calm, unless all its disks died."""
    held = {ward: ward.disk.ids() for ward in world.honest}
    for ward in world.honest:
        for entry in ward.accepted:
            stolen = entry.log.origin == world.stolen and not entry.author
            if entry.id in world.excused or stolen:
                continue
            for other, ids in held.items():
                dropped = lacks(other.disk.gaps.get(entry.log, ()), entry.seq)
                survives = dropped and any(entry.id in ids for ids in held.values())
                if entry.id not in ids and not survives:
                    raise Broken(
                        f"I1: {other.name} lacks {ward.name} lane {entry.log.lane} seq {entry.seq}"
                    )


def i1_archived_before_dropped(world: World, ward: Ward, log: LogId, upto: int) -> None:
    """What a ward drops for space is on an archive's disk at that moment."""
    archives = [
        other.disk
        for other in world.honest
        if ward.machine is not None and ward.machine._state.is_archive(other.signer.public)
    ]
    for seq, row in ward.disk.logs[log].items():
        if seq <= upto and not any(disk.at(log, seq) == row.entry.id for disk in archives):
            raise Broken(f"I1: {ward.name} drops seq {seq}, which no archive holds")


def i2_only_verified(world: World) -> None:
    """Every stored entry is of an enrolled node and continues the one before it."""
    for ward in world.honest:
        if ward.machine is None:
            continue
        for log, rows in ward.disk.logs.items():
            if log.origin not in ward.machine.book.nodes:
                raise Broken(f"I2: {ward.name} holds a log of a stranger")
            prev, seq = log.first_prev, 1
            ends = {gap.low: gap for gap in ward.disk.gaps.get(log, ())}
            while seq <= ward.disk.lines[log].height:
                gap = ends.get(seq - 1)
                if gap is not None:
                    if gap.low_id != prev:
                        raise Broken(f"I2: {ward.name} has a gap that follows nothing")
                    prev, seq = gap.high_id, gap.high + 1
                    continue
                row = rows.get(seq)
                if row is None or row.entry.prev != prev:
                    raise Broken(f"I2: {ward.name} has a broken chain at seq {seq}")
                prev, seq = row.entry.id, seq + 1


def i3_converged_in_time(world: World, took_ms: int) -> None:
    """Connected long enough, all are equal: diameter × 30 s and the transfer."""
    bound_ms = world.diameter() * HELLO_ROUND_MS + TRANSFER_MS
    bound_ms += LIARS_MS if world.options.liars else 0
    if took_ms > bound_ms:
        raise Broken(f"I3: equal only after {took_ms} ms, at most {bound_ms}")


def i3_all_equal(world: World) -> None:
    """After the calm all stores are equal, and stay so."""
    if not world.is_level():
        raise Broken("I3: stores differ")


def i3_nothing_hidden(world: World) -> None:
    """No message waits for a record that another honest ward holds."""
    machines = [ward.machine for ward in world.honest if ward.machine is not None]
    for ward in world.honest:
        for row in ward.disk.rows():
            missing = row.missing or b""
            known = any(missing in machine.book for machine in machines)
            seq = row.entry.seq
            if row.state == WAITING and known:
                raise Broken(f"I3: {ward.name} hides an entry {seq} whose record is in reach")
            ended = row.reason == NOBODYS.reason
            verdict = ward.machine.judge(row.entry) if ward.machine is not None else None
            if verdict is not None and not ended and verdict.state != row.state:
                raise Broken(f"I3: {ward.name} shows entry {seq} by an old verdict")


def i3_gaps_filled(world: World) -> None:
    """No log lacks what it wants and an honest neighbour holds."""
    for ward in world.honest:
        for log, gaps in ward.disk.gaps.items():
            gap = to_fill(gaps)
            if gap is None:
                continue
            cables = world.cables.of(ward)
            for other in (cable.b if cable.a is ward else cable.a for cable in cables):
                if other.is_honest and other.disk.at(log, gap.high) is not None:
                    raise Broken(f"I3: {ward.name} lacks seq {gap.high}, which {other.name} has")


def i4_once(world: World) -> None:
    """No disk holds an entry twice."""
    for ward in world.honest:
        ids = [row.entry.id for row in ward.disk.rows()]
        if len(ids) != len(set(ids)):
            raise Broken(f"I4: {ward.name} holds an entry twice")


def i5_no_fork(world: World) -> None:
    """One entry per log and seq, everywhere and for ever; correct nodes never fork."""
    by_key = {ward.signer.public: ward for ward in world.wards}
    for log in world.forks:
        if log.origin != world.stolen:
            raise Broken(f"I5: {by_key[log.origin].name} signed two entries with one number")
    for ward in world.honest:
        for log, rows in ward.disk.logs.items():
            gaps = ward.disk.gaps.get(log, ())
            if ward.disk.lines[log].height != len(rows) + sum(g.high - g.low for g in gaps):
                raise Broken(f"I5: {ward.name} has a hole in a log of {len(rows)}")
        proofs = ward.machine.book.proofs if ward.machine is not None else {}
        if any(log.origin != world.stolen for log in proofs):
            raise Broken(f"I5: {ward.name} holds a proof against an honest node")


def i5_both_texts_survive(world: World) -> None:
    """A fork by a stolen key ends the log everywhere; what people wrote on both sides is kept.

    What the node wrote on its side is in I1: `accepted`.
    """
    places: dict[tuple[LogId, int], bytes] = {}
    forked: dict[LogId, None] = {}  # both branches are here
    for ward in world.honest:
        for row in ward.disk.rows():
            entry = row.entry
            if places.setdefault((entry.log, entry.seq), entry.id) != entry.id:
                forked[entry.log] = None
    for ward in world.honest:
        ids = ward.disk.ids()
        for entry in world.forged:
            if entry.id not in ids and entry.id not in world.excused:
                raise Broken(f"I5: {ward.name} lost the text of the other branch, seq {entry.seq}")
        if ward.machine is None:
            continue
        for log in forked:
            held = ward.machine.vector.lines.get(log)
            end = ward.machine.book.end_of(log)
            if end is None or (held is not None and held.height > end.height):
                raise Broken(f"I5: {ward.name} goes on with a forked log")


def i6_urgent_first(ward: Ward, effect: ReadEntries) -> None:
    """While urgent waits on a link, no batch of a later lane starts before it."""
    link = ward.machine.links.get(effect.link) if ward.machine is not None else None
    if ward.machine is None or link is None:
        return
    groups: tuple[tuple[int, ...], ...] = (URGENT_LANES, TEXT_LANES, BULK_LANES)
    before = next(n for n, group in enumerate(groups) if effect.log.lane in group)
    lanes = [lane for group in groups[:before] for lane in group]
    for log, following in link.standing.items():
        end = ward.machine.book.end_of(log)
        height = ward.machine.vector.height(log)
        if end is not None:  # the cut may still be under way
            height = min(height, end.height)
        at_a_gap = lacks(ward.disk.gaps.get(log, ()), following)
        if log.lane in lanes and following <= height and not at_a_gap:
            raise Broken(
                f"I6: {ward.name} sends lane {effect.log.lane} while lane {log.lane} waits"
            )


def i8_refusals_told(ward: Ward, event: Event, effects: list[Effect]) -> None:
    """Every refusal has a reason: what was neither taken nor refused was dropped silently."""
    if not effects and not isinstance(event, Received):
        return
    reasons = [effect.reason for effect in effects if isinstance(effect, Refused)]
    closed = [effect.error.reason for effect in effects if isinstance(effect, CloseLink)]
    if any(not reason for reason in reasons) or not set(closed) <= set(reasons):
        raise Broken(f"I8: {ward.name} closes a link without a counted reason")
    if not isinstance(event, Received) or closed or not ward.is_honest:
        return
    sent = len(event.prepared.checked) if event.prepared and event.link in ward.links else 0
    if sent and "ended" not in reasons:  # one word for all that stood above an end
        commits = [effect for effect in effects if isinstance(effect, Commit)]
        taken = sum(
            len(commit.entries) + len(commit.orphans) + len(commit.filled) for commit in commits
        )
        if taken + len(reasons) < sent:
            raise Broken(f"I8: {ward.name} dropped {sent - taken - len(reasons)} entries silently")


def i10_receipts_true(world: World, settled: bool = False) -> None:
    """Nobody counts a receipt for what its signer never had on disk.

    `settled`: after the calm, not even for what the signer lost since.
    """
    by_key = {ward.signer.public: ward for ward in world.honest}
    for ward in world.honest:
        if ward.machine is None:
            continue
        for signer in ward.machine.receipts.signers():
            holder = by_key.get(signer)
            if holder is None or signer == world.stolen:
                continue
            has = holder.disk.heights() if settled else holder.ever
            for log in ward.machine.vector.lines:
                covered = ward.machine.receipts.covered(signer, log)
                end = ward.machine.book.end_of(log)
                if (min(covered, end.height) if end else covered) > has.get(log, 0):
                    raise Broken(f"I10: {ward.name} counts more for {holder.name} than it had")


def stamps_are_sane(world: World) -> None:
    """No honest stamp is further ahead than a minute of the furthest its own clock ever was."""
    for ward in world.honest:
        for entry in ward.accepted:
            ahead_ms = ms_of(entry.hlc) - ward.clock.pt_ms_max
            if ahead_ms > AHEAD_MS_MAX + STAMP_MS:
                raise Broken(f"time: {ward.name} stamps {ahead_ms} ms ahead of its clock")


def ages_are_true(world: World) -> None:
    """A known age is never more than the truth; one without a gap is the truth, but for transit.

    So a page never calls an order valid, or past, that is not: 要確認 lies between.
    """
    slack_s = TRANSIT_S * (world.diameter() + 1)
    for ward in world.honest:
        if ward.machine is None:
            continue
        now = ward.clock.now()
        for row in ward.disk.rows():
            entry, born_ms = row.entry, world.born_ms.get(row.entry.id)
            if born_ms is None:
                continue
            age = age_now(row.age, row.seen_ms, now.seen_ms, now.gap_ms)
            true_s = (world.ms - born_ms) // 1_000
            if age >> 1 > true_s + CLOCK_S or (not age & 1 and age >> 1 < true_s - slack_s):
                sure = "at least " if age & 1 else ""
                raise Broken(f"time: {ward.name} says {sure}{age >> 1} s of an age of {true_s} s")
            word = validity(
                ms_of(entry.hlc), entry.quality, entry.lifetime_s, now.pt_ms, now.quality, age
            )
            if abs(true_s - entry.lifetime_s) > slack_s + CLOCK_S and word == (
                EXPIRED if true_s < entry.lifetime_s else VALID
            ):
                raise Broken(f"time: {ward.name} is sure and wrong about an age of {true_s} s")


def no_complaints(world: World) -> None:
    """Honest nodes never close each other's links for a breach of protocol."""
    if world.complaints:
        here, there, error = world.complaints[0]
        raise Broken(f"{here} closed the link of honest {there}: {error}")


def check_running(world: World) -> None:
    """What must hold at any moment."""
    i2_only_verified(world)
    i4_once(world)
    i5_no_fork(world)
    i10_receipts_true(world)
    stamps_are_sane(world)
    ages_are_true(world)
    no_complaints(world)


def check_settled(world: World) -> None:
    """What must hold after the calm."""
    i1_accepted_survives(world)
    i3_all_equal(world)
    i3_nothing_hidden(world)
    i3_gaps_filled(world)
    i5_both_texts_survive(world)
    check_running(world)
    i10_receipts_true(world, settled=True)

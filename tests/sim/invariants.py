"""What must hold in every world: one function each, named as in the design."""

from __future__ import annotations

from tests.sim.world import World


class Broken(AssertionError):
    """An invariant does not hold."""


def i1_accepted_survives(world: World) -> None:
    """Whatever was answered is on every disk after the calm, unless its only disk was replaced."""
    for ward in world.wards:
        for entry in ward.accepted:
            if entry.id in world.excused:
                continue
            for other in world.wards:
                if all(entry.id != held.id for held in other.disk.entries):
                    raise Broken(
                        f"I1: {other.name} lacks {ward.name} lane {entry.log.lane} seq {entry.seq}"
                    )


def i3_all_equal(world: World) -> None:
    """After the calm all stores are equal."""
    digests = {ward.machine.vector.digest() for ward in world.wards if ward.machine}
    if len(digests) != 1:
        raise Broken("I3: stores differ")


def i4_once(world: World) -> None:
    """No disk holds an entry twice."""
    for ward in world.wards:
        ids = [entry.id for entry in ward.disk.entries]
        if len(ids) != len(set(ids)):
            raise Broken(f"I4: {ward.name} holds an entry twice")


def i5_no_fork(world: World) -> None:
    """One entry per log and seq, everywhere; correct nodes never fork."""
    seen: dict[tuple[object, int], bytes] = {}
    for ward in world.wards:
        heights: dict[object, int] = {}
        for entry in ward.disk.entries:
            if seen.setdefault((entry.log, entry.seq), entry.id) != entry.id:
                raise Broken(f"I5: two entries for seq {entry.seq}")
            if entry.seq != heights.get(entry.log, 0) + 1:
                raise Broken(f"I5: {ward.name} has a hole before seq {entry.seq}")
            heights[entry.log] = entry.seq
        if ward.machine is not None and ward.machine.acceptor.forked:
            raise Broken(f"I5: {ward.name} met a fork")


def i10_receipts_true(world: World, settled: bool = False) -> None:
    """Nobody counts a receipt for what its signer never had on disk.

    `settled`: after the calm, not even for what the signer lost since.
    """
    by_key = {ward.signer.public: ward for ward in world.wards}
    for ward in world.wards:
        if ward.machine is None:
            continue
        for signer in ward.machine.receipts.signers():
            holder = by_key[signer]
            has = holder.disk.heights() if settled else holder.ever
            for log in ward.machine.vector.lines:
                if ward.machine.receipts.covered(signer, log) > has.get(log, 0):
                    raise Broken(f"I10: {ward.name} counts more for {holder.name} than it had")


def no_complaints(world: World) -> None:
    """Honest nodes never close each other's links for a breach of protocol."""
    if world.complaints:
        raise Broken(f"honest nodes complained: {world.complaints[0]}")


def check_running(world: World) -> None:
    """What must hold at any moment."""
    i4_once(world)
    i5_no_fork(world)
    i10_receipts_true(world)
    no_complaints(world)


def check_settled(world: World) -> None:
    """What must hold after the calm."""
    i1_accepted_survives(world)
    i3_all_equal(world)
    check_running(world)
    i10_receipts_true(world, settled=True)

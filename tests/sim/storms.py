"""Trouble, then calm: what happens to a world, and the whole life of a seed."""

from __future__ import annotations

from collections.abc import Callable

from meshrelay.core.entry import URGENT
from meshrelay.core.events import AskArchives, Damaged, Evict
from tests.sim.cables import Cable
from tests.sim.clocks import FAULTS
from tests.sim.disk import Disk
from tests.sim.invariants import (
    Broken,
    check_running,
    check_settled,
    i1_accepted_survives,
    i1_archived_before_dropped,
    i3_converged_in_time,
    i3_gaps_filled,
    i3_nothing_hidden,
)
from tests.sim.options import options_of
from tests.sim.people import log_in, note, words
from tests.sim.plants import Plant
from tests.sim.theft import theft
from tests.sim.ward import Ward
from tests.sim.world import World

# After all are equal: long enough for each node's minute statement to reach everybody.
AFTERGLOW_MS = 75_000
# Nothing may take longer than this, whatever the bound of I3 says about its cause.
CALM_MS_MAX = 600_000
CALM_STEP_MS = 1_000
BLACKOUT_MS = 2 * 86_400_000
# A missing record is asked of each neighbour in turn, at most a minute apart, hop by hop.
ASKED_AGAIN_MS = 180_000


class Storm:
    """Seeded trouble over one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self.backups: dict[Ward, Disk] = {ward: ward.disk.copy() for ward in world.wards}
        self._step = 0
        self._troubles: list[tuple[int, Callable[[Ward], None]]] = [
            (30, self._node_speaks),
            (22, self._person_speaks),
            (14, self._cable),
            (7, self._one_way),
            (12, self._crash),
            (4, self._old_disk),
            (4, self._backup),
            (4, self._clock),
            (3, self._deaf_spell),
            (4, self._roster),
            (1, self._blackout),
        ]
        if world.options.pressure:
            self._troubles += [(14, self._evict), (6, self._damage)]

    def blow(self, steps: int) -> None:
        """`steps` pieces of trouble, some time apart."""
        weights = [weight for weight, _ in self._troubles]
        for _ in range(steps):
            self._step += 1
            self.world.cables.connect()
            ((_, trouble),) = self.random.choices(self._troubles, weights)
            trouble(self.random.choice(self.world.wards))
            self.world.run(self.random.choice([5, 50, 500, 5_000, 35_000]))

    def _node_speaks(self, ward: Ward) -> None:
        for count in range(self.random.choice([1, 1, 2, 15])):
            lane = self.random.choice([0, 1, 1, 2, 3])
            kind = "note" if self.random.random() < 0.9 else "kind of 2031"
            text = f"{ward.name} 第{self._step}報の{count}"
            ward.submit([note(text * (150 if lane == 3 else 1), lane, kind)], [])

    def _person_speaks(self, ward: Ward) -> None:
        """Somebody logs in, or those who are logged in write, sometimes against the rules."""
        somebody_new = not ward.sessions or self.random.random() < 0.2
        if somebody_new and self.world.announced:
            log_in(self.random.choice(self.world.announced), ward)
            self.world.run(ward.commit_ms + 10)
        for session in list(ward.sessions):
            kind, lane = self.random.choice(
                [("talk", 1), ("talk", 1), ("order", 0), ("talk", 2), ("poll", 1)]
            )
            text = "" if self.random.random() < 0.1 else f"{session.person.name} {self._step}"
            ward.submit([words(session, ward, kind, lane, text)], [])

    def _cable(self, _: Ward) -> None:
        cable = self.random.choice(self.world.cables.all)
        if cable.is_cut:
            cable.is_cut = False
        else:
            self.world.cables.cut(cable, quietly=self.random.random() < 0.5)

    def _one_way(self, _: Ward) -> None:
        cable: Cable = self.random.choice(self.world.cables.all)
        deaf = None if cable.deaf else self.random.choice([cable.a, cable.b])
        self.world.cables.deafen(cable, deaf)

    def _crash(self, ward: Ward) -> None:
        ward.stop(keep_witness=self.random.random() < 0.5)
        if self.random.random() < 0.3:
            ward.clock.step(self.random.choice(list(FAULTS)))
        self.world.after(self.random.randint(10, 20_000), starting(ward))

    def _old_disk(self, ward: Ward) -> None:
        ward.restore(self.backups[ward].copy(), keep_witness=self.random.random() < 0.3)
        self.world.after(self.random.randint(10, 5_000), starting(ward))

    def _backup(self, ward: Ward) -> None:
        self.backups[ward] = ward.disk.copy()

    def _clock(self, ward: Ward) -> None:
        """Somebody sets the clock, or NTP is back, while the node runs."""
        ward.clock.step(self.random.choice(list(FAULTS)))

    def _roster(self, _: Ward) -> None:
        self.world.announce(1)

    def _blackout(self, _: Ward) -> None:
        """The whole city is without power, for minutes or for two days: nobody starts."""
        world = self.world
        world.is_dark = True
        for ward in world.wards:
            ward.stop(keep_witness=False)
        world.run(self.random.choice([60_000, 600_000, BLACKOUT_MS]))
        world.is_dark = False
        for ward in world.wards:
            world.after(self.random.randint(10, 30_000), starting(ward))

    def _evict(self, ward: Ward) -> None:
        """The store is full: a first part of some logs goes, as far as that is permitted."""
        ward.feed(AskArchives())
        self.world.run(2_000)
        machine = ward.machine
        if machine is None:
            return
        for log in self.random.sample(sorted(ward.disk.lines), min(len(ward.disk.lines), 6)):
            rows, now = ward.disk.logs[log], ward.clock.now()
            upto = 0
            for seq in sorted(rows):
                if log.lane == URGENT or not machine.may_evict(log, seq, False, now):
                    break
                upto = seq
            if upto and self.random.random() < 0.7:
                upto = self.random.choice([seq for seq in rows if seq <= upto])
                size = sum(len(row.entry.raw) for seq, row in rows.items() if seq <= upto)
                i1_archived_before_dropped(self.world, ward, log, upto)
                ward.feed(Evict(log, upto, rows[upto].entry.id, size))

    def _damage(self, ward: Ward) -> None:
        """Some rows do not verify any more; somebody else has them.

        Not the newest of a log: were all its copies lost, nobody could be given the log.
        """
        logs = [log for log, rows in ward.disk.logs.items() if len(rows) > 1]
        if ward.machine is None or not logs:
            return
        log = self.random.choice(sorted(logs))
        rows = ward.disk.logs[log]
        high = low = self.random.choice(sorted(rows)[:-1])
        elsewhere = [other.disk for other in self.world.honest if other is not ward]
        while low in rows and high - low < 3:
            low -= 1
        lost = [rows[seq].entry for seq in range(low + 1, high + 1)]
        if all(any(disk.at(log, one.seq) == one.id for disk in elsewhere) for one in lost):
            size = sum(len(one.raw) for one in lost)
            ward.feed(Damaged(log, low, lost[0].prev, high, lost[-1].id, size))

    def _deaf_spell(self, _: Ward | None = None) -> None:
        """For a while every datagram is lost and no link notices: what was said stays unsaid."""
        cables = self.world.cables
        if not self.world.options.datagrams:
            return
        usual, cables.loss = cables.loss, 1.0
        for ward in self.world.wards:
            ward.submit([note(f"{ward.name} 聞こえますか", 1)], [])
        self.world.run(5_000)
        cables.loss = usual

    # Calm

    def calm(self) -> None:
        """Every cable whole, nothing lost, everybody up, nobody speaks: all become equal."""
        world = self.world
        self._deaf_spell()  # the last word of the storm is lost
        world.cables.mend()
        world.disk_failures = 0.0
        began_ms, began_bytes = world.ms, world.cables.bytes
        for ward in world.wards:
            starting(ward)()
        if len(world.honest) < len(world.wards):
            self._wait(lambda: not missing(world))
            i3_converged_in_time(world, world.ms - began_ms)
            for liar in world.wards:
                if not liar.is_honest:
                    liar.stop(keep_witness=False)
            began_ms = world.ms
        self._wait(world.is_level)
        world.calm_ms = world.ms - began_ms
        world.calm_bytes = world.cables.bytes - began_bytes
        check_running(world)  # says why they are not equal, if they are not
        i3_converged_in_time(world, world.calm_ms)
        self._wait(lambda: False, AFTERGLOW_MS)
        self._wait(lambda: not hidden(world), world.diameter() * ASKED_AGAIN_MS)
        self._wait(lambda: not gappy(world), world.diameter() * ASKED_AGAIN_MS)

    def _wait(self, until: Callable[[], bool], at_most_ms: int = CALM_MS_MAX) -> None:
        for _ in range(at_most_ms // CALM_STEP_MS):
            if until():
                return
            self.world.cables.connect()
            self.world.run(CALM_STEP_MS)


def missing(world: World) -> bool:
    """Whether some honest ward still lacks an accepted entry of another."""
    try:
        i1_accepted_survives(world)
    except Broken:
        return True
    return False


def hidden(world: World) -> bool:
    """Whether some message still waits for a record that is in reach."""
    try:
        i3_nothing_hidden(world)
    except Broken:
        return True
    return False


def gappy(world: World) -> bool:
    """Whether some log lacks what is in reach."""
    try:
        i3_gaps_filled(world)
    except Broken:
        return True
    return False


def starting(ward: Ward) -> Callable[[], None]:
    """An action that starts the ward, unless it runs or the city is without power."""

    def start() -> None:
        if ward.machine is None and not ward.world.is_dark:
            ward.start()

    return start


def weather(world: World, storm: Storm) -> None:
    """A world's whole life: storms with a check after each, then the calm and the last check.

    Raises:
        Broken: an invariant does not hold.
    """
    for number in range(world.options.storms):
        storm.blow(world.options.steps)
        if number == 0 and world.options.theft:
            theft(world)
        check_running(world)
    storm.calm()
    check_settled(world)


def live_through(seed: int, plant: Plant | None = None) -> World:
    """The whole life of one seed. Raises Broken."""
    world = World(options_of(seed), plant)
    weather(world, Storm(world))
    return world

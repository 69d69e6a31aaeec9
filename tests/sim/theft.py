"""A stolen key: somebody runs a copy of a node, disk, key and open sessions included.

The city is cut in two; the node writes on one side and its copy on the other, in the same
logs. Then the cables are mended, and a while later the copy is switched off.
"""

from __future__ import annotations

from tests.sim.people import log_in, note, words
from tests.sim.ward import Ward
from tests.sim.world import World

ROUNDS = 3
ROUND_MS = 5_000


def theft(world: World) -> None:
    """The last ward's node is copied. Its key is noted in `world.stolen`."""
    victim = world.wards[-1]
    if victim.machine is None:
        victim.start()
    pause(world)
    if world.announced:
        log_in(world.announced[0], victim)
    pause(world)
    speak(victim, 0)
    pause(world)
    thief = copy_of(victim)
    world.stolen = victim.signer.public
    half = len(world.wards) // 2
    near = {victim, *world.wards[half:]}
    crossing = [cable for cable in world.cables.all if (cable.a in near) != (cable.b in near)]
    for cable in crossing:
        world.cables.cut(cable, quietly=False)
    world.cables.add(thief, world.wards[0], world.options.datagrams)
    for number in range(1, ROUNDS + 1):
        speak(victim, number)
        speak(thief, number)
        pause(world)
    for cable in crossing:
        cable.is_cut = False
    for _ in range(world.random.randint(2, 8)):
        pause(world)
    thief.stop(keep_witness=False)
    world.cables.remove(thief)
    held = {entry_id for ward in world.honest for entry_id in ward.disk.ids()}
    world.forged = [entry for entry in thief.accepted if entry.author and entry.id in held]


def copy_of(victim: Ward) -> Ward:
    """A second machine with everything that the first one has."""
    thief = Ward(victim.world, victim.number, f"{victim.name}の写し")
    thief.is_thief = True
    thief.disk, thief.witness = victim.disk.copy(), victim.witness
    thief.start()
    thief.sessions = list(victim.sessions)
    return thief


def speak(ward: Ward, number: int) -> None:
    """The node speaks, and whoever is logged in there."""
    ward.submit([note(f"{ward.name} {number}", lane) for lane in (0, 1)], [])
    for session in ward.sessions:
        ward.submit([words(session, ward, "talk", 1, f"{session.person.name} {number}")], [])


def pause(world: World) -> None:
    world.cables.connect()
    world.run(ROUND_MS)

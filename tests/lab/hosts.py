"""`hosts`: nodes that only mDNS brings together, on a network that does everything wrong.

The phases come in the order that the seed gives, each followed by repair: every host loses 30 %
of what arrives; every cable carries 64 to 128 kbit/s; every packet takes 300 ± 100 ms; two parties
that cannot reach each other; two nodes whose power failed come back in 1970 and 50 years ahead,
and stay there; nodes are killed (SIGKILL). People post in every ward all the while. Then
everything is whole, and within 60 s all nodes must have equal digests and show every message that
was answered 201, once, with 本部 under it (I1, I3, I4, I10).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from meshrelay.cli.demo.driver import Visitor
from meshrelay.cli.node_toml import NodeToml
from meshrelay.errors import BearerError, RefusedError
from meshrelay.web.client import StaffClient
from tests.lab.city import CLOCKS, HQ, City, city
from tests.lab.disk import Disk
from tests.lab.ledger import Ledger, unfinished, untrue
from tests.lab.people import look, post_on

LOSS_PERCENT = 30
KBIT_MIN, KBIT_MAX = 64, 128
DELAY_MS, JITTER_MS = 300, 100
KILLS = 3
DOWN_S_MIN, DOWN_S_MAX = 0.3, 3.0
POST_EVERY_S_MIN = 1.0
# Every look reads every page whole: a long run posts more slowly.
MESSAGES_MAX = 3_000
CHECK_EVERY_S = 6.0
CALM_EVERY_S = 0.5
SAY_EVERY_S = 10.0
MEET_S_MAX = 60.0
# I3 of proof.md: diameter x 30 s and the transfer.
WHOLE_S_MAX = 60.0


@dataclass
class Report:
    """What a run did and what came of it."""

    seed: int
    nodes: int
    meet_s: float = 0.0
    phases: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    messages: int = 0
    checks: int = 0
    whole_s: float = 0.0
    wall_s: float = 0.0
    unfinished: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.messages > 0 and not self.unfinished and not self.untrue

    def lines(self) -> list[str]:
        verdict = "ok" if self.good else "FAILED"
        return [
            f"{verdict}: {self.messages} messages answered 201 at {self.nodes} nodes, "
            f"{len(self.kills)} kills, whole {self.whole_s:.1f} s after healing "
            f"(at most {WHOLE_S_MAX:.0f}), {self.checks} looks at receipts, "
            f"wall {self.wall_s:.0f} s, seed {self.seed}",
            *self.unfinished,
            *self.untrue[:10],
        ]


Say = Callable[[str], None]


async def run(seed: int, nodes: int, minutes: float, say: Say, keep: Path | None = None) -> Report:
    """One run of about `minutes` of storm."""
    report, began_s = Report(seed, nodes), time.monotonic()
    async with city(nodes, _alone_on_the_lan, keep) as town, AsyncExitStack() as stack:
        clerks = town.visitors()
        for clerk in clerks.values():
            stack.push_async_callback(clerk.client.close)
        await town.start()
        report.meet_s = await _meet(town)
        say(f"seed {seed}: {nodes} nodes found each other by mDNS in {report.meet_s:.1f} s")
        storm = Storm(town, report, clerks, random.Random(seed), say)
        await storm.blow(minutes * 60)
        await _become_whole(town, storm, report, say)
    report.wall_s = time.monotonic() - began_s
    return report


def _alone_on_the_lan(plain: NodeToml) -> NodeToml:
    return replace(plain, zeroconf=True, peers=(), broker="")


async def _meet(town: City) -> float:
    """Until every node has a link to every other; seconds."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < MEET_S_MAX:
        known = [len((await office.status()).links) for office in town.offices.values()]
        if min(known) == len(town.offices) - 1:
            break
        await asyncio.sleep(CALM_EVERY_S)
    return time.monotonic() - began_s


class Storm:
    """The phases, and people who post and look through all of them."""

    def __init__(
        self, town: City, report: Report, clerks: dict[str, Visitor], dice: random.Random, say: Say
    ) -> None:
        self.ledger = Ledger()
        self.clerks = clerks
        self._town = town
        self._report = report
        self._dice = dice
        self._say = say
        self._disks = {ward: Disk(office.directory) for ward, office in town.offices.items()}
        self._phases: dict[str, Callable[[float], Awaitable[str]]] = {
            "loss": self._loss,
            "rate": self._rate,
            "delay": self._delay,
            "split": self._split,
            "clocks": self._clocks,
            "kills": self._kills,
        }

    async def blow(self, seconds: float) -> None:
        """Phase after phase; each kind at least once, and again while there is time."""
        for clerk in self.clerks.values():
            await clerk.ask(StaffClient.rooms)
        every_s = max(POST_EVERY_S_MIN, seconds * len(self.clerks) / MESSAGES_MAX)
        async with asyncio.TaskGroup() as group:
            people = [
                group.create_task(post_on(self.ledger, ward, clerk, every_s))
                for ward, clerk in self.clerks.items()
            ]
            people.append(group.create_task(self._check_receipts()))
            rounds = max(1, round(seconds / 120))
            each_s = seconds / (rounds * len(self._phases))
            for _ in range(rounds):
                for name in self._dice.sample(sorted(self._phases), len(self._phases)):
                    said = await self._phases[name](each_s)
                    self._report.phases.append(said)
                    self._say(f"{each_s:.0f} s of {said}; {len(self.ledger.answered)} messages")
            for person in people:
                person.cancel()
        self._report.messages = len(self.ledger.answered)

    async def _check_receipts(self) -> None:
        """I10 while it storms: what a page says of others must be on their disks."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            pages = await look(self.clerks)
            disks = {ward: disk.look() for ward, disk in self._disks.items()}
            self._report.untrue += untrue(self.ledger, pages, disks, HQ)
            self._report.checks += 1

    async def _loss(self, seconds: float) -> str:
        for office in self._town.offices.values():
            office.host.lose(LOSS_PERCENT)
        await asyncio.sleep(seconds)
        for office in self._town.offices.values():
            office.host.lose(0)
        return f"loss {LOSS_PERCENT} %"

    async def _rate(self, seconds: float) -> str:
        said = []
        for ward, office in self._town.offices.items():
            up, down = (self._dice.randint(KBIT_MIN, KBIT_MAX) for _ in range(2))
            office.host.limit(up, down)
            said.append(f"{ward} {up}/{down}")
        await asyncio.sleep(seconds)
        for office in self._town.offices.values():
            office.host.unlimit()
        return f"kbit/s up/down {', '.join(said)}"

    async def _delay(self, seconds: float) -> str:
        hosts = [office.host for office in self._town.offices.values()]
        await self._town.lab.delay(hosts, DELAY_MS, JITTER_MS, self._dice.getrandbits(32))
        await asyncio.sleep(seconds)
        await self._town.lab.undelay()
        return f"delay {DELAY_MS} ± {JITTER_MS} ms"

    async def _split(self, seconds: float) -> str:
        wards = sorted(self._town.offices)
        away = sorted(self._dice.sample(wards, max(1, len(wards) * 2 // 5)))
        self._town.lab.split(self._town.offices[ward].host for ward in away)
        await asyncio.sleep(seconds)
        self._town.lab.join()
        return f"split: {' '.join(away)} apart"

    async def _clocks(self, seconds: float) -> str:
        chosen = dict(zip(self._dice.sample(self._town.wards, len(CLOCKS)), CLOCKS, strict=True))
        for ward, clock in chosen.items():
            office = self._town.offices[ward]
            await office.child.kill(lose_witness=True)
            self._report.kills.append(ward)
            office.set_clock(clock)
            await office.start()
        await asyncio.sleep(seconds)
        return "clocks: " + ", ".join(f"{ward} {clock}" for ward, clock in chosen.items())

    async def _kills(self, seconds: float) -> str:
        said = []
        for _ in range(KILLS):
            before_s = self._dice.uniform(0.2, 1.0) * (seconds / KILLS - DOWN_S_MAX)
            down_s = self._dice.uniform(DOWN_S_MIN, DOWN_S_MAX)
            ward, power = self._dice.choice(sorted(self._town.offices)), self._dice.random() < 0.5
            await asyncio.sleep(max(0.0, before_s))
            office = self._town.offices[ward]
            await office.child.kill(lose_witness=power)
            self._report.kills.append(ward)
            await asyncio.sleep(down_s)
            await office.start()
            said.append(f"{ward} {'power' if power else 'crash'}")
        return f"kills: {', '.join(said)}"


async def _become_whole(town: City, storm: Storm, report: Report, say: Say) -> None:
    """Everything is healed; ask until nothing is missing, or it took too long."""
    began_s, said = time.monotonic(), 0
    while True:
        pages = await look(storm.clerks)
        report.unfinished = unfinished(storm.ledger, pages, "archive")
        try:
            digests = {(await office.status()).digest for office in town.offices.values()}
        except (RefusedError, BearerError) as error:
            report.unfinished.append(str(error))
        else:
            if len(digests) > 1:
                report.unfinished.append(f"{len(digests)} different digests")
        report.whole_s = time.monotonic() - began_s
        if report.unfinished and report.whole_s > (said + 1) * SAY_EVERY_S:
            said += 1
            say(f"{report.whole_s:.0f} s after healing: {'; '.join(report.unfinished)}")
        if not report.unfinished or report.whole_s > WHOLE_S_MAX:
            return
        await asyncio.sleep(CALM_EVERY_S)

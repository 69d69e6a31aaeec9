"""`brokers`: wards and archive that know each other only through a broker that fails them.

Each case is a city of its own: wards take messages in while there is no broker, and people go on
posting; then, while the backlog drains to an archive behind a slow line, the broker

    killed     is killed (SIGKILL) and started again, twice
    purged     is stopped, loses its persistence file with every retained message, and starts
    restarted  is stopped and started in good order
    replaying  brings every PUBLISH late and then once more
    capped     queues 10 messages for a client and drops the others, while the archive's process
               is stopped for 13 s

A case is good when every message that was answered 201 is shown on every page, once, with 本部
under it: a receipt of the archive covers it as that ward sees it (I1, I3, I10).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from meshrelay.cli.demo.driver import Visitor
from meshrelay.cli.node_toml import NodeToml
from meshrelay.node.identity import load_keys
from meshrelay.web.client import StaffClient
from tests.lab import mosquitto
from tests.lab.city import BROKER_PORT, HQ, City, city
from tests.lab.disk import Disk
from tests.lab.ledger import Ledger, unfinished, untrue
from tests.lab.mosquitto import Mosquitto
from tests.lab.net import Host, LabError
from tests.lab.people import look, post, post_on
from tests.lab.replay import Replayer

CASES = ("killed", "purged", "restarted", "replaying", "capped")
NODES = 4
# With 64 in flight a queue of 10 is a lot for three wards: here are ten.
NODES_CAPPED = 11
BACKLOG = 360
# A city's archive behind a small line: the backlog takes some seconds, so there is a middle.
# It carries each message in once and out to every other ward.
ARCHIVE_KBIT_PER_WARD = 200
POST_EVERY_S = 0.5
DOWN_S = 1.0
AFTERWARDS_S = 1.0
POLL_S = 0.05
HALFWAY_S_MAX = 60.0
WHOLE_S_MAX = 60.0
CALM_EVERY_S = 0.5
PROXY_PORT = 8884
QUEUE_MAX = 10
# Below the 15 s after which a broker gives a silent client up.
STOPPED_S = 13.0

Say = Callable[[str], None]


@dataclass
class Case:
    """One case and what came of it."""

    name: str
    seed: int
    messages: int = 0
    kills: int = 0
    told: list[str] = field(default_factory=list)
    whole_s: float = 0.0
    wall_s: float = 0.0
    toothless: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.toothless or self.unfinished or self.untrue)

    def lines(self) -> list[str]:
        return [
            f"{'ok' if self.good else 'FAILED'}: {self.name}: {self.messages} messages, "
            f"{'; '.join(self.told)}; archive complete by receipts {self.whole_s:.1f} s after "
            f"the last post (at most {WHOLE_S_MAX:.0f}), wall {self.wall_s:.0f} s, "
            f"seed {self.seed}",
            *self.toothless,
            *self.unfinished,
            *self.untrue[:10],
        ]


async def run(seed: int, names: tuple[str, ...], say: Say, keep: Path | None = None) -> list[Case]:
    """The cases one after the other."""
    cases = []
    for name in names:
        case = await run_case(name, seed, keep / name if keep is not None else None)
        for line in case.lines():
            say(line)
        cases.append(case)
    return cases


async def run_case(name: str, seed: int, keep: Path | None = None) -> Case:
    """One case, from keys to receipts."""
    case, began_s = Case(name, seed), time.monotonic()
    port = PROXY_PORT if name == "replaying" else BROKER_PORT
    # The broker's host comes after the nodes', and so does its address.
    nodes = NODES_CAPPED if name == "capped" else NODES
    address = f"10.77.0.{nodes + 1}:{port}"

    def over_the_broker(plain: NodeToml) -> NodeToml:
        return replace(plain, lan_listen="", zeroconf=False, peers=(), broker=address)

    async with city(nodes, over_the_broker, keep) as town, AsyncExitStack() as stack:
        clerks = town.visitors()
        for clerk in clerks.values():
            stack.push_async_callback(clerk.client.close)
        await town.start()
        trial = Trial(case, town, clerks, town.lab.add("broker"))
        stack.push_async_callback(trial.broker.stop)
        await trial.play()
    case.wall_s = time.monotonic() - began_s
    return case


class Trial:
    """One case under way."""

    def __init__(self, case: Case, town: City, clerks: dict[str, Visitor], host: Host) -> None:
        self._case = case
        self._town = town
        self._clerks = clerks
        self._wards = {ward: clerk for ward, clerk in clerks.items() if ward != HQ}
        self._disks = {ward: Disk(office.directory) for ward, office in town.offices.items()}
        self._ledger = Ledger()
        self._dice = random.Random(f"{case.seed} {case.name}")
        self._host = host
        self.broker: Mosquitto = mosquitto.make(
            town,
            host,
            durable=case.name == "purged",
            queue_max=QUEUE_MAX if case.name == "capped" else 0,
        )

    async def play(self) -> None:
        await self._store_backlog()
        kbit = ARCHIVE_KBIT_PER_WARD * len(self._wards)
        self._town.offices[HQ].host.limit(kbit, kbit)
        async with AsyncExitStack() as stack:
            replayer = self._replayer() if self._case.name == "replaying" else None
            if replayer is not None:
                await replayer.start()
                stack.push_async_callback(replayer.stop)
            await self._trouble()
            await self._become_whole()
            if replayer is not None:
                self._tell("publishes brought twice", replayer.counts["copies"])
        if self._case.name == "capped":
            self._tell("clients for whom the broker dropped messages", self.broker.dropped())

    async def _store_backlog(self) -> None:
        async def store(ward: str, clerk: Visitor) -> None:
            await clerk.ask(StaffClient.rooms)
            for number in range(BACKLOG // len(self._wards)):
                await post(self._ledger, ward, clerk, number)

        await self._clerks[HQ].ask(StaffClient.rooms)
        await asyncio.gather(*(store(ward, clerk) for ward, clerk in self._wards.items()))

    async def _trouble(self) -> None:
        """People post until the broker has had its trouble and a moment more."""
        async with asyncio.TaskGroup() as group:
            people = [
                group.create_task(post_on(self._ledger, ward, clerk, POST_EVERY_S))
                for ward, clerk in self._wards.items()
            ]
            await self.broker.start()
            first, second = sorted((self._dice.uniform(0.1, 0.4), self._dice.uniform(0.4, 0.7)))
            match self._case.name:
                case "killed":
                    await self._fail_at(first, self.broker.kill)
                    await self._fail_at(second, self.broker.kill)
                case "purged":
                    await self._fail_at(first, self._purge)
                case "restarted":
                    await self._fail_at(first, self.broker.stop)
                case "capped":
                    await self._archive_has(first)
                    await self._hold_the_archive_up()
                case _:
                    await self._archive_has(second)
            await asyncio.sleep(AFTERWARDS_S)
            for person in people:
                person.cancel()
        self._case.messages = len(self._ledger.answered)

    async def _fail_at(self, part: float, fail: Callable[[], Awaitable[None]]) -> None:
        await self._archive_has(part)
        await fail()
        self._case.kills += 1
        await asyncio.sleep(DOWN_S)
        await self.broker.start()

    async def _purge(self) -> None:
        await self.broker.stop()
        self._tell("bytes of the broker's store removed", self.broker.forget())

    async def _hold_the_archive_up(self) -> None:
        """Stop its process for a while (SIGSTOP): what is meant for it waits at the broker."""
        pid = self._town.offices[HQ].child.pid
        if pid is None:
            raise LabError("the archive does not run")
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(STOPPED_S)
        os.kill(pid, signal.SIGCONT)

    async def _archive_has(self, part: float) -> None:
        """Wait until the archive holds this part of the backlog; and say when it did not."""
        wanted = int(part * BACKLOG)
        end_s = time.monotonic() + HALFWAY_S_MAX
        held = 0
        while held < wanted and time.monotonic() < end_s:
            held = (await self._town.offices[HQ].status()).messages
            await asyncio.sleep(POLL_S)
        self._case.told.append(f"at {held} of {BACKLOG}")
        if not wanted <= held < BACKLOG:
            self._case.toothless.append(f"the trouble missed the backlog: {self._case.told[-1]}")

    async def _become_whole(self) -> None:
        began_s = time.monotonic()
        while True:
            pages = await look(self._clerks)
            disks = {ward: disk.look() for ward, disk in self._disks.items()}
            self._case.untrue += untrue(self._ledger, pages, disks, HQ)
            self._case.unfinished = unfinished(self._ledger, pages, "archive")
            self._case.whole_s = time.monotonic() - began_s
            if not self._case.unfinished or self._case.whole_s > WHOLE_S_MAX:
                return
            await asyncio.sleep(CALM_EVERY_S)

    def _replayer(self) -> Replayer:
        nodes: dict[str, Path] = {}
        for office in self._town.offices.values():
            nodes[load_keys(office.directory).signer.public.hex()] = office.directory
        return Replayer(
            self._host, PROXY_PORT, self.broker.directory, BROKER_PORT, nodes, self._dice
        )

    def _tell(self, what: str, count: int) -> None:
        """A trouble that never came proves nothing: the case fails."""
        self._case.told.append(f"{count} {what}")
        if not count:
            self._case.toothless.append(f"no {what}")

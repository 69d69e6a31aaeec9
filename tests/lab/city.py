"""A city in the laboratory: one `meshrelay node run` on each host, one clerk in each ward."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from meshrelay.cli import authority, enrolment
from meshrelay.cli.authority import Authority, WardNames
from meshrelay.cli.cards import bind_card, new_card_code, staff_record
from meshrelay.cli.demo.driver import Visitor
from meshrelay.cli.demo.people import DemoPerson
from meshrelay.cli.demo.processes import Child
from meshrelay.cli.node_toml import NodeToml
from meshrelay.cli.nodedir import enrol_node_dir, make_node_dir
from meshrelay.node.office import Status
from meshrelay.web.client import fetch_status, is_ready
from tests.lab.door import Door
from tests.lab.net import HERE, Host, Lab, LabError, note_faked
from tests.transit import give_transit_keys

HQ = "00"
WARDS_MAX = 98
PAGE_PORT, LAN_PORT, BROKER_PORT = 8101, 7401, 8883
PIN_STAFF, PIN_HQ = "135790", "hq-135790-lab"
# Two cores start 24 nodes in about this long.
READY_S_MAX = 60.0
READY_POLL_S = 0.1
CLOCKS = {"1970": "@1970-01-02 03:04:05", "+50 years": "+50y"}


@dataclass
class Office:
    """A ward's machine: its host, its node, and the way to its page."""

    ward: str
    host: Host
    directory: Path
    witness: Path
    door: Door
    clerk: DemoPerson
    clock: str = ""
    child: Child = field(init=False)

    def __post_init__(self) -> None:
        self.set_clock("")

    def set_clock(self, clock: str) -> None:
        """Which clock the next start has: a key of CLOCKS, or "" for the right one.

        A clock that lost its time vouches for nothing; one that a person set wrongly does.
        """
        self.clock = clock
        toml = self.directory / "node.toml"
        vouched = "false" if clock == "1970" else "true"
        lines = toml.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("set_by_person")]
        toml.write_text("".join(kept) + f"set_by_person = {vouched}\n", "utf-8")
        node = [*_faked(clock), sys.executable, "-m", "meshrelay", "node", "run"]
        command = self.host.command(*node, str(self.directory))
        self.child = Child(self.ward, command, self.directory / "log.txt", self.witness)

    async def start(self) -> None:
        """Start the node; does not wait for its page."""
        await self.child.start()
        if self.clock and self.child.pid is not None:
            note_faked(self.witness.parent, self.child.pid)

    async def status(self) -> Status:
        return await fetch_status(self.door.url)


@dataclass
class City:
    """Every office of a network, HQ first, and the network's authority."""

    lab: Lab
    network: Authority
    offices: dict[str, Office]

    @property
    def wards(self) -> list[str]:
        return [ward for ward in self.offices if ward != HQ]

    async def start(self, wards: Sequence[str] | None = None) -> None:
        """Start nodes, all by default, and wait until each answers /readyz."""
        chosen = [self.offices[ward] for ward in wards or self.offices]
        for office in chosen:
            await office.start()
        end_s = time.monotonic() + READY_S_MAX
        for office in chosen:
            while not await is_ready(office.door.url):
                if not office.child.running or time.monotonic() > end_s:
                    raise LabError(f"{office.ward} does not start: {office.child.last_words()}")
                await asyncio.sleep(READY_POLL_S)

    async def stop(self) -> None:
        await asyncio.gather(*(office.child.stop() for office in self.offices.values()))

    def visitors(self) -> dict[str, Visitor]:
        """Each ward's clerk at the own office's page; close their clients at the end."""
        return {
            ward: Visitor(office.door.url, office.clerk) for ward, office in self.offices.items()
        }


Settings = Callable[[NodeToml], NodeToml]


@asynccontextmanager
async def city(nodes: int, settings: Settings, keep: Path | None = None) -> AsyncIterator[City]:
    """A laboratory with `nodes` offices, HQ's archive among them; nothing runs yet.

    `settings` changes the configuration that a new ward office would get. `keep` is where its
    files, logs of the nodes included, are copied at the end.
    """
    async with Lab(keep) as lab:
        made = await _build(lab, nodes, settings)
        try:
            yield made
        finally:
            await made.stop()
            for office in made.offices.values():
                await office.door.close()


async def _build(lab: Lab, nodes: int, settings: Settings) -> City:
    if not 2 <= nodes <= WARDS_MAX:
        raise LabError(f"{nodes} nodes: expected 2 to {WARDS_MAX}")
    network = authority.create(lab.directory / "network", "実験市", True)
    clerks = {}
    names = {}
    for number in range(nodes):
        ward = f"{number:02}"
        names[ward] = WardNames(ward, f"第{number}区" if number else "本部", f"Ward {ward}")
        network.name_ward(names[ward])
        clerks[ward] = _enlist(network, ward)
    requests, offices = {}, {}
    for ward, clerk in clerks.items():
        host = lab.add(f"ward{ward}")
        door = Door(host, PAGE_PORT)
        witness = lab.tmpfs / ward
        plain = NodeToml(
            f"{names[ward].name}の機器",
            web_listen=f"127.0.0.1:{PAGE_PORT}",
            web_hosts=(door.name,),
            lan_listen=f"0.0.0.0:{LAN_PORT}",
            witness=str(witness),
            clock_set_by_person=True,
        )
        directory = lab.directory / ward
        data = make_node_dir(directory, settings(plain))
        requests[ward] = enrolment.read_request(data, ward)
        enrolment.sign_request(network, requests[ward], names[ward], archive=ward == HQ)
        offices[ward] = Office(ward, host, directory, witness, door, clerk)
        await door.open()
    give_transit_keys(network)
    for ward, request in requests.items():
        enrol_node_dir(lab.directory / ward, enrolment.answer_again(network, request), ward)
    return City(lab, network, offices)


def _enlist(network: Authority, ward: str) -> DemoPerson:
    """A clerk of the ward with a bound card."""
    code, hq = new_card_code(), ward == HQ
    roles, pin = (("hq",), PIN_HQ) if hq else (("staff",), PIN_STAFF)
    clerk = DemoPerson(f"C{ward}", f"職員{ward}", "しょくいん", ward, "", roles, pin)
    record = staff_record(network, network.next_staff_serial(), code, clerk)
    network.add([record, bind_card(network, record, code, pin)])
    return replace(clerk, card=code)


def _faked(clock: str) -> list[str]:
    """The prefix of a command that gives it another clock.

    Not `faketime COMMAND` itself: it stays between us and the node, and would outlive it.
    """
    if not clock:
        return []
    words = subprocess.run(
        ["faketime", "-f", CLOCKS[clock], "env"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    faked = [word for word in words if word.startswith(("LD_PRELOAD=", "FAKETIME="))]
    return ["env", *faked, "FAKETIME_DONT_FAKE_MONOTONIC=1", f"PYTHONPATH={HERE}"]

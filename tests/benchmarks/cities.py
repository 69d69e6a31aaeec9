"""Cities for figures: many wards, and the broker that ships between them."""

from __future__ import annotations

import asyncio
import getpass
import tempfile
from collections.abc import Sequence
from pathlib import Path

from meshrelay.cli import authority, enrolment
from meshrelay.cli.authority import Authority, WardNames
from meshrelay.cli.brokerdir import make_broker_dir, mosquitto
from meshrelay.cli.cards import bind_card, new_card_code, staff_record
from meshrelay.cli.demo.processes import Child
from meshrelay.cli.node_toml import NodeToml
from meshrelay.cli.nodedir import enrol_node_dir, make_node_dir
from tests.benchmarks.wards import TMPFS
from tests.town import Clerk, Town, free_port
from tests.transit import give_transit_keys

HOST = "127.0.0.1"
ARCHIVE = "00"
BROKER_SECONDS_MAX = 10.0


class Broker:
    """Mosquitto as it ships, made for one city; start and stop it as often as you like."""

    def __init__(self, directory: Path, network: Authority, port: int, far: str) -> None:
        program = mosquitto()
        if program is None:
            raise AssertionError("these figures need Mosquitto (Debian: mosquitto)")
        files = make_broker_dir(
            directory, network, sorted({HOST, far}), port, listen=HOST if far == HOST else "",
            user=getpass.getuser(),
        )  # fmt: skip
        self.port = port
        self._child = Child("broker", [program, "-c", str(files.conf)], directory / "log.txt")

    @property
    def pid(self) -> int:
        if self._child.pid is None:
            raise AssertionError(f"the broker does not run: {self._child.last_words()}")
        return self._child.pid

    async def start(self) -> None:
        """Start it and wait until it takes connections."""
        await self._child.start()
        await until_listening(self.port)

    async def stop(self) -> None:
        await self._child.stop()


async def until_listening(port: int) -> None:
    """Wait for a server on the loopback address."""
    async with asyncio.timeout(BROKER_SECONDS_MAX):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


def build_city(
    directory: Path,
    wards: Sequence[str],
    *,
    clerks: Sequence[Clerk] = (),
    lan: bool = False,
    far: str = HOST,
) -> tuple[Town, Broker]:
    """A network with these wards ("00" is the archive), all on one broker.

    `lan`: they listen on the LAN instead, and nobody dials. `far`: the address at which wards
    other than the archive find the broker.
    """
    network = authority.create(directory / "network", "試験市", True)
    names = {code: WardNames(code, f"第{code}区", f"Ward {code}") for code in wards}
    for name in names.values():
        network.name_ward(name)
    for clerk in clerks:
        clerk.code = new_card_code()
        record = staff_record(network, network.next_staff_serial(), clerk.code, clerk)
        network.add([record, bind_card(network, record, clerk.code, clerk.pin)])
    witnesses = tempfile.TemporaryDirectory(prefix="meshrelay-test-", dir=TMPFS)
    broker = Broker(directory / "broker", network, free_port(), far)
    ports = {ward: free_port() for ward in wards}
    requests = {}
    for ward in wards:
        settings = NodeToml(
            f"{ward}の機器",
            lan_listen=f"{HOST}:{ports[ward]}" if lan else "",
            web_listen=f"{HOST}:{free_port()}",
            zeroconf=False,
            broker="" if lan else f"{HOST if ward == ARCHIVE else far}:{broker.port}",
            witness=witnesses.name,
            clock_set_by_person=True,
        )
        data = make_node_dir(directory / ward, settings)
        requests[ward] = enrolment.read_request(data, ward)
        enrolment.sign_request(network, requests[ward], names[ward], archive=ward == ARCHIVE)
    give_transit_keys(network)
    for ward, request in requests.items():
        enrol_node_dir(directory / ward, enrolment.answer_again(network, request), ward)
    return Town(directory, ports, witnesses, clerks=tuple(clerks)), broker

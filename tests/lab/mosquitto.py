"""The broker that ships, on a host of the laboratory: killed, emptied, restarted, capped."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

from meshrelay.cli.brokerdir import make_broker_dir, mosquitto
from meshrelay.cli.demo.processes import Child
from tests.lab.city import BROKER_PORT, City
from tests.lab.net import Host, LabError

UP_S_MAX = 10.0
UP_POLL_S = 0.02
STORE = "mosquitto.db"


class Mosquitto:
    """One broker of the network, bound to its host's address; `make` writes its files."""

    def __init__(self, host: Host, directory: Path, port: int) -> None:
        self.host = host
        self.directory = directory
        self.port = port
        program = mosquitto()
        if program is None:
            raise LabError("Mosquitto is not installed")
        command = host.command(program, "-c", str(directory / "mosquitto.conf"))
        self._log = directory / "log.txt"
        self._child = Child("mosquitto", command, self._log)

    async def start(self) -> None:
        """Start it and wait until it listens."""
        await self._child.start()
        end_s = time.monotonic() + UP_S_MAX
        while not await self._listens():
            if not self._child.running or time.monotonic() > end_s:
                raise LabError(f"mosquitto does not start: {self._child.last_words()}")
            await asyncio.sleep(UP_POLL_S)

    async def kill(self) -> None:
        await self._child.kill(lose_witness=False)

    async def stop(self) -> None:
        await self._child.stop()

    def forget(self) -> int:
        """Remove what it keeps on disk; how many bytes that were. Only while it is stopped."""
        store = self.directory / STORE
        size = store.stat().st_size
        store.unlink()
        return size

    def dropped(self) -> int:
        """For how many clients it said that their queue is full and messages are dropped."""
        return len(re.findall("messages are being dropped", self._log.read_text("utf-8")))

    async def _listens(self) -> bool:
        knock = self.host.socket()
        knock.setblocking(False)
        try:
            address = (self.host.address, self.port)
            await asyncio.get_running_loop().sock_connect(knock, address)
        except OSError:
            return False
        finally:
            knock.close()
        return True


def make(
    city: City, host: Host, *, port: int = BROKER_PORT, durable: bool = False, queue_max: int = 0
) -> Mosquitto:
    """A broker as `meshrelay broker make` writes it, but for what is asked.

    `durable` lets it keep its queues and retained messages on disk; `queue_max` is how
    many messages it queues for one client, beside those in flight.
    """
    directory = city.lab.directory / "broker"
    user = "root" if os.geteuid() == 0 else ""
    made = make_broker_dir(
        directory, city.network, [host.address], port, listen=host.address, user=user
    )
    text = made.conf.read_text("utf-8")
    if durable:
        text = _put(text, "persistence", "true")
        text += f"persistence_location {directory}/\nautosave_interval 1\n"
    if queue_max:
        text = _put(text, "max_queued_messages", str(queue_max))
    made.conf.write_text(text, "utf-8")
    return Mosquitto(host, directory, port)


def _put(text: str, key: str, value: str) -> str:
    changed, times = re.subn(rf"(?m)^{key} .*$", f"{key} {value}", text)
    if times != 1:
        raise LabError(f"the broker's configuration has {key} {times} times")
    return changed

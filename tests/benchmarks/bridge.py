"""The peer: Debian's Mosquitto as a bridge, edge → centre, as durable as it can be told to be.

It is given every advantage that its manual knows: no limit on queues, a lasting session on
both sides, QoS 1, no TLS, the whole database saved and synced after every change
(`autosave_interval 1` with `autosave_on_changes`), or, where that is hopelessly slow,
every second.
"""

from __future__ import annotations

import asyncio
import getpass
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from meshrelay.cli.brokerdir import mosquitto
from meshrelay.cli.demo.processes import Child
from tests.benchmarks.cities import HOST, until_listening
from tests.town import free_port

TOPIC = "reports"
# On the way to the edge, and waiting in the author's memory: paho numbers messages in 16 bits,
# and forgets one of two that share a number.
WINDOW, WAITING_MAX = 200, 10_000
WAIT_S_MAX = 180.0

_CONF = """\
listener {port} {host}
allow_anonymous true
user {user}
persistence true
persistence_location {directory}/
autosave_interval 1
autosave_on_changes {on_changes}
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 0
set_tcp_nodelay true
log_type error
"""
_BRIDGE = """
connection centre
address {centre}
topic # out 1
cleansession false
notifications false
"""


class Bridge:
    """Two brokers. `every_change`: save after each change, else once a second."""

    def __init__(
        self, directory: Path, *, every_change: bool, centre_host: str = HOST, listen: str = HOST
    ) -> None:
        program = mosquitto()
        if program is None:
            raise AssertionError("the peer's figures need Mosquitto (Debian: mosquitto)")
        self.edge_port, self.centre_port = free_port(), free_port()
        self.edge = self._child(directory / "edge", program, self.edge_port, listen, every_change)
        self.centre = self._child(
            directory / "centre", program, self.centre_port, listen, every_change
        )
        with (directory / "edge" / "mosquitto.conf").open("a", encoding="utf-8") as conf:
            conf.write(_BRIDGE.format(centre=f"{centre_host}:{self.centre_port}"))

    @staticmethod
    def _child(home: Path, program: str, port: int, listen: str, every_change: bool) -> Child:
        home.mkdir(parents=True)
        conf = home / "mosquitto.conf"
        conf.write_text(
            _CONF.format(port=port, host=listen, user=getpass.getuser(), directory=home,
                         on_changes=str(every_change).lower()),
            encoding="utf-8",
        )  # fmt: skip
        return Child(home.name, [program, "-c", str(conf)], home / "log.txt")

    async def start_edge(self) -> None:
        await self.edge.start()
        await until_listening(self.edge_port)

    async def start_centre(self) -> None:
        await self.centre.start()
        await until_listening(self.centre_port)

    async def stop(self) -> None:
        for child in (self.edge, self.centre):
            await child.stop()


class Counter:
    """A lasting subscription at the centre: which messages came, and when the newest did."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.numbers: set[int] = set()
        self.newest_s = 0.0
        self._there = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="counter", clean_session=False
        )
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._there.set()
        self._client.on_message = self._message

    def _connected(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(TOPIC, 1)

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.numbers.add(number_of(bytes(message.payload)))
        self.newest_s = time.monotonic()

    async def open(self) -> None:
        """Connect and subscribe; what waits for the session comes now."""
        self._there.clear()
        self._client.connect(HOST, self._port)
        self._client.loop_start()
        if not await asyncio.to_thread(self._there.wait, 20.0):
            raise AssertionError("the centre takes no subscription")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def payload(number: int, body: bytes) -> bytes:
    """A message of the body's length that begins with its number."""
    head = b"%d " % number
    return head + body[len(head) :]


def number_of(content: bytes) -> int:
    return int(content.partition(b" ")[0])


def publish(port: int, bodies: Sequence[bytes]) -> int:
    """Publish all with QoS 1; returns how many the broker acknowledged, which must be all."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="author")
    client.max_inflight_messages_set(WINDOW)
    acknowledged = 0
    done = threading.Event()
    places = threading.Semaphore(WAITING_MAX)

    def on_publish(*_: Any) -> None:
        nonlocal acknowledged
        acknowledged += 1
        places.release()
        if acknowledged == len(bodies):
            done.set()

    client.on_publish = on_publish
    client.connect(HOST, port)
    client.loop_start()
    try:
        for number, body in enumerate(bodies):
            if not places.acquire(timeout=WAIT_S_MAX):
                break
            client.publish(TOPIC, payload(number, body), 1)
        if not done.wait(WAIT_S_MAX):
            raise AssertionError(f"{acknowledged} of {len(bodies)} acknowledged")
    finally:
        client.disconnect()
        client.loop_stop()
    return acknowledged

"""The laboratory does to a network what it says, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from meshrelay.web.client import StaffClient
from tests.lab.city import HQ, city
from tests.lab.disk import Disk
from tests.lab.ledger import Ledger, unfinished, untrue
from tests.lab.net import HERE, TMPFS, Host, Lab, missing, run, sweep
from tests.lab.people import look, post

KITA = "01"
PORT = 9_000
LEAVE_ONE = """
import asyncio
from tests.lab.net import Lab

async def main():
    async with Lab() as lab:
        lab.add("kita")
        print(lab.prefix, lab.directory, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def tools() -> None:
    if missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must run this with {missing()}")
        pytest.skip(f"needs {missing()}")


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Lab, Host, Host]]:
    async with Lab() as lab:
        yield lab, lab.add("kita"), lab.add("chuo")


def datagrams(sender: Host, receiver: Host, count: int, size: int) -> int:
    """How many of `count` datagrams arrive."""
    with receiver.socket(socket.SOCK_DGRAM) as ear, sender.socket(socket.SOCK_DGRAM) as mouth:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        ear.bind((receiver.address, PORT))
        ear.settimeout(1.0)
        arrived = 0
        for _ in range(count):
            mouth.sendto(bytes(size), (receiver.address, PORT))
        with contextlib.suppress(TimeoutError):
            while arrived < count:
                ear.recv(65_536)
                arrived += 1
        return arrived


def arrives(sender: Host, receiver: Host) -> bool:
    """Whether a datagram comes through; the kernel asks for a lost neighbour once a second."""
    return any(datagrams(sender, receiver, 1, 100) for _ in range(5))


def answer_ms(caller: Host, listener: Host) -> float:
    """Milliseconds until a TCP connection stands."""
    with listener.socket() as ear, caller.socket() as mouth:
        ear.bind((listener.address, PORT))
        ear.listen()
        mouth.settimeout(5.0)
        began_s = time.monotonic()
        mouth.connect((listener.address, PORT))
        return 1000 * (time.monotonic() - began_s)


async def test_a_lossy_host_loses_about_what_was_asked(pair: tuple[Lab, Host, Host]) -> None:
    _, kita, chuo = pair
    assert datagrams(kita, chuo, 500, 100) == 500

    chuo.lose(30)
    assert 0.6 < datagrams(kita, chuo, 500, 100) / 500 < 0.8  # five sigma each way

    chuo.lose(0)
    assert datagrams(kita, chuo, 500, 100) == 500


@pytest.mark.parametrize("up", [True, False])
async def test_a_limited_cable_drops_what_its_queue_cannot_hold(
    pair: tuple[Lab, Host, Host], up: bool
) -> None:
    _, kita, chuo = pair
    sender, receiver = (kita, chuo) if up else (chuo, kita)
    kita.limit(128 if up else 100_000, 100_000 if up else 128)
    assert 5 <= datagrams(sender, receiver, 200, 1_000) <= 40

    kita.unlimit()
    assert datagrams(sender, receiver, 200, 1_000) == 200


async def test_a_split_ends_at_the_trunk_and_heals(pair: tuple[Lab, Host, Host]) -> None:
    lab, kita, chuo = pair
    nishinari = lab.add("nishinari")
    lab.split([kita])
    assert datagrams(kita, chuo, 1, 100) == 0
    assert arrives(chuo, nishinari)

    lab.join()
    assert arrives(kita, chuo)


async def test_a_cut_cable_is_silent_until_it_is_mended(pair: tuple[Lab, Host, Host]) -> None:
    _, kita, chuo = pair
    kita.cut()
    assert datagrams(kita, chuo, 1, 100) == 0

    kita.mend()
    assert arrives(kita, chuo)


async def test_delayed_packets_take_their_time_and_arrive(pair: tuple[Lab, Host, Host]) -> None:
    lab, kita, chuo = pair
    await lab.delay([kita, chuo], 200, 40, seed=1)
    # There and back, at the shortest, and ARP before it.
    assert await asyncio.to_thread(answer_ms, kita, chuo) >= 2 * (200 - 40)
    assert await asyncio.to_thread(datagrams, kita, chuo, 50, 1_000) == 50

    await lab.undelay()
    assert answer_ms(kita, chuo) < 2 * (200 - 40)


async def test_a_lab_leaves_nothing_behind() -> None:
    async with Lab() as lab:
        host, directory = lab.add("kita"), lab.directory
        await lab.delay([host], 10, 0, seed=1)
        assert host.space in run("ip", "netns", "list")

    assert lab.prefix not in run("ip", "netns", "list")
    assert not directory.exists() and not lab.tmpfs.exists()


def test_what_a_killed_lab_left_is_swept_away() -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", LEAVE_ONE], stdout=subprocess.PIPE, text=True, cwd=HERE
    )
    assert killed.stdout is not None
    prefix, directory = killed.stdout.readline().split()
    sweep()
    assert f"{prefix}-kita" in run("ip", "netns", "list")  # it is alive: left alone
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    assert f"{prefix}-kita" in sweep()
    assert prefix not in run("ip", "netns", "list")
    assert not (TMPFS / prefix).exists() and not os.path.exists(directory)


async def test_wards_meet_by_mdns_and_hq_receipts_through_loss_and_a_clock_of_1970() -> None:
    ledger = Ledger()
    async with city(2, lambda plain: replace(plain, zeroconf=True)) as town:
        office = town.offices[KITA]
        office.set_clock("1970")
        for each in town.offices.values():
            each.host.lose(10)
        await town.start()
        assert (await office.status()).now_ms < 86_400_000 * 3
        clerks = town.visitors()
        try:
            for clerk in clerks.values():
                await clerk.ask(StaffClient.rooms)
            for number in range(3):
                await post(ledger, KITA, clerks[KITA], number)
            end_s = time.monotonic() + 40
            while unfinished(ledger, pages := await look(clerks), "archive"):
                assert time.monotonic() < end_s, unfinished(ledger, pages, "archive")
                await asyncio.sleep(0.2)
        finally:
            for clerk in clerks.values():
                await clerk.client.close()
        disks = {ward: Disk(each.directory).look() for ward, each in town.offices.items()}

    assert len(ledger.answered) == 3
    assert untrue(ledger, pages, disks, HQ) == []
    assert all(disk and set(ledger.entries.values()) <= disk for disk in disks.values())

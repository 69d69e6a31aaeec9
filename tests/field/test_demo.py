"""`meshrelay demo` as a newcomer meets it: pages, control page, story, and nothing left."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest

from meshrelay.cli.demo import build
from meshrelay.cli.demo.build import plan_for_demo
from meshrelay.cli.demo.layout import PLACES, free_ports
from meshrelay.cli.demo.story import Line, Story
from meshrelay.cli.demo.town import Town
from meshrelay.cli.main import main
from meshrelay.node.office import Message
from meshrelay.web.client import NodeUnreachable, StaffClient, fetch_status
from meshrelay.web.ids import uuid7
from tests.field.demo_ports import port_base

SEEN_SECONDS_MAX = 30.0


@dataclass
class Demo:
    process: subprocess.Popen[str]
    intro: dict[str, Any]

    def card(self, ward: str) -> tuple[str, str, str]:
        person = next(p for p in self.intro["people"] if p["ward"] == ward)
        card = person["link"].split("&c=")[1]
        return person["staff_id"], unquote(card), person["pin"]


def start_demo(*options: str, base: int = 0) -> Demo:
    process = subprocess.Popen(
        [sys.executable, "-m", "meshrelay", "demo", "--no-story", "--json",
         "--port-base", str(base or port_base()), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        raise AssertionError(process.stderr.read())
    return Demo(process, json.loads(line))


def family(pid: int) -> list[int]:
    """Living children of a process, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(after[1]) == pid and after[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def demo() -> Iterator[Demo]:
    running = start_demo()
    yield running
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGINT)
        running.process.wait(20)


async def client_of(demo: Demo, ward: str) -> StaffClient:
    client = StaffClient(demo.intro["pages"][ward])
    await client.log_in(*demo.card(ward))
    return client


async def wait_for(
    client: StaffClient, message_id: str, enough: Callable[[Message], bool]
) -> Message:
    deadline = time.monotonic() + SEEN_SECONDS_MAX
    seen = None
    while time.monotonic() < deadline:
        for message in await client.messages("all"):
            if message.message_id == message_id:
                seen = message
                if enough(message):
                    return message
        await asyncio.sleep(0.1)
    raise AssertionError(f"not far enough: {seen}")


async def press(demo: Demo, verb: str, name: str) -> None:
    url = demo.intro["control"].rstrip("/")
    async with aiohttp.ClientSession() as session:
        answer = await session.post(
            f"{url}/act", data={"verb": verb, "name": name}, headers={"Origin": url}
        )
        assert answer.status == 200, await answer.text()


async def test_a_message_by_hand_is_receipted_and_read_in_chuo_and_at_hq(demo: Demo) -> None:
    kita, chuo, hq = [await client_of(demo, ward) for ward in ("01", "02", "00")]

    posted = await kita.post(uuid7(time.time_ns() // 1_000_000), "all", "北区、無事です。")
    for other in (chuo, hq):
        shown = await wait_for(other, posted.message_id, lambda message: True)
        await other.read([(shown.author, shown.message_id)])
    seen = await wait_for(
        kita,
        posted.message_id,
        lambda m: m.place == "archive" and m.wards_n == 2 and m.read_n == 2,
    )
    who = await kita.who(seen.author, seen.message_id)

    readers = {reader.person.staff_id for reader in who.readers if reader.state == "read"}
    assert readers == {demo.card("02")[0], demo.card("00")[0]}
    for client in (kita, chuo, hq):
        await client.close()


async def test_the_control_page_cuts_powers_off_and_heals(demo: Demo) -> None:
    kita, nishi = await client_of(demo, "01"), await client_of(demo, "03")
    await press(demo, "cut", "nishinari")
    posted = await kita.post(uuid7(time.time_ns() // 1_000_000), "all", "西成区へ。")
    await wait_for(kita, posted.message_id, lambda m: m.wards_n == 1)
    assert posted.message_id not in [m.message_id for m in await nishi.messages("all")]

    await press(demo, "power", "nishinari")
    with pytest.raises(NodeUnreachable):
        await fetch_status(demo.intro["pages"]["03"])
    async with aiohttp.ClientSession() as session:
        state = await (await session.get(f"{demo.intro['control']}state")).json()
        page = await (await session.get(demo.intro["control"])).text()
    assert state["processes"]["nishinari"]["running"] is False
    assert state["stores"]["nishinari"] is None
    assert state["stores"]["kita"]["messages"] == 1
    assert "電源を抜く" in page
    assert "切る" in page

    await press(demo, "start", "nishinari")
    await press(demo, "heal", "nishinari")
    again = await client_of(demo, "03")
    await wait_for(again, posted.message_id, lambda m: True)
    for client in (kita, nishi, again):
        await client.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_leaves_no_process_and_no_file(number: signal.Signals) -> None:
    demo = start_demo()
    children = family(demo.process.pid)
    directory = Path(demo.intro["directory"])
    witnesses = Path(demo.intro["witnesses"])
    assert len(children) == 5
    assert directory.is_dir()
    assert len(list(witnesses.glob("*/*"))) == 4

    demo.process.send_signal(number)

    assert demo.process.wait(20) == 0
    assert all(gone(pid) for pid in children)
    assert not directory.exists()
    assert not witnesses.exists()


def test_children_die_with_a_killed_demo() -> None:
    demo = start_demo()
    children = family(demo.process.pid)
    assert len(children) == 5

    os.kill(demo.process.pid, signal.SIGKILL)
    demo.process.wait()

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not all(gone(pid) for pid in children):
        time.sleep(0.05)
    assert all(gone(pid) for pid in children)
    # What a killed process cannot tidy up, the test does.
    shutil.rmtree(demo.intro["directory"])
    shutil.rmtree(demo.intro["witnesses"])


def test_keep_keeps_the_nodes_and_a_taken_port_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "city"
    base = port_base()
    assert port_base() == base + 100  # nobody else takes the next one
    first = start_demo("--keep", str(kept), base=base)
    second = start_demo(base=base)
    try:
        assert second.intro["pages"]["00"] == f"http://127.0.0.1:{base + 100}"
    finally:
        for demo in (first, second):
            demo.process.send_signal(signal.SIGINT)
            _, error = demo.process.communicate(timeout=20)
    assert f"port {base} is taken" in error
    assert (kept / "kita" / "node.toml").is_file()
    assert (kept / "kita" / "log.db").is_file()

    again = subprocess.run(
        [sys.executable, "-m", "meshrelay", "demo", "--keep", str(kept)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert again.returncode == 2
    assert "expected an empty directory" in again.stderr


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "city", Path("/proc/city")):
        done = subprocess.run(
            [sys.executable, "-m", "meshrelay", "demo", "--no-story", "--json",
             "--port-base", str(port_base()), "--keep", str(place)],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"meshrelay: --keep {place}: cannot be written")


def test_the_stand_in_for_mosquitto_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "mosquitto", lambda: None)
    (tmp_path / "file").write_text("x")

    keep = ["--keep", str(tmp_path / "file"), "--port-base", str(port_base())]
    assert main(["demo", "--no-story", *keep]) == 2
    assert "amqtt stands in" in capsys.readouterr().err


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    ports, _ = free_ports(port_base())
    async with Town(ports, plan_for_demo("物語")) as running:
        yield running


async def test_the_story_is_told_to_its_end(town: Town) -> None:
    told: list[Line] = []

    await Story(town, pause_s=0.0).tell(told.append)

    japanese = [line.ja for line in told]
    assert 12 <= len(told) <= 16
    assert "本部・他の区 2・既読 0/5" in japanese[1]
    assert "既読 2/5" in japanese[2]
    assert "他の区 2・既読" in japanese[4]
    assert "本部・" not in japanese[4]
    assert "区の機器・既読" in japanese[6]
    assert "本部" in japanese[9]
    assert japanese[-1].startswith("4か所の画面は同じです。")
    for place in PLACES:
        assert (await fetch_status(town.url(place))).ready


async def test_without_mosquitto_the_demo_brings_its_own_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "mosquitto", lambda: None)
    ports, _ = free_ports(port_base())
    async with Town(ports, plan_for_demo("amqtt")) as town, AsyncExitStack() as stack:
        clients = []
        for place in PLACES[:2]:
            person = next(p for p in town.people if p.ward == place.ward)
            client = await stack.enter_async_context(StaffClient(town.url(place)))
            await client.log_in(person.staff_id, person.card, person.pin)
            clients.append(client)
        hq, kita = clients

        posted = await kita.post(uuid7(time.time_ns() // 1_000_000), "all", "北区です。")
        await wait_for(kita, posted.message_id, lambda m: m.place == "archive")
        await wait_for(hq, posted.message_id, lambda m: True)

        await town.kill("broker", lose_witness=True)
        await town.start("broker")
        posted = await hq.post(uuid7(time.time_ns() // 1_000_000), "all", "本部です。")
        await wait_for(kita, posted.message_id, lambda m: True)

"""A stick in a running node, an old copy put back, and a dead node replaced by a new one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshrelay.cli.main import main
from meshrelay.cli.node_toml import NodeToml
from meshrelay.core.entry import LANES, LogId
from meshrelay.node import nightly
from meshrelay.node.backup import folder_of, paths_in
from meshrelay.node.config import load
from meshrelay.node.identity import load_keys
from meshrelay.node.office import Message, Status
from meshrelay.web.client import StaffClient, fetch_status, is_ready
from tests.town import SATO, TANAKA, Town, build_town, free_port, running, until, uuid7

KITA, CHUO, NEW = "01", "02", "01-new"
STARTED_SECONDS_MAX = 20.0


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    result: dict[str, Any] = json.loads(out)
    return result


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert main([*map(str, words)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("meshrelay: ")
    return said


@pytest.fixture
def stick() -> Iterator[Path]:
    """A directory on another file system than the test's own."""
    with tempfile.TemporaryDirectory(prefix="meshrelay-stick-", dir="/dev/shm") as directory:
        yield Path(directory)


def texts(town: Town, ward: str, seat: Any) -> list[str]:
    return sorted(message.body["text"] for message in town.room(ward, seat))


def is_whole(town: Town) -> bool:
    return len({node.machine.vector.digest() for node in town.nodes.values()}) == 1


# Every night


def with_stick(town: Town, ward: str, stick: Path) -> None:
    toml = town.directory / ward / "node.toml"
    before, _, after = toml.read_text("utf-8").partition('\ndir = ""\n')
    toml.write_text(f'{before}\ndir = "{stick}"\n{after}', "utf-8")
    assert load(toml).backup.dir == str(stick)


async def test_a_running_node_copies_itself_to_its_stick_and_says_when_the_stick_is_away(
    tmp_path: Path, stick: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(nightly, "LOOK_S", 0.05)
    caplog.set_level(logging.INFO, "meshrelay.node")
    town = build_town(tmp_path, {KITA: ()}, clerks=(SATO,))
    with_stick(town, KITA, stick)
    folder = folder_of(stick, load_keys(tmp_path / KITA).signer.public)
    async with running(town):
        node = town.nodes[KITA]
        await until(lambda: "backup done copy=copy-000001" in caplog.text)
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "控えのあとで")

        away = stick.with_name(stick.name + "-away")
        stick.rename(away)
        await until(lambda: node.status().trouble)
        (trouble,) = node.status().trouble
        assert "差し込んでください" in trouble and "Plug it in" in trouble and str(stick) in trouble
        await town.say(KITA, sato, "機器は動いている")
        stick.symlink_to(tmp_path)  # as an empty mount point: the node's own disk
        await until(lambda: "own disk" in "".join(node.status().trouble))
        stick.unlink()
        away.rename(stick)
        await until(lambda: not node.status().trouble)

        assert [path.name for path in paths_in(folder)] == ["copy-000001"]
    shown = run(capsys, "archive", "verify", stick)
    assert [(copy["good"], copy["name"]) for copy in shown["copies"]] == [(True, "01の機器")]


async def test_a_stick_without_space_is_told_and_the_node_goes_on(
    tmp_path: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "RETRY_S", 0.05)
    monkeypatch.setattr("meshrelay.node.backup.FREE_BYTES_MIN", 1 << 60)
    town = build_town(tmp_path, {KITA: ()}, clerks=(SATO,))
    with_stick(town, KITA, stick)
    async with running(town):
        node = town.nodes[KITA]
        await until(lambda: any("空きがありません" in each for each in node.status().trouble))
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "機器は動いている")

        monkeypatch.setattr("meshrelay.node.backup.FREE_BYTES_MIN", 0)
        await until(lambda: not node.status().trouble)


async def test_a_node_that_ends_while_it_copies_leaves_half_a_copy_to_nobody(
    tmp_path: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "REST_S", 60.0)
    town = build_town(tmp_path, {KITA: ()}, clerks=(SATO,))
    with_stick(town, KITA, stick)
    folder = folder_of(stick, load_keys(tmp_path / KITA).signer.public)
    async with running(town):
        await until(lambda: list(folder.glob("copy-*/log.db")))
        (thread,) = (each for each in threading.enumerate() if each.name == "backup")
        assert thread.native_id is not None
        assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == nightly.NICE_MAX
        assert os.getpriority(os.PRIO_PROCESS, 0) < nightly.NICE_MAX
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "控えの途中でも書ける")
    assert not thread.is_alive()
    assert list(folder.iterdir()) == []


# Put back


async def test_an_old_copy_put_back_forks_nothing_and_gets_the_rest_from_a_neighbour(
    tmp_path: Path, stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kita = tmp_path / KITA
    town = build_town(tmp_path, {KITA: (), CHUO: (KITA,)})
    async with running(town):
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "控えの前")
        await until(lambda: is_whole(town))
        made = run(capsys, "archive", "backup", stick, "--from", kita)  # beside the running node
        assert made["name"] == "01の機器" and not made["same_disk"]
        await town.say(KITA, sato, "控えのあと")
        await until(lambda: is_whole(town))
        past = town.nodes[KITA].machine.incarnation
        await town.stop(KITA)

        said = refused(capsys, "archive", "restore", stick, "--into", kita)
        assert "holds more than the copy" in said and "--force" in said
        done = run(capsys, "archive", "restore", stick, "--into", kita, "--force")
        assert done["own"] and done["lost"]["own"] == done["lost"]["entries"] > 0

        node = await town.start(KITA)
        assert node.machine.incarnation != past
        again = await town.log_in(KITA, SATO)
        await town.say(KITA, again, "戻したあと")
        await until(lambda: is_whole(town))

        tanaka = await town.log_in(CHUO, TANAKA)
        await until(lambda: len(town.room(CHUO, tanaka)) == 3)
        for ward, seat in ((KITA, again), (CHUO, tanaka)):
            assert texts(town, ward, seat) == sorted(["控えの前", "控えのあと", "戻したあと"])
            assert not town.nodes[ward].machine.book.proofs
            assert not town.nodes[ward].status().refused.get("fork")
            assert not town.nodes[ward].status().trouble
        me = node.machine.me
        assert not any(LogId(me, past, lane) in node.machine.book.proofs for lane in LANES)


# log.db deleted, and started without a copy


async def begun_anew(town: Town, ward: str) -> None:
    """Talk, then lose the log of a ward and start it again."""
    await until(lambda: is_whole(town))
    await town.stop(ward)
    for file in (town.directory / ward).glob("log.db*"):
        file.unlink()
    await town.start(ward)
    await until(lambda: is_whole(town))


async def test_a_start_without_log_db_is_told_until_a_copy_is_put_back(
    tmp_path: Path, stick: Path, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    kita = tmp_path / KITA
    town = build_town(tmp_path, {KITA: ()})
    async with running(town):
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "控えの前")
        await until(lambda: town.nodes[KITA].status().messages == 1)
        assert not town.nodes[KITA].status().trouble
        run(capsys, "archive", "backup", stick, "--from", kita)
        with caplog.at_level(logging.WARNING, "meshrelay.node"):
            await begun_anew(town, KITA)
        assert "log.db is missing" in caplog.text and "archive restore" in caplog.text

        await town.stop(KITA)
        node = await town.start(KITA)  # as after a power cut: it is still so
        [said] = node.status().trouble
        assert "log.db がなくなり" in said and "put it back now" in said
        await town.stop(KITA)
        run(capsys, "archive", "restore", stick, "--into", kita, "--force")

        node = await town.start(KITA)
        assert not node.status().trouble and node.status().messages == 1


async def test_what_a_node_that_lost_its_log_receives_counts_again(tmp_path: Path) -> None:
    town = build_town(tmp_path, {KITA: (), CHUO: (KITA,)})
    async with running(town):
        sato, tanaka = await town.log_in(KITA, SATO), await town.log_in(CHUO, TANAKA)
        await town.say(CHUO, tanaka, "前からの記録")
        await begun_anew(town, CHUO)

        await town.say(KITA, sato, "届いていますか")

        await until(lambda: town.room(KITA, sato)[-1].place == "wards")
        assert town.room(KITA, sato)[-1].wards_n == 1
        assert not town.nodes[KITA].status().trouble


async def test_two_stores_in_one_nodes_name_are_told_to_others_in_words(tmp_path: Path) -> None:
    town = build_town(tmp_path, {KITA: (), CHUO: (KITA,)})
    async with running(town):
        tanaka = await town.log_in(CHUO, TANAKA)
        await town.say(CHUO, tanaka, "前からの記録")
        await until(lambda: is_whole(town))
        past = town.nodes[CHUO].machine.incarnation
        for witness in Path(town.witnesses.name).glob("*"):
            if past.hex() in witness.read_text():
                witness.unlink()  # the machine lost power too
        await begun_anew(town, CHUO)

        await until(lambda: town.nodes[KITA].status().trouble)

        [said] = town.nodes[KITA].status().trouble
        assert said.startswith("02の機器 (中央区): 記録をなくして始め直したか")
        assert "began anew without its log.db" in said and "revoke this key" in said


def enrol_new(capsys: pytest.CaptureFixture[str], town: Town, *peers: str) -> Path:
    """A new machine for 北区, by the commands of README.md."""
    directory, answer = town.directory / NEW, town.directory / "answer"
    run(capsys, "node", "request", directory, "--name", "北区の新しい機器")
    settings = NodeToml(
        "北区の新しい機器", lan_listen="", web_listen=f"127.0.0.1:{free_port()}", zeroconf=False,
        peers=peers, witness=town.witnesses.name, clock_set_by_person=True,
    )  # fmt: skip
    (directory / "node.toml").write_text(settings.render(), "utf-8")
    run(capsys, "issuer", "sign", town.directory / "network", directory / "request.cbor",
        "--ward", "01", "--ward-name", "北区", "--ward-name-en", "Kita", "-o", answer)  # fmt: skip
    run(capsys, "node", "enrol", directory, answer)
    return directory


async def test_a_new_node_alone_starts_with_the_history_of_the_dead_ones_stick(
    tmp_path: Path, stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = build_town(tmp_path, {KITA: ()}, clerks=(SATO,))
    async with running(town):
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "機器が壊れる前")
        await town.stop(KITA)
        run(capsys, "archive", "backup", stick, "--from", tmp_path / KITA)
        shutil.rmtree(tmp_path / KITA)
        new = enrol_new(capsys, town)

        done = run(capsys, "archive", "restore", stick, "--into", new)
        assert (done["own"], done["kept"], done["name"]) == (False, None, "01の機器")

        node = await town.start(NEW)
        sato = await town.log_in(NEW, SATO)
        await town.say(NEW, sato, "続きはここで")
        assert texts(town, NEW, sato) == sorted(["機器が壊れる前", "続きはここで"])
        assert node.me.name == "北区の新しい機器"


async def test_what_only_the_stick_had_of_a_dead_node_is_shown_as_through_a_revoked_machine(
    tmp_path: Path, stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = build_town(tmp_path, {KITA: (), CHUO: (KITA,)}, clerks=(SATO, TANAKA))
    vector, revoked = tmp_path / "vector", tmp_path / "revoked"
    async with running(town):
        sato = await town.log_in(KITA, SATO)
        await town.say(KITA, sato, "届いた")
        await until(lambda: is_whole(town))
        await town.stop(CHUO)
        await town.say(KITA, sato, "控えにだけある")
        run(capsys, "archive", "backup", stick, "--from", tmp_path / KITA)
        await town.stop(KITA)
        run(capsys, "node", "vector", tmp_path / CHUO, "-o", vector)
        run(capsys, "issuer", "revoke", tmp_path / "network", "01の機器", "--vector", vector,
            "-o", revoked)  # fmt: skip
        await town.start(CHUO)
        new = enrol_new(capsys, town, f"127.0.0.1:{town.ports[CHUO]}")
        # The issuer's answer brought the revocation.
        run(capsys, "archive", "restore", stick, "--into", new, "--force")

        await town.start(NEW)
        await until(lambda: is_whole(town))
        tanaka = await town.log_in(CHUO, TANAKA)
        await until(lambda: len(town.room(CHUO, tanaka)) == 2)
        sato = await town.log_in(NEW, SATO)
        for ward, seat in ((CHUO, tanaka), (NEW, sato)):
            shown = {each.body["text"]: each.trouble for each in town.room(ward, seat)}
            assert shown == {"届いた": None, "控えにだけある": "revoked"}


async def test_the_copy_of_a_revoked_node_is_restored_by_force_only(
    tmp_path: Path, stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = build_town(tmp_path, {KITA: ()}, clerks=(SATO,))
    async with running(town):
        run(capsys, "archive", "backup", stick, "--from", tmp_path / KITA)
    net, revoked = tmp_path / "network", tmp_path / "revoked"
    run(capsys, "issuer", "revoke", net, "01の機器", "--from-nothing", "-o", revoked)
    new = enrol_new(capsys, town)

    said = refused(capsys, "archive", "restore", stick, "--into", new)

    assert "失効した機器が作りました" in said and "--force" in said
    assert not (new / "log.db").exists()
    run(capsys, "archive", "restore", stick, "--into", new, "--force")


# Real processes


class Machine:
    """One `node run`, and a page of it."""

    def __init__(self, directory: Path) -> None:
        self.url = f"http://{load(directory / 'node.toml').web.listen}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "meshrelay", "node", "run", str(directory)],
            stderr=subprocess.DEVNULL,
        )

    async def ready(self) -> None:
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while not await is_ready(self.url):
            assert self.process.poll() is None and time.monotonic() < deadline, "never ready"
            await asyncio.sleep(0.05)

    async def status(self) -> Status:
        return await fetch_status(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)


@asynccontextmanager
async def machine(directory: Path) -> AsyncIterator[Machine]:
    made = Machine(directory)
    try:
        await made.ready()
        yield made
    finally:
        made.end()


async def whole(*machines: Machine) -> None:
    """Until they hold the same."""
    deadline = time.monotonic() + STARTED_SECONDS_MAX
    while len({(await each.status()).digest for each in machines}) > 1:
        assert time.monotonic() < deadline, "never equal"
        await asyncio.sleep(0.05)


async def say(at: Machine, clerk: Any, *words: str) -> list[Message]:
    """Log in, say it, and return all that the page shows."""
    async with StaffClient(at.url) as page:
        await page.log_in(clerk.staff_id, clerk.code, clerk.pin)
        for text in words:
            await page.post(uuid7(), "all", text)
        return await page.messages("all")


async def test_a_dead_node_is_replaced_and_the_new_one_gets_the_whole_history_from_a_neighbour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = build_town(tmp_path, {KITA: (), CHUO: (KITA,)})
    net, chuo_dir = tmp_path / "network", tmp_path / CHUO
    vector, revoked = tmp_path / "vector", tmp_path / "revoked"
    before = [f"地震のあと {number}" for number in range(20)]
    async with machine(chuo_dir) as chuo:
        async with machine(tmp_path / KITA) as old:
            await say(old, SATO, *before)
            await say(chuo, TANAKA, "了解")
            await whole(old, chuo)
            old.kill()
        run(capsys, "node", "vector", chuo_dir, "-o", vector)
        run(capsys, "issuer", "revoke", net, "01の機器", "--vector", vector, "-o", revoked)
        run(capsys, "records", "import", chuo_dir, revoked)
        new = enrol_new(capsys, town, f"127.0.0.1:{town.ports[CHUO]}")

        async with machine(new) as kita:
            await whole(kita, chuo)
            shown = await say(kita, SATO, "新しい機器から")
            await whole(kita, chuo)
            there = await say(chuo, TANAKA)
            status = await chuo.status()

    assert [each.body["text"] for each in shown] == [*before, "了解", "新しい機器から"]
    assert [each.trouble for each in shown] == [None] * 22
    assert [each.body["text"] for each in there] == [each.body["text"] for each in shown]
    barred = {word.node.name: word.barred for word in status.words}
    assert barred == {"01の機器": "revoked", "02の機器": "", "北区の新しい機器": ""}
    town.witnesses.cleanup()


async def test_a_running_node_is_not_overwritten(
    tmp_path: Path, stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town = build_town(tmp_path, {KITA: ()}, clerks=(SATO,))
    async with machine(tmp_path / KITA):
        run(capsys, "archive", "backup", stick, "--from", tmp_path / KITA)
        said = refused(capsys, "archive", "restore", stick, "--into", tmp_path / KITA, "--force")
    town.witnesses.cleanup()

    assert "この機器は動いています" in said and "systemctl stop meshrelay" in said
    assert not os.path.exists(tmp_path / KITA / "log.db.before")

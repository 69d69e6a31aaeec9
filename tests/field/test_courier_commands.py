"""`courier write`, `read` and `status`, as an operator types them beside running nodes."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import io
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshrelay.cli import courier, courierfile
from meshrelay.cli.main import main
from meshrelay.cli.places import LOCK
from meshrelay.node import couriers
from tests.field.test_blobs import share
from tests.town import SATO, Town, build_town, running

Command = Callable[..., Any]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """北区 has said two things; 中央区 has the lock that `node run` holds."""
    async with running(build_town(tmp_path / "town", {"01": (), "02": ()})) as made:
        seat = await made.log_in("01", SATO)
        for text in ("避難所を開けました", "毛布が足りません"):
            await made.say("01", seat, text)
        with (made.directory / "02" / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield made


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    found = tmp_path / "usb"
    found.mkdir()
    return found


@pytest.fixture
def small_stick(stick: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(stick)], check=True)
    yield stick
    subprocess.run(["umount", str(stick)], check=True)


@pytest.fixture
def command(town: Town, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in a thread, as a process beside the node; (exit code, answer, errors)."""

    async def run(ward: str, *words: object, said: bool = False) -> tuple[int, Any, str]:
        argv = ["courier", *map(str, words), "--node", str(town.directory / ward)]
        argv += [] if said else ["--json"]
        code = await asyncio.get_running_loop().run_in_executor(None, main, argv)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out if said else json.loads(out), err

    return run


async def test_a_stick_is_written_shown_and_read(town: Town, stick: Path, command: Command) -> None:
    code, wrote, _ = await command("01", "write", stick, "--to", "中央区")
    path = Path(wrote["file"])
    shown = (await command("02", "status", stick))[1]["files"]
    read, taken, _ = await command("02", "read", stick)
    again = (await command("02", "read", path))[1]["files"][0]

    assert (code, read) == (0, 0)
    assert [each.name for each in stick.iterdir()] == [path.name]
    assert (wrote["entries"], wrote["nodes"]) == ([0, 2, 0, 0], ["02の機器"])
    assert shown == [
        {
            "file": path.name, "size": path.stat().st_size, "error": "", "node": "01の機器",
            "ward": "01", "written_ms": shown[0]["written_ms"], "to": "中央区", "to_ward": "",
            "whole": True, "damaged": 0, "entries": [0, 2, 0, 0], "new": 2,
        }
    ]  # fmt: skip
    (one,) = taken["files"]
    assert (one["state"], one["entries_new"], one["node_name"]) == ("done", 2, "01の機器")
    assert 0 <= one["passed_ms"] < 60_000
    assert (again["entries_new"], again["entries_known"]) == (0, 2)
    assert not list(couriers.incoming_of(town.directory / "02").iterdir())


async def test_the_commands_answer_people_in_sentences(stick: Path, command: Command) -> None:
    _, wrote, _ = await command("01", "write", stick, said=True)
    _, shown, _ = await command("02", "status", stick, said=True)
    _, read, _ = await command("02", "read", stick, said=True)

    assert "for everybody" in wrote and "2 entries (2 normal)" in wrote
    assert "written by 01の機器 (ward 01)" in shown and "whole" in shown
    assert "2 entries new, 0 already here, 0 refused" in read and "0 min ago" in read


async def test_the_list_names_the_ward_and_says_what_is_not_here_yet(
    town: Town, stick: Path, command: Command
) -> None:
    await command("01", "write", stick, "--to", "02")
    _, before, _ = await command("02", "status", stick, said=True)
    await command("02", "read", stick)
    _, after, _ = await command("02", "status", stick, said=True)

    assert "for 中央区 (ward 02)" in before and "2 entries (2 normal), 2 not here yet" in before
    assert "2 entries (2 normal), all of it is here already" in after


async def test_who_carries_a_photo_is_told_that_its_content_stays(
    town: Town, stick: Path, command: Command
) -> None:
    _, text_only, _ = await command("01", "write", stick, said=True)
    await share(town, "01", await town.log_in("01", SATO))
    _, with_photo, _ = await command("01", "write", stick, said=True)

    assert "names and small pictures" not in text_only
    assert "中身は入っていません" in with_photo and "when a line is back" in with_photo


def test_an_english_line_says_in_english_that_nobody_knows_how_long() -> None:
    for line in (courierfile.when(None, None), courierfile.when(1_795_000_000_000, None)):
        assert line.isascii() and "unknown" in line


async def test_a_cut_file_says_so_and_what_is_whole_is_taken(stick: Path, command: Command) -> None:
    _, wrote, _ = await command("01", "write", stick)
    path = Path(wrote["file"])
    path.write_bytes(path.read_bytes()[:-1])

    (shown,) = (await command("02", "status", stick))[1]["files"]
    code, text, _ = await command("02", "read", stick, said=True)

    assert (shown["whole"], shown["entries"]) == (False, [0, 2, 0, 0])
    assert code == 0 and "cut or damaged" in text and "傷んで" in text


def test_a_bad_sector_ends_the_copy_and_what_came_before_it_counts() -> None:
    class Stick(io.BytesIO):
        """Reads a megabyte, then fails as the kernel says it."""

        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    copied: list[tuple[int, int]] = []
    with tempfile.TemporaryFile() as out:
        courierfile.pour(Stick(bytes(3 << 20)), out, 3 << 20, lambda *done: copied.append(done))

        assert out.tell() == 1 << 20 and copied == [(1 << 20, 3 << 20)]


async def test_a_node_that_is_stopped_is_told_so_and_nothing_waits_for_it(
    town: Town, stick: Path, command: Command
) -> None:
    _, wrote, _ = await command("02", "write", stick)

    code, answer, err = await command("01", "read", wrote["file"])

    assert (code, answer["exit"]) == (1, 1)
    assert "動いていません" in err and "is not running" in err
    assert not list(couriers.incoming_of(town.directory / "01").iterdir())


async def test_a_link_a_pipe_and_other_things_on_a_stick_are_not_opened(
    stick: Path, command: Command
) -> None:
    os.mkfifo(stick / "meshrelay-pipe.courier")
    (stick / "meshrelay-link.courier").symlink_to("/dev/zero")
    (stick / "meshrelay-directory.courier").mkdir()
    (stick / "meshrelay-noise.courier").write_bytes(os.urandom(1000))

    shown = (await command("02", "status", stick))[1]["files"]
    code, taken, _ = await command("02", "read", stick)
    pipe = await command("02", "read", stick / "meshrelay-pipe.courier")

    assert len(shown) == 4 and all(each["error"] for each in shown)
    assert code == 1
    assert [each["code"] for each in taken["files"]] == ["not_a_courier_file"]
    assert pipe[0] == 2


async def test_a_stick_without_a_file_of_another_node_is_refused(
    stick: Path, command: Command
) -> None:
    empty, _, err = await command("02", "read", stick)
    await command("02", "write", stick)
    own, _, _ = await command("02", "read", stick)

    assert (empty, own) == (1, 1)
    assert "伝令データがありません" in err and "holds no courier file" in err


@pytest.mark.parametrize("to", ["99", "北九州区", "0"])
async def test_a_destination_that_is_none_is_refused_and_nothing_is_written(
    stick: Path, command: Command, to: str
) -> None:
    code, _, err = await command("01", "write", stick, "--to", to)

    assert code == 1 and "no ward and no node" in err
    assert not list(stick.iterdir())


async def test_a_machine_without_a_node_in_the_usual_place_is_told_the_option(
    stick: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "NODE_DEFAULT", stick / "node")

    code = main(["courier", "status", str(stick)])

    assert code == 2 and "--node NODEDIR" in capsys.readouterr().err


async def test_a_stick_that_is_not_there_is_configuration(stick: Path, command: Command) -> None:
    code, _, err = await command("01", "write", stick / "usb2")

    assert code == 2 and "mount the stick" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
async def test_a_full_stick_is_refused_and_nothing_is_left_on_it(
    small_stick: Path, command: Command
) -> None:
    code, _, err = await command("01", "write", small_stick)

    assert code == 1 and "空き容量が足りません" in err
    assert not list(small_stick.iterdir())


async def test_a_full_node_takes_no_file(
    stick: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    await command("01", "write", stick)
    monkeypatch.setattr(courierfile, "SPARE_BYTES", 1 << 60)

    code, taken, _ = await command("02", "read", stick)

    assert (code, taken["files"][0]["code"]) == (1, "disk_full")

"""Real mDNS between two network namespaces: nodes find each other without configuration."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bearer_exam import Network, node_id

KITA, CHUO = "kita", "chuo"
PREFIX = f"mr{os.getpid()}"
# After both are reachable (issue 4).
CLONE_SECONDS_MAX = 60.0
HERE = Path(__file__).resolve().parents[2]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def inside(space: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", space, *command]


class Ward:
    """A node process in its own namespace, with one Ethernet cable."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.space = f"{PREFIX}-{name}"
        self.cable = f"{PREFIX[-8:]}{name[0]}"
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None

    def ip(self, *words: str) -> None:
        ip("-n", self.space, *words)

    def ipv4_alone(self) -> None:
        """No link-local addresses of IPv6."""
        words = ("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        subprocess.run(inside(self.space, *words), check=True)

    def start(self, directory: Path, other: str) -> None:
        program = (sys.executable, "-m", "tests.field.lan_process")
        self._process = subprocess.Popen(
            inside(self.space, *program, str(directory), self.name, other),
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line.rstrip())

    def says(self, word: str, seconds: float) -> str:
        """The next line that begins with `word`."""
        end = time.monotonic() + seconds
        while True:
            line = self._lines.get(timeout=max(0.01, end - time.monotonic()))
            if line.startswith(word):
                return line

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[tuple[Ward, Ward, Path]]:
    if shutil.which("ip") is None or os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must run this as root, with iproute2 installed")
        pytest.skip("needs root and iproute2")
    network = Network(tmp_path / "network")
    network.enrol(KITA)
    network.enrol(CHUO)
    kita, chuo = Ward(KITA), Ward(CHUO)
    with contextlib.ExitStack() as stack:
        for ward in (kita, chuo):
            ip("netns", "add", ward.space)
            stack.callback(ip, "netns", "del", ward.space)
            stack.callback(ward.stop)
        ip("-n", kita.space, "link", "add", kita.cable, "type", "veth", "peer", "name", chuo.cable)
        kita.ip("link", "set", chuo.cable, "netns", chuo.space)
        for ward in (kita, chuo):
            ward.ip("link", "set", "lo", "up")
            ward.ip("link", "set", ward.cable, "up")
        yield kita, chuo, network.directory


def test_nodes_find_each_other_and_notice_a_silent_cut(
    cable: tuple[Ward, Ward, Path],
) -> None:
    kita, chuo, directory = cable
    kita.ip("address", "add", "10.77.0.1/24", "dev", kita.cable)
    chuo.ip("address", "add", "10.77.0.2/24", "dev", chuo.cable)
    kita.start(directory, CHUO)
    chuo.start(directory, KITA)

    assert node_id(CHUO).hex() in kita.says("up", 20)
    assert node_id(KITA).hex() in chuo.says("up", 20)

    kita.ip("link", "set", kita.cable, "down")  # no FIN, no RST: only silence
    assert kita.says("down", 20)
    assert chuo.says("down", 20)

    kita.ip("link", "set", kita.cable, "up")
    kita.ip("address", "replace", "10.77.0.1/24", "dev", kita.cable)
    assert kita.says("up", 25)
    assert chuo.says("up", 25)


def test_an_address_that_appears_after_the_start_is_announced(
    cable: tuple[Ward, Ward, Path],
) -> None:
    kita, chuo, directory = cable
    for ward in (kita, chuo):  # so that the late address is the only one
        ward.ipv4_alone()
    chuo.ip("address", "add", "10.78.0.2/24", "dev", chuo.cable)
    kita.start(directory, CHUO)
    chuo.start(directory, KITA)
    time.sleep(1.0)

    kita.ip("address", "add", "10.78.0.1/24", "dev", kita.cable)

    assert "10.78.0.2" in kita.says("up", 25)
    assert chuo.says("up", 5)


def test_two_machines_with_one_key_hear_of_each_other_and_name_both_addresses(
    cable: tuple[Ward, Ward, Path],
) -> None:
    kita, copy, directory = cable
    for ward in (kita, copy):
        ward.ipv4_alone()
    kita.ip("address", "add", "10.79.0.1/24", "dev", kita.cable)
    copy.ip("address", "add", "10.79.0.2/24", "dev", copy.cable)
    copy.name = KITA
    kita.start(directory, CHUO)
    copy.start(directory, CHUO)

    for ward in (kita, copy):
        said = ward.says("clone", CLONE_SECONDS_MAX)
        assert "10.79.0.1" in said and "10.79.0.2" in said

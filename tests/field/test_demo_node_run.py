"""`meshrelay node run` as the operator meets it: one clear sentence for what can be mended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshrelay.cli.main import main
from meshrelay.cli.node_toml import NodeToml

HOST = "127.0.0.1"
READY_SECONDS_MAX = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Office:
    """One enrolled node directory, alone: no LAN, no broker."""

    def __init__(self, home: Path, witness: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.directory = home / "node"
        self._witness = witness
        net, request, answer = home / "net", self.directory / "request.cbor", home / "answer"
        assert main(["network", "create", str(net), "--name", "大阪市", "--no-passphrase"]) == 0
        assert main(["node", "request", str(self.directory), "--name", "本部"]) == 0
        sign = ["issuer", "sign", str(net), str(request), "--ward", "00", "--role", "archive"]
        assert main([*sign, "-o", str(answer)]) == 0
        self.configure(str(witness))
        assert main(["node", "enrol", str(self.directory), str(answer)]) == 0

    def configure(self, witness: str) -> None:
        settings = NodeToml(
            "本部",
            web_listen=f"{HOST}:{self.port}",
            lan_listen="",
            zeroconf=False,
            witness=witness,
        )
        (self.directory / "node.toml").write_text(settings.render(), "utf-8")

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "meshrelay", "node", "run", str(self.directory)],
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline and process.poll() is None:
            done = subprocess.run(
                [sys.executable, "-m", "meshrelay", "status", self.url], capture_output=True
            )
            if done.returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("never ready")

    def refused(self) -> str:
        """Start it, and return the sentence with which it ends."""
        process = self.start()
        _, said = process.communicate(timeout=30)
        assert process.returncode == 2, said
        assert "Traceback" not in said
        sentence = said.strip().splitlines()[-1]
        assert sentence.startswith("meshrelay: ")
        return sentence


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with tempfile.TemporaryDirectory(prefix="meshrelay-test-", dir="/dev/shm") as witness:
        yield Office(tmp_path, Path(witness))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_runs_tells_its_status_and_ends_cleanly(
    office: Office, number: signal.Signals
) -> None:
    process = office.start()
    office.ready(process)
    done = subprocess.run(
        [sys.executable, "-m", "meshrelay", "status", office.url, "--json"],
        capture_output=True,
        text=True,
    )
    maps = Path(f"/proc/{process.pid}/maps").read_text()

    process.send_signal(number)
    _, said = process.communicate(timeout=20)

    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert said.count(f" INFO meshrelay.cli staff page {office.url}\n") == 1
    status = json.loads(done.stdout)
    assert (status["node"]["name"], status["node"]["archive"]) == ("本部", True)
    assert status["ready"] is True
    assert "cryptography" not in maps  # X.509 is issued by the CLI, never in a node


def test_a_taken_port_is_named(office: Office) -> None:
    with socket.socket() as other:
        other.bind((HOST, office.port))
        other.listen()

        assert f"{HOST}:{office.port}" in office.refused()


def test_a_second_process_on_one_store_is_refused(office: Office) -> None:
    process = office.start()
    office.ready(process)

    said = office.refused()

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert "another process runs this node already" in said


def test_loose_keys_are_refused_with_the_remedy(office: Office) -> None:
    (office.directory / "keys" / "tls.key").chmod(0o644)

    assert "chmod 600" in office.refused()


def test_a_witness_on_a_disk_is_refused(office: Office) -> None:
    office.configure(str(office.directory))

    assert "witness.dir" in office.refused()


def test_an_unknown_key_in_the_configuration_is_named(office: Office) -> None:
    path = office.directory / "node.toml"
    path.write_text(path.read_text("utf-8").replace("zeroconf =", "zeroconfig ="), "utf-8")

    said = office.refused()
    assert "node.toml" in said
    assert "zeroconfig" in said


def test_a_node_that_is_not_enrolled_says_so(office: Office) -> None:
    (office.directory / "enrolment.cbor").unlink()

    assert "node enrol" in office.refused()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_at_start_is_one_sentence(office: Office, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=True)
    try:
        for name in ("keys", "node.toml", "enrolment.cbor"):
            subprocess.run(["cp", "-a", str(office.directory / name), str(disk)], check=True)
        with (disk / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass  # full
        office.directory = disk

        assert "full" in office.refused()
    finally:
        subprocess.run(["umount", str(disk)], check=True)

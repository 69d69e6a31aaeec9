"""Enrolment as it happens: two processes on a LAN, a real node that is moved and revoked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshrelay.cli.main import main
from meshrelay.cli.node_toml import NodeToml
from tests.town import free_port

HOST = "127.0.0.1"
MESHRELAY = (sys.executable, "-m", "meshrelay")


def said(*words: str) -> dict[str, Any]:
    done = subprocess.run([*MESHRELAY, *words, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def net(tmp_path: Path) -> Path:
    made = tmp_path / "net"
    words = ["network", "create", str(made), "--name", "大阪市", "--no-passphrase"]
    assert main(words) == 0
    return made


def test_a_node_is_enrolled_over_the_lan_with_four_words(net: Path, tmp_path: Path) -> None:
    node = str(tmp_path / "node")
    assert main(["node", "request", node, "--name", "北区役所"]) == 0
    ward = ["--ward", "01", "--ward-name", "北区", "--host", HOST, "--port", "0"]
    listening = subprocess.Popen(
        [*MESHRELAY, "issuer", "listen", str(net), *ward, "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listening.stdout is not None
    ready = json.loads(listening.stdout.readline())

    where = ["--from", ready["address"], "--token", ready["token"]]
    taken = said("node", "enrol", node, *where)

    admitted = json.loads(listening.stdout.readline())
    assert listening.wait(timeout=20) == 0
    assert (admitted["name"], admitted["ward"], admitted["peer"]) == ("北区役所", "01", HOST)
    assert (taken["name"], taken["ward"]) == ("大阪市", "01")
    assert said("config", "check", node)["ok"] is True
    assert main(["node", "enrol", node, *where]) == 1  # the token was for once


@pytest.fixture
def office(net: Path, tmp_path: Path) -> Iterator[Path]:
    """An enrolled node without LAN and broker."""
    node, answer = tmp_path / "node", tmp_path / "answer"
    assert main(["node", "request", str(node), "--name", "本部"]) == 0
    sign = ["issuer", "sign", str(net), str(node / "request.cbor"), "--ward", "00"]
    assert main([*sign, "--role", "archive", "-o", str(answer)]) == 0
    with tempfile.TemporaryDirectory(prefix="meshrelay-test-", dir="/dev/shm") as witness:
        listen = f"{HOST}:{free_port()}"
        settings = NodeToml(
            "本部", web_listen=listen, lan_listen="", zeroconf=False, witness=witness
        )
        (node / "node.toml").write_text(settings.render(), "utf-8")
        assert main(["node", "enrol", str(node), str(answer)]) == 0
        yield node


def run_until_page(node: Path, *options: str) -> str:
    """Run a node until it says where its page is, then stop it; returns its last words."""
    process = subprocess.Popen(
        [*MESHRELAY, "node", "run", str(node), *options], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "staff page http://" in line:
            process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)
    return lines[-1] if process.returncode else ""


def test_a_moved_disk_runs_once_somebody_says_so(office: Path) -> None:
    if not Path("/etc/machine-id").exists() and os.environ.get("CI") != "true":
        pytest.skip("this machine has no id")
    assert run_until_page(office) == ""
    kept = office / "machine"
    here = kept.read_text("ascii")
    kept.write_text("0" * 32 + "\n", "ascii")  # as a disk from another machine has it

    refused = run_until_page(office)
    assert "ran on another machine before" in refused and "--moved" in refused
    assert run_until_page(office, "--moved") == ""
    assert kept.read_text("ascii") == here
    assert run_until_page(office) == ""

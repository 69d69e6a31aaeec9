"""`meshrelay broker make` and `run`: a real Mosquitto that knows who is of the network."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import pytest

from meshrelay.bearers.tls import Contexts, contexts
from meshrelay.cli.brokerdir import mosquitto
from meshrelay.cli.main import main

HOST = "127.0.0.1"
UP_SECONDS_MAX = 10.0

MOSQUITTO = mosquitto()
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")


@dataclass
class Running:
    directory: Path
    port: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def enrolled(home: Path, network: Path, name: str) -> Path:
    node, answer = home / name, home / f"{name}.answer"
    assert main(["node", "request", str(node), "--name", name]) == 0
    request = str(node / "request.cbor")
    assert main(["issuer", "sign", str(network), request, "--ward", "00", "-o", str(answer)]) == 0
    assert main(["node", "enrol", str(node), str(answer)]) == 0
    return node


def tls_of(node: Path) -> Contexts:
    keys = node / "keys"
    return contexts(keys / "tls.key", keys / "tls.crt", keys / "ca.crt")


def node_id(node: Path) -> str:
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline", "-in",
         str(node / "keys" / "tls.crt")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return shown.rsplit("= ", 1)[1].strip()


@pytest.fixture
def broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Running]:
    network, made, port = tmp_path / "net", tmp_path / "broker", free_port()
    assert main(["network", "create", str(network), "--name", "大阪市", "--no-passphrase"]) == 0
    capsys.readouterr()
    words = ["broker", "make", str(network), "--host", HOST, "--port", str(port)]
    assert main([*words, "--user", getpass.getuser(), "-o", str(made), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["broker"] == f"{HOST}:{port}"
    assert said["start"] == f"meshrelay broker run {made}"
    with (tmp_path / "broker.log").open("wb") as log:
        command = [sys.executable, "-m", "meshrelay", "broker", "run", str(made)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + UP_SECONDS_MAX
        try:
            while True:
                try:
                    socket.create_connection((HOST, port), 1.0).close()
                    break
                except OSError:
                    assert process.poll() is None, (tmp_path / "broker.log").read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield Running(made, port)
        finally:
            process.kill()
            process.wait()


async def test_an_enrolled_node_gets_in_under_its_own_name(broker: Running, tmp_path: Path) -> None:
    node = enrolled(tmp_path, tmp_path / "net", "kita")
    own = node_id(node)
    network = (broker.directory / "acl").read_text("utf-8").split("meshrelay/1/")[1].split("/")[0]

    async with aiomqtt.Client(
        HOST, broker.port, identifier=own, tls_context=tls_of(node).client
    ) as client:
        await client.subscribe(f"meshrelay/1/{network}/+/all")
        await client.publish(f"meshrelay/1/{network}/{own}/all", b"kita", qos=1)
        async for message in client.messages:
            assert (message.payload, str(message.topic).split("/")[3]) == (b"kita", own)
            break


async def test_a_node_of_another_network_does_not_get_in(broker: Running, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert main(["network", "create", str(other), "--name", "堺市", "--no-passphrase"]) == 0
    stranger = enrolled(tmp_path, other, "sakai")
    context = tls_of(stranger).client
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(HOST, broker.port, tls_context=context, timeout=5):
            raise AssertionError("a stranger was let in")


def test_the_broker_proves_the_host_that_was_asked_for_and_keeps_its_key(
    broker: Running,
) -> None:
    context = ssl.create_default_context(cafile=str(broker.directory / "ca.crt"))
    with (
        socket.create_connection((HOST, broker.port)) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as link,
    ):
        assert link.version() == "TLSv1.3"

    key = broker.directory / "broker.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(broker.directory.stat().st_mode) == 0o700


def test_a_directory_that_cannot_run_is_answered_with_the_next_step(
    broker: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(directory: Path) -> str:
        assert main(["broker", "run", str(directory)]) == 2
        return capsys.readouterr().err

    assert "broker make" in refused(tmp_path / "nowhere")
    moved = tmp_path / "moved"
    shutil.copytree(broker.directory, moved)
    assert "was moved; make it again" in refused(moved)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_is_told_when_mosquitto_could_not_read_its_key(
    broker: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "daemons"
    words = ["broker", "make", str(tmp_path / "net"), "--host", HOST, "--user", "daemon"]
    assert main([*words, "-o", str(made)]) == 0
    assert main(["broker", "run", str(made)]) == 2
    assert f"sudo chown -R daemon: {made}" in capsys.readouterr().err

"""The broker files that ship with the product (tests/field uses them for real)."""

from __future__ import annotations

from pathlib import Path

from meshrelay.bearers.base import FRAME_BYTES_MAX, GREETING_BYTES_MAX
from meshrelay.bearers.broker import write_broker

NETWORK = bytes(range(16))


def settings(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text("utf-8").splitlines() if line)
    return {
        line.partition(" ")[0]: line.partition(" ")[2] for line in lines if not line.startswith("#")
    }


def test_only_certificates_of_the_network_get_in_and_nothing_is_kept(tmp_path: Path) -> None:
    files = write_broker(
        tmp_path,
        network_id=NETWORK,
        host="127.0.0.1",
        port=8883,
        ca=tmp_path / "ca.crt",
        certificate=tmp_path / "broker.crt",
        key=tmp_path / "broker.key",
    )
    said = settings(files.conf)

    assert said["listener"] == "8883 127.0.0.1"
    assert said["require_certificate"] == said["use_identity_as_username"] == "true"
    assert said["use_username_as_clientid"] == "true"
    assert said["allow_anonymous"] == said["persistence"] == "false"
    assert said["acl_file"] == str(files.acl) and "user" not in said
    assert int(said["max_packet_size"]) > FRAME_BYTES_MAX + GREETING_BYTES_MAX
    assert "$" not in files.conf.read_text("utf-8")


def test_a_node_writes_under_its_own_name_alone(tmp_path: Path) -> None:
    files = write_broker(
        tmp_path,
        network_id=NETWORK,
        host="",
        port=8883,
        ca=tmp_path / "ca.crt",
        certificate=tmp_path / "broker.crt",
        key=tmp_path / "broker.key",
        user="mosquitto",
    )
    rules = [line for line in files.acl.read_text("utf-8").splitlines() if "pattern" in line]
    writes = [rule for rule in rules if "write" in rule]

    assert writes == [f"pattern write meshrelay/1/{NETWORK.hex()}/%u/+"]
    assert all(rule.startswith(("pattern write ", "pattern read ")) for rule in rules)
    assert settings(files.conf)["user"] == "mosquitto"

"""node.toml: a refusal names the file, the key and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.errors import ConfigError
from meshrelay.node.config import Config, address, load


def loaded(directory: Path, text: str) -> Config:
    (directory / "node.toml").write_text(text, "utf-8")
    return load(directory / "node.toml")


def test_an_empty_file_has_the_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path, "") == Config()


def test_every_key_is_read(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
        [node]
        name = "北区役所"
        ward = "01"
        [web]
        listen = "127.0.0.1:8101"
        hosts = ["kita.example"]
        https_listen = "127.0.0.1:8443"
        certificate = "web.pem"
        key = "keys/web.key"
        rights_over_http = true
        [lan]
        listen = "[::1]:7401"
        zeroconf = false
        peers = ["192.0.2.1:7401"]
        [mqtt]
        broker = "broker.example:8883"
        tls = false
        username = "kita"
        password = "secret"
        [witness]
        dir = "/run"
        [clock]
        set_by_person = true
        [backup]
        dir = "/media/backup"
        hour = 3
        [storage]
        blobs_mb = 512
        """,
    )

    assert (config.node.name, config.web.hosts, config.lan.peers) == (
        "北区役所", ["kita.example"], ["192.0.2.1:7401"]
    )  # fmt: skip
    assert (config.lan.zeroconf, config.mqtt.tls, config.clock.set_by_person) == (
        False, False, True
    )  # fmt: skip
    assert (config.web.https_listen, config.web.certificate, config.web.key) == (
        "127.0.0.1:8443", "web.pem", "keys/web.key"
    )  # fmt: skip
    assert config.web.rights_over_http and config.storage.blobs_mb == 512
    assert (config.mqtt.broker, config.witness.dir) == ("broker.example:8883", "/run")
    assert (config.backup.dir, config.backup.hour) == ("/media/backup", 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[web]\nlisten = 8101", ["key web.listen: expected text in quotes, found 8101"]),
        (
            "[lan]\nzeroconf = 'yes'",
            ["key lan.zeroconf: expected true or false, found the text 'yes'"],
        ),
        ("[lan]\npeers = '192.0.2.1:7401'", ["key lan.peers: expected a list such as"]),
        ("[lan]\npeers = [1]", ["key lan.peers: expected text in quotes, found 1"]),
        ("[lan]\nport = 7401", ["key lan.port: no such key; known here: listen, zeroconf, peers"]),
        ("[lan]\npeer = []", ["key lan.peer: no such key; did you mean lan.peers?"]),
        ("[radio]\nband = 1", ["key radio: no such section; known here: node, web, lan"]),
        ("[webb]", ["key webb: no such section; did you mean web?"]),
        ("node = 3", ["key node: expected a section such as [node], found 3"]),
        ("[storage]\nblobs_mb = '9'", ["storage.blobs_mb: expected a whole number, found the"]),
        ("[storage]\nblobs_mb = 9", ["key storage.blobs_mb: expected a number from 64 up"]),
        ("[mqtt]\ntls = [true]", ["key mqtt.tls: expected true or false, found a list"]),
        ("[node]\nname = {}", ["key node.name: expected text in quotes, found a section"]),
        ("[node]\nward = true", ["key node.ward: expected text in quotes, found true"]),
        ("[web]\nlisten = '8101'", ["key web.listen", "expected host:port", "'8101'"]),
        ("[web]\nhttps_listen = '8443'", ["key web.https_listen", "expected host:port"]),
        ("[web]\nhttps_listen = '[::]:8443'", ["key web.certificate", "path of a PEM file"]),
        (
            "[web]\nhttps_listen = '[::]:8443'\ncertificate = 'web.pem'",
            ["key web.key: expected the path of a PEM file"],
        ),
        ("[lan]\nlisten = 'localhost:'", ["key lan.listen", "expected host:port"]),
        ("[lan]\npeers = ['kita']", ["key lan.peers", "expected host:port", "'kita'"]),
        ("[mqtt]\nbroker = 'host:99999'", ["key mqtt.broker", "expected host:port"]),
        ("[backup]\nhour = '2'", ["key backup.hour: expected a whole number, found the text '2'"]),
        ("[backup]\nhour = 24", ["key backup.hour: expected 0 to 23, found 24"]),
        ("[backup]\ndir = 'backup'", ["key backup.dir: expected", "from / on", "'backup'"]),
        ("[web]\n\nlisten = x", ["node.toml:3: is not TOML"]),
        ("[node]\n[web", ["node.toml:2: is not TOML"]),
    ],
)
def test_a_refusal_names_file_key_and_expectation(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)

    message = str(refused.value)
    assert message.startswith(str(tmp_path / "node.toml"))
    for word in words:
        assert word in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"node\.toml: cannot be read"):
        load(tmp_path / "node.toml")
    (tmp_path / "node.toml").write_bytes(b"[node]\nname = '\xff'")
    with pytest.raises(ConfigError, match=r"node\.toml:2: is not TOML: expected UTF-8"):
        load(tmp_path / "node.toml")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("192.0.2.1:7401", ("192.0.2.1", 7401)),
        ("[2001:db8::1]:7401", ("2001:db8::1", 7401)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address_is_split(text: str, parts: tuple[str, int]) -> None:
    assert address(text) == parts


@pytest.mark.parametrize("text", ["", "host", ":80", "host:", "host:-1", "host:65536", "host:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        address(text)

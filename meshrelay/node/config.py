"""node.toml: one file, every key checked, every refusal naming file, key and what was expected."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from meshrelay.errors import ConfigError


class NodeSection(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    ward: str = ""


class WebSection(msgspec.Struct, forbid_unknown_fields=True):
    listen: str = "0.0.0.0:8101"
    hosts: list[str] = []


class LanSection(msgspec.Struct, forbid_unknown_fields=True):
    listen: str = "0.0.0.0:7401"
    zeroconf: bool = True
    peers: list[str] = []


class MqttSection(msgspec.Struct, forbid_unknown_fields=True):
    broker: str = ""
    tls: bool = True
    username: str = ""
    password: str = ""


class WitnessSection(msgspec.Struct, forbid_unknown_fields=True):
    dir: str = "/dev/shm"


class ClockSection(msgspec.Struct, forbid_unknown_fields=True):
    """`set_by_person`: somebody has set this machine's clock and vouches for it."""

    set_by_person: bool = False


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """A whole node.toml; what is absent has the default of the commented sample."""

    node: NodeSection = msgspec.field(default_factory=NodeSection)
    web: WebSection = msgspec.field(default_factory=WebSection)
    lan: LanSection = msgspec.field(default_factory=LanSection)
    mqtt: MqttSection = msgspec.field(default_factory=MqttSection)
    witness: WitnessSection = msgspec.field(default_factory=WitnessSection)
    clock: ClockSection = msgspec.field(default_factory=ClockSection)


def load(path: Path) -> Config:
    """Read and check a node.toml.

    Raises:
        ConfigError: naming the file, the key and what was expected.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_say(str(error))}") from error
    for key, value in (("web.listen", config.web.listen), ("lan.listen", config.lan.listen)):
        if value:
            _checked(path, key, value)
    for peer in config.lan.peers:
        _checked(path, "lan.peers", peer)
    if config.mqtt.broker:
        _checked(path, "mqtt.broker", config.mqtt.broker)
    return config


def address(text: str) -> tuple[str, int]:
    """Split `host:port` or `[v6]:port`. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) < 65_536:
        raise ValueError(text)
    return host.strip("[]"), int(port)


def _checked(path: Path, key: str, value: str) -> None:
    try:
        address(value)
    except ValueError:
        raise ConfigError(
            f"{path}: key {key}: expected host:port such as 192.0.2.10:7401, found {value!r}"
        ) from None


def _say(error: str) -> str:
    text, _, where = error.partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    return f"key {key}: {text}" if key else text

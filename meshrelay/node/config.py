"""node.toml: one file, every key checked, every refusal naming file, key and what was expected."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from meshrelay.errors import ConfigError

# A few of the largest photos; less would refuse every one.
BLOBS_MB_MIN = 64


class NodeSection(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    ward: str = ""


class WebSection(msgspec.Struct, forbid_unknown_fields=True):
    """`rights_over_http`: hq, instructor and registrar may use their rights without https too."""

    listen: str = "0.0.0.0:8101"
    hosts: list[str] = []
    https_listen: str = ""
    certificate: str = ""
    key: str = ""
    rights_over_http: bool = False


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


class StorageSection(msgspec.Struct, forbid_unknown_fields=True):
    """`quota_mb`: the most that log.db may take on the card, in MiB. `blobs_mb`: megabytes (10^6)
    for photos and files; text has its own limits."""

    quota_mb: int = 4096
    blobs_mb: int = 2048


class ClockSection(msgspec.Struct, forbid_unknown_fields=True):
    """`set_by_person`: somebody has set this machine's clock and vouches for it.

    It holds until the next boot; after that set the clock and save the file again.
    """

    set_by_person: bool = False


class BackupSection(msgspec.Struct, forbid_unknown_fields=True):
    """`hour`: of the machine's time zone; a stick without a copy gets one at once."""

    dir: str = ""
    hour: int = 2


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """A whole node.toml; what is absent has the default of the commented sample."""

    node: NodeSection = msgspec.field(default_factory=NodeSection)
    web: WebSection = msgspec.field(default_factory=WebSection)
    lan: LanSection = msgspec.field(default_factory=LanSection)
    mqtt: MqttSection = msgspec.field(default_factory=MqttSection)
    witness: WitnessSection = msgspec.field(default_factory=WitnessSection)
    clock: ClockSection = msgspec.field(default_factory=ClockSection)
    storage: StorageSection = msgspec.field(default_factory=StorageSection)
    backup: BackupSection = msgspec.field(default_factory=BackupSection)


_WORDS = {
    "str": "text in quotes",
    "bool": "true or false",
    "int": "a whole number",
    "array": 'a list such as ["..."]',
    "object": "a section such as [node]",
}


def load(path: Path) -> Config:
    """Read and check a node.toml.

    Raises:
        ConfigError: naming the file, the key and what was expected.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        # As tomllib.load does: bytes, so that a text file's line ends arrive as they are.
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not TOML: expected UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+)", str(error))
        line = int(where[1]) if where else raw.rstrip().count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not TOML: {error}") from error
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_say(str(error), data)}") from error
    for key, value in (
        ("web.listen", config.web.listen),
        ("web.https_listen", config.web.https_listen),
        ("lan.listen", config.lan.listen),
    ):
        if value:
            _checked(path, key, value)
    if config.storage.blobs_mb < BLOBS_MB_MIN:
        raise ConfigError(
            f"{path}: key storage.blobs_mb: expected a number from {BLOBS_MB_MIN} up, "
            f"found {config.storage.blobs_mb}"
        )
    for peer in config.lan.peers:
        _checked(path, "lan.peers", peer)
    if config.mqtt.broker:
        _checked(path, "mqtt.broker", config.mqtt.broker)
    _check_backup(path, config.backup)
    if config.web.https_listen:
        for key, value in (
            ("web.certificate", config.web.certificate),
            ("web.key", config.web.key),
        ):
            if not value:
                raise ConfigError(
                    f"{path}: key {key}: expected the path of a PEM file, because "
                    "web.https_listen is set; found nothing"
                )
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


def _check_backup(path: Path, backup: BackupSection) -> None:
    if not 0 <= backup.hour < 24:
        raise ConfigError(f"{path}: key backup.hour: expected 0 to 23, found {backup.hour}")
    if backup.dir and not Path(backup.dir).is_absolute():
        raise ConfigError(
            f"{path}: key backup.dir: expected the stick's directory from / on, such as "
            f"/media/backup, found {backup.dir!r}"
        )


def _say(error: str, data: dict[str, Any]) -> str:
    """msgspec's sentence in the words of whoever edits the file."""
    text, _, where = error.partition(" - at `$")
    path = re.findall(r"[^.\[\]]+", where.rstrip("`"))
    unknown = re.search(r"unknown field `(.*)`", text)
    if unknown:
        return _unknown([*path, unknown[1]])
    wanted = re.match(r"Expected `(\w+)`", text)
    key = ".".join(word for word in path if not word.isdigit())
    if not wanted or wanted[1] not in _WORDS:
        return f"key {key}: {text}"
    return f"key {key}: expected {_WORDS[wanted[1]]}, found {_found(data, path)}"


def _unknown(path: list[str]) -> str:
    sections = {section.name: section.type for section in msgspec.structs.fields(Config)}
    *section, name = path
    known = (
        [field.name for field in msgspec.structs.fields(sections[section[0]])]
        if section
        else list(sections)
    )
    near = difflib.get_close_matches(name, known, 1)
    hint = (
        f"did you mean {'.'.join([*section, near[0]])}?"
        if near
        else "known here: " + ", ".join(known)
    )
    return f"key {'.'.join(path)}: no such {'key' if section else 'section'}; {hint}"


def _found(data: Any, path: list[str]) -> str:
    for word in path:
        data = data[int(word) if isinstance(data, list) else word]
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, dict):
        return "a section"
    if isinstance(data, list):
        return "a list"
    return f"the text {data!r}" if isinstance(data, str) else f"{data} without quotes"

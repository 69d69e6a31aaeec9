"""A broker's directory: certificate of the network's CA, key, configuration and ACL."""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from meshrelay.bearers.broker import CONF, BrokerFiles, write_broker
from meshrelay.cli import files, x509
from meshrelay.cli.authority import Authority
from meshrelay.errors import ConfigError

# How the certificate calls its holder. No node id: a broker can never pass for a node.
COMMON_NAME = "broker"
PORT_MAX = 65_535
# Debian puts the broker where only root's PATH looks.
BROKER_PATHS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
USER_DEFAULT = "mosquitto"
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\Z")


def make_broker_dir(
    directory: Path,
    network: Authority,
    hosts: Sequence[str],
    port: int,
    *,
    listen: str = "",
    user: str = "",
) -> BrokerFiles:
    """Issue a broker's certificate for `hosts` and write all that Mosquitto needs.

    `listen` is the one address to bind, empty for all of them; `user` is who Mosquitto
    becomes when root starts it, empty for its default. The configuration names the
    files by their full paths: a directory that is moved must be made again.

    Raises:
        ConfigError: a host or the port does not fit, or the directory holds something.
    """
    for host in hosts:
        _check_host(host)
    if not 1 <= port <= PORT_MAX:
        raise ConfigError(f"--port {port}: expected a number from 1 to {PORT_MAX}")
    home = directory.absolute()
    key = x509.make_key()
    certificate = x509.make_server(network.ca_key, network.ca, key, COMMON_NAME, list(hosts))
    files.make_directory(home)
    files.write_new(home / "broker.key", key, files.SECRET_MODE)
    files.write_new(home / "broker.crt", certificate)
    files.write_new(home / "ca.crt", network.ca)
    try:
        return write_broker(
            home,
            network_id=network.network,
            host=listen,
            port=port,
            ca=home / "ca.crt",
            certificate=home / "broker.crt",
            key=home / "broker.key",
            user=user,
        )
    except OSError as error:
        raise ConfigError(f"{home} cannot be written: {error.strerror}") from error


def mosquitto() -> str | None:
    """Where Mosquitto is, if it is installed."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *BROKER_PATHS])
    return shutil.which("mosquitto", path=path)


def run_command(directory: Path) -> list[str]:
    """How Mosquitto is started from a directory that `make_broker_dir` made.

    Raises:
        ConfigError: it would not start: what is missing, and the next step.
    """
    conf = directory.absolute() / CONF
    if not conf.exists():
        raise ConfigError(
            f"{directory} is not a broker's directory; make one with "
            "`meshrelay broker make NETDIR --host NAME -o DIR`"
        )
    program = mosquitto()
    if program is None:
        raise ConfigError("Mosquitto is not installed; run: sudo apt-get install mosquitto")
    text = files.read(conf, "what `meshrelay broker make` wrote").decode("utf-8")
    if str(conf.parent / "broker.key") not in text:
        raise ConfigError(
            f"{conf} names files at another path: this directory was moved; make it again "
            "with `meshrelay broker make` at the path where it is to lie"
        )
    user = re.search(r"^user (\S+)", text, re.M)
    if os.geteuid() == 0:
        _check_owner(conf.parent, user[1] if user else USER_DEFAULT)
    return [program, "-c", str(conf)]


def _check_owner(directory: Path, user: str) -> None:
    """Started by root, Mosquitto becomes `user`, who must be able to read the key."""
    try:
        owner = pwd.getpwnam(user)
    except KeyError as error:
        raise ConfigError(
            f"there is no user {user} on this machine; make the directory again with --user NAME"
        ) from error
    if owner.pw_uid not in (0, (directory / "broker.key").stat().st_uid):
        raise ConfigError(
            f"{directory}: started by root, Mosquitto becomes {user}, who cannot read "
            f"broker.key; run: sudo chown -R {user}: {directory}"
        )


def _check_host(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST_NAME.match(host):
            raise ConfigError(
                f"--host {host}: expected a name or an address alone, "
                "such as broker.example or 192.0.2.10"
            ) from None

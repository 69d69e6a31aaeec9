"""A broker's directory: certificate of the network's CA, key, configuration and ACL."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path

from meshrelay.bearers.broker import BrokerFiles, write_broker
from meshrelay.cli import files, x509
from meshrelay.cli.authority import Authority
from meshrelay.errors import ConfigError

# How the certificate calls its holder. No node id: a broker can never pass for a node.
COMMON_NAME = "broker"
PORT_MAX = 65_535
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


def _check_host(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST_NAME.match(host):
            raise ConfigError(
                f"--host {host}: expected a name or an address alone, "
                "such as broker.example or 192.0.2.10"
            ) from None

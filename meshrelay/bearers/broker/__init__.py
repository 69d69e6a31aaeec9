"""The broker that ships with the product: Mosquitto, bound to certificates of one network.

A node is who its certificate says (CN = node id); it writes only under its own topic level
and reads only what is addressed to it or to everybody. So neither a stranger nor a
dishonest node can speak in another's name, and a lost broker loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

CONF, ACL = "mosquitto.conf", "acl"


@dataclass(frozen=True)
class BrokerFiles:
    """What `write_broker` made; start with `mosquitto -c CONF`."""

    conf: Path
    acl: Path


def write_broker(
    directory: Path,
    *,
    network_id: bytes,
    host: str,
    port: int,
    ca: Path,
    certificate: Path,
    key: Path,
    user: str = "",
    log_to: str = "stderr",
) -> BrokerFiles:
    """Write `mosquitto.conf` and `acl` into `directory` and return their paths.

    `user` is who Mosquitto becomes when root starts it (it must be able to read `key`);
    empty keeps Mosquitto's default, `mosquitto`. `log_to` is a `log_dest` value. The
    key and certificates are named, never copied.
    """
    acl = directory / ACL
    conf = directory / CONF
    acl.write_text(_render(ACL, network=network_id.hex()), encoding="utf-8")
    conf.write_text(
        _render(
            CONF,
            host=host,
            port=str(port),
            ca=str(ca),
            certificate=str(certificate),
            key=str(key),
            acl=str(acl),
            user=f"user {user}" if user else "# user mosquitto",
            log_to=log_to,
        ),
        encoding="utf-8",
    )
    return BrokerFiles(conf, acl)


def _render(name: str, **values: str) -> str:
    text = resources.files(__package__).joinpath(f"{name}.template").read_text(encoding="utf-8")
    return Template(text).substitute(values)

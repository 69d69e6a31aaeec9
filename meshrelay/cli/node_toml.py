"""The configuration file that `node request` writes: every key, with what it means."""

from __future__ import annotations

import json
from dataclasses import dataclass

_SAMPLE = """\
# Configuration of one meshrelay node. Check it with: meshrelay config check DIR

[node]
# What people call this machine.
name = {name}
# Two digits, filled by `meshrelay node enrol`.
ward = {ward}

[web]
# Where the staff page listens, host:port. 0.0.0.0 is every address of this machine.
listen = {web_listen}
# Names and addresses under which browsers reach it; empty: its own addresses.
hosts = {web_hosts}
# Encrypted pages beside it, host:port; "" switches them off.
https_listen = {https_listen}
# Their PEM files; a path that is not absolute starts at this directory.
certificate = {web_certificate}
key = {web_key}
# true: hq, instructor and registrar may use their rights without https too.
rights_over_http = {rights_over_http}

[lan]
# Where other nodes reach this one, host:port; "" switches the LAN bearer off.
listen = {lan_listen}
# Announce and find nodes by mDNS; it ends at the building's router.
zeroconf = {zeroconf}
# Nodes behind a router, host:port each.
peers = {peers}

[mqtt]
# The central broker, host:port; "" switches the MQTT bearer off.
broker = {broker}
# Mutual TLS with this node's own certificate; false only for a broker on this machine.
tls = {tls}
username = ""
password = ""

[witness]
# A directory on a tmpfs; what is in it must be lost with the power.
dir = {witness}

[storage]
# The most that messages may take on the card (log.db), in MiB. At 70 % the oldest are dropped
# that HQ has; people are refused photos at 80 %, messages at 90 %, urgent words at 100 %.
quota_mb = {quota_mb}
# Megabytes for photos and files. When they are used up a node drops what HQ holds, and HQ drops
# nothing; from 80 % on nobody here can add one.
blobs_mb = {blobs_mb}

[backup]
# A directory on a USB stick that gets a copy of this node every night; "" switches that off.
# Never its keys. If the stick is away or full, the monitor says so.
dir = {backup_dir}
# At this hour, 0 to 23, of this machine's time zone.
hour = {backup_hour}

[clock]
# true: somebody has set this machine's clock and vouches for it (it has no NTP or GPS).
# Holds until the next boot: then set the clock and save this file again.
set_by_person = {clock_set_by_person}
"""


@dataclass(frozen=True)
class NodeToml:
    """The values of one file; the defaults suit a new ward office."""

    name: str
    ward: str = ""
    web_listen: str = "0.0.0.0:8101"
    web_hosts: tuple[str, ...] = ()
    https_listen: str = ""
    web_certificate: str = ""
    web_key: str = ""
    rights_over_http: bool = False
    lan_listen: str = "0.0.0.0:7401"
    zeroconf: bool = True
    peers: tuple[str, ...] = ()
    broker: str = ""
    tls: bool = True
    witness: str = "/dev/shm"
    clock_set_by_person: bool = False
    quota_mb: int = 4096
    backup_dir: str = ""
    backup_hour: int = 2
    blobs_mb: int = 2048

    def render(self) -> str:
        """The file's text. JSON's strings, lists and booleans are TOML's."""
        values = {
            key: json.dumps(value, ensure_ascii=False) for key, value in self.__dict__.items()
        }
        return _SAMPLE.format(**values)


def with_ward(text: str, ward: str) -> str:
    """The same file with the ward that the issuer gave; comments stay as they are."""
    lines = text.splitlines(keepends=True)
    section = ""
    for index, line in enumerate(lines):
        if line.startswith("["):
            section = line.strip()
        if section == "[node]" and line.split("=")[0].strip() == "ward":
            lines[index] = f"ward = {json.dumps(ward)}\n"
            return "".join(lines)
    for index, line in enumerate(lines):
        if line.strip() == "[node]":
            lines.insert(index + 1, f"ward = {json.dumps(ward)}\n")
            return "".join(lines)
    return f"[node]\nward = {json.dumps(ward)}\n\n" + text

"""`meshrelay issuer listen`."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.cli.admitting import add_ward, admitted, admitted_line, ward_of
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli.enrolment import Request
    from meshrelay.core.records import Record

_LISTEN_ABOUT = """Admit one node over the LAN, with a one-time token instead of a USB stick.

Shows an address and four words, and waits ten minutes for the one node that is told them:
`meshrelay node enrol DIR --from ADDRESS`. After five wrong tokens it ends.
With --json it prints one object when it is ready and one when it is done, a line each."""
_LISTEN_EXAMPLE = """  meshrelay issuer listen osaka --ward 01 --ward-name 北区 --ward-name-en Kita
  meshrelay issuer listen osaka --ward 02 --port 7411"""


def register(commands: answer.Groups) -> None:
    """Add the command to the group `issuer`."""
    listen = answer.command(commands, "listen", _LISTEN_ABOUT, _LISTEN_EXAMPLE, run_listen)
    listen.add_argument("directory", metavar="NETDIR", type=Path)
    add_ward(listen)
    listen.add_argument("--host", metavar="ADDRESS", help="one own address (default: all)")
    listen.add_argument("--port", metavar="N", type=int, default=7411, help="%(default)s")
    listen.add_argument("--minutes", metavar="N", type=int, default=10, help="at most 10")


def run_listen(args: argparse.Namespace) -> int:
    from meshrelay.cli import authority, enrolment, listening
    from meshrelay.cli.addresses import first_own_address, shown

    if not 1 <= args.minutes <= listening.MINUTES_MAX:
        raise ConfigError(f"--minutes: expected 1 to {listening.MINUTES_MAX}")
    opened = authority.load(args.directory)
    ward = ward_of(opened, args)
    done: list[tuple[Request, Record]] = []

    def admit(data: bytes) -> bytes:
        request = enrolment.read_request(data, "the node's request")
        record, answered = enrolment.sign_request(opened, request, ward, args.role == "archive")
        done.append((request, record))
        return answered

    with _listener(args.host or "", args.port) as listener:
        token = listening.new_token()
        address = shown(args.host or first_own_address(), listener.getsockname()[1])
        _ready(args, address, token)
        peer = listening.serve_one(
            listener, token, admit, args.minutes * 60, lambda line: print(line, file=sys.stderr)
        )
    request, record = done[0]
    result = {**admitted(request, ward, args.role, record), "peer": peer}
    if args.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        print(f"{admitted_line(request, ward, args.role)}; it came from {peer}")
    return 0


def _ready(args: argparse.Namespace, address: str, token: str) -> None:
    if args.json:
        print(json.dumps({"address": address, "token": token}), flush=True)
        return
    lines = [
        f"four words: {token}",
        f"within {args.minutes} minutes, on the node:",
        f"  meshrelay node enrol DIR --from {address}        (it asks for the four words)",
    ]
    print("\n".join(lines), flush=True)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(f"--port {port}: cannot listen there: {error}") from error
    return listener

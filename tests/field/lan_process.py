"""One node with mDNS as a process of its own, for tests in network namespaces.

    python -m tests.field.lan_process DIRECTORY NAME OTHER

Prints `up PEER REMOTE`, `down PEER REASON` and `clone ADDRESS ADDRESS` lines; DIRECTORY holds
the certificates.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from meshrelay.bearers.base import Link
from meshrelay.bearers.discovery import Discovery
from meshrelay.bearers.lan import LanBearer
from tests.bearer_exam import NETWORK, Book, GuestList, node_id
from tests.certs import Files


class Announcer:
    """Tells the parent process what happens."""

    def up(self, link: Link) -> None:
        print(f"up {link.peer.hex()} {link.remote}", flush=True)

    def frame(self, link: Link, data: bytes, done: Callable[[], None]) -> None:
        done()

    def heard(self, peer: bytes, data: bytes, done: Callable[[], None]) -> None:
        done()

    def down(self, link: Link, reason: str) -> None:
        print(f"down {link.peer.hex()} {reason}", flush=True)


async def main(directory: Path, name: str, other: str) -> None:
    guests = {}
    for ward in (name, other):
        files = Files(directory / f"{ward}.key", directory / f"{ward}.crt", directory / "ca.crt")
        guests[node_id(ward)] = files.spki_sha256
    own = Files(directory / f"{name}.key", directory / f"{name}.crt", directory / "ca.crt")
    bearer = LanBearer(
        GuestList(node_id(name), guests),
        Announcer(),
        own.contexts(),
        ("", 7401),
        [],
        Book(),
        Discovery(NETWORK, node_id(name)),
    )
    running = asyncio.create_task(bearer.run())
    told = 0
    while not running.done():
        for clone in bearer.clones[told:]:
            print("clone", *clone.addresses, flush=True)
            told += 1
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))

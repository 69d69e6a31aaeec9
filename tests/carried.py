"""Courier files between nodes of a test's town, as the commands and the page carry them."""

from __future__ import annotations

import asyncio
import io
import secrets
from pathlib import Path

from meshrelay.bearers.courier import SUFFIX, Block, CourierReader
from meshrelay.cli import courierfile
from meshrelay.node.cargo import Cargo, Packed
from meshrelay.node.courier_desk import Reading
from meshrelay.node.couriers import incoming_of
from meshrelay.node.identity import load_keys
from meshrelay.node.office import Seat
from meshrelay.node.transit import TransitKeys
from tests.town import Town, until


async def handed_out(town: Town, ward: str, seat: Seat, to: str = "") -> bytes:
    """A file as the page of a ward hands it out."""
    made = await town.nodes[ward].couriers.write(seat, to)
    with made.file as file:
        data = file.read()
    assert len(data) == made.size
    return data


async def received(town: Town, ward: str, data: bytes) -> Reading:
    """What a running node makes of a file that `courier read` puts there."""
    incoming = incoming_of(town.directory / ward)
    name = secrets.token_hex(16)
    incoming.mkdir(parents=True, exist_ok=True)
    aside = incoming / f"{name}.part"
    aside.write_bytes(data)
    aside.rename(incoming / f"{name}{SUFFIX}")
    node = town.nodes[ward]
    node.couriers._wake.set()  # type: ignore[attr-defined]

    def ended() -> bool:
        reading = node.couriers.reading(name)
        return reading is not None and reading.state in ("done", "refused")

    await until(ended)
    reading = node.couriers.reading(name)
    assert reading is not None
    return reading


async def packed(town: Town, ward: str, directory: Path, to: str = "") -> tuple[Path, Packed]:
    """A file as `courier write` makes it beside the node."""
    node, keys = town.directory / ward, load_keys(town.directory / ward)

    def work() -> tuple[Path, Packed]:
        cargo = Cargo(node, keys)
        try:
            return courierfile.write(cargo, node, keys, directory, to, lambda done, total: None)
        finally:
            cargo.close()

    return await asyncio.get_running_loop().run_in_executor(None, work)


def opened(town: Town, data: bytes) -> list[Block]:
    """Every block of a file, read with 北区's keys."""
    keys = load_keys(town.directory / "01")
    sealer = TransitKeys(town.nodes["01"].machine.book, keys.signer.public, keys.box)
    return list(CourierReader(io.BytesIO(data), sealer, keys.network))

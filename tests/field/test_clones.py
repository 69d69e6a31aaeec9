"""Two processes run from one node's directory: everybody who meets both says so, in time."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from meshrelay.node.node import Node
from tests.brokered import brokered
from tests.forged.asked_node import AskedNode
from tests.town import Town, build_town, until

HQ, KITA = "00", "01"
# After both are reachable (issue 4).
ALARM_S_MAX = 60.0


def edit(directory: Path, **lines: str) -> None:
    """Give keys of node.toml other values; those that stand in several sections, all of them."""
    toml = directory / "node.toml"
    kept = []
    for line in toml.read_text("utf-8").splitlines():
        key = line.partition(" = ")[0]
        kept.append(f"{key} = {lines[key]}" if key in lines else line)
    toml.write_text("\n".join(kept) + "\n", "utf-8")


def copy_of(town: Town, name: str) -> Path:
    """北区's SD card once more, in a machine of its own."""
    made, witness = town.directory / name, Path(town.witnesses.name) / name
    shutil.copytree(town.directory / KITA, made)
    witness.mkdir()
    edit(made, dir=f'"{witness}"')
    return made


@asynccontextmanager
async def asked(*directories: Path) -> AsyncIterator[list[AskedNode]]:
    nodes: list[AskedNode] = []
    try:
        for directory in directories:
            nodes.append(await AskedNode.start(directory))
        yield nodes
    finally:
        for node in nodes:
            await node.stop()


def alarm(node: Node) -> str:
    return next((each for each in node.status().trouble if "2台の機器" in each), "")


async def test_who_links_with_both_names_both_addresses_and_so_do_they(tmp_path: Path) -> None:
    town = build_town(tmp_path, {HQ: (), KITA: ()})
    port = town.ports[KITA]
    card, copy = copy_of(town, "card"), copy_of(town, "copy")
    addresses = [f"127.0.0.2:{port}", f"127.0.0.3:{port}"]
    edit(town.directory / HQ, peers=str(addresses).replace("'", '"'))
    for directory, own, other in ((card, *addresses), (copy, *reversed(addresses))):
        edit(directory, listen=f'"{own}"', peers=f'["{other}"]')
    hq = await town.start(HQ)
    try:
        async with asked(card, copy) as nodes:
            began_s = time.monotonic()
            await until(lambda: alarm(hq), ALARM_S_MAX)
            both = [each in alarm(hq) for each in addresses]
            assert both == [True, True] and "01の機器" in alarm(hq) and "revoke" in alarm(hq)
            assert hq.status().refused["clone"] >= 1
            for node in nodes:
                await node.until(
                    lambda status: any("この機器" in each for each in status["trouble"])
                )
            assert time.monotonic() - began_s < ALARM_S_MAX
            assert len(hq.status().links) == 1, "one link a key"
    finally:
        await town.stop(HQ)
        town.witnesses.cleanup()


async def test_an_archive_that_meets_both_at_the_broker_says_so_and_they_do(
    tmp_path: Path,
) -> None:
    async with brokered(tmp_path, start=(HQ,)) as city:
        hq = city.nodes[HQ]
        card, copy = copy_of(city.town, "card"), copy_of(city.town, "copy")
        async with asked(card, copy) as nodes:
            await until(lambda: alarm(hq), ALARM_S_MAX)
            assert "127.0.0.1" in alarm(hq) and "01の機器" in alarm(hq)
            for node in nodes:
                await node.until(
                    lambda status: any("この機器" in each for each in status["trouble"])
                )


async def test_a_node_that_restarts_three_times_raises_no_alarm(tmp_path: Path) -> None:
    town = build_town(tmp_path, {HQ: (), KITA: (HQ,)})
    hq = await town.start(HQ)
    try:
        for _ in range(3):
            kita = await town.start(KITA)
            await until(lambda kita=kita: hq.status().links and kita.status().links)
            await town.stop(KITA)
        assert not alarm(hq) and "clone" not in hq.status().refused
    finally:
        await town.stop(HQ)
        town.witnesses.cleanup()

"""A real node of ours and the independent client, over real TLS on the loopback."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import errno
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshrelay.core.link import GRANT_BYTES_FIRST
from meshrelay.core.records import IssuerCredential, NodeCredential
from meshrelay.node.identity import load_keys
from tests.independent.client import ALL_DONE, GRANT, Client, Signed, encode, hash_of, read_frame
from tests.town import MAYOR, Clerk, Town, build_town, until

SOURCE = Path(__file__).with_name("client.py")
LINES_MAX = 300
MAY_IMPORT = {
    "asyncio", "hashlib", "ssl", "time", "zlib", "functools", "itertools", "pathlib", "typing",
    "cbor2", "nacl",
}  # fmt: skip
BACKLOG = 3_000
OWN_BACKLOG = 400
RECONNECT_BYTES_MAX = 600
# A sender begins a frame while a byte of the grant is left, so one entry may go over it. It must:
# the receiver renews when half is used, and what is left may be less than any entry that waits.
ENTRY_FRAME_BYTES_MAX = 16_384 + 64


class Counted(Client):
    """The client, counted from outside: bytes, frames, and what is under way of its grants."""

    bytes_moved = bucket_frames = entry_frames = under_way_in = under_way_most = 0
    sent = granted = 0  # of entries, against the node's WANTs
    holds = False  # its WANTs back
    held: tuple[bytes, ...] = ()

    async def run(self, port: int) -> None:
        self.sent, self.granted = 0, GRANT_BYTES_FIRST
        await super().run(port)

    async def block(self) -> bytes:
        block = await super().block()
        self.bytes_moved += 4 + len(block)
        return block

    def put(self, block: bytes) -> None:
        if block.startswith(encode([3, GRANT, *range(5)])[:7]):
            done = read_frame(block)[2]
            if self.holds:
                self.held += (block,)
                return
            self.under_way_in = 0 if done == ALL_DONE else self.under_way_in - done
        if block.startswith(encode([4, self.network, 0])[:19]):
            assert self.sent < self.granted
            self.sent += len(block)
        self.bytes_moved += 4 + len(block)
        super().put(block)

    def on_frame(self, data: bytes) -> None:
        kind, *fields = read_frame(data)
        if kind == 3:
            self.granted, self.sent = (
                fields[0],
                0 if fields[1] == ALL_DONE else self.sent - fields[1],
            )
        self.entry_frames += kind == 4
        self.bucket_frames += kind in (7, 8)
        self.under_way_in += len(data) if kind in (4, 5, 8) else 0
        self.under_way_most = max(self.under_way_most, self.under_way_in)
        super().on_frame(data)

    def release(self) -> None:
        self.holds, held, self.held = False, self.held, ()
        for block in held:
            self.put(block)


@contextlib.asynccontextmanager
async def linked(client: Client, port: int) -> AsyncIterator[None]:
    """A link while the block lasts; what ended it too early is raised."""
    task = asyncio.create_task(client.run(port))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def stranger(town: Town, ward: str) -> Counted:
    """The client with the keys and the credential of a ward whose node does not run."""
    directory = town.directory / ward
    keys = load_keys(directory)
    node = next(
        record
        for record in keys.records()
        if isinstance(record.content, NodeCredential) and record.content.key == keys.signer.public
    )
    issuer = next(each for each in keys.records() if isinstance(each.content, IssuerCredential))
    return Counted(directory / "keys", [issuer.raw, node.raw])


def quiet(town: Town) -> bool:
    """Whether the node refused nothing, but the call with which `start` looked for its port."""
    return town.nodes["00"].status().refused == {"closed_early": 1}


async def start(town: Town, ward: str) -> None:
    """Start a node and wait until its port is bound."""
    await town.start(ward)
    while (answer := socket.socket().connect_ex(("127.0.0.1", town.ports[ward]))) != 0:
        assert answer == errno.ECONNREFUSED
        await asyncio.sleep(0.02)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = build_town(tmp_path, {"00": (), "01": ()}, clerks=(MAYOR,))
    await start(town, "00")
    yield town
    for ward in list(town.nodes):
        await town.stop(ward)
    town.witnesses.cleanup()


def records(client: Client) -> set[bytes]:
    return {each.id for each in client.known.values()}


def talk(client: Client) -> list[Signed]:
    return [e for log, entries in client.logs.items() for e in entries if log[2] == 1]


def level(client: Client, town: Town) -> bool:
    return client.digest() == town.nodes["00"].machine.vector.digest()


def read_body() -> bytes:
    return encode(["all", []])


async def test_messages_of_the_node_arrive_and_verify(town: Town) -> None:
    seat, client = await town.log_in("00", MAYOR), stranger(town, "01")
    await town.say("00", seat, "震度6弱")
    async with linked(client, town.ports["00"]):
        await until(lambda: len(talk(client)) == 1)
        await town.say("00", seat, "全員の無事を確認してください")
        await until(lambda: len(talk(client)) == 2)
        await until(lambda: all(map(client.authored, talk(client))))

        one, two = talk(client)
        assert two.fields[4] == one.id
        await until(lambda: level(client, town))


async def test_an_entry_of_the_client_is_stored_and_receipted(town: Town) -> None:
    client = stranger(town, "01")
    async with linked(client, town.ports["00"]):
        await until(lambda: client.push == 2)
        entry = client.append("read", read_body())
        assert client.receipts.get(client.peer, 0) == 0
        await until(lambda: town.nodes["00"].status().entries == 1)

        await until(lambda: client.receipts.get(client.peer, 0) == entry.fields[3])
    assert quiet(town)


async def test_entries_that_no_rest_of_a_grant_can_hold_get_through(town: Town) -> None:
    client = stranger(town, "01")
    async with linked(client, town.ports["00"]):
        await until(lambda: client.push == 2)
        noise = "".join(hash_of(bytes([each])).hex() for each in range(160))
        for number in range(5):
            client.append("read", encode([noise, [number]]))
        await until(lambda: town.nodes["00"].status().entries == 5)


async def test_a_backlog_of_the_client_reaches_the_node(town: Town) -> None:
    client = stranger(town, "01")
    async with linked(client, town.ports["00"]):
        await until(lambda: level(client, town))
    for number in range(OWN_BACKLOG):
        client.append("read", encode([str(number) * 100, []]))
    async with linked(client, town.ports["00"]):
        await until(lambda: town.nodes["00"].status().entries == OWN_BACKLOG)
        await until(lambda: level(client, town))


async def test_the_node_counts_the_clients_statement_as_a_receipt(town: Town) -> None:
    seat, client = await town.log_in("00", MAYOR), stranger(town, "01")
    await town.say("00", seat, "堤防が決壊")
    assert [m.wards_n for m in town.room("00", seat)] == [0]
    async with linked(client, town.ports["00"]):
        await until(lambda: [m.wards_n for m in town.room("00", seat)] == [1])


async def test_after_the_exchange_both_hellos_say_the_same_digest(town: Town) -> None:
    seat, client = await town.log_in("00", MAYOR), stranger(town, "01")
    await town.say("00", seat, "避難指示")
    async with linked(client, town.ports["00"]):
        await until(lambda: client.push == 2)
        client.append("read", read_body())
        await until(lambda: level(client, town) and town.nodes["00"].status().entries == 2)
        assert client.digest().hex() == town.nodes["00"].status().digest


async def test_a_backlog_arrives_and_never_more_is_under_way_than_granted(town: Town) -> None:
    seat, client = await town.log_in("00", MAYOR), stranger(town, "01")
    await asyncio.gather(*(town.say("00", seat, f"第{n}報") for n in range(BACKLOG)))
    async with linked(client, town.ports["00"]):
        await until(lambda: talk(client))
        client.holds = True
        await until(lambda: client.held)
        await asyncio.sleep(0.5)
        stopped = len(talk(client))
        await asyncio.sleep(0.5)

        assert len(talk(client)) == stopped < BACKLOG
        client.release()
        await until(lambda: len(talk(client)) == BACKLOG, 60)
        assert GRANT // 2 <= client.under_way_most <= GRANT + ENTRY_FRAME_BYTES_MAX
        assert all(map(client.authored, talk(client)))
        await until(lambda: level(client, town))


async def test_a_reconnect_without_news_brings_no_entry_and_costs_little(town: Town) -> None:
    seat, client = await town.log_in("00", MAYOR), stranger(town, "01")
    await town.say("00", seat, "停電しています")
    async with linked(client, town.ports["00"]):
        await until(lambda: level(client, town))
        await until(lambda: client.stated == client.changes)
        await asyncio.sleep(2)  # statements go both ways
    moved, frames, changes = client.bytes_moved, client.entry_frames, client.changes
    async with linked(client, town.ports["00"]):
        await asyncio.sleep(1)

        assert client.push == 2  # their HELLO came
        assert client.cursor == [client.cursor[0], town.nodes["00"].machine.vector.change]
        assert client.bytes_moved - moved <= RECONNECT_BYTES_MAX
        assert (client.entry_frames, client.changes) == (frames, changes)


async def test_news_of_the_time_apart_come_after_a_restart_of_the_node(town: Town) -> None:
    seat, client = await town.log_in("00", MAYOR), stranger(town, "01")
    await town.say("00", seat, "一報")
    async with linked(client, town.ports["00"]):
        await until(lambda: level(client, town))
    await town.stop("00")
    await start(town, "00")
    await town.say("00", await town.log_in("00", MAYOR), "二報")
    client.append("read", read_body())
    async with linked(client, town.ports["00"]):
        await until(lambda: len(talk(client)) == 2)
        await until(lambda: level(client, town) and town.nodes["00"].status().entries == 3)


async def test_a_store_of_many_records_is_compared_by_its_buckets(tmp_path: Path) -> None:
    clerks = tuple(Clerk(f"S{n:03}", "山田", "やまだ", "01", "", ("staff",)) for n in range(32))
    town = build_town(tmp_path, {"00": (), "01": ()}, clerks=clerks)
    client = stranger(town, "01")
    try:
        await start(town, "00")
        async with linked(client, town.ports["00"]):
            await until(lambda: level(client, town))
            assert client.bucket_frames > 1
            assert len(records(client)) == 1 + 2 * 2 + 2 * len(clerks)
    finally:
        await town.stop("00")
        town.witnesses.cleanup()


@pytest.mark.parametrize("client_is", ["larger", "smaller"])
async def test_either_end_may_have_the_larger_id(tmp_path: Path, client_is: str) -> None:
    town = build_town(tmp_path, {"00": (), "01": ()}, clerks=(MAYOR,))
    smaller, larger = sorted(("00", "01"), key=lambda ward: stranger(town, ward).me)
    node, ward = (smaller, larger) if client_is == "larger" else (larger, smaller)
    client = stranger(town, ward)
    try:
        await start(town, node)
        for links in (1, 2):
            async with linked(client, town.ports[node]):
                await until(lambda: client.push == 2)
                client.append("read", read_body())
                await until(lambda: town.nodes[node].status().entries == links)  # noqa: B023
    finally:
        await town.stop(node)
        town.witnesses.cleanup()


async def test_the_node_greets_nobody_of_another_network(town: Town) -> None:
    client = stranger(town, "01")
    client.network = bytes(16)
    with pytest.raises(ValueError, match="foreign_network"):
        await asyncio.wait_for(client.run(town.ports["00"]), 5)


async def test_a_node_with_another_certificate_than_its_record_says_is_refused(town: Town) -> None:
    client = stranger(town, "01")
    async with linked(client, town.ports["00"]):
        await until(lambda: level(client, town))
    for record in client.known.values():
        if record.type == 2:
            record.fields[2] = bytes(32)
    with pytest.raises(ValueError, match="wrong_tls_key"):
        await asyncio.wait_for(client.run(town.ports["00"]), 5)


def test_the_client_is_one_file_of_at_most_300_lines() -> None:
    others = {path.name for path in SOURCE.parent.glob("*.py") if not path.match("test_*")}

    assert others == {"__init__.py", SOURCE.name}
    assert len(SOURCE.read_text("utf-8").splitlines()) <= LINES_MAX


def test_the_client_imports_nothing_of_meshrelay() -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(SOURCE.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    assert {name.split(".")[0] for name in names} == MAY_IMPORT


def test_no_module_of_meshrelay_is_loaded_with_the_client() -> None:
    program = "import sys, tests.independent.client\nprint(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=SOURCE.parents[2], capture_output=True, check=True
    )
    assert "tests.independent.client" in run.stdout.decode().split()
    assert not [name for name in run.stdout.decode().split() if name.startswith("meshrelay")]

"""A town of tests/town.py whose nodes meet at a real Mosquitto, and somebody who is the broker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiomqtt

from meshrelay.bearers.mqtt import AckingClient
from meshrelay.cli import authority, x509
from meshrelay.cli.authority import Authority
from meshrelay.core.records import (
    ROLE_HQ,
    IssuerCredential,
    Record,
    Transit,
    make_issuer,
    make_transit,
)
from meshrelay.node.node import Node
from tests.benchmarks.cities import Broker
from tests.certs import Files
from tests.town import Town, build_town, free_port, running
from tests.transit import seal_key

HOST = "127.0.0.1"
# A certificate's name to which the broker shows everything, and lets it say anything.
OPERATOR = "operator"


@dataclass
class Brokered:
    """Nodes, their issuer, and the broker between them."""

    town: Town
    network: Authority
    broker: Broker
    root: str

    @property
    def nodes(self) -> dict[str, Node]:
        return self.town.nodes

    def topic(self, sender: str, to: str) -> str:
        """Of a payload from one ward to another."""
        return f"{self.root}/{self.nodes[sender].me.id}/{self.nodes[to].me.id}"

    def transit_records(self, generation: int) -> list[Record]:
        """A generation, by the authority's word, and its key for every node."""
        record, signer = self.network.speaker_for((ROLE_HQ,))
        assert isinstance(record.content, IssuerCredential)
        content = record.content._replace(serial=generation, generation=generation)
        raised = make_issuer(signer, self.network.network, content)
        return [raised] + [
            make_transit(
                self.network.issuer,
                self.network.network,
                Transit(
                    raised.id, node.key, generation,
                    seal_key(node.box, generation),
                ),
            )
            for node in self.network.book.nodes.values()
        ]  # fmt: skip

    def files(self, name: str) -> Files:
        """A certificate of the network's CA for somebody who is no node."""
        directory = self.town.directory / name
        directory.mkdir()
        key = x509.make_key()
        request = x509.make_request(key, name)
        made = x509.sign_request(self.network.ca_key, self.network.ca, request)
        files = Files(directory / "tls.key", directory / "tls.crt", directory / "ca.crt")
        contents = (key, made, self.network.ca)
        for path, content in zip((files.key, files.certificate, files.ca), contents, strict=True):
            path.write_bytes(content)
        return files

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[AckingClient]:
        """Who runs the broker: reads every topic and publishes on any."""
        client = AckingClient(
            HOST,
            self.broker.port,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            identifier=OPERATOR,
            tls_context=self.files(OPERATOR).contexts().client,
        )
        async with client.connection():
            await client.subscribe(f"{self.root}/#", qos=1)
            yield client


@contextlib.asynccontextmanager
async def brokered(
    directory: Path, wards: tuple[str, ...] = ("00", "01"), start: tuple[str, ...] | None = None
) -> AsyncIterator[Brokered]:
    """Nodes without any lan link; `start` names those that run from the beginning."""
    port = free_port()
    town = build_town(directory, dict.fromkeys(wards, ()), broker=f"{HOST}:{port}")
    network = authority.load(directory / "network")
    made = Brokered(
        town,
        network,
        Broker(directory / "broker", network, port, HOST),
        f"meshrelay/1/{network.network.hex()}",
    )
    with (directory / "broker" / "acl").open("a", encoding="utf-8") as acl:
        acl.write(f"\nuser {OPERATOR}\ntopic readwrite {made.root}/#\n")
    await made.broker.start()
    try:
        if start is None:
            async with running(town):
                yield made
        else:
            try:
                for ward in start:
                    await town.start(ward)
                yield made
            finally:
                for ward in list(town.nodes):
                    await town.stop(ward)
                town.witnesses.cleanup()
    finally:
        await made.broker.stop()


def spread(node: Node, records: list[Record]) -> None:
    """Let a node take records, as if they had come on a stick."""
    node._loop.create_task(node._driver.submit([], records))

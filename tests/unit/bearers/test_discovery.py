"""What an mDNS announcement may propose."""

from __future__ import annotations

import pytest
from zeroconf.asyncio import AsyncServiceInfo

from meshrelay.bearers import discovery
from meshrelay.bearers.discovery import (
    ADDRESSES_PER_PEER_MAX,
    PEERS_MAX,
    SERVICE,
    Discovery,
    service_info,
)
from tests.bearer_exam import NETWORK, node_id

KITA, CHUO = node_id("北区"), node_id("中央区")
OURS = NETWORK.hex()[:8]


def announced(**changes: object) -> AsyncServiceInfo:
    facts: dict[str, object] = {"v": "1", "n": OURS, "p": CHUO.hex()[:8]} | changes
    return AsyncServiceInfo(
        SERVICE,
        f"chuo.{SERVICE}",
        port=7401,
        properties=facts,
        parsed_addresses=["10.0.0.2", "127.0.0.1", "2001:db8::2", "fe80::2"],
    )


def test_a_node_of_our_network_is_proposed_at_addresses_that_lead_somewhere() -> None:
    found = Discovery(NETWORK, KITA).judge("chuo", announced())

    assert set(found) == {("10.0.0.2", 7401), ("2001:db8::2", 7401)}


@pytest.mark.parametrize("changes", [{"n": "00000000"}, {"v": "2"}])
def test_other_networks_and_versions_are_not(changes: dict[str, object]) -> None:
    assert Discovery(NETWORK, KITA).judge("chuo", announced(**changes)) == ()


def test_our_own_id_is_proposed_only_at_addresses_that_are_not_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = announced(p=KITA.hex()[:8])
    monkeypatch.setattr(discovery, "own_addresses", lambda: {"10.0.0.2", "2001:db8::2"})
    assert Discovery(NETWORK, KITA).judge("kita", ours) == ()

    monkeypatch.setattr(discovery, "own_addresses", lambda: {"10.0.0.9", "2001:db8::2"})
    assert Discovery(NETWORK, KITA).judge("kita", ours) == (("10.0.0.2", 7401),)


def test_a_liar_cannot_propose_without_end() -> None:
    judging = Discovery(NETWORK, KITA)
    many = AsyncServiceInfo(
        SERVICE,
        f"liar.{SERVICE}",
        port=1,
        properties={"v": "1", "n": OURS, "p": "ffffffff"},
        parsed_addresses=[f"10.0.1.{number}" for number in range(200)],
    )
    proposals = [judging.judge(f"liar-{number}", many) for number in range(PEERS_MAX + 5)]

    assert all(len(found) <= ADDRESSES_PER_PEER_MAX for found in proposals)
    assert sum(bool(found) for found in proposals) == PEERS_MAX


def test_what_we_announce_is_what_others_accept() -> None:
    info = service_info(OURS, CHUO.hex(), 7401, frozenset({"10.0.0.2", "fe80::2%eth0"}))

    assert Discovery(NETWORK, KITA).judge("chuo", info) == (("10.0.0.2", 7401),)
    assert info.properties[b"p"] == CHUO.hex()[:8].encode()

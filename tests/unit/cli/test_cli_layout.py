"""Words for places, cables and ports."""

from __future__ import annotations

import socket

import pytest

from meshrelay.cli.demo.layout import (
    CABLES,
    HOST,
    PLACES,
    PORT_SPAN,
    Ports,
    cables_named,
    free_ports,
    place_named,
    process_named,
)
from meshrelay.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("wan", {"wan:hq", "wan:kita", "wan:chuo", "wan:nishinari"}),
        ("lan", {"lan:kita-chuo", "lan:chuo-nishinari", "lan:kita-nishinari"}),
        ("nishinari", {"wan:nishinari", "lan:chuo-nishinari", "lan:kita-nishinari"}),
        ("西成区", {"wan:nishinari", "lan:chuo-nishinari", "lan:kita-nishinari"}),
        ("wan:北区", {"wan:kita"}),
        ("lan:chuo-kita", {"lan:kita-chuo"}),
        ("wan:kita-chuo", set()),
        ("lan:kita", set()),
        ("hq", {"wan:hq"}),
        ("phone", set()),
        ("", set()),
    ],
)
def test_a_cable_word_means_these_cables(word: str, names: set[str]) -> None:
    assert {cable.name for cable in cables_named(word)} == names


def test_hq_is_reached_by_the_broker_only() -> None:
    assert [cable.far for cable in CABLES if "hq" in (cable.near, cable.far)] == ["broker"]


def test_places_have_three_names_and_the_broker_is_a_process() -> None:
    assert place_named("01") == place_named("kita") == place_named("北区") == PLACES[1]
    assert process_named("中央区") == "chuo"
    assert process_named("broker") == "broker"
    assert process_named("wan") is None


def test_all_ports_are_different_and_within_their_span() -> None:
    ports = Ports(8100)

    assert len(set(ports.all())) == len(ports.all()) == 4 + 3 + 7 + 2
    assert all(8100 <= port < 8100 + PORT_SPAN for port in ports.all())
    assert [ports.page(place) for place in PLACES] == [8100, 8101, 8102, 8103]
    assert (ports.control, ports.broker) == (8109, 8110)


def test_a_taken_port_is_named_and_the_next_free_base_used() -> None:
    with socket.socket() as other:
        other.bind((HOST, 23102))
        other.listen()

        ports, notes = free_ports(23100)

    assert ports.base == 23200
    assert notes == ["port 23102 is taken; trying --port-base 23200 instead"]


@pytest.mark.parametrize("base", [0, 80, 65530])
def test_a_base_that_cannot_be_is_refused(base: int) -> None:
    with pytest.raises(ConfigError, match="--port-base"):
        free_ports(base)

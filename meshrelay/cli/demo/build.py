"""The demo's network on disk: made by the same code as `network create` to `node enrol`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from meshrelay.cli import authority, enrolment
from meshrelay.cli.authority import Authority, WardNames
from meshrelay.cli.brokerdir import make_broker_dir
from meshrelay.cli.brokerdir import mosquitto as mosquitto
from meshrelay.cli.cards import bind_card, new_card_code, staff_record
from meshrelay.cli.demo.layout import BROKER, CABLES, HOST, PLACES, Place, Ports
from meshrelay.cli.demo.people import PEOPLE, DemoPerson
from meshrelay.cli.demo.scenario import Scenario
from meshrelay.cli.node_toml import NodeToml
from meshrelay.cli.nodedir import enrol_node_dir, make_node_dir

PIN_STAFF = "246810"
PIN_HQ = "hq-replay-246810"


@dataclass(frozen=True)
class NetworkPlan:
    """What network to make, and for whom."""

    name: str
    drill: bool
    people: tuple[DemoPerson, ...]


def plan_for_demo(name: str) -> NetworkPlan:
    return NetworkPlan(name, True, PEOPLE)


def plan_for_scenario(scenario: Scenario) -> NetworkPlan:
    """The scenario's people with cards and PINs; their ids become staff ids."""
    people = tuple(
        DemoPerson(
            person.id,
            person.name,
            "",
            person.ward,
            person.unit,
            person.roles,
            PIN_HQ if "hq" in person.roles else PIN_STAFF,
        )
        for person in scenario.people
    )
    return NetworkPlan(f"replay {scenario.name}"[:60], True, people)


def make_node_dirs(
    directory: Path, ports: Ports, plan: NetworkPlan, witnesses: Path
) -> tuple[DemoPerson, ...]:
    """Make network, people, four enrolled node directories and the broker's files.

    Returns the people with their card codes. All records are in every node's
    enrolment, so that everybody can log in everywhere from the first second.
    """
    network = authority.create(directory / "network", plan.name, plan.drill)
    for place in PLACES:
        network.name_ward(WardNames(place.ward, place.ward_name, place.ward_name_en))
    people = tuple(_enlist(network, person) for person in plan.people)
    requests = {
        place.key: make_node_dir(directory / place.key, _settings(place, ports, witnesses))
        for place in PLACES
    }
    for last_round in (False, True):
        # The second answer carries the credentials of all four nodes.
        for place in PLACES:
            where = f"request of {place.key}"
            request = enrolment.read_request(requests[place.key], where)
            if last_round:
                data = enrolment.answer_again(network, request)
                enrol_node_dir(directory / place.key, data, where)
            else:
                ward = network.wards[place.ward]
                enrolment.sign_request(network, request, ward, place.archive)
    make_broker_dir(
        directory / BROKER,
        network,
        [HOST, "localhost"],
        ports.broker,
        listen=HOST,
        user="root" if os.geteuid() == 0 else "",
    )
    return people


def _enlist(network: Authority, person: DemoPerson) -> DemoPerson:
    code = new_card_code()
    record = staff_record(network, network.next_staff_serial(), code, person)
    network.add([record])
    network.add([bind_card(network, record, code, person.pin)])
    return replace(person, card=code)


def _settings(place: Place, ports: Ports, witnesses: Path) -> NodeToml:
    wan = next(cable for cable in CABLES if cable.wan and cable.near == place.key)
    lan = [cable for cable in CABLES if not cable.wan]
    listening = [cable for cable in lan if place.key in (cable.near, cable.far)]
    page = ports.page(place)
    return NodeToml(
        name=place.node_name,
        web_listen=f"{HOST}:{page}",
        web_hosts=(f"{HOST}:{page}", f"localhost:{page}"),
        lan_listen=f"{HOST}:{ports.lan(place.key)}" if listening else "",
        zeroconf=False,
        peers=tuple(f"{HOST}:{ports.cable(cable)}" for cable in lan if cable.near == place.key),
        broker=f"{HOST}:{ports.cable(wan)}",
        tls=mosquitto() is not None,
        witness=str(witnesses / place.key),
        clock_set_by_person=True,  # whoever runs a demo can see this machine's clock
    )


def broker_command(directory: Path, ports: Ports) -> Sequence[str]:
    """How to start the broker: Mosquitto if installed, else amqtt (plain, on loopback)."""
    program = mosquitto()
    if program is not None:
        return [program, "-c", str(directory / BROKER / "mosquitto.conf")]
    return [sys.executable, "-m", "meshrelay.cli.demo.amqtt_broker", HOST, str(ports.broker)]

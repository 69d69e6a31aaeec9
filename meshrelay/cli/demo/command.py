"""`meshrelay demo`: a whole city on this machine, or the replay of a scenario."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import answer
from meshrelay.cli.demo.layout import HOST, PLACES, PORT_BASE_DEFAULT, Ports, free_ports

if TYPE_CHECKING:
    from meshrelay.cli.demo.story import Line
    from meshrelay.cli.demo.town import Town

NETWORK_NAME = "大阪市（デモ・訓練）"

_ABOUT = """Run a broker, the archive at HQ and three wards on this machine, and play a story.

Five processes, joined only by cables that the demo owns and can cut; the control page
has a button for each. Needs no root. Ctrl-C stops everything and leaves nothing behind.

With --replay a scenario is played instead and a report printed; the exit code is 0
when everything held, 1 when not, 2 when the scenario cannot be used."""

_EXAMPLE = """  meshrelay demo
  meshrelay demo --no-story --keep city --port-base 9100
  meshrelay demo --replay tests/scenarios/osaka-2019.toml --json

"""


def register(groups: answer.Groups) -> None:
    """Add the command to the command line."""
    from meshrelay.cli.demo import scenario

    grammar = f"scenarios:\n{(scenario.__doc__ or '').strip()}"
    demo = answer.command(groups, "demo", _ABOUT, _EXAMPLE + grammar, run_demo)
    demo.add_argument(
        "--port-base",
        metavar="N",
        type=int,
        default=PORT_BASE_DEFAULT,
        help="HQ page at N, wards N+1 to N+3, control N+9, broker N+10, cables N+11 to "
        "N+17 (default %(default)s); the next hundred is tried when a port is taken",
    )
    demo.add_argument("--no-story", action="store_true", help="stay quiet and empty")
    demo.add_argument("--keep", metavar="DIR", type=Path, help="keep the nodes' files here")
    demo.add_argument("--replay", metavar="FILE", type=Path, help="play a scenario instead")


def run_demo(args: argparse.Namespace) -> int:
    from meshrelay.cli.demo.town import NODE_COMMAND

    return run_with(args, NODE_COMMAND)


def run_with(args: argparse.Namespace, node_command: Sequence[str]) -> int:
    """Run the demo with nodes started by `node_command` (a directory is appended)."""
    return asyncio.run(_until_signal(args, node_command))


async def _until_signal(args: argparse.Namespace, node_command: Sequence[str]) -> int:
    """Ctrl-C, SIGTERM and a closed terminal cancel what runs, which then tidies up.

    A second one changes nothing. SIGHUP stays ignored under nohup.
    """
    work = asyncio.create_task(
        _replay(args, node_command) if args.replay else _show(args, node_command)
    )
    stopped = asyncio.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
    try:
        return await work
    except asyncio.CancelledError:
        return 0 if not args.replay else 1


def _name_stand_in() -> None:
    from meshrelay.cli.demo.build import mosquitto

    if mosquitto() is None:
        print(
            "meshrelay: Mosquitto is not installed; amqtt stands in as the broker "
            "(loopback only, no TLS, no access rules)",
            file=sys.stderr,
        )


def _ports(args: argparse.Namespace) -> Ports:
    ports, notes = free_ports(args.port_base)
    for note in notes:
        print(f"meshrelay: {note}", file=sys.stderr)
    return ports


async def _replay(args: argparse.Namespace, node_command: Sequence[str]) -> int:
    from meshrelay.cli.demo.build import plan_for_scenario
    from meshrelay.cli.demo.driver import Driver
    from meshrelay.cli.demo.report import make_report, plain_lines
    from meshrelay.cli.demo.scenario_reader import load_scenario
    from meshrelay.cli.demo.town import Town

    started_s = time.monotonic()
    scenario = load_scenario(args.replay)
    plan = plan_for_scenario(scenario)
    _name_stand_in()
    async with Town(_ports(args), plan, args.keep, node_command) as town:
        driver = Driver(town, scenario)
        await driver.play()
    report = make_report(scenario, driver, time.monotonic() - started_s)
    answer.say(args, report, plain_lines(report))
    return 0 if report["passed"] else 1


async def _show(args: argparse.Namespace, node_command: Sequence[str]) -> int:
    from meshrelay.cli.demo.build import plan_for_demo
    from meshrelay.cli.demo.panel import TownPanel, panel_files
    from meshrelay.cli.demo.town import Town
    from meshrelay.web.control import ControlServer

    ports = _ports(args)
    _name_stand_in()
    if not args.json:
        print("起動しています… / starting…", flush=True)
    async with AsyncExitStack() as stack:
        town = await stack.enter_async_context(
            Town(ports, plan_for_demo(NETWORK_NAME), args.keep, node_command)
        )
        await stack.enter_async_context(
            ControlServer(TownPanel(town), HOST, ports.control, panel_files())
        )
        _introduce(args, town)
        if not args.no_story and not args.json and sys.stdout.isatty():
            await _tell(town)
        await asyncio.Event().wait()
    return 0


def _introduce(args: argparse.Namespace, town: Town) -> None:
    """Say where the pages are and who can log in."""
    from meshrelay.cli.demo.people import ROLE_WORDS, log_in_link

    urls = {place.ward: town.url(place) for place in PLACES}
    wards = {place.ward: place.ward_name for place in PLACES}
    control = f"http://{HOST}:{town.ports.control}/"
    if args.json:
        print(
            json.dumps(
                {
                    "pages": urls,
                    "monitor": f"{urls['00']}/monitor",
                    "control": control,
                    "directory": str(town.directory),
                    "witnesses": str(town.witnesses),
                    "people": [
                        {
                            "staff_id": person.staff_id,
                            "name": person.name,
                            "ward": person.ward,
                            "roles": person.roles,
                            "link": log_in_link(urls[person.ward], person),
                            "pin": person.pin,
                        }
                        for person in town.people
                    ],
                },
                ensure_ascii=False,
            ),
            flush=True,
        )
        return
    print("\n職員画面 / staff pages")
    for place in PLACES:
        print(f"  {place.ward_name}  {urls[place.ward]}/   {place.ward_name_en}")
    print(f"監視 / monitor       {urls['00']}/monitor")
    print(f"デモの操作 / control  {control}   (切る・つなぐ・電源を抜く)")
    print("\nログインできる6人 / six people (demo cards, made up):")
    for person in town.people:
        roles = "・".join(ROLE_WORDS.get(role, role) for role in person.roles)
        print(f"  {wards[person.ward]} {person.name}（{roles}）  PIN {person.pin}")
        print(f"    {log_in_link(urls[person.ward], person)}")
    print("\nCtrl-C で終わります / Ctrl-C ends it\n", flush=True)


async def _tell(town: Town) -> None:
    from meshrelay.cli.demo.story import Story

    started_s = time.monotonic()

    def say(line: Line) -> None:
        seconds = int(time.monotonic() - started_s)
        print(f"{seconds:3d} 秒  {line.ja}\n         {line.en}", flush=True)

    await Story(town).tell(say)

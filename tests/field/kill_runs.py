"""Kill every process of the demo while people post; nothing that was answered 201 is lost.

    python -m tests.field.kill_runs --runs 50 --seed 1

Each run starts a fresh town, kills each of the five processes ten times (SIGKILL) at seeded
moments, starts them again in the order the seed gives, and ends when every message that a node had
answered is on every node and on the archive, once, with its text. In every second run the
witnesses go with the power. Exit code 0 when nothing was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from meshrelay.cli.demo.build import plan_for_demo
from meshrelay.cli.demo.driver import Visitor
from meshrelay.cli.demo.layout import PLACES, free_ports
from meshrelay.cli.demo.town import Town
from meshrelay.errors import BearerError, RefusedError
from meshrelay.web.client import StaffClient
from meshrelay.web.ids import uuid7

KILLS = 10
# Each kill of a process falls into a span of its own; people post a little longer.
SPAN_SECONDS = 3.5
DOWN_SECONDS_MAX = 2.0
POST_EVERY_SECONDS = 0.25
RETRY_SECONDS = 0.2
# Reconnecting backs off to 10 s, a broker link greets every 3 s, receipts take 2 s more.
WHOLE_SECONDS_MAX = 60.0


@dataclass
class Run:
    """One run and what came out of it."""

    seed: int
    lose_witness: bool
    killed: list[tuple[float, str]] = field(default_factory=list)
    answered: dict[tuple[str, str], str] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    whole_s: float = 0.0
    wall_s: float = 0.0

    @property
    def good(self) -> bool:
        return bool(self.answered) and not self.missing and not self.odd

    def line(self) -> str:
        lost = sum(len(texts) for texts in self.missing.values())
        return (
            f"seed {self.seed:4d} {'power' if self.lose_witness else 'crash'} "
            f"{'ok  ' if self.good else 'LOST'} answered {len(self.answered):3d} "
            f"missing {lost} odd {len(self.odd)} whole after {self.whole_s:.1f} s "
            f"wall {self.wall_s:.1f} s kills {len(self.killed)}"
        )


async def run_once(
    seed: int, lose_witness: bool, port_base: int = 24100, kills: int = KILLS
) -> Run:
    """Play one run."""
    run = Run(seed, lose_witness)
    started_s = time.monotonic()
    ports, _ = free_ports(port_base)
    async with (
        Town(ports, plan_for_demo("kill runs")) as town,
        AsyncExitStack() as stack,
    ):
        clerks: dict[str, Visitor] = {}
        for place in PLACES:
            person = next(person for person in town.people if person.ward == place.ward)
            clerks[place.key] = Visitor(town.url(place), person)
            stack.push_async_callback(clerks[place.key].client.close)
            await clerks[place.key].ask(StaffClient.rooms)
        await _storm(run, town, clerks, kills)
        await town.wait_ready()
        calm_s = time.monotonic()
        while time.monotonic() - calm_s < WHOLE_SECONDS_MAX:
            await _compare(run, clerks)
            if run.good:
                break
            await asyncio.sleep(0.5)
        run.whole_s = time.monotonic() - calm_s
    run.wall_s = time.monotonic() - started_s
    return run


async def _storm(run: Run, town: Town, clerks: dict[str, Visitor], kills: int) -> None:
    """People post while every process is killed and started again, `kills` times each."""
    dice = random.Random(run.seed)
    plan = {
        name: [
            (dice.uniform(0, SPAN_SECONDS - DOWN_SECONDS_MAX), dice.uniform(0.1, DOWN_SECONDS_MAX))
            for _ in range(kills)
        ]
        for name in town.children
    }
    started_s = time.monotonic()

    async def misfortunes(name: str) -> None:
        for number, (at_s, down_s) in enumerate(plan[name]):
            moment_s = started_s + number * SPAN_SECONDS + at_s
            await asyncio.sleep(max(0.0, moment_s - time.monotonic()))
            run.killed.append((time.monotonic() - started_s, name))
            await town.kill(name, run.lose_witness)
            await asyncio.sleep(down_s)
            await town.start(name, wait=False)

    async with asyncio.TaskGroup() as storm:
        until_s = started_s + kills * SPAN_SECONDS
        for key, clerk in clerks.items():
            storm.create_task(_post_on(run, key, clerk, until_s))
        for name in plan:
            storm.create_task(misfortunes(name))


async def _post_on(run: Run, key: str, clerk: Visitor, until_s: float) -> None:
    """Post one message after the other, each until it is answered, as an outbox does."""
    number = 0
    while time.monotonic() < until_s:
        number += 1
        message_id = uuid7(time.time_ns() // 1_000_000)
        text = f"{key} {number} 件目の報告です"
        while True:
            try:
                posted = await clerk.ask(StaffClient.post, message_id, "all", text)
            except (RefusedError, BearerError):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            run.answered[posted.author, posted.message_id] = text
            break
        await asyncio.sleep(POST_EVERY_SECONDS)


async def _compare(run: Run, clerks: dict[str, Visitor]) -> None:
    """What is missing, doubled or in trouble on each page."""
    run.missing, run.odd = {}, []
    for key, clerk in clerks.items():
        try:
            shown = await clerk.ask(StaffClient.messages, "all")
        except (RefusedError, BearerError):
            run.missing[key] = sorted(run.answered.values())
            continue
        found = {(m.author, m.message_id): m.body.get("text") for m in shown}
        if len(found) != len(shown):
            run.odd.append(f"{key} shows a message twice")
        run.odd += [f"{key}: {m.trouble}" for m in shown if m.trouble is not None]
        missing = [text for item, text in run.answered.items() if found.get(item) != text]
        if missing:
            run.missing[key] = missing


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=KILLS, help="of each process in a run")
    parser.add_argument("--port-base", type=int, default=24100)
    args = parser.parse_args(argv)
    bad = 0
    for number in range(args.runs):
        run = asyncio.run(run_once(args.seed + number, number % 2 == 1, args.port_base, args.kills))
        print(run.line(), flush=True)
        if not run.good:
            bad += 1
            for key, texts in run.missing.items():
                print(f"  {key} lacks {texts}", flush=True)
            print("".join(f"  {sentence}\n" for sentence in run.odd[:10]), end="", flush=True)
    print(f"{args.runs - bad} of {args.runs} runs good")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

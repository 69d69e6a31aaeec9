"""Plays a scenario against a running town, over HTTP only, and writes down what it sees.

It does what people and their pages do: logs in, posts until answered (as the outbox
does), reads what is shown, logs in again after a restart. No counter of a node is used.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Concatenate, ParamSpec, TypeVar

from meshrelay.cli.demo.layout import PLACES
from meshrelay.cli.demo.people import DemoPerson
from meshrelay.cli.demo.scenario import Fact, Scenario, ScenarioPerson, Step
from meshrelay.cli.demo.sightings import Sent, Sightings, sent_messages
from meshrelay.cli.demo.town import Town
from meshrelay.errors import ConfigError, RefusedError
from meshrelay.node.office import Message
from meshrelay.web.client import NodeUnreachable, StaffClient
from meshrelay.web.ids import uuid7

# Often enough to time words to a fifth of a second, rarely enough for two cores.
POLL_SECONDS = 0.2
# The page's outbox tries again quickly at first; a replay has no time for its long waits.
RETRY_SECONDS = 0.3
# A node that runs must answer the last question; then it counts as having nothing.
FINAL_SECONDS_MAX = 10.0
# Answers of a node that say `not now`, where the page keeps the text and tries again.
STATUS_RETRY = (429, 503)

T = TypeVar("T")
P = ParamSpec("P")


class Visitor:
    """One person at one node, logged in whenever that is needed."""

    def __init__(self, url: str, person: DemoPerson) -> None:
        self.client = StaffClient(url)
        self._person = person
        self._inside = False
        self._lock = asyncio.Lock()

    async def ask(
        self,
        question: Callable[Concatenate[StaffClient, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Ask as this person; a lost session (restart) costs one more log-in.

        Raises:
            RefusedError: the node said no.
            NodeUnreachable: it said nothing.
        """
        await self._enter()
        try:
            return await question(self.client, *args, **kwargs)
        except RefusedError as error:
            if error.status != 401:
                raise
        self._inside = False
        await self._enter()
        return await question(self.client, *args, **kwargs)

    async def _enter(self) -> None:
        async with self._lock:
            if not self._inside:
                person = self._person
                await self.client.log_in(person.staff_id, person.card, person.pin)
                self._inside = True


class Driver:
    """Plays one scenario once."""

    def __init__(self, town: Town, scenario: Scenario) -> None:
        self.seen = Sightings()
        self.seen.sent = sent_messages(scenario, _message_ids(scenario))
        self.refused: Counter[str] = Counter()
        # place -> room -> what its page showed at the end, None when it did not answer
        self.final: dict[str, dict[str, list[Message]] | None] = {}
        self._town = town
        self._scenario = scenario
        self._people = {person.staff_id: person for person in town.people}
        self._visitors: dict[tuple[str, str], Visitor] = {}
        self._by_message = {
            (sent.author, sent.message_id): sent for sent in self.seen.sent.values()
        }
        self._read_n: dict[str, int] = {}
        self._start_s = 0.0
        # Loops look at it too: a cancellation may be lost in a library that races with it.
        self._over = False

    def now_ms(self) -> int:
        return int((time.monotonic() - self._start_s) * 1000)

    async def play(self) -> None:
        """Play to the end, then read every page once more."""
        async with AsyncExitStack() as stack:
            for place in PLACES:
                for person in self._people.values():
                    visitor = Visitor(self._town.url(place), person)
                    stack.push_async_callback(visitor.client.close)
                    self._visitors[place.key, person.staff_id] = visitor
            watchers = self._watchers()
            await self._everybody_in(watchers)
            self._start_s = time.monotonic()
            try:
                await self._run(watchers)
            except* ConfigError as errors:
                raise ConfigError(str(errors.exceptions[0])) from None
            await self._read_all(watchers)

    async def _run(self, watchers: dict[str, list[str]]) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._watch(place.key, person, rooms))
                for place in PLACES
                for person, rooms in watchers.items()
            ]
            for step in self._scenario.steps:
                await self._until(step.at_s)
                tasks.append(group.create_task(self._do(step)))
            await self._until(self._scenario.end_s)
            self._over = True
            for task in tasks:
                task.cancel()

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, self._start_s + at_s - time.monotonic()))

    def _watchers(self) -> dict[str, list[str]]:
        """The fewest people that between them see every room: person -> rooms."""
        missing = set(self._scenario.rooms)
        found: dict[str, list[str]] = {}
        while missing:
            person = max(self._scenario.people, key=lambda p: len(self._rooms_of(p) & missing))
            found[person.id] = sorted(self._rooms_of(person) & missing)
            missing -= self._rooms_of(person)
        return found

    def _rooms_of(self, person: ScenarioPerson) -> set[str]:
        return {room for room in self._scenario.rooms if person in self._scenario.members(room)}

    async def _everybody_in(self, watchers: dict[str, list[str]]) -> None:
        needed = {(place.key, person) for place in PLACES for person in watchers}
        needed |= {(step.node, step.person) for step in self._scenario.steps if step.person}
        await asyncio.gather(
            *(self._visitors[key].ask(StaffClient.rooms) for key in sorted(needed))
        )

    # What happens

    async def _do(self, step: Step) -> None:
        match step.do:
            case "send":
                await self._send(step)
            case "read":
                await self._read(step)
            case "cut":
                await self._town.cut(step.cables)
            case "heal":
                await self._town.heal(step.cables)
            case "kill" | "power":
                await self._town.kill(step.node, lose_witness=step.do == "power")
            case "start":
                await self._town.start(step.node, wait=False)

    async def _send(self, step: Step) -> None:
        sent = self.seen.sent[step.id]
        sent.created_ms = sent.created_ms or time.time_ns() // 1_000_000
        visitor = self._visitors[step.node, step.person]
        while not self._over:
            try:
                posted = await visitor.ask(StaffClient.post, sent.message_id, step.room, step.text)
            except RefusedError as error:
                if error.status not in STATUS_RETRY:
                    self.refused[error.code] += 1
                    self.seen.note(self.now_ms(), Fact("refused", step.id))
                    return
            except NodeUnreachable:
                pass  # as the outbox: the text stays, try again
            else:
                self.seen.note_answered(self.now_ms(), sent, step.node, posted)
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, step: Step) -> None:
        """Show the room (or wait for the message to be shown) and say what was displayed."""
        visitor = self._visitors[step.node, step.person]
        wanted = self.seen.sent[step.id] if step.id else None
        while not self._over:
            try:
                shown = await visitor.ask(StaffClient.messages, step.room)
                items = [(message.author, message.message_id) for message in shown]
                if wanted is not None:
                    items = [item for item in items if item == (wanted.author, wanted.message_id)]
                if items:
                    await visitor.ask(StaffClient.read, items)
                if items or wanted is None:
                    return
            except (RefusedError, NodeUnreachable):
                pass  # not logged in again yet, or down: the page tries again
            await asyncio.sleep(RETRY_SECONDS)

    # What is seen

    async def _watch(self, place: str, person: str, rooms: list[str]) -> None:
        visitor = self._visitors[place, person]
        cursor: str | None = None
        answered_ms = self.now_ms()
        while not self._over:
            try:
                changes = await visitor.ask(StaffClient.sync, cursor)
                cursor = changes.cursor
                shown = list(changes.messages)
                if changes.reset:
                    for room in rooms:
                        shown += await visitor.ask(StaffClient.messages, room)
                await self._note(place, visitor, shown)
            except (RefusedError, NodeUnreachable):
                await asyncio.sleep(POLL_SECONDS)
                self.seen.note_blind(place, answered_ms, self.now_ms())
                continue
            answered_ms = self.now_ms()
            if not changes.more:
                await asyncio.sleep(POLL_SECONDS)

    async def _note(self, place: str, visitor: Visitor, shown: list[Message]) -> None:
        now_ms = self.now_ms()
        for message in shown:
            sent = self._by_message.get((message.author, message.message_id))
            if sent is None:
                continue
            self.seen.note_message(now_ms, place, sent, message)
            # The number only says when to ask for names; nothing is counted from it.
            if place == sent.node and message.read_n > self._read_n.get(sent.id, 0):
                who = await visitor.ask(StaffClient.who, message.author, message.message_id)
                self._read_n[sent.id] = message.read_n
                self.seen.note_who(self.now_ms(), sent, who)

    async def _read_all(self, watchers: dict[str, list[str]]) -> None:
        for place in PLACES:
            try:
                async with asyncio.timeout(FINAL_SECONDS_MAX):
                    self.final[place.key] = await self._read_place(place.key, watchers)
            except (RefusedError, NodeUnreachable, TimeoutError):
                self.final[place.key] = None
        end_ms = int(self._scenario.end_s * 1000)
        for place_key, rooms in self.final.items():
            for shown in (rooms or {}).values():
                copies = Counter((message.author, message.message_id) for message in shown)
                for key, count in copies.items():
                    if count > 1 and key in self._by_message:
                        self.seen.note(end_ms, Fact("twice", self._by_message[key].id))
                        self.seen.note(
                            end_ms, Fact("twice", self._by_message[key].id, place=place_key)
                        )

    async def _read_place(
        self, place: str, watchers: dict[str, list[str]]
    ) -> dict[str, list[Message]]:
        found: dict[str, list[Message]] = {}
        for person, rooms in watchers.items():
            for room in rooms:
                found[room] = await self._visitors[place, person].ask(StaffClient.messages, room)
        return found

    def missing(self, sent: Sent) -> bool:
        """Whether some page did not show the message, with its text, at the end."""
        return any(
            rooms is None
            or not any(
                (message.author, message.message_id) == (sent.author, sent.message_id)
                and message.body.get("text") == sent.text
                for message in rooms[sent.room]
            )
            for rooms in self.final.values()
        )


def _message_ids(scenario: Scenario) -> dict[str, str]:
    ids = dict.fromkeys(step.id for step in scenario.steps if step.do == "send")
    now_ms = time.time_ns() // 1_000_000
    return {name: uuid7(now_ms) for name in ids}

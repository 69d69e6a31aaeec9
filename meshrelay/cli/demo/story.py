"""The story that `meshrelay demo` plays in a terminal: about 90 seconds, one line a step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from meshrelay.cli.demo.layout import PLACES, cables_named
from meshrelay.cli.demo.people import PEOPLE, DemoPerson
from meshrelay.cli.demo.town import Town
from meshrelay.errors import RefusedError
from meshrelay.node.office import Message
from meshrelay.web.client import NodeUnreachable, StaffClient
from meshrelay.web.ids import uuid7

# Time to read one line before the next thing happens.
PAUSE_SECONDS = 7.0
# How long a step waits to be seen; on a loaded machine the story goes on and says so.
SEEN_SECONDS_MAX = 20.0
POLL_SECONDS = 0.2

_WORDS = {"node": "区の機器", "wards": "他の区", "archive": "本部"}


@dataclass(frozen=True)
class Line:
    """One step of the story as it is told."""

    ja: str
    en: str


def delivery_words(message: Message) -> str:
    """The words below a bubble: `本部・他の区 2・既読 1/5`."""
    place = _WORDS[message.place]
    if message.place == "wards":
        place = f"{place} {message.wards_n}"
    elif message.place == "archive" and message.wards_n:
        place = f"{place}・他の区 {message.wards_n}"
    members = "?" if message.members_n is None else str(message.members_n)
    return f"{place}・既読 {message.read_n}/{members}"


class Story:
    """Plays once. A person who uses the pages meanwhile does not disturb it."""

    def __init__(self, town: Town, pause_s: float = PAUSE_SECONDS) -> None:
        self._town = town
        self._pause_s = pause_s
        self._clients: dict[str, StaffClient] = {}
        self._people = {person.staff_id: person for person in town.people}
        self._posted: dict[str, str] = {}

    async def tell(self, say: Callable[[Line], None]) -> None:
        """Play every step and `say` one line for each.

        Stops early, with a line, when somebody took a node away that the story needs.
        """
        async with AsyncExitStack() as stack:
            for place in PLACES:
                person = next(p for p in PEOPLE if p.ward == place.ward)
                client = await stack.enter_async_context(StaffClient(self._town.url(place)))
                self._clients[person.staff_id] = client
            try:
                async for line in self._steps():
                    say(line)
                    await asyncio.sleep(self._pause_s)
            except (NodeUnreachable, RefusedError) as error:
                say(Line("物語は中断しました（機器が応答しません）。", f"The story stops: {error}"))

    async def _steps(self) -> AsyncIterator[Line]:
        mayor, kita, chuo, nishi = (self._person(place.ward) for place in PLACES)
        for person in (mayor, kita, chuo, nishi):
            await self._clients[person.staff_id].log_in(person.staff_id, person.card, person.pin)
        yield Line(
            "7時58分、地震。職員が職員画面を開きます。", "7:58, an earthquake. Staff log in."
        )

        await self._post(kita, "a", "北区役所です。庁舎・職員とも無事です。")
        seen = await self._wait(kita, "a", lambda m: m.place == "archive" and m.wards_n >= 2)
        yield Line(
            f"{kita.name}（北区）が送信 → {seen}",
            "Kita ward writes; HQ's archive and two other wards have signed for it.",
        )
        await self._read(mayor, "a")
        await self._read(chuo, "a")
        seen = await self._wait(kita, "a", lambda m: m.read_n >= 2)
        yield Line(f"市長と中央区が開きました → {seen}", "The mayor and Chuo ward have read it.")

        await self._town.cut([cable.name for cable in cables_named("wan")])
        yield Line(
            "WANを切りました。本部へ行く道はありません。",
            "The WAN is cut: nothing reaches HQ now. The wards still have a LAN.",
        )
        await self._post(chuo, "b", "中央区です。避難所を3か所開設します。")
        seen = await self._wait(chuo, "b", lambda m: m.wards_n >= 2)
        yield Line(
            f"{chuo.name}（中央区）が送信 → {seen}（本部とは出ません）",
            "Chuo writes on: other wards have it, and the page does not claim HQ.",
        )
        await self._town.cut([cable.name for cable in cables_named("nishinari")])
        yield Line("西成区を孤立させました。", "Nishinari ward is now cut off completely.")
        await self._post(nishi, "c", "西成区です。毛布が100枚足りません。")
        seen = await self._words(nishi, "c")
        yield Line(
            f"{nishi.name}（西成区）が送信 → {seen}（自分の区の機器だけ）",
            "Nishinari writes: only its own machine has it, and that is what the page says.",
        )
        await self._post(kita, "d", "北区です。西成区へ、読めたら返事をください。")
        seen = await self._wait(kita, "d", lambda m: m.wards_n >= 1)
        yield Line(
            f"北区から西成区への呼びかけ → {seen}（届いたのは中央区だけ）",
            "Kita calls Nishinari; only Chuo has it so far.",
        )
        await self._town.heal([c.name for c in cables_named("nishinari") if not c.wan])
        seen = await self._wait(nishi, "c", lambda m: m.wards_n >= 2)
        yield Line(
            f"西成区のLANがつながりました。毛布の件 → {seen}",
            "Nishinari's LAN is back: its message reaches the other wards.",
        )
        await self._town.heal([cable.name for cable in cables_named("wan")])
        seen = await self._wait(nishi, "c", lambda m: m.place == "archive")
        yield Line(
            f"WANがつながりました。毛布の件 → {seen}",
            "The WAN is back: HQ has signed for it.",
        )
        for key in ("b", "c", "d"):
            await self._read(mayor, key)
        seen = await self._wait(nishi, "c", lambda m: m.read_n >= 1)
        yield Line(f"市長が読みました → {seen}", "The mayor has read everything.")

        rooms = [await self._shown(person) for person in (mayor, kita, chuo, nishi)]
        same = all(room == rooms[0] for room in rooms)
        same_ja = "同じです" if same else "まだ同じではありません"
        yield Line(
            f"4か所の画面は{same_ja}。デモはこのまま動きます。どうぞお試しください。",
            f"The four rooms are {'the same' if same else 'not the same yet'}. "
            "Now it is your turn: the demo stays up.",
        )

    def _person(self, ward: str) -> DemoPerson:
        return next(p for p in self._people.values() if p.ward == ward)

    async def _post(self, person: DemoPerson, key: str, text: str) -> None:
        posted = await self._clients[person.staff_id].post(
            uuid7(time.time_ns() // 1_000_000), "all", text
        )
        self._posted[key] = posted.message_id

    async def _find(self, person: DemoPerson, key: str) -> Message | None:
        for message in await self._clients[person.staff_id].messages("all"):
            if message.message_id == self._posted[key]:
                return message
        return None

    async def _words(self, person: DemoPerson, key: str) -> str:
        message = await self._find(person, key)
        return delivery_words(message) if message else "まだ見えません"

    async def _wait(self, person: DemoPerson, key: str, enough: Callable[[Message], bool]) -> str:
        """The words at the sender's page once they are far enough, or as far as they came."""
        for _ in range(int(SEEN_SECONDS_MAX / POLL_SECONDS)):
            message = await self._find(person, key)
            if message is not None and enough(message):
                return delivery_words(message)
            await asyncio.sleep(POLL_SECONDS)
        return await self._words(person, key)

    async def _read(self, person: DemoPerson, key: str) -> None:
        for _ in range(int(SEEN_SECONDS_MAX / POLL_SECONDS)):
            message = await self._find(person, key)
            if message is not None:
                item = (message.author, message.message_id)
                await self._clients[person.staff_id].read([item])
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _shown(self, person: DemoPerson) -> Sequence[str]:
        return [m.message_id for m in await self._clients[person.staff_id].messages("all")]

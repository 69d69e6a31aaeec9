"""A node in a process of its own that a test can ask: lines of JSON in, one line out for each.

    python -m tests.forged.asked_node DIRECTORY

For what two nodes of one process cannot have each for itself: its clock, its software.
`AskedNode` is the test's end.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from meshrelay.core.clock import ms_of
from meshrelay.core.entry import read_entry
from meshrelay.core.signing import Signer, hash32
from meshrelay.node.config import load
from meshrelay.node.identity import load_keys
from meshrelay.node.node import Node
from meshrelay.node.office import Seat
from tests.town import Clerk, uuid7

TOP = Path(__file__).parents[2]
WHOLE_SECONDS_MAX = 30.0


class Asked:
    """The node's end: every public method is a question."""

    def __init__(self, node: Node, signer: Signer) -> None:
        self.node = node
        self.signer = signer

    async def say(self, clerk: dict[str, Any], kind: str, text: str) -> dict[str, Any]:
        """Log in and post to everybody."""
        seat = await self._seat(clerk)
        posted = await self.node.post(seat, kind, "all", {"text": text}, uuid7(), None)
        return {"entry": posted.entry, "message": posted.message_id}

    async def room(self, clerk: dict[str, Any]) -> dict[str, Any]:
        """What this person is shown."""
        seat = await self._seat(clerk)
        messages = [
            {
                "text": each.body["text"],
                "place": each.place,
                "trouble": each.trouble,
                "uncertain": each.clock_uncertain,
            }
            for each in self.node.messages(seat.person, "all")
        ]
        return {"messages": messages}

    async def states(self) -> dict[str, Any]:
        """State and stamp of every entry of the store, by entry id."""
        rows = list(self.node._store.connection.execute("SELECT raw, state FROM entries"))
        return {
            "states": {hash32(raw).hex(): state for raw, state in rows},
            "stamped_ms": {hash32(raw).hex(): ms_of(read_entry(raw).hlc) for raw, _ in rows},
        }

    async def status(self) -> dict[str, Any]:
        """What `meshrelay status` says, in part."""
        status = self.node.status()
        return {
            "entries": status.entries,
            "links": len(status.links),
            "bearers": sorted({link.bearer for link in status.links}),
            "digest": status.digest,
            "change": self.node.machine.vector.change,
            "refused": status.refused,
            "trouble": status.trouble,
            "now_ms": status.now_ms,
            "records": [record.hex() for record in self.node.machine.book.by_id],
        }

    async def _seat(self, clerk: dict[str, Any]) -> Seat:
        who = Clerk(**clerk)
        return await self.node.log_in(who.staff_id, who.code, who.pin)


class AskedNode:
    """The test's end of the pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, directory: Path, module: str = __name__, more: Mapping[str, str] | None = None
    ) -> AskedNode:
        """Start the node of a directory; `more` goes into its environment."""
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", module, str(directory)]
        environment = {**os.environ, **(more or {})}
        return cls(
            await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, cwd=TOP, env=environment
            )
        )

    async def ask(self, do: str = "status", **values: Any) -> dict[str, Any]:
        """One question, one answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        question = json.dumps({"do": do, **values}).encode() + b"\n"
        self._process.stdin.write(question)
        line = await self._process.stdout.readline()
        assert line, f"the node ended instead of answering {do}"
        answered: dict[str, Any] = json.loads(line)
        return answered

    async def say(self, clerk: Clerk, text: str, kind: str = "talk") -> str:
        """Post; the entry id."""
        said = await self.ask("say", clerk=asdict(clerk), kind=kind, text=text)
        return str(said["entry"])

    async def until(
        self, holds: Callable[[dict[str, Any]], bool], do: str = "status", **values: Any
    ) -> dict[str, Any]:
        """Ask until the answer is as wanted."""
        async with asyncio.timeout(WHOLE_SECONDS_MAX):
            answered = await self.ask(do, **values)
            while not holds(answered):
                await asyncio.sleep(0.1)
                answered = await self.ask(do, **values)
        return answered

    async def until_shown(self, clerk: Clerk, *texts: str) -> list[dict[str, Any]]:
        """Until this person is shown just these texts, in whatever order."""

        def shown(room: dict[str, Any]) -> bool:
            return sorted(each["text"] for each in room["messages"]) == sorted(texts)

        room = await self.until(shown, "room", clerk=asdict(clerk))
        messages: list[dict[str, Any]] = room["messages"]
        return messages

    async def stop(self) -> None:
        """End it in order."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


async def main(directory: Path, asked: type[Asked] = Asked) -> None:
    """Run until standard input ends."""
    keys = load_keys(directory)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Node(directory, load(directory / "node.toml"), keys) as node:
        end = asked(node, keys.signer)
        while line := await reader.readline():
            values = json.loads(line)
            answered = await getattr(end, values.pop("do"))(**values)
            print(json.dumps(answered), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

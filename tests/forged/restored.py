"""Restored SD images and clones of real nodes: no fork, and nothing lost that others hold.

    python -m tests.forged.restored --cases 20 --seed 1

Each case starts a town of three, copies the directory of 北区, lets it go on, and puts the copy
back, with or without its witness, or starts the copy as a second 北区 beside the first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from meshrelay.core.entry import LogId, read_entry
from meshrelay.core.signing import hash32
from meshrelay.errors import ConfigError, RefusedError
from tests.forged.row import Row, show
from tests.town import SATO, TANAKA, Town, build_town, free_port, running, until

KITA, CHUO, HQ, CLONE = "01", "02", "00", "01-clone"
# Of a peer that is dialled again after its link was taken over, and the answer's way back.
WHOLE_SECONDS_MAX = 40.0
Place = tuple[LogId, int]
# Words of the alarm of one key in two machines (node/alarms.py).
ALARM = "鍵を2台の機器が使っています"


@dataclass(frozen=True)
class Plan:
    """What one case does; all of it from its seed."""

    seed: int
    clone: bool  # the copy runs beside the original, instead of replacing it
    same_tmpfs: bool  # of a clone: on the same machine, so with the original's witness
    witness: bool  # of a restore: the witness is still there (no power cut)
    hot: bool  # the copy is taken from a running node at rest
    alone: bool  # the others hear nothing of what 北区 says between copy and restore
    before: int
    between: int
    after: int

    @classmethod
    def of(cls, seed: int) -> Plan:
        """Every combination comes within 16 seeds; the rest is thrown."""
        rng = random.Random(f"restored {seed}")
        clone = seed % 2 == 1
        return cls(
            seed, clone, clone and seed // 2 % 2 == 1, seed // 2 % 2 == 0,
            seed // 4 % 2 == 0, seed // 8 % 2 == 0,
            rng.randint(1, 5), rng.randint(0, 5), rng.randint(1, 5),
        )  # fmt: skip

    @property
    def word(self) -> str:
        if self.clone:
            return "clone on the same machine" if self.same_tmpfs else "clone elsewhere"
        return "restored, same boot" if self.witness else "restored after a power cut"


@dataclass
class Case:
    """One town and all that was ever on any of its disks."""

    plan: Plan
    town: Town
    ever: dict[Place, set[bytes]] = field(default_factory=dict)
    said: int = 0

    async def play(self) -> list[str]:
        """Copy, go on, come back; the faults."""
        plan, town = self.plan, self.town
        await self._say(KITA, plan.before)
        await self._say(CHUO, 1)
        await self._whole([KITA, CHUO, HQ])
        image = town.directory / "image"
        if plan.hot:
            shutil.copytree(town.directory / KITA, image)
        else:
            await town.stop(KITA)
            shutil.copytree(town.directory / KITA, image)
            await town.start(KITA)
        if plan.clone:
            return await self._beside(image)
        return await self._instead(image)

    async def _instead(self, image: Path) -> list[str]:
        """The card is replaced by its copy."""
        plan, town = self.plan, self.town
        if plan.alone:
            await town.stop(CHUO)
            await town.stop(HQ)
        await self._say(KITA, plan.between)
        if not plan.alone:
            await self._whole([KITA, CHUO, HQ])
        self._note(KITA, CHUO, HQ)
        others = self._ids(CHUO) | self._ids(HQ)
        await town.stop(KITA)
        shutil.rmtree(town.directory / KITA)
        shutil.copytree(image, town.directory / KITA)
        if not plan.witness:
            for witness in Path(town.witnesses.name).iterdir():
                witness.unlink()
        await town.start(KITA)
        await self._say(KITA, plan.after)
        own = self._ids(KITA)
        for ward in (CHUO, HQ):
            if ward not in town.nodes:
                await town.start(ward)
        await self._say(CHUO, 1)
        return await self._judge(others | own, [KITA, CHUO, HQ])

    async def _beside(self, image: Path) -> list[str]:
        """The copy runs too, with the same keys, under another address."""
        plan, town = self.plan, self.town
        clone = town.directory / CLONE
        shutil.move(image, clone)
        with contextlib.ExitStack() as stack:
            self._readdress(clone, stack)
            try:
                await town.start(CLONE)
            except ConfigError:
                if not plan.same_tmpfs:
                    return ["a clone elsewhere did not start"]
                await self._say(KITA, plan.after)
                return await self._judge(self._ids(KITA), [KITA, CHUO, HQ])
            for _ in range(max(plan.between, plan.after)):
                await self._say(KITA, 1)
                await self._say(CLONE, 1)
            said = self._ids(KITA) | self._ids(CLONE)
            with contextlib.suppress(AssertionError):  # the judge will name what is missing
                await self._held_by([CHUO], said)
            await town.stop(CLONE)
            return await self._judge(said, [KITA, CHUO, HQ], CLONE)

    def _readdress(self, clone: Path, stack: contextlib.ExitStack) -> None:
        """Other ports, and another tmpfs unless the clone is on the same machine."""
        toml = clone / "node.toml"
        text = toml.read_text("utf-8")
        self.town.ports[CLONE] = free_port()
        text = text.replace(f":{self.town.ports[KITA]}", f":{self.town.ports[CLONE]}")
        if not self.plan.same_tmpfs:
            other = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
            text = text.replace(self.town.witnesses.name, other)
        toml.write_text(text, "utf-8")

    # Talking

    async def _say(self, ward: str, count: int) -> None:
        if not count:
            return
        seat = await self.town.log_in(ward, TANAKA if ward == CHUO else SATO)
        for _ in range(count):
            self.said += 1
            await self.town.say(ward, seat, f"{ward} {self.said} 件目")

    # Looking

    def _entries(self, ward: str, in_logs: bool = False) -> Iterator[tuple[Place, bytes]]:
        """What the disk holds; `in_logs`: without what an end took out of its log."""
        path = self.town.directory / ward / "log.db"
        store = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        with contextlib.closing(store):
            where = "WHERE log IS NOT NULL" if in_logs else ""
            for (raw,) in store.execute(f"SELECT raw FROM entries {where} ORDER BY id"):
                entry = read_entry(raw)
                yield (entry.log, entry.seq), hash32(raw)

    def _note(self, *wards: str) -> None:
        """Keep what these disks hold: one of them may be replaced."""
        for ward in wards:
            for place, entry_id in self._entries(ward):
                self.ever.setdefault(place, set()).add(entry_id)

    def _ids(self, ward: str) -> set[bytes]:
        return {entry_id for _, entry_id in self._entries(ward)}

    async def _whole(self, wards: Sequence[str]) -> None:
        """Until these nodes hold the same."""
        nodes = [self.town.nodes[ward] for ward in wards]
        await until(
            lambda: len({node.machine.vector.digest() for node in nodes}) == 1, WHOLE_SECONDS_MAX
        )

    async def _held_by(self, wards: Sequence[str], ids: set[bytes]) -> None:
        await until(lambda: all(ids <= self._ids(ward) for ward in wards), WHOLE_SECONDS_MAX)

    async def _judge(self, kept: set[bytes], wards: Sequence[str], *also_noted: str) -> list[str]:
        """I5, nothing of `kept` is missing anywhere, and a clone elsewhere is told of."""
        faults, alarms = list[str](), list[str]()
        try:
            await self._whole(wards)
            await self._held_by(wards, kept)
        except AssertionError as error:
            faults.append(f"not whole: {error}")
        self._note(*wards, *also_noted)
        forks = [place for place, ids in self.ever.items() if len(ids) > 1]
        faults += [f"I5: two entries for lane {log.lane} seq {seq}" for log, seq in forks]
        for ward in wards:
            lost = len(kept - self._ids(ward))
            if lost:
                faults.append(f"{ward} lacks {lost} entries that others held")
            heights: Counter[LogId] = Counter()
            for (log, seq), _ in self._entries(ward, in_logs=True):
                heights[log] += 1
                if seq != heights[log]:
                    faults.append(f"{ward} has a hole before seq {seq}")
            status = self.town.nodes[ward].status()
            alarms += [each for each in status.trouble if ALARM in each]
            faults += [f"{ward}: {each}" for each in status.trouble if ALARM not in each]
            if status.refused.get("fork"):
                faults.append(f"{ward} met a fork")
        if bool(alarms) is not (self.plan.clone and not self.plan.same_tmpfs):
            faults.append(f"of one key in two machines is told: {alarms}")
        return faults


async def play(plan: Plan) -> list[str]:
    """One case in a town of its own."""
    with tempfile.TemporaryDirectory(prefix="restored-") as directory:
        peers = {KITA: (CHUO,), CHUO: (), HQ: (CHUO,)}
        async with running(build_town(Path(directory), peers)) as town:
            try:
                return await Case(plan, town).play()
            except (AssertionError, RefusedError, ConfigError) as error:
                return [f"{type(error).__name__}: {error}"]


def run(cases: int, seed: int) -> Row:
    """Every combination in turn."""
    row = Row("restored SD images, clones", "I5, nothing lost that others hold", seed)
    for number in range(seed, seed + cases):
        plan = Plan.of(number)
        faults = asyncio.run(play(plan))
        row.cases += 1
        row.counts[plan.word] += 1
        row.faults += [f"{plan}: {fault}" for fault in faults]
    return row


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 0 when every case held."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.forged.restored",
        description=(__doc__ or "").splitlines()[0],
        epilog="example: python -m tests.forged.restored --cases 20 --seed 1",
    )
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first case; the next has seed + 1"
    )
    parser.add_argument("--json", action="store_true", help="the row as JSON instead of a table")
    args = parser.parse_args(argv)
    began_s = time.monotonic()
    row = run(args.cases, args.seed)
    row.wall_s = time.monotonic() - began_s
    return 0 if show([row], "meshrelay, restored", args.json) else 1


if __name__ == "__main__":
    sys.exit(main())

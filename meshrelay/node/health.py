"""What this node knows of every node: its own counts, and the newest signed words of others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from meshrelay.core import claims
from meshrelay.core.book import RecordBook
from meshrelay.core.clock import ms_of
from meshrelay.core.entry import LANES, LogId, read_entry
from meshrelay.core.records import ROLE_ARCHIVE
from meshrelay.core.sync import Machine
from meshrelay.node.office import LaneWord, NodeInfo, NodeWord
from meshrelay.store.reader import LogReader

VERSION = "0.1.0"
# Keys of the health map in a HAVE.
H_VERSION, H_QUALITY, H_BACKLOG, H_OLDEST, H_DISK = range(1, 6)


def troubles(book: RecordBook, me: bytes) -> list[str]:
    """Sentences for IT on what the records prove; a restart remembers them."""
    found = []
    for key in sorted({log.origin for log in book.proofs} - book.revoked.keys()):
        found.append(
            f"{_called(book, key)}: ログの同じ場所に違う記録が2つあります。"
            "鍵が盗まれたおそれがあります。その機器を失効させてください / "
            "two different entries for one place in a log: a key may be stolen: revoke that node"
        )
    if me in book.revoked:
        found.append(
            f"{_called(book, me)}: この機器は失効しています。書いたものはどこにも届きません。"
            "新しい鍵で登録し直してください / this node is revoked: nobody takes what it writes; "
            "enrol the machine anew with a new key"
        )
    return found


def _called(book: RecordBook, key: bytes) -> str:
    node = book.nodes.get(key)
    return f"{node.name} ({node.ward_name})" if node is not None else key.hex()[:16]


class Health:
    """Counts from the machine's tables; `refresh` once a second, `words` on demand."""

    def __init__(
        self,
        machine: Machine,
        reader: LogReader,
        head_hlc: dict[LogId, int],
        directory: Path,
        now_ms: Callable[[], int],
        quality: Callable[[], int],
    ) -> None:
        self._machine = machine
        self._reader = reader
        self._head_hlc = head_hlc
        self._directory = directory
        self._now_ms = now_ms
        self._quality = quality

    def refresh(self) -> None:
        """Put our own health where the next HAVE will carry it."""
        backlog, oldest_ms = self._own_backlog()
        health: dict[int, int | str | list[int]] = {
            H_VERSION: VERSION,
            H_QUALITY: self._quality(),
            H_BACKLOG: backlog,
            H_DISK: shutil.disk_usage(self._directory).free,
        }
        if oldest_ms is not None:
            health[H_OLDEST] = oldest_ms
        self._machine.statements.health = health

    def _archived(self, log: LogId) -> int | None:
        """Height of a log by the word of archives; None if none was ever heard."""
        heights = []
        for key, node in self._machine.book.nodes.items():
            if ROLE_ARCHIVE not in node.roles:
                continue
            if key == self._machine.me:
                heights.append(self._machine.vector.height(log))
            elif self._machine.receipts.newest(key) is not None:
                heights.append(self._machine.receipts.covered(key, log))
        return max(heights, default=None)

    def _own_backlog(self) -> tuple[list[int], int | None]:
        """Own entries per lane that no archive covers; clock of the oldest in lanes 0 and 1."""
        backlog, oldest_ms = [0, 0, 0, 0], None
        for log, line in self._machine.vector.lines.items():
            if log.origin != self._machine.me:
                continue
            archived = self._archived(log) or 0
            waiting = max(line.height - archived, 0)
            backlog[log.lane] += waiting
            if waiting and log.lane < 2:
                raw = self._reader.at(log, archived + 1)
                if raw is not None:
                    written_ms = ms_of(read_entry(raw).hlc)
                    oldest_ms = min(written_ms, oldest_ms or written_ms)
        return backlog, oldest_ms

    def info(self, key: bytes) -> NodeInfo:
        """How a node is called."""
        node = self._machine.book.nodes[key]
        return NodeInfo(key.hex(), node.name, node.ward, ROLE_ARCHIVE in node.roles)

    def words(self) -> tuple[NodeWord, ...]:
        """One for each enrolled node, by ward."""
        nodes = self._machine.book.nodes
        order = sorted(nodes, key=lambda key: (nodes[key].ward, nodes[key].serial))
        return tuple(self._word(key) for key in order)

    def _word(self, key: bytes) -> NodeWord:
        machine = self._machine
        itself = key == machine.me
        have = machine.receipts.newest(key)
        health = machine.statements.health if itself else have.health if have else {}
        heard_ms, bearer, via = machine.statements.heard.get(key, (None, None, None))
        if itself:
            heard_ms, bearer, via = self._now_ms(), "self", key
        relay = machine.book.nodes.get(via) if via and via != key else None
        backlog, oldest = health.get(H_BACKLOG), health.get(H_OLDEST)
        quality, version, disk = health.get(H_QUALITY), health.get(H_VERSION), health.get(H_DISK)
        return NodeWord(
            node=self.info(key),
            stated_ms=self._now_ms() if itself else have.stated_ms if have else None,
            heard_ms=heard_ms,
            path=bearer,
            via=relay.ward_name if relay else None,
            lanes=tuple(self._lane(key, lane, itself, have is not None) for lane in LANES),
            version=version if isinstance(version, str) else None,
            clock_quality=quality if isinstance(quality, int) else None,
            backlog=tuple(backlog)
            if isinstance(backlog, list) and len(backlog) == 4
            else (None,) * 4,
            oldest_unsynced_ms=oldest if isinstance(oldest, int) else None,
            disk_free_bytes=disk if isinstance(disk, int) else None,
            refused={},
            barred=claims.bars(machine.book, key),
        )

    def _lane(self, key: bytes, lane: int, itself: bool, heard: bool) -> LaneWord:
        machine = self._machine
        logs = {log for log in machine.vector.lines if log.origin == key and log.lane == lane}
        stated_logs = machine.receipts.logs_stated(key)
        logs |= {log for log in stated_logs if log.origin == key and log.lane == lane}
        archived_any = self._archived(LogId(key, bytes(8), lane))
        stated = archived = 0
        lagging: list[int | None] = []
        heads: list[int] = []
        for log in logs:
            height = machine.vector.height(log)
            there = self._archived(log) or 0
            said = height if itself else machine.receipts.stated(key, log)
            said = max(said, there)
            stated += said
            archived += there
            known = self._head_hlc.get(log) if there == height and there else None
            if said > there:
                lagging.append(ms_of(known) if known is not None else None)
            elif known is not None:
                heads.append(ms_of(known))
        upto: int | None = max(heads, default=None)
        if lagging:
            upto = None if None in lagging else min(each for each in lagging if each is not None)
        return LaneWord(
            lane,
            stated if heard or itself else None,
            archived if archived_any is not None else None,
            upto,
        )

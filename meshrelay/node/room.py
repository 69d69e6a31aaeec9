"""How full this node's store is, and who is refused for it.

The quota bounds log.db; a disk that something else fills lowers it. A ballast file keeps some
room back: on a full disk not even a deletion could be written.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from shutil import disk_usage

from meshrelay.core.entry import BULK, URGENT
from meshrelay.core.retention import PEOPLE_FULL, refuses_people
from meshrelay.errors import RefusedError

log = logging.getLogger("meshrelay.node")

MB = 1024 * 1024
# Enough for a full WAL of log.db and one of views.db: what a start and an eviction write.
BALLAST_BYTES = 16 * MB
# What the quota leaves free on the disk beside the ballast, for views.db and the system.
RESERVE_BYTES = 32 * MB
# log.db may pass its quota by so much before SQLite refuses: records and the last urgent words.
SLACK_BYTES = 16 * MB


class StoreRoom:
    """Measures and refuses. `used`, `quota`: bytes of log.db, and how many it may have now."""

    def __init__(self, directory: Path, quota_bytes: int) -> None:
        self._ballast = directory / "ballast"
        self._directory = directory
        self._configured = quota_bytes
        self.used = 0
        self.quota = quota_bytes

    def open(self) -> None:
        """Before the store is opened: on a full disk, give back the ballast."""
        if self._free() < BALLAST_BYTES // 4 and self._ballast.exists():
            self._ballast.unlink()
            log.warning("disk full: ballast given back path=%s", self._ballast)

    def measure(self, used: int) -> None:
        """`used`: bytes of log.db that hold something."""
        self.used = used
        free = self._free()
        if free < BALLAST_BYTES // 4:
            self.open()
        elif free > BALLAST_BYTES + 2 * RESERVE_BYTES and not self._ballast.exists():
            self._lay_ballast()
        self.quota = max(min(self._configured, used + max(free - RESERVE_BYTES, 0)), 1)

    def _free(self) -> int:
        return disk_usage(self._directory).free

    def _lay_ballast(self) -> None:
        with self._ballast.open("wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
            except OSError as error:  # without it a full disk needs a person to free some space
                log.warning("no ballast error=%s", error)

    def troubles(self) -> list[str]:
        """Sentences for IT while people are or soon will be refused."""
        percent = self.used * 100 // self.quota
        if percent < PEOPLE_FULL[BULK]:
            return []
        return [
            f"保存場所の{percent}%を使っています。80%で写真、90%でメッセージ、100%で緊急の連絡が送れ"
            "なくなります。本部とつなぐと古いものを消せます。空きを増やすには quota_mb を上げるか、"
            f"SDカードの不要なファイルを消してください / {percent} % of the store is used: photos "
            "are refused at 80, messages at 90, urgent words at 100 %; connect this node to HQ so "
            "that old entries can go, raise quota_mb, or remove other files from the card"
        ]

    def refuse(self, lane: int) -> None:
        """Refuse what somebody writes here when the store is too full for it.

        Raises:
            RefusedError: `storage_full`, with what can be done.
        """
        if refuses_people(lane, self.used, self.quota):
            raise storage_full(lane)


def storage_full(lane: int) -> RefusedError:
    """This node has no room for what somebody writes here."""
    if lane == BULK:
        what, what_en = "写真やファイルは", "photos and files"
        go_on, go_on_en = "文はまだ送れます。", "Text can still be sent."
    elif lane == URGENT:
        what, what_en = "緊急の連絡も", "even urgent words"
        go_on, go_on_en = (
            "別の区の機器のページから送ってください。",
            "Send from another ward's page.",
        )
    else:
        what, what_en = "ふつうのメッセージは", "ordinary messages"
        go_on, go_on_en = "緊急の連絡はまだ送れます。", "Urgent words can still be sent."
    return RefusedError(
        "storage_full",
        f"この区の機器の空きが足りないため、いま{what}送れません。書いたものは消えていません。",
        f"This ward's machine is nearly full and takes no {what_en} now. Your text is kept.",
        f"{go_on}情報システム担当に「機器の空きがない」と知らせてください。",
        f"{go_on_en} Tell IT that this machine is full.",
        507,
    )

"""The nightly copy: a thread that looks whether one is due, and makes it at lowest priority.

A stick that is away, full or pulled out is told on the status and the monitor; the node goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from meshrelay.core.clock import FROM_ARCHIVE
from meshrelay.core.events import Now
from meshrelay.errors import RefusedError
from meshrelay.node.backup import Stamp, make_copy, newest
from meshrelay.node.backup_words import failed, no_stick, same_disk
from meshrelay.node.config import BackupSection
from meshrelay.node.identity import Keys

log = logging.getLogger("meshrelay.node")

# How soon a stick that was plugged in, or pulled out, is noticed.
LOOK_S = 30.0
# After a copy that failed.
RETRY_S = 600.0
# Between two steps of some milliseconds, so that people's requests always come between.
REST_S = 0.005
DAY_MS = 86_400_000
STOP_S = 2.0
NICE_MAX = 19


def is_due(last: Stamp | None, now: Now, hour: int) -> bool:
    """Whether it is time: the hour struck since the last copy, or no copy is there.

    Where nobody can say what time it is, or was: every 24 hours that this node saw pass.
    """
    if last is None:
        return True
    if min(last.quality, now.quality) >= FROM_ARCHIVE and last.made_ms <= now.pt_ms:
        here = datetime.fromtimestamp(now.pt_ms / 1000)
        struck = here.replace(hour=hour, minute=0, second=0, microsecond=0)
        if struck > here:
            struck -= timedelta(days=1)
        return last.made_ms < struck.timestamp() * 1000
    # A store that was put back may be behind its own copy.
    return not 0 <= now.seen_ms - last.seen_ms < DAY_MS


class _StoppedError(Exception):
    """The node ends while a copy is being made."""


class Nightly:
    """Copies this node to `[backup] dir` once a day; does nothing if that is empty."""

    def __init__(
        self, directory: Path, config: BackupSection, keys: Keys, name: str,
        now: Callable[[], Now],
    ) -> None:  # fmt: skip
        self._directory = directory
        self._config = config
        self._keys = keys
        self._name = name
        self._now = now
        self._stop = threading.Event()
        self._quarter = 0
        self._absent = self._failed = ""

    def troubles(self) -> list[str]:
        """Why there is no copy of today, in Japanese and English."""
        return [each for each in (self._absent, self._failed) if each]

    async def run(self) -> None:
        """Look until cancelled."""
        if not self._config.dir:
            return
        # A daemon: a stick that hangs must not keep the node from ending.
        thread = threading.Thread(target=self._work, name="backup", daemon=True)
        thread.start()
        try:
            await asyncio.Event().wait()
        finally:
            self._stop.set()
            await asyncio.to_thread(thread.join, STOP_S)

    def _work(self) -> None:
        # Of this thread only (Linux): proof.md I6, urgent before all else.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE_MAX)
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            wait_s = self._look()

    def _look(self) -> float:
        """Make a copy if one is due; seconds until the next look."""
        stick = Path(self._config.dir)
        copying = False
        try:
            if self._is_due(stick):
                copying = True
                self._copy(stick)
                self._failed = ""
            self._absent = ""
        except RefusedError as error:
            if copying and error.code != "no_stick":
                self._failed = _told(error, self._failed)
                return RETRY_S
            self._absent = _told(error, self._absent)
        except _StoppedError:
            log.info("backup stopped")
        return LOOK_S

    def _is_due(self, stick: Path) -> bool:
        try:
            device = stick.stat().st_dev
            if device == self._directory.stat().st_dev:
                raise same_disk(stick)
            last = newest(stick, self._keys.signer.public)
        except FileNotFoundError as error:
            raise no_stick(stick) from error
        except OSError as error:
            raise failed(stick, error.strerror) from error
        return is_due(last.stamp if last else None, self._now(), self._config.hour)

    def _copy(self, stick: Path) -> None:
        log.info("backup begins dir=%s", stick)
        made = make_copy(self._directory, stick, self._keys, self._name, self._now(), self._tell)
        log.info(
            "backup done copy=%s entries=%d bytes=%d blobs=%d removed=%d",
            made.copy.path.name, made.copy.stamp.entries, made.copy.stamp.log_bytes, made.blobs,
            made.removed,
        )  # fmt: skip

    def _tell(self, what: str, done: int, total: int) -> None:
        quarter = 4 * done // max(total, 1)
        if quarter != self._quarter:
            self._quarter = quarter
            log.info("backup goes on step=%s percent=%d", what.replace(" ", "_"), 25 * quarter)
        if self._stop.wait(REST_S):
            raise _StoppedError


def _told(error: RefusedError, before: str) -> str:
    """The sentence for IT; the log has it once."""
    told = f"{error.ja}{error.next_ja} / {error.en} {error.next_en}"
    if told != before:
        log.warning("no backup reason=%s said=%s", error.code, error.en)
    return told

"""The node's physical estimate of time, and how far it can be trusted."""

from __future__ import annotations

import time
from pathlib import Path

from meshrelay.core.clock import BY_PERSON, NTP, RESTORED, UNKNOWN

# systemd-timesyncd makes this file once it has heard a time server since boot.
_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
# Before this build: a clock that says so was never set (1 January 2026 UTC).
_BUILD_MS = 1_767_225_600_000


class Clock:
    """Milliseconds since 1970 UTC by the system's clock."""

    def __init__(self, set_by_person: bool) -> None:
        self._set_by_person = set_by_person

    def now_ms(self) -> int:
        return max(time.time_ns() // 1_000_000, 0)

    def quality(self) -> int:
        """0 unknown, 1 restored, 3 set by a person, 4 NTP (protocol.md, Time)."""
        if _SYNCHRONIZED.exists():
            return NTP
        if self._set_by_person:
            return BY_PERSON
        return RESTORED if self.now_ms() > _BUILD_MS else UNKNOWN

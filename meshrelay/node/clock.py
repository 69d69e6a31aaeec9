"""The node's physical estimate of time, how far it can be trusted, and what it has seen pass."""

from __future__ import annotations

import time
from pathlib import Path

from meshrelay.core.clock import BY_PERSON, FROM_ARCHIVE, NTP, RESTORED, TRUSTED, UNKNOWN
from meshrelay.core.events import Now
from meshrelay.store.seen import Mark, Reading, SeenClock

# systemd-timesyncd makes this file once it has heard a time server since boot.
_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Before this build: a clock that says so was never set (1 January 2026 UTC).
_BUILD_MS = 1_767_225_600_000
# The file above is looked for this often; it is asked for with every event.
_LOOK_MS = 1_000


class Hardware:
    """The clocks of this machine; tests give others."""

    def __init__(self) -> None:
        self.boot = _BOOT_ID.read_text("ascii").strip()

    def wall_ms(self) -> int:
        return max(time.time_ns() // 1_000_000, 0)

    def boot_ms(self) -> int:
        """Since boot, sleep included; nobody can set it."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def is_synchronized(self) -> bool:
        return _SYNCHRONIZED.exists()


class Clock:
    """Milliseconds since 1970 UTC: the wall clock, or what an archive said, run on from there.

    `kept` and `newest_ms` (see store.seen) let the clock of seen time continue.
    """

    def __init__(
        self,
        set_by_person: bool,
        kept: Mark | None = None,
        newest_ms: int = 0,
        hardware: Hardware | None = None,
    ) -> None:
        self._hardware = hardware or Hardware()
        self._set_by_person = set_by_person
        self._adopted_ms: int | None = None  # pt minus boot clock, by an archive
        self._looked_ms = -_LOOK_MS
        self._synchronized = False
        self._seen = SeenClock(kept, self._reading(), newest_ms)

    def now_ms(self) -> int:
        """The physical estimate."""
        if self._adopted_ms is None or self._own_quality() >= TRUSTED:
            return self._hardware.wall_ms()
        return max(self._hardware.boot_ms() + self._adopted_ms, 0)

    def quality(self) -> int:
        """0 unknown, 1 restored, 2 from an archive, 3 set by a person, 4 NTP (protocol.md)."""
        own = self._own_quality()
        return own if own >= TRUSTED or self._adopted_ms is None else FROM_ARCHIVE

    def now(self) -> Now:
        """All that the sync machine is told."""
        boot_ms = self._hardware.boot_ms()
        seen_ms = self._seen.seen_ms(boot_ms)
        mono_ms = time.monotonic_ns() // 1_000_000
        return Now(mono_ms, self.now_ms(), self.quality(), seen_ms, self._seen.gap_ms)

    def adopt(self, pt_ms: int) -> None:
        """Follow an archive's word, as long as no better clock is here."""
        self._adopted_ms = pt_ms - self._hardware.boot_ms()

    def mark(self) -> Mark:
        """What the store keeps, so that seen time goes on after a restart."""
        return self._seen.mark(self._reading())

    def _own_quality(self) -> int:
        boot_ms = self._hardware.boot_ms()
        if boot_ms - self._looked_ms >= _LOOK_MS:
            self._looked_ms = boot_ms
            self._synchronized = self._hardware.is_synchronized()
        if self._synchronized:
            return NTP
        if self._set_by_person:
            return BY_PERSON
        return RESTORED if self._hardware.wall_ms() > _BUILD_MS else UNKNOWN

    def _reading(self) -> Reading:
        hardware = self._hardware
        return Reading(hardware.boot, hardware.boot_ms(), hardware.wall_ms(), self._own_quality())

"""The witness: proof, on a tmpfs, that the store was not rolled back since this boot.

Same boot, same incarnation, not ahead of the store: the incarnation may continue.
Anything else (power cut, restored card, clone) draws a new one; it asks nobody.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from pathlib import Path

from meshrelay.core.entry import INCARNATION_BYTES
from meshrelay.errors import ConfigError

TMPFS_MAGIC = 0x01021994
WITNESS_BYTES_MAX = 256
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Witness:
    """One small file, rewritten in place after each commit and before its sends."""

    def __init__(self, directory: Path, network: bytes, node: bytes) -> None:
        if not is_tmpfs(directory):
            raise ConfigError(
                f"{directory}: key witness.dir: expected a directory on a tmpfs, such as /dev/shm"
            )
        self.path = directory / f"meshrelay-{network.hex()[:8]}-{node.hex()[:16]}"
        self._boot = _BOOT_ID.read_text("ascii").strip().encode()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:  # the kernel drops the lock with the process, however it ends
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise ConfigError(
                f"{self.path}: another node with this key runs on this machine; stop it first: "
                "two would sign two entries with one number"
            ) from error

    def proves(self, incarnation: bytes, change: int) -> bool:
        """Whether the store at `change` continues what was written under `incarnation`."""
        noted = self._noted()
        return noted is not None and noted[0] == incarnation and noted[1] <= change

    def last(self) -> bytes | None:
        """The incarnation under which this machine wrote last since its boot. It is over: whoever
        wrote under it held the lock that is ours now."""
        noted = self._noted()
        return noted[0] if noted else None

    def _noted(self) -> tuple[bytes, int] | None:
        try:
            boot, said, change = os.pread(self._fd, WITNESS_BYTES_MAX, 0).split(b" ")
            incarnation, number = bytes.fromhex(said.decode()), int(change)
        except (OSError, ValueError):
            return None
        is_ours = boot == self._boot and len(incarnation) == INCARNATION_BYTES
        return (incarnation, number) if is_ours else None

    def write(self, incarnation: bytes, change: int) -> None:
        """Note what is on disk. Raises OSError."""
        # Fixed width: one pwrite replaces the whole text.
        os.pwrite(self._fd, self._boot + b" %s %020d" % (incarnation.hex().encode(), change), 0)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_tmpfs(directory: Path) -> bool:
    """Ask the kernel (statfs(2)), not the path's name."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(256)  # struct statfs is 120 bytes; f_type comes first
    if libc.statfs(os.fsencode(directory), buffer) != 0:
        return False
    kind = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_long)).contents.value
    return kind == TMPFS_MAGIC

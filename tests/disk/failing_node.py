"""`node run DIRECTORY` whose disk fails from SIGUSR1 on: `full`, `write`, `read` or `sync`.

It says `failing` on its standard output once the disk does. The product has no hook for this:
SQLite's system calls are replaced in this process only.
"""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path

from meshrelay.cli.main import main
from tests.disk.kernel import READ, WRITE, Fault, fail_syncs, failing

FAULTS = {
    "full": Fault(WRITE, None, errno.ENOSPC, lasting=True),
    "write": Fault(WRITE, None, errno.EIO, lasting=True),
    "read": Fault(READ, None, errno.EIO, lasting=True),
    "sync": Fault("", None, 0, lasting=True),
}


def run(directory: Path, what: str) -> int:
    """Run the node until it ends; the exit code is its own."""
    fault = FAULTS[what]

    def fail(*_: object) -> None:
        if what == "sync":
            fail_syncs(directory / "log.db-wal")
        fault.arm()
        print("failing", flush=True)

    signal.signal(signal.SIGUSR1, fail)
    with failing(directory, fault):
        return main(["node", "run", str(directory)])


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2]))

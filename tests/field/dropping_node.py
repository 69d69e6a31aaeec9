"""A node whose store drops the first talk entry that 中央区 takes in: a planted fault.

The product has no hook for this: the store's method is replaced in this process only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from meshrelay.cli.main import main
from meshrelay.core.events import Commit
from meshrelay.store.log import LogStore

_write = LogStore.write
_dropped: list[bytes] = []


def dropping_write(self: LogStore, commit: Commit, at_ms: int, seen_ms: int) -> int:
    kept = []
    for taken in commit.entries:
        if commit.tag is not None and taken.entry.kind == "talk" and not _dropped:
            _dropped.append(taken.entry.raw)
        else:
            kept.append(taken)
    return _write(self, commit._replace(entries=kept), at_ms, seen_ms)


if __name__ == "__main__":
    if Path(sys.argv[1]).name == "chuo":
        LogStore.write = dropping_write  # type: ignore[method-assign]
    sys.exit(main(["node", "run", sys.argv[1]]))

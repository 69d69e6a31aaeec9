"""A child for test_kills: write commits until killed, say each number after its commit."""

from __future__ import annotations

import sys
from pathlib import Path

from meshrelay.core.entry import Entry, make_entry
from tests.unit.core.city import CHUO, KITA, NETWORK, PT_MS, chain, log_of, note
from tests.unit.store.disks import commit_of, opened, write


def main(directory: Path) -> None:
    store = opened(directory)
    lines = {line.log: line for line, _ in store.load().lines}
    log = log_of(KITA)
    height, prev = (lines[log].height, lines[log].head) if log in lines else (0, log.first_prev)
    beside = chain(CHUO, 1)[0]
    if not lines:
        write(store, commit_of([beside]))
    while True:
        batch: list[Entry] = []
        for _ in range(3):
            height += 1
            entry = make_entry(KITA, NETWORK, log, height, prev, PT_MS << 16, 4, note("第" * 200))
            prev = entry.id
            batch.append(entry)
        write(store, commit_of(batch))
        print(height, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Port bases for tests that start a demo: no two of one run, whatever the worker."""

from __future__ import annotations

import itertools
import os

from meshrelay.cli.demo.layout import PORT_BASE_STEP

# Below the ephemeral ports of Linux (32768), above what people use.
FIRST = 11_000
PER_WORKER = 5_000
_counter = itertools.count()


def port_base() -> int:
    """A base that no other test asked for."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    steps = next(_counter) % (PER_WORKER // PORT_BASE_STEP)
    return FIRST + worker * PER_WORKER + steps * PORT_BASE_STEP

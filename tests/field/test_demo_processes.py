"""Children of the demo: killed at once, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshrelay.cli.demo.processes import Child
from meshrelay.errors import ConfigError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = """
import asyncio, sys
from pathlib import Path
from meshrelay.cli.demo.processes import Child

async def main():
    child = Child("kita", [sys.executable, "-c", "import time; time.sleep(600)"], Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


async def test_a_crash_keeps_the_witness_and_a_power_cut_does_not(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    child = Child("kita", SLEEPER, tmp_path / "log", witness)
    await child.start()
    (witness / "file").write_text("proof")

    await child.kill(lose_witness=False)
    assert not child.running
    assert (witness / "file").exists()

    await child.start()
    await child.kill(lose_witness=True)
    assert list(witness.iterdir()) == []
    assert child.starts == 2


async def test_a_child_that_ignores_sigterm_is_ended_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshrelay.cli.demo.processes.STOP_SECONDS_MAX", 0.3)
    deaf = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('deaf', flush=True); time.sleep(600)"
    )
    child = Child("kita", [sys.executable, "-c", deaf], tmp_path / "log")
    await child.start()
    for _ in range(500):
        if child.last_words() == "deaf":
            break
        await asyncio.sleep(0.02)

    await child.stop()

    assert not child.running


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    child = Child("broker", ["no-such-program"], tmp_path / "log")

    with pytest.raises(ConfigError, match="broker: cannot run no-such-program"):
        await child.start()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux keeps the leash")
def test_a_child_dies_when_the_demo_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)

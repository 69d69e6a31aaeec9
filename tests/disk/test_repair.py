"""Two machines on two real stores: what one has lost comes back from the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disk.flips import LOG, WAL, Look, image
from tests.disk.repair import mended
from tests.disk.script import Script, script_of

SCRIPT = 2  # its log is folded in rarely, so there is much in the WAL
KEPT_BYTES = 40_000


@pytest.fixture
def script() -> Script:
    return script_of(SCRIPT)


def store(directory: Path, script: Script, wal_bytes: int | None = None) -> Path:
    """The store of a whole script; of its WAL only the first bytes are left."""
    directory.mkdir()
    files = image(script).files
    (directory / LOG).write_bytes(files[LOG])
    (directory / WAL).write_bytes(files[WAL][:wal_bytes])
    return directory


def test_a_store_that_fell_back_to_an_earlier_commit_catches_up(
    tmp_path: Path, script: Script
) -> None:
    damaged = store(tmp_path / "damaged", script, KEPT_BYTES)
    assert Look(damaged, script).noticed == {"an earlier commit": 1}

    assert mended(damaged, store(tmp_path / "sound", script), script.groups[-1].entries) == []
    assert not {"forwarded", "claimed"} & set(Look(damaged, script).wrong)


def test_what_neither_store_can_give_is_told(tmp_path: Path, script: Script) -> None:
    stores = [store(tmp_path / name, script, KEPT_BYTES) for name in ("damaged", "sound")]
    faults = mended(stores[0], stores[1], script.groups[-1].entries)

    assert any("damaged" in fault for fault in faults) and any("sound" in each for each in faults)

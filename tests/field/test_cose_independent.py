"""An independent COSE implementation agrees with ours about every signature of the vectors."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PYTHON = TOP / ".venv-cwt" / "bin" / "python"


def test_cwt_verifies_our_signatures_and_no_flipped_bit() -> None:
    if not PYTHON.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("no .venv-cwt; run `make .venv-cwt/.done`")
        pytest.skip("no .venv-cwt; `make .venv-cwt/.done` makes it")

    run = subprocess.run(
        [PYTHON, TOP / "tests" / "vectors" / "check_with_cwt.py"],
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "flipped bits do not" in run.stdout

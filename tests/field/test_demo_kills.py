"""Two of the kill runs; the fifty are `python -m tests.field.kill_runs`."""

from __future__ import annotations

import pytest

from tests.field.demo_ports import port_base
from tests.field.kill_runs import run_once


@pytest.mark.parametrize(("seed", "lose_witness"), [(1, False), (2, True)])
async def test_nothing_answered_is_lost_when_every_process_is_killed(
    seed: int, lose_witness: bool
) -> None:
    run = await run_once(seed, lose_witness, port_base(), kills=3)

    assert run.good, (run.line(), run.missing, run.odd)
